"""The composition root: settings become objects here, and nowhere else."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlparse

import httpx2
from pydantic import SecretStr

from agents import offline
from agents.chat import OPENAI, ChatModel, Endpoint, open_chat
from agents.ledger import Ledger, Remembered
from agents.model import Account, Model
from agents.patience import Patient, StoodIn
from agents.purse import Estimate, Paid, Purse, UpperEstimate
from agents.screens import AzureContentSafety, Bounds, NoScreen, OpenAIScreen, Screen
from graph.campaign import build_campaign
from graph.checkpoints import AsyncClient, RedisSaver, locate, open_async
from graph.steps import Ports
from service import migrations
from service.answers import RedisLedger
from service.database import Database
from service.embedded import hold, private_server
from service.events import Events
from service.limits import Limits
from service.purse import RedisPurse
from service.quotas import MeteredAssets, Quotas
from service.records import Records
from service.runs import Graph, Runs
from service.settings import Settings
from service.tracing import open_tracer
from tools.assets import AssetStore, LocalAssets

PREFIX = "fanfare"
_OUTPUT_TOKENS = 8000
"""What an answer is taken to have at most where no cap is set: only a budget asks, and only beforehand."""
_REDIS_CONNECTIONS = 5000  # whoever follows a campaign holds one while nothing happens
_REDIS_SECONDS = 15.0  # longer than a reader of events waits for the next one


@dataclass(frozen=True)
class Fanfare:
    """Everything a running process is made of."""

    settings: Settings
    assets: AssetStore
    database: Database
    records: Records
    events: Events
    runs: Runs
    ports: Ports
    saver: RedisSaver
    redis: AsyncClient
    limits: Limits
    quotas: Quotas


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
        database = await stack.enter_async_context(Database.open(database_url))
        records = Records(database)
        redis = await stack.enter_async_context(
            open_async(locate(redis_url), timeout=_REDIS_SECONDS, max_connections=_REDIS_CONNECTIONS, retries=3)
        )
        saver = await stack.enter_async_context(
            RedisSaver.from_url(redis_url, prefix=PREFIX, serde=settings.serializer)
        )
        kept = LocalAssets(_assets_root(settings))
        quotas = Quotas(
            redis, prefix=PREFIX, day_campaigns=settings.tenant_day_campaigns,
            storage_bytes=settings.tenant_storage_bytes,
        )  # fmt: skip
        assets = MeteredAssets(kept, quotas, limited=True)
        models = await stack.enter_async_context(open_models(settings, redis, where=str(locate(redis_url))))
        ports = Ports(models, MeteredAssets(kept, quotas, limited=False))
        graph: Graph = build_campaign(ports).compile(checkpointer=saver)
        tracer = stack.enter_context(open_tracer(settings))
        events = Events(redis, prefix=PREFIX)
        runs = Runs(graph, records, events, tracer, limit=settings.max_running)
        if recover:
            await runs.recover()
            stack.push_async_callback(_stopped, asyncio.create_task(runs.sweep()))
        calm_the_collector()
        try:
            limits = Limits(redis, settings.limits, prefix=PREFIX)
            yield Fanfare(settings, assets, database, records, events, runs, ports, saver, redis, limits, quotas)
        finally:
            await runs.drain(settings.stop_seconds)


@contextlib.asynccontextmanager
async def open_model(settings: Settings) -> AsyncGenerator[ChatModel]:
    """The model that `settings` name: a compatible server, or the rehearsal model in this process."""
    async with (
        open_screen(settings) as screen,
        open_chat(_endpoint(settings), screen=screen, transport=_transport(settings)) as model,
    ):
        yield model


@contextlib.asynccontextmanager
async def open_screen(settings: Settings) -> AsyncGenerator[Screen]:
    """The moderation endpoint that `settings` name; that of the rehearsal model stands in this process."""
    if settings.screen == "none":
        yield NoScreen()
        return
    transport = _transport(settings) if settings.screen == "openai" else None
    most, timeout = settings.model_connections, settings.model_timeout_seconds
    limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most)
    async with httpx2.AsyncClient(transport=transport, limits=limits, timeout=timeout) as http:
        yield _azure_screen(settings, http) if settings.screen == "azure" else _openai_screen(settings, http)


def _openai_screen(settings: Settings, http: httpx2.AsyncClient) -> Screen:
    endpoint = _endpoint(settings)
    return OpenAIScreen(
        http, base_url=endpoint.base_url, key=endpoint.key, timeout=endpoint.timeout, at_once=endpoint.concurrency,
        bounds=Bounds(settings.screen_warn, settings.screen_block),
    )  # fmt: skip


def _azure_screen(settings: Settings, http: httpx2.AsyncClient) -> Screen:
    return AzureContentSafety(
        http,
        endpoint=settings.azure_content_safety_endpoint or "",
        key=settings.azure_content_safety_key or SecretStr(""),
        timeout=settings.model_timeout_seconds,
        bounds=Bounds(settings.azure_warn_above, settings.azure_block_above),
    )


def _transport(settings: Settings) -> httpx2.AsyncBaseTransport | None:
    """The way to the rehearsal model, which needs no network."""
    return httpx2.ASGITransport(app=offline.rehearsal()) if settings.provider == "rehearsal" else None


def _endpoint(settings: Settings) -> Endpoint:
    """The first model's server."""
    named = _named(settings)
    if settings.provider != "rehearsal":
        return named
    return replace(named, model="rehearsal", base_url="http://rehearsal/v1", key=None, agent_models={})


def _named(settings: Settings) -> Endpoint:
    return Endpoint(
        model=settings.model,
        base_url=settings.openai_base_url or OPENAI,
        key=settings.openai_api_key,
        agent_models=settings.agent_models,
        timeout=settings.model_timeout_seconds,
        concurrency=settings.model_connections,
        max_output_tokens=settings.model_max_output_tokens,
    )


@dataclass(frozen=True)
class Accounts:
    """The model for whoever pays: remembered answers first, then the purse, then the server."""

    model: Model
    ledger: Ledger
    purse: Purse
    identity: Callable[[str], str]
    estimate: Estimate

    def on(self, account: Account) -> Model:
        """See `Models.on`."""
        paid = Paid(self.model, self.purse, account, self.estimate)
        return Remembered(paid, self.ledger, account, self.identity)


@contextlib.asynccontextmanager
async def open_models(settings: Settings, redis: AsyncClient, *, where: str) -> AsyncGenerator[Accounts]:
    """The models that `settings` name, with what is remembered and spent in `redis`, which is told as `where`."""
    async with contextlib.AsyncExitStack() as stack:
        first = await stack.enter_async_context(open_model(settings))
        second = None
        if settings.fallback_model:
            stand_in = _fallback(settings, settings.fallback_model)
            second = await stack.enter_async_context(open_chat(stand_in, screen=NoScreen()))
        most = settings.model_max_output_tokens or _OUTPUT_TOKENS
        hold = 1.5 * settings.model_patience_seconds + 60  # longer than a call lasts, with its stand-in's
        yield Accounts(
            patient(first, settings, stand_in=second),
            RedisLedger(
                redis, prefix=PREFIX, ttl_seconds=settings.answers_seconds, serializer=settings.serializer,
                where=f"The answer ledger at {where}",
            ),
            RedisPurse(
                redis, prefix=PREFIX, tenant_day_usd=settings.tenant_day_usd, hold_seconds=hold,
                patience_seconds=2 * hold, where=f"The purse at {where}",
            ),
            first.identity,
            UpperEstimate(_endpoint(settings).model_of, lambda _: most),
        )  # fmt: skip


def patient(model: Model, settings: Settings, *, stand_in: Model | None = None) -> Model:
    """`model`, asked again while its server is away, or a stand-in in its place after a while."""
    seconds, at_once = settings.model_patience_seconds, settings.model_connections
    if stand_in is None:
        return Patient(model, seconds=seconds, at_once=at_once)
    first = Patient(model, seconds=seconds / 4, at_once=at_once, attempts=3, waits=False)
    return StoodIn(first, Patient(stand_in, seconds=seconds, at_once=at_once))


def _fallback(settings: Settings, model: str) -> Endpoint:
    return replace(
        _named(settings), model=model, agent_models={},
        base_url=settings.fallback_base_url or settings.openai_base_url or OPENAI,
        key=settings.fallback_api_key or (None if settings.fallback_base_url else settings.openai_api_key),
    )  # fmt: skip


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


def calm_the_collector() -> None:
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
