"""The address that a request comes from, as the proxies that we trust have seen it."""

from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

from starlette.types import Scope

_HEADER = b"x-forwarded-for"


def client_address(scope: Scope, trusted_proxies: int) -> str:
    """Return the client's address, or its /64 network if it is IPv6: one household or machine has all of that.

    Each of our proxies appends the address that it was called from, so the client's is the one that the outermost
    of `trusted_proxies` has appended. What stands before it is whatever the client has sent. A request that passed
    fewer of them is known by the address it arrives from, and so is one whose address cannot be read.
    """
    peer = scope["client"][0] if scope.get("client") else ""
    if trusted_proxies:
        values = [value for name, value in scope["headers"] if name == _HEADER]
        hops = b",".join(values).decode("latin-1").rsplit(",", trusted_proxies)
        if len(hops) >= trusted_proxies:
            return _network(hops[-trusted_proxies].strip()) or _network(peer) or peer
    return _network(peer) or peer


@lru_cache(maxsize=4096)
def _network(text: str) -> str | None:
    # Some proxies append the port as well: 192.0.2.1:443, [2001:db8::1]:443.
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped:
            return str(address.ipv4_mapped)
        return str(IPv6Network((int(address), 64), strict=False))
    return str(address)
