"""What pictures say of themselves when they leave, who signed them, and photos that come back in another guise."""

import asyncio
import contextlib
import hashlib
import io
import json
import os
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from PIL import Image

from graph.costs import total
from graph.state import Order
from service.problems import stopped
from service.settings import Settings
from tests.running import AURORA, PHOTO, ROOT, Service, process, running
from tests.stores import free_port
from tools import package
from tools.imaging import xmp
from tools.imaging.certificate import Chain, make_test_chain
from tools.imaging.cleaning import cleaned
from tools.imaging.provenance import VOCABULARY, stated
from tools.imaging.rights import notice
from tools.imaging.signing import SigningFailed
from tools.placements import PLACEMENTS

NOTICE = "© Studio Nord"
LICENCE = "Bought from Studio Nord, 12 May"
PLACES = ["instagram_story", "x_website_ad", "google_display_upload"]


@dataclass(frozen=True)
class Packed:
    """A package, as whoever downloads it finds it."""

    files: Mapping[str, bytes]

    @property
    def records(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(self.files["provenance.json"])["creatives"]
        return found

    @property
    def listed(self) -> dict[str, dict[str, Any]]:
        return {one["path"]: one for one in json.loads(self.files["manifest.json"])["files"]}


async def packed(service: Service, campaign_id: str) -> Packed:
    answer = await service.http.get(f"/v1/campaigns/{campaign_id}/package.zip")
    assert answer.status_code == 200, answer.text
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        return Packed({name: archive.read(name) for name in archive.namelist()})


def captured() -> bytes:
    """The example photo as a camera would hand it over, with the photographer's notice."""
    says = {"Iptc4xmpExt:DigitalSourceType": VOCABULARY + "digitalCapture"}
    return xmp.embed(PHOTO.read_bytes(), xmp.packet(says, rights=NOTICE))


def exported_again(photo: bytes) -> bytes:
    """The photo as somebody else's programme saves it: smaller, harder pressed, a little brighter."""
    file = io.BytesIO()
    with Image.open(io.BytesIO(photo)) as image:
        brighter = image.convert("RGB").resize((900, 675)).point([min(255, level + 6) for level in range(256)] * 3)
    brighter.save(file, "WEBP", quality=60)
    return file.getvalue()


@pytest.fixture
def chain(tmp_path: Path) -> Chain:
    return make_test_chain(tmp_path / "credentials")


async def test_every_picture_says_how_it_came_about_and_the_package_has_the_record(service: Service) -> None:
    asked = {
        **AURORA,
        "placements": PLACES,
        "approval": "none",
        "image_licence": LICENCE,
    }
    photo = captured()
    campaign = (await service.post(asked, photo=photo)).json()
    assert (await service.still(campaign["id"]))["status"] == "completed"
    made = await packed(service, campaign["id"])
    records, creatives = made.records, (await service.content(campaign["id"]))["creatives"]
    assert len(records) == len(creatives) == 2 * sum(len(PLACEMENTS[name].creatives) for name in PLACES)
    assert "provenance.json" in made.listed

    for record in records:
        data = made.files[record["path"]]
        assert VOCABULARY + str(stated(data)) == record["digital_source_type"]
        assert notice(data) == record["notice"] == NOTICE
        assert len(data) == made.listed[record["path"]]["bytes"]
        assert record["source_sha256"] == hashlib.sha256(cleaned(photo).data).hexdigest()
        assert record["source_says"] == VOCABULARY + "digitalCapture"
        assert record["licence"] == LICENCE
        done = {operation["name"] for operation in record["operations"]}
        assert {"resize", "convert"} <= done
        assert record["model"] == ("rehearsal" if "text" in done else None)
        assert (record["edited"], record["signed"]) == (False, False)
    assert {record["digital_source_type"] for record in records if _has_text(record)} == {VOCABULARY + "composite"}
    page = made.files["index.html"].decode()
    kinds = Counter(record["digital_source_type"].rpartition("/")[2] for record in records)
    assert all(f"{kind} ({count})" in page for kind, count in kinds.items())
    assert LICENCE in page
    assert f"0 of {len(records)} are signed" in page


async def test_the_record_says_whose_words_were_changed_by_a_person(service: Service) -> None:
    campaign = await service.create(placements=["x_website_ad"], languages=["de", "fr"])
    await service.still(campaign["id"])
    await service.approve(campaign["id"])
    for changed in (
        {"/translations/de/headlines/0": "Stille, flach gefaltet"},
        {"/focus/all": {"left": 0.2, "top": 0.2, "right": 0.8, "bottom": 0.8}},
    ):
        assert (await service.decide(campaign["id"], "edit", edits=changed)).status_code == 202
        await service.still(campaign["id"])
    assert (await service.approve(campaign["id"]))["status"] == "completed"
    records = (await packed(service, campaign["id"])).records
    assert {record["path"].split("/")[1]: record["edited"] for record in records if _has_text(record)} == {
        "en": False,
        "de": True,
        "fr": False,
    }


async def test_a_campaign_that_slept_through_the_release_is_packed_with_what_is_known(service: Service) -> None:
    """Its order names no licence and no lookalikes, its creatives no provenance."""
    campaign = await service.create(approval="none", languages=[])
    await service.still(campaign["id"])
    assert service.fanfare is not None
    state: dict[str, Any] = dict(await service.fanfare.runs.state(campaign["id"]))
    order = {key: value for key, value in state["order"].items() if key != "image_licence"}
    order["picture"] = {key: value for key, value in order["picture"].items() if key != "lookalikes"}
    assert Order.model_validate(order).picture.lookalikes == ()
    seen = await service.content(campaign["id"])
    for creative in seen["creatives"]:
        del creative["provenance"]
    data = {one["asset"]["sha256"]: (await service.http.get(one["url"])).content for one in seen["creatives"]}
    built = package.build(order, seen, data, cost=total(state["costs"]), approved={}, writers={}, edited=())
    with zipfile.ZipFile(io.BytesIO(built.data)) as archive:
        records = json.loads(archive.read("provenance.json"))["creatives"]
        assert f"unrecorded ({len(records)})" in archive.read("index.html").decode()
    assert {(record["source_sha256"], record["operations"], record["signed"]) for record in records} == {
        (order["picture"]["sha256"], None, False)
    }


def _has_text(record: dict[str, Any]) -> bool:
    return any(operation["name"] == "text" for operation in record["operations"])


async def test_pictures_are_signed_within_their_budgets(data_dir: Path, chain: Chain) -> None:
    c2pa: Any = pytest.importorskip("c2pa", reason="the extra `c2pa` is not installed")
    settings = Settings(data_dir=data_dir, c2pa_certificate=chain.certificate, c2pa_key=chain.key)
    async with running(settings) as service:
        campaign = await service.create(placements=[*PLACES, "iab"], approval="none", languages=[])
        assert (await service.still(campaign["id"]))["status"] == "completed"
        made = await packed(service, campaign["id"])
    for record in made.records:
        assert record["signed"]
        data = made.files[record["path"]]
        assert _verified(c2pa, data, chain) == ("Trusted", f"sha256:{record['source_sha256']}")
        assert VOCABULARY + str(stated(data)) == record["digital_source_type"]
        assert made.listed[record["path"]]["checks"]["bytes"]
    for one in ("google_display_upload", "iab"):
        for size in PLACEMENTS[one].creatives:
            assert len(made.files[f"creatives/en/{one}/{size.name}.jpg"]) <= (size.max_bytes or 0)
    assert f"{len(made.records)} of {len(made.records)} are signed" in made.files["index.html"].decode()


def test_a_signature_that_fails_stops_the_campaign_with_a_sentence() -> None:
    problem = stopped(SigningFailed("A picture could not be signed."), "render")
    assert (problem["code"], problem["step"]) == ("signing-failed", "render")
    assert problem["detail"] == "A picture could not be signed."


async def test_killed_while_it_signs_it_goes_on_and_every_picture_is_whole(data_dir: Path, chain: Chain) -> None:
    """What was signed before the kill is signed anew; nothing refers to it, and nothing misses it."""
    c2pa: Any = pytest.importorskip("c2pa", reason="the extra `c2pa` is not installed")
    asked = {"placements": [*PLACES, "instagram_post"], "languages": ["de", "fr"], "approval": "none"}
    with served(data_dir, chain) as url:
        async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
            campaign = await Service(http).create(asked)
            await _until_a_picture_is_kept(data_dir)
    with served(data_dir, chain) as url:
        async with httpx2.AsyncClient(base_url=url, timeout=30) as http:
            service = Service(http)
            assert (await service.still(campaign["id"]))["status"] == "completed"
            made = await packed(service, campaign["id"])
            creatives = (await service.content(campaign["id"]))["creatives"]
            for creative in creatives:
                data = (await http.get(creative["url"])).content
                assert hashlib.sha256(data).hexdigest() == creative["asset"]["sha256"]
    assert len(made.records) == len(creatives)
    for record in made.records:
        data = made.files[record["path"]]
        assert hashlib.sha256(data).hexdigest() == made.listed[record["path"]]["sha256"]
        assert _verified(c2pa, data, chain)[0] == "Trusted"


@contextlib.contextmanager
def served(data_dir: Path, chain: Chain) -> Generator[str]:
    """The service as a process of its own, which is killed at the end."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    environment = {
        "FANFARE_DATA_DIR": str(data_dir),
        "FANFARE_C2PA_CERTIFICATE": str(chain.certificate),
        "FANFARE_C2PA_KEY": str(chain.key),
    }
    with process("serve", "--port", str(port), url=f"{url}/healthz", **environment) as started:
        yield url
        started.kill()


async def _until_a_picture_is_kept(data_dir: Path) -> None:
    """Until the store holds one more file than the photo."""
    for _ in range(3000):
        if sum(path.suffix in (".jpg", ".png") for path in (data_dir / "assets").rglob("*")) > 1:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("no picture was made")


def _verified(c2pa: Any, data: bytes, chain: Chain) -> tuple[str, str]:
    """How a reader that trusts our authority alone finds a picture, and which source it names."""
    settings = {
        "version": 1,
        "trust": {"trust_anchors": chain.anchor.read_text()},
        "verify": {"verify_trust": True, "remote_manifest_fetch": False, "ocsp_fetch": False},
    }
    context = c2pa.Context(settings=c2pa.Settings.from_dict(settings))
    kind = "image/png" if data.startswith(b"\x89PNG") else "image/jpeg"
    with c2pa.Reader(kind, io.BytesIO(data), context=context) as reader:
        told = json.loads(reader.json())
        made = told["manifests"][told["active_manifest"]]
        return reader.get_validation_state(), made["ingredients"][0]["instance_id"]


async def test_a_photo_that_comes_back_in_another_file_is_shown_to_the_reviewer(service: Service) -> None:
    first = await service.create(languages=[])
    await service.still(first["id"])
    assert not await _findings(service, first["id"])

    answer = await service.post({**AURORA, "languages": []}, photo=exported_again(PHOTO.read_bytes()))
    second = answer.json()
    await service.still(second["id"])
    [finding] = await _findings(service, second["id"])
    assert (finding["severity"], finding["field"]) == ("info", "picture")
    today = first["created_at"][:10]
    assert f"uploaded on {today} for the campaign “Aurora” ({first['id']})" in finding["message"]
    assert hashlib.sha256(PHOTO.read_bytes()).hexdigest()[:12] in finding["message"]
    assert finding["message"] in (await service.http.get(f"/campaigns/{second['id']}")).text.replace("&#34;", '"')


async def test_the_same_file_again_is_no_finding_and_neither_is_another_photo(service: Service) -> None:
    for photo in (PHOTO, PHOTO, ROOT / "examples" / "brisk.jpg"):
        campaign = (await service.post({**AURORA, "languages": []}, photo=photo.read_bytes())).json()
        await service.still(campaign["id"])
        assert not await _findings(service, campaign["id"])


async def test_a_photo_that_was_only_uploaded_is_known_as_well(service: Service) -> None:
    file = {"file": ("photo.jpg", PHOTO.read_bytes(), "image/jpeg")}
    uploaded = (await service.http.post("/v1/assets", files=file)).json()
    other = {"file": ("photo.webp", exported_again(PHOTO.read_bytes()), "image/webp")}
    asset = (await service.http.post("/v1/assets", files=other)).json()
    asked: dict[str, Any] = {**AURORA, "languages": [], "image": asset["sha256"]}
    campaign = (await service.http.post("/v1/campaigns", json=asked)).json()
    await service.still(campaign["id"])
    [finding] = await _findings(service, campaign["id"])
    assert uploaded["sha256"][:12] in finding["message"]
    assert "for the campaign" not in finding["message"]


async def _findings(service: Service, campaign_id: str) -> list[dict[str, Any]]:
    """What the reviewer at the first gate is told about near-duplicates."""
    shown = (await service.get(f"/v1/campaigns/{campaign_id}/approval"))["content"]
    return [one for one in shown["verdict"]["findings"] if one["rule"] == "picture-near-duplicate"]


@pytest.mark.parametrize("licence", ["", "   ", "x" * 301, "a\u202eb", "a\x07b"])
async def test_a_licence_that_says_nothing_or_too_much_is_refused(service: Service, licence: str) -> None:
    answer = await service.post({**AURORA, "image_licence": licence})
    assert answer.status_code == 422
    assert ("NUL" if "\0" in licence else "image_licence") in answer.json()["detail"]


def test_a_certificate_that_is_not_there_stops_the_service_with_a_sentence(data_dir: Path, chain: Chain) -> None:
    half = _fanfare(data_dir, "doctor", FANFARE_C2PA_KEY=str(chain.key))
    assert half.returncode == 2
    assert "FANFARE_C2PA_CERTIFICATE and FANFARE_C2PA_KEY go together" in half.stderr
    absent = {"FANFARE_C2PA_CERTIFICATE": "absent.pem", "FANFARE_C2PA_KEY": str(chain.key)}
    for arguments in (("serve", "--port", str(free_port())), ("list",)):
        stopped = _fanfare(data_dir, *arguments, **absent)
        assert stopped.returncode == 6, stopped.stderr
        assert "absent.pem: No such file or directory." in stopped.stderr
    looked = _fanfare(data_dir, "doctor", "--json", **absent)
    [signing] = [found for found in json.loads(looked.stdout) if found["what"] == "Signing"]
    assert signing["level"] == "bad"
    assert "absent.pem" in signing["says"]


def test_the_doctor_proves_a_certificate_and_names_a_missing_library(data_dir: Path, chain: Chain) -> None:
    pytest.importorskip("c2pa", reason="the extra `c2pa` is not installed")
    there = {"FANFARE_C2PA_CERTIFICATE": str(chain.certificate), "FANFARE_C2PA_KEY": str(chain.key)}
    well = _fanfare(data_dir, "doctor", "--json", **there)
    assert [f["level"] for f in json.loads(well.stdout) if f["what"] == "Signing"] == ["ok"]
    (data_dir / "shadow").mkdir(parents=True)
    (data_dir / "shadow" / "c2pa.py").write_text("raise ImportError('not installed')")
    path = os.pathsep.join((str(data_dir / "shadow"), str(ROOT)))
    without = _fanfare(data_dir, "doctor", "--json", **there, PYTHONPATH=path)
    [signing] = [found for found in json.loads(without.stdout) if found["what"] == "Signing"]
    assert (signing["level"], "pip install --editable '.[c2pa]'" in signing["says"]) == ("bad", True)


def _fanfare(data_dir: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), "FANFARE_DATA_DIR": str(data_dir), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
