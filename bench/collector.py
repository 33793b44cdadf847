"""Takes spans and metrics and throws them away: what a service sends them to while it is measured."""

import asyncio
import re
import sys

LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while head := await reader.readuntil(b"\r\n\r\n"):
        if length := LENGTH.search(head):
            await reader.readexactly(int(length[1]))
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]), limit=2**20)
    await server.serve_forever()


asyncio.run(main())
