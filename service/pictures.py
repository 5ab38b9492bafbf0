"""Every uploaded photo by its looks, so that one which comes back as another file is noticed."""

import asyncio
from collections.abc import Iterable
from typing import Final

from sqlalchemy import Index, Row, String, Text, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker
from sqlalchemy.orm import Mapped, mapped_column

from graph.state import Lookalike
from service.records import Base, Campaign
from tools.imaging.fingerprint import NEAR

SEARCHED: Final = 50_000
"""How many of a tenant's newest photos another one is compared with."""
MOST: Final = 3
"""How many that look like it are named, the nearest first."""


class Upload(Base):
    """One uploaded photo, and the campaign that last used it."""

    __tablename__ = "pictures"

    tenant: Mapped[str] = mapped_column(String(64), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    fingerprint: Mapped[str] = mapped_column(String(64))
    media_type: Mapped[str] = mapped_column(String(32))
    width: Mapped[int]
    height: Mapped[int]
    bytes: Mapped[int]
    notice: Mapped[str | None] = mapped_column(Text)
    campaign_id: Mapped[str | None] = mapped_column(String(36))
    created_at: Mapped[str] = mapped_column(String(32))

    __table_args__ = (Index("ix_pictures_tenant_created", "tenant", "created_at"),)


class Pictures:
    """The photos of every tenant."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._session = async_sessionmaker(engine, expire_on_commit=False)

    async def remember(self, upload: Upload) -> None:
        """Write a photo down unless it is known; the first time that it came is kept."""
        try:
            async with self._session.begin() as session:
                session.add(upload)
        except IntegrityError:
            if not await self._is_known(upload.sha256, tenant=upload.tenant):
                raise

    async def used(self, sha256: str, campaign_id: str, *, tenant: str) -> None:
        """Note which campaign a photo is used for."""
        this = (Upload.tenant == tenant) & (Upload.sha256 == sha256)
        async with self._session.begin() as session:
            await session.execute(update(Upload).where(this).values(campaign_id=campaign_id))

    async def lookalikes(self, sha256: str, *, tenant: str) -> tuple[Lookalike, ...]:
        """Other photos of the tenant that look like this one, which has been remembered; the nearest first."""
        others = (
            select(Upload.sha256, Upload.fingerprint)
            .where(Upload.tenant == tenant, Upload.sha256 != sha256)
            .order_by(Upload.created_at.desc())
            .limit(SEARCHED)
        )
        async with self._session() as session:
            this = await session.get_one(Upload, (tenant, sha256))
            known = (await session.execute(others)).all()
        near = await asyncio.to_thread(_near, this.fingerprint, known)
        return tuple([await self._told(each, tenant) for each in near])

    async def _is_known(self, sha256: str, *, tenant: str) -> bool:
        async with self._session() as session:
            return await session.get(Upload, (tenant, sha256)) is not None

    async def _told(self, sha256: str, tenant: str) -> Lookalike:
        row = (
            select(Upload.created_at, Campaign.id, Campaign.name)
            .outerjoin(Campaign, Campaign.id == Upload.campaign_id)
            .where(Upload.tenant == tenant, Upload.sha256 == sha256)
        )
        async with self._session() as session:
            seen_at, campaign_id, name = (await session.execute(row)).one()
        return Lookalike(sha256=sha256, seen_at=seen_at, campaign_id=campaign_id, campaign=name)


def _near(fingerprint: str, known: Iterable[Row[str, str]]) -> list[str]:
    """The nearest of `known` (SHA-256, fingerprint) that are near at all."""
    own = int(fingerprint, 16)
    apart = [((own ^ int(other, 16)).bit_count(), sha256) for sha256, other in known]
    return [sha256 for distance, sha256 in sorted(apart)[:MOST] if distance <= NEAR]
