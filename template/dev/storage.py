"""An S3 of development and tests: moto's, behind what S3 checks and moto does not. It forgets everything at its end.

It refuses what S3 refuses: an address that has expired, or whose signature is of something else (another length, type
or checksum), and bytes with another checksum than they say. moto takes seconds to load, and does so when first asked.
"""

import base64
import contextlib
import functools
import hashlib
import hmac
import io
import os
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

from werkzeug.serving import WSGIRequestHandler, make_server

CREDENTIALS = {"AWS_ACCESS_KEY_ID": "development", "AWS_SECRET_ACCESS_KEY": "development"}
CHECKSUM = "HTTP_X_AMZ_CHECKSUM_SHA256"


@contextlib.contextmanager
def development() -> Iterator[None]:
    """Set UPLOADS_ENDPOINT to an S3 with the bucket that is wanted, unless it names one."""
    if urlsplit(os.environ["UPLOADS_ENDPOINT"]).port != 0:
        yield
        return
    before = {name: os.environ.get(name) for name in ("UPLOADS_ENDPOINT", *CREDENTIALS)}
    with running(os.environ["UPLOADS_BUCKET"]) as url:
        os.environ |= CREDENTIALS | {"UPLOADS_ENDPOINT": url}
        try:
            yield
        finally:
            for name, value in before.items():
                os.environ.pop(name)
                if value is not None:
                    os.environ[name] = value


@contextlib.contextmanager
def running(bucket: str) -> Iterator[str]:
    """Serve an S3 with an empty, versioned bucket. Yields its address."""
    server = make_server("127.0.0.1", 0, _Storage(bucket), threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None:
        """Be quiet."""


class _Storage:
    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.loading = threading.Lock()

    @functools.cached_property
    def moto(self) -> Any:
        from moto.backends import get_backend  # noqa: PLC0415 (takes seconds)
        from moto.core.models import DEFAULT_ACCOUNT_ID  # noqa: PLC0415
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app  # noqa: PLC0415

        backend = get_backend("s3")[DEFAULT_ACCOUNT_ID]["aws"]
        backend.create_bucket(self.bucket, os.environ["UPLOADS_REGION"])
        backend.put_bucket_versioning(self.bucket, "Enabled")
        return DomainDispatcherApplication(create_backend_app)

    def __call__(self, request: dict[str, Any], start_response: Any) -> Any:
        with self.loading:
            moto = self.moto
        if wrong := self.wrong(request):
            start_response("403 Forbidden" if wrong != "BadDigest" else "400 Bad Request", [])
            return [f"<Error><Code>{wrong}</Code></Error>".encode()]
        return moto(request, start_response)

    def wrong(self, request: dict[str, Any]) -> str | None:
        """Return S3's word for what it refuses, or None."""
        query = parse_qs(request["QUERY_STRING"])
        if "X-Amz-Signature" not in query:
            return None if "HTTP_AUTHORIZATION" in request else "AccessDenied"
        signed_at = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if signed_at + timedelta(seconds=int(query["X-Amz-Expires"][0])) < datetime.now(UTC):
            return "AccessDenied"
        if query["X-Amz-Signature"] != [_signature(request, query)]:
            return "SignatureDoesNotMatch"
        if checksum := request.get(CHECKSUM):
            body = request["wsgi.input"].read(int(request["CONTENT_LENGTH"]))
            request["wsgi.input"] = io.BytesIO(body)
            request["HTTP_X_AMZ_SDK_CHECKSUM_ALGORITHM"] = "SHA256"  # or moto forgets it
            if base64.b64encode(hashlib.sha256(body).digest()).decode() != checksum:
                return "BadDigest"
        return None


def _signature(request: dict[str, Any], query: dict[str, list[str]]) -> str:
    """Sign the request as it is (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html)."""
    path, _, parameters = request["REQUEST_URI"].partition("?")
    names = query["X-Amz-SignedHeaders"][0].split(";")
    headers = [f"{name}:{_header(request, name)}\n" for name in names]
    others = sorted(each for each in parameters.split("&") if not each.startswith("X-Amz-Signature="))
    asked = [request["REQUEST_METHOD"], path, "&".join(others), "".join(headers), ";".join(names), "UNSIGNED-PAYLOAD"]
    scope = query["X-Amz-Credential"][0].split("/")[1:]
    digest = hashlib.sha256("\n".join(asked).encode()).hexdigest()
    key = functools.reduce(
        lambda key, part: hmac.digest(key, part.encode(), "sha256"),
        scope,
        f"AWS4{CREDENTIALS['AWS_SECRET_ACCESS_KEY']}".encode(),
    )
    return hmac.new(
        key, "\n".join(["AWS4-HMAC-SHA256", query["X-Amz-Date"][0], "/".join(scope), digest]).encode(), "sha256"
    ).hexdigest()


def _header(request: dict[str, Any], name: str) -> str:
    variable = name.upper().replace("-", "_")
    value = request.get(variable) if name in {"content-type", "content-length"} else request.get(f"HTTP_{variable}")
    return str(value or "").strip()
