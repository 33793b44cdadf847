"""Settings come from environment variables alone, all of them required.

There are no defaults to fall back to: development takes its values from `.env.example`, every other environment
says what it wants (https://12factor.net/config).
"""

import sys
from enum import StrEnum
from typing import Annotated

from pydantic import Field, PostgresDsn, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


class Environment(StrEnum):
    """Where the service runs."""

    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"


class LogFormat(StrEnum):
    """How log lines are written: for machines or for a person."""

    JSON = "json"
    CONSOLE = "console"


class LogLevel(StrEnum):
    """The least severe level that is written."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class ChassisSettings(BaseSettings):
    """What every service needs to know. Subclassed in `app.settings`."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    environment: Annotated[Environment, Field(description="development, staging or production")]
    release: Annotated[str, Field(min_length=1, description="what is deployed: a commit or an image digest")]
    host: Annotated[str, Field(min_length=1, description="address to listen on")]
    port: Annotated[int, Field(ge=1, le=65535, description="port to listen on")]
    database_url: Annotated[PostgresDsn, Field(description="postgresql://user:password@host:port/database")]
    database_pool_size: Annotated[int, Field(ge=1, le=100, description="connections each process may hold")]
    log_level: Annotated[LogLevel, Field(description="debug, info, warning or error")]
    log_format: Annotated[LogFormat, Field(description="json, or console for a person")]


def load[S: ChassisSettings](settings: type[S]) -> S:
    """Read `settings` from the environment; exit with status 78 (EX_CONFIG of sysexits.h) and the full list of
    what is missing or wrong. Values are never printed: they may be secrets.
    """
    try:
        return settings()
    except ValidationError as error:
        problems = []
        for each in error.errors(include_input=False, include_context=False, include_url=False):
            name = str(each["loc"][0]) if each["loc"] else ""
            field = settings.model_fields.get(name)
            meaning = f" ({field.description})" if field and field.description else ""
            problem = "is not set" if each["type"] == "missing" else each["msg"]
            problems.append(f"  {name.upper()}: {problem}{meaning}")
        sys.stderr.write(
            "Cannot start. These environment variables need a value; .env.example shows one for each:\n"
            + "\n".join(problems)
            + "\n"
        )
        sys.exit(78)
