"""The way out: which addresses may be asked, and that a request goes to the one that was checked."""

import asyncio
import contextlib
import ipaddress
import ssl
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from service.addresses import is_public, plain
from service.outbound import Outbound, Refused, Rules, Unanswered, allowed, open_outbound, parse
from service.settings import Settings
from tests.receivers import Receiver, receiving
from tests.tls import issue, tls_front

PUBLIC = ("1.1.1.1", "93.184.215.14", "172.32.0.1", "2606:4700::1111", "2a00:1450:4001::1", "64:ff9b::1.1.1.1")
PRIVATE = (
    "0.0.0.1", "10.1.2.3", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.9.9.9", "169.254.169.254",
    "172.16.0.1", "192.0.0.192", "192.168.1.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "255.255.255.255",
    "168.63.129.16", "::", "::1", "::7f00:1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::10.0.0.1",
    "64:ff9b::169.254.169.254", "64:ff9b:1::1.1.1.1", "2002:7f00:1::", "2002:a00:1::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "fd00:ec2::254", "fc00::1", "fe80::1", "fec0::1",
    "ff02::1", "2606:4700::5efe:7f00:1", "2606:4700::200:5efe:10.0.0.1", "100::1", "5f00::1", "3fff::1",
)  # fmt: skip


@pytest.mark.parametrize("text", PUBLIC)
def test_an_address_on_the_internet_is_public(text: str) -> None:
    assert is_public(plain(ipaddress.ip_address(text)))


@pytest.mark.parametrize("text", PRIVATE)
def test_an_address_that_is_not_on_the_internet_or_hides_one_is_not(text: str) -> None:
    assert not is_public(plain(ipaddress.ip_address(text)))


@given(st.ip_addresses(v=4))
def test_an_address_within_another_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    inside = int(address)
    for prefix in (0xFFFF << 32, 0x64FF9B << 96):
        outside = ipaddress.IPv6Address(prefix | inside)
        assert is_public(plain(outside)) == is_public(address)
    if is_public(address):
        assert address.is_global, "the standard library calls private nothing that we let pass"


@given(st.ip_addresses(v=6))
def test_nothing_is_public_that_the_standard_library_calls_private(address: ipaddress.IPv6Address) -> None:
    if is_public(address) and address not in ipaddress.ip_network("64:ff9b::/96"):
        assert address.is_global
        assert not address.is_multicast


RULES = Rules()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://hooks.example.com/", "begins with https://"),
        ("gopher://hooks.example.com/", "begins with https://"),
        ("//hooks.example.com/", "begins with https://"),
        ("https://hooks.example.com:6379/", "port 443, 8443, not to 6379"),
        ("https://hooks.example.com:0/", "port 443, 8443, not to 0"),
        ("https://hooks.example.com:99999/", "port"),
        ("https://me@hooks.example.com/", "neither a user's name nor"),
        ("https://hooks.example.com/#x", "nor a fragment"),
        ("https://hooks.example.com\\@evil.example/", "without spaces"),
        ("https://hooks.example.com/\r\nX: y", "without spaces"),
        ("https://hooks.example.com /", "without spaces"),
        ("https://2130706433/", "usual notation"),
        ("https://0x7f000001/", "usual notation"),
        ("https://0177.0.0.1/", "is an URL"),
        ("https://127.0.1/", "usual notation"),
        ("https://1.2.3.4.5/", "usual notation"),
        ("https://exa%6dple.com/", "usual notation"),
        ("https://a..b/", "usual notation"),
        ("https://-a.example/", "usual notation"),
        ("https:///path", "usual notation"),
        ("https://[fe80::1%25lo]/", "usual notation"),
        ("https://[::1", "is an URL"),
        ("https://１２７.0.0.1/", "is an URL"),
    ],
)
def test_a_text_that_breaks_the_rules_is_refused_before_anybody_is_asked(url: str, says: str) -> None:
    with pytest.raises(Refused) as refused:
        parse(url, RULES)
    assert says in str(refused.value)


@pytest.mark.parametrize(
    ("url", "host", "port"),
    [
        ("https://hooks.example.com", "hooks.example.com", 443),
        ("HTTPS://Hooks.Example.com.:8443/a?b=c", "hooks.example.com", 8443),
        ("https://bücher.example/", "xn--bcher-kva.example", 443),
        ("https://my_host/", "my_host", 443),
        ("https://1.1.1.1/", "1.1.1.1", 443),
        ("https://[2606:4700::1111]/", "2606:4700::1111", 443),
    ],
)
def test_an_address_in_order_is_understood(url: str, host: str, port: int) -> None:
    target = parse(url, RULES)
    assert (target.host, target.port) == (host, port)


@given(st.text(max_size=60))
def test_no_text_is_more_than_refused(text: str) -> None:
    for url in (text, f"https://{text}", f"https://hooks.example.com{text}", f"https://[{text}]/"):
        with contextlib.suppress(Refused):
            parse(url, RULES)


def test_what_the_operator_allows_is_named_as_hosts_and_networks() -> None:
    names, networks = allowed(["Hooks.Internal.", "10.20.0.0/16", "127.0.0.1", "fd00::/8"])
    rules = Rules(names=names, networks=networks)
    assert rules.allow("hooks.internal", ipaddress.ip_address("192.168.0.1"))
    assert rules.allow("any.example", ipaddress.ip_address("10.20.30.40"))
    assert rules.allow("any.example", ipaddress.ip_address("fd00::1"))
    assert not rules.allow("any.example", ipaddress.ip_address("10.21.0.1"))
    for wrong in ("10.20.0.1/16", "not a host", "0x7f.1", ""):
        with pytest.raises(ValueError, match="network"):
            allowed([wrong])


def test_settings_list_hosts_and_ports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FANFARE_WEBHOOK_ALLOW", "hooks.internal, 10.20.0.0/16")
    monkeypatch.setenv("FANFARE_WEBHOOK_PORTS", "443, 9443")
    settings = Settings()
    assert settings.webhook_allow == ("hooks.internal", "10.20.0.0/16")
    assert settings.webhook_ports == (443, 9443)
    for name, value in (("ALLOW", "10.20.0.1/16"), ("PORTS", "http"), ("PORTS", "70000"), ("PORTS", ",")):
        monkeypatch.setenv(f"FANFARE_WEBHOOK_{name}", value)
        with pytest.raises(ValueError, match="webhook_"):
            Settings()
        monkeypatch.delenv(f"FANFARE_WEBHOOK_{name}")


class Names:
    """A resolver with an answer for each time that it is asked; the last one stays."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str) -> Sequence[str]:
        """The next answer; an empty one means that there is none."""
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if not answer:
            raise OSError(host)
        return answer


@contextlib.asynccontextmanager
async def out(
    resolver: Callable[[str], Awaitable[Sequence[str]]],
    port: int,
    *,
    seconds: float = 5,
    local: bool = True,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[Outbound]:
    """A way out that may go to `port`, and if `local` to this machine, by http too."""
    networks = (ipaddress.ip_network("127.0.0.1/32"),) if local else ()
    rules = Rules(frozenset({port}), plain_http=True, networks=networks)
    async with open_outbound(rules, seconds=seconds, resolver=resolver, tls=tls) as outbound:
        yield outbound


async def post(outbound: Outbound, url: str) -> int:
    return (await outbound.post(url, content=b"{}", headers={"x-told": "yes"})).status


async def test_a_name_that_changes_its_mind_after_the_check_leads_nowhere() -> None:
    async with receiving() as receiver:
        rebinding = Names(["1.1.1.1"], ["127.0.0.1"])
        async with out(rebinding, receiver.port, local=False) as outbound:
            url = f"http://rebind.example:{receiver.port}/"
            await outbound.check(url)
            with pytest.raises(Refused, match=r"rebind\.example is not an address on the public Internet"):
                await post(outbound, url)
        assert (rebinding.asked, receiver.received) == (2, [])


async def test_a_request_goes_to_the_address_that_was_checked_whatever_the_name_means_next() -> None:
    async with receiving() as receiver:
        once = Names(["127.0.0.1"], ["1.1.1.1"])
        async with out(once, receiver.port) as outbound:
            assert await post(outbound, f"http://hooks.example:{receiver.port}/path?a=b") == 204
        assert once.asked == 1
        assert receiver.received[0].headers["host"] == f"hooks.example:{receiver.port}"
        assert receiver.received[0].headers["x-told"] == "yes"


@pytest.mark.parametrize("answer", [["1.1.1.1", "127.0.0.1"], ["::ffff:169.254.169.254"], ["fe80::1%lo"]])
async def test_one_forbidden_address_among_many_is_enough(answer: list[str]) -> None:
    async with out(Names(answer), 443, local=False) as outbound:
        with pytest.raises(Refused):
            await outbound.check("https://hooks.example/")
        with pytest.raises(Refused):
            await post(outbound, "https://hooks.example/")


async def test_a_name_that_cannot_be_resolved_may_be_registered_and_is_not_answered() -> None:
    async with out(Names([]), 443) as outbound:
        await outbound.check("https://later.example/")
        with pytest.raises(Unanswered, match=r"later\.example cannot be resolved"):
            await post(outbound, "https://later.example/")


async def test_a_name_server_that_keeps_silent_is_waited_for_briefly() -> None:
    async def silent(_: str) -> Sequence[str]:
        await asyncio.sleep(60)
        return []

    began = time.monotonic()
    async with out(silent, 443, seconds=0.2) as outbound:
        await outbound.check("https://silent.example/")
        with pytest.raises(Unanswered):
            await post(outbound, "https://silent.example/")
    assert time.monotonic() - began < 10


async def test_the_next_address_is_asked_where_the_first_takes_no_connection() -> None:
    async with receiving() as receiver:
        networks = (ipaddress.ip_network("127.0.0.0/8"),)
        rules = Rules(frozenset({receiver.port}), plain_http=True, networks=networks)
        names = Names(["127.0.0.2", "127.0.0.1"])
        async with open_outbound(rules, seconds=5, resolver=names) as outbound:
            assert await post(outbound, f"http://hooks.example:{receiver.port}/") == 204


async def test_a_certificate_is_checked_by_the_name_though_the_connection_goes_by_address(tmp_path: Path) -> None:
    certificate = issue(tmp_path, name="hooks.example")
    trust = ssl.create_default_context(cafile=str(certificate))
    async with receiving() as receiver:
        with tls_front(receiver.port, certificate) as port:
            async with out(Names(["127.0.0.1"]), port, tls=trust) as outbound:
                assert await post(outbound, f"https://hooks.example:{port}/") == 204
                with pytest.raises(Unanswered, match="its certificate is not valid"):
                    await post(outbound, f"https://other.example:{port}/")
            async with out(Names(["127.0.0.1"]), port) as outbound:
                with pytest.raises(Unanswered, match="its certificate is not valid"):
                    await post(outbound, f"https://hooks.example:{port}/")
        assert len(receiver.received) == 1


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with receiving() as receiver, receiving() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        async with out(Names(["127.0.0.1"]), receiver.port) as outbound:
            assert await post(outbound, f"http://hooks.example:{receiver.port}/") == 204
        assert (len(receiver.received), proxy.received) == (1, [])


async def test_a_cookie_is_not_kept_for_the_next() -> None:
    def with_cookie(_: int) -> Response:
        return Response(headers={"set-cookie": "a=b; Path=/"})

    async with receiving(with_cookie) as receiver, out(Names(["127.0.0.1"]), receiver.port) as outbound:
        for _ in range(2):
            await post(outbound, f"http://hooks.example:{receiver.port}/")
        assert not [one for one in receiver.received if "cookie" in one.headers]


DRIPS: dict[str, tuple[bytes, bytes, float]] = {
    "status": (b"", b"H", 0.05),
    "headers": (b"HTTP/1.1 200 OK\r\n", b"x: y\r\n", 0.05),
    "endless headers": (b"HTTP/1.1 200 OK\r\n", b"x" * 10_000, 0),
    "endless hints": (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.01),
    "silence": (b"", b"", 0.05),
}


@pytest.mark.parametrize("way", DRIPS)
async def test_an_answer_that_drips_is_cut_off(way: str) -> None:
    async with (
        dripping(*DRIPS[way]) as receiver,
        out(Names(["127.0.0.1"]), receiver.port, seconds=0.5) as outbound,
    ):
        began = time.monotonic()
        with pytest.raises(Unanswered):
            await post(outbound, receiver.url)
        assert time.monotonic() - began < 5


@pytest.mark.parametrize("drop", [b"x" * 100_000, b"x"])
async def test_a_body_is_not_read_so_that_it_may_be_endless(drop: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n"
    async with dripping(head, drop, 0.05) as receiver, out(Names(["127.0.0.1"]), receiver.port) as outbound:
        assert await post(outbound, receiver.url) == 200


async def test_what_is_not_http_is_no_answer() -> None:
    pong, here = b"+PONG\r\n-ERR\r\n\r\n", Names(["127.0.0.1"])
    async with dripping(pong, b"", 0.05) as receiver, out(here, receiver.port) as outbound:
        with pytest.raises(Unanswered, match="does not speak HTTP"):
            await post(outbound, receiver.url)


@contextlib.asynccontextmanager
async def dripping(head: bytes, drop: bytes, pause: float) -> AsyncGenerator[Receiver]:
    """A server that answers with `head`, then with `drop` until the caller has had enough."""
    gone = asyncio.Event()

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            writer.write(head)
            while not gone.is_set():
                writer.write(drop)
                await writer.drain()
                await asyncio.sleep(pause)
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
        done.set()

    done = asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield Receiver(url=f"http://dripping.example:{server.sockets[0].getsockname()[1]}/")
    finally:
        gone.set()
        await done.wait()
        server.close()
        await server.wait_closed()
