"""What people are told is served, says what the service does, and is a draft until somebody vouches for it."""

import shutil
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from app.chassis.legal import tables, texts
from app.chassis.privacy import inventory
from app.chassis.privacy.annotations import words
from app.processors import PROCESSORS
from dev.environment import PROJECT
from dev.readiness import catalogue, documents

TODAY = datetime.now(UTC).date()
ROW = "law.privacy"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the image has of it, with nobody's word."""
    shutil.copytree(PROJECT / "legal", tmp_path / "legal")
    return tmp_path


def vouch(project: Path, *names: str, days: int = 1) -> None:
    read = {name: texts.read(project)[name].fingerprint for name in names}
    lines = [f'reviewed."legal/{name}.md" = "{fingerprint}"' for name, fingerprint in read.items()]
    (project / "readiness").mkdir(exist_ok=True)
    (project / texts.ATTESTATIONS).write_text(
        "\n".join(
            [
                "[law.privacy]",
                f"on = {TODAY - timedelta(1)}",
                f"until = {TODAY - timedelta(1) + timedelta(days)}",
                *lines,
            ]
        )
    )


@pytest.mark.row(ROW)
async def test_everybody_can_read_them(app: FastAPI) -> None:
    async with AsyncClient(transport=ASGITransport(app), base_url="http://localhost") as nobody:
        overview = (await nobody.get("/legal")).json()
        assert overview.keys() == set(texts.FILES)
        for each in overview.values():
            answer = await nobody.get(each["path"])
            assert answer.status_code == HTTPStatus.OK
            assert answer.headers["Content-Type"] == "text/markdown; charset=utf-8"
            assert f"Version {each['version']}." in answer.text
            assert "<!--" not in answer.text
        assert (await nobody.get("/legal/nothing")).status_code == HTTPStatus.NOT_FOUND


@pytest.mark.row(ROW)
def test_the_notice_says_what_the_service_does(project: Path) -> None:
    notice = texts.read(project)["privacy"].markdown()
    data = inventory.read()
    for activity in data.activities:
        assert f"| {activity.purpose} | {activity.subjects} | " in notice
        assert words(activity.kept) in notice
        for category in data.categories(activity):
            assert category in notice
    for processor in PROCESSORS:
        assert f"| {processor.name} |" in notice


@pytest.mark.row(ROW)
def test_a_text_is_a_draft_until_somebody_vouches_for_it_as_it_is(project: Path) -> None:
    assert "Draft for counsel" in texts.read(project)["terms"].markdown()
    vouch(project, "terms", days=2)
    read = texts.read(project)
    assert read["terms"].version == f"{TODAY - timedelta(1)}-{read['terms'].fingerprint}"
    assert "Draft" not in read["terms"].markdown().partition("\n")[2].partition("\n")[2].partition("\n")[0]
    assert read["privacy"].is_draft
    vouch(project, "terms", days=0)
    assert texts.read(project)["terms"].is_draft
    vouch(project, "terms", "privacy", days=2)
    (project / "legal/privacy.md").write_text("# Privacy\n\nWe sell everything.\n")
    assert texts.read(project)["terms"].is_draft


@pytest.mark.row(ROW)
def test_readiness_asks_for_a_review_of_what_is_served() -> None:
    row = catalogue.load()[ROW]
    assert row.reviewed
    served = texts.read(PROJECT)
    assert {f"legal/{name}.md" for name in served} < set(row.documents)
    assert {name: text.fingerprint for name, text in served.items()} == {
        name: documents.fingerprint(f"legal/{name}.md") for name in served
    }


def test_what_is_missing_stops_the_start(project: Path) -> None:
    (project / "legal/terms.md").unlink()
    with pytest.raises(texts.MissingTextError, match=r"legal/terms\.md is missing"):
        texts.read(project)


def test_a_place_that_nothing_fills_is_refused(project: Path) -> None:
    with pytest.raises(tables.UnknownPlaceError, match="here: cookies"):
        tables.filled("<!-- here: cookies -->", project)


@pytest.mark.row(ROW)
async def test_no_cookie_is_set(app: FastAPI, client: AsyncClient) -> None:
    """The note on cookies says so."""
    served = [f"/legal/{name}" for name in texts.FILES]
    for path in ("/health/live", "/health/ready", "/legal", "/nowhere", *served, *app.openapi()["paths"]):
        answer = await client.get(path)
        assert "set-cookie" not in answer.headers, path


@pytest.mark.row("law.breach")
def test_the_procedure_has_the_clock_and_the_messages() -> None:
    procedure = (PROJECT / "legal/breach.md").read_text(encoding="utf-8")
    for words_ in ("| **72** |", "Art. 33", "## To the authority", "## To the people concerned"):
        assert words_ in procedure
    assert "legal/breach.md" in (PROJECT / "docs/runbook.md").read_text(encoding="utf-8")
    assert "## Risks to people" in (PROJECT / "legal/dpia.md").read_text(encoding="utf-8")
