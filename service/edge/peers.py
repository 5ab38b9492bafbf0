"""Whose request it is: the address at the other end of the connection, or the one that our own proxies name."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal, TypeAlias, cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address
ForwardedBy: TypeAlias = Literal["x-forwarded", "forwarded"]

_PAIR = re.compile(r'\s*([A-Za-z]+)=(?:"([^"\\]*)"|([^\s;,"]*))\s*')
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")
_SUBSCRIBER = 64  # bits: the block of IPv6 addresses that one subscriber has


@dataclass(frozen=True)
class Proxies:
    """Proxies of ours, by network, and the headers that they set."""

    networks: Sequence[Network] = ()
    headers: ForwardedBy = "x-forwarded"

    def __contains__(self, address: Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


@dataclass(frozen=True)
class Peer:
    """Who sent a request; `local` when it came from a program on this machine, and not through a proxy on it."""

    address: Address | None
    local: bool

    def __str__(self) -> str:
        """What a limit counts by: an IPv4 address, or the block of IPv6 addresses that one subscriber has."""
        if isinstance(self.address, IPv6Address):
            return str(ip_network((self.address, _SUBSCRIBER), strict=False))
        return str(self.address or "unknown")


class Peers:
    """Middleware: settles who called, by which scheme and host, and forgets what strangers claim of it.

    A header counts only when the connection comes from a trusted proxy. The client is then the last address
    in its chain that is no such proxy: whatever stands before that, the client may have written itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Settle who called, and let the request through."""
        if scope["type"] == "http":
            scope = settled(scope, scope["app"].state.fanfare.settings.proxies)
        await self._app(scope, receive, send)


def settled(scope: Scope, proxies: Proxies) -> Scope:
    """The scope with its client, scheme and host as `proxies` tell them, and a `Peer` in its state."""
    nearest = read_address((scope.get("client") or ("",))[0])
    headers = Headers(scope=scope)
    hops = list(_hops(headers, proxies.headers))
    client, via = nearest, nearest in proxies
    for hop in reversed(hops if via else []):
        if client not in proxies or (told := read_address(hop.get("for", ""))) is None:
            break
        client = told
    local = client is not None and client.is_loopback and (via or not _passed_on(headers))
    state = {**scope.get("state", {}), "peer": Peer(client, local)}
    changed: Scope = {**scope, "state": state, "client": (str(client), 0) if client else scope.get("client")}
    if via and hops:
        _told(changed, hops[-1])
    return changed


def peer_of(scope: Scope) -> Peer:
    """Who sent the request, once `Peers` has settled it."""
    return cast("Peer", scope["state"]["peer"])


def read_address(text: str) -> Address | None:
    """The address in `203.0.113.9`, `203.0.113.9:80`, `2001:db8::1` or `[2001:db8::1]:80`, or None."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _passed_on(headers: Headers) -> bool:
    return "x-forwarded-for" in headers or "forwarded" in headers


def _hops(headers: Headers, kind: ForwardedBy) -> Iterator[Mapping[str, str]]:
    """What each proxy said of whoever called it, the nearest one last."""
    if kind == "forwarded":
        for element in ",".join(headers.getlist("forwarded")).split(","):
            pairs = (_PAIR.fullmatch(part) for part in element.split(";"))
            yield {pair[1].lower(): pair[2] or pair[3] or "" for pair in pairs if pair}
        return
    chain = ",".join(headers.getlist("x-forwarded-for")).split(",")
    yield from ({"for": each} for each in chain[:-1])
    nearest = {name: headers.getlist(f"x-forwarded-{name}") for name in ("proto", "host")}
    yield {"for": chain[-1], **{name: ",".join(told).split(",")[-1].strip() for name, told in nearest.items()}}


def _told(scope: Scope, hop: Mapping[str, str]) -> None:
    """Take scheme and host from the nearest proxy."""
    if (scheme := hop.get("proto", "").lower()) in ("http", "https"):
        scope["scheme"] = scheme
    if _HOST.fullmatch(host := hop.get("host", "")):
        others = [pair for pair in scope["headers"] if pair[0] != b"host"]
        scope["headers"] = [(b"host", host.encode()), *others]
