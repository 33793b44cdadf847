"""A client is known by what our own proxies say of it, and not by what it says of itself."""

import pytest

from app.chassis.http.client_address import client_address

pytestmark = pytest.mark.row("security.rate-limit")

PEER = "10.0.0.9"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "client"),
    [
        (0, ["198.51.100.7"], PEER),
        (1, ["198.51.100.7"], "198.51.100.7"),
        (1, ["1.2.3.4, 198.51.100.7"], "198.51.100.7"),
        (1, ["1.2.3.4", "198.51.100.7"], "198.51.100.7"),
        (2, ["1.2.3.4, 198.51.100.7, 10.0.0.1"], "198.51.100.7"),
        (2, ["1.2.3.4, 198.51.100.7", "10.0.0.1"], "198.51.100.7"),
        (2, ["10.0.0.1"], PEER),
        (1, [], PEER),
        (1, [""], PEER),
        (1, ["198.51.100.7, unknown"], PEER),
        (1, ["\xff"], PEER),
        (1, ["198.51.100.7:50412"], "198.51.100.7"),
        (1, ["[2001:db8:1:2::3]:443"], "2001:db8:1:2::/64"),
        (1, ["2001:db8:1:2:ffff::1"], "2001:db8:1:2::/64"),
        (1, ["::ffff:198.51.100.7"], "198.51.100.7"),
        (1, ["198.51.100.7" + "0" * 10_000], PEER),
    ],
)
def test_the_trusted_hop_decides(proxies: int, forwarded: list[str], client: str) -> None:
    headers = [(b"x-forwarded-for", value.encode("latin-1")) for value in forwarded]
    assert client_address({"client": (PEER, 1234), "headers": headers}, proxies) == client


def test_all_of_a_network_is_one_client() -> None:
    addresses = ["2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", "2001:db8:0:1::1"]
    known = [client_address({"client": (address, 1), "headers": []}, 0) for address in addresses]
    assert known[0] == known[1] != known[2]


def test_a_socket_without_an_address() -> None:
    assert client_address({"client": None, "headers": []}, 0) == ""
