"""No SQL is built from strings: values are parameters, and names come from the models.

Ruff's S608 finds SELECT, INSERT, UPDATE and DELETE that are; this finds whatever is handed to the database as such.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dev.environment import PROJECT

pytestmark = pytest.mark.row("security.sql")

TAKES_SQL = {"text", "execute", "executemany", "exec_driver_sql", "fetch", "fetchrow", "fetchval", "scalar", "scalars"}


def built(source: str) -> Iterator[int]:
    """Yield the lines where a string that was put together is handed to something that takes SQL."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in TAKES_SQL and any(_is_built(part) for part in ast.walk(node.args[0])):
            yield node.lineno


def _is_built(node: ast.AST) -> bool:
    match node:
        case ast.FormattedValue() | ast.Call(func=ast.Attribute(attr="format")):
            return True
        case ast.BinOp(op=ast.Add() | ast.Mod(), left=left, right=right):
            return any(isinstance(each, ast.Constant) and isinstance(each.value, str) for each in (left, right))
    return False


def test_no_sql_is_built_from_strings() -> None:
    found = {str(path): list(built(path.read_text())) for path in (PROJECT / "src").rglob("*.py")}
    assert {path: lines for path, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "code",
    [
        'session.execute(text(f"SET ROLE {role}"))',
        'connection.fetch("SELECT * FROM orders WHERE id = " + order_id)',
        'text("DROP TABLE %s" % name)',
        'op.execute("ALTER TABLE {}".format(name))',
    ],
)
def test_it_is_found(code: str) -> None:
    assert list(built(code))


def test_ruff_finds_it_too() -> None:
    code = 'def query(name: str) -> str:\n    """Find."""\n    return "SELECT * FROM orders WHERE name = " + name\n'
    command = [sys.executable, "-m", "ruff", "check", "--stdin-filename", "src/app/orders/service.py", "-"]
    checked = subprocess.run(command, input=code, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert "S608" in checked.stdout
