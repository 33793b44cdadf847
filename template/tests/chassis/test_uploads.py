"""Files go to S3 and not through the API; what arrives is what was announced, and nobody else gets at it."""

import hashlib
import os
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient, Response
from pydantic import ValidationError
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.settings import load
from app.chassis.uploads import cleaning
from app.chassis.uploads.models import Upload, UploadRemoval
from app.chassis.uploads.settings import UploadsSettings
from app.chassis.uploads.storage import PREFIX, StorageUnavailable, base64, connected
from app.settings import Settings
from app.uploads import MAX_BYTES
from tests.chassis.process import serving

CONTENT = b"%PDF-1.7 what somebody entrusts to us"


class Bucket:
    """The bucket, as its owner sees it."""

    def __init__(self) -> None:
        self.name = os.environ["UPLOADS_BUCKET"]
        self.client = boto3.client(
            "s3", endpoint_url=os.environ["UPLOADS_ENDPOINT"], region_name=os.environ["UPLOADS_REGION"]
        )
        self.files()  # the first question takes longer than the service would wait

    def files(self) -> set[str]:
        """Return the ids of the files that can be read."""
        found = self.client.list_objects_v2(Bucket=self.name).get("Contents", [])
        return {each["Key"].removeprefix(PREFIX) for each in found}

    def versions(self, upload_id: str) -> int:
        """Return how many versions of a file there are, those that cannot be read included."""
        found = self.client.list_object_versions(Bucket=self.name, Prefix=PREFIX + upload_id)
        return len(found.get("Versions", []))


@pytest.fixture(scope="module", autouse=True)
def bucket() -> Bucket:
    """The bucket."""
    return Bucket()


@pytest.fixture
async def sender() -> AsyncIterator[AsyncClient]:
    """Whoever talks to S3, without any credentials."""
    async with AsyncClient(timeout=30) as each:
        yield each


def announcement(content: bytes = CONTENT, **other: Any) -> dict[str, Any]:
    """Return what is said of a file to come."""
    digest = hashlib.sha256(content).hexdigest()
    return {"name": "Rechnung 7.pdf", "content_type": "application/pdf", "size": len(content), "sha256": digest} | other


async def announced(client: AsyncClient) -> dict[str, Any]:
    """Announce the file, and return what was answered."""
    answer = await client.post("/uploads", json=announcement())
    assert answer.status_code == HTTPStatus.CREATED, answer.text
    assert answer.headers["location"] == f"/uploads/{answer.json()['id']}"
    found: dict[str, Any] = answer.json()
    return found


async def send(sender: AsyncClient, upload: dict[str, Any], content: bytes = CONTENT, **headers: str) -> Response:
    """Send it as was said, or with other headers."""
    how = upload["send"]
    return await sender.request(how["method"], how["url"], content=content, headers=how["headers"] | headers)


async def stored(client: AsyncClient, sender: AsyncClient) -> str:
    """Upload the file, and return its path."""
    upload = await announced(client)
    assert (await send(sender, upload)).status_code == HTTPStatus.OK
    path = f"/uploads/{upload['id']}"
    answer = await client.post(f"{path}/complete")
    assert answer.status_code == HTTPStatus.OK, answer.text
    return path


async def test_a_file_arrives_and_is_read_again(client: AsyncClient, sender: AsyncClient) -> None:
    upload = await announced(client)
    path = f"/uploads/{upload['id']}"
    assert (await send(sender, upload)).status_code == HTTPStatus.OK
    assert (await client.get(path)).json()["download"] is None, "nobody has looked yet at what arrived"

    completed = await client.post(f"{path}/complete")
    again = await client.post(f"{path}/complete")
    assert completed.status_code == again.status_code == HTTPStatus.OK
    assert completed.json()["stored_at"] == again.json()["stored_at"]

    download = (await client.get(path)).json()["download"]
    answer = await sender.request(download["method"], download["url"], headers=download["headers"])
    assert answer.content == CONTENT
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''Rechnung%207.pdf"


@pytest.mark.row("security.size")
@pytest.mark.parametrize(
    "wrong",
    [
        {"size": MAX_BYTES + 1},
        {"size": 0},
        {"size": True},
        {"content_type": "text/html"},
        {"sha256": "0"},
        {"name": ""},
        {"name": "a\r\nSet-Cookie: b"},
        {"owner": "somebody else"},
    ],
    ids=str,
)
async def test_what_may_not_be_uploaded_is_refused_before_anything_is_sent(
    client: AsyncClient, wrong: dict[str, Any]
) -> None:
    assert (await client.post("/uploads", json=announcement(**wrong))).status_code == HTTPStatus.UNPROCESSABLE_ENTITY


@pytest.mark.row("security.size")
@pytest.mark.parametrize(
    ("content", "headers"),
    [
        (CONTENT + b"and more", {}),
        (CONTENT[:-1], {}),
        (CONTENT[::-1], {}),
        (CONTENT[::-1], {"x-amz-checksum-sha256": base64(hashlib.sha256(CONTENT[::-1]).hexdigest())}),
        (CONTENT, {"content-type": "text/html"}),
    ],
    ids=["longer", "shorter", "other bytes", "other bytes with their checksum", "other type"],
)
async def test_s3_takes_nothing_but_what_was_announced(
    client: AsyncClient, sender: AsyncClient, bucket: Bucket, content: bytes, headers: dict[str, str]
) -> None:
    """As the loopback S3 of dev/storage.py checks it, by AWS's own rules."""
    upload = await announced(client)
    assert (await send(sender, upload, content, **headers)).is_client_error
    assert upload["id"] not in bucket.files()


@pytest.mark.row("security.size")
async def test_an_address_lasts_for_minutes_and_whoever_changes_it_has_none(
    client: AsyncClient, sender: AsyncClient
) -> None:
    upload = await announced(client)
    (seconds,) = parse_qs(urlsplit(upload["send"]["url"]).query)["X-Amz-Expires"]
    assert 0 < int(seconds) <= 15 * 60
    upload["send"]["url"] = upload["send"]["url"].replace(f"Expires={seconds}", "Expires=604800")
    assert (await send(sender, upload)).status_code == HTTPStatus.FORBIDDEN

    download = (await client.get(await stored(client, sender))).json()["download"]
    (seconds,) = parse_qs(urlsplit(download["url"]).query)["X-Amz-Expires"]
    assert 0 < int(seconds) <= 5 * 60


@pytest.mark.row("security.size")
@pytest.mark.parametrize(
    "content", [None, CONTENT + b"and more", CONTENT[::-1]], ids=["nothing", "more", "other bytes"]
)
async def test_what_did_not_arrive_as_announced_does_not_count(
    client: AsyncClient, bucket: Bucket, content: bytes | None
) -> None:
    upload = await announced(client)
    if content is not None:  # past the signature, as nobody can
        key = PREFIX + upload["id"]
        bucket.client.put_object(Bucket=bucket.name, Key=key, Body=content, ChecksumAlgorithm="SHA256")
    answer = await client.post(f"/uploads/{upload['id']}/complete")
    assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.CONFLICT, "upload_not_received")
    assert (await client.get(f"/uploads/{upload['id']}")).json()["stored_at"] is None


@pytest.mark.row("security.authz")
async def test_a_file_is_its_owners(client: AsyncClient, sender: AsyncClient, app: FastAPI) -> None:
    path = await stored(client, sender)
    async with AsyncSession(app.state.engine) as session, session.begin():
        await session.execute(update(Upload).values(owner="somebody else"))
    for method, each in (("GET", path), ("POST", f"{path}/complete"), ("DELETE", path)):
        answer = await client.request(method, each)
        assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.NOT_FOUND, "upload_not_found"), each
    async with AsyncSession(app.state.engine) as session:
        assert await session.get(Upload, path.rpartition("/")[2])


async def test_a_deleted_file_goes_once_nobody_can_send_it_again(
    client: AsyncClient, sender: AsyncClient, app: FastAPI, bucket: Bucket
) -> None:
    path = await stored(client, sender)
    upload_id = path.rpartition("/")[2]
    assert (await client.delete(path)).status_code == HTTPStatus.NO_CONTENT
    assert (await client.get(path)).status_code == HTTPStatus.NOT_FOUND
    assert (await client.delete(path)).status_code == HTTPStatus.NOT_FOUND

    await cleaning.clean(app.state.engine, app.state.storage)
    assert upload_id in bucket.files(), "somebody may be sending it"
    await expire(app)
    await cleaning.clean(app.state.engine, app.state.storage)
    assert upload_id not in bucket.files()
    assert bucket.versions(upload_id) == 1, "for whoever needs it back: the bucket's lifecycle ends that"
    assert await left(app) == 0


async def expire(app: FastAPI) -> None:
    """Let the addresses expire."""
    async with AsyncSession(app.state.engine) as session, session.begin():
        await session.execute(update(UploadRemoval).values(due_at=datetime.now(UTC)))


async def left(app: FastAPI) -> int | None:
    """Return how many files are to be removed still."""
    async with AsyncSession(app.state.engine) as session:
        return await session.scalar(select(func.count()).select_from(UploadRemoval))


async def test_whoever_deletes_a_row_its_file_goes_as_well(
    client: AsyncClient, sender: AsyncClient, app: FastAPI, bucket: Bucket
) -> None:
    upload_id = (await stored(client, sender)).rpartition("/")[2]
    async with app.state.engine.begin() as connection:
        await connection.execute(text("DELETE FROM uploads"))
    await expire(app)
    await cleaning.clean(app.state.engine, app.state.storage)
    assert upload_id not in bucket.files()


async def test_what_is_never_completed_is_forgotten(
    client: AsyncClient, sender: AsyncClient, app: FastAPI, bucket: Bucket
) -> None:
    kept = (await stored(client, sender)).rpartition("/")[2]
    late, young = await announced(client), await announced(client)
    await send(sender, late)
    async with AsyncSession(app.state.engine) as session, session.begin():
        old = {"created_at": datetime.now(UTC) - cleaning.PATIENCE, "send_until": datetime.now(UTC)}
        await session.execute(update(Upload).where(Upload.id != young["id"]).values(old))
    await cleaning.clean(app.state.engine, app.state.storage)
    await expire(app)
    await cleaning.clean(app.state.engine, app.state.storage)
    async with AsyncSession(app.state.engine) as session:
        assert {str(each) for each in await session.scalars(select(Upload.id))} == {kept, young["id"]}
    assert late["id"] not in bucket.files()
    assert kept in bucket.files()


async def test_without_storage_the_service_says_so_and_loses_nothing(
    client: AsyncClient, sender: AsyncClient, app: FastAPI, authorization_headers: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    path, upload = await stored(client, sender), await announced(client)
    monkeypatch.setenv("UPLOADS_ENDPOINT", "http://127.0.0.1:1")
    async with serving(load(Settings)) as alone, connected(load(Settings)) as nowhere:
        alone.headers.update(authorization_headers)
        answer = await alone.post(f"/uploads/{upload['id']}/complete")
        assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "storage_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert (await alone.delete(path)).status_code == HTTPStatus.NO_CONTENT
        await expire(app)
        with pytest.raises(StorageUnavailable):
            await cleaning.clean(app.state.engine, nowhere)
        assert await left(app) == 1, "for the next turn"


@pytest.mark.row("tls.everywhere")
@pytest.mark.parametrize(
    ("endpoint", "begins"),
    [
        ("aws", "https://uploads.s3.eu-central-1.amazonaws.com/uploads/"),
        ("https://s3.example.com", "https://s3.example.com/uploads/uploads/"),
    ],
)
async def test_outside_development_files_travel_by_tls(endpoint: str, begins: str) -> None:
    settings = UploadsSettings(
        uploads_bucket="uploads", uploads_region="eu-central-1", uploads_endpoint=endpoint
    )  # without an environment that says otherwise
    announced = Upload(id=uuid.uuid4(), send_until=datetime.now(UTC) + timedelta(minutes=1), **announcement())
    async with connected(settings) as storage:
        assert (await storage.to_send(announced)).url.startswith(begins)


@pytest.mark.row("tls.everywhere")
@pytest.mark.parametrize("endpoint", ["http://s3.example.com", "s3.example.com", "https://key@s3.example.com"])
def test_another_endpoint_is_refused(endpoint: str) -> None:
    with pytest.raises(ValidationError, match="uploads_endpoint"):
        UploadsSettings(uploads_bucket="uploads", uploads_region="eu-central-1", uploads_endpoint=endpoint)
