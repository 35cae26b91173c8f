"""A stand-in for the APIs of GitHub and GitLab, as far as comments go: on the loopback, in this process.

In: what was written before. Out: its address; the comments; what was asked. Touches: a port.

As the real ones: a token that may not write is refused (403), so is a text that is too long (422); comments come in
pages; who asks is known by the token.
"""

from __future__ import annotations

import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

LARGEST = 65_536
US = "github-actions[bot]"
_LIST = re.compile(r"/repos/[\w-]+/[\w-]+/issues/(\d+)/comments|/projects/\w+/merge_requests/(\d+)/notes")
_ONE = re.compile(r"/repos/[\w-]+/[\w-]+/issues/comments/(\d+)|/projects/\w+/merge_requests/\d+/notes/(\d+)")


class Comments:
    """`tokens` are those that may write, each with whom it belongs to."""

    def __init__(self, **tokens: str) -> None:
        self.tokens = tokens or {"ghs_token": US}
        self.kept: list[dict[str, Any]] = []
        self.asked: list[tuple[str, str]] = []
        self.broken = False
        comments = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                comments.answer(self)

            do_POST = do_PATCH = do_PUT = do_DELETE = do_GET  # noqa: N815 - as above

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def add(self, body: str, by: str = US, issue: str = "1") -> dict[str, Any]:
        """A comment that somebody wrote."""
        comment = {"id": 1000 + len(self.kept), "issue": issue, "body": body}
        self.kept.append({**comment, "user": {"login": by}, "author": {"id": by}})
        return self.kept[-1]

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path)
        self.asked.append((request.command, path.path))
        length = int(request.headers.get("Content-Length") or 0)
        body = json.loads(request.rfile.read(length) or b"null")
        token = (request.headers.get("Authorization") or "").removeprefix("Bearer ")
        token = token or request.headers.get("PRIVATE-TOKEN") or ""
        who = self.tokens.get(token)
        status, found = self._found(request.command, path.path, parse_qs(path.query), body, who)
        if who is None:
            found["token"] = token  # what a careless forge would say
        data = b"" if found is None else json.dumps(found).encode()
        request.send_response(status)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)

    def _found(
        self, method: str, path: str, query: dict[str, list[str]], body: Any, who: str | None
    ) -> tuple[int, Any]:
        issue, one = _LIST.fullmatch(path), _ONE.fullmatch(path)
        if self.broken:
            found: tuple[int, Any] = 502, {"message": "##[error]bad gateway"}
        elif who is None:
            found = 403, {"message": "Resource not accessible by integration"}
        elif path in {"/graphql", "/user"}:
            found = 200, {"data": {"viewer": {"login": who}}, "id": who}
        elif body is not None and len(body["body"]) > LARGEST:
            found = 422, {"message": "Validation Failed"}
        elif issue and method == "GET":
            found = 200, self._page(issue[1] or issue[2], int(query["page"][0]), int(query["per_page"][0]))
        elif issue:
            found = 201, self.add(body["body"], who, issue[1] or issue[2])
        else:
            assert one is not None, path
            found = self._change(one[1] or one[2], method, body, who)
        return found

    def _page(self, issue: str, page: int, size: int) -> list[dict[str, Any]]:
        listed = [one for one in self.kept if one["issue"] == issue]
        return listed[(page - 1) * size : page * size]

    def _change(self, number: str, method: str, body: Any, who: str) -> tuple[int, Any]:
        (comment,) = (kept for kept in self.kept if str(kept["id"]) == number)
        if comment["user"]["login"] != who:
            return 403, {"message": "not yours"}
        if method == "DELETE":
            self.kept.remove(comment)
            return 204, None
        comment["body"] = body["body"]
        return 200, comment
