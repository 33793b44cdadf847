"""Files of somebody who is erased go as well, and an archive says which there are."""

import json
from datetime import timedelta
from http import HTTPStatus

import pytest
from fastapi import FastAPI
from httpx2 import AsyncClient
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.chassis.privacy import holds, inventory, requests
from app.chassis.privacy.export import export
from app.chassis.privacy.requests import Kind
from app.chassis.uploads import cleaning
from app.chassis.uploads.models import Upload
from tests.chassis.test_uploads import Bucket, expire, left, sender, stored

__all__ = ["sender"]


@pytest.mark.row("law.export")
@pytest.mark.row("law.erasure")
async def test_an_erasure_takes_the_files_with_it(
    app: FastAPI,
    client: AsyncClient,
    sender: AsyncClient,
) -> None:
    data = inventory.read()
    if not data.is_begun:
        pytest.skip("no model of this service is annotated yet: docs/privacy.md")
    bucket = Bucket()
    upload_id = (await stored(client, sender)).rpartition("/")[2]
    async with AsyncSession(app.state.engine, expire_on_commit=False) as session, session.begin():
        owner = (await session.execute(select(Upload.owner))).scalar_one()
        archive = json.loads(await export(session, data, owner))["data"]
        assert [(each["id"], each["name"]) for each in archive["uploads"]] == [(upload_id, "Rechnung 7.pdf")]
        erasure = await requests.submit(session, Kind.ERASURE, owner, by="operator")
    assert upload_id in bucket.files()
    async with AsyncSession(app.state.engine) as session, session.begin():
        assert await requests.carry_out(session, erasure.id, timedelta())
    await expire(app)
    await cleaning.clean(app.state.engine, app.state.storage)
    assert upload_id not in bucket.files()
    assert await left(app) == 0


@pytest.mark.row("law.erasure")
async def test_what_is_held_its_owner_cannot_delete(app: FastAPI, client: AsyncClient, sender: AsyncClient) -> None:
    path = await stored(client, sender)
    async with AsyncSession(app.state.engine) as session, session.begin():
        owner = (await session.execute(select(Upload.owner))).scalar_one()
        await holds.place(session, owner, by="dpo", reason="case 7")
    refused = await client.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (HTTPStatus.CONFLICT, "legal_hold")
    async with AsyncSession(app.state.engine) as session, session.begin():
        await holds.lift(session, owner, by="dpo")
    assert (await client.delete(path)).status_code == HTTPStatus.NO_CONTENT
