"""Pushes an image that was built here, and says its digest: the one name that it has from then on.

In GitHub Actions the digest is the step's output. The status is 0, or 2 when it is not in the registry.
"""

import argparse
import base64
import json
import os
import sys
from pathlib import Path

from boto3 import Session
from botocore.exceptions import BotoCoreError, ClientError

from app.identity import NAME
from ops import program
from ops.aws import Aws, connect
from ops.command import IDENTITY
from ops.outcome import Outcome, RefusedError


def publish(aws: Aws, image: str, tag: str) -> str:
    """Push it under this tag, which no image may have had, and return its digest. Raises RefusedError."""
    access = aws.ecr.get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(access["authorizationToken"]).decode().partition(":")
    registry = access["proxyEndpoint"].removeprefix("https://")
    name = f"{registry}/{NAME}"
    program.run("docker", "login", "--username", user, "--password-stdin", registry, given=password)
    try:
        program.run("docker", "tag", image, f"{name}:{tag}")
        program.run("docker", "push", "--quiet", f"{name}:{tag}")
    finally:
        program.run("docker", "logout", registry)
    (found,) = aws.ecr.describe_images(repositoryName=NAME, imageIds=[{"imageTag": tag}])["imageDetails"]
    digest = found["imageDigest"]
    (here,) = json.loads(program.run("docker", "image", "inspect", image))
    if f"{name}@{digest}" not in here["RepoDigests"]:
        raise RefusedError(f"{name}:{tag} is {digest}, and that is not what was pushed from here.")
    return digest


def main(given: list[str], aws: Aws | None = None) -> Outcome:
    """Push: `python -m ops.publish IMAGE TAG`."""
    arguments = argparse.ArgumentParser(prog="python -m ops.publish", description=__doc__)
    arguments.add_argument("image", help="the name that it was built under")
    arguments.add_argument("tag", help="a name for people, never given before")
    asked = arguments.parse_args(given)
    try:
        aws = aws or connect(Session(region_name=json.loads(IDENTITY.read_text())["region"]))
        digest = publish(aws, asked.image, asked.tag)
    except (RefusedError, BotoCoreError, ClientError) as error:
        print(f"Not published: {error}", file=sys.stderr)
        return Outcome.REFUSED
    print(digest)
    if output := os.environ.get("GITHUB_OUTPUT"):
        with Path(output).open("a") as file:
            file.write(f"digest={digest}\n")
    return Outcome.DONE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
