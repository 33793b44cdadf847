"""Transactions of a request that has to let go of the database in between: to wait for somebody else."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

type Begin = Callable[[], AbstractAsyncContextManager[AsyncSession]]
"""Opens a transaction, which commits at the end of the context and rolls back where that raises."""


async def _begin(request: Request) -> Begin:
    @contextlib.asynccontextmanager
    async def transaction() -> AsyncIterator[AsyncSession]:
        async with AsyncSession(request.app.state.engine, expire_on_commit=False) as session, session.begin():
            yield session

    return transaction


Transactions = Annotated[Begin, Depends(_begin)]
"""Ask for it in a route, instead of `Session`: `async with begin() as session: …`, as often as it takes."""
