"""Every promise says where it is kept, and the place is there: a failed check sends its reader to it."""

import tomllib

import pytest

from tests.conftest import ROOT

TEMPLATE = ROOT / "template"
ROWS = {
    f"{area}.{name}": row
    for file in sorted((TEMPLATE / "readiness/catalogue").glob("*.toml"))
    for area, rows in tomllib.loads(file.read_text()).items()
    for name, row in rows.items()
}
MADE = {"uv.lock", "legal/records.md"}
"""By other things than a file of that name in the template."""


@pytest.mark.parametrize("row", ROWS)
def test_it_says_where(row: str) -> None:
    where = [*ROWS[row].get("where", []), *ROWS[row].get("documents", [])]
    assert where
    for place in where:
        assert place in MADE or any((TEMPLATE / f"{place}{end}").exists() for end in ("", ".jinja")), place
