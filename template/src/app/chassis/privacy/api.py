"""The routes by which people get their data, and have them erased."""

from http import HTTPStatus
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from starlette.requests import HTTPConnection

from app.chassis.data.session import Session
from app.chassis.http import errors
from app.chassis.http.errors import NotFoundProblem, responses
from app.chassis.http.rate_limit.limiter import Policy
from app.chassis.privacy import requests, submission
from app.chassis.privacy.recent import recently
from app.chassis.privacy.requests import Kind, RequestRead, Status
from app.chassis.security.caller import Caller
from app.chassis.security.permissions import requires

router = APIRouter(prefix="/privacy", tags=["privacy"])

QUOTA = Policy("privacy", 5)


async def _charge(connection: HTTPConnection) -> None:
    await connection.scope["state"]["tally"].charge(QUOTA)


charged: Any = Depends(_charge)
Myself = Annotated[Caller, requires()]


@router.post(
    "/exports",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[requires("privacy:export"), recently, charged],
)
async def request_export(caller: Myself, session: Session, response: Response) -> RequestRead:
    """Have an archive made of all data there are of the caller (GDPR Art. 15 and 20)."""
    request = await submission.submit(session, Kind.EXPORT, caller.subject, by=caller.subject)
    await session.refresh(request)
    response.headers["Location"] = f"/privacy/exports/{request.id}"
    return requests.read(request)


@router.get(
    "/exports/{request_id}",
    dependencies=[requires("privacy:export"), recently],
    responses=responses(404) | {200: {"content": {"application/json": {"schema": {"type": "object"}}}}},
)
async def read_export(caller: Myself, request_id: UUID, session: Session) -> Response:
    """Read the archive, once it is there and for as long as it is kept."""
    archive = await requests.archive(session, caller.subject, request_id)
    if archive is None:
        raise NotFoundProblem("export")
    headers = {"Content-Disposition": 'attachment; filename="personal-data.json"', "Cache-Control": "no-store"}
    return Response(archive, media_type="application/json", headers=headers)


@router.post(
    "/erasures",
    status_code=HTTPStatus.ACCEPTED,
    dependencies=[requires("privacy:erase"), recently, charged],
    response_model=RequestRead,
    responses=responses(409),
)
async def request_erasure(caller: Myself, session: Session, response: Response) -> RequestRead | Response:
    """Have all data of the caller erased (GDPR Art. 17). What the law has us keep for now is not: 409."""
    request = await submission.submit(session, Kind.ERASURE, caller.subject, by=caller.subject)
    await session.refresh(request)
    read = requests.read(request)
    if read.status is Status.HELD:  # returned, not raised: that it was asked for stays written down
        detail = "The law forbids to erase your data for now (GDPR Art. 17(3)). Nothing was erased."
        return errors.render(HTTPStatus.CONFLICT, "legal_hold", detail)
    response.headers["Location"] = f"/privacy/requests/{request.id}"
    return read


@router.get("/requests/{request_id}")
async def read_request(caller: Myself, request_id: UUID, session: Session) -> RequestRead:
    """Read how far a request has come."""
    request = await requests.find(session, caller.subject, request_id)
    if request is None:
        raise NotFoundProblem("request")
    return requests.read(request)
