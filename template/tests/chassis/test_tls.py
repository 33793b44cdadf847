"""The database has to prove that it is the one.

The embedded server has no TLS: a stand-in answers PostgreSQL's SSLRequest and passes on what it decrypts.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from sqlalchemy import make_url, text

from app.chassis.data.engine import create_engine
from app.chassis.data.failures import DatabaseUnavailableError
from app.chassis.settings import load
from app.settings import Settings

pytestmark = pytest.mark.row("tls.everywhere")

SSL_REQUEST = b"\0\0\0\x08\x04\xd2\x16\x2f"


@contextlib.asynccontextmanager
async def tls_server(database_url: str, certificate: trustme.LeafCert | None) -> AsyncIterator[int]:
    """Serve the database with this certificate, or without TLS if there is none. Yields the port."""
    target = make_url(database_url)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    if certificate:
        certificate.configure_cert(context)

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(8) == SSL_REQUEST
        writer.write(b"S" if certificate else b"N")
        if not certificate:
            writer.close()
            return
        try:
            await writer.start_tls(context)
        except OSError:  # the client hung up: it did not trust us
            writer.close()
            return
        upstream = await asyncio.open_connection(target.host, target.port)
        await asyncio.gather(pass_on(reader, upstream[1]), pass_on(upstream[0], writer))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def encrypted(database_url: str, port: int, authorities: Path, monkeypatch: pytest.MonkeyPatch) -> bool | None:
    """Connect as production would. Is the connection encrypted?"""
    query = {"sslmode": "verify-full", "sslrootcert": str(authorities)}
    url = make_url(database_url).set(host="localhost", port=port, query=query)
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    engine = create_engine(load(Settings))
    try:
        async with engine.connect() as connection:
            assert await connection.scalar(text("SELECT 1")) == 1
            raw = (await connection.get_raw_connection()).driver_connection
            assert raw is not None
            transport = raw._transport  # noqa: SLF001 (asyncpg says it nowhere else)
            return transport.get_extra_info("ssl_object") is not None
    finally:
        await engine.dispose()


@pytest.fixture
def ours(tmp_path: Path) -> tuple[trustme.CA, Path]:
    """The authority that we trust, and the file that says so."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ours.pem")
    return authority, tmp_path / "ours.pem"


async def test_the_right_server_is_talked_to_in_secret(
    database_url: str, ours: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, file = ours
    async with tls_server(database_url, authority.issue_cert("localhost")) as port:
        assert await encrypted(database_url, port, file, monkeypatch)


@pytest.mark.parametrize("wrong", ["authority", "name", "no TLS"])
async def test_any_other_server_is_refused(
    database_url: str, ours: tuple[trustme.CA, Path], monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    authority, file = ours
    certificate = {
        "authority": trustme.CA().issue_cert("localhost"),
        "name": authority.issue_cert("another-database.example.com"),
        "no TLS": None,
    }[wrong]
    async with tls_server(database_url, certificate) as port:
        with pytest.raises(DatabaseUnavailableError):
            await encrypted(database_url, port, file, monkeypatch)


@pytest.mark.parametrize(
    "parameters",
    ["", "?sslmode=disable", "?sslmode=require", "?sslmode=prefer", "?sslmode=verify-ca", "?ssl=verify-full"],
)
def test_outside_development_nothing_else_starts(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], parameters: str
) -> None:
    monkeypatch.setenv("ENVIRONMENT", "staging")
    monkeypatch.setenv("DATABASE_URL", f"postgresql://app:hunter2@db.example.com/app{parameters}")
    with pytest.raises(SystemExit):
        load(Settings)
    told = capsys.readouterr().err
    assert "DATABASE_URL: " in told
    assert "verify-full" in told
    assert "hunter2" not in told


@pytest.mark.parametrize("parameters", ["?sslmode=require", "?sslmode=verify-ca", "?ssl=true", "?sslrootcert=/nowhere"])
def test_what_only_looks_safe_starts_nowhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], parameters: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", f"postgresql://app:hunter2@db.example.com/app{parameters}")
    with pytest.raises(SystemExit):
        load(Settings)
    assert "DATABASE_URL: " in capsys.readouterr().err


@pytest.mark.parametrize("parameters", ["?sslmode=verify-full", "?sslmode=verify-full&sslrootcert=system"])
async def test_the_machines_authorities_are_trusted_unless_a_file_is_named(settings: Settings, parameters: str) -> None:
    url = f"postgresql://app:secret@db.example.com/app{parameters}"
    engine = create_engine(settings.model_copy(update={"database_url": url}))
    await engine.dispose()
