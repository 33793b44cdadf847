"""The service's endpoints on FastAPI, SQLAlchemy and uvicorn, as short as one can write them, and nothing else.

The same models and bodies. Tokens are verified and keys remembered, because that is what "authenticated" and
"idempotent" mean, in the most obvious way, and no more.
"""

import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any
from urllib.request import urlopen

import uvicorn
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import selectinload

from app.chassis.http.idempotency.models import IdempotencyKey
from app.orders.models import Order, OrderLine
from app.orders.schemas import OrderCreate, OrderRead

engine = create_async_engine(
    os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://"),
    pool_size=int(os.environ["DATABASE_POOL_SIZE"]),
    max_overflow=0,
)
keys = KeySet.import_key_set(json.load(urlopen(os.environ["OIDC_ISSUER"] + "/keys")))
app = FastAPI()


async def session() -> AsyncIterator[AsyncSession]:
    async with AsyncSession(engine, expire_on_commit=False) as each:
        yield each


async def caller(authorization: Annotated[str, Header()]) -> str:
    try:
        token = jwt.decode(authorization.removeprefix("Bearer "), keys)
    except JoseError as error:
        raise HTTPException(401) from error
    return str(token.claims["sub"])


Session = Annotated[AsyncSession, Depends(session)]
Caller = Annotated[str, Depends(caller)]


@app.get("/bench")
async def small() -> dict[str, Any]:
    return {"status": "ok", "items": [1, 2, 3]}


@app.get("/orders")
async def newest(owner: Caller, session: Session, limit: int = 20) -> list[OrderRead]:
    query = select(Order).where(Order.owner == owner).order_by(Order.created_at.desc(), Order.id.desc()).limit(limit)
    orders = await session.scalars(query.options(selectinload(Order.lines)))
    return [OrderRead.model_validate(order) for order in orders]


@app.post("/orders", status_code=201, response_model=OrderRead)
async def create(
    owner: Caller, body: OrderCreate, session: Session, idempotency_key: Annotated[str | None, Header()] = None
) -> Any:
    id_ = sha256(f"{owner} {idempotency_key}".encode()).digest()
    if idempotency_key and (known := await session.get(IdempotencyKey, id_)):
        return Response(known.body, known.status or 201, media_type="application/json")
    order = Order(
        owner=owner,
        reference=body.reference,
        currency=body.currency,
        lines=[OrderLine(position=position, **line.model_dump()) for position, line in enumerate(body.lines)],
    )
    session.add(order)
    await session.flush()
    answer = OrderRead.model_validate(order)
    if idempotency_key:
        expires_at = datetime.now(UTC) + timedelta(hours=24)
        kept = answer.model_dump_json().encode()
        session.add(IdempotencyKey(id=id_, fingerprint=id_, expires_at=expires_at, status=201, headers=[], body=kept))
    await session.commit()
    return answer


if __name__ == "__main__":
    uvicorn.run(app, port=int(os.environ["PORT"]), access_log=False, log_level="warning")
