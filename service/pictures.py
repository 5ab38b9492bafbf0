"""Every uploaded photo by its looks, so that one which comes back as another file is noticed."""

import asyncio
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Row, select, update
from sqlalchemy.exc import IntegrityError

from graph.state import Lookalike
from service.database import Database
from service.tables import Campaign, SeenPicture
from tools.imaging.fingerprint import NEAR

SEARCHED: Final = 50_000
"""How many of a tenant's newest photos another one is compared with."""
MOST: Final = 3
"""How many that look like it are named, the nearest first."""


class Pictures:
    """The photos of every tenant."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember(self, seen: SeenPicture) -> None:
        """Write a photo down unless it is known; the first time that it came is kept."""
        try:
            async with self._database.writing() as session:
                session.add(seen)
        except IntegrityError:
            if not await self._is_known(seen.sha256, tenant=seen.tenant):
                raise

    async def used(self, sha256: str, campaign_id: str, *, tenant: str) -> None:
        """Note which campaign a photo is used for."""
        this = (SeenPicture.tenant == tenant) & (SeenPicture.sha256 == sha256)
        async with self._database.writing() as session:
            await session.execute(update(SeenPicture).where(this).values(campaign_id=campaign_id))

    async def lookalikes(self, sha256: str, *, tenant: str) -> tuple[Lookalike, ...]:
        """Other photos of the tenant that look like this one, which has been remembered; the nearest first."""
        others = (
            select(SeenPicture.sha256, SeenPicture.fingerprint)
            .where(SeenPicture.tenant == tenant, SeenPicture.sha256 != sha256)
            .order_by(SeenPicture.created_at.desc())
            .limit(SEARCHED)
        )
        async with self._database.reading() as session:
            this = await session.get_one(SeenPicture, (tenant, sha256))
            known = (await session.execute(others)).all()
        near = await asyncio.to_thread(_near, this.fingerprint, known)
        return tuple([await self._told(each, tenant) for each in near])

    async def _is_known(self, sha256: str, *, tenant: str) -> bool:
        async with self._database.reading() as session:
            return await session.get(SeenPicture, (tenant, sha256)) is not None

    async def _told(self, sha256: str, tenant: str) -> Lookalike:
        row = (
            select(SeenPicture.created_at, Campaign.id, Campaign.name)
            .outerjoin(Campaign, Campaign.id == SeenPicture.campaign_id)
            .where(SeenPicture.tenant == tenant, SeenPicture.sha256 == sha256)
        )
        async with self._database.reading() as session:
            seen_at, campaign_id, name = (await session.execute(row)).one()
        return Lookalike(sha256=sha256, seen_at=seen_at, campaign_id=campaign_id, campaign=name)


def _near(fingerprint: str, known: Iterable[Row[str, str]]) -> list[str]:
    """The nearest of `known` (SHA-256, fingerprint) that are near at all."""
    own = int(fingerprint, 16)
    apart = [((own ^ int(other, 16)).bit_count(), sha256) for sha256, other in known]
    return [sha256 for distance, sha256 in sorted(apart)[:MOST] if distance <= NEAR]
