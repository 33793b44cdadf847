"""S3, for the bytes of files.

An address is signed without asking S3, and what may be sent to it is part of what is signed: length, type and SHA-256.
S3 refuses whatever differs (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html), so that the
same address, used again, can store nothing but the same file.
"""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import quote

import boto3
import structlog
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import Depends, Request
from opentelemetry.trace import SpanKind
from pydantic import BaseModel

from app.chassis.http.errors import Problem
from app.chassis.telemetry import traces
from app.chassis.uploads.models import Upload
from app.chassis.uploads.settings import UploadsSettings

if TYPE_CHECKING:
    from uuid import UUID

    from mypy_boto3_s3 import S3Client

log = structlog.get_logger()

PREFIX = "uploads/"
SENDING = timedelta(minutes=5)
"""How long an address takes a file: the time to begin, not to end."""
READING = timedelta(minutes=1)

CONNECT_SECONDS = 1
READ_SECONDS = 2
ATTEMPTS = 2
THREADS = 10
"""How many requests may wait for S3 at the same time."""


class SignedRequest(BaseModel):
    """A request that its reader may make, to the letter and without any other credentials, until it expires."""

    method: str
    url: str
    headers: dict[str, str]
    expires_at: datetime


class Stored(NamedTuple):
    """What S3 says of a file."""

    size: int
    sha256: str
    """In base64: S3 has compared it with what arrived."""


class StorageUnavailable(Problem):
    """S3 does not do its part: 503."""

    def __init__(self) -> None:
        detail = "Files cannot be stored or read right now. Try again later."
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable", detail, headers={"Retry-After": "5"})


class Storage:
    """The bucket. Everything happens in threads, signing too: it may have to fetch credentials first."""

    def __init__(self, client: "S3Client", bucket: str, threads: ThreadPoolExecutor) -> None:
        self._client = client
        self._bucket = bucket
        self._threads = threads

    async def to_send(self, upload: Upload) -> SignedRequest:
        """Return how the file is sent. Content-Length is signed as well; clients set it by themselves."""
        checksum = base64(upload.sha256)
        asked = {
            "ContentType": upload.content_type, "ContentLength": upload.size, "ChecksumSHA256": checksum,
        }  # fmt: skip
        seconds = (upload.send_until - datetime.now(UTC)).total_seconds()
        url = await self._signed("put_object", upload, seconds, asked)
        headers = {"Content-Type": upload.content_type, "x-amz-checksum-sha256": checksum}
        return SignedRequest(method="PUT", url=url, headers=headers, expires_at=upload.send_until)

    async def to_read(self, upload: Upload) -> SignedRequest:
        """Return how the file is read: to be saved, never shown, whatever is in it."""
        name = quote(upload.name, safe="")
        asked = {
            "ResponseContentType": upload.content_type,
            "ResponseContentDisposition": f"attachment; filename*=UTF-8''{name}",  # RFC 6266
            "ResponseCacheControl": "private, no-store",
        }
        expires_at = datetime.now(UTC) + READING
        url = await self._signed("get_object", upload, READING.total_seconds(), asked)
        return SignedRequest(method="GET", url=url, headers={}, expires_at=expires_at)

    async def find(self, upload: Upload) -> Stored | None:
        """Return what is there, or None. Raises StorageUnavailable."""
        question = partial(self._client.head_object, Bucket=self._bucket, Key=key(upload.id), ChecksumMode="ENABLED")
        with traces.span("HEAD s3", SpanKind.CLIENT):
            try:
                found = await self._ask(question)
            except ClientError:
                return None
        return Stored(found["ContentLength"], found.get("ChecksumSHA256", ""))

    async def remove(self, ids: "Sequence[UUID]") -> None:
        """Remove these files, up to 1000. What was never there is removed as well. Raises StorageUnavailable."""
        objects: Any = [{"Key": key(each)} for each in ids]
        asked: Any = {"Objects": objects, "Quiet": True}
        with traces.span("DELETE s3", SpanKind.CLIENT):
            answer = await self._ask(partial(self._client.delete_objects, Bucket=self._bucket, Delete=asked))
        if refused := answer.get("Errors"):
            log.warning("files cannot be removed", count=len(refused), reason=refused[0].get("Code"))
            raise StorageUnavailable

    async def _signed(self, method: str, upload: Upload, seconds: float, asked: dict[str, Any]) -> str:
        parameters = {"Bucket": self._bucket, "Key": key(upload.id)} | asked
        return await self._ask(
            partial(self._client.generate_presigned_url, method, Params=parameters, ExpiresIn=int(seconds))
        )

    async def _ask[Answer](self, question: Callable[[], Answer]) -> Answer:
        """Return the answer. Raises ClientError where there is no such file, and else StorageUnavailable."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, question)
        except ClientError as error:
            if error.response["ResponseMetadata"]["HTTPStatusCode"] == HTTPStatus.NOT_FOUND:
                raise
            reason = error.response["Error"].get("Code", "unknown")
        except BotoCoreError as error:
            reason = type(error).__name__
        log.warning("storage is unavailable", reason=reason)
        raise StorageUnavailable


def key(upload_id: "UUID") -> str:
    """Return where a file is: its name is nobody's to read there."""
    return f"{PREFIX}{upload_id}"


def base64(sha256: str) -> str:
    """Return a digest as S3 writes it."""
    return b64encode(bytes.fromhex(sha256)).decode()


@asynccontextmanager
async def connected(settings: UploadsSettings) -> AsyncIterator[Storage]:
    """Yield the bucket. The client connects on first use."""
    client = boto3.client(
        "s3",
        region_name=settings.uploads_region,
        endpoint_url=settings.uploads_endpoint or None,
        config=Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            max_pool_connections=THREADS,
            retries={"total_max_attempts": ATTEMPTS, "mode": "standard"},
            s3={"addressing_style": "path" if settings.uploads_endpoint else "virtual"},
        ),
    )
    threads = ThreadPoolExecutor(THREADS, "storage")
    try:
        yield Storage(client, settings.uploads_bucket, threads)
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
        client.close()


async def _storage(request: Request) -> Storage:
    storage: Storage = request.app.state.storage
    return storage


Files = Annotated[Storage, Depends(_storage)]
"""Ask for it in a route."""
