"""A start that lacks a setting stops and lists all of them; .env.example and the code agree."""

import subprocess
import sys

import pytest
from dotenv import dotenv_values

from app.chassis.settings import load
from app.settings import Settings
from dev.environment import PROJECT


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


def test_the_process_stops_before_it_listens(clean_environment: pytest.MonkeyPatch) -> None:
    stopped = subprocess.run([sys.executable, "-m", "app"], capture_output=True, text=True, check=False, timeout=30)
    assert stopped.returncode == 78
    assert "DATABASE_URL: is not set" in stopped.stderr
    assert "Traceback" not in stopped.stderr
