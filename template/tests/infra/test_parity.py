"""Staging and prod are the same but for the values that are listed: what runs in the one runs in the other."""

import re
from pathlib import Path

import pytest

from tests.infra.values import lines, values

pytestmark = pytest.mark.row("deliver.parity")

STAGING, PROD = Path("infra/staging"), Path("infra/prod")
LIST = Path("infra/may-differ.txt")
# What only the owner of a service may want: nothing is missing without it.
MAY_BE_LEFT_OUT = {"secret_settings", "pager"}


def test_only_listed_values_differ() -> None:
    may_differ = {line.split()[0] for line in lines(LIST)} | {"host"}
    staging, prod = (values(root / "terraform.tfvars") for root in (STAGING, PROD))
    differ = {name for name in staging.keys() | prod.keys() if staging.get(name) != prod.get(name)}
    assert differ - may_differ == set(), f"differ between staging and prod, and {LIST} does not list them"


def test_what_may_differ_says_why() -> None:
    assert [line for line in lines(LIST) if len(line.split()) < 3] == []


def test_both_are_made_of_the_same() -> None:
    staging, prod = ({path.name: path.read_text() for path in root.glob("*.tf")} for root in (STAGING, PROD))
    assert staging.keys() == prod.keys()
    assert [name for name, text in staging.items() if prod[name] != text] == []


@pytest.mark.row("deliver.env")
def test_no_environment_falls_back_to_a_default() -> None:
    """A value that is forgotten stops the plan, as a setting that is forgotten stops the start."""
    files = [path for root in (STAGING, PROD, Path("infra/service")) for path in root.glob("*.tf")]
    blocks = [
        (found[1], found[0])
        for path in files
        for found in re.finditer(
            r'^variable "(\w+)" \{(?:[^\n]*\}$|\n.*?^\})', path.read_text(), re.MULTILINE | re.DOTALL
        )
    ]
    assert len(blocks) > 20
    assert {name for name, block in blocks if re.search(r"\bdefault\s*=", block)} <= MAY_BE_LEFT_OUT
