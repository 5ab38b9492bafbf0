"""Whose request it is: what the connection says, what proxies of ours say, and what anybody may claim."""

from ipaddress import ip_network
from typing import Any

import pytest

from service.edge.peers import ForwardedBy, Proxies, peer_of, read_address, settled

OURS = Proxies([ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48")])
STANDARD = Proxies(OURS.networks, "forwarded")


def scope(peer: str | None, *headers: tuple[str, str]) -> dict[str, Any]:
    return {
        "type": "http",
        "scheme": "http",
        "client": (peer, 4711) if peer else None,
        "headers": [(b"host", b"inside:8000"), *((name.encode(), value.encode()) for name, value in headers)],
    }


FOR = "x-forwarded-for"
CHAINS: dict[str, tuple[str | None, list[tuple[str, str]], str]] = {
    "a stranger": ("203.0.113.9", [], "203.0.113.9"),
    "a stranger who claims to be another": ("203.0.113.9", [(FOR, "198.51.100.1")], "203.0.113.9"),
    "behind a proxy": ("10.0.0.1", [(FOR, "203.0.113.9")], "203.0.113.9"),
    "behind two proxies": ("10.0.0.1", [(FOR, "203.0.113.9, 10.0.0.2")], "203.0.113.9"),
    "a forged beginning": ("10.0.0.1", [(FOR, "198.51.100.1, 203.0.113.9")], "203.0.113.9"),
    "a forged proxy of ours": ("10.0.0.1", [(FOR, "198.51.100.1, 10.9.9.9, 203.0.113.9")], "203.0.113.9"),
    "a forged header of its own": ("10.0.0.1", [(FOR, "198.51.100.1"), (FOR, "203.0.113.9")], "203.0.113.9"),
    "nonsense from a proxy": ("10.0.0.1", [(FOR, "unknown")], "10.0.0.1"),
    "nonsense before the client": ("10.0.0.1", [(FOR, "<script>, 203.0.113.9")], "203.0.113.9"),
    "an empty header": ("10.0.0.1", [(FOR, "")], "10.0.0.1"),
    "only proxies": ("10.0.0.1", [(FOR, "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
    "with a port": ("10.0.0.1", [(FOR, "203.0.113.9:5123")], "203.0.113.9"),
    "IPv6 counts by its /64": ("10.0.0.1", [(FOR, "2001:db8:1:2:3:4:5:6")], "2001:db8:1:2::/64"),
    "IPv6 in brackets": ("2001:db8:ffff::1", [(FOR, "[2001:db8:1:2::9]:443")], "2001:db8:1:2::/64"),
    "IPv4 written as IPv6": ("::ffff:203.0.113.9", [], "203.0.113.9"),
    "a proxy written as IPv6": ("::ffff:10.0.0.1", [(FOR, "203.0.113.9")], "203.0.113.9"),
    "the other kind of header": ("10.0.0.1", [("forwarded", "for=203.0.113.9")], "10.0.0.1"),
    "no peer at all": (None, [(FOR, "203.0.113.9")], "unknown"),
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_client_is_whom_our_own_proxies_name(name: str) -> None:
    peer, headers, expected = CHAINS[name]
    assert str(peer_of(settled(scope(peer, *headers), OURS))) == expected


@pytest.mark.parametrize(
    ("told", "client"),
    [
        ("for=203.0.113.9;proto=https;host=shop.example", "203.0.113.9"),
        ('for=198.51.100.1, For="[2001:db8:1:2::9]:47011";proto=https;host=shop.example', "2001:db8:1:2::/64"),
        ("for=203.0.113.9, for=10.0.0.2;proto=https;host=shop.example", "203.0.113.9"),
    ],
)
def test_the_standard_header_is_read_when_the_proxies_set_it(told: str, client: str) -> None:
    settled_scope = settled(scope("10.0.0.1", ("forwarded", told), (FOR, "192.0.2.1")), STANDARD)
    assert str(peer_of(settled_scope)) == client
    assert settled_scope["scheme"] == "https"
    assert dict(settled_scope["headers"])[b"host"] == b"shop.example"


@pytest.mark.parametrize(
    ("peer", "scheme", "host"), [("10.0.0.1", "https", b"b.example"), ("203.0.113.9", "http", b"inside:8000")]
)
def test_scheme_and_host_come_from_proxies_alone(peer: str, scheme: str, host: bytes) -> None:
    told = (FOR, "203.0.113.9"), ("x-forwarded-proto", "http, https"), ("x-forwarded-host", "a.example, b.example")
    changed = settled(scope(peer, *told), OURS)
    assert (changed["scheme"], dict(changed["headers"])[b"host"]) == (scheme, host)


@pytest.mark.parametrize("host", ["a b", "a/b", "a@b", "", "[::1", "a.example:port", "a\r\nb"])
def test_a_host_that_is_none_changes_nothing(host: str) -> None:
    changed = settled(scope("10.0.0.1", (FOR, "203.0.113.9"), ("x-forwarded-host", host)), OURS)
    assert dict(changed["headers"])[b"host"] == b"inside:8000"


@pytest.mark.parametrize(
    ("peer", "headers", "local"),
    [
        ("127.0.0.1", [], True),
        ("::1", [], True),
        ("127.0.0.1", [(FOR, "203.0.113.9")], False),
        ("127.0.0.1", [("forwarded", "for=203.0.113.9")], False),
        ("203.0.113.9", [], False),
        ("10.0.0.1", [(FOR, "127.0.0.1")], True),
    ],
)
def test_local_is_a_program_here_and_no_proxy(peer: str, headers: list[tuple[str, str]], *, local: bool) -> None:
    assert peer_of(settled(scope(peer, *headers), OURS)).local is local


@pytest.mark.parametrize(
    "text", ["", "localhost", "1.2.3", "1.2.3.4.5", "[::1", "::g", "1.2.3.4:5:6", "0x7f000001"]
)
def test_what_is_no_address_is_none(text: str) -> None:
    assert read_address(text) is None or text == "[::1"


@pytest.mark.parametrize("kind", ["x-forwarded", "forwarded"])
def test_without_proxies_nothing_is_believed(kind: ForwardedBy) -> None:
    claims = (FOR, "1.1.1.1"), ("forwarded", "for=1.1.1.1;proto=https;host=x"), ("x-forwarded-proto", "https")
    changed = settled(scope("127.0.0.1", *claims), Proxies((), kind))
    assert str(peer_of(changed)) == "127.0.0.1"
    assert changed["scheme"] == "http"
