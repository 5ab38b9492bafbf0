"""Which assets there are, and who needs them: every put is written down before its bytes are."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, delete, exists, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from service.database import Database
from service.tables import Asset, AssetReference, now
from tools.assets import AssetRef, AssetStore, AssetStoreUnavailable, Kept, Opened, identified

JSON = dict[str, Any]
_TRIES = 5
_DELETE_SECONDS = 3.0  # less than others wait for SQLite's one writer


class Catalogue:
    """An `AssetStore` that writes down what it keeps, and for whom.

    The row of an asset is the lock on its bytes: whoever keeps or needs them renews the row first, whoever
    forgets them takes the row away and the bytes with it in one transaction. So no reference is left without
    its bytes, however a sweep and an upload of the same picture meet.
    """

    def __init__(self, database: Database, store: AssetStore) -> None:
        self._database = database
        self.store = store

    async def put(self, data: bytes, media_type: str, *, tenant: str, owner: str | None = None) -> AssetRef:
        """See `AssetStore.put`; what has no owner is swept after a while."""
        ref = await asyncio.to_thread(identified, data, media_type)
        await self._enter(ref.sha256, tenant, owner)
        return await self.store.put(data, media_type, tenant=tenant, owner=owner)

    async def put_photo(self, data: bytes, *, tenant: str, told: JSON) -> JSON:
        """Keep an uploaded photo and what is `told` of it; what is known now, from earlier uploads of it too."""
        known = await self._enter(told["sha256"], tenant, told=told)
        await self.store.put(data, told["media_type"], tenant=tenant)
        return known

    async def photo(self, sha256: str, *, tenant: str) -> JSON | None:
        """What is known of a photo that was uploaded before; it stays for a while from now. None for no photo."""
        async with self._writing() as session:
            if not await _renewed(session, sha256, tenant):
                return None
            return (await session.get_one(Asset, (tenant, sha256))).picture

    async def get(self, sha256: str, *, tenant: str) -> bytes:
        """See `AssetStore.get`."""
        return await self.store.get(sha256, tenant=tenant)

    async def open(self, sha256: str, *, tenant: str) -> Opened:
        """See `AssetStore.open`."""
        return await self.store.open(sha256, tenant=tenant)

    async def find(self, sha256: str, *, tenant: str) -> AssetRef:
        """See `AssetStore.find`."""
        return await self.store.find(sha256, tenant=tenant)

    def kept(self) -> AsyncIterator[Kept]:
        """See `AssetStore.kept`."""
        return self.store.kept()

    async def delete(self, sha256: str, *, tenant: str) -> None:
        """See `AssetStore.delete`; an asset that somebody needs stays."""
        await self.drop(sha256, tenant=tenant)

    async def tidy(self, *, seconds: float) -> None:
        """See `AssetStore.tidy`."""
        await self.store.tidy(seconds=seconds)

    async def check(self) -> None:
        """See `AssetStore.check`."""
        await self.store.check()

    async def renew(self, sha256: str, *, tenant: str) -> bool:
        """Make an asset young again, so that no sweep takes it for a while; whether it is there."""
        async with self._writing() as session:
            return await _renewed(session, sha256, tenant)

    async def refer(self, owner: str, assets: Iterable[str], *, tenant: str) -> None:
        """Write down that `owner` needs `assets`, whose bytes are there already."""
        for sha256 in assets:
            await self._enter(sha256, tenant, owner)

    async def needed_by(self, owner: str, *, tenant: str) -> Sequence[str]:
        """What `owner` needs, by SHA-256."""
        theirs = (AssetReference.tenant == tenant, AssetReference.owner == owner)
        async with self._database.reading() as session:
            return (await session.scalars(select(AssetReference.sha256).where(*theirs))).all()

    async def release(self, owner: str, *, tenant: str) -> int:
        """Let go of what `owner` needed, and forget at once what nobody else does; how many assets that are."""
        theirs = (AssetReference.tenant == tenant, AssetReference.owner == owner)
        async with self._writing() as session:
            needed = (await session.scalars(select(AssetReference.sha256).where(*theirs))).all()
            await session.execute(delete(AssetReference).where(*theirs))
        return sum([await self.drop(sha256, tenant=tenant) for sha256 in needed])

    async def drop(self, sha256: str, *, tenant: str, before: str | None = None) -> bool:
        """Forget an asset and its bytes unless somebody needs it, or kept it since `before`; whether it went."""
        unneeded = [Asset.tenant == tenant, Asset.sha256 == sha256, ~needed()]
        if before is not None:
            unneeded.append(Asset.kept_at < before)
        statement = delete(Asset).where(*unneeded).execution_options(synchronize_session=False)
        with contextlib.suppress(_Met):  # somebody has just come to need it
            async with self._writing() as session:
                gone = cast("CursorResult[Any]", await session.execute(statement)).rowcount == 1
                if gone:  # in the transaction: whoever comes to need it now waits, and puts it anew
                    await self._forget(sha256, tenant)
            return gone
        return False

    async def adopt(self, found: Kept, *, kept_at: str) -> None:
        """Write down bytes that are there without a row, so that they go the way of all others."""
        with contextlib.suppress(IntegrityError):
            async with self._database.writing() as session:
                session.add(Asset(tenant=found.tenant, sha256=found.sha256, kept_at=kept_at))

    async def _forget(self, sha256: str, tenant: str) -> None:
        try:
            async with asyncio.timeout(_DELETE_SECONDS):
                await self.store.delete(sha256, tenant=tenant)
        except TimeoutError as error:
            raise AssetStoreUnavailable("The store of pictures takes too long to delete one.") from error

    async def _enter(
        self, sha256: str, tenant: str, owner: str | None = None, *, told: JSON | None = None
    ) -> JSON:
        """Write the asset and its owner down, whether they are new or not; what is known of it as a photo."""
        for _ in range(_TRIES):
            with contextlib.suppress(_Met):
                async with self._writing() as session:
                    if not await _renewed(session, sha256, tenant):
                        session.add(Asset(tenant=tenant, sha256=sha256, kept_at=now()))
                        await session.flush()
                    row = await session.get_one(Asset, (tenant, sha256))
                    if told is not None:
                        row.picture = {**told, **_said(row.picture), **_said(told)}
                    if owner and await session.get(AssetReference, (tenant, sha256, owner)) is None:
                        session.add(AssetReference(tenant=tenant, sha256=sha256, owner=owner))
                return row.picture or {}
        raise AssetStoreUnavailable("Too many keep the same picture at once; try again in a moment.")

    @contextlib.asynccontextmanager
    async def _writing(self) -> AsyncGenerator[AsyncSession]:
        try:
            async with self._database.writing() as session:
                yield session
        except IntegrityError as error:
            raise _Met from error


def files_of(order: JSON) -> list[str]:
    """What a campaign needs from its beginning: the photo, and its house's logo and fonts."""
    picture: JSON = order.get("picture") or {}
    brand: JSON = order.get("brand") or {}
    named = [picture.get("sha256"), *(brand.get(part) for part in ("logo", "font", "bold_font"))]
    return [sha256 for sha256 in named if sha256]


class _Met(AssetStoreUnavailable):
    """Somebody else wrote the same row at the same moment."""


async def _renewed(session: AsyncSession, sha256: str, tenant: str) -> bool:
    """Take the asset's row, which makes it young again; whether there is one."""
    row = update(Asset).where(Asset.tenant == tenant, Asset.sha256 == sha256).values(kept_at=now())
    result = await session.execute(row.execution_options(synchronize_session=False))
    return cast("CursorResult[Any]", result).rowcount == 1


def _said(picture: JSON | None) -> JSON:
    return {key: value for key, value in (picture or {}).items() if value}


def needed() -> ColumnElement[bool]:
    """Whether anybody refers to an asset."""
    same = (AssetReference.tenant == Asset.tenant) & (AssetReference.sha256 == Asset.sha256)
    return exists().where(same)
