"""The HTTP server in this process: for `fanfare serve`, and for commands that need the service briefly."""

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import AsyncGenerator, Generator

import structlog
import uvicorn
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import ASGIApp

from graph.checkpoints import FAILURES, CheckpointStoreError
from service.app import create_app
from service.embedded import EmbeddedServerFailed
from service.migrations import SchemaMismatch
from service.outages import DatabaseUnavailable
from service.settings import LOOPBACK, Settings
from service.wiring import Fanfare, open_fanfare

_PATH = 2  # among the arguments of an access log's line: client, method, path, version, status


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
    with _listening(host, port) as listener:
        asyncio.run(_serve(settings, listener, url))


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except OSError as error:
        reason = error.strerror or error
        raise AddressRefused(f"Port {port} on {host} is not to be had: {reason}. Try --port.") from None


async def _serve(settings: Settings, listener: socket.socket, url: str) -> None:
    # Opened before uvicorn starts, which would swallow what goes wrong here.
    async with opened(settings, command="fanfare serve", url=url) as fanfare:
        app = create_app(lambda: contextlib.nullcontext(fanfare))
        config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=5)
        server = _Server(config)
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, server.handle_exit, number, None)
        await server.serve(sockets=[listener])


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
        server = _Server(uvicorn.Config(app, log_config=None, log_level="warning", timeout_graceful_shutdown=1))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells by a flag only
            await asyncio.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await task


def _without_query(record: logging.LogRecord) -> bool:
    """Cut the query from a line of uvicorn's access log: it may open something to whoever reads it."""
    if isinstance(record.args, tuple) and len(record.args) > _PATH:
        path = str(record.args[_PATH]).partition("?")[0]
        record.args = (*record.args[:_PATH], path, *record.args[_PATH + 1 :])
    return True


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
    logging.getLogger("uvicorn.access").addFilter(_without_query)
    logging.basicConfig(
        level=level, format="timestamp=%(asctime)s level=%(levelname)s logger=%(name)s %(message)s"
    )
