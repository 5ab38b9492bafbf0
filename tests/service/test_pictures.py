"""Photos as the database remembers them: whose they are, which is near, how many are looked through."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from sqlalchemy import insert

from service import migrations, pictures
from service.database import Database
from service.pictures import Pictures
from service.tables import SeenPicture, new_id, now
from tools.imaging.fingerprint import NEAR

DICE = random.Random(11)  # noqa: S311


def number() -> int:
    return DICE.getrandbits(256)


def upload(mark: int, *, tenant: str = "default", created_at: str = "2026-11-01T10:00:00.000Z") -> SeenPicture:
    return SeenPicture(
        tenant=tenant, sha256=f"{number():064x}", fingerprint=f"{mark:064x}", media_type="image/jpeg",
        width=1200, height=900, bytes=30_000, notice=None, created_at=created_at,
    )  # fmt: skip


def changed(mark: int, bits: int) -> int:
    for at in DICE.sample(range(256), bits):
        mark ^= 1 << at
    return mark


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    url = f"sqlite+aiosqlite:///{tmp_path / 'fanfare.db'}"
    await migrations.upgrade(url)
    async with Database.open(url) as opened:
        yield opened


@pytest.fixture
def known(database: Database) -> Pictures:
    return Pictures(database)


async def test_the_nearest_are_named_and_the_far_are_not(known: Pictures) -> None:
    mark = number()
    this, nearer, near, far = (upload(changed(mark, bits)) for bits in (0, 5, NEAR, NEAR + 1))
    for one in (far, near, this, nearer):
        await known.remember(one)
    found = await known.lookalikes(this.sha256, tenant="default")
    assert [one.sha256 for one in found] == [nearer.sha256, near.sha256]
    assert {one.seen_at for one in found} == {"2026-11-01T10:00:00.000Z"}
    assert {one.campaign_id for one in found} == {None}


async def test_another_tenants_photos_are_never_named(known: Pictures) -> None:
    mark = number()
    ours, theirs = upload(mark), upload(mark, tenant="other")
    await known.remember(ours)
    await known.remember(theirs)
    assert await known.lookalikes(ours.sha256, tenant="default") == ()
    assert await known.lookalikes(theirs.sha256, tenant="other") == ()


async def test_the_first_upload_counts_however_many_come_at_once(known: Pictures) -> None:
    mark = number()
    first, other = upload(mark), upload(changed(mark, 3))
    again = [upload(mark, created_at=now()) for _ in range(8)]
    for one in again:
        one.sha256 = first.sha256
    await known.remember(first)
    await asyncio.gather(*map(known.remember, again))
    await known.remember(other)
    [found] = await known.lookalikes(other.sha256, tenant="default")
    assert (found.sha256, found.seen_at) == (first.sha256, "2026-11-01T10:00:00.000Z")


async def test_a_campaign_that_is_gone_is_not_named(known: Pictures) -> None:
    mark = number()
    this, other = upload(mark), upload(mark)
    for one in (this, other):
        await known.remember(one)
    await known.used(other.sha256, new_id(), tenant="default")
    [found] = await known.lookalikes(this.sha256, tenant="default")
    assert (found.campaign_id, found.campaign) == (None, None)
    assert str(found).startswith("The photo looks like another one, uploaded on 2026-11-01: asset")


async def test_only_so_many_of_the_newest_are_looked_through(
    known: Pictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "SEARCHED", 2)
    mark = number()
    this = upload(mark, created_at="2026-11-09T10:00:00.000Z")
    older, *newer = (upload(mark, created_at=f"2026-11-0{day}T10:00:00.000Z") for day in (1, 2, 3))
    for one in (this, older, *newer):
        await known.remember(one)
    found = await known.lookalikes(this.sha256, tenant="default")
    assert {one.sha256 for one in found} == {one.sha256 for one in newer}


async def test_tens_of_thousands_of_photos_are_looked_through_in_no_time(
    database: Database, known: Pictures
) -> None:
    """About 0.04 s of CPU here; the bound leaves room for a busy machine, and none for a search by pairs."""
    rows = [
        {
            "tenant": "default", "sha256": f"{number():064x}", "fingerprint": f"{number():064x}",
            "media_type": "image/jpeg", "width": 1, "height": 1, "bytes": 1, "created_at": now(),
        }
        for _ in range(20_000)
    ]  # fmt: skip
    async with database.engine.begin() as connection:
        await connection.execute(insert(SeenPicture), rows)
    this = upload(changed(int(str(rows[7]["fingerprint"]), 16), 10))
    await known.remember(this)
    began = time.process_time()
    [found] = await known.lookalikes(this.sha256, tenant="default")
    took = time.process_time() - began
    assert found.sha256 == rows[7]["sha256"]
    assert took < 2
