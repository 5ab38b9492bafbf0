"""The HTTP server in this process: for `fanfare serve`, and for commands that need the service briefly."""

import asyncio
import contextlib
import json
import logging
import resource
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Generator
from typing import ClassVar, cast

import h11
import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from graph.checkpoints import FAILURES, CheckpointStoreError
from service import retention
from service.app import create_app
from service.embedded import EmbeddedServerFailed
from service.migrations import SchemaMismatch
from service.outages import DatabaseUnavailable
from service.problems import Problem
from service.settings import LOOPBACK, Settings
from service.wiring import Fanfare, open_fanfare

_FILES = 10_000


class NotLoopback(ValueError):
    """Without a login the service listens to this machine alone."""


class AddressRefused(Exception):
    """The address cannot be listened on; the message says why."""


class Unavailable(Exception):
    """A store that the settings name cannot be opened; the message says which."""


_MISSING = (
    CheckpointStoreError, DatabaseUnavailable, EmbeddedServerFailed, SchemaMismatch, SQLAlchemyError, ValueError,
    *FAILURES,
)  # fmt: skip


class TimedHeads(H11Protocol):
    """HTTP/1.1 with a clock on the head of a request, which uvicorn waits for without end."""

    head_seconds: ClassVar = 15.0
    _clock: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the clock: a caller who connects means to say something."""
        super().connection_made(transport)
        self._start()

    def data_received(self, data: bytes) -> None:
        """Stop the clock once the head is whole, and start it with the first bytes of the next."""
        if self._clock is None and self._idle:
            self._start()
        super().data_received(data)
        if not self._idle:
            self._stop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the clock."""
        self._stop()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, or has a head of more than 16 kB, as a problem too."""
        problem = Problem(
            400, "bad-request", "Bad request", f"{msg.rstrip('.')}: it is no HTTP, or its head is too long."
        )
        body = json.dumps(problem.as_json()).encode()
        headers = [
            ("Content-Type", "application/problem+json"), ("Content-Length", str(len(body))),
            ("X-Content-Type-Options", "nosniff"), ("Connection", "close"),
        ]  # fmt: skip
        for event in (h11.Response(status_code=400, headers=headers), h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    @property
    def _idle(self) -> bool:
        """Whether no request is under way."""
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is None or cycle.response_complete

    def _start(self) -> None:
        self._clock = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop(self) -> None:
        if self._clock:
            self._clock.cancel()
            self._clock = None


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: whoever started it decides when it stops."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


def serve(settings: Settings, *, host: str, port: int) -> None:
    """Serve until a signal comes, then drain.

    Raises `NotLoopback` for an address that others reach, `AddressRefused` for a port that is taken,
    `Unavailable` and `DataFolderInUse` for what it cannot open.
    """
    require_loopback(settings, host)
    log_to_stderr(settings.log_level)
    url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    _allow_files()
    with _listening(host, port) as listener:
        asyncio.run(_serve(settings, listener, url))


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise AddressRefused(f"Port {port} on {host} is not to be had: {reason}. Try --port.") from None


def _allow_files() -> None:
    """Open as many files as the system lets us: the usual 1,024 are 500 people who follow their campaigns."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


async def _serve(settings: Settings, listener: socket.socket, url: str) -> None:
    # Opened before uvicorn starts, which would swallow what goes wrong here.
    async with opened(settings, command="fanfare serve", url=url) as fanfare:
        app = create_app(lambda: contextlib.nullcontext(fanfare))
        server = _Server(_config(app, drain_seconds=5))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
        keeping = asyncio.create_task(retention.keep(fanfare))
        try:
            await server.serve(sockets=[listener])
        finally:
            keeping.cancel()
            await asyncio.wait([keeping])


@contextlib.asynccontextmanager
async def opened(
    settings: Settings, *, command: str, url: str | None = None, recover: bool = True
) -> AsyncGenerator[Fanfare]:
    """What `open_fanfare` opens; raises `Unavailable`, with a sentence, for what cannot be opened."""
    async with contextlib.AsyncExitStack() as stack:
        opening = open_fanfare(settings, command=command, url=url, recover=recover)
        try:
            fanfare = await stack.enter_async_context(opening)
        except _MISSING as error:
            raise Unavailable(f"{error} Run `fanfare doctor` to see what is missing.") from error
        yield fanfare


def _config(app: ASGIApp, *, drain_seconds: int) -> uvicorn.Config:
    """Parsed in Python, which holds a head to 16 kB; proxies, names and the log of requests are our own affair."""
    return uvicorn.Config(
        app, http=TimedHeads, ws="none", log_config=None, access_log=False, server_header=False,
        proxy_headers=False, timeout_graceful_shutdown=drain_seconds,
    )  # fmt: skip


def require_loopback(settings: Settings, host: str) -> None:
    """Raise `NotLoopback` unless `host` is this machine alone, or callers have to log in."""
    if settings.auth == "none" and host not in LOOPBACK:
        raise NotLoopback(
            f"Without a login configured Fanfare listens on this machine only; {host} is open to others. "
            "Set FANFARE_AUTH=required and make a key with `fanfare keys create`, or use 127.0.0.1 and a tunnel."
        )


@contextlib.asynccontextmanager
async def serving(app: ASGIApp, *, port: int = 0) -> AsyncGenerator[str]:
    """Serve `app` on a free port of this machine, or on `port`, within the block; yields its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))
        server = _Server(_config(app, drain_seconds=1))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells by a flag only
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def log_to_stderr(name: str) -> None:
    """One line of key=value on standard error for each event of level `name` or worse, whoever logs it."""
    level = logging.getLevelNamesMapping()[name.upper()]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
    )
    logging.basicConfig(
        level=level, format="timestamp=%(asctime)s level=%(levelname)s logger=%(name)s %(message)s"
    )
