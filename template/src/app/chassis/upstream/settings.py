"""Types for the settings that an upstream needs."""

from typing import Annotated

from pydantic import AfterValidator, HttpUrl, SecretStr, ValidationInfo


def _encrypted(value: HttpUrl, info: ValidationInfo) -> HttpUrl:
    if value.username or value.password or value.query or value.fragment:
        raise ValueError("takes no credentials, query or fragment")
    if value.scheme != "https" and info.data.get("environment") != "development":
        raise ValueError("takes https:// only, outside development")
    return value


def _sendable(value: SecretStr) -> SecretStr:
    key = value.get_secret_value()
    if not key or any(not "!" <= character <= "~" for character in key):
        raise ValueError("is made of printable ASCII characters without spaces")
    return value


UpstreamUrl = Annotated[HttpUrl, AfterValidator(_encrypted)]
"""Where an upstream is: https:// outside development, and no secrets in it, because addresses are logged."""

UpstreamKey = Annotated[SecretStr, AfterValidator(_sendable)]
"""What an upstream knows us by. Checked here, because a client that cannot send it says it aloud."""
