"""What nobody has signed is not deployed: nothing is touched before it is known where an image comes from."""

import pytest

from ops import deploy
from ops.outcome import Outcome
from ops.provenance import SIGNED
from tests.ops.cloud import REPOSITORY, Cloud
from tests.ops.programs import Programs
from tests.ops.test_deploy import CHANGES

pytestmark = pytest.mark.row("supply.provenance")

BUILD, BILL = SIGNED.values()
ELSEWHERE = f"{REPOSITORY}/.github/workflows/other.yml"


@pytest.fixture
def image(cloud: Cloud) -> str:
    """One that is in the registry, and that nobody has signed."""
    cloud.serve("old")
    digest = cloud.push("new")
    cloud.signed.write_text("")
    cloud.calls.clear()
    return digest


def is_refused(cloud: Cloud, image: str) -> bool:
    outcome = cloud.run(deploy.deploy, digest=image)
    return outcome is Outcome.REFUSED and not [name for name in cloud.calls if name.startswith(CHANGES)]


def test_one_that_is_signed_serves(cloud: Cloud, image: str, programs: Programs) -> None:
    for predicate in SIGNED.values():
        cloud.sign(image, predicate)
    assert cloud.run(deploy.deploy, digest=image) is Outcome.DONE
    assert len(programs.calls("gh")) == 2


@pytest.mark.parametrize("lacking", SIGNED)
def test_one_that_lacks_a_signature(cloud: Cloud, image: str, lacking: str, capsys: pytest.CaptureFixture[str]) -> None:
    for what, predicate in SIGNED.items():
        if what != lacking:
            cloud.sign(image, predicate)
    assert is_refused(cloud, image)
    said = capsys.readouterr().err
    assert f"has not signed its {lacking}" in said
    assert said.splitlines()[-1] == "Nothing was changed."


@pytest.mark.parametrize(
    ("workflow", "ref"),
    [(ELSEWHERE, "refs/heads/main"), (f"{REPOSITORY}/.github/workflows/deploy.yml", "refs/heads/feature")],
    ids=["by another workflow", "of another branch"],
)
def test_one_that_was_signed_elsewhere(cloud: Cloud, image: str, workflow: str, ref: str) -> None:
    for predicate in SIGNED.values():
        cloud.sign(image, predicate, workflow, ref)
    assert is_refused(cloud, image)


def test_what_is_something_else_than_its_digest(cloud: Cloud, image: str, capsys: pytest.CaptureFixture[str]) -> None:
    for predicate in SIGNED.values():
        cloud.sign(image, predicate)
    for stored in cloud.registry.images:
        stored.image_manifest += " "
    assert is_refused(cloud, image)
    assert "is something else" in capsys.readouterr().err


def test_nobody_can_be_asked(cloud: Cloud, image: str, programs: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    programs.add("gh", "echo 'error connecting to api.github.com' >&2; exit 1")
    assert is_refused(cloud, image)
    assert "error connecting" in capsys.readouterr().err


def test_there_is_no_gh(
    cloud: Cloud, image: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert is_refused(cloud, image)
    assert "gh was not found: https://cli.github.com" in capsys.readouterr().err
