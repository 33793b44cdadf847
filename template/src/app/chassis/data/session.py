"""A database transaction for each request."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession


async def _transaction(request: Request) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(request.app.state.engine, expire_on_commit=False) as session, session.begin():
        yield session


Session = Annotated[AsyncSession, Depends(_transaction, scope="function")]
"""Ask for it in a route. It commits when the route returns, before the answer leaves ("function" scope): a client
that reads 201 can rely on it. It rolls back when the route raises.
"""
