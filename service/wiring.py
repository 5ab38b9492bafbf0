"""The composition root: settings become objects here, and nowhere else."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

import httpx2
import openai
from langchain_openai import ChatOpenAI

from agents import offline
from agents.chat import ChatModel
from agents.model import Model, Unmetered
from agents.patience import Patient
from graph.campaign import build_campaign
from graph.checkpoints import AsyncClient, RedisSaver, locate, open_async
from graph.steps import Ports
from service import migrations
from service.embedded import hold, private_server
from service.events import Events
from service.records import Records
from service.runs import Graph, Runs
from service.settings import Settings
from service.tracing import open_tracer
from tools.assets import AssetStore, LocalAssets

PREFIX = "fanfare"
_REDIS_SECONDS = 15.0  # longer than a reader of events waits for the next one


@dataclass(frozen=True)
class Fanfare:
    """Everything a running process is made of."""

    settings: Settings
    assets: AssetStore
    records: Records
    events: Events
    runs: Runs
    ports: Ports
    saver: RedisSaver
    redis: AsyncClient


@contextlib.asynccontextmanager
async def open_fanfare(
    settings: Settings, *, command: str = "fanfare", url: str | None = None, recover: bool = True
) -> AsyncGenerator[Fanfare]:
    """Open every store, go on with unfinished campaigns if asked to, and drain and close at the end.

    Raises `DataFolderInUse` while another process has the data folder.
    """
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(hold(settings.data_dir, command, url))
        redis_url = settings.redis_url
        if redis_url is None:
            redis_url = await stack.enter_async_context(private_server(settings.data_dir / "redis"))
        database_url = _database_url(settings)
        await migrations.upgrade(database_url)
        records = await stack.enter_async_context(Records.open(database_url))
        redis = await stack.enter_async_context(open_async(locate(redis_url), timeout=_REDIS_SECONDS, retries=3))
        saver = await stack.enter_async_context(
            RedisSaver.from_url(redis_url, prefix=PREFIX, serde=settings.serializer)
        )
        assets = LocalAssets(_assets_root(settings))
        model = await stack.enter_async_context(open_model(settings))
        ports = Ports(Unmetered(patient(model, settings)), assets)
        graph: Graph = build_campaign(ports).compile(checkpointer=saver)
        tracer = stack.enter_context(open_tracer(settings))
        events = Events(redis, prefix=PREFIX)
        runs = Runs(graph, records, events, tracer, limit=settings.max_running)
        if recover:
            await runs.recover()
            stack.push_async_callback(_stopped, asyncio.create_task(runs.sweep()))
        _calm_the_collector()
        try:
            yield Fanfare(settings, assets, records, events, runs, ports, saver, redis)
        finally:
            await runs.drain(settings.stop_seconds)


@contextlib.asynccontextmanager
async def open_model(settings: Settings) -> AsyncGenerator[Model]:
    """The model that `settings` name: a compatible server, or the rehearsal model in this process."""
    rehearsing = settings.provider == "rehearsal"
    limits = httpx2.Limits(
        max_connections=settings.model_connections, max_keepalive_connections=settings.model_connections
    )
    transport = httpx2.ASGITransport(app=offline.rehearsal()) if rehearsing else None
    key = settings.openai_api_key
    secret = "rehearsal" if rehearsing else key.get_secret_value() if key else "none"
    base_url = "http://rehearsal/v1" if rehearsing else settings.openai_base_url
    async with httpx2.AsyncClient(
        transport=transport, limits=limits, timeout=settings.model_timeout_seconds
    ) as http:
        client = openai.AsyncOpenAI(api_key=secret, base_url=base_url, http_client=http, max_retries=0)

        def chat(agent: str) -> ChatOpenAI:
            return ChatOpenAI(
                model="rehearsal" if rehearsing else settings.model, api_key=lambda: secret,
                base_url=base_url, http_async_client=http, max_retries=0, name=agent,
                timeout=settings.model_timeout_seconds,
            )  # fmt: skip

        yield ChatModel(chat, moderation=client if settings.moderation else None)


def patient(model: Model, settings: Settings) -> Model:
    """`model`, asked again while its server is away."""
    return Patient(model, seconds=settings.model_patience_seconds, call_seconds=settings.model_timeout_seconds)


def model_languages(settings: Settings) -> frozenset[str] | None:
    """The languages that the configured model can write, or None when it is not limited."""
    return offline.LANGUAGES if settings.provider == "rehearsal" else None


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _database_url(settings: Settings) -> str:
    return settings.database_url or f"sqlite+aiosqlite:///{settings.data_dir.absolute() / 'fanfare.db'}"


def _assets_root(settings: Settings) -> Path:
    if settings.assets_url is None:
        return settings.data_dir.absolute() / "assets"
    return Path(unquote(urlparse(settings.assets_url).path))


def _calm_the_collector() -> None:
    """Half the CPU of many campaigns in flight would go into collecting garbage that is not there."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 1000)


class Shared:
    """One `Fanfare` for everything in a process that asks for it, open while anybody uses it."""

    def __init__(self) -> None:
        self._users = 0
        self._lock = asyncio.Lock()
        self._stack = contextlib.AsyncExitStack()
        self._open: Fanfare | None = None

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncGenerator[Fanfare]:
        """The shared `Fanfare`; the first user opens it, the last one closes it."""
        async with self._lock:
            if self._open is None:
                self._open = await self._stack.enter_async_context(
                    open_fanfare(Settings(), command="langgraph dev")
                )
            self._users += 1
        try:
            yield self._open
        finally:
            async with self._lock:
                self._users -= 1
                if not self._users:
                    self._open = None
                    await self._stack.aclose()


shared = Shared()
