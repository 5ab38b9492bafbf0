"""Signed addresses: one picture, one tenant, for a while, and nothing else."""

import stat
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from service.picture_links import PictureLinks
from service.settings import Settings
from tests.running import PHOTO, Service, running

SHA = "ab" * 32
KEY = b"k" * 32


def query(url: str) -> tuple[str, int, str]:
    """The tenant, the end and the signature of an address."""
    found = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    return found["tenant"], int(found["expires"]), found["signature"]


def test_an_address_holds_for_its_time_and_stays_the_same_for_a_while() -> None:
    clock = [1_000_000.0]
    links = PictureLinks(KEY, seconds=3600, clock=lambda: clock[0])
    url = links.to(SHA, tenant="acme")
    tenant, expires, signature = query(url)
    assert 3600 <= links.left(SHA, tenant=tenant, expires=expires, signature=signature) <= 4501
    clock[0] += 1
    assert links.to(SHA, tenant="acme") == url
    clock[0] = expires - 1
    assert links.left(SHA, tenant=tenant, expires=expires, signature=signature) == 1
    clock[0] = expires
    assert links.left(SHA, tenant=tenant, expires=expires, signature=signature) == 0
    assert links.to(SHA, tenant="acme") != url


@pytest.mark.parametrize(
    ("sha256", "tenant", "more", "key"),
    [("cd" * 32, "acme", 0, KEY), (SHA, "other", 0, KEY), (SHA, "acme", 1, KEY), (SHA, "acme", 0, b"x" * 32)],
)
def test_nothing_in_an_address_can_be_changed(sha256: str, tenant: str, more: int, key: bytes) -> None:
    _, expires, signature = query(PictureLinks(KEY, seconds=3600).to(SHA, tenant="acme"))
    links = PictureLinks(key, seconds=3600)
    assert links.left(sha256, tenant=tenant, expires=expires + more, signature=signature) == 0


@pytest.mark.parametrize("signature", ["", "0" * 64, "é" * 64, "A" * 64])
def test_a_made_up_signature_opens_nothing(signature: str) -> None:
    assert PictureLinks(KEY, seconds=60).left(SHA, tenant="acme", expires=1 << 40, signature=signature) == 0


async def test_a_creative_is_shown_by_its_address_alone(service: Service) -> None:
    created = await service.create(approval="none", languages=[], placements=["x_post"])
    await service.still(created["id"])
    creatives = (await service.content(created["id"]))["creatives"]
    url = creatives[0]["url"]
    answer = await service.http.get(url)
    assert answer.status_code == 200
    assert len(answer.content) == creatives[0]["asset"]["bytes"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["content-disposition"].startswith("attachment")
    forged = url[:-1] + ("0" if url[-1] != "0" else "1")
    elsewhere = url.replace("tenant=default", "tenant=other")
    for bad in (forged, elsewhere, url.replace("signature=", "signature=ff")):
        refused = await service.http.get(bad)
        assert refused.status_code in (403, 422), bad
        assert refused.headers["content-type"] == "application/problem+json"


async def test_a_key_is_made_once_for_this_user_alone(data_dir: Path) -> None:
    urls: list[str] = []
    for _ in range(2):
        async with running(Settings(data_dir=data_dir)) as service:
            assert service.fanfare is not None
            links = service.fanfare.picture_links
            sent = await service.http.post("/v1/assets", files={"file": ("photo", PHOTO.read_bytes())})
            urls.append(links.to(sent.json()["sha256"], tenant="default"))
            for url in urls:
                assert (await service.http.get(url)).status_code == 200, "an address outlives a restart"
    key = data_dir / "url-signing-key"
    assert (stat.S_IMODE(key.stat().st_mode), key.stat().st_size) == (0o600, 32)


async def test_replicas_with_one_key_know_each_others_addresses(tmp_path: Path) -> None:
    settings = {
        "url_signing_key": "the same thirty-two characters in all",
        "assets_url": f"file://{tmp_path}/shared",
    }
    async with running(Settings.model_validate({"data_dir": tmp_path / "one", **settings})) as one:
        sent = await one.http.post("/v1/assets", files={"file": ("photo", PHOTO.read_bytes())})
        assert one.fanfare is not None
        url = one.fanfare.picture_links.to(sent.json()["sha256"], tenant="default")
    async with running(Settings.model_validate({"data_dir": tmp_path / "two", **settings})) as two:
        assert (await two.http.get(url)).status_code == 200
    assert not (tmp_path / "one" / "url-signing-key").exists()
