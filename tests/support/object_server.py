"""An object store that speaks S3, on a port of this machine: moto's, one request after the other.

In: what it is to do wrong. Out: a bucket, the environment that leads there, what lies in it. Touches: a socket.
"""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING, Any
from urllib.request import Request, urlopen

import obstore
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from obstore.store import S3Store
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Self

SECRET = "a-secret-that-nobody-prints"
PREFIX = "autumn"
_BUCKETS = itertools.count(1)  # moto keeps all buckets of a process


class ObjectServer:
    """`before` is called with a request's method, its key and what WSGI knows of it; what it answers is the status."""

    def __init__(self) -> None:
        self.bucket = f"films-{next(_BUCKETS)}"
        self.url = f"s3://{self.bucket}/{PREFIX}"
        self.before: Callable[[str, str, dict[str, Any]], str | None] = lambda *_: None
        self.asked: list[tuple[str, str]] = []
        self._turn = threading.Lock()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True, request_handler=_Quiet)
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    def __enter__(self) -> Self:
        self._thread.start()
        with urlopen(Request(f"{self.endpoint}/{self.bucket}", method="PUT")):
            return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ACCESS_KEY_ID": "somebody",
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
        }

    def store(self, prefix: str | None = PREFIX, **other: str) -> S3Store:
        """As the environment would have it, for who is in this process; `other` bucket or endpoint."""
        return S3Store(
            other.get("bucket", self.bucket),
            prefix=prefix,
            access_key_id="somebody",
            secret_access_key=SECRET,
            region="us-east-1",
            endpoint=other.get("endpoint", self.endpoint),
            client_options={"allow_http": True},
            retry_config={"max_retries": 0},
        )

    def objects(self) -> dict[str, bytes]:
        """All of the bucket, by their whole keys; but not what says that kiejobs is at home here."""
        store = self.store(prefix=None)
        keys = [one["path"] for page in obstore.list(store) for one in page]
        return {k: obstore.get(store, k).bytes().to_bytes() for k in keys if not k.endswith("/.kiejobs")}

    def _answer(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        method, key = environ["REQUEST_METHOD"], environ["PATH_INFO"].partition(f"/{self.bucket}/")[2]
        with self._turn:
            self.asked.append((method, key))
            status = self.before(method, key, environ)
            if status is not None:
                start(status, [("Content-Length", "0")])
                return [b""]
            return list(self._moto(environ, start))


class _Quiet(MotoRequestHandler):
    def log_request(self, *_: object) -> None:
        """What was asked is in `asked`."""
