"""Who a request comes from, as far as the rest of the service needs to know."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Caller:
    """A person or a program. `subject` names it, stays the same for as long as it exists, and is never reused."""

    subject: str
    permissions: frozenset[str]

    def may(self, permission: str) -> bool:
        """Tell whether the caller has this permission, for example `orders:read`."""
        return permission in self.permissions
