"""Reads the little of Terraform's language that values are written in, as `terraform fmt` leaves it."""

import re
from collections.abc import Iterator
from pathlib import Path

# Outside of strings: what follows # is a comment.
_COMMENT = re.compile(r'^((?:[^"#]|"(?:[^"\\]|\\.)*")*)#.*$')


def lines(path: Path) -> list[str]:
    """Return the lines without comments and outer spaces, empty ones left out."""
    found = (_COMMENT.sub(r"\1", line).strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in found if line]


def values(path: Path) -> dict[str, str]:
    """Return what a .tfvars file assigns, parts of objects by their path: `{"database.class": '"db.t4g.micro"'}`.

    Raises ValueError for a line that is not understood: nothing is passed over.
    """
    found: dict[str, str] = {}
    above: list[str] = []
    for line in lines(path):
        if line == "}" and above:
            above.pop()
            continue
        matched = re.fullmatch(r'"?([\w-]+)"?\s*=\s*(.+?),?', line)
        if matched is None:
            raise ValueError(f"{path}: write one assignment a line, as terraform fmt does: {line}")
        name, value = matched.groups()
        key = ".".join([*above, name])
        if value == "{":
            above.append(name)
        elif value.startswith("{"):
            if not value.endswith("}"):
                raise ValueError(f"{path}: write {key} on one line, or each of its parts on its own")
            for part in re.findall(r'"?([\w-]+)"?\s*=\s*("(?:[^"\\]|\\.)*"|[^,}]+)', value[1:-1]):
                found[f"{key}.{part[0]}"] = part[1].strip()
        else:
            found[key] = value
    if above:
        raise ValueError(f"{path}: {'.'.join(above)} is not closed")
    return found


def resources(root: Path) -> Iterator[tuple[str, str, str]]:
    """Yield each resource below a folder: its type, where it stands, and its text."""
    for path in sorted(root.rglob("*.tf")):
        for found in re.finditer(
            r'^resource "(\w+)" "([\w-]+)" \{\n.*?^\}', path.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
        ):
            yield found[1], f"{path}: {found[1]}.{found[2]}", found[0]
