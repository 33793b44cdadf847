"""Tokens of a real issuer, over HTTP: good ones, forged ones, and an issuer that changes its keys or is away."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any

import pytest
from httpx2 import AsyncClient, Response
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, RSAKey

from app.chassis.security import oidc
from app.chassis.settings import load
from app.settings import Settings
from dev.environment import PROJECT
from dev.oidc import Issuer, own_key
from tests.chassis.guarded import router
from tests.chassis.process import serving

pytestmark = pytest.mark.row("security.authn")

OTHER_KEY = RSAKey.generate_key(2048, auto_kid=True)


class CountingIssuer(Issuer):
    """An issuer that counts how often it is asked for its keys."""

    asked = 0
    published: Any = None
    calls_itself: str | None = None

    def answer(self, path: str) -> Any:
        """Answer as any issuer, unless told what to say."""
        if path == "/keys":
            self.asked += 1
            if self.published is not None:
                return self.published
        elif self.calls_itself:
            return super().answer(path) | {"issuer": self.calls_itself}
        return super().answer(path)

    def claims(self, **changes: Any) -> dict[str, Any]:
        """Return the claims of a good token, changed."""
        claims = {"iss": self.url, "aud": "test", "sub": "ada", "scope": "guarded:read", "exp": int(time.time()) + 60}
        return {name: value for name, value in (claims | changes).items() if value is not None}


@pytest.fixture(autouse=True)
def guarded(probe: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Serve the guarded routes."""
    monkeypatch.setattr("app.main.routers", [router])


@pytest.fixture
def ours(monkeypatch: pytest.MonkeyPatch) -> Iterator[CountingIssuer]:
    """The issuer that the service trusts."""
    issuer = CountingIssuer("http://127.0.0.1", own_key())
    with issuer.serve():
        monkeypatch.setenv("OIDC_ISSUER", issuer.url)
        monkeypatch.setenv("OIDC_AUDIENCE", "test")
        yield issuer


@pytest.fixture
async def service(ours: CountingIssuer, settings_without_database: Settings) -> AsyncIterator[AsyncClient]:
    """A client of a service that trusts it."""
    async with serving(load(Settings)) as client:
        yield client


@asynccontextmanager
async def service_of(issuer: str) -> AsyncIterator[AsyncClient]:
    """A client of a service that trusts the issuer at this address."""
    async with serving(load(Settings).model_copy(update={"oidc_issuer": issuer})) as client:
        yield client


async def call(client: AsyncClient, token: str) -> Response:
    return await client.get("/guarded", headers={"Authorization": f"Bearer {token}"})


def assert_refused(answer: Response, code: str = "invalid_token") -> None:
    assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.UNAUTHORIZED, code)
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')


async def test_a_good_token(ours: CountingIssuer, service: AsyncClient) -> None:
    for claims in ({}, {"aud": ["other", "test"]}, {"exp": time.time() + 1.5}, {"nbf": int(time.time()) + 20}):
        answer = await call(service, ours.sign(ours.claims(**claims)))
        assert (answer.status_code, answer.json()) == (HTTPStatus.OK, "ada")
    assert ours.asked == 1


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"exp": 1}, "expired_token"),
        ({"exp": None}, "invalid_token"),
        ({"exp": "tomorrow"}, "invalid_token"),
        ({"exp": True}, "invalid_token"),
        ({"nbf": 2**40}, "invalid_token"),
        ({"iat": 2**40}, "invalid_token"),
        ({"aud": "another"}, "invalid_token"),
        ({"aud": ["another"]}, "invalid_token"),
        ({"aud": None}, "invalid_token"),
        ({"aud": {"test": 1}}, "invalid_token"),
        ({"iss": "http://127.0.0.1"}, "invalid_token"),
        ({"iss": None}, "invalid_token"),
        ({"sub": None}, "invalid_token"),
        ({"sub": ""}, "invalid_token"),
        ({"sub": 5}, "invalid_token"),
        ({"sub": "x" * 256}, "invalid_token"),
        ({"sub": "nul \0 byte"}, "invalid_token"),
    ],
    ids=str,
)
async def test_a_token_for_somebody_or_some_time_else(
    ours: CountingIssuer, service: AsyncClient, changes: dict[str, Any], code: str
) -> None:
    claims = ours.claims(**changes)
    header = {"alg": "RS256", "kid": ours.keys[0].kid}
    token = jws.serialize_compact(header, json.dumps(claims), ours.keys[0], algorithms=["RS256"])
    assert_refused(await call(service, token), code)


async def test_a_token_of_more_bytes_than_we_read(ours: CountingIssuer, service: AsyncClient) -> None:
    assert (await call(service, ours.sign(ours.claims(padding="x" * 4000)))).status_code == HTTPStatus.OK
    assert_refused(await call(service, ours.sign(ours.claims(padding="x" * 8000))))


async def test_clocks_may_differ_a_little(ours: CountingIssuer, service: AsyncClient) -> None:
    for name, past, future in (("exp", 60, 15), ("nbf", -60, -15), ("iat", -60, -15)):
        now = int(time.time())
        assert (
            await call(service, ours.sign(ours.claims(**{name: now - past})))
        ).status_code == HTTPStatus.UNAUTHORIZED
        assert (await call(service, ours.sign(ours.claims(**{name: now - future})))).status_code == HTTPStatus.OK


async def test_a_good_token_is_verified_once(
    ours: CountingIssuer, service: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    verified: list[object] = []
    validate = jws.validate_compact

    def count(signed: Any, *about: Any, **more: Any) -> bool:
        verified.append(signed)
        return validate(signed, *about, **more)

    monkeypatch.setattr("joserfc.jws.validate_compact", count)
    good = ours.sign(ours.claims())
    for _ in range(3):
        assert (await call(service, good)).json() == "ada"
    assert len(verified) == 1
    head, body, signature = good.split(".")
    assert_refused(await call(service, f"{head}.{body}.{signature[:-4]}AAAA"))


async def test_a_remembered_token_expires(
    ours: CountingIssuer, service: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = ours.sign(ours.claims(exp=int(time.time()) + 60))
    assert (await call(service, token)).status_code == HTTPStatus.OK
    later = time.time() + 60 + oidc.LEEWAY_SECONDS + 2
    monkeypatch.setattr("time.time", lambda: later)
    assert_refused(await call(service, token), "expired_token")


async def test_a_remembered_token_goes_with_its_key(
    ours: CountingIssuer, service: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = ours.sign(ours.claims())
    assert (await call(service, token)).status_code == HTTPStatus.OK
    # The issuer has another key under the same id, and is asked again as ever.
    ours.keys = [RSAKey.import_key(OTHER_KEY.as_dict(private=True) | {"kid": str(ours.keys[0].kid)})]
    monkeypatch.setattr(oidc, "FRESH_SECONDS", 0)
    monkeypatch.setattr(oidc, "PAUSE_SECONDS", 0)
    async with asyncio.timeout(5):
        while (await call(service, token)).status_code == HTTPStatus.OK:  # noqa: ASYNC110 (the issuer's in a thread)
            await asyncio.sleep(0.01)
    assert_refused(await call(service, token))


async def test_no_more_tokens_are_remembered_than_there_is_room_for(
    ours: CountingIssuer, settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "MAX_REMEMBERED", 3)
    async with oidc.verifier(load(Settings), None) as verify:  # type: ignore[arg-type]
        assert isinstance(verify, oidc.TokenVerifier)
        tokens = [ours.sign(ours.claims(jti=str(number))) for number in range(5)]
        for token in [*tokens, *tokens]:
            assert (await verify(token)).subject == "ada"
        assert len(verify._remembered) == 3  # noqa: SLF001 (what a crowd must not fill)


@pytest.mark.parametrize("scope", [None, "", "guarded:readx", ["guarded:read"], 5])
async def test_permissions_are_the_words_of_scope(ours: CountingIssuer, service: AsyncClient, scope: Any) -> None:
    answer = await call(service, ours.sign(ours.claims(scope=scope)))
    assert answer.status_code == HTTPStatus.FORBIDDEN


def encode(part: object) -> str:
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


async def test_a_token_that_nobody_signed(ours: CountingIssuer, service: AsyncClient) -> None:
    key, claims = ours.keys[0], ours.claims()
    good = ours.sign(claims)
    head, body, signature = good.split(".")
    forged = [
        f"{encode({'alg': 'none', 'kid': key.kid})}.{body}.",
        f"{encode({'alg': 'None'})}.{body}.",
        f"{encode({'alg': 'none'})}.{body}.{signature}",
        f"{head}.{body}.",
        f"{head}.{encode(claims | {'sub': 'eve'})}.{signature}",
        f"{head}.{body}.{signature[:-4]}AAAA",
        # Signed well, with a key that the token itself brings or points to.
        jws.serialize_compact(
            {"alg": "RS256", "kid": key.kid, "jwk": OTHER_KEY.as_dict(private=False), "jku": "https://evil.example"},
            json.dumps(claims),
            OTHER_KEY,
            algorithms=["RS256"],
        ),
    ]
    for token in forged:
        assert_refused(await call(service, token))
    assert ours.asked <= 1


@pytest.mark.parametrize("key_id", ["the issuer's", "unknown"])
async def test_a_token_signed_with_what_everybody_knows(
    ours: CountingIssuer, service: AsyncClient, monkeypatch: pytest.MonkeyPatch, key_id: str
) -> None:
    """The classic (RFC 8725, 2.1): HS256, with the public key as the secret."""
    key = ours.keys[0]
    assert (await call(service, ours.sign(ours.claims()))).status_code == HTTPStatus.OK
    asked = ours.asked
    monkeypatch.setattr(oidc, "PAUSE_SECONDS", 0)
    header = {"alg": "HS256", "kid": key.kid if key_id == "the issuer's" else key_id}
    unsigned = f"{encode(header)}.{encode(ours.claims())}"
    public = key.as_pem(private=False)
    for secret in (public, public.strip(), json.dumps(key.as_dict(private=False)).encode()):
        token = f"{unsigned}.{encode(hmac.digest(secret, unsigned.encode(), 'sha256'))}"
        assert_refused(await call(service, token))
    assert ours.asked == asked, "nobody looks for the key of a token that is hopeless"


@pytest.mark.parametrize(
    "header",
    [
        *(b"[]", b'["alg"]', b'"alg"', b"5", b"{}", b"\xff", b"[" * 4000, b'{"alg":["RS256"]}'),
        *(b'{"alg":"RS256","kid":[1]}', b'{"alg":"RS256","crit":5}', b'{"alg":"RS256","crit":["exp"]}'),
        b'{"alg":"RS256","crit":["b64"],"b64":false}',
    ],
    ids=lambda header: header[:30].decode("latin-1"),
)
async def test_a_token_that_makes_no_sense(ours: CountingIssuer, service: AsyncClient, header: bytes) -> None:
    _, body, signature = ours.sign(ours.claims()).split(".")
    assert_refused(await call(service, f"{encode(header)}.{body}.{signature}"))
    for payload in (b"[]", b"5", b"\xff", b"[" * 4000):
        signed = jws.serialize_compact(
            {"alg": "RS256", "kid": ours.keys[0].kid}, payload, ours.keys[0], algorithms=["RS256"]
        )
        assert_refused(await call(service, signed))


async def test_other_algorithms_and_headers_of_the_issuers_own(ours: CountingIssuer, service: AsyncClient) -> None:
    elliptic = ECKey.generate_key("P-256", auto_kid=True)
    ours.keys = [ours.keys[0], elliptic]
    assert (await call(service, ours.sign(ours.claims(), "ES256"))).json() == "ada"
    header = {"alg": "ES256", "kid": elliptic.kid, "typ": "at+jwt", "x-issuers-own": "1"}
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    token = jws.serialize_compact(header, json.dumps(ours.claims()), elliptic, registry=registry)
    assert (await call(service, token)).json() == "ada"


async def test_a_new_key_is_fetched_when_it_is_first_used(
    ours: CountingIssuer, service: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = ours.sign(ours.claims())
    assert (await call(service, old)).status_code == HTTPStatus.OK
    ours.keys = [OTHER_KEY]
    monkeypatch.setattr(oidc, "PAUSE_SECONDS", 0)
    answers = await asyncio.gather(*(call(service, ours.sign(ours.claims())) for _ in range(10)))
    assert {answer.status_code for answer in answers} == {HTTPStatus.OK}
    monkeypatch.setattr(oidc, "PAUSE_SECONDS", 10)
    assert_refused(await call(service, old))  # withdrawn


async def test_a_storm_of_unknown_keys_does_not_reach_the_issuer(
    ours: CountingIssuer, service: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 5 <= oidc.PAUSE_SECONDS <= 60
    monkeypatch.setattr(oidc, "PAUSE_SECONDS", 600)  # however slow this machine is
    assert (await call(service, ours.sign(ours.claims()))).status_code == HTTPStatus.OK
    asked = ours.asked
    foreign = Issuer(ours.url, RSAKey.generate_key(2048))
    for number in range(50):
        foreign.keys[0] = RSAKey.import_key(OTHER_KEY.as_dict(private=True) | {"kid": f"unknown-{number}"})
        answer = await call(service, foreign.sign(ours.claims()))
        assert answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS)
    assert ours.asked == asked
    assert (await call(service, ours.sign(ours.claims()))).status_code == HTTPStatus.OK


async def test_keys_are_asked_for_again_without_making_anybody_wait(
    ours: CountingIssuer, service: AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = ours.sign(ours.claims())
    assert (await call(service, token)).status_code == HTTPStatus.OK
    monkeypatch.setattr(oidc, "FRESH_SECONDS", 0)
    monkeypatch.setattr(oidc, "PAUSE_SECONDS", 0)
    asked = ours.asked
    assert (await call(service, token)).status_code == HTTPStatus.OK
    async with asyncio.timeout(5):
        while ours.asked == asked:  # noqa: ASYNC110 (it counts in another thread)
            await asyncio.sleep(0.01)


async def test_known_keys_stay_good_while_the_issuer_is_away(
    settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OIDC_AUDIENCE", "test")
    issuer = CountingIssuer("http://127.0.0.1", own_key())
    with issuer.serve():
        service = service_of(issuer.url)
        client = await service.__aenter__()
        good = issuer.sign(issuer.claims())
        assert (await call(client, good)).status_code == HTTPStatus.OK
    monkeypatch.setattr(oidc, "FRESH_SECONDS", 0)
    monkeypatch.setattr(oidc, "PAUSE_SECONDS", 0)
    try:
        for _ in range(3):
            assert (await call(client, good)).status_code == HTTPStatus.OK
        # A key that we do not know may be a new one: we cannot tell, and say so.
        unknown = await call(client, Issuer(issuer.url, OTHER_KEY).sign(issuer.claims()))
        assert (unknown.status_code, unknown.json()["code"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "issuer_unavailable")
        assert unknown.headers["retry-after"]
        assert "issuer does not answer" in capsys.readouterr().out
        monkeypatch.setattr(oidc, "STALE_SECONDS", 0)
        assert (await call(client, good)).status_code == HTTPStatus.SERVICE_UNAVAILABLE
    finally:
        await service.__aexit__(None, None, None)


async def test_the_service_starts_without_the_issuer_and_says_that_it_cannot_tell(
    settings_without_database: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OIDC_AUDIENCE", "test")
    issuer = CountingIssuer("http://127.0.0.1", own_key())
    with issuer.serve():
        pass
    async with service_of(issuer.url) as client:
        answer = await call(client, issuer.sign(issuer.claims()))
        assert (answer.status_code, answer.json()["code"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "issuer_unavailable")
        assert (await client.get("/guarded/open")).status_code == HTTPStatus.OK
        monkeypatch.setattr(oidc, "PAUSE_SECONDS", 0)
        again = CountingIssuer(issuer.url, own_key())
        with again.serve():
            assert (await call(client, issuer.sign(issuer.claims()))).status_code == HTTPStatus.OK


NONSENSE: dict[str, Any] = {
    "a list": [],
    "an object without keys": {},
    "no keys": {"keys": []},
    "no objects": {"keys": ["x", 5, {}]},
    "half a key": {"keys": [{"kty": "RSA"}]},
    "a number": {"keys": 5},
    "a word": "keys",
    "a secret": {"keys": [OctKey.generate_key(256).as_dict(private=True)]},
    "a key for something else": {"keys": [OTHER_KEY.as_dict(private=False, use="enc")]},
}


@pytest.mark.parametrize("what", NONSENSE)
async def test_an_issuer_that_publishes_nonsense(
    ours: CountingIssuer, settings_without_database: Settings, what: str
) -> None:
    ours.published = NONSENSE[what]
    async with service_of(ours.url) as client:
        assert (await call(client, ours.sign(ours.claims()))).status_code == HTTPStatus.SERVICE_UNAVAILABLE


async def test_an_issuer_that_calls_itself_something_else(
    ours: CountingIssuer, settings_without_database: Settings
) -> None:
    ours.calls_itself = "https://other.example"
    async with service_of(ours.url) as client:
        assert (await call(client, ours.sign(ours.claims()))).status_code == HTTPStatus.SERVICE_UNAVAILABLE


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize(
    "issuer",
    [
        *("http://login.example.com", "http://127.0.0.1:8100", "https://127.0.0.1", "https://localhost:8100"),
        *("https://[::1]", "https://issuer.localhost", "https://0.0.0.0", "login.example.com"),
    ],
)
def test_no_development_issuer_outside_development(
    environment: str, issuer: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ENVIRONMENT", environment)
    monkeypatch.setenv("OIDC_ISSUER", issuer)
    with pytest.raises(SystemExit):
        load(Settings)
    assert "OIDC_ISSUER: " in capsys.readouterr().err
    monkeypatch.setenv("OIDC_ISSUER", "https://login.example.com/tenant")
    with pytest.raises(SystemExit):
        load(Settings)
    assert "OIDC_ISSUER: " not in capsys.readouterr().err


def test_the_development_issuer_is_not_in_the_image() -> None:
    taken = (PROJECT / ".dockerignore").read_text().split()
    assert taken[0] == "*"
    assert not any("dev" in each for each in taken)
