"""What stands between the service and its database, and goes wrong."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator

from pydantic import PostgresDsn
from sqlalchemy import make_url

from app.settings import Settings


class Gateway:
    """Passes on what comes from either side, until it is told otherwise."""

    def __init__(self, host: str, port: int) -> None:
        self.address = (host, port)
        self.flowing = asyncio.Event()
        self.flowing.set()
        self.clients: list[asyncio.StreamWriter] = []
        self.forgotten: list[asyncio.StreamWriter] = []

    def forget(self) -> None:
        """Forget the connections that there are, as firewalls do: only who writes to one hears that it is gone."""
        self.forgotten = list(self.clients)

    @contextlib.contextmanager
    def silent(self) -> Iterator[None]:
        """Keep all connections, take new ones, and pass nothing on."""
        self.flowing.clear()
        yield
        self.flowing.set()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.clients.append(writer)
        from_server, to_server = await asyncio.open_connection(*self.address)
        await asyncio.gather(self._pass_on(reader, to_server, writer), self._pass_on(from_server, writer, writer))

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, client: asyncio.StreamWriter
    ) -> None:
        while data := await source.read(65536):
            await self.flowing.wait()
            if client in self.forgotten:
                client.transport.abort()
                break
            sink.write(data)
        sink.close()


@contextlib.asynccontextmanager
async def gateway_of(settings: Settings) -> AsyncIterator[tuple[Gateway, Settings]]:
    """Yield a gateway to the database of these settings, and the settings that lead through it."""
    direct = make_url(str(settings.database_url))
    gateway = Gateway(direct.host or "localhost", direct.port or 5432)
    async with await asyncio.start_server(gateway.accept, "127.0.0.1", 0) as listening:
        port = listening.sockets[0].getsockname()[1]
        url = direct.set(host="127.0.0.1", port=port).render_as_string(hide_password=False)
        yield gateway, settings.model_copy(update={"database_url": PostgresDsn(url)})
