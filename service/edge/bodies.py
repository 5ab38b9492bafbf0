"""Bodies as they come in: never more than a request may hold, and never slower than a caller who means it."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.edge.access import answer
from service.edge.soundness import storable, unsound
from service.problems import Problem, invalid
from service.settings import Settings

_MIB: Final = 1 << 20
_LINGER_SECONDS: Final = 2.0
_DISCONNECT: Final[Mapping[str, Any]] = {"type": "http.disconnect"}


@dataclass(frozen=True)
class Allowance:
    """What a request's body may cost: `most` bytes, `pause` seconds without a byte, `seconds` in all."""

    most: int
    pause: float
    seconds: float

    @classmethod
    def of(cls, settings: Settings, media_type: str) -> "Allowance":
        """A form may bring a photo, which goes to the disk; whatever else comes is held in memory."""
        photo = settings.upload_max_bytes if media_type == "multipart/form-data" else 0
        return cls(photo + _MIB, settings.body_pause_seconds, settings.body_seconds)


class Bodies:
    """Middleware: refuses a body as soon as it is too large, too slow or unsound, and closes the connection.

    JSON is read whole and checked before anything parses it. To the routes a refused body looks like a caller
    who hung up, and what they answer to that is dropped for the refusal.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request through while its body is as it may be."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
        body = _Body(receive, Allowance.of(scope["app"].state.fanfare.settings, media_type))
        refusal = _unaskable(scope) or body.announced(headers.get("content-length", ""))
        if not refusal and media_type.endswith(("/json", "+json")) and await body.read_whole():
            refusal = unsound(body.held)
        if problem := refusal or body.refusal:
            await body.refuse(problem, scope, send)
        else:
            await self._pass_on(scope, body, send)

    async def _pass_on(self, scope: Scope, body: "_Body", send: Send) -> None:
        started = False

        async def tell(message: Message) -> None:
            nonlocal started
            if started or not body.refusal:
                started = True
                await send(message)

        try:
            await self._app(scope, body, tell)
        except ClientDisconnect:
            if not body.refusal:
                raise
        if body.refusal and not started:
            await body.refuse(body.refusal, scope, send)


class _Body:
    """What is left of a body to receive; an ASGI `receive` that counts and watches the clock."""

    def __init__(self, receive: Receive, allowed: Allowance) -> None:
        self.refusal: Problem | None = None
        self.held = b""
        self._receive = receive
        self._allowed = allowed
        self._size = 0
        self._waited = 0.0
        self._whole = False
        self._replay: Message | None = None

    async def __call__(self) -> Message:
        if self._replay:
            message, self._replay = self._replay, None
            return message
        if self._whole:
            return await self._receive()
        if self.refusal:
            return {**_DISCONNECT}
        return await self._next()

    def announced(self, length: str) -> Problem | None:
        """413 for a Content-Length over the limit, before a byte of it is read."""
        return self._too_large() if length.isdecimal() and int(length[:18]) > self._allowed.most else None

    async def read_whole(self) -> bool:
        """Hold all of the body, to be received once more; False when it was refused or broke off."""
        parts: list[bytes] = []
        while not self._whole:
            message = await self()
            if message["type"] != "http.request":
                self._replay = message
                return False
            parts.append(message.get("body", b""))
        self.held = b"".join(parts)
        self._replay = {"type": "http.request", "body": self.held, "more_body": False}
        return True

    async def refuse(self, problem: Problem, scope: Scope, send: Send) -> None:
        """Answer, and read on for a moment: a caller who is still sending would lose the answer to a reset."""
        response = answer(problem)
        if not self._whole:
            response.headers["Connection"] = "close"

        async def tell(message: Message) -> None:
            await send({**message, "more_body": True} if message["type"] == "http.response.body" else message)

        await response(scope, self._receive, tell)
        if problem.status == _TOO_LARGE and not self._whole:
            await self._linger()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _linger(self) -> None:
        try:
            async with asyncio.timeout(_LINGER_SECONDS):
                while (message := await self._receive())["type"] == "http.request" and message.get("more_body"):
                    pass
        except TimeoutError:
            return

    async def _next(self) -> Message:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            async with asyncio.timeout(min(self._allowed.pause, self._allowed.seconds - self._waited)):
                message = await self._receive()
        except TimeoutError:
            self.refusal = _TOO_SLOW
            return {**_DISCONNECT}
        self._waited += loop.time() - began
        if message["type"] == "http.request":
            self._size += len(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._size > self._allowed.most:
                self.refusal = self._too_large()
                return {**_DISCONNECT}
        return message

    def _too_large(self) -> Problem:
        limit = f"{self._allowed.most / 1e6:.3g} MB"
        return Problem(_TOO_LARGE, "too-large", "Too large", f"The body is over {limit}; send a smaller one.")


_TOO_LARGE: Final = 413
_TOO_SLOW: Final = Problem(
    408, "too-slow", "Too slow", "The rest of the body did not come in time; send it again on a better line."
)


def _unaskable(scope: Scope) -> Problem | None:
    """422 for an address that holds what no store could be asked for."""
    if storable(scope["path"]) and b"%00" not in scope["query_string"]:
        return None
    return invalid("The address holds a NUL character; ask without it.", [{"loc": ["path"], "msg": "NUL"}])
