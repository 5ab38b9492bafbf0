"""The rehearsal model's server: an ASGI app that speaks OpenAI's wire format."""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agents.offline import wire
from agents.offline.asks import Ask, BadRequest, key_of, read_ask, read_json
from agents.offline.calls import Call, Calls
from agents.offline.cast import AGENTS, answer, wanted
from agents.offline.faults import TRANSPORT, UNSENT, Dice, check_features, spoil
from agents.offline.moderations import Moderation, analyse_picture, analyse_text, judged, moderate

_MOST_KNOWN = 512
_BETWEEN_DROPS = 0.25


def rehearsal(
    *,
    latency: float = 0.0,
    jitter: float = 0.0,
    faults: Mapping[str, float] | None = None,
    seed: int = 0,
    ledger: Path | None = None,
    without: Collection[str] = (),
) -> ASGIApp:
    """The rehearsal model as an ASGI app, for an in-process transport or for a port.

    `latency` and `jitter` are seconds; `faults` are rates by name, drawn by `seed` and the count of requests;
    `ledger` is a file that keeps the list of calls beyond the life of the process; what it is `without` it
    refuses, as servers do that do not know it. Raises ValueError for rates and features that are none.
    """
    check_features(without)
    served = _Rehearsal(Dice(faults or {}, latency, jitter, seed), Calls(ledger), frozenset(without))
    return Starlette(
        routes=[
            Route("/v1/chat/completions", served.chat, methods=["POST"]),
            Route("/v1/moderations", served.moderations, methods=["POST"]),
            Route("/v1/models", served.models),
            Route("/contentsafety/text:analyze", served.analyse_text, methods=["POST"]),
            Route("/contentsafety/image:analyze", served.analyse_picture, methods=["POST"]),
            Route("/rehearsal/calls", served.list_calls),
            Route("/rehearsal/reset", served.reset, methods=["POST"]),
        ],
        exception_handlers={HTTPException: _no_such_route},
    )


@dataclass(frozen=True)
class _Rehearsal:
    """The endpoints, over one ledger of calls."""

    dice: Dice
    calls: Calls
    without: frozenset[str] = frozenset()
    known: dict[Ask, wire.Reply] = field(default_factory=dict[Ask, wire.Reply])

    async def chat(self, request: Request) -> Response:
        """Answer a chat request, or fail as the dice say."""
        try:
            ask = read_ask(read_json(await request.body()))
        except BadRequest as error:
            return self._refused(self.calls.arrive(agent=None, schema=None, key=""), error)
        schema = wanted(ask)
        call = self.calls.arrive(agent=AGENTS.get(schema or ""), schema=schema, key=ask.key)
        if missing := self._unknown(ask):
            return self._refused(call, missing)
        fault = await self._fate(call)
        if fault in TRANSPORT:
            return self._failed(call, fault)
        try:
            reply = spoil(await self._answer(ask), fault)
        except (ValueError, RecursionError) as error:
            return self._refused(call, error)
        return await self._sent(request, call, _told(ask, reply, fault))

    async def moderations(self, request: Request) -> Response:
        """Answer a moderation request, or fail on the way as the dice say."""
        return await self._judged(request, moderate)

    async def analyse_text(self, request: Request) -> Response:
        """The same as Azure AI Content Safety answers it, for a text."""
        return _unlike_azure(request) or await self._judged(request, analyse_text)

    async def analyse_picture(self, request: Request) -> Response:
        """The same for a picture."""
        return _unlike_azure(request) or await self._judged(request, analyse_picture)

    async def _judged(self, request: Request, judge: Moderation) -> Response:
        try:
            value = read_json(await request.body())
            result = await judged(judge, value)
            key = key_of(value.get("input", value))
        except (ValueError, RecursionError) as error:
            return self._refused(self.calls.arrive(agent="moderation", schema=None, key=""), error)
        call = self.calls.arrive(agent="moderation", schema=None, key=key)
        fault = await self._fate(call)
        if fault in TRANSPORT:
            return self._failed(call, fault)
        return await self._sent(request, call, JSONResponse(result))

    async def models(self, _: Request) -> Response:
        """The one model there is."""
        model = {"id": wire.MODEL, "object": "model", "created": 0, "owned_by": "fanfare", "rehearsal": True}
        return JSONResponse({"object": "list", "data": [model]})

    async def list_calls(self, _: Request) -> Response:
        """Every call served so far."""
        return JSONResponse(self.calls.as_json())

    async def reset(self, _: Request) -> Response:
        """Forget the calls."""
        self.calls.reset()
        return Response(status_code=204)

    def _unknown(self, ask: Ask) -> BadRequest | None:
        """The refusal of a parameter that this server does not know, in words that real ones use."""
        if ask.schema and "json_schema" in self.without:
            says = "'response_format' of type 'json_schema' is not supported with this model."
            return BadRequest(f"Invalid parameter: {says}", param="response_format", code="unsupported")
        if ask.tools and "tools" in self.without:
            return BadRequest("rehearsal does not support tools", param="tools", code="unsupported")
        if ask.json_mode and "json_object" in self.without:
            says = "This response_format type is unavailable now"
            return BadRequest(says, param="response_format", code="unsupported")
        return None

    async def _answer(self, ask: Ask) -> wire.Reply:
        """The answer, remembered: the same question has the same one, and load tests ask it often."""
        if ask not in self.known:
            if len(self.known) >= _MOST_KNOWN:
                self.known.clear()
            self.known[ask] = await answer(ask)
        return self.known[ask]

    async def _fate(self, call: Call) -> str | None:
        """Wait as long as the model takes, then tell what goes wrong."""
        await asyncio.sleep(self.dice.delay(call.n))
        call.fault = self.dice.fault(call.n)
        return call.fault

    async def _sent(self, request: Request, call: Call, response: Response) -> Response:
        """`response`, which counts as committed once its last byte was taken by a caller who is still there."""
        if not await request.is_disconnected():
            response.background = BackgroundTask(self._commit, call, response.status_code)
        return response

    async def _commit(self, call: Call, status: int) -> None:
        self.calls.commit(call, status)

    def _refused(self, call: Call, error: Exception) -> Response:
        bad = error if isinstance(error, BadRequest) else BadRequest(str(error))
        self.calls.fail(call, 400)
        return wire.problem(400, str(bad), param=bad.param, code=bad.code or "invalid_request")

    def _failed(self, call: Call, fault: str | None) -> Response:
        response = _failure(fault)
        if fault not in UNSENT:
            self.calls.fail(call, response.status_code)
        return response


class _Hang(Response):
    """No answer at all, until the caller goes away."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        while (await receive())["type"] != "http.disconnect":
            pass


class _Reset(Response):
    """An answer that breaks off: a server closes the connection, an in-process transport raises."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"64")]})
        # A server, known by its lifespan state, closes what was left incomplete; raising would fill its log.
        if "state" not in scope:
            raise httpx2.ReadError("The rehearsal model reset the connection.")


class _Torn(Response):
    """An answer whose connection is closed in the middle of its body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        headers = [(b"content-length", b"64"), (b"content-type", b"application/json")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"id": "chatcmpl-', "more_body": True})
        if "state" not in scope:  # see _Reset
            raise httpx2.ReadError("The rehearsal model closed the connection.")


async def _drops() -> AsyncIterator[bytes]:
    """White space for ever, often enough that no timeout between two bytes ends it."""
    while True:
        yield b" "
        await asyncio.sleep(_BETWEEN_DROPS)


def _failure(fault: str | None) -> Response:
    match fault:
        case "429" | "429-after":
            wait = {"Retry-After": "1"} if fault == "429-after" else None
            message = "Rate limit reached for the rehearsal model; slow down."
            return wire.problem(429, message, kind="requests", code="rate_limit_exceeded", headers=wait)
        case "quota":
            message = "You exceeded your current quota, please check your plan and billing details."
            return wire.problem(429, message, kind="insufficient_quota", code="insufficient_quota")
        case "prompt-filter":
            message = "The response was filtered due to the prompt triggering the content management policy."
            return wire.problem(400, message, param="prompt", code="content_filter")
        case "500":
            return wire.problem(500, "The rehearsal model had an error.", kind="server_error", code="server_error")
        case "502":
            return HTMLResponse("<html><body><h1>502 Bad Gateway</h1></body></html>", 502)
        case "503":
            return wire.problem(503, "The rehearsal model is overloaded.", kind="server_error", code="overloaded")
        case "html":
            return HTMLResponse("<html><body><h1>Welcome to the hotel's wireless network</h1></body></html>")
        case "hang":
            return _Hang()
        case "drip":
            return StreamingResponse(_drops(), media_type="application/json")
        case "torn":
            return _Torn()
        case _:
            return _Reset()


def _told(ask: Ask, reply: wire.Reply, fault: str | None) -> Response:
    usage, empty = wire.Usage.of(ask.messages, reply).as_json(fault), fault == "empty"
    if not ask.stream:
        return JSONResponse(wire.completion(ask.key, reply, usage, empty=empty))
    events: Iterator[str] = wire.chunks(ask.key, reply, usage if ask.include_usage else None, empty=empty)
    return StreamingResponse(_each(events), media_type="text/event-stream")


async def _each(events: Iterator[str]) -> AsyncIterator[str]:
    """`events` on the loop: a thread each would cost more than they do."""
    for event in events:
        yield event


def _unlike_azure(request: Request) -> Response | None:
    """What Azure AI Content Safety refuses before it looks: a call without a version or a key."""
    if "api-version" not in request.query_params:
        return wire.problem(404, "Resource not found", code="404")
    if not request.headers.get("ocp-apim-subscription-key"):
        return wire.problem(401, "Access denied due to missing subscription key.", code="401")
    return None


async def _no_such_route(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 404
    return wire.problem(status, "The rehearsal model has no such endpoint.", code="unknown_url")
