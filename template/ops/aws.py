"""The clients of AWS that commands use."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from boto3 import Session
from botocore.config import Config
from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from collections.abc import Callable

    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_ecr import ECRClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_ssm import SSMClient

# Throttled and broken calls are repeated for about a minute, with backoff and jitter (botocore's standard mode).
CONFIG = Config(retries={"mode": "standard", "max_attempts": 6}, connect_timeout=5, read_timeout=20)


@dataclass(frozen=True)
class Aws:
    """One client for each service."""

    cloudwatch: "CloudWatchClient"
    ecr: "ECRClient"
    ecs: "ECSClient"
    logs: "CloudWatchLogsClient"
    rds: "RDSClient"
    secrets: "SecretsManagerClient"
    sns: "SNSClient"
    ssm: "SSMClient"
    functions: "Callable[[str], LambdaClient]"
    """Of Lambda, by region: the external check is in another one."""


def connect(session: Session) -> Aws:
    """Return the clients. Nothing is called yet."""
    return Aws(
        cloudwatch=session.client("cloudwatch", config=CONFIG),
        ecr=session.client("ecr", config=CONFIG),
        ecs=session.client("ecs", config=CONFIG),
        logs=session.client("logs", config=CONFIG),
        rds=session.client("rds", config=CONFIG),
        secrets=session.client("secretsmanager", config=CONFIG),
        sns=session.client("sns", config=CONFIG),
        ssm=session.client("ssm", config=CONFIG),
        functions=lambda region: session.client("lambda", region_name=region, config=CONFIG),
    )


def code(error: ClientError) -> str:
    """Return AWS's name of the failure, such as `ThrottlingException`."""
    return error.response.get("Error", {}).get("Code", "")
