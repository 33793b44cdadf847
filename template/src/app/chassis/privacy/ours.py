"""What our own tables hold. Their models are the same in services without personal data, and say nothing of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Table, exists, func

from app.chassis.privacy.annotations import (
    Activity,
    Basis,
    Category,
    Erasure,
    Personal,
    mentioned_in,
    not_personal,
    personal,
    rows_of,
    years,
)

ACCOUNTABILITY = Activity(
    "accountability",
    purpose="to be able to show who did what to which data",
    basis=Basis.LEGITIMATE_INTERESTS,
    subjects="callers and operators",
    kept=years(3),
)
PRIVACY_REQUESTS = Activity(
    "privacy requests",
    purpose="to give people their data, and to erase them",
    basis=Basis.LEGAL_OBLIGATION,
    subjects="people who ask for their data",
    kept=timedelta(days=7),
)
LEGAL_HOLDS = Activity(
    "legal holds",
    purpose="to keep what the law forbids to erase",
    basis=Basis.LEGAL_OBLIGATION,
    subjects="people whose data are needed as evidence",
    kept=years(3),
)
OPERATION = Activity(
    "operation",
    purpose="to keep the service safe and reliable",
    basis=Basis.LEGITIMATE_INTERESTS,
    subjects="callers",
    kept=timedelta(hours=24),
)
JOBS = Activity(
    "jobs",
    purpose="to do later what was asked for",
    basis=Basis.CONTRACT,
    subjects="callers",
    kept=timedelta(days=90),
)
ACCESS = Activity(
    "access",
    purpose="to recognise who may call",
    basis=Basis.CONTRACT,
    subjects="callers",
    kept=years(1),
)


@dataclass(frozen=True)
class Ours:
    """What a table says: the same as a model's own annotations."""

    info: Mapping[str, Any]
    columns: Mapping[str, Personal] = field(default_factory=dict)


def _columns(category: Category, *names: str, **options: Any) -> dict[str, Personal]:
    # Names that are good for anything else too, such as reason: what stands under them is not taken out of logs.
    return {name: personal(category, logged=True, **options)["personal"] for name in names}


def _given_up(jobs: Table, kept: timedelta) -> ColumnElement[bool]:
    letters = jobs.metadata.tables["job_dead_letters"]
    return exists().where(letters.c.job_id == jobs.c.id, letters.c.given_up_at < func.now() - kept)


OURS: Mapping[str, Ours] = {
    "audit_trail": Ours(
        rows_of(ACCOUNTABILITY, subject="actor", since="at", erasure=Erasure.KEEP) | not_personal("id", "request_id"),
        _columns(Category.IDENTITY, "actor") | _columns(Category.BEHAVIOUR, "at", "action", "object"),
    ),
    "privacy_requests": Ours(
        rows_of(PRIVACY_REQUESTS, subject="subject", since="done_at", erasure=Erasure.ANONYMISE, last=True)
        | not_personal("id", "kind", "requested_at", "done_at", "outcome"),
        _columns(Category.IDENTITY, "subject") | _columns(Category.CONTENT, "archive", exported=False),
    ),
    "legal_holds": Ours(
        rows_of(LEGAL_HOLDS, subject="subject", since="lifted_at") | not_personal("id"),
        # Not exported: who is suspected of something need not learn it from us.
        _columns(Category.IDENTITY, "subject", "placed_by", "lifted_by", exported=False)
        | _columns(Category.CONTENT, "reason", exported=False)
        | _columns(Category.BEHAVIOUR, "placed_at", "lifted_at", exported=False),
    ),
    "api_keys": Ours(
        rows_of(ACCESS, subject="subject", since="expires_at", last=True)
        | not_personal("prefix", "permissions", "created_at", "expires_at", "revoked_at"),
        _columns(Category.IDENTITY, "subject")
        | _columns(Category.IDENTITY, "digest", exported=False)
        | _columns(Category.BEHAVIOUR, "last_used_at"),
    ),
    "flag_changes": Ours(
        rows_of(ACCOUNTABILITY, subject="changed_by", since="changed_at", erasure=Erasure.ANONYMISE)
        | not_personal("id", "name", "enabled", "reason", "changed_at"),
        _columns(Category.IDENTITY, "changed_by", erased="somebody"),
    ),
    "idempotency_keys": Ours(
        rows_of(OPERATION, subject=None, cleaned="app.chassis.http.idempotency.store")
        | not_personal("fingerprint", "expires_at", "status"),
        _columns(Category.IDENTITY, "id") | _columns(Category.CONTENT, "headers", "body"),
    ),
    "rate_limits": Ours(
        rows_of(OPERATION, subject=None, cleaned="app.chassis.http.rate_limit.postgresql") | not_personal("resets_at"),
        _columns(Category.IDENTITY, "key") | _columns(Category.BEHAVIOUR, "used"),
    ),
    "procrastinate_workers": Ours(not_personal("id", "last_heartbeat")),
    "procrastinate_jobs": Ours(
        # Done ones go after a day: app.chassis.jobs.cleaning.
        rows_of(JOBS, subject=mentioned_in("args"), since=_given_up)
        | not_personal(
            *("id", "queue_name", "task_name", "priority", "lock", "queueing_lock", "status", "scheduled_at"),
            *("attempts", "abort_requested", "worker_id"),
        ),
        _columns(Category.CONTENT, "args"),
    ),
    "procrastinate_periodic_defers": Ours(
        not_personal("id", "task_name", "defer_timestamp", "job_id", "periodic_id"),
    ),
    "procrastinate_events": Ours(not_personal("id", "job_id", "type", "at")),
    "job_dead_letters": Ours(
        rows_of(JOBS, subject="job_id") | not_personal("job_id", "given_up_at", "reason"),
        _columns(Category.CONTENT, "detail"),
    ),
    "job_dead_letter_actions": Ours(
        rows_of(ACCOUNTABILITY, subject="taken_by", since="taken_at", erasure=Erasure.ANONYMISE)
        | not_personal("id", "job_id", "job_name", "action", "reason", "taken_at"),
        _columns(Category.IDENTITY, "taken_by", erased="somebody"),
    ),
    "job_schedules": Ours(not_personal("name", "due_at", "done_at")),
}
