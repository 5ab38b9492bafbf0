"""Requests to addresses that callers name: checked after resolution, pinned, and never led elsewhere."""

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import httpx2

from service.addresses import Address, Network, is_public, plain

Resolver = Callable[[str], Awaitable[Sequence[str]]]
"""Every address of a host name, as text; raises OSError when it has none or nobody answers."""

LONGEST_URL: Final = 2048
_RESOLVING_AT_ONCE = 64
_NAME = re.compile(
    r"(?=.{1,253}\Z)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*"
)
_NUMBER = re.compile(r"(0x[0-9a-f]*|[0-9]+)")


class Refused(Exception):
    """The address may not be asked; the message says why."""


class Unanswered(Exception):
    """Nobody answered in time; the message says at which point it failed."""


@dataclass(frozen=True)
class Rules:
    """Where requests may go: `https`, one of `ports`, public addresses, and what the operator allows besides."""

    ports: frozenset[int] = frozenset({443, 8443})
    plain_http: bool = False
    names: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()

    def allow(self, host: str, address: Address) -> bool:
        """Whether a request to `host` may go to `address`, which it resolves to."""
        return host in self.names or any(address in network for network in self.networks) or is_public(address)


def allowed(entries: Sequence[str]) -> tuple[frozenset[str], tuple[Network, ...]]:
    """The names and networks among `entries`; raises ValueError for what is neither."""
    networks = {text: network for text in entries if (network := _network(text))}
    names = [text.lower().removesuffix(".") for text in entries if text not in networks]
    for name in names:
        if not _NAME.fullmatch(name) or _NUMBER.fullmatch(name.rpartition(".")[2]):
            raise ValueError(f"{name!r} is neither a host's name nor a network as in 10.20.0.0/16")
    return frozenset(names), tuple(networks.values())


def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        return None


@dataclass(frozen=True)
class Target:
    """An address that keeps to the rules as far as its text tells."""

    url: httpx2.URL
    host: str

    @property
    def port(self) -> int:
        """Where it listens."""
        usual = 443 if self.url.scheme == "https" else 80
        return usual if self.url.port is None else self.url.port


@dataclass(frozen=True)
class Reply:
    """What is kept of an answer. Its body is not even read."""

    status: int
    retry_after: str | None


@dataclass(frozen=True)
class Outbound:
    """The way out: nobody is asked who was not checked, redirects are not followed, proxies not used."""

    rules: Rules
    resolve: Resolver
    seconds: float
    transport: httpx2.AsyncBaseTransport

    async def check(self, url: str) -> Target:
        """What `url` means; raises `Refused` when it breaks the rules, or leads where nobody may go.

        A name that cannot be resolved just now passes: every request checks it again.
        """
        target = parse(url, self.rules)
        with contextlib.suppress(Unanswered):
            await self._addresses(target)
        return target

    async def post(self, url: str, *, content: bytes, headers: Mapping[str, str]) -> Reply:
        """POST `content`, with everything done within `seconds`. Raises `Refused` and `Unanswered`."""
        target = parse(url, self.rules)
        try:
            async with asyncio.timeout(self.seconds):
                return await self._first(target, await self._addresses(target), content, headers)
        except TimeoutError:
            raise Unanswered(f"{target.host} did not answer within {self.seconds:g} seconds.") from None

    async def _first(
        self, target: Target, addresses: Sequence[Address], content: bytes, headers: Mapping[str, str]
    ) -> Reply:
        """The reply from the first of `addresses` that takes a connection."""
        for address in addresses:
            try:
                return await self._ask(target, address, content, headers)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                continue
            except httpx2.HTTPError as error:
                raise Unanswered(
                    f"{target.host} broke off, or does not speak HTTP ({type(error).__name__})."
                ) from None
        raise Unanswered(
            f"{target.host} took no connection at port {target.port}, or its certificate is not valid."
        )

    async def _ask(self, target: Target, address: Address, content: bytes, headers: Mapping[str, str]) -> Reply:
        # Only the connection goes by the address: Host, SNI and the certificate's check go by the name.
        timeout = httpx2.Timeout(self.seconds, connect=self.seconds / 3)
        request = httpx2.Request(
            "POST", target.url.copy_with(host=str(address)), content=content,
            headers={**headers, "host": target.url.netloc.decode("ascii")},
            extensions={"sni_hostname": target.host, "timeout": timeout.as_dict()},
        )  # fmt: skip
        answer = await self.transport.handle_async_request(request)
        await answer.aclose()
        return Reply(answer.status_code, answer.headers.get("retry-after"))

    async def _addresses(self, target: Target) -> Sequence[Address]:
        """Where `target` may be asked; of all its addresses none may be forbidden."""
        texts = [target.host] if _literal(target.host) else await self._resolved(target.host)
        addresses = [plain(ipaddress.ip_address(text)) for text in texts]
        if not all(self.rules.allow(target.host, address) for address in addresses):
            raise Refused(
                f"{target.host} is not an address on the public Internet; "
                "whoever operates this service can allow it with FANFARE_WEBHOOK_ALLOW."
            )
        return list(dict.fromkeys(addresses))

    async def _resolved(self, host: str) -> Sequence[str]:
        try:
            async with asyncio.timeout(self.seconds / 2):
                return await self.resolve(host)
        except OSError:  # a TimeoutError is one too
            raise Unanswered(f"{host} cannot be resolved to an address.") from None


@contextlib.asynccontextmanager
async def open_outbound(
    rules: Rules, *, seconds: float, resolver: Resolver | None = None, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[Outbound]:
    """The way out under `rules`; without `resolver` and `tls`, this machine's names and the usual authorities."""
    # A connection is kept by its address, and would serve another name there under the first one's certificate.
    limits = httpx2.Limits(max_connections=None, max_keepalive_connections=0)
    transport = httpx2.AsyncHTTPTransport(verify=tls or True, trust_env=False, limits=limits)
    with contextlib.ExitStack() as stack:
        resolve = resolver or stack.enter_context(_system_resolver())
        async with transport:
            yield Outbound(rules, resolve, seconds, transport)


@contextlib.contextmanager
def _system_resolver() -> Generator[Resolver]:
    # Threads of its own: a name server that keeps silent would otherwise hold up whoever else needs a thread.
    threads = ThreadPoolExecutor(_RESOLVING_AT_ONCE, "resolver")

    async def resolve(host: str) -> Sequence[str]:
        look_up = partial(socket.getaddrinfo, host, None, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(threads, look_up)
        return [str(one[4][0]) for one in found]

    try:
        yield resolve
    finally:
        threads.shutdown(wait=False, cancel_futures=True)


def parse(url: str, rules: Rules) -> Target:
    """`url` as what will be asked; raises `Refused` when its text breaks `rules` or could be read in two ways."""
    if len(url) > LONGEST_URL or not url.isprintable() or any(sign in url for sign in " \\"):
        raise Refused(f"A webhook's address is an URL of at most {LONGEST_URL} characters, without spaces.")
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise Refused("A webhook's address is an URL, as in https://hooks.example.com/fanfare.") from None
    schemes = ("https", "http") if rules.plain_http else ("https",)
    if parsed.scheme not in schemes:
        raise Refused(f"A webhook's address begins with {' or '.join(f'{one}://' for one in schemes)}.")
    if parsed.userinfo or parsed.fragment:
        raise Refused(
            "A webhook's address has neither a user's name nor a fragment; its signature tells who sends."
        )
    target = Target(parsed, _host(parsed))
    if target.port not in rules.ports:
        ports = ", ".join(str(port) for port in sorted(rules.ports))
        raise Refused(f"Webhooks may go to port {ports}, not to {target.port}; see FANFARE_WEBHOOK_PORTS.")
    return target


def _host(url: httpx2.URL) -> str:
    """The host of `url`, a name in ASCII or an address in its only plain notation."""
    host = url.raw_host.decode("ascii").lower().removesuffix(".")
    if _literal(host):
        return host
    if _NUMBER.fullmatch(host.rpartition(".")[2]) or not _NAME.fullmatch(host):
        raise Refused("A webhook's address names a host, or an IP address in its usual notation.")
    return host


def _literal(host: str) -> Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return None if "%" in host else address
