"""What the module refuses in a plan, which needs an account, is refused here already: each environment's values."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from app.chassis import settings
from app.settings import Settings
from tests.infra.values import values

ENVIRONMENTS = ["staging", "prod"]


def given(environment: str) -> dict[str, str]:
    return values(Path("infra", environment, "terraform.tfvars"))


@pytest.mark.row("backup.database")
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_the_database_can_be_brought_back_to_any_moment_of_a_week(environment: str) -> None:
    told = given(environment)
    assert 7 <= int(told["database.backup_days"]) <= 35
    # The log is shipped every five minutes; below that only a standby helps.
    assert int(told["database.rpo_minutes"]) >= (5 if told["database.multi_az"] == "true" else 15)


@pytest.mark.row("data.pool")
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_all_processes_have_their_connections(environment: str) -> None:
    """Old and new ones during a deploy together: infra/service/environment.tf."""
    told = given(environment)
    pool = int(told["pool_size"])
    wanted = 2 * int(told["api.max_replicas"]) * pool
    if "worker.replicas" in told:
        wanted += 2 * int(told["worker.replicas"]) * (pool + getattr(settings, "QUEUE_CONNECTIONS", 0))
    assert wanted + settings.RESERVED_CONNECTIONS <= int(told["database.max_connections"])


@pytest.mark.row("security.secrets")
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_what_is_secret_is_not_among_the_settings(environment: str) -> None:
    secret = {name.upper() for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
    told = {name.removeprefix("settings.") for name in given(environment)}
    assert secret & told == set(), "secret_settings names it, and Secrets Manager has it"
