"""Counts what each client has used of its quotas."""

import asyncio
import time
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple, Protocol

import structlog

log = structlog.get_logger()

WINDOW_SECONDS = 60
SHARE = 20
"""A replica takes this fraction of a quota at a time."""
STORE_TIMEOUT_SECONDS = 0.25
STORE_PAUSE_SECONDS = 10
"""How long the store is left alone after it has failed, and how often the log says so at most."""
MAX_ACCOUNTS = 20_000


class Policy(NamedTuple):
    """How many requests of one kind a client may make in WINDOW_SECONDS."""

    name: str
    quota: int


class Standing(NamedTuple):
    """Where a client is with a quota after a request."""

    policy: Policy
    refused: bool
    remaining: int
    resets_in: float
    """Seconds until the client has the whole quota again."""


class Store(Protocol):
    """Keeps the counts of all replicas."""

    async def add(self, key: bytes, units: int, window_seconds: int) -> tuple[int, float]:
        """Add to a count, which begins anew after its window. Return it, and the seconds left of the window."""


@dataclass(slots=True)
class _Account:
    """What this replica knows of one client's quota."""

    held: int = 0
    used: int = 0
    resets_at: float = 0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)


class Limiter:
    """Charges clients."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._accounts: dict[tuple[str, str], _Account] = {}
        self._paused_until = 0.0

    async def charge(self, policy: Policy, client: str) -> Standing:
        """Charge one request, unless the quota is used up."""
        account = self._accounts.get((policy.name, client)) or self._open(policy, client)
        if not self._is_settled(account, policy):
            async with account.asking:  # those who come at the same time share what one of them gets
                if not self._is_settled(account, policy):
                    await self._take(account, policy, client)
        refused = account.held == 0
        if not refused:
            account.held -= 1
        remaining = max(0, policy.quota - account.used) + account.held
        return Standing(policy, refused, remaining, account.resets_at - time.monotonic())

    def _is_settled(self, account: _Account, policy: Policy) -> bool:
        """Tell whether the answer is known without the store."""
        return time.monotonic() < account.resets_at and (account.held > 0 or account.used >= policy.quota)

    async def _take(self, account: _Account, policy: Policy, client: str) -> None:
        units = max(1, policy.quota // SHARE)
        used, resets_in = await self._add(account, policy, client, units)
        account.held = max(0, min(units, policy.quota - used + units))
        account.used = used
        account.resets_at = time.monotonic() + resets_in

    async def _add(self, account: _Account, policy: Policy, client: str, units: int) -> tuple[int, float]:
        if time.monotonic() >= self._paused_until:
            # Hashed: neither names nor addresses are anybody's to read there.
            key = blake2b(f"{policy.name} {client}".encode(), digest_size=16).digest()
            try:
                async with asyncio.timeout(STORE_TIMEOUT_SECONDS):
                    return await self._store.add(key, units, WINDOW_SECONDS)
            except Exception as error:  # noqa: BLE001 (whatever it is: serving without a shared limit beats not serving)
                now = time.monotonic()
                if now >= self._paused_until:
                    log.warning("rate limits are counted by each replica alone", reason=type(error).__name__)
                    self._paused_until = now + STORE_PAUSE_SECONDS
        now = time.monotonic()
        if now >= account.resets_at:
            return units, WINDOW_SECONDS
        return account.used + units, account.resets_at - now

    def _open(self, policy: Policy, client: str) -> _Account:
        if len(self._accounts) >= MAX_ACCOUNTS:
            now = time.monotonic()
            self._accounts = {key: each for key, each in self._accounts.items() if each.resets_at > now}
            if len(self._accounts) > MAX_ACCOUNTS // 2:
                self._accounts.clear()  # more clients than we can remember: the store remembers them
        return self._accounts.setdefault((policy.name, client), _Account())
