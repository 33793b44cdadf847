"""Runs both servers and the load, by turns, and prints what it found. Runs in a service's folder and environment.

The servers have the first core, PostgreSQL and the load the second: requests a second are those of one core.
CPU for a request is the server's own, user and system, from /proc.
"""

import argparse
import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path.cwd()), str(Path.cwd() / "src")]

from alembic import command

from app.chassis.settings import load
from app.settings import Settings
from dev import credentials, database, environment, postgres

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
SERVERS, OTHERS = {0}, {1}
KEY = "00000000-0000-0000-0000-000000000000"
ORDER = {
    "reference": "PO-2041",
    "currency": "EUR",
    "lines": [
        {"sku": "anchor-20kg", "quantity": 2, "unit_price_cents": 12900},
        {"sku": "rope-10m", "quantity": 1, "unit_price_cents": 2450},
    ],
}
LAYERS = {
    "request id": "RequestId",
    "access log": "AccessLog",
    "security headers": "SecurityHeaders",
    "error boundary": "Boundary",
    "trusted hosts": "TrustedHosts",
    "authentication": "Bearer",
    "rate limit": "RateLimit",
    "body and time limits": "Limits",
    "header limits (protocol)": "Protocol",
    "kill switch": "flags",
    "idempotency": "",  # no key is sent
}
ENVIRONMENT = {
    "LOG_FORMAT": "json",
    "DATABASE_POOL_SIZE": "5",
    # Counted as always, and never used up.
    "RATE_LIMIT_READS": "1000000000",
    "RATE_LIMIT_WRITES": "1000000000",
    "TRACE_SAMPLE_RATIO": "0.1",
}
SAMPLED = ("0", "0.1", "1")


class Scenario(NamedTuple):
    name: str
    goal: float | None
    request: str
    expected: str
    bare: str | None = None
    """What the bare server is asked, if it is not the same."""


class Result(NamedTuple):
    requests_per_second: float
    cpu_microseconds: float


class Server(NamedTuple):
    process: subprocess.Popen[bytes]
    port: int

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


@contextlib.contextmanager
def serving(program: str, log: Path, without: str = "", **settings: str) -> Iterator[Server]:
    port = free_port()
    env = os.environ | {"PORT": str(port), "BENCH_WITHOUT": without, "PYTHONPATH": f"{Path.cwd()}:{Path.cwd() / 'src'}"}
    env |= settings
    with log.open("w") as output:
        process = subprocess.Popen(["taskset", "-c", "0", sys.executable, str(HERE / program)], env=env, stdout=output)
    try:
        for _ in range(600):
            with contextlib.suppress(ConnectionRefusedError), socket_to(port):
                break
            if process.poll() is not None:
                sys.exit(f"{program} ended: {log.read_text()}")
            time.sleep(0.05)
        yield Server(process, port)
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def socket_to(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port))


@contextlib.contextmanager
def collecting() -> Iterator[str]:
    """Run a collector of traces, beside the load."""
    port = free_port()
    process = subprocess.Popen([sys.executable, str(HERE / "collector.py"), str(port)], stderr=subprocess.DEVNULL)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def scenarios(token: str, writer: str) -> list[Scenario]:
    body = json.dumps(ORDER)

    def request(line: str, token: str = "", more: str = "", body: str = "") -> str:
        authorization = f"Authorization: Bearer {token}\r\n" if token else ""
        return f"{line} HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n{authorization}{more}\r\n{body}"

    plain = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    write = request("POST /orders", writer, plain, body)
    once = request("POST /orders", writer, f"{plain}Idempotency-Key: {KEY}\r\n", body)
    return [
        Scenario("small JSON answer", 0.5, request("GET /bench"), "200"),
        Scenario("authenticated list of ten", 0.85, request("GET /orders?limit=10", token), "200"),
        Scenario("idempotent write", 0.85, once, "201"),
        Scenario("write without a key", None, write, "201"),
        Scenario("idempotent write, against one that is not", None, once, "201", bare=write),
    ]


def measure(server: Server, scenario: Scenario, seconds: float, connections: int) -> Result:
    given = {
        "port": server.port,
        "seconds": seconds,
        "connections": connections,
        "request": scenario.request,
        "expected": scenario.expected,
    }
    before = server.cpu_seconds()
    # With our affinity: the second core.
    load = subprocess.run(
        [sys.executable, str(HERE / "load.py")], input=json.dumps(given), capture_output=True, text=True, check=False
    )
    if load.returncode:
        sys.exit(load.stderr)
    answered, took = json.loads(load.stdout)
    return Result(answered / took, (server.cpu_seconds() - before) / answered * 1e6)


def spread(values: list[float], digits: int = 0) -> str:
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def compare(scenarios: list[Scenario], arguments: argparse.Namespace, logs: Path) -> None:
    with serving("bare.py", logs / "bare") as bare, serving("hardened.py", logs / "hardened") as hardened:
        results: dict[str, list[tuple[Result, Result]]] = {scenario.name: [] for scenario in scenarios}
        for round_ in range(-1, arguments.rounds):
            for scenario in scenarios:
                pair = [bare, hardened] if round_ % 2 else [hardened, bare]
                asked = {hardened: scenario, bare: scenario._replace(request=scenario.bare or scenario.request)}
                found = {each: measure(each, asked[each], arguments.seconds, arguments.connections) for each in pair}
                if round_ >= 0:  # the first one only warms up
                    results[scenario.name].append((found[bare], found[hardened]))
    if arguments.json:
        arguments.json.write_text(json.dumps(results))
        return
    print("| | bare req/s | hardened req/s | ratio | goal | bare CPU µs | hardened CPU µs | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    for scenario in scenarios:
        pairs = results[scenario.name]
        rates = spread([hard.requests_per_second / soft.requests_per_second for soft, hard in pairs], 2)
        costs = spread([soft.cpu_microseconds / hard.cpu_microseconds for soft, hard in pairs], 2)
        print(
            f"| {scenario.name} | {spread([soft.requests_per_second for soft, _ in pairs])} "
            f"| {spread([hard.requests_per_second for _, hard in pairs])} | **{rates}** | {f'≥ {scenario.goal}' if scenario.goal else ''} "
            f"| {spread([soft.cpu_microseconds for soft, _ in pairs])} "
            f"| {spread([hard.cpu_microseconds for _, hard in pairs])} | {costs} |",
            flush=True,
        )


def telemetry(scenarios: list[Scenario], arguments: argparse.Namespace, logs: Path) -> None:
    print("\nWhat sending traces and metrics costs: CPU of a request, against the same with OTLP_ENDPOINT off.\n")
    print(f"| | off, µs | {' | '.join(f'{float(share):.0%} sampled' for share in SAMPLED)} |")
    print(f"|---|---|{'---|' * len(SAMPLED)}")
    with contextlib.ExitStack() as stack:
        off = stack.enter_context(serving("hardened.py", logs / "off", OTLP_ENDPOINT="off"))
        sampled = [
            stack.enter_context(serving("hardened.py", logs / f"sampled-{share}", TRACE_SAMPLE_RATIO=share))
            for share in SAMPLED
        ]
        for scenario in scenarios:
            ratios: list[list[float]] = [[] for _ in SAMPLED]
            base = []
            for round_ in range(-1, arguments.rounds):
                servers = [off, *sampled][:: 1 if round_ % 2 else -1]
                took = {each: measure(each, scenario, arguments.seconds, arguments.connections) for each in servers}
                if round_ >= 0:
                    base.append(took[off].cpu_microseconds)
                    for found, each in zip(ratios, sampled, strict=True):
                        found.append(took[each].cpu_microseconds / took[off].cpu_microseconds)
            cells = " | ".join(f"× {spread(each, 2)}" for each in ratios)
            print(f"| {scenario.name} | {spread(base)} | {cells} |", flush=True)


def layers(scenarios: list[Scenario], arguments: argparse.Namespace, logs: Path) -> None:
    print(
        "\nWhat each layer costs: CPU µs of a request, with it minus without it: median and quartiles of the rounds.\n"
    )
    print(f"| without | {' | '.join(scenario.name for scenario in scenarios)} |")
    print(f"|---|{'---|' * len(scenarios)}")
    for name, without in LAYERS.items():
        # Both fresh: a process that has served for a while costs more.
        with (
            serving("hardened.py", logs / "whole") as whole,
            serving("hardened.py", logs / "part", without) as part,
        ):
            cells = []
            for scenario in scenarios:
                request = scenario.request if without else scenario.request.replace(f"Idempotency-Key: {KEY}\r\n", "")
                differences = []
                for round_ in range(-1, 2 * arguments.rounds):
                    pair = [(whole, scenario), (part, scenario._replace(request=request))][:: 1 if round_ % 2 else -1]
                    found = {
                        server: measure(server, each, arguments.seconds / 2, arguments.connections).cpu_microseconds
                        for server, each in pair
                    }
                    if round_ >= 0:
                        differences.append(found[whole] - found[part])
                cells.append(quartiles(differences))
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def quartiles(values: list[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.0f} ({low:.0f}…{high:.0f})"


async def tokens(settings: Settings) -> list[str]:
    permissions = ["orders:read", "orders:write"]
    return [str(await credentials.token(settings, subject, permissions)) for subject in ("bench", "writer")]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each measurement")
    parser.add_argument("--connections", type=int, default=16)
    parser.add_argument("--layers", action="store_true", help="also without each layer in turn")
    parser.add_argument("--json", type=Path, help="write what each round found there, and nothing else")
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, OTHERS)
    os.environ.update(ENVIRONMENT)
    environment.load(".env.example")
    with contextlib.ExitStack() as stack:
        logs = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server = stack.enter_context(postgres.temporary([]))
        stack.enter_context(database.address(database.create(server, "bench")))
        command.upgrade(database.alembic(), "heads")
        stack.enter_context(credentials.temporary())
        os.environ["OTLP_ENDPOINT"] = stack.enter_context(collecting())
        reader, writer = asyncio.run(tokens(load(Settings)))
        every = scenarios(reader, writer)
        with serving("hardened.py", logs / "filling") as filled:  # with what there is to list
            fill = every[2]._replace(request=every[2].request.replace(writer, reader))
            measure(filled, fill, 1, 1)
        wanted = [scenario for scenario in every if arguments.only in scenario.name]
        print("With metrics, and traces sampled at 10 %.\n")
        compare(wanted, arguments, logs)
        if arguments.json:
            return
        telemetry([scenario for scenario in wanted if scenario.goal], arguments, logs)
        if arguments.layers:
            layers([scenario for scenario in wanted if scenario.goal], arguments, logs)


if __name__ == "__main__":
    main()
