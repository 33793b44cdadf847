"""What commands know about an environment is what Terraform tells them."""

import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from dev.environment import PROJECT
from ops import smoke
from ops.environment import Environment
from ops.outcome import Outcome
from tests.ops.cloud import Cloud


def names(model: type[BaseModel]) -> Iterator[str]:
    """Yield the fields of a model, and of the models in it."""
    for name, field in model.model_fields.items():
        yield name
        for part in [field.annotation, *getattr(field.annotation, "__args__", ())]:
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from names(part)


def test_terraform_tells_all_that_is_wanted() -> None:
    written = (PROJECT / "infra" / "service" / "operations.tf").read_text()
    told = set(re.findall(r"\b(\w+)\s*=[^=]", written))
    assert set(names(Environment)) - told == set()


def test_an_environment_that_is_not_there(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    assert cloud.run(smoke.command, environment="prod") is Outcome.REFUSED
    assert "/operations is not there. Apply infra/prod first" in capsys.readouterr().err


def test_an_environment_that_tells_too_little(cloud: Cloud, capsys: pytest.CaptureFixture[str]) -> None:
    cloud.publish({**cloud.operations, "bake_seconds": -1, "topics": {}, "database": {}})
    assert cloud.run(smoke.command) is Outcome.REFUSED
    said = capsys.readouterr().err
    assert "bake_seconds" in said
    assert "topics" in said
    assert "database.rpo_minutes" in said
