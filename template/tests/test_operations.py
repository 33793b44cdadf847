"""What people follow at night is there, has one form, and names only what exists."""

import dataclasses
import importlib.util
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from dev.environment import PROJECT

DOCS = PROJECT / "docs"
DOCUMENTS = sorted({*DOCS.rglob("*.md"), *PROJECT.glob("[!.]*/*.md"), *PROJECT.glob(".github/*.md")})
RUNBOOK = (DOCS / "runbook.md").read_text(encoding="utf-8")
DIAGRAM = re.findall(r"```mermaid\n(.*?)```", (DOCS / "architecture.md").read_text(encoding="utf-8"), re.DOTALL)
FORMS = PROJECT / ".github/ISSUE_TEMPLATE"
MAKEFILES = [PROJECT / "Makefile", PROJECT / "Makefile.local", *PROJECT.glob("dev/*.mk")]


def entries() -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each entry of the runbook."""
    for section in re.split(r"^## .*", RUNBOOK, flags=re.MULTILINE)[1:]:
        for entry in section.split("\n### ")[1:]:
            name, _, text = entry.partition("\n")
            yield name, text


def exists(module: str) -> bool:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return False
    return spec is not None and spec.origin is not None  # else a folder that only __pycache__ is left of


@pytest.mark.row("ops.runbook")
def test_the_runbook_begins_with_what_is_needed_first() -> None:
    first = re.findall(r"^- \*\*(.+?)\*\*", RUNBOOK, re.MULTILINE)[:3]
    assert first == ["Roll back", "Check", "Owner"]
    assert RUNBOOK.index("- **Roll back**") < RUNBOOK.index("\n## ")


@pytest.mark.row("ops.runbook")
def test_every_entry_says_how_to_look_what_to_do_and_when_it_is_over() -> None:
    names = [name for name, _ in entries()]
    assert len(names) == len(set(names)) > 5
    for name, text in entries():
        assert re.search(r"^```sh\n\S.*?^```", text, re.MULTILINE | re.DOTALL), f"{name}: no first command"
        for part in ("Tell", "Do", "Over"):
            assert f"**{part}**" in text, f"{name}: nothing under {part}"


@pytest.mark.row("ops.runbook")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(PROJECT).as_posix())
def test_commands_and_links_lead_somewhere(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    makefiles = "".join(path.read_text(encoding="utf-8") for path in MAKEFILES if path.exists())
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefiles, re.MULTILINE))
    assert set(re.findall(r"(?:^|`)make ([a-z][a-z-]*)", text, re.MULTILINE)) <= targets
    assert [each for each in re.findall(r"python -m ([\w.]+\w)", text) if not exists(each)] == []
    headings = {heading.lower() for heading in re.findall(r"^#+ (.+)", text, re.MULTILINE)}
    assert set(re.findall(r"\]\(#([^)]+)\)", text)) <= headings


@pytest.mark.row("ops.runbook")
def test_nobody_is_sent_to_the_development_database() -> None:
    """`make flag` and its like act on this machine: during an incident they would change nothing, and seem to."""
    recipes = "".join(path.read_text(encoding="utf-8") for path in MAKEFILES if path.exists())
    here = set(re.findall(r"^([a-z-]+):.*\n(?:\t.*\n)*?\t.*-m dev\.(?:flags|jobs) ", recipes, re.MULTILINE))
    night = [path for path in DOCUMENTS if path.stem in {"runbook", "on-call", "one-page"} or "incidents" in path.parts]
    assert here
    told = {each: set(re.findall(r"`make ([a-z-]+)", each.read_text(encoding="utf-8"))) for each in night}
    assert {each.name: targets & here for each, targets in told.items() if targets & here} == {}


@pytest.mark.row("ops.architecture")
def test_the_diagram_shows_what_is_there() -> None:
    assert len(DIAGRAM) == 1
    shown = set(re.findall(r'^ *(\w+)(?:\["|\("|\[\(")', DIAGRAM[0], re.MULTILINE))
    there = {
        "api": True,
        "database": True,
        "worker": exists("app.worker"),
        "cache": exists("app.chassis.data.cache"),
        "files": exists("app.chassis.uploads"),
        "issuer": exists("app.chassis.security.oidc"),
        "edge": (PROJECT / "infra").exists(),
    }
    assert {name for name in there if name in shown} == {name for name, is_there in there.items() if is_there}
    if exists("app.upstreams"):
        upstreams = importlib.import_module("app.upstreams").Upstreams
        assert {field.name for field in dataclasses.fields(upstreams)} <= shown


@pytest.mark.row("ops.incident")
def test_an_incident_has_severities_roles_messages_and_forms() -> None:
    guide = (DOCS / "incidents/README.md").read_text(encoding="utf-8")
    severities = re.findall(r"^\| \*\*(S\d)\*\*", guide, re.MULTILINE)
    assert severities == ["S1", "S2", "S3", "S4"]
    assert re.findall(r"^- \*\*(\w+)\*\*:", guide, re.MULTILINE) == ["Lead", "Hands", "Voice"]
    form = yaml.safe_load((FORMS / "incident.yml").read_text(encoding="utf-8"))
    offered = [field["attributes"]["options"] for field in form["body"] if field.get("id") == "severity"]
    assert [option[:2] for option in offered[0]] == severities
    assert yaml.safe_load((FORMS / "post-mortem.yml").read_text(encoding="utf-8"))["body"]
    messages = (DOCS / "incidents/messages.md").read_text(encoding="utf-8")
    assert {"To users: the first", "To users: it is over", "To management"} <= set(re.findall(r"## (.+)", messages))
    assert "## Time line" in (DOCS / "incidents/post-mortem.md").read_text(encoding="utf-8")


@pytest.mark.row("ops.on-call")
def test_somebody_is_called_and_somebody_after_them() -> None:
    text = (DOCS / "on-call.md").read_text(encoding="utf-8")
    steps = re.findall(r"^- \*\*(.+?)\*\*", text, re.MULTILINE)
    assert len(steps) == 3
    assert re.search(r"^- \*\*First\*\*.*<[^ @]+@[^ @]+>", text, re.MULTILINE | re.DOTALL)
    identity = PROJECT / "infra/identity.json"
    if identity.exists():
        assert json.loads(identity.read_text(encoding="utf-8"))["on_call_email"] in text
    assert "## Hand-over" in text
