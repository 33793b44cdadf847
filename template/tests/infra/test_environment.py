"""Terraform gives every setting that the code reads, and nothing that it does not: in each environment."""

import re
from pathlib import Path

import pytest

from app.settings import Settings
from tests.infra.values import lines, values

pytestmark = pytest.mark.row("deliver.env")

SETTINGS = {name.upper() for name in Settings.model_fields}
MODULE = Path("infra/service/environment.tf")


def given(environment: str) -> list[str]:
    """Return the names that containers find in this environment, one as often as it is given."""
    computed = [found[1] for line in lines(MODULE) if (found := re.match(r"([A-Z][A-Z0-9_]*)\s*=", line))]
    told = values(Path("infra", environment, "terraform.tfvars"))
    own = [name.removeprefix("settings.") for name in told if name.startswith("settings.")]
    return computed + own + re.findall(r'"(\w+)"', told.get("secret_settings", "[]"))


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_every_setting_is_given(environment: str) -> None:
    missing = SETTINGS - set(given(environment))
    assert missing == set(), f"add them to settings (or to secret_settings) in infra/{environment}/terraform.tfvars"


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_nothing_else_is_given(environment: str) -> None:
    assert set(given(environment)) - SETTINGS == set(), "given by Terraform, and read by nobody"


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_nothing_is_given_twice(environment: str) -> None:
    names = given(environment)
    assert sorted(name for name in set(names) if names.count(name) > 1) == []


@pytest.mark.parametrize("environment", ["staging", "prod"])
def test_the_code_understands_the_values(
    environment: str, settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start in the cloud is late to find out."""
    for name, value in values(Path("infra", environment, "terraform.tfvars")).items():
        if name.startswith("settings."):
            monkeypatch.setenv(name.removeprefix("settings."), value.strip('"'))
    assert Settings().host == settings_without_database.host
