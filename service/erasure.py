"""Erases a campaign, a person or a tenant from every store, and says what is gone.

An erasure that was interrupted is called again and goes on: the record goes last.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import quote

import structlog
from redis.exceptions import ResponseError
from sqlalchemy import ColumnElement, CursorResult, Result, delete, exists, select, text, update

from graph.checkpoints import FAILURES
from graph.checkpoints.errors import explain
from service.identity import Caller
from service.problems import conflict
from service.tables import AWAITING, ApiKey, Asset, AssetReference, Base, Campaign, ReviewLink, SeenPicture
from service.wiring import PREFIX, Fanfare

log = structlog.get_logger()

Report = dict[str, Any]
ERASED = "erased"
"""Who decided or created, once that person was erased."""


async def erase_campaign(fanfare: Fanfare, caller: Caller, campaign: Campaign) -> Report:
    """Stop the campaign if it runs, and erase record, checkpoints, files, remembered answers and events."""
    gone = await take_away(fanfare, caller, campaign)
    await scrub(fanfare)
    return {"campaigns": [campaign.id], "erased": gone, "elsewhere": _elsewhere(fanfare)}


async def take_away(fanfare: Fanfare, caller: Caller, campaign: Campaign) -> dict[str, int]:
    """As `erase_campaign`, for one of many: what was in the stores' own logs stays there until `scrub`."""
    gone = await _campaign_gone(fanfare, campaign)
    await fanfare.audit.note(caller, "campaign.erased", campaign.id, gone)
    return gone


async def erase_tenant(fanfare: Fanfare, caller: Caller, *, confirm: str) -> Report:
    """Erase everything of the caller's tenant; `confirm` is its name, so that nobody does so by mistake."""
    tenant = caller.tenant
    if confirm != tenant:
        raise conflict("not-confirmed", "To erase a tenant, repeat its name as `confirm`; nothing was erased.")
    total: Counter[str] = Counter()
    erased: list[str] = []
    total.update(await _strangers_kept_out(fanfare, tenant))
    async for campaign in campaigns_of(fanfare, Campaign.tenant == tenant):
        total.update(await _campaign_gone(fanfare, campaign))
        erased.append(campaign.id)
    total["answers"] += await fanfare.answers.forget_tenant(tenant)
    total["keys in Redis"] += await _redis_gone(fanfare, tenant)
    total["assets"] += await _assets_gone(fanfare, tenant)
    total.update(await _rows_gone(fanfare, "tenant", tenant))
    await scrub(fanfare)
    gone = {name: number for name, number in sorted(total.items()) if number}
    await fanfare.audit.note(caller, "tenant.erased", None, gone)
    return {"campaigns": erased, "erased": gone, "elsewhere": _elsewhere(fanfare)}


async def erase_person(fanfare: Fanfare, caller: Caller, person: str) -> Report:
    """Take a person's name and words out of every campaign of the tenant; what they decided stays, as nobody's.

    Campaigns that name them as a contact in what the client wrote are listed, not changed: only their owner can
    say whether they should go. So are those whose newest checkpoint may hold a comment, of this person or of one
    who was erased before: whichever of them is completed or rejected by the next erasure loses it there.
    """
    decided = [one for who in (person, ERASED) for one in await fanfare.records.decided_by(caller.tenant, who)]
    open_ones: list[str] = []
    for campaign_id in sorted({one.campaign_id for one in decided}):
        found = await fanfare.records.get(campaign_id, tenant=caller.tenant)
        if found and found.status in _WITHOUT_COMMENT:
            await fanfare.saver.aprune([campaign_id])
        elif found:
            open_ones.append(campaign_id)
    named = [one.id async for one in campaigns_of(fanfare, Campaign.tenant == caller.tenant) if names(one, person)]
    changed = await fanfare.records.forget_person(caller.tenant, person, as_=ERASED)
    await scrub(fanfare)
    await fanfare.audit.note(caller, "person.erased", None, changed)
    return {"erased": changed, "still_open": open_ones, "named_in": named, "elsewhere": _elsewhere(fanfare)}


def _elsewhere(fanfare: Fanfare) -> list[str]:
    """Where copies may be that are not ours to erase."""
    settings = fanfare.settings
    traces = f"traces in LangSmith, project {settings.langsmith_project}: each has its campaign's id"
    return ["backups of the stores"] + ([traces] if settings.langsmith_tracing else [])


def names(campaign: Campaign, person: str) -> bool:
    """Whether the client's own words name the person."""
    return person.casefold() in json.dumps(campaign.order["product"], ensure_ascii=False).casefold()


async def _campaign_gone(fanfare: Fanfare, campaign: Campaign) -> dict[str, int]:
    await fanfare.records.change(campaign.id, _STOPPED, where=("queued", "running", *AWAITING.values()))
    await fanfare.runs.cancel(campaign.id)
    await fanfare.saver.adelete_thread(campaign.id)
    gone = {
        "answers": await fanfare.answers.forget(campaign.tenant, campaign.id),
        "events": await fanfare.events.erase(campaign.id),
        "assets": await fanfare.assets.release(campaign.id, tenant=campaign.tenant),
    }
    # Once more: a run in another process may have written between being told to stop and finding its thread gone.
    await fanfare.saver.adelete_thread(campaign.id)
    gone |= await _rows_gone(fanfare, "campaign_id", campaign.id)
    gone |= await _record_gone(fanfare, campaign)
    return {name: number for name, number in gone.items() if number}


async def _rows_gone(fanfare: Fanfare, column: str, value: str) -> dict[str, int]:
    """Delete what has `value` in a column of that name from every table but the audit log, children first."""
    gone: dict[str, int] = {}
    async with fanfare.database.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if column in table.columns and (table.name, column) not in _SPARED:
                deleted = await session.execute(delete(table).where(table.columns[column] == value))
                gone[table.name] = _count(deleted)
    return {name: number for name, number in gone.items() if number}


async def _record_gone(fanfare: Fanfare, campaign: Campaign) -> dict[str, int]:
    """Delete the record, and the looks of photos whose bytes are gone."""
    kept = exists().where(Asset.tenant == SeenPicture.tenant, Asset.sha256 == SeenPicture.sha256)
    looks = delete(SeenPicture).where(SeenPicture.tenant == campaign.tenant, ~kept)
    mine = update(SeenPicture).where(SeenPicture.campaign_id == campaign.id).values(campaign_id=None)
    async with fanfare.database.writing() as session:
        seen = await session.execute(looks.execution_options(synchronize_session=False))
        await session.execute(mine.execution_options(synchronize_session=False))
        deleted = await session.execute(delete(Campaign).where(Campaign.id == campaign.id))
    return {"pictures": _count(seen), "campaigns": _count(deleted)}


def _count(result: Result[Any]) -> int:
    return cast("CursorResult[Any]", result).rowcount


async def campaigns_of(fanfare: Fanfare, where: ColumnElement[bool]) -> AsyncIterator[Campaign]:
    """Every campaign there, a page at a time, also while they are being deleted."""
    last = ""
    while True:
        rows = select(Campaign).where(where, Campaign.id > last).order_by(Campaign.id).limit(_PAGE)
        async with fanfare.database.reading() as session:
            page = (await session.scalars(rows)).all()
        for campaign in page:
            yield campaign
        if len(page) < _PAGE:
            return
        last = page[-1].id


async def _strangers_kept_out(fanfare: Fanfare, tenant: str) -> dict[str, int]:
    """End keys, links and sessions first, so that nobody creates anew what is about to go."""
    async with fanfare.database.writing() as session:
        keys = await session.execute(delete(ApiKey).where(ApiKey.tenant == tenant))
        links = await session.execute(delete(ReviewLink).where(ReviewLink.tenant == tenant))
    return {
        "api_keys": _count(keys),
        "review_links": _count(links),
        "sessions": await _sessions_gone(fanfare, tenant),
    }


async def _assets_gone(fanfare: Fanfare, tenant: str) -> int:
    """Forget every asset of the tenant that is left: uploads that nobody used, and what is held otherwise."""
    async with fanfare.database.writing() as session:
        await session.execute(delete(AssetReference).where(AssetReference.tenant == tenant))
        left = (await session.scalars(select(Asset.sha256).where(Asset.tenant == tenant))).all()
    return sum([await fanfare.assets.drop(sha256, tenant=tenant) for sha256 in left])


async def _sessions_gone(fanfare: Fanfare, tenant: str) -> int:
    """End every browser's session that is the tenant's."""
    gone, redis = 0, cast("Any", fanfare.redis)
    try:
        async for key in redis.scan_iter(match=f"{PREFIX}:session:*", count=1000):
            held = await redis.get(key)
            if held and json.loads(held).get("tenant") == tenant:
                gone += await redis.delete(key)
    except FAILURES as error:
        raise explain(error, where="Redis", thread_id="") from error
    return gone


async def _redis_gone(fanfare: Fanfare, tenant: str) -> int:
    """Delete the keys that have the tenant in their name: purse, quotas, limits."""
    name = quote(tenant, safe="", errors="surrogatepass")
    redis: Any = fanfare.redis
    try:
        found = [key async for key in redis.scan_iter(match=f"{PREFIX}:{{{name}}}:*", count=1000)]
        return sum([await redis.delete(key) for key in found])
    except FAILURES as error:
        raise explain(error, where="Redis", thread_id="") from error


async def scrub(fanfare: Fanfare) -> None:
    """Let the stores write their files anew, so that nothing erased is left in a log of theirs."""
    if fanfare.database.engine.dialect.name == "sqlite":
        async with fanfare.database.engine.connect() as connection:
            await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    for _ in range(_MOST_TRIES):
        if await _rewriting(fanfare):
            return
        await asyncio.sleep(_BETWEEN_SECONDS)
    log.warning("log_not_rewritten", error="an earlier rewrite has not ended")


async def _rewriting(fanfare: Fanfare) -> bool:
    """Let Redis rewrite its log; False while it is at a rewrite that began before, and may hold what is erased."""
    try:
        await fanfare.redis.bgrewriteaof()
    except ResponseError as error:
        if "already in progress" in str(error):
            return False
        log.warning("log_not_rewritten", error=str(error))  # not permitted: Redis does it when the log is long
    except FAILURES as error:
        raise explain(error, where="Redis", thread_id="") from error
    return True


_PAGE = 100
_MOST_TRIES, _BETWEEN_SECONDS = 200, 0.1
"""How often, and after how long, Redis is asked again when an earlier rewrite of its log is under way."""
_WITHOUT_COMMENT = frozenset({"completed", "rejected"})
"""Where the last checkpoint holds no comment: somebody has decided after it."""
_SPARED = {("audit", "tenant"), ("pictures", "campaign_id")}
_STOPPED: dict[str, Any] = {"status": "cancelled", "revision": None, "decision": None}
