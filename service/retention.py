"""Erases ended campaigns, and entries of the audit log, when their time is over."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import select

from service.erasure import scrub, take_away
from service.identity import Caller
from service.outages import AWAY
from service.tables import ENDED, Campaign, told
from service.wiring import PREFIX, Fanfare

log = structlog.get_logger()

_PERIOD_SECONDS: Final = 3600.0
_AT_ONCE: Final = 50


async def keep(fanfare: Fanfare, *, period_seconds: float = _PERIOD_SECONDS) -> None:
    """Erase what is due from time to time, of all processes on one Redis in one at a time; never ends."""
    while True:
        try:
            lease = int(900 * period_seconds)
            if await fanfare.redis.set(f"{PREFIX}:retention", "taken", nx=True, px=lease):
                await once(fanfare)
        except AWAY as error:
            log.warning("retention_postponed", error=str(error))
        except Exception as error:  # a process edge: one campaign's fault does not end it for all others
            log.error("retention_failed", exc_info=error)  # noqa: TRY400 - structlog's
        await asyncio.sleep(period_seconds)


async def once(fanfare: Fanfare) -> int:
    """Erase every ended campaign that has not changed for `retention_days`; how many."""
    days, erased = fanfare.settings.retention_days, 0
    await fanfare.audit.forget(before=_ago(fanfare.settings.audit_days))
    while days is not None and (due := await _due(fanfare, _ago(days))):
        for campaign in due:
            await take_away(fanfare, Caller(campaign.tenant, "retention", frozenset()), campaign)
        await scrub(fanfare)
        erased += len(due)
    if erased:
        log.info("retention_erased", campaigns=erased)
    return erased


async def _due(fanfare: Fanfare, before: str) -> list[Campaign]:
    rows = select(Campaign).where(Campaign.status.in_(ENDED), Campaign.updated_at < before).limit(_AT_ONCE)
    async with fanfare.database.reading() as session:
        return list((await session.scalars(rows)).all())


def _ago(days: float) -> str:
    return told(datetime.now(UTC) - timedelta(days=days))
