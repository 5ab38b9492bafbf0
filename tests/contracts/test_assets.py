"""What every asset store promises, kept by a folder and by an S3 server over real HTTP."""

import asyncio
import hashlib
import os
import stat
import time
from collections.abc import Callable, Generator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from service.settings import Settings
from service.wiring import asset_store
from tests.objects import BUCKET, CREDENTIALS, ObjectServer, object_server
from tools.assets import CHUNK, AssetDamaged, AssetNotFound, AssetStore, AssetStoreUnavailable, LocalAssets, Opened
from tools.objects import ObjectAssets

PNG = b"\x89PNG not really"
Spoil = Callable[[str, bytes], None]


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Generator[ObjectServer]:
    with object_server(tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(autouse=True)
def _credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(params=["folder", "s3"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def store(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> AssetStore:
    if kind == "folder":
        return LocalAssets(tmp_path / "a folder")
    server: ObjectServer = request.getfixturevalue("s3")
    server.empty()
    return ObjectAssets.at(server.make_bucket(), endpoint=server.endpoint)


@pytest.fixture
def spoil(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Spoil:
    """Lay other bytes where an asset of acme is kept."""

    def in_folder(sha256: str, data: bytes) -> None:
        (tmp_path / "a folder" / "acme" / sha256[:2] / f"{sha256}.png").write_bytes(data)

    def in_s3(sha256: str, data: bytes) -> None:
        server: ObjectServer = request.getfixturevalue("s3")
        server.lay(sha256, "acme", data)

    return in_folder if kind == "folder" else in_s3


async def _read(store: AssetStore, sha256: str) -> bytes:
    opened = await store.open(sha256, tenant="acme")
    return b"".join([chunk async for chunk in opened.chunks])


async def _collect(opened: Opened, seen: list[bytes]) -> None:
    async for chunk in opened.chunks:
        seen.append(chunk)  # noqa: PERF401 - what came before an error is looked at


async def test_bytes_come_back_by_their_hash(store: AssetStore) -> None:
    ref = await store.put(PNG, "image/png", tenant="acme", owner="a campaign")
    assert ref.sha256 == hashlib.sha256(PNG).hexdigest()
    assert await store.put(PNG, "image/png", tenant="acme") == ref
    assert await store.get(ref.sha256, tenant="acme") == PNG
    assert await store.find(ref.sha256, tenant="acme") == ref
    assert (await store.open(ref.sha256, tenant="acme")).ref == ref
    assert await _read(store, ref.sha256) == PNG
    await store.check()


async def test_a_large_asset_comes_in_pieces(store: AssetStore) -> None:
    large = os.urandom(9 * CHUNK + 7)
    ref = await store.put(large, "application/zip", tenant="acme")
    opened = await store.open(ref.sha256, tenant="acme")
    pieces = [chunk async for chunk in opened.chunks]
    assert len(pieces) > 1
    assert b"".join(pieces) == large == await store.get(ref.sha256, tenant="acme")


async def test_what_is_damaged_is_never_taken_for_whole(store: AssetStore, spoil: Spoil) -> None:
    data = os.urandom(9 * CHUNK)
    ref = await store.put(data, "image/png", tenant="acme")
    for damaged in (data[:-1], data[: 8 * CHUNK], data[:-1] + bytes([data[-1] ^ 1])):
        spoil(ref.sha256, damaged)
        with pytest.raises(AssetDamaged):
            await store.get(ref.sha256, tenant="acme")
        opened = await store.open(ref.sha256, tenant="acme")
        seen: list[bytes] = []
        with pytest.raises(AssetDamaged):
            await _collect(opened, seen)
        assert len(b"".join(seen)) < len(damaged), "the last piece is held back"
    spoil(ref.sha256, data[:-1])
    await store.put(data, "image/png", tenant="acme")
    assert await store.get(ref.sha256, tenant="acme") == data, "putting it again mends it"


async def test_a_listing_shows_all_and_how_old_they_are(store: AssetStore) -> None:
    before = datetime.now(UTC).timestamp() - 2
    refs = {
        (tenant, (await store.put(data, "image/png", tenant=tenant)).sha256): len(data)
        for tenant, data in (("acme", PNG), ("acme", b"another"), ("other", PNG))
    }
    seen = [one async for one in store.kept()]
    assert {(one.tenant, one.sha256): one.bytes for one in seen} == refs
    assert len(seen) == len(refs)
    assert all(before < one.at.timestamp() < time.time() + 2 for one in seen)


async def test_bytes_put_again_are_young_again(store: AssetStore, kind: str, tmp_path: Path) -> None:
    ref = await store.put(PNG, "image/png", tenant="acme")
    if kind == "folder":
        path = tmp_path / "a folder" / "acme" / ref.sha256[:2] / f"{ref.sha256}.png"
        os.utime(path, (1_000_000_000, 1_000_000_000))
    else:
        await asyncio.sleep(1.1)  # S3 counts in seconds
    old = [one.at async for one in store.kept()]
    await store.put(PNG, "image/png", tenant="acme")
    assert [one.at async for one in store.kept()] > old


async def test_what_is_deleted_is_gone_for_its_tenant_alone(store: AssetStore) -> None:
    ref = await store.put(PNG, "image/png", tenant="acme")
    await store.put(PNG, "image/png", tenant="other")
    for _ in range(2):
        await store.delete(ref.sha256, tenant="acme")
    with pytest.raises(AssetNotFound):
        await store.get(ref.sha256, tenant="acme")
    assert await store.get(ref.sha256, tenant="other") == PNG


async def test_tenants_do_not_see_each_other(store: AssetStore) -> None:
    ref = await store.put(PNG, "image/png", tenant="acme")
    for call in (store.get, store.find, store.open):
        with pytest.raises(AssetNotFound):
            await call(ref.sha256, tenant="other")


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 64, "0" * 64 + "\n"])
async def test_what_is_no_hash_is_not_found(store: AssetStore, name: str) -> None:
    for call in (store.get, store.find, store.open):
        with pytest.raises(AssetNotFound):
            await call(name, tenant="acme")


async def test_names_and_kinds_that_do_not_belong_are_refused(store: AssetStore) -> None:
    with pytest.raises(ValueError, match="tenant"):
        await store.put(PNG, "image/png", tenant="../other")
    with pytest.raises(ValueError, match="image/svg"):
        await store.put(b"<svg/>", "image/svg+xml", tenant="acme")


async def test_many_may_put_the_same_at_once(store: AssetStore) -> None:
    refs = await asyncio.gather(*(store.put(PNG, "image/png", tenant="acme") for _ in range(20)))
    assert len(set(refs)) == 1
    assert [one.sha256 async for one in store.kept()] == [refs[0].sha256]


async def test_an_interrupted_put_leaves_nothing_for_long(tmp_path: Path) -> None:
    store, folder = LocalAssets(tmp_path), tmp_path / "acme" / "ab"
    ref = await store.put(PNG, "image/png", tenant="acme")
    folder.mkdir(parents=True)
    (folder / ".partial-killed").write_bytes(PNG[:5])
    assert [one.sha256 async for one in store.kept()] == [ref.sha256], "half a file is no asset"
    await store.tidy(seconds=60)
    assert (folder / ".partial-killed").exists(), "somebody may be writing it"
    os.utime(folder / ".partial-killed", (1_000_000_000, 1_000_000_000))
    await store.tidy(seconds=60)
    assert not (folder / ".partial-killed").exists()
    assert await store.get(ref.sha256, tenant="acme") == PNG


async def test_a_folder_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "assets").write_text("a file where the folder should be")
    store = LocalAssets(tmp_path / "assets")
    for call in (store.put(PNG, "image/png", tenant="acme"), store.check()):
        with pytest.raises(AssetStoreUnavailable, match="folder of pictures"):
            await call


async def test_an_object_store_that_is_away_says_so_in_time(s3: ObjectServer) -> None:
    there = s3.make_bucket()
    hangs = ObjectAssets.at(there, endpoint=s3.endpoint, seconds=1)
    ref = await hangs.put(PNG, "image/png", tenant="acme")
    away = ObjectAssets.at(there, endpoint="http://127.0.0.1:9")
    await _all_unavailable(away, ref.sha256, "cannot be reached")
    with pytest.raises(AssetStoreUnavailable, match="cannot be reached"):
        await away.delete(ref.sha256, tenant="acme")
    with s3.asleep():  # not asked to delete: it would, once it is awake
        await _all_unavailable(hangs, ref.sha256, "has not answered|cannot be reached")
    assert await hangs.get(ref.sha256, tenant="acme") == PNG


async def test_a_bucket_that_is_not_there_is_named(s3: ObjectServer) -> None:
    store = ObjectAssets.at("s3://elsewhere/prefix", endpoint=s3.endpoint)
    with pytest.raises(AssetStoreUnavailable, match=r"s3://elsewhere/prefix .* is not there"):
        await store.put(PNG, "image/png", tenant="acme")
    with pytest.raises(AssetStoreUnavailable, match="is not there"):
        await store.check()


async def _all_unavailable(store: AssetStore, sha256: str, says: str) -> None:
    began = time.monotonic()
    for call in (
        store.put(PNG, "image/png", tenant="acme"), store.get(sha256, tenant="acme"),
        store.find(sha256, tenant="acme"), store.open(sha256, tenant="acme"), store.check(),
    ):  # fmt: skip
        with pytest.raises(AssetStoreUnavailable, match=says):
            await call
    with pytest.raises(AssetStoreUnavailable, match=says):
        _ = [one async for one in store.kept()]
    assert time.monotonic() - began < 30


def test_the_address_says_which_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "ours")
    assert isinstance(asset_store(Settings(data_dir=tmp_path)), LocalAssets)
    assert isinstance(asset_store(Settings(assets_url=f"file://{tmp_path}")), LocalAssets)
    for url in (f"s3://{BUCKET}/some/prefix", f"gs://{BUCKET}", f"az://{BUCKET}/some/prefix"):
        assert isinstance(asset_store(Settings(assets_url=url)), ObjectAssets)


@pytest.mark.parametrize("url", ["ftp://x/y", "s3://", "s3:bucket", "file://host/x", "s3://b/p?region=x", "/srv"])
def test_an_address_that_makes_no_sense_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match="s3://bucket/prefix"):
        Settings(assets_url=url)


def test_files_are_written_with_the_umask_of_the_process(tmp_path: Path) -> None:
    ref = asyncio.run(LocalAssets(tmp_path).put(PNG, "image/png", tenant="acme"))
    mode = (tmp_path / "acme" / ref.sha256[:2] / f"{ref.sha256}.png").stat().st_mode
    assert stat.S_IMODE(mode) == 0o600, "nobody else on this machine reads them"
