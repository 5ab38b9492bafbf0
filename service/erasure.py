"""Erases a campaign, a person or a tenant from every store, and says what is gone.

An erasure that was interrupted is called again and goes on: the record goes last.
"""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any, cast
from urllib.parse import quote

import structlog
from redis.exceptions import ResponseError
from sqlalchemy import ColumnElement, CursorResult, delete, select, text

from graph.checkpoints import FAILURES
from graph.checkpoints.errors import explain
from service.identity import Caller
from service.problems import conflict
from service.tables import AWAITING, AuditEntry, Base, Campaign
from service.wiring import PREFIX, Fanfare

log = structlog.get_logger()

Report = dict[str, Any]
ERASED = "erased"
"""Who decided or created, once that person was erased."""


async def erase_campaign(fanfare: Fanfare, caller: Caller, campaign: Campaign) -> Report:
    """Stop the campaign if it runs, and erase record, checkpoints, files, remembered answers and events."""
    gone = await _campaign_gone(fanfare, campaign)
    await _scrub(fanfare)
    await fanfare.audit.note(caller, "campaign.erased", campaign.id, **gone)
    return {"campaigns": [campaign.id], "erased": gone}


async def erase_tenant(fanfare: Fanfare, caller: Caller, *, confirm: str) -> Report:
    """Erase everything of the caller's tenant; `confirm` is its name, so that nobody does so by mistake."""
    tenant = caller.tenant
    if confirm != tenant:
        raise conflict("not-confirmed", "To erase a tenant, repeat its name as `confirm`; nothing was erased.")
    total: Counter[str] = Counter()
    erased: list[str] = []
    async for campaign in _campaigns(fanfare, Campaign.tenant == tenant):
        total.update(await _campaign_gone(fanfare, campaign))
        erased.append(campaign.id)
    total["answers"] += await fanfare.answers.forget_tenant(tenant)
    total["keys in Redis"] += await _redis_gone(fanfare, tenant)
    total["assets"] += await fanfare.assets.drop_tenant(tenant)
    total.update(await _rows_gone(fanfare, "tenant", tenant))
    await _scrub(fanfare)
    gone = {name: number for name, number in sorted(total.items()) if number}
    await fanfare.audit.note(caller, "tenant.erased", **gone)
    return {"campaigns": erased, "erased": gone}


async def erase_person(fanfare: Fanfare, caller: Caller, person: str) -> Report:
    """Take a person's name and words out of every campaign of the tenant; what they decided stays, as nobody's.

    Campaigns that name them as a contact in what the client wrote are listed, not changed: only their owner can
    say whether they should go. So are open ones whose next text is written from the person's comment.
    """
    theirs = list(await fanfare.records.decided_by(caller.tenant, person))
    campaigns = {decided.campaign_id for decided in theirs}
    open_ones: list[str] = []
    for campaign_id in sorted(campaigns):
        found = await fanfare.records.get(campaign_id, tenant=caller.tenant)
        if found and found.ended:
            await fanfare.saver.aprune([campaign_id])  # the last checkpoint has no comment in it
        elif found:
            open_ones.append(campaign_id)
    named = [one.id async for one in _campaigns(fanfare, Campaign.tenant == caller.tenant) if _names(one, person)]
    changed = await fanfare.records.forget_person(caller.tenant, person, as_=ERASED)
    await _scrub(fanfare)
    await fanfare.audit.note(caller, "person.erased", **changed)
    return {"erased": changed, "still_open": open_ones, "named_in": named}


def _names(campaign: Campaign, person: str) -> bool:
    """Whether the client's own words name the person."""
    return person.casefold() in str(campaign.order["product"]).casefold()


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
    return {**gone, **await _rows_gone(fanfare, "campaign_id", campaign.id), **await _record_gone(fanfare, campaign)}


async def _rows_gone(fanfare: Fanfare, column: str, value: str) -> dict[str, int]:
    """Delete what has `value` in a column of that name from every table but the audit log, children first."""
    gone: dict[str, int] = {}
    async with fanfare.database.writing() as session:
        for table in reversed(Base.metadata.sorted_tables):
            if column in table.columns and table is not AuditEntry.__table__:
                deleted = await session.execute(delete(table).where(table.columns[column] == value))
                gone[table.name] = cast("CursorResult[Any]", deleted).rowcount
    return {name: number for name, number in gone.items() if number}


async def _record_gone(fanfare: Fanfare, campaign: Campaign) -> dict[str, int]:
    async with fanfare.database.writing() as session:
        deleted = await session.execute(delete(Campaign).where(Campaign.id == campaign.id))
    return {"campaigns": cast("CursorResult[Any]", deleted).rowcount}


async def _campaigns(fanfare: Fanfare, where: ColumnElement[bool]) -> AsyncIterator[Campaign]:
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


async def _redis_gone(fanfare: Fanfare, tenant: str) -> int:
    """Delete the keys that have the tenant in their name: purse, quotas, limits."""
    name = quote(tenant, safe="", errors="surrogatepass")
    try:
        found = [key async for key in fanfare.redis.scan_iter(match=f"{PREFIX}:{{{name}}}:*", count=1000)]
        return sum([await fanfare.redis.delete(key) for key in found])
    except FAILURES as error:
        raise explain(error, where="Redis", thread_id="") from error


async def _scrub(fanfare: Fanfare) -> None:
    """Let the stores write their files anew, so that nothing erased is left in a log of theirs."""
    if fanfare.database.engine.dialect.name == "sqlite":
        async with fanfare.database.engine.connect() as connection:
            await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    try:
        await fanfare.redis.bgrewriteaof()
    except ResponseError as error:  # under way already, or not permitted: the server rewrites it when it is long
        log.warning("log_not_rewritten", error=str(error))
    except FAILURES as error:
        raise explain(error, where="Redis", thread_id="") from error


_PAGE = 100
_STOPPED: dict[str, Any] = {"status": "cancelled", "revision": None, "decision": None}
