"""A receiver of webhooks on this machine: keeps what it is sent, and answers as the test says."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from standardwebhooks import Webhook, WebhookVerificationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from service.server import serving
from service.settings import Settings

Answer = Callable[[int], Response]


def _taken(_: int) -> Response:
    return Response(status_code=204)


@dataclass(frozen=True)
class Received:
    """One request."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        """The event in its body."""
        event: dict[str, Any] = json.loads(self.body)
        return event

    def is_signed_with(self, secret: str) -> bool:
        """Whether the reference implementation of Standard Webhooks takes it."""
        try:
            Webhook(secret).verify(self.body, self.headers)
        except WebhookVerificationError as error:
            assert str(error) == "No matching signature found"  # noqa: PT017 - any other is a fault
            return False
        return True


@dataclass
class Receiver:
    """Where it listens, and what came, in order; `answer` makes the reply to the nth request, from 1."""

    answer: Answer = _taken
    seconds: float = 0.0
    url: str = ""
    received: list[Received] = field(default_factory=list[Received])
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def port(self) -> int:
        """Its port."""
        return urlsplit(self.url).port or 0

    async def handle(self, request: Request) -> Response:
        """Keep the request, wait, and answer."""
        self.received.append(Received(dict(request.headers), await request.body()))
        number = len(self.received)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), self.seconds)
        return self.answer(number)

    async def gets(self, count: int) -> list[Received]:
        """What came, once it is `count` requests or more."""
        deadline = time.monotonic() + 40
        while len(self.received) < count:
            assert time.monotonic() < deadline, f"only {[one.event['type'] for one in self.received]} came"
            await asyncio.sleep(0.02)
        return self.received


@contextlib.asynccontextmanager
async def receiving(answer: Answer = _taken, *, seconds: float = 0.0, port: int = 0) -> AsyncGenerator[Receiver]:
    """A receiver within the block, on `port` or any that is free."""
    receiver = Receiver(answer, seconds)
    app = Starlette(routes=[Route("/{path:path}", receiver.handle, methods=["POST", "GET"])])
    async with serving(app, port=port) as url:
        receiver.url = f"{url}/hook"
        try:
            yield receiver
        finally:
            receiver.closing.set()


def to_loopback(*ports: int, **more: Any) -> dict[str, Any]:
    """Settings that let webhooks go to this machine, and try again at once."""
    return {
        "webhook_allow": ("127.0.0.0/8", "localhost"), "webhook_ports": ports or (443,), "webhook_http": True,
        "webhook_retry_seconds": 0.05, **more,
    }  # fmt: skip


def settings_to(*receivers: Receiver, **more: Any) -> Settings:
    """The service's settings with `receivers` allowed."""
    return Settings(**to_loopback(*(one.port for one in receivers), **more))
