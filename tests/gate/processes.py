"""Which processes a command has started, however they detach themselves or rename themselves."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    pid: int
    started: int  # a pid alone may be somebody else's by now
    command: str


def running(mark: str, known: frozenset[Process] = frozenset()) -> frozenset[Process]:
    """Living processes that carry `mark` in environment, folder or command line; all below them; those of `known`."""
    parents: dict[Process, int] = {}
    found: set[Process] = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            # The name, in parentheses, may contain anything; from there: state, parent, … and the start as the 20th.
            status = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            process = Process(int(entry.name), int(status[19]), command)
            if status[0] == "Z":
                continue
            parents[process] = int(status[1])
            if mark in f"{command} {(entry / 'cwd').readlink()} {(entry / 'environ').read_text(errors='replace')}":
                found.add(process)
        except OSError:  # ended meanwhile, or another user's
            continue
    seen = {(process.pid, process.started) for process in known}
    found |= {process for process in parents if (process.pid, process.started) in seen}
    while more := {process for process, parent in parents.items() if parent in {p.pid for p in found}} - found:
        found |= more
    return frozenset(found)
