"""Numbers that a process counts: `ORDERS_PLACED = counter("orders.placed", "Orders placed.")`.

They are counted whether or not they are sent anywhere, at half a microsecond each: OpenTelemetry's SDK takes three
to seven. It is only asked to send them (`otlp`).
"""

from bisect import bisect_left
from collections.abc import Callable
from threading import Lock
from typing import ClassVar, cast

from sqlalchemy import QueuePool, event
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

Attributes = tuple[tuple[str, str], ...]

MAX_SERIES = 1000
"""Combinations of attributes that a metric may have. What comes after them is counted together (as OpenTelemetry's
specification has it), so that no attribute with ids in it eats the memory."""
OVERFLOW: Attributes = (("otel.metric.overflow", "true"),)

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
"""Bounds of a duration's buckets: those of OpenTelemetry's semantic conventions for HTTP."""


class Metric[V]:
    """What all of them have: a name, a meaning, a unit (UCUM), and a value for each combination of attributes."""

    declared: ClassVar[dict[str, "Metric[object]"]] = {}

    def __init__(self, name: str, description: str, unit: str) -> None:
        if name in Metric.declared:
            raise ValueError(f"There are two metrics called {name}.")
        self.name, self.description, self.unit = name, description, unit
        self.series: dict[Attributes, V] = {}
        self._lock = Lock()
        Metric.declared[name] = self  # type: ignore[assignment]

    def _key(self, attributes: Attributes) -> Attributes:
        return attributes if attributes in self.series or len(self.series) < MAX_SERIES else OVERFLOW


class Counter(Metric[float]):
    """Something that happens again and again. It is sent as 0 before the first time, so that silence can alarm."""

    def __init__(self, name: str, description: str, unit: str) -> None:
        super().__init__(name, description, unit)
        self.series[()] = 0

    def add(self, amount: float = 1, **attributes: str) -> None:
        """Count. Attributes have few values each: a currency, never an id."""
        with self._lock:
            key = self._key(tuple(sorted(attributes.items())))
            self.series[key] = self.series.get(key, 0) + amount

    def add_when_committed(self, session: AsyncSession, amount: float = 1, **attributes: str) -> None:
        """Count once the session's transaction has committed, and not at all if it does not."""
        event.listen(session.sync_session, "after_commit", lambda _: self.add(amount, **attributes), once=True)


class Gauge(Metric[float]):
    """Something that goes up and down. What was set last is sent."""

    def set(self, value: float, **attributes: str) -> None:
        """Note the value of now."""
        with self._lock:
            self.series[self._key(tuple(sorted(attributes.items())))] = value

    def follow(self, read: Callable[[], float], **attributes: str) -> None:
        """Ask for the value when it is to be sent: each time, until something else is followed."""
        _followed[self.name, tuple(sorted(attributes.items()))] = self, read


class Histogram(Metric[list[float]]):
    """How something is spread: [count of each bucket …, of what is beyond the last bound, sum]."""

    def __init__(self, name: str, description: str, unit: str, bounds: tuple[float, ...]) -> None:
        super().__init__(name, description, unit)
        self.bounds = bounds

    def record(self, value: float, attributes: Attributes = ()) -> None:
        """Note one value."""
        with self._lock:
            key = self._key(attributes)
            series = self.series.get(key)
            if series is None:
                series = self.series[key] = [0] * (len(self.bounds) + 2)
            series[bisect_left(self.bounds, value)] += 1
            series[-1] += value


_followed: dict[tuple[str, Attributes], tuple[Gauge, Callable[[], float]]] = {}


def counter(name: str, description: str, unit: str = "1") -> Counter:
    """Declare a counter: one line in `app.metrics`."""
    return Counter(name, description, unit)


def gauge(name: str, description: str, unit: str = "1") -> Gauge:
    """Declare a gauge."""
    return Gauge(name, description, unit)


def histogram(name: str, description: str, unit: str = "s", bounds: tuple[float, ...] = SECONDS) -> Histogram:
    """Declare a histogram."""
    return Histogram(name, description, unit, bounds)


def read_gauges() -> None:
    """Ask those that follow something for their values."""
    for (_, attributes), (each, read) in list(_followed.items()):
        each.set(read(), **dict(attributes))


POOL = gauge("db.client.connection.count", "Connections of the pool that are used, or idle.", "{connection}")
POOL_MAX = gauge("db.client.connection.max", "Connections that the pool may have.", "{connection}")


def watch(engine: AsyncEngine) -> None:
    """Send how many of the engine's connections are in use."""
    pool = cast("QueuePool", engine.sync_engine.pool)
    POOL.follow(pool.checkedout, **{"db.client.connection.state": "used"})
    POOL.follow(pool.checkedin, **{"db.client.connection.state": "idle"})
    POOL_MAX.follow(pool.size)
