"""The sweep: no bytes that nobody needs for long, and a look whether what somebody needs is there."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any, Literal

import structlog
from sqlalchemy import exists, select, tuple_

from graph.checkpoints import AsyncClient
from graph.state import CampaignState
from service.catalogue import Catalogue, files_of, needed
from service.database import Database
from service.outages import AWAY
from service.runs import Runs
from service.tables import Asset, AssetReference, Campaign, told
from tools.assets import AssetDamaged, AssetNotFound, Kept

log = structlog.get_logger()

_PAGE = 500
_AT_ONCE = 16
_PERIODS = 24
"""How often there is a sweep within the grace."""
_SHORTEST_SECONDS = 60.0


@dataclass(frozen=True)
class Unneeded:
    """An asset that no campaign refers to, and when it was last kept."""

    tenant: str
    sha256: str
    kept_at: str

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


@dataclass(frozen=True)
class Lost:
    """An asset that somebody needs and whose bytes are not there, or are not what was kept."""

    tenant: str
    sha256: str
    owners: tuple[str, ...]
    what: Literal["missing", "damaged"]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return asdict(self)


class Sweep:
    """Finds and forgets what nobody has needed for `grace_seconds`."""

    def __init__(self, database: Database, assets: Catalogue, runs: Runs, *, grace_seconds: float) -> None:
        self._database = database
        self._assets = assets
        self._runs = runs
        self._grace = grace_seconds

    async def keep_going(self, redis: AsyncClient, *, prefix: str) -> None:
        """Sweep from time to time; of all processes on `redis`, one at a time."""
        period = max(self._grace / _PERIODS, _SHORTEST_SECONDS)
        while True:
            await asyncio.sleep(period)
            try:
                if await taken(redis, prefix=prefix, seconds=0.9 * period):
                    log.info("assets_swept", assets=len(await self.once()))
            except AWAY as error:
                log.warning("assets_not_swept", error=str(error))
            except Exception as error:  # a process edge: the next sweep begins anew
                log.error("sweep_of_assets_failed", exc_info=error)  # noqa: TRY400 - structlog's

    async def once(self, *, dry_run: bool = False) -> list[Unneeded]:
        """Forget what nobody needs, or with `dry_run` only say what that is."""
        before = told(datetime.now(UTC) - timedelta(seconds=self._grace))
        await self._catch_up()
        found = [one async for one in self._unneeded(before)]
        if dry_run:
            return found
        await self._assets.tidy(seconds=self._grace)
        return [one for one in found if await self._assets.drop(one.sha256, tenant=one.tenant, before=before)]

    async def lost(self, *, read: bool = False) -> list[Lost]:
        """What somebody needs and is not there; with `read` every byte is read, and damage is found too."""
        found: list[Lost] = []
        async for page in self._needed():
            answers: list[Lost | None] = []
            for at in range(0, len(page), _AT_ONCE):
                some = (self._look(tenant, sha256, read=read) for tenant, sha256 in page[at : at + _AT_ONCE])
                answers += await asyncio.gather(*some)
            found += filter(None, answers)
        return found

    async def _catch_up(self) -> None:
        """Write down what campaigns need that were created before anybody wrote it down."""
        theirs = exists().where(AssetReference.owner == Campaign.id)
        async with self._database.reading() as session:
            campaigns = (await session.scalars(select(Campaign).where(~theirs))).all()
        for campaign in campaigns:
            assets = set(_assets_of(campaign, await self._runs.state(campaign.id)))
            await self._assets.refer(campaign.id, sorted(assets), tenant=campaign.tenant)

    async def _unneeded(self, before: str) -> AsyncGenerator[Unneeded]:
        async for page in _pages(self._assets.kept()):
            for one in await self._unwritten([each for each in page if told(each.at) < before]):
                await self._assets.adopt(one, kept_at=told(one.at))
        last = ("", "")
        rows = select(Asset.tenant, Asset.sha256, Asset.kept_at).where(Asset.kept_at < before, ~needed())
        order = rows.order_by(Asset.tenant, Asset.sha256).limit(_PAGE)
        while True:
            async with self._database.reading() as session:
                found = (await session.execute(order.where(tuple_(*last) < _KEY))).all()
            for tenant, sha256, kept_at in found:
                yield Unneeded(tenant, sha256, kept_at)
                last = (tenant, sha256)
            if len(found) < _PAGE:
                return

    async def _unwritten(self, page: Sequence[Kept]) -> list[Kept]:
        """Those of `page` that have no row: bytes of a store that was brought along, or put back from a copy."""
        if not page:
            return []
        rows = select(Asset.tenant, Asset.sha256).where(_KEY.in_([(one.tenant, one.sha256) for one in page]))
        async with self._database.reading() as session:
            known = {(tenant, sha256) for tenant, sha256 in (await session.execute(rows)).all()}
        return [one for one in page if (one.tenant, one.sha256) not in known]

    async def _needed(self) -> AsyncGenerator[list[tuple[str, str]]]:
        last = ("", "")
        rows = select(Asset.tenant, Asset.sha256).where(needed()).order_by(Asset.tenant, Asset.sha256).limit(_PAGE)
        while True:
            async with self._database.reading() as session:
                page = [(tenant, sha) for tenant, sha in (await session.execute(rows.where(tuple_(*last) < _KEY)))]
            if page:
                yield page
            if len(page) < _PAGE:
                return
            last = page[-1]

    async def _look(self, tenant: str, sha256: str, *, read: bool) -> Lost | None:
        try:
            await (self._assets.get if read else self._assets.find)(sha256, tenant=tenant)
        except AssetNotFound as error:
            theirs = (AssetReference.tenant == tenant, AssetReference.sha256 == sha256)
            async with self._database.reading() as session:
                owners = (await session.scalars(select(AssetReference.owner).where(*theirs))).all()
            return Lost(tenant, sha256, tuple(owners), "damaged" if isinstance(error, AssetDamaged) else "missing")
        return None


async def taken(redis: AsyncClient, *, prefix: str, seconds: float) -> bool:
    """Whether the sweep is this process's for so long: of many that ask, it is one's."""
    return bool(await redis.set(f"{prefix}:sweep", "taken", nx=True, px=int(1000 * seconds)))


def _assets_of(campaign: Campaign, state: CampaignState) -> Iterable[str]:
    """The photo, the pictures as far as there are any, and the package."""
    yield from files_of(campaign.order)
    for creative in chain.from_iterable(state.get("creatives", {}).values()):
        yield creative["asset"]["sha256"]
    if campaign.package_sha256:
        yield campaign.package_sha256


async def _pages(kept: AsyncIterator[Kept]) -> AsyncGenerator[list[Kept]]:
    page: list[Kept] = []
    async for one in kept:
        page.append(one)
        if len(page) == _PAGE:
            yield page
            page = []
    if page:
        yield page


_KEY = tuple_(Asset.tenant, Asset.sha256)
