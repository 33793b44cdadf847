"""Update a service, and see what that left in it."""

from pathlib import Path

import copier

from tests.services import git


def update(service: Path, context_lines: int = 100_000) -> None:
    """As `make template-update` does it, but in process, where nothing can be trusted by mistake."""
    copier.run_update(service, defaults=True, overwrite=True, quiet=True, context_lines=context_lines)


def tree(service: Path) -> dict[str, tuple[int, bytes]]:
    """Path -> mode and content."""
    return {str(file.relative_to(service)): (file.stat().st_mode, file.read_bytes()) for file in files(service)}


def difference(one: dict[str, tuple[int, bytes]], other: dict[str, tuple[int, bytes]]) -> set[str]:
    return {path for path in {*one, *other} if one.get(path) != other.get(path)}


def unmerged(service: Path) -> list[str]:
    return git(service, "diff", "--name-only", "--diff-filter=U").splitlines()


def marked(service: Path) -> list[str]:
    """What a conflict leaves in the files, or beside them."""
    return [str(file) for file in files(service) if file.suffix == ".rej" or b"\n<<<<<<< before" in file.read_bytes()]


def files(service: Path) -> list[Path]:
    return [file for file in service.rglob("*") if file.is_file() and ".git" not in file.relative_to(service).parts]
