"""The walk of a user: what it accepts, and that this service passes it."""

import functools
import json
import subprocess
import sys

import pytest

from app.settings import Settings
from dev.environment import PROJECT
from ops import probe, smoke
from ops.outcome import Outcome
from tests.chassis.process import running
from tests.ops.cloud import SECRET, Cloud, web


@pytest.mark.row("monitor.uptime")
async def test_this_service_is_walked_through(settings: Settings) -> None:
    """Without credentials: what a stranger gets, and that it is ready."""
    with running("app", database_url=settings.database_url) as service:
        steps = probe.walk(service.url, "/openapi.json", None)
    assert probe.is_good(steps), steps
    assert [step.name for step in steps] == ["is ready", "serves"]


@pytest.mark.row("monitor.uptime")
@pytest.mark.parametrize(
    ("fares", "secret", "good", "last"),
    [
        ("good", SECRET, True, "serves"),
        ("good", {}, True, "refuses a stranger"),
        ("good", {"authorization": "Bearer expired"}, False, "serves"),
        ("good", None, False, "serves"),
        ("rude", SECRET, False, "is ready"),
        ("lying", SECRET, False, "serves"),
        ("open", SECRET, False, "refuses a stranger"),
        ("moved", SECRET, False, "serves"),
        ("unready", SECRET, False, "is ready"),
        ("garbled", SECRET, False, "is ready"),
        ("good", {"client_id": "probe"}, False, "serves"),
    ],
)
def test_every_step_counts(fares: str, secret: dict[str, str] | None, good: bool, last: str) -> None:
    with web() as api:
        api.fares = lambda: fares
        steps = probe.walk(api.url, "/things", secret)
    assert (probe.is_good(steps), steps[-1].name) == (good, last)


def test_nobody_listens_or_it_is_not_encrypted() -> None:
    assert not probe.is_good(probe.walk("http://127.0.0.1:1", "/things", None))
    assert probe.walk("http://example.com", "/things", None)[-1].found == "http://example.com is not https"


@pytest.mark.row("monitor.uptime")
def test_a_token_of_an_issuer() -> None:
    with web() as api:
        url = api.url
        secret = {"token_url": f"{url}/token", "client_id": "probe", "client_secret": "secret", "scope": "things:read"}
        assert probe.is_good(probe.walk(url, "/things", secret))
        assert not probe.is_good(probe.walk(url, "/things", secret | {"client_secret": "wrong"}))


@pytest.mark.row("monitor.uptime")
def test_the_external_check_is_this_very_file_alone() -> None:
    """It runs where nothing of this service is installed, and fails so that its alarm counts it."""
    run = "import sys; sys.path.insert(0, sys.argv[1]); import probe; probe.handler({}, None)"
    with web() as api:
        environment = {"PROBE_URL": api.url, "PROBE_PATH": "/health/ready"}
        outcomes = []
        for fares in ("good", "rude"):
            api.fares = functools.partial(str, fares)
            # -I and -S: the standard library, and nothing else.
            outcomes.append(
                subprocess.run(
                    [sys.executable, "-I", "-S", "-c", run, str(PROJECT / "ops")],
                    env=environment,
                    capture_output=True,
                    text=True,
                    check=False,
                )
            )
    assert outcomes[0].returncode == 0, outcomes[0].stderr
    assert outcomes[1].returncode == 1
    assert "WalkError: BAD   is ready: 500 instead of 200" in outcomes[1].stderr


@pytest.mark.row("deliver.smoke")
def test_the_command(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.serve("one")
    assert cloud.run(smoke.command) is Outcome.DONE
    assert capsys.readouterr().out.splitlines()[-1].endswith(" serves.")
    cloud.aws.secrets.put_secret_value(
        SecretId=cloud.operations["probe"]["secret"], SecretString=json.dumps({"authorization": "no"})
    )
    assert cloud.run(smoke.command) is Outcome.UNDONE
    assert capsys.readouterr().out.splitlines()[-1].endswith(" DOES NOT SERVE.")
