"""`make reserved-names`: the names that a service cannot have, because its project would collide with what it uses."""

import keyword
import re
import subprocess
import sys
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import copier
import mypy
import yaml
from uv import find_uv_bin

ROOT = Path(__file__).parents[1]
FILE = ROOT / "reserved-names.yml"
HEADER = """\
# Keywords of Python, its standard modules and every package that a service installs. Written by `make reserved-names`.
# Names are only ever added: an update would replace the name of a service that carries a newly reserved one.
# One string: of a list, Copier renders every item, several times in an update, which takes longer than the merge.
"""


def python_names() -> set[str]:
    # Typeshed knows the modules of every version of Python, not only of this one.
    typeshed = Path(mypy.__file__).parent / "typeshed/stdlib/VERSIONS"
    return {*keyword.kwlist, *sys.stdlib_module_names, *re.findall(r"^\w+", typeshed.read_text(), re.MULTILINE)}


def package_names(template: Path = ROOT) -> set[str]:
    """Those of every feature, on the oldest Python, which needs the most."""
    every: dict[str, Any] = {"features": ["jobs", "upstream", "cache", "uploads"], "python_version": "3.12"}
    return {
        name
        for authentication in ("oidc", "api-keys")
        for name in locked(template, every | {"authentication": authentication})
    }


def locked(template: Path, answers: dict[str, Any]) -> list[str]:
    with tempfile.TemporaryDirectory() as service:
        copier.run_copy(str(template), service, data=answers, vcs_ref="HEAD", defaults=True, quiet=True)
        options = "--universal --python-version 3.12 --all-extras --group dev --no-annotate --no-header --quiet"
        command = [find_uv_bin(), "pip", "compile", *options.split(), "pyproject.toml"]
        requirements = subprocess.run(command, cwd=service, check=True, capture_output=True, text=True).stdout
    return re.findall(r"^[\w-]+", requirements, re.MULTILINE)


def possible(names: set[str]) -> set[str]:
    """The names in the spelling of the question, without those that it refuses anyway."""
    spelled = {name.lower().replace("_", "-") for name in names}
    return {name for name in spelled if re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) and len(name) <= 24}


def read() -> set[str]:
    return set(yaml.safe_load(FILE.read_text())["reserved_names"]["default"].split())


def main() -> None:
    names = sorted(read() | possible(python_names() | package_names()))
    FILE.write_text(HEADER + written(names))


def written(names: list[str]) -> str:
    lines = textwrap.wrap(" ".join(names), 116, break_on_hyphens=False)
    return "reserved_names:\n  type: str\n  when: false\n  default: >-\n" + "".join(f"    {line}\n" for line in lines)


if __name__ == "__main__":
    main()
