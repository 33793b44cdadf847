"""What commands know about an environment: one parameter, written by Terraform (`infra/service/operations.tf`)."""

from typing import Literal

from botocore.exceptions import ClientError
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from app.identity import NAME
from ops.aws import Aws, code
from ops.outcome import RefusedError

Tier = Literal["page", "alert", "warn"]


class _Part(BaseModel):
    """What more Terraform may tell is for others: it is passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Service(_Part):
    """A service of ECS, and the family of its task definitions."""

    service: str
    family: str
    minimum: int = Field(ge=1, description="tasks it has at least")


class Tasks(_Part):
    """Where one-off tasks run."""

    migrate_family: str
    roles_family: str
    subnets: list[str] = Field(min_length=1)
    security_groups: list[str] = Field(min_length=1)
    assign_public_ip: bool


class Walk(_Part):
    """What is probed, and from where: `ops.probe` says how."""

    url: str
    path: str
    secret: str = Field(description="name of the secret with the probe's credentials")
    function: str = Field(description="the external check, a function of Lambda")
    region: str = Field(description="where that is")


class Database(_Part):
    """The instance of RDS, and what is promised about its recovery."""

    identifier: str
    rto_minutes: int = Field(gt=0, description="how long it may take until the data are back")
    rpo_minutes: int = Field(gt=0, description="how much of the newest data may be lost")


class Environment(_Part):
    """One environment, such as staging."""

    name: str
    environment: str
    region: str
    cluster: str
    repository: str
    repository_url: str
    services: dict[str, Service] = Field(min_length=1)
    tasks: Tasks
    probe: Walk
    topics: dict[Tier, str] = Field(min_length=3, description="a topic for each tier")
    database: Database
    bake_seconds: int = Field(ge=0, description="how long alarms are watched after a release, in seconds")

    @property
    def prefix(self) -> str:
        """What the names of its parts begin with."""
        return f"{self.name}-{self.environment}"


def load(aws: Aws, environment: str) -> Environment:
    """Read what is known about this environment. Raises RefusedError if that is nothing, or not what is needed."""
    parameter = f"/{NAME}/{environment}/operations"
    hint = f"Apply infra/{environment} first, or look whether the credentials are those of {environment}."
    try:
        value = aws.ssm.get_parameter(Name=parameter)["Parameter"].get("Value", "")
    except ClientError as error:
        if code(error) != "ParameterNotFound":
            raise
        raise RefusedError(f"The parameter {parameter} is not there. {hint}") from None
    try:
        return Environment.model_validate_json(value)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise RefusedError(f"The parameter {parameter} is not what ops/environment.py wants: {wrong}. {hint}") from None
