"""What is configured, what can be reached, what is missing, each with what to do about it."""

import asyncio
import contextlib
import platform
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass
from typing import Any, Literal

import httpx2
from sqlalchemy.exc import SQLAlchemyError

from agents.model import ModelError
from graph.checkpoints import FAILURES, CheckpointStoreError, RedisSaver, locate, open_async
from service import migrations
from service.embedded import DataFolderInUse, EmbeddedServerFailed, hold, private_server
from service.outages import DatabaseUnavailable
from service.settings import Settings
from service.wiring import asset_store, open_screen, open_signer
from tools.assets import AssetStoreUnavailable
from tools.imaging.signing import UnusableCertificate

_SECONDS = 5.0


@dataclass(frozen=True)
class Examined:
    """One thing that was looked at."""

    what: str
    level: Literal["ok", "note", "bad"]
    says: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


async def examine(settings: Settings) -> list[Examined]:
    """Look at everything the settings name."""
    found = [Examined("Python", "ok", platform.python_version())]
    try:
        with hold(settings.data_dir, "fanfare doctor"):
            found.append(Examined("Data folder", "ok", f"{settings.data_dir.absolute()}, free and writable"))
            found += await _redis(settings, embedded=True)
    except DataFolderInUse as error:
        found.append(Examined("Data folder", "note", str(error)))
        found += await _redis(settings, embedded=False)
    except OSError as error:
        found.append(Examined("Data folder", "bad", f"{error}; choose another with FANFARE_DATA_DIR"))
    found.append(await _database(settings))
    found.append(_login(settings))
    found.append(await _assets(settings))
    found.append(await _model(settings))
    found.append(await _screen(settings))
    found.append(await asyncio.to_thread(_signing, settings))
    found.append(await _tracing(settings))
    return found


async def _redis(settings: Settings, *, embedded: bool) -> list[Examined]:
    if settings.redis_url is None and not embedded:
        return [Examined("Redis", "ok", "the private server of the process that has the data folder")]
    try:
        async with _redis_url(settings) as url, open_async(locate(url), timeout=_SECONDS) as client:
            version = (await client.info("server"))["redis_version"]
            warnings = await RedisSaver(client, timeout=_SECONDS).check()
    except (CheckpointStoreError, EmbeddedServerFailed, ValueError, *FAILURES) as error:
        return [Examined("Redis", "bad", f"{error}; check FANFARE_REDIS_URL")]
    name = str(locate(settings.redis_url)) if settings.redis_url else "private server in the data folder"
    notes = [Examined("Redis", "note", warning) for warning in warnings]
    return [Examined("Redis", "ok", f"{name}, version {version}"), *notes]


@contextlib.asynccontextmanager
async def _redis_url(settings: Settings) -> AsyncGenerator[str]:
    if settings.redis_url:
        yield settings.redis_url
        return
    async with private_server(settings.data_dir / "redis") as url:
        yield url


async def _database(settings: Settings) -> Examined:
    if settings.database_url is None:
        return Examined("Database", "ok", "SQLite in the data folder")
    try:
        schema = await migrations.schema(settings.database_url)
    except (DatabaseUnavailable, SQLAlchemyError) as error:
        return Examined("Database", "bad", f"{error} Check FANFARE_DATABASE_URL.")
    behind = schema.known and settings.migrate == "auto"  # the next start brings it up to date
    return Examined("Database", "ok" if schema.current else "note" if behind else "bad", str(schema))


def _login(settings: Settings) -> Examined:
    if settings.auth == "none":
        says = "none: the service listens to this machine only; FANFARE_AUTH=required asks for one"
        return Examined("Login", "note", says)
    tokens = settings.jwt_jwks_url or ("a shared secret" if settings.jwt_secret else None)
    return Examined("Login", "ok", f"API keys{f', and tokens by {tokens}' if tokens else ''}")


async def _assets(settings: Settings) -> Examined:
    if settings.assets_url is None:
        return Examined("Pictures", "ok", "a folder in the data folder")
    try:
        async with asyncio.timeout(_SECONDS):
            await asset_store(settings).check()
    except (AssetStoreUnavailable, ValueError) as error:
        return Examined("Pictures", "bad", str(error))
    except TimeoutError:
        return Examined("Pictures", "bad", f"{settings.assets_url} has not answered in {_SECONDS:g} s")
    return Examined("Pictures", "ok", settings.assets_url)


async def _model(settings: Settings) -> Examined:
    if settings.provider == "rehearsal":
        says = "the rehearsal model, which needs no key; set OPENAI_API_KEY for a real one"
        return Examined("Model", "note", says)
    url = (settings.openai_base_url or "https://api.openai.com/v1").rstrip("/")
    key = settings.openai_api_key
    headers = {"Authorization": f"Bearer {key.get_secret_value()}"} if key else {}
    try:
        async with httpx2.AsyncClient(timeout=_SECONDS) as http:
            status = (await http.get(f"{url}/models", headers=headers)).status_code
    except httpx2.HTTPError as error:
        return Examined("Model", "bad", f"{url} cannot be reached ({type(error).__name__}); check OPENAI_BASE_URL")
    if status in (401, 403):
        return Examined("Model", "bad", f"{url} refuses the key; check OPENAI_API_KEY")
    return Examined("Model", "ok", f"{settings.model} at {url}")


async def _screen(settings: Settings) -> Examined:
    """Has one harmless word screened, which tells of address, key and endpoint alike."""
    if settings.screen == "none":
        says = "none: only the rules and the moderator judge; FANFARE_SCREEN names an endpoint"
        return Examined("Screen", "note", says)
    quick = settings.model_copy(update={"model_timeout_seconds": _SECONDS})
    try:
        async with open_screen(quick) as screen:
            await screen.texts(["Hello"])
    except ModelError as error:
        return Examined("Screen", "bad", str(error))
    return Examined("Screen", "ok", _screens_at(settings))


def _screens_at(settings: Settings) -> str:
    if settings.screen == "azure":
        above = f"blocks above severity {settings.azure_block_above}, warns above {settings.azure_warn_above}"
        return f"Azure AI Content Safety; {above}"
    whose = "the rehearsal model's own" if settings.provider == "rehearsal" else "the model server's own"
    return f"{whose}; blocks from a score of {settings.screen_block:g}, warns from {settings.screen_warn:g}"


def _signing(settings: Settings) -> Examined:
    """Has a small picture signed and read back."""
    try:
        signer = open_signer(settings)
    except UnusableCertificate as error:
        return Examined("Signing", "bad", f"{error} Check FANFARE_C2PA_CERTIFICATE and FANFARE_C2PA_KEY.")
    if signer is None:
        return Examined(
            "Signing", "note", "off; set FANFARE_C2PA_CERTIFICATE and FANFARE_C2PA_KEY to sign pictures"
        )
    return Examined("Signing", "ok", f"{settings.c2pa_certificate}, {signer.room:,} bytes a picture at most")


async def _tracing(settings: Settings) -> Examined:
    if not settings.langsmith_tracing:
        return Examined("Tracing", "note", "off; set LANGSMITH_TRACING=true and LANGSMITH_API_KEY to trace")
    try:
        async with httpx2.AsyncClient(timeout=_SECONDS) as http:
            await http.get(f"{settings.langsmith_endpoint}/info")
    except httpx2.HTTPError:
        return Examined(
            "Tracing", "note", f"{settings.langsmith_endpoint} cannot be reached; campaigns run all the same"
        )
    return Examined("Tracing", "ok", f"{settings.langsmith_project} at {settings.langsmith_endpoint}")
