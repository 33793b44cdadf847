"""What revisions need beyond Alembic's own operations, and how `make migration` writes them."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from alembic import op
from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.operations import ops
from alembic.runtime.migration import MigrationContext
from alembic.util import rev_id
from sqlalchemy import text
from sqlalchemy.sql.elements import TextClause

from app.chassis.data.model import retired
from app.identity import NAME

SESSION = {
    "application_name": f"{NAME}-migrations",
    "timezone": "UTC",
    # While a revision waits for a lock, everybody else queues behind it: give up, and run it again later.
    "lock_timeout": "1s",
    "statement_timeout": "1min",
}
"""What every revision runs under. One that knows better begins with `op.execute("SET LOCAL statement_timeout = 0")`."""


def create_index(name: str, table: str, columns: Sequence[str | TextClause], **options: Any) -> None:
    """Create an index while the table is being written to. Takes the options of `op.create_index`.

    It works outside a transaction, so it has to be alone in its revision. Run again after a failure, it begins anew.
    """
    with _unhurried():
        if not op.get_context().as_sql and _is_invalid(name):
            op.drop_index(name, table, postgresql_concurrently=True)
        op.create_index(name, table, columns, postgresql_concurrently=True, if_not_exists=True, **options)


def drop_index(name: str, table_name: str | None = None, **options: Any) -> None:
    """Drop an index while the table is being used. The same conditions as for `create_index`."""
    with _unhurried():
        op.drop_index(name, table_name, postgresql_concurrently=True, if_exists=True, **options)


def backfill(statement: str) -> None:
    """Run the statement again and again, each time in a transaction of its own, until it changes no row.

    It takes a batch at a time: `UPDATE … WHERE id IN (SELECT id … WHERE … LIMIT 1000)`. One that changes all rows at
    once keeps them locked until it ends. Interrupted, it goes on where it was. Alone in its revision, like indexes.
    """
    with op.get_context().autocommit_block():
        if op.get_context().as_sql:
            op.execute(statement)
            return
        while op.get_bind().execute(text(statement)).rowcount:
            pass


@contextmanager
def _unhurried() -> Iterator[None]:
    """Lift the timeouts: it waits for running transactions, and stopped half-way it leaves an invalid index behind,
    which IF NOT EXISTS takes for the real one.
    """
    with op.get_context().autocommit_block():
        op.execute("SET lock_timeout = 0")
        op.execute("SET statement_timeout = 0")
        yield
        op.execute("RESET lock_timeout")
        op.execute("RESET statement_timeout")


def _is_invalid(name: str) -> bool:
    query = text("SELECT NOT indisvalid FROM pg_index WHERE indexrelid = to_regclass(quote_ident(:name))")
    return bool(op.get_bind().scalar(query, {"name": name}))


def is_compared(name: str | None, kind: str, parents: Mapping[Any, str | None]) -> bool:
    """Is this thing in the database one that the models should have? Alembic's `include_name`."""
    return kind != "column" or (parents["table_name"], name) not in retired()


class ConcurrentIndexOp(ops.MigrateOperation):
    """An index of a table that has rows, to be created or dropped by the functions above."""

    def __init__(self, index: ops.CreateIndexOp | ops.DropIndexOp) -> None:
        self.index = index


@renderers.dispatch_for(ConcurrentIndexOp)
def _render(context: AutogenContext, operation: ConcurrentIndexOp) -> str:
    function = "create_index" if isinstance(operation.index, ops.CreateIndexOp) else "drop_index"
    context.imports.add(f"from app.chassis.data.migrations import {function}")
    written = cast("str", renderers.dispatch(operation.index)(context, operation.index))
    return written.removeprefix("op.")


def concurrent_indexes(
    _: MigrationContext, __: str | Iterable[str | None] | Iterable[str], scripts: list[ops.MigrationScript]
) -> None:
    """Take the indexes of existing tables out of what autogenerate found, into a revision of their own.

    Alembic's `process_revision_directives`.
    """
    script = scripts[0]
    upgrade, downgrade = script.upgrade_ops, script.downgrade_ops
    if upgrade is None or downgrade is None:
        return
    indexes = list(_take_indexes(upgrade))
    if not indexes:
        return
    upgrade.reverse_into(downgrade)
    forward: list[ops.MigrateOperation] = [ConcurrentIndexOp(index) for index in indexes]
    back: list[ops.MigrateOperation] = [ConcurrentIndexOp(_reverse(index)) for index in reversed(indexes)]
    if upgrade.is_empty():
        script.upgrade_ops, script.downgrade_ops = ops.UpgradeOps(forward), ops.DowngradeOps(back)
        return
    scripts.append(
        ops.MigrationScript(
            rev_id(),
            ops.UpgradeOps(forward),
            ops.DowngradeOps(back),
            message=f"{script.message} (indexes)",
            head=script.rev_id,
            version_path=script.version_path,
        )
    )


def _take_indexes(upgrade: ops.UpgradeOps) -> Iterator[ops.CreateIndexOp | ops.DropIndexOp]:
    """Remove and return them, but those of tables that come or go, and those that go with a column."""
    whole = {each.table_name for each in upgrade.ops if isinstance(each, ops.CreateTableOp | ops.DropTableOp)}
    for table in [each for each in upgrade.ops if isinstance(each, ops.ModifyTableOps)]:
        if table.table_name in whole:
            continue
        loses_columns = any(isinstance(each, ops.DropColumnOp) for each in table.ops)
        for each in list(table.ops):
            if isinstance(each, ops.CreateIndexOp) or (isinstance(each, ops.DropIndexOp) and not loses_columns):
                table.ops.remove(each)
                yield each
        if table.is_empty():
            upgrade.ops.remove(table)


def _reverse(index: ops.CreateIndexOp | ops.DropIndexOp) -> ops.CreateIndexOp | ops.DropIndexOp:
    return index.reverse()
