"""The composition root: settings become objects here, and nowhere else."""

import asyncio
import contextlib
import gc
import hashlib
import os
import secrets
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
from service.attempts import Attempts
from service.audit import Audit
from service.authentication import Authentication, Login, NoLogin
from service.catalogue import Catalogue
from service.database import Database
from service.deliveries import Deliverer, Patience
from service.embedded import hold, private_server
from service.events import Events
from service.jwks import Jwks
from service.keys import Keys
from service.limits import Limits
from service.links import Links
from service.outbound import Outbound, Rules, allowed, open_outbound
from service.outbox import Outbox
from service.picture_links import PictureLinks
from service.pictures import Pictures
from service.purse import RedisPurse
from service.quotas import MeteredAssets, Quotas
from service.records import Records
from service.runs import Graph, Runs
from service.sessions import Sessions
from service.settings import Settings
from service.sweep import Sweep
from service.tokens import Claims, SharedSecret, Tokens
from service.tracing import open_tracer
from service.webhooks import Webhooks
from tools.assets import AssetStore, LocalAssets
from tools.imaging.signing import Signer
from tools.objects import ObjectAssets

PREFIX = "fanfare"
_OUTPUT_TOKENS = 8000
"""What an answer is taken to have at most where no cap is set: only a budget asks, and only beforehand."""
_REDIS_CONNECTIONS = 5000  # whoever follows a campaign holds one while nothing happens
_REDIS_SECONDS = 15.0  # longer than a reader of events waits for the next one


@dataclass(frozen=True)
class Fanfare:
    """Everything a running process is made of."""

    settings: Settings
    assets: Catalogue
    picture_links: PictureLinks
    sweep: Sweep
    database: Database
    records: Records
    pictures: Pictures
    events: Events
    runs: Runs
    ports: Ports
    saver: RedisSaver
    redis: AsyncClient
    webhooks: Webhooks
    outbox: Outbox
    outbound: Outbound
    authentication: Authentication
    keys: Keys
    links: Links
    sessions: Sessions
    attempts: Attempts
    limits: Limits
    answers: RedisLedger
    audit: Audit
    quotas: Quotas


@contextlib.asynccontextmanager
async def open_fanfare(
    settings: Settings, *, command: str = "fanfare", url: str | None = None, recover: bool = True
) -> AsyncGenerator[Fanfare]:
    """Open every store, go on with unfinished campaigns if asked to, and drain and close at the end.

    Raises `DataFolderInUse` while another process has the data folder, `UnusableCertificate`, and
    `DatabaseUnavailable` and `SchemaMismatch` for a database that is away or at another revision.
    """
    signer = await asyncio.to_thread(open_signer, settings)
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(hold(settings.data_dir, command, url))
        redis_url = settings.redis_url
        if redis_url is None:
            redis_url = await stack.enter_async_context(private_server(settings.data_dir / "redis"))
        database = await stack.enter_async_context(open_database(settings))
        records = Records(database)
        redis = await stack.enter_async_context(
            open_async(locate(redis_url), timeout=_REDIS_SECONDS, max_connections=_REDIS_CONNECTIONS, retries=3)
        )
        saver = await stack.enter_async_context(
            RedisSaver.from_url(redis_url, prefix=PREFIX, serde=settings.serializer)
        )
        quotas = Quotas(
            redis, prefix=PREFIX, day_campaigns=settings.tenant_day_campaigns,
            storage_bytes=settings.tenant_storage_bytes,
        )  # fmt: skip
        assets = Catalogue(database, MeteredAssets(asset_store(settings), quotas))
        picture_links = PictureLinks(_signing_key(settings), seconds=settings.url_seconds)
        models = await stack.enter_async_context(open_models(settings, redis, where=str(locate(redis_url))))
        ports = Ports(models, assets, signer)
        graph: Graph = build_campaign(ports).compile(checkpointer=saver)
        tracer = stack.enter_context(open_tracer(settings))
        events = Events(redis, prefix=PREFIX)
        runs = Runs(graph, records, events, tracer, limit=settings.max_running)
        sweep = Sweep(database, assets, runs, grace_seconds=settings.assets_grace_seconds)
        if recover:
            await runs.recover()
            for task in (runs.sweep(), sweep.keep_going(redis, prefix=PREFIX)):
                stack.push_async_callback(_stopped, asyncio.create_task(task))
        outbound = await stack.enter_async_context(
            open_outbound(_outbound_rules(settings), seconds=settings.webhook_timeout_seconds)
        )
        webhooks, outbox = Webhooks(database), Outbox(database)
        patience = Patience(settings.webhook_attempts, settings.webhook_retry_seconds)
        deliverer = Deliverer(outbox, webhooks, outbound, patience=patience, keep_days=settings.webhook_keep_days)
        if recover:
            deliverer.start()
        keys, sessions = Keys(database), Sessions(redis, prefix=PREFIX)
        attempts = Attempts(redis, prefix=PREFIX)
        tokens = await stack.enter_async_context(_open_tokens(settings))
        authentication: Authentication = NoLogin()
        if settings.auth == "required":
            authentication = Login(keys, tokens, sessions, attempts, settings.session_seconds)
        audit = Audit(database, hashlib.sha256(b"audit" + _signing_key(settings)).digest())
        calm_the_collector()
        try:
            yield Fanfare(
                settings=settings, assets=assets, database=database, records=records, pictures=Pictures(database),
                events=events, runs=runs, ports=ports, saver=saver, redis=redis, webhooks=webhooks, outbox=outbox,
                outbound=outbound, authentication=authentication, keys=keys, links=Links(database),
                sessions=sessions, attempts=attempts, picture_links=picture_links, sweep=sweep, quotas=quotas,
                limits=Limits(redis, settings.limits, prefix=PREFIX),
                answers=open_ledger(settings, redis, where=str(locate(redis_url))), audit=audit,
            )  # fmt: skip
        finally:
            await asyncio.gather(runs.drain(settings.stop_seconds), deliverer.drain(settings.stop_seconds))


@contextlib.asynccontextmanager
async def open_database(settings: Settings) -> AsyncGenerator[Database]:
    """The database that `settings` name, brought to this version's tables, or found to be at them."""
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    await (migrations.upgrade if settings.migrate == "auto" else migrations.require)(settings.records_url)
    opening = Database.open(
        settings.records_url,
        replica_url=settings.database_replica_url,
        pool=settings.pool,
        ring=settings.field_ring,
    )
    async with opening as database:
        yield database


@contextlib.asynccontextmanager
async def _open_tokens(settings: Settings) -> AsyncGenerator[Tokens | None]:
    """What reads tokens by the keys that `settings` name, or None where they name none."""
    claims = Claims(
        settings.jwt_issuer or "", settings.jwt_audience or "", settings.jwt_tenant_claim,
        settings.jwt_roles_claim, settings.jwt_leeway_seconds,
    )  # fmt: skip
    if settings.jwt_secret:
        yield Tokens(SharedSecret(settings.jwt_secret), claims)
    elif settings.jwt_jwks_url:
        async with httpx2.AsyncClient() as http:
            yield Tokens(Jwks(http, settings.jwt_jwks_url), claims)
    else:
        yield None


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
            open_ledger(settings, redis, where=where),
            RedisPurse(
                redis, prefix=PREFIX, tenant_day_usd=settings.tenant_day_usd, hold_seconds=hold,
                patience_seconds=2 * hold, where=f"The purse at {where}",
            ),
            first.identity,
            UpperEstimate(_endpoint(settings).model_of, lambda _: most),
        )  # fmt: skip


def open_ledger(settings: Settings, redis: AsyncClient, *, where: str) -> RedisLedger:
    """The remembered answers in `redis`, which is told as `where`."""
    return RedisLedger(
        redis, prefix=PREFIX, ttl_seconds=settings.answers_seconds, serializer=settings.serializer,
        where=f"The answer ledger at {where}",
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


def open_signer(settings: Settings) -> Signer | None:
    """What signs finished pictures, proved by signing one, or None. Raises `UnusableCertificate`."""
    if settings.c2pa_certificate is None or settings.c2pa_key is None:
        return None
    return Signer.open(settings.c2pa_certificate, settings.c2pa_key)


def _outbound_rules(settings: Settings) -> Rules:
    names, networks = allowed(settings.webhook_allow)
    return Rules(frozenset(settings.webhook_ports), settings.webhook_http, names, networks)


def model_languages(settings: Settings) -> frozenset[str] | None:
    """The languages that the configured model can write, or None when it is not limited."""
    return offline.LANGUAGES if settings.provider == "rehearsal" else None


async def _stopped(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def asset_store(settings: Settings) -> AssetStore:
    """The store that `settings` name; raises ValueError when its address lacks something."""
    url = settings.assets_url
    if url is None:
        return LocalAssets(settings.data_dir.absolute() / "assets")
    if url.startswith("file:"):
        return LocalAssets(Path(unquote(urlparse(url).path)))
    return ObjectAssets.at(url, endpoint=settings.aws_endpoint_url)


def _signing_key(settings: Settings) -> bytes:
    """The operator's key, or one of our own that is made once and stays in the data folder."""
    if settings.url_signing_key:
        return settings.url_signing_key.get_secret_value().encode()
    path = settings.data_dir / "url-signing-key"
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(secrets.token_bytes(32))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)
    return path.read_bytes()


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
                settings = Settings()
                if settings.auth != "none":
                    raise RuntimeError(
                        "Studio shows every tenant's campaigns to anybody: unset FANFARE_AUTH for it."
                    )
                self._open = await self._stack.enter_async_context(open_fanfare(settings, command="langgraph dev"))
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
