"""Settings for where files are kept."""

from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, ValidationInfo
from pydantic_settings import BaseSettings

# Empty inside. A word outside, because empty values get lost: parameter stores refuse them.
_Amazon = BeforeValidator(lambda value: "" if value == "aws" else value)


def _encrypted(value: str, info: ValidationInfo) -> str:
    if value.startswith("http://") and info.data.get("environment") != "development":
        raise ValueError("takes https:// only, outside development")
    return value


class UploadsSettings(BaseSettings):
    """Where they are. Who may read and write there, the process finds as all programs of AWS do: by its role."""

    uploads_bucket: Annotated[
        str,
        StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"),
        Field(description="bucket that keeps the callers' files"),
    ]
    uploads_region: Annotated[
        str, StringConstraints(pattern=r"^[a-z0-9-]+$"), Field(description="region of the bucket: eu-central-1")
    ]
    uploads_endpoint: Annotated[
        str,
        StringConstraints(pattern=r"^(https?://[^\s/?#@]+)?$"),
        _Amazon,
        AfterValidator(_encrypted),
        Field(description="aws, or who else speaks S3: https://s3.example.com"),
    ]
