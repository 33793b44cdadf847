"""Where an image comes from: built by this repository's deploy workflow, on main, with a signed bill of materials.

The signatures are GitHub's attestations (SLSA provenance, https://slsa.dev/provenance/v1). What was signed is the
image's manifest, whose hash is the digest: so the registry is not trusted to say what it has.
"""

import hashlib
import json
import tempfile
from pathlib import Path

from ops import program
from ops.command import IDENTITY, Operation
from ops.outcome import RefusedError

WORKFLOW = ".github/workflows/deploy.yml"
BRANCH = "refs/heads/main"
SIGNED = {"build": "https://slsa.dev/provenance/v1", "bill of materials": "https://cyclonedx.org/bom"}


def verify(operation: Operation, digest: str) -> None:
    """Raise RefusedError unless it was built where only reviewed code is built, and one can know of what."""
    repository = json.loads(IDENTITY.read_text())["repository"]
    with tempfile.TemporaryDirectory() as folder:
        manifest = Path(folder) / "manifest.json"
        manifest.write_bytes(_manifest(operation, digest))
        for what, predicate in SIGNED.items():
            try:
                program.run(
                    "gh", "attestation", "verify", str(manifest), "--repo", repository,
                    "--signer-workflow", f"{repository}/{WORKFLOW}", "--source-ref", BRANCH,
                    "--deny-self-hosted-runners", "--predicate-type", predicate,
                )  # fmt: skip
            except program.FailingError as error:
                raise RefusedError(
                    f"Nobody can tell where {digest} comes from: {WORKFLOW} on main has not signed its {what}, "
                    f"or GitHub cannot be asked. {error}"
                ) from None
    operation.say(f"built and signed by {WORKFLOW} of {repository}")


def _manifest(operation: Operation, digest: str) -> bytes:
    repository = operation.environment.repository
    found = operation.aws.ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageDigest": digest}])["images"]
    manifest = found[0].get("imageManifest", "").encode() if found else b""
    if f"sha256:{hashlib.sha256(manifest).hexdigest()}" != digest:
        raise RefusedError(f"What the repository {repository} has as {digest} is something else.")
    return manifest
