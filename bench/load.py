"""Sends one request again and again over some connections, as fast as they are answered, and counts.

Plain sockets, prepared bytes: it must cost less than what it measures. Prints how many were answered, in how long.
"""

import asyncio
import itertools
import json
import sys
import time

KEY = b"00000000-0000-0000-0000-000000000000"
"""Stands where each request has a key of its own."""


class Client(asyncio.Protocol):
    def __init__(self, requests: "itertools.count[int]", template: bytes, expected: bytes, run: int) -> None:
        self.requests, self.template, self.expected, self.run = requests, template, expected, run
        self.answered, self.going, self.buffer = 0, True, bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.send()

    def send(self) -> None:
        request = self.template
        if KEY in request:
            request = request.replace(KEY, b"%016x-%016x" % (self.run, next(self.requests)))
        self.transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = bytes(self.buffer[:end]).lower()
        length = int(head.split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return
        if not head.startswith(b"http/1.1 " + self.expected):
            sys.exit(f"Unexpected answer: {bytes(self.buffer)!r}")
        self.buffer.clear()
        self.answered += 1
        if self.going:
            self.send()
        else:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self.going:
            sys.exit(f"Connection lost: {error}")


async def main(port: int, seconds: float, connections: int, template: bytes, expected: bytes) -> None:
    loop, requests, run = asyncio.get_running_loop(), itertools.count(), time.time_ns()
    clients = [Client(requests, template, expected, run) for _ in range(connections)]
    began = time.perf_counter()
    for client in clients:
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
    await asyncio.sleep(seconds)
    for client in clients:
        client.going = False
    answered, took = sum(client.answered for client in clients), time.perf_counter() - began
    await asyncio.sleep(0.3)  # the last answers
    print(json.dumps([answered, took]))


if __name__ == "__main__":
    given = json.loads(sys.stdin.read())
    asyncio.run(
        main(
            given["port"], given["seconds"], given["connections"], given["request"].encode(), given["expected"].encode()
        )
    )
