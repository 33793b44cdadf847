"""Who is calling, by a token that an OpenID Connect issuer has signed.

The issuer's keys are found by discovery (OpenID Connect Discovery 1.0), kept, and asked for again: in the background
when they are a few minutes old, at once when a token names a key that we do not know, and never more often than
every few seconds, whatever the tokens say. While the issuer does not answer, the keys that we have go on being good.

Tokens are checked as RFC 8725 and RFC 9068 ask for. Permissions are the words of the claim `scope`. A token that was
found good is remembered, and good for as long as it has not expired and its issuer has the key.
"""

import asyncio
import contextlib
import re
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple
from urllib.parse import urlsplit

import httpx2
import orjson
import structlog
from joserfc import jws
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey, import_key
from joserfc.jwt import JWTClaimsRegistry
from opentelemetry.trace import SpanKind
from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings
from sqlalchemy.ext.asyncio import AsyncEngine

from app.chassis.http.errors import Problem
from app.chassis.security.bearer import Refused, Verifier
from app.chassis.security.caller import Caller
from app.chassis.telemetry import traces

log = structlog.get_logger()

# Asymmetric only: with HS256 the public key would be the secret, with none there is none.
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519")
LEEWAY_SECONDS = 30
FRESH_SECONDS = 300
"""How old keys get before they are asked for again."""
STALE_SECONDS = 24 * 3600
"""How old keys get before they are no good any more, if the issuer does not answer."""
PAUSE_SECONDS = 10
"""The least time between two questions to the issuer."""
TIMEOUT_SECONDS = 3
MAX_REMEMBERED = 10_000
"""How many tokens are remembered, at some hundred bytes each."""

_SUBJECT = re.compile(r"[\x20-\x7e]{1,255}")  # OpenID Connect Core, section 2


class OidcSettings(BaseSettings):
    """Whose tokens are good, and for whom they must be meant."""

    oidc_issuer: Annotated[
        str, Field(pattern=r"^https?://[^\s?#]+$", description="who signs tokens: https://login.example.com")
    ]
    oidc_audience: Annotated[str, Field(min_length=1, description="what tokens call this service, in aud")]

    @field_validator("oidc_issuer")
    @classmethod
    def _no_development_issuer(cls, issuer: str, info: ValidationInfo) -> str:
        """Refuse an issuer that anybody on the machine or the network could be."""
        if info.data.get("environment") != "development":
            address = urlsplit(issuer)
            if address.scheme != "https" or is_loopback(address.hostname or ""):
                raise ValueError("is an https:// address of another machine, outside development")
        return issuer


def is_loopback(host: str) -> bool:
    """Tell whether the name or address is this machine's own."""
    return host == "localhost" or host.endswith(".localhost") or host == "::1" or host.startswith(("127.", "0."))


class IssuerUnavailable(Problem):
    """We cannot tell whether the token is good: that is our failure, not the caller's."""

    def __init__(self) -> None:
        super().__init__(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "issuer_unavailable",
            "Tokens cannot be verified at the moment. Try again.",
            headers={"Retry-After": str(PAUSE_SECONDS)},
        )


class KeySource:
    """The issuer's public keys, by their ids."""

    def __init__(self, issuer: str, client: httpx2.AsyncClient) -> None:
        self._issuer = issuer
        self._client = client
        self._keys: dict[str | None, Key] = {}
        self._fetched = self._asked = float("-inf")
        self._asking = asyncio.Lock()
        self._background: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None) -> Key:
        """Return the key with this id, or the only one if the token names none.

        Raises Refused if the issuer has no such key, IssuerUnavailable if it does not say.
        """
        now = time.monotonic()
        if now - self._fetched > STALE_SECONDS or key_id not in self._keys:
            await self._ask()
        elif now - self._fetched > FRESH_SECONDS:
            self.ask_in_background()
        if time.monotonic() - self._fetched > STALE_SECONDS:
            raise IssuerUnavailable
        if key := self._keys.get(key_id):
            return key
        if self._fetched < self._asked:  # it did not answer: the key may be a new one
            raise IssuerUnavailable
        raise Refused("invalid_token", "The token is signed with a key that its issuer does not have.")

    def ask_in_background(self) -> None:
        """Ask for the keys without making anybody wait."""
        if self._background is None or self._background.done():
            self._background = asyncio.create_task(self._ask())

    async def close(self) -> None:
        """Stop asking."""
        if self._background:
            self._background.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._background

    async def _ask(self) -> None:
        """Fetch the keys, unless that was done or tried a moment ago. Those who wait share one question."""
        async with self._asking:
            if time.monotonic() - self._asked < PAUSE_SECONDS:
                return
            self._asked = time.monotonic()
            try:
                async with asyncio.timeout(TIMEOUT_SECONDS):
                    self._keys = await self._fetch()
            except (httpx2.HTTPError, ValueError, LookupError, TypeError, AttributeError, TimeoutError) as error:
                log.warning("issuer does not answer", issuer=self._issuer, reason=type(error).__name__)
            else:
                self._fetched = time.monotonic()

    async def _fetch(self) -> dict[str | None, Key]:
        about = await self._get(f"{self._issuer.rstrip('/')}/.well-known/openid-configuration")
        if about["issuer"] != self._issuer:
            raise ValueError("it calls itself something else")
        if self._issuer.startswith("https://") and not about["jwks_uri"].startswith("https://"):
            raise ValueError("its keys would come unprotected")
        published = (await self._get(about["jwks_uri"]))["keys"]
        keys: dict[str | None, Key] = {each.kid: each for each in map(_usable, published) if each is not None}
        if not keys:
            raise ValueError("it has no keys that we could use")
        if len(keys) == 1:
            keys[None] = next(iter(keys.values()))
        return keys

    async def _get(self, url: str) -> Any:
        with traces.span("GET issuer", SpanKind.CLIENT):
            answer = await self._client.get(url, headers=traces.inject())
            answer.raise_for_status()
        return answer.json()


def _usable(published: Any) -> Key | None:
    """Return a published key as one that verifies signatures, or None: an issuer may have keys of other kinds."""
    if not isinstance(published, dict):
        return None
    try:
        key = import_key(published)
    except (JoseError, ValueError, TypeError):
        return None
    return key if isinstance(key, RSAKey | ECKey | OKPKey) and published.get("use", "sig") == "sig" else None


class _Verified(NamedTuple):
    """What is remembered of a good token."""

    key_id: str | None
    key: Key
    expires_at: float
    caller: Caller


class TokenVerifier:
    """Tells whose token it is."""

    def __init__(self, settings: OidcSettings, keys: KeySource) -> None:
        self._keys = keys
        # Unknown header parameters are ignored, as RFC 7515 asks for: issuers add their own.
        self._signature = jws.JWSRegistry(algorithms=ALGORITHMS, strict_check_header=False)
        self._claims = JWTClaimsRegistry(
            leeway=LEEWAY_SECONDS,
            iss={"essential": True, "value": settings.oidc_issuer},
            aud={"essential": True, "value": settings.oidc_audience},
            exp={"essential": True},
            sub={"essential": True},
        )
        self._remembered: dict[bytes, _Verified] = {}  # the least recently used first

    async def __call__(self, token: str) -> Caller:
        """Return the caller. Raises Refused or IssuerUnavailable."""
        digest = sha256(token.encode()).digest()
        known = self._remembered.pop(digest, None)
        # Keys that are fetched again are new objects: what they signed is verified anew.
        if not known or known.expires_at < time.time() or await self._keys.find(known.key_id) is not known.key:
            known = await self._verify(token)
        self._remembered[digest] = known
        if len(self._remembered) > MAX_REMEMBERED:
            del self._remembered[next(iter(self._remembered))]
        return known.caller

    async def _verify(self, token: str) -> _Verified:
        try:
            signed = jws.extract_compact(token.encode(), None, self._signature)
            header = signed.headers()
            self._signature.check_header(header)
            self._signature.get_alg(header["alg"])  # before its key is looked for: no question for a hopeless token
            key = await self._keys.find(header.get("kid"))
            if not jws.validate_compact(signed, key, registry=self._signature):
                raise Refused("invalid_token", "The token's signature is not good.")
            claims = _object(signed.payload)
            self._claims.validate(claims)
            caller = Caller(_subject(claims["sub"]), _permissions(claims))
            return _Verified(header.get("kid"), key, claims["exp"] + LEEWAY_SECONDS, caller)
        except ExpiredTokenError as error:
            raise Refused("expired_token", "The token has expired.") from error
        except InvalidClaimError as error:
            raise Refused("invalid_token", f"The token's claim {error.claim} is not right.") from error
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            raise Refused("invalid_token", "The token is not one that we accept.") from error


def _object(payload: bytes | None) -> dict[str, Any]:
    claims = orjson.loads(payload or b"")
    if not isinstance(claims, dict):
        raise TypeError("not an object")
    return claims


def _subject(subject: str) -> str:
    if not _SUBJECT.fullmatch(subject):
        raise ValueError("not a subject")
    return subject


def _permissions(claims: dict[str, Any]) -> frozenset[str]:
    scope = claims.get("scope", "")
    return frozenset(scope.split() if isinstance(scope, str) else ())


@cache
def _trusted() -> ssl.SSLContext:
    return httpx2.create_ssl_context()  # takes 20 ms: once is enough


@asynccontextmanager
async def verifier(settings: OidcSettings, _: AsyncEngine) -> AsyncIterator[Verifier]:
    """Return what verifies tokens, for as long as the service runs. The keys are asked for at once."""
    async with httpx2.AsyncClient(verify=_trusted(), timeout=TIMEOUT_SECONDS, follow_redirects=False) as client:
        keys = KeySource(settings.oidc_issuer, client)
        keys.ask_in_background()
        try:
            yield TokenVerifier(settings, keys)
        finally:
            await keys.close()
