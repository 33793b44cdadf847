"""An image goes into the registry once, and its digest is what the registry has, not what anybody says."""

import hashlib
import json
from pathlib import Path

import pytest

from app.identity import NAME
from ops import issue, publish
from ops.outcome import Outcome
from tests.ops.cloud import MANIFEST, REGISTRY, Cloud
from tests.ops.programs import Programs

DOCKER = 'case "$1 $2" in "image inspect") cat "$0.answer" ;; login*) cat > "$0.password" ;; esac\n'
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": f"sha256:{'1' * 64}", "size": 1}
IMAGE = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": LAYER, "layers": [LAYER]})
DIGEST = f"sha256:{hashlib.sha256(IMAGE.encode()).hexdigest()}"

pytestmark = pytest.mark.row("deliver.once")


@pytest.fixture
def docker(cloud: Cloud, programs: Programs) -> Programs:
    """One whose push has brought an image into the registry."""
    programs.add("docker", DOCKER)
    programs.answer("docker", json.dumps([{"RepoDigests": [f"{REGISTRY}@{DIGEST}"]}]))
    cloud.aws.ecr.put_image(repositoryName=NAME, imageManifest=IMAGE, imageTag="commit-1", imageDigest=DIGEST)
    return programs


def test_it_is_pushed_and_its_digest_is_put_out(
    cloud: Cloud,
    docker: Programs,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    assert publish.main(["built", "commit-1"], cloud.aws) is Outcome.DONE
    assert (tmp_path / "output").read_text() == f"digest={DIGEST}\n"
    assert capsys.readouterr().out == f"{DIGEST}\n"
    registry = REGISTRY.removesuffix(f"/{NAME}")
    assert docker.calls("docker") == [
        f"login --username AWS --password-stdin {registry}",
        f"tag built {REGISTRY}:commit-1",
        f"push --quiet {REGISTRY}:commit-1",
        f"logout {registry}",
        "image inspect built",
    ]
    # On no command line.
    assert (docker.folder / "docker.password").read_text()


def test_the_registry_has_another_one(
    cloud: Cloud, docker: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    docker.answer("docker", json.dumps([{"RepoDigests": [f"{REGISTRY}@sha256:{'2' * 64}"]}]))
    assert publish.main(["built", "commit-1"], cloud.aws) is Outcome.REFUSED
    assert not (tmp_path / "output").exists()


def test_it_cannot_be_pushed(cloud: Cloud, docker: Programs, capsys: pytest.CaptureFixture[str]) -> None:
    docker.add("docker", f'[ "$1" = push ] && {{ echo "tag is immutable" >&2; exit 1; }}\n{DOCKER}')
    assert publish.main(["built", "commit-1"], cloud.aws) is Outcome.REFUSED
    assert "tag is immutable" in capsys.readouterr().err
    assert docker.calls("docker")[-1].startswith("logout")


@pytest.mark.row("deliver.drift")
def test_there_is_one_issue(programs: Programs) -> None:
    programs.answer("gh", "[]")
    assert issue.main("It has drifted", "run 1") is Outcome.DONE
    assert "issue create --title It has drifted" in programs.calls("gh")[-1]
    programs.answer("gh", json.dumps([{"number": 7, "title": "It has drifted"}, {"number": 8, "title": "Other"}]))
    assert issue.main("It has drifted", "run 2") is Outcome.DONE
    assert programs.calls("gh")[-1].startswith("issue comment 7 --repo")


@pytest.mark.row("deliver.drift")
def test_an_issue_that_could_not_be_opened_is_red(programs: Programs) -> None:
    assert programs.folder
    assert issue.main("It has drifted", "run 1") is Outcome.REFUSED
