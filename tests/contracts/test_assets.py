"""What every asset store promises."""

import hashlib
from pathlib import Path

import pytest

from tools.assets import AssetNotFound, AssetStore, LocalAssets

PNG = b"\x89PNG not really"


@pytest.fixture(params=["local"])
def store(tmp_path: Path) -> AssetStore:
    return LocalAssets(tmp_path / "a folder")


async def test_bytes_come_back_by_their_hash(store: AssetStore) -> None:
    ref = await store.put(PNG, "image/png", tenant="acme")
    assert ref.sha256 == hashlib.sha256(PNG).hexdigest()
    assert await store.put(PNG, "image/png", tenant="acme") == ref
    assert await store.get(ref.sha256, tenant="acme") == PNG
    assert await store.find(ref.sha256, tenant="acme") == ref


async def test_tenants_do_not_see_each_other(store: AssetStore) -> None:
    ref = await store.put(PNG, "image/png", tenant="acme")
    with pytest.raises(AssetNotFound):
        await store.get(ref.sha256, tenant="other")


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, "0" * 63, "0" * 64, "0" * 64 + "\n"])
async def test_what_is_no_hash_is_not_found(store: AssetStore, name: str) -> None:
    with pytest.raises(AssetNotFound):
        await store.get(name, tenant="acme")


async def test_names_and_kinds_that_do_not_belong_are_refused(store: AssetStore) -> None:
    with pytest.raises(ValueError, match="tenant"):
        await store.put(PNG, "image/png", tenant="../other")
    with pytest.raises(ValueError, match="image/svg"):
        await store.put(b"<svg/>", "image/svg+xml", tenant="acme")
