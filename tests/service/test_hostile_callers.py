"""Callers who speak HTTP slowly, endlessly or wrongly, by raw sockets; and bodies that are traps."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.server import TimedHeads
from service.settings import Settings
from tests.running import AURORA, PHOTO, Service, running

PAUSE, TOTAL, HEAD = 0.6, 2.0, 0.5


@pytest.fixture
async def hurried(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Service]:
    """The service with little patience and small bodies."""
    monkeypatch.setattr(TimedHeads, "head_seconds", HEAD)
    settings = Settings(
        data_dir=data_dir, upload_max_bytes=1_000_000, body_pause_seconds=PAUSE, body_seconds=TOTAL
    )
    async with running(settings) as service:
        yield service


class Line:
    """A connection, spoken over byte by byte."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, *parts: bytes, pause: float = 0.0) -> None:
        for part in parts:
            self.writer.write(part)
            with contextlib.suppress(ConnectionError):
                await self.writer.drain()
            await asyncio.sleep(pause)

    async def hear(self) -> bytes:
        """All that comes until the other side closes."""
        said = b""
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(20):
                while part := await self.reader.read(65536):
                    said += part
        return said

    async def answer(self) -> tuple[int, dict[str, Any]]:
        """The status and the problem of an answer after which the connection was closed."""
        head, _, body = (await self.hear()).partition(b"\r\n\r\n")
        assert b"application/problem+json" in head, head
        assert b"connection: close" in head.lower(), head
        return int(head.split()[1]), json.loads(body)


@contextlib.asynccontextmanager
async def line(service: Service) -> AsyncGenerator[Line]:
    url = service.http.base_url
    reader, writer = await asyncio.open_connection(url.host, url.port)
    try:
        yield Line(reader, writer)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def head(path: str, *headers: str, method: str = "POST") -> bytes:
    lines = (f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *headers)
    return "".join(f"{each}\r\n" for each in lines).encode() + b"\r\n"


FORM = "Content-Type: multipart/form-data; boundary=x"
JSON = "Content-Type: application/json"


@pytest.mark.parametrize("sent", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n"])
async def test_a_head_that_never_ends_is_cut(hurried: Service, sent: bytes) -> None:
    async with line(hurried) as caller:
        began = time.monotonic()
        await caller.say(sent)
        trickle = asyncio.create_task(caller.say(*[b"X: y\r\n" if sent else b""] * 200, pause=0.05))
        assert await caller.hear() == b""
        assert time.monotonic() - began < 10 * HEAD
        trickle.cancel()


async def test_a_second_head_on_a_kept_connection_is_cut_too(hurried: Service) -> None:
    async with line(hurried) as caller:
        await caller.say(head("/healthz", method="GET"))
        assert b"alive" in await caller.reader.readuntil(b"}")
        await caller.say(b"GET /healthz HTTP/1.1\r\n")
        assert await caller.hear() == b""


@pytest.mark.parametrize(
    ("path", "kind"), [("/v1/assets", FORM), ("/v1/campaigns", FORM), ("/v1/lint", JSON), ("/new", FORM)]
)
async def test_a_body_that_pauses_is_cut(hurried: Service, path: str, kind: str) -> None:
    async with line(hurried) as caller:
        await caller.say(
            head(path, kind, "Content-Length: 1000"), b'--x\r\nContent-Disposition: form-data; name="a"'
        )
        assert (await caller.answer())[1]["code"] == "too-slow"


async def test_a_body_that_trickles_is_cut(hurried: Service) -> None:
    async with line(hurried) as caller:
        begun = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        await caller.say(head("/v1/assets", FORM, "Content-Length: 1000"), begun)
        trickle = asyncio.create_task(caller.say(*[b"a"] * 900, pause=PAUSE / 6))
        status, problem = await caller.answer()
        assert (status, problem["code"]) == (408, "too-slow")
        trickle.cancel()


async def test_a_body_announced_too_large_is_refused_unread(hurried: Service) -> None:
    async with line(hurried) as caller:
        await caller.say(head("/v1/assets", FORM, "Content-Length: 99999999999", "Expect: 100-continue"))
        status, problem = await caller.answer()
        assert (status, problem["code"]) == (413, "too-large")


@pytest.mark.parametrize(
    ("kind", "size"), [(FORM, 2_100_000), (JSON, 1_100_000), ("Content-Type: text/plain", 1_100_000)]
)
async def test_a_body_without_length_is_cut_at_the_limit(hurried: Service, kind: str, size: int) -> None:
    async with line(hurried) as caller:
        await caller.say(
            head(
                "/v1/campaigns" if kind != "Content-Type: text/plain" else "/v1/lint",
                kind,
                "Transfer-Encoding: chunked",
            )
        )
        begun = (
            b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n' if kind == FORM else b'["'
        )
        chunks = [begun, *[b"a" * 50_000] * (size // 50_000 + 1)]
        speaking = asyncio.create_task(
            caller.say(*(f"{len(each):x}\r\n".encode() + each + b"\r\n" for each in chunks))
        )
        status, problem = await caller.answer()
        assert (status, problem["code"]) == (413, "too-large")
        speaking.cancel()


async def test_a_length_that_lies_spoils_only_its_own_connection(hurried: Service) -> None:
    body = json.dumps({"placement": "x_post", "texts": {"body": ["Quiet."]}}).encode()
    async with line(hurried) as caller:
        await caller.say(
            head("/v1/lint", JSON, f"Content-Length: {len(body)}") + body + b"\x00\xff and more\r\n\r\n"
        )
        said = await caller.hear()
    assert said.startswith(b"HTTP/1.1 200")
    assert b"HTTP/1.1 400" in said
    assert (await hurried.http.get("/healthz")).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"y" * 70_000,
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 20_000,
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"POST /v1/lint HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        b"POST /v1/lint HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /v1/lint HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["TLS", "long line", "long header", "many headers", "two hosts", "two lengths", "negative", "chunk"],
)
async def test_what_is_no_http_is_refused(hurried: Service, sent: bytes) -> None:
    async with line(hurried) as caller:
        speaking = asyncio.create_task(caller.say(sent))
        said = await caller.hear()
        await speaking
        assert b" 500 " not in said
        assert said.startswith(b"HTTP/1.1 4"), said[:80]


async def test_a_caller_who_hangs_up_is_nobody_s_fault(hurried: Service) -> None:
    with capture_logs() as logs:
        for kind, path in ((FORM, "/v1/campaigns"), (JSON, "/v1/lint"), (FORM, "/v1/assets")):
            async with line(hurried) as caller:
                await caller.say(head(path, kind, "Content-Length: 500"), b"--x\r\n")
        deadline = time.monotonic() + 10
        while len([each for each in logs if each["event"] == "request"]) < 3:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
    assert not [each for each in logs if each["log_level"] == "error"]
    assert {each["status"] for each in logs if each["event"] == "request"} <= {499, 422}


DEEP = 100_000
TRAPS: dict[str, bytes] = {
    "nested arrays": b"[" * DEEP + b"]" * DEEP,
    "nested objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "nested and left open": b"[" * DEEP,
    "nested 65 deep": b"[" * 66 + b"]" * 66,
    "a number of 5,000 digits": b'{"placement": ' + b"9" * 5000 + b"}",
    "a number beyond all": b'{"placement": 1e999}',
    "not a number": b'{"placement": NaN}',
    "a name twice": b'{"placement": "x_post", "placement": "x_post"}',
    "NUL": b'{"placement": "x_post\\u0000"}',
    "NUL in a name": b'{"a\\u0000": 1}',
    "half a pair": b'{"placement": "\\ud800"}',
    "half a pair in a list": b'{"texts": {"body": ["\\udfff"]}}',
    "no UTF-8": b'{"placement": "\xff\xfe"}',
    "UTF-16": '{"placement": "x_post"}'.encode("utf-16"),
    "half of it": b'{"placement": ',
    "nothing": b"",
    "a million zeros": b"[" + b"0," * 400_000 + b"0]",
}


@pytest.mark.parametrize("name", TRAPS)
async def test_json_that_is_a_trap_is_refused(service: Service, name: str) -> None:
    kinds = {"content-type": "application/json"}
    for path in ("/v1/lint", "/v1/campaigns", "/v1/campaigns/nobody/decisions", "/v1/campaigns/nobody/retry"):
        answer = await service.http.post(path, content=TRAPS[name], headers=kinds)
        allowed = (404, 422) if path.startswith("/v1/campaigns/") else (422,)
        assert answer.status_code in allowed, (path, answer.text)
        assert answer.json()["detail"].endswith(".")
    assert (await service.post(TRAPS[name])).status_code == 422


async def test_a_form_of_too_many_parts_is_refused(service: Service) -> None:
    many: list[tuple[str, Any]] = [("file", (f"{number}.jpg", b"x")) for number in range(1500)]
    for path in ("/v1/campaigns", "/v1/assets", "/new"):
        answer = await service.http.post(path, files=many)
        assert answer.status_code == 422, (path, answer.text)
    fields = await service.http.post("/v1/campaigns", files={"campaign": (None, b"x" * 1_100_000)})
    assert fields.status_code == 422
    broken = await service.http.post("/v1/assets", content=b"--y", headers={"content-type": "multipart/form-data"})
    assert broken.status_code == 422


@pytest.mark.parametrize("path", ["/v1/campaigns?q=a%00b", "/v1/campaigns/a%00b", "/v1/assets/%00", "/?q=%00"])
async def test_a_nul_in_the_address_is_refused(service: Service, path: str) -> None:
    answer = await service.http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


async def test_the_largest_photo_still_fits(data_dir: Path) -> None:
    photo = PHOTO.read_bytes()
    async with running(Settings(data_dir=data_dir, upload_max_bytes=len(photo))) as service:
        campaign = await service.create(languages=[], placements=["x_post"])
        assert (await service.post(AURORA, photo=photo + b"\0")).status_code in (413, 422)
        await service.still(campaign["id"])
