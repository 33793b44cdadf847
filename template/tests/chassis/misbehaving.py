"""An HTTP server on a real socket that behaves as badly as it is told."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import NamedTuple


class Asked(NamedTuple):
    """A request as it came."""

    line: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[asyncio.StreamWriter], Awaitable[None]]


class Server:
    """Answers with `behaviour`, and remembers what it was asked."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.asked: list[Asked] = []
        self.at_once = 0
        """How many requests it was working on at the same time, at most."""
        self.url = ""
        self.leave: Callable[[], None] = lambda: None
        """Listen no longer: whoever comes now is refused."""
        self._working = 0

    @contextlib.asynccontextmanager
    async def serve(self) -> AsyncIterator["Server"]:
        """Serve until the context ends. Whoever is still being served then is cut off."""
        connections: set[asyncio.Task[None]] = set()

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(self._serve(reader, writer))
            connections.add(task)
            task.add_done_callback(connections.discard)

        server = await asyncio.start_server(connected, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        self.leave = server.close
        try:
            yield self
        finally:
            server.close()
            for each in connections:
                each.cancel()
            if connections:
                await asyncio.wait(connections)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.closing(writer), contextlib.suppress(OSError, EOFError, ValueError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                line, *fields = head.strip().split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (each.partition(":") for each in fields)}
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                self.asked.append(Asked(line, headers, body))
                self._working += 1
                self.at_once = max(self.at_once, self._working)
                try:
                    await self.behaviour(writer)
                finally:
                    self._working -= 1
                await writer.drain()


def answers(body: bytes, status: int = 200, **headers: str) -> Behaviour:
    """Answer with this, whatever was asked."""

    async def behave(writer: asyncio.StreamWriter) -> None:
        fields = {"Content-Length": str(len(body))} | {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        writer.write(f"HTTP/1.1 {status} -\r\n{head}\r\n".encode() + body)

    return behave


async def is_slow(_: asyncio.StreamWriter) -> None:
    """Say nothing for a long time."""
    await asyncio.sleep(60)


async def trickles(writer: asyncio.StreamWriter) -> None:
    """Answer a byte at a time: no single wait is long, and there is no end to them."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)


async def resets(writer: asyncio.StreamWriter) -> None:
    """Break the connection as a machine that fell over does."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
    raise EOFError


async def hangs_up(writer: asyncio.StreamWriter) -> None:
    """Break off in the middle of an answer."""
    writer.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"val')
    await writer.drain()
    raise EOFError


async def never_ends(writer: asyncio.StreamWriter) -> None:
    """Answer with more than anybody can take."""
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()


async def speaks_no_http(writer: asyncio.StreamWriter) -> None:
    """Answer in another language."""
    writer.write(b"220 mail.example.com ESMTP\r\n")
    await writer.drain()
    raise EOFError
