"""What is stored of jobs. The tables named procrastinate_… are procrastinate's, constraints and indexes included
(https://procrastinate.readthedocs.io); the others are ours. See migrations/chassis/jobs.py.
"""

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Enum,
    ForeignKey,
    Identity,
    Index,
    PrimaryKeyConstraint,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column
from sqlalchemy.sql.elements import conv

from app.chassis.data.model import Model


class Status(StrEnum):
    """Where a job is in its life. Of those that are over we use `succeeded` and `failed`, which is a dead letter."""

    TODO = "todo"
    DOING = "doing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    ABORTING = "aborting"
    ABORTED = "aborted"


class Event(StrEnum):
    """What happened to a job."""

    DEFERRED = "deferred"
    STARTED = "started"
    DEFERRED_FOR_RETRY = "deferred_for_retry"
    FAILED = "failed"
    SUCCEEDED = "succeeded"
    CANCELLED = "cancelled"
    ABORT_REQUESTED = "abort_requested"
    ABORTED = "aborted"
    SCHEDULED = "scheduled"
    RETRIED = "retried"


def _enum(values: type[StrEnum], name: str) -> Enum:
    return Enum(values, name=name, values_callable=lambda each: [value.value for value in each])


_TODO = text("status = 'todo'::procrastinate_job_status")
_DOING = text("status = 'doing'::procrastinate_job_status")


class Worker(Model):
    """A worker process, and when it was last heard of."""

    __tablename__ = "procrastinate_workers"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="procrastinate_workers_pkey"),
        Index("idx_procrastinate_workers_last_heartbeat", "last_heartbeat"),
    )

    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True))
    last_heartbeat: Mapped[datetime] = mapped_column(server_default=func.now())


class QueuedJob(Model):
    """A job, wherever it is in its life."""

    __tablename__ = "procrastinate_jobs"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="procrastinate_jobs_pkey"),
        CheckConstraint("NOT (status = 'todo' AND abort_requested = true)", conv("check_not_todo_abort_requested")),
        Index("procrastinate_jobs_queueing_lock_idx_v1", "queueing_lock", unique=True, postgresql_where=_TODO),
        Index("procrastinate_jobs_lock_idx_v1", "lock", unique=True, postgresql_where=_DOING),
        Index(
            "idx_procrastinate_jobs_worker_not_null",
            "worker_id",
            postgresql_where=text("worker_id IS NOT NULL AND status = 'doing'::procrastinate_job_status"),
        ),
        Index("procrastinate_jobs_queue_name_idx_v1", "queue_name"),
        Index(
            "procrastinate_jobs_id_lock_idx_v1",
            "id",
            "lock",
            postgresql_where=text(
                "status = ANY (ARRAY['todo'::procrastinate_job_status, 'doing'::procrastinate_job_status])"
            ),
        ),
        Index("procrastinate_jobs_priority_idx_v1", text("priority DESC"), text("id ASC"), postgresql_where=_TODO),
        # Ours: a worker's end would read the whole table to forget it (ON DELETE SET NULL).
        Index("ix_procrastinate_jobs_worker_id", "worker_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger)
    queue_name: Mapped[str] = mapped_column(String(128))
    task_name: Mapped[str] = mapped_column(String(128))
    priority: Mapped[int] = mapped_column(server_default=text("0"))
    lock: Mapped[str | None] = mapped_column(Text)
    queueing_lock: Mapped[str | None] = mapped_column(Text)
    args: Mapped[Any] = mapped_column(JSONB, server_default=text("'{}'"))
    status: Mapped[Status] = mapped_column(_enum(Status, "procrastinate_job_status"), server_default=Status.TODO)
    scheduled_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(server_default=text("0"))
    abort_requested: Mapped[bool] = mapped_column(server_default=text("false"))
    worker_id: Mapped[int | None] = mapped_column(
        ForeignKey("procrastinate_workers.id", ondelete="SET NULL", name="procrastinate_jobs_worker_id_fkey")
    )


class PeriodicDefer(Model):
    """procrastinate's schedules, which we do not use: see `app.chassis.jobs.schedules`."""

    __tablename__ = "procrastinate_periodic_defers"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="procrastinate_periodic_defers_pkey"),
        UniqueConstraint("task_name", "periodic_id", "defer_timestamp", name="procrastinate_periodic_defers_unique"),
        Index("procrastinate_periodic_defers_job_id_fkey_v1", "job_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger)
    task_name: Mapped[str] = mapped_column(String(128))
    defer_timestamp: Mapped[int | None] = mapped_column(BigInteger)
    job_id: Mapped[int | None] = mapped_column(
        ForeignKey("procrastinate_jobs.id", name="procrastinate_periodic_defers_job_id_fkey")
    )
    periodic_id: Mapped[str] = mapped_column(String(128), server_default="")


class JobEvent(Model):
    """Something that happened to a job, written by triggers."""

    __tablename__ = "procrastinate_events"
    __table_args__ = (
        PrimaryKeyConstraint("id", name="procrastinate_events_pkey"),
        Index("procrastinate_events_job_id_fkey_v1", "job_id"),
    )

    id: Mapped[int] = mapped_column(BigInteger)
    job_id: Mapped[int] = mapped_column(
        ForeignKey("procrastinate_jobs.id", ondelete="CASCADE", name="procrastinate_events_job_id_fkey")
    )
    type: Mapped[Event | None] = mapped_column(_enum(Event, "procrastinate_job_event_type"))
    at: Mapped[datetime | None] = mapped_column(server_default=func.now())


class DeadLetter(Model):
    """Why a job was given up. Here until somebody replays or discards it."""

    __tablename__ = "job_dead_letters"

    job_id: Mapped[int] = mapped_column(
        ForeignKey("procrastinate_jobs.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    given_up_at: Mapped[datetime] = mapped_column(server_default=func.now())
    reason: Mapped[str] = mapped_column(String(200))
    detail: Mapped[str] = mapped_column(Text)


class DeadLetterAction(Model):
    """What somebody did with a dead letter, and why."""

    __tablename__ = "job_dead_letter_actions"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True)
    job_id: Mapped[int] = mapped_column(BigInteger)
    job_name: Mapped[str] = mapped_column(String(128))
    action: Mapped[str] = mapped_column(String(20))
    taken_by: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(String(200))
    taken_at: Mapped[datetime] = mapped_column(server_default=func.now())


class Schedule(Model):
    """A schedule's heartbeat: the last moment it was due, and the last one that was done."""

    __tablename__ = "job_schedules"

    name: Mapped[str] = mapped_column(String(128), primary_key=True)
    due_at: Mapped[datetime]
    done_at: Mapped[datetime]
