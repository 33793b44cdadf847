"""The issuer of development and tests: it signs whatever it is asked to.

It cannot be used outside development: it serves plain http on this machine, which the settings refuse everywhere else,
and `dev/` is not in the image.
"""

import argparse
import contextlib
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Collection, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from app.chassis.security.oidc import is_loopback
from app.settings import Settings
from dev import environment
from dev.permissions import everything

KEY = environment.PROJECT / ".dev" / "oidc.jwk"
ADDRESS = environment.PROJECT / ".dev" / "oidc.address"
LIFETIME_SECONDS = 12 * 3600


class Issuer:
    """An OpenID Connect issuer: discovery, keys and signatures."""

    def __init__(self, url: str, key: RSAKey | ECKey) -> None:
        self.url = url
        self.keys = [key]

    def sign(self, claims: dict[str, Any], algorithm: str = "RS256") -> str:
        """Return a token with these claims, signed with the newest key."""
        key = self.keys[-1]
        claims = {"iss": self.url, "iat": int(time.time()), "exp": int(time.time()) + LIFETIME_SECONDS} | claims
        return jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key, algorithms=[algorithm])

    def answer(self, path: str) -> Any:
        """Return the document at this path, or None."""
        return {
            "/.well-known/openid-configuration": {"issuer": self.url, "jwks_uri": f"{self.url}/keys"},
            "/keys": {"keys": [key.as_dict(private=False, use="sig") for key in self.keys]},
        }.get(path)

    def is_served(self) -> bool:
        """Whether another process serves this issuer, with this key, already."""
        try:
            with urlopen(f"{self.url}/keys", timeout=1) as answer:  # noqa: S310 (our own http address)
                return bool(json.load(answer) == self.answer("/keys"))
        except (OSError, ValueError):
            return False

    @contextlib.contextmanager
    def serve(self) -> Iterator[None]:
        """Serve the documents, on a free port unless the address has one, for as long as the context lasts."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = issuer.answer(self.path)
                body = json.dumps(document).encode()
                self.send_response(404 if document is None else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(ConnectionError):  # whoever asked has left
                    self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Be quiet."""

        server = ThreadingHTTPServer(("127.0.0.1", urlsplit(self.url).port or 0), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def own_key() -> RSAKey:
    """Return the key of this checkout, made on first use. Kept, so that tokens outlive a restart."""
    if not KEY.exists():
        KEY.parent.mkdir(mode=0o700, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=KEY.parent) as file:
            json.dump(RSAKey.generate_key(2048, auto_kid=True).as_dict(private=True), file)
            file.flush()
            with contextlib.suppress(FileExistsError):  # somebody else was faster
                Path(KEY).hardlink_to(file.name)
    return RSAKey.import_key(json.loads(KEY.read_text()))


@contextlib.contextmanager
def development() -> Iterator[str]:
    """Serve the issuer that OIDC_ISSUER names, if it is this machine. Yields what to tell the developer.

    Beside another `make dev`: one of this checkout is shared, and one of another service leaves us a free port.
    """
    if not is_loopback(urlsplit(os.environ["OIDC_ISSUER"]).hostname or ""):
        yield f"Tokens of {os.environ['OIDC_ISSUER']} are accepted."
        return
    hint = "`make token` prints a token for it."
    issuer = Issuer(address(), own_key())
    os.environ["OIDC_ISSUER"] = issuer.url
    if issuer.is_served():
        yield hint
        return
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(issuer.serve())
        except OSError:
            issuer.url = "http://127.0.0.1"
            stack.enter_context(issuer.serve())
        os.environ["OIDC_ISSUER"] = issuer.url
        ADDRESS.write_text(issuer.url)
        stack.callback(ADDRESS.unlink, missing_ok=True)
        yield hint


def address() -> str:
    """Return where the issuer of this checkout is: of the `make dev` that runs, or as OIDC_ISSUER says."""
    return ADDRESS.read_text() if ADDRESS.exists() else os.environ["OIDC_ISSUER"]


@contextlib.contextmanager
def temporary() -> Iterator[None]:
    """Serve an issuer on a free port, and point OIDC_ISSUER at it."""
    issuer = Issuer("http://127.0.0.1", own_key())
    with issuer.serve():
        os.environ["OIDC_ISSUER"] = issuer.url
        yield


async def token(settings: Settings, subject: str, permissions: Collection[str]) -> str:
    """Return a token for this caller."""
    claims = {"aud": settings.oidc_audience, "sub": subject, "scope": " ".join(sorted(permissions))}
    return Issuer(settings.oidc_issuer, own_key()).sign(claims)


def main() -> None:
    """Print a token."""
    parser = argparse.ArgumentParser(prog="python -m dev.oidc", description="Print a token of the development issuer.")
    parser.add_argument("--subject", default="developer", help="who calls")
    parser.add_argument("--permissions", help="what they may do: orders:read orders:write (all that routes require)")
    arguments = parser.parse_args()
    environment.load(".env.example", ".env")
    permissions = everything() if arguments.permissions is None else arguments.permissions.split()
    claims = {"aud": os.environ["OIDC_AUDIENCE"], "sub": arguments.subject, "scope": " ".join(sorted(permissions))}
    sys.stdout.write(Issuer(address(), own_key()).sign(claims) + "\n")


if __name__ == "__main__":
    main()
