"""Everything that is kept of a campaign, a person or a tenant, as one archive that a machine can read."""

import asyncio
import contextlib
import json
import zipfile
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Table, select, tuple_

from service.catalogue import needed
from service.erasure import campaigns_of, names
from service.history import history
from service.identity import Caller
from service.tables import Asset, AuditEntry, Base, Campaign, now
from service.wiring import Fanfare
from tools.assets import SUFFIXES, AssetNotFound

JSON = dict[str, Any]
HIDDEN: Final = frozenset({"secret", "secret_sha256"})
"""Columns that would open something to whoever reads the archive."""


async def export_campaign(fanfare: Fanfare, campaign: Campaign, path: Path) -> None:
    """Write the campaign's archive to `path`: rows, content, checkpoints, history, events and files."""
    async with writing(path) as archive:
        await _campaign(fanfare, campaign, archive)


async def export_tenant(fanfare: Fanfare, caller: Caller, path: Path) -> None:
    """Write the archive of everything that is kept of the caller's tenant."""
    async with writing(path) as archive:
        rows = {
            table.name: [row async for row in _rows(fanfare, table, "tenant", caller.tenant)]
            for table in Base.metadata.sorted_tables
            if "tenant" in table.columns and table not in (Campaign.__table__, AuditEntry.__table__)
        }
        await archive.add("tenant.json", {"tenant": caller.tenant, "exported_at": now(), "rows": rows})
        entries = _rows(fanfare, AuditEntry.__table__, "tenant", fanfare.audit.pseudonym(caller.tenant))
        await archive.add("audit.json", [row async for row in entries])
        async for campaign in campaigns_of(fanfare, Campaign.tenant == caller.tenant):
            await _campaign(fanfare, campaign, archive, folder=f"campaigns/{campaign.id}/")
        async with fanfare.database.reading() as session:
            unused = (
                await session.scalars(select(Asset.sha256).where(Asset.tenant == caller.tenant, ~needed()))
            ).all()
        for sha256 in unused:
            await _file(fanfare, sha256, caller.tenant, archive, "")


async def export_person(fanfare: Fanfare, caller: Caller, person: str, path: Path) -> None:
    """Write the archive of what a person decided, said, created and was named in, within the caller's tenant."""
    decided = await fanfare.records.decided_by(caller.tenant, person)
    created, named = [], []
    async for campaign in campaigns_of(fanfare, Campaign.tenant == caller.tenant):
        if campaign.created_by == person:
            created.append({"id": campaign.id, "name": campaign.name, "created_at": campaign.created_at})
        if names(campaign, person):
            named.append({"id": campaign.id, "name": campaign.name, "product": campaign.order["product"]})
    pseudonym = fanfare.audit.pseudonym(caller.tenant, person)
    async with writing(path) as archive:
        await archive.add(
            "person.json",
            {
                "person": person,
                "exported_at": now(),
                "decisions": [_plain(Base.metadata.tables["decisions"], vars(one)) for one in decided],
                "campaigns_created": created,
                "campaigns_that_name_them": named,
                "audit": [row async for row in _rows(fanfare, AuditEntry.__table__, "actor", pseudonym)],
            },
        )


async def _campaign(fanfare: Fanfare, campaign: Campaign, archive: "Archive", *, folder: str = "") -> None:
    tables = [table for table in Base.metadata.sorted_tables if "campaign_id" in table.columns]
    rows = {
        table.name: [row async for row in _rows(fanfare, table, "campaign_id", campaign.id)] for table in tables
    }
    record = [row async for row in _rows(fanfare, Campaign.__table__, "id", campaign.id)]
    await archive.add(f"{folder}campaign.json", {"campaign": record, "exported_at": now(), **rows})
    await archive.add(f"{folder}state.json", await fanfare.runs.state(campaign.id))
    snapshots = await fanfare.runs.snapshots(campaign.id)
    checkpoints = [{"at": one.created_at, "next": one.next, "values": one.values} for one in snapshots]
    await archive.add(f"{folder}checkpoints.json", checkpoints)
    await archive.add(f"{folder}history.json", await history(fanfare, campaign, snapshots))
    await archive.add(f"{folder}events.json", [asdict(one) for one in await fanfare.events.all_of(campaign.id)])
    for sha256 in await fanfare.assets.needed_by(campaign.id, tenant=campaign.tenant):
        await _file(fanfare, sha256, campaign.tenant, archive, folder)


async def _file(fanfare: Fanfare, sha256: str, tenant: str, archive: "Archive", folder: str) -> None:
    try:
        kept = await fanfare.assets.find(sha256, tenant=tenant)
        data = await fanfare.assets.get(sha256, tenant=tenant)
    except AssetNotFound:
        await archive.add(f"{folder}files/{sha256}.missing.json", {"sha256": sha256})
        return
    await archive.store(f"{folder}files/{sha256}{SUFFIXES[kept.media_type]}", data)


async def _rows(fanfare: Fanfare, table: Any, column: str, value: str) -> AsyncIterator[JSON]:
    """The table's rows with that value, a page at a time, without what opens anything."""
    key = list(table.primary_key)
    after: list[Any] = []
    while True:
        rows = select(table).where(table.columns[column] == value).order_by(*key).limit(_PAGE)
        if after:
            rows = rows.where(tuple_(*key) > tuple_(*after))
        async with fanfare.database.reading() as session:
            page = [dict(row) for row in (await session.execute(rows)).mappings()]
        for row in page:
            yield _plain(table, row)
        if len(page) < _PAGE:
            return
        after = [page[-1][column.name] for column in key]


def _plain(table: Table, row: Mapping[str, Any]) -> JSON:
    return {column.name: row[column.name] for column in table.columns if column.name not in HIDDEN}


class Archive:
    """A zip that grows file by file, off the event loop."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    async def add(self, name: str, value: Any) -> None:
        """Add JSON."""
        text = json.dumps(value, ensure_ascii=False, indent=2, default=str).encode()
        await asyncio.to_thread(self._file.writestr, name, text, zipfile.ZIP_DEFLATED)

    async def store(self, name: str, data: bytes) -> None:
        """Add bytes that are compressed already."""
        await asyncio.to_thread(self._file.writestr, name, data, zipfile.ZIP_STORED)


@contextlib.asynccontextmanager
async def writing(path: Path) -> AsyncGenerator[Archive]:
    """The archive at `path`, whole at the end of the block."""
    with zipfile.ZipFile(path, "w") as file:
        yield Archive(file)


_PAGE = 200
