"""The judge's upload host: what was sent to it, under the addresses that it gave.

In: multipart bodies, read with the standard library's mail parser. Out: replies as the vendor's page has
them; `uploads`, in their order. Kept in memory, so a judge that comes back has lost them all.
"""

from __future__ import annotations

import email.parser
import hashlib
import json
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.support.judge.replies import CREATES, PAGE, POLLS, envelope
from tests.support.judge.wire import Reply

if TYPE_CHECKING:
    import threading

    from tests.support.judge.wire import Request

UPLOAD = "/api/file-stream-upload"


@dataclass(frozen=True)
class Upload:
    """One file that was taken."""

    path: str
    data: bytes
    media_type: str
    headers: dict[str, str]

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()


class UploadHost:
    """`faults` befall the uploads to come, in order: those of CREATES and POLLS, `400`, and `hang`, which waits for
    `let_go`. `query` is added to the addresses that it gives."""

    def __init__(self, let_go: threading.Event) -> None:
        self._let_go = let_go
        self.taken: list[Upload] = []
        self.faults: deque[str] = deque()
        self.query = ""
        self._kept: dict[str, Upload] = {}

    def answer(self, request: Request, url: str) -> Reply:
        fault = self.faults.popleft() if self.faults else ""
        if fault == "hang":
            self._let_go.wait()
        elif fault:
            return CREATES.get(fault) or POLLS.get(fault) or envelope(int(fault), "not this one")
        fields = _fields(request)
        name, folder = fields["fileName"][0].decode(), fields["uploadPath"][0].decode()
        data, media_type = fields["file"]
        upload = Upload(f"kieai/7/{folder}/{name}", data, media_type, request.headers)
        self.taken.append(upload)
        self._kept[upload.path] = upload
        told = {
            "success": True,
            "fileName": name,
            "filePath": upload.path,
            "downloadUrl": f"{url}/uploads/{upload.path}{self.query}",
            "fileSize": len(data),
            "mimeType": media_type,
            "uploadedAt": "2026-11-22T08:00:00.000Z",
        }
        body = {"success": True, "code": 200, "msg": "File uploaded successfully", "data": told}
        return Reply(json.dumps(body).encode(), headers={"Content-Type": "application/json"})

    def file(self, path: str) -> Reply:
        upload = self._kept.get(path.removeprefix("/uploads/"))
        if upload is None:
            return Reply(PAGE, "404 Not Found")
        return Reply(upload.data, headers={"Content-Type": upload.media_type})

    def forget(self) -> None:
        """As after a day."""
        self._kept.clear()

    def lacks(self, value: Any, url: str) -> bool:
        """Does a request point at an upload that isn't here?"""
        if isinstance(value, str) and value.startswith(f"{url}/uploads/"):
            return value.removeprefix(f"{url}/uploads/").partition("?")[0] not in self._kept
        inner = value.values() if isinstance(value, dict) else value
        return isinstance(value, dict | list) and any(self.lacks(each, url) for each in inner)


def _fields(request: Request) -> dict[str, tuple[bytes, str]]:
    """Bytes and type of each part, by name."""
    head = f"Content-Type: {request.headers['content-type']}\r\n\r\n".encode()
    message = email.parser.BytesParser().parsebytes(head + request.body)
    found: dict[str, tuple[bytes, str]] = {}
    for part in message.get_payload():
        name = str(part.get_param("name", header="content-disposition"))
        found[name] = (part.get_payload(decode=True), part.get_content_type())
    return found
