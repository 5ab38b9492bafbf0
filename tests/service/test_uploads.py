"""Photos sent over HTTP: what they are counts, what they are called does not, and nothing personal stays."""

import json
import os
import re
import sys
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.running import AURORA, PHOTO, Service, process
from tests.stores import free_port
from tests.tools.imaging.corpus import CASES, HEAVY, Accepted
from tests.tools.imaging.test_cleaning import NAMES, PERSONAL, full_jpeg
from tools.imaging.source import UnusablePicture

POST = {**AURORA, "languages": [], "placements": ["x_post"]}
MOST_SECONDS, MOST_MEGABYTES = 2.0, 200


async def upload(service: Service, data: bytes, name: str = "photo", kind: str = "") -> Any:
    return await service.http.post("/v1/assets", files={"file": (name, data, kind or "application/octet-stream")})


async def test_nothing_personal_is_in_any_store(service: Service, data_dir: Path) -> None:
    for make in PERSONAL.values():
        answer = await upload(service, make(), name=f"{NAMES[0]}.bin")
        assert answer.status_code == 201, answer.text
        created = await service.post({**POST, "approval": "none"}, photo=make())
        await service.still(created.json()["id"])
    await service.get("/v1/campaigns")
    kept = b"".join(path.read_bytes() for path in data_dir.rglob("*") if path.is_file())
    assert len(kept) > 100_000
    for name in NAMES:
        for canary in (name.encode(), name.encode("utf-16-le"), name.encode("utf-16-be")):
            assert canary not in kept, name


async def test_a_notice_outlives_the_cleaning_and_is_shown_to_the_reviewer(service: Service) -> None:
    asset = (await upload(service, full_jpeg())).json()
    assert asset["notice"] == "(c) Canary Press"
    for picture in (asset, (await upload(service, full_jpeg())).json()):
        assert "It is under copyright: “(c) Canary Press” (EXIF)." in picture["reserved"]
    bare = await service.http.get(f"/v1/assets/{asset['sha256']}")
    again = (await upload(service, bare.content)).json()
    assert again == asset, "the same picture without its notice is the same picture"
    created = await service.http.post("/v1/campaigns", json={**POST, "image": asset["sha256"]})
    waiting = await service.still(created.json()["id"])
    assert waiting["status"] == "awaiting_copy_approval"
    shown = await service.get(f"/v1/campaigns/{waiting['id']}/approval")
    found = [one for one in shown["content"]["verdict"]["findings"] if one["rule"] == "picture-reserved"]
    assert "Canary Press" in found[0]["message"]


MISLABELLED = [("photo", "image/png"), ("photo", "image/svg+xml"), ("photo.png", ""), ("photo.svg", "text/plain")]
WELL_LABELLED = [
    ("../../etc/passwd", "text/html"), ("photo.jpeg", "image/jpeg"), ("PHOTO.JPG", "image/jpg"), ("photo", ""),
    ("photo.txt", "application/pdf"), ("x" * 3000 + "\u202e.jpg", "image/jpeg; charset=binary"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), MISLABELLED)
async def test_a_picture_that_is_called_another_kind_is_refused(service: Service, name: str, kind: str) -> None:
    answer = await upload(service, PHOTO.read_bytes(), name, kind)
    assert answer.status_code == 422, answer.text
    assert re.search(r"is a JPEG; (rename|send) .* export it again\.$", answer.json()["detail"])
    created = await service.http.post(
        "/v1/campaigns",
        files={
            "campaign": (None, json.dumps(POST), "application/json"),
            "image": (name, PHOTO.read_bytes(), kind),
        },
    )
    assert created.status_code == 422


@pytest.mark.parametrize(("name", "kind"), WELL_LABELLED)
async def test_any_other_label_counts_for_nothing(service: Service, data_dir: Path, name: str, kind: str) -> None:
    answer = await upload(service, PHOTO.read_bytes(), name, kind)
    assert answer.status_code == 201, answer.text
    files = [path.relative_to(data_dir / "assets") for path in (data_dir / "assets").rglob("*") if path.is_file()]
    sha256 = answer.json()["sha256"]
    assert [str(path) for path in files] == [f"default/{sha256[:2]}/{sha256}.jpg"]


def _no_more(*_: object, **__: object) -> None:
    raise UnusablePicture("Such pictures are not taken any more.")


async def test_an_idempotency_key_is_about_what_was_sent(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, photo = {"Idempotency-Key": "once"}, full_jpeg()
    first = await service.post(POST, photo=photo, headers=key)
    with monkeypatch.context() as changed:
        changed.setattr("service.uploads.cleaned", _no_more)
        again = await service.post(POST, photo=photo, headers=key)
    stripped = await service.post(POST, photo=photo[:-5], headers=key)
    assert first.json()["id"] == again.json()["id"]
    assert (stripped.status_code, stripped.json()["code"]) == (409, "idempotency-conflict")
    await service.still(first.json()["id"])


async def test_pictures_are_served_as_what_they_are_to_be_saved(service: Service) -> None:
    asset = (await upload(service, PHOTO.read_bytes())).json()
    answer = await service.http.get(f"/v1/assets/{asset['sha256']}")
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["content-disposition"] == f'attachment; filename="{asset["sha256"][:16]}.jpg"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-length"] == str(len(answer.content)) == str(asset["bytes"])


async def test_a_picture_that_was_cut_short_is_never_served_as_whole(service: Service, data_dir: Path) -> None:
    asset = (await upload(service, PHOTO.read_bytes())).json()
    path = next((data_dir / "assets").rglob("*.jpg"))
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(httpx2.RemoteProtocolError):
        await service.http.get(f"/v1/assets/{asset['sha256']}")
    refused = await service.http.post("/v1/campaigns", json={**POST, "image": asset["sha256"]})
    assert refused.status_code == 422
    await upload(service, PHOTO.read_bytes())
    mended = await service.http.get(f"/v1/assets/{asset['sha256']}")
    assert mended.status_code == 200


@pytest.fixture
async def served(data_dir: Path) -> AsyncGenerator[tuple[httpx2.AsyncClient, int]]:
    """The service as a process, and its number."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with process("serve", "--port", str(port), url=f"{url}/healthz", FANFARE_DATA_DIR=str(data_dir)) as started:
        async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
            yield http, started.pid


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process's peak and lets it be reset")
async def test_hostile_and_heavy_files_cost_little(served: tuple[httpx2.AsyncClient, int]) -> None:
    """Each through the running service: no 500, its CPU seconds and the memory that it takes at most."""
    http, pid = served
    cases: Mapping[str, Any] = {**CASES, **HEAVY}
    await http.post("/v1/assets", files={"file": ("photo", PHOTO.read_bytes())})  # what it loads once, it has now
    for name, case in cases.items():
        data = case.make()
        Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
        before, began = _resident(pid), _cpu(pid)
        answer = await http.post("/v1/assets", files={"file": ("photo", data, "application/octet-stream")})
        accepted = isinstance(case, Accepted) or getattr(case, "accepted", False)
        assert answer.status_code == (201 if accepted else answer.status_code), (name, answer.text)
        assert answer.status_code in (201, 413, 422), (name, answer.text)
        assert _cpu(pid) - began < MOST_SECONDS, name
        assert _resident(pid, "VmHWM") - before < MOST_MEGABYTES, name
    assert (await http.get("/readyz")).status_code == 200


def _resident(pid: int, which: str = "VmRSS") -> float:
    """Megabytes, as the kernel counts them."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    found = re.search(rf"{which}:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1000


def _cpu(pid: int) -> float:
    """Seconds of user and system time so far."""
    words = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")
