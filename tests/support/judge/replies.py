"""What the judge's server says: envelopes, faults, videos.

In: names of faults. Out: replies. The texts of codes are the judge's own, but for those by which the
real service lets a client tell refusals apart.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import Any

from tests.support.judge.wire import DROP, RESET, Reply

PAGE = b"<html><body>something is wrong here</body></html>"


def envelope(code: int, message: str, data: Any = None, status: str = "200 OK") -> Reply:
    body = json.dumps({"code": code, "msg": message, "data": data}).encode()
    return Reply(body, status, {"Content-Type": "application/json;charset=UTF-8"})


CREATES: dict[str, Reply] = {
    "drop": DROP,
    "reset": RESET,
    "html": Reply(PAGE, "200 OK", {"Content-Type": "text/html"}),
    "502": Reply(PAGE, "502 Bad Gateway", {"Content-Type": "text/html"}),
    "garbage": Reply(b"\x00\xffnot json"),
    "noise": Reply(raw=b"\x01\x02 no http\r\n\r\n"),
    "no_id": envelope(200, "success", {}),
    "429": envelope(429, "too often"),
    "429_http": envelope(429, "too often", status="429 Too Many Requests"),
    "429_after": Reply(PAGE, "429 Too Many Requests", {"Retry-After": "1"}),
    "455": envelope(455, "maintenance"),
    "401": envelope(401, "no access"),
    "401_http": envelope(401, "no access", status="401 Unauthorized"),
    "403": Reply(b"error code: 1010", "403 Forbidden"),
    "402": envelope(402, "no credits"),
    "402_as_500": envelope(500, "Credits insufficient: the balance isn't enough"),
    "401_said": envelope(401, "You do not have access permissions"),
    "433": envelope(433, "The current number of points used by apiKey has exceeded the daily limit"),
    "404": envelope(404, "not found"),
    "422_input": envelope(422, "the reference video is too long"),
    "422": envelope(422, "The model name you specified is not supported."),
    "500_text": envelope(500, "image_url is required"),
    "500": envelope(500, "internal error"),
    "500_unreachable": envelope(500, "Server exception, please try again later"),
    "500_long": envelope(500, f"{'The request could not be handled. ' * 8}Failed to download the image."),
    "501": envelope(501, "generation failed"),
    "505": envelope(505, "switched off"),
}
"""What may befall a create. With `_kept` behind its name it befalls the reply to an accepted one.

Besides: `odd_kept` names the task oddly, `same_kept` names the first task again, `slow` answers late, `cut_kept` ends in the middle of the answer, `hang` and `hang_kept` wait
for `let_go`, `die` and `die_kept` end the process.
"""

POLLS = {
    "html": Reply(PAGE, "200 OK", {"Content-Type": "text/html"}),
    "500": Reply(PAGE, "500 Internal Server Error"),
    "403_edge": Reply(PAGE, "403 Forbidden"),
    "503_edge": Reply(PAGE, "503 Service Unavailable"),
    "drop": DROP,
    "429": envelope(429, "too often"),
    "401": envelope(401, "no access"),
    "404": envelope(404, "not found"),
    "455": envelope(455, "maintenance"),
}


DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000"
    "3a7e9b550000000a49444154789c63f80f00010101001bb6ee560000000049454e44ae426082"
)
"""A picture of one dot."""


def download(data: bytes, fault: str, wanted: str) -> Reply:
    kind = {"Content-Type": "video/mp4"}
    if fault in {"500", "404", "gone"}:
        return Reply(PAGE, {"500": "500 Oops", "404": "404 Not Found"}.get(fault, "403 Forbidden"))
    if fault == "page":
        return Reply(PAGE, headers=kind)
    if fault == "type":
        return Reply(data, headers={"Content-Type": "text/html"})
    if fault == "short":
        return Reply(data[:-1000], headers=kind)
    found = re.fullmatch(r"bytes=(\d+)-", wanted)
    start = int(found[1]) if found else 0
    if start >= len(data):
        return Reply(b"", "416 Range Not Satisfiable", {"Content-Range": f"bytes */{len(data)}"})
    status = "206 Partial Content" if found else "200 OK"
    if found:
        kind["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
    sent = (len(data) - start) // 2 if fault == "cut" else None
    return Reply(data[start:], status, kind, sent)


def video(task_id: str) -> bytes:
    """The boxes of an MP4 around bytes that belong to this task alone."""
    head = b"\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2\x00\x00\x00\x08moov"
    media = b"".join(hashlib.sha256(f"{task_id}{n}".encode()).digest() for n in range(6_000))
    return head + (len(media) + 8).to_bytes(4, "big") + b"mdat" + media
