"""What is written is what a careful person would have written, whatever the answers."""

from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests import services
from tests.answers.questions import GOOD
from tests.render import checks
from tests.services import Answers

PROFILES: dict[str, Answers] = {
    "defaults": {},
    "shortest": {
        "name": "a",
        "description": "a",
        "owner_team": "a",
        "on_call_email": "a@b.co",
        "repository_owner": "a",
        "authentication": "none",
        "features": [],
        "python_version": "3.12",
    },
    "without jobs": {"authentication": "none", "features": ["upstream"], "compliance_level": "personal-data"},
    "longest": {
        "name": "n" * 24,
        "description": "Words " * 16 + "end.",
        "owner_team": "t" * 39,
        "on_call_email": "e" * 64 + "@" + "d" * 63 + ".example.com",
        "repository_owner": "r" * 39,
        "authentication": "api-keys",
        "features": ["jobs", "upstream", "cache", "uploads"],
        "compliance_level": "regulated",
        "cloud": "aws",
        "region": "us-east-1",
        "domain": "d" * 63 + ".example.com",
        "python_version": "3.14",
    },
}


@pytest.fixture(scope="module", params=PROFILES)
def service(request: pytest.FixtureRequest, template: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return services.write(template, tmp_path_factory.mktemp("render") / "my-service", PROFILES[request.param])


@pytest.mark.parametrize("check", checks.ALL)
def test_every_file(service: Path, check: Callable[[Path], list[str]]) -> None:
    assert check(service) == []


def test_every_answer_is_remembered(template: Path, service: Path) -> None:
    answers = yaml.safe_load((service / ".copier-answers.yml").read_text())
    not_asked = {"region", "domain"} if answers["cloud"] == "none" else set()
    assert set(answers) == {"_commit", "_src_path", *services.questions(template)} - not_asked


@pytest.mark.parametrize("question", GOOD)
def test_every_question_changes_something(template: Path, tmp_path: Path, question: str) -> None:
    def content(folder: Path) -> dict[str, str]:
        return {name: text for name, text in checks.files(folder) if name != ".copier-answers.yml"}

    asked: Answers = {"cloud": "aws"} if question in {"region", "domain"} else {}
    default = services.write(template, tmp_path / "one" / "my-service", asked)
    other = services.write(template, tmp_path / "two" / "my-service", {**asked, question: GOOD[question]})
    assert content(default) != content(other)


def test_the_template_asks_for_no_trust(template: Path) -> None:
    config = services.ask(template).template.config_data
    assert not {"tasks", "jinja_extensions", "migrations"} & set(config)
