"""Holds a process to what the annotations say: in what it logs, and in what it stores while somebody is erased."""

from http import HTTPStatus

from sqlalchemy import event, exists, select
from sqlalchemy.orm import Session, UOWTransaction

from app.chassis.data.model import Model
from app.chassis.http.errors import Problem
from app.chassis.privacy import inventory
from app.chassis.privacy.annotations import Erasure
from app.chassis.privacy.models import PrivacyRequest
from app.chassis.telemetry import redaction

_named: dict[type, str] = {}
"""By class of row, the attribute that says whose it is."""


class BeingErased(Problem):
    """Something new of somebody whose data are being erased: 403."""

    def __init__(self) -> None:
        detail = "Your data are being erased. Until that is done, nothing new of yours is stored."
        super().__init__(HTTPStatus.FORBIDDEN, "being_erased", detail)


def begin() -> bool:
    """Take personal data out of logs, and store no rows of subjects who are being erased. False where nobody has
    classified anything yet: then nothing can be exported or erased either.
    """
    data = inventory.read()
    redaction.also(data.secrets)
    links = {
        each.stored: each.link
        for each in data.tables
        if each.parent is None and each.erasure is not Erasure.KEEP and not each.rows.last
    }
    _named.clear()
    for mapper in Model.registry.mappers:
        if (link := links.get(mapper.local_table)) is not None:  # type: ignore[call-overload]
            _named[mapper.class_] = mapper.get_property_by_column(link).key
    if not event.contains(Session, "before_flush", _refuse):  # tests build more than one application
        event.listen(Session, "before_flush", _refuse)
    return data.is_begun


def _refuse(session: Session, _: UOWTransaction, __: object) -> None:
    subjects = {getattr(each, _named[type(each)]) for each in session.new if type(each) in _named}
    if subjects:
        erasing = exists().where(
            PrivacyRequest.subject.in_(subjects),
            PrivacyRequest.kind == "erasure",
            PrivacyRequest.outcome.is_(None),
        )
        if session.scalar(select(erasing)):
            raise BeingErased
