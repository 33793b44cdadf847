"""A start that lacks a setting stops and lists all of them; .env.example and the code agree."""

import re
import subprocess
import sys

import pytest
from dotenv import dotenv_values

from app.chassis.settings import load
from app.settings import Settings
from dev.environment import PROJECT

pytestmark = pytest.mark.row("deliver.env")

UNSAFE = {
    "TRUSTED_HOSTS": "localhost,*",
    "CORS_ORIGINS": "https://example.com,http://example.com",
    "DATABASE_URL": "postgresql://user:hunter2@host/db",
    "LOG_LEVEL": "debug",
    "OTLP_ENDPOINT": "http://collector.internal:4318",
    "SENTRY_DSN": "http://key@sentry.internal/1",
}


def test_the_example_has_every_setting_and_nothing_else() -> None:
    named = {name.lower() for name in dotenv_values(PROJECT / ".env.example")}
    assert named == set(Settings.model_fields)


def test_no_setting_has_a_default_to_fall_back_to_and_all_are_explained() -> None:
    for name, field in Settings.model_fields.items():
        assert field.is_required(), name
        assert field.description, name


def test_all_that_is_missing_or_wrong_is_listed_without_values(
    clean_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clean_environment.setenv("DATABASE_URL", "mysql://user:hunter2@host/db")
    with pytest.raises(SystemExit) as stopped:
        load(Settings)

    told = capsys.readouterr().err
    assert stopped.value.code == 78
    assert all(name.upper() in told for name in Settings.model_fields)
    assert "hunter2" not in told


def refused(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return which settings a start with these, on top of the example's, refuses."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    try:
        load(Settings)
    except SystemExit:
        return re.findall(r"^  (\w+): ", capsys.readouterr().err, re.MULTILINE)
    return []


SAFE = {"DATABASE_URL": "postgresql://user:secret@host/db?sslmode=verify-full"}


def test_all_that_is_unsafe_is_listed_outside_development(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert {*UNSAFE} <= {*refused({"ENVIRONMENT": "production"} | UNSAFE, monkeypatch, capsys)}
    assert {*UNSAFE} - {"LOG_LEVEL"} <= {*refused({"ENVIRONMENT": "staging"} | UNSAFE, monkeypatch, capsys)}
    assert not refused({"ENVIRONMENT": "development"} | UNSAFE, monkeypatch, capsys)


@pytest.mark.parametrize("name", UNSAFE)
def test_each_alone_is_refused(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    production = SAFE | {"ENVIRONMENT": "production"}
    assert name not in refused(production, monkeypatch, capsys)
    assert name in refused(production | {name: UNSAFE[name]}, monkeypatch, capsys)


@pytest.mark.parametrize(
    "wrong",
    [
        {"TRUSTED_HOSTS": "exa mple"},
        {"TRUSTED_HOSTS": "https://example.com"},
        {"TRUSTED_HOSTS": "a.*.example.com"},
        {"CORS_ORIGINS": "*"},
        {"CORS_ORIGINS": "https://example.com/"},
        {"CORS_ORIGINS": '["https://example.com'},
        {"SHUTDOWN_DELAY_SECONDS": "15"},
        {"OTLP_ENDPOINT": "collector:4318"},
        {"TRACE_SAMPLE_RATIO": "10"},
        {"SENTRY_DSN": "https://sentry.io/1"},
    ],
    ids=str,
)
def test_what_makes_no_sense_is_refused(
    wrong: dict[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert refused(SAFE | wrong, monkeypatch, capsys) == [*wrong]


@pytest.mark.parametrize(
    "written", ["https://a.example, https://b.example:8443", '["https://a.example", "https://b.example:8443"]']
)
def test_lists_are_read_with_commas_and_as_json(
    written: str, settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_without_database.cors_origins == ()
    monkeypatch.setenv("CORS_ORIGINS", written)
    assert load(Settings).cors_origins == ("https://a.example", "https://b.example:8443")


def test_the_process_stops_before_it_listens(clean_environment: pytest.MonkeyPatch) -> None:
    stopped = subprocess.run([sys.executable, "-m", "app"], capture_output=True, text=True, check=False, timeout=30)
    assert stopped.returncode == 78
    assert "DATABASE_URL: is not set" in stopped.stderr
    assert "Traceback" not in stopped.stderr


@pytest.mark.parametrize(
    ("written", "read"), [("off", ""), ("", ""), ("http://127.0.0.1:4318", "http://127.0.0.1:4318")]
)
def test_a_collector_is_an_address_or_off(
    written: str, read: str, settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings_without_database.otlp_endpoint == settings_without_database.sentry_dsn == ""
    monkeypatch.setenv("OTLP_ENDPOINT", written)
    assert load(Settings).otlp_endpoint == read
