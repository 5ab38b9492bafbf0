"""What strangers send. Each gets a problem with a sentence, and leaves nothing behind."""

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.running import AURORA, PHOTO, Service

FEATURE = "Folds flat"


def product(**changes: Any) -> dict[str, Any]:
    return {"product": {**AURORA["product"], **changes}}


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "two features": (product(features=[FEATURE] * 2), "features"),
    "six features": (product(features=[FEATURE] * 6), "features"),
    "empty name": (product(name=""), "name"),
    "blank name": (product(name="   "), "name"),
    "name of 201 characters": (product(name="n" * 201), "name"),
    "feature of 201 characters": (product(features=["f" * 201, FEATURE, FEATURE]), "features"),
    "unknown placement": ({"placements": ["instagram_pots"]}, "instagram_post"),
    "placement twice": ({"placements": ["x_post", "x_post"]}, "x_post"),
    "unknown language": ({"languages": ["klingon"]}, "klingon"),
    "language that the model cannot write": ({"languages": ["fi"]}, "rehearsal model"),
    "source language again": ({"languages": ["en"]}, "en"),
    "unknown field": ({"colour": "red"}, "colour"),
    "unknown field of the product": (product(price="9"), "price"),
    "name with a bidi override": (product(name="A\u202eb"), "U+202E"),
    "name with an escape": (product(name="A\x1b[31mb"), "U+001B"),
    "tone of 81 characters": ({"tone": "t" * 81}, "tone"),
    "budget of nothing": ({"budget_usd": "0"}, "budget_usd"),
    "variants as text": ({"variants": "2"}, "variants"),
    "unknown approval": ({"approval": "maybe"}, "approval"),
    "webhook to this machine": ({"webhook_url": "https://127.0.0.1/hook"}, "webhook_url"),
}


@pytest.mark.parametrize("name", CASES)
async def test_a_wrong_request_is_refused_with_a_sentence(service: Service, data_dir: Path, name: str) -> None:
    changes, named = CASES[name]
    answer = await service.post({**AURORA, **changes})
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert {"type", "title", "status", "detail", "code", "errors"} <= problem.keys()
    assert named in problem["detail"]
    assert problem["detail"].endswith(".")
    assert all(error.keys() == {"loc", "msg"} for error in problem["errors"])
    await _nothing_stored(service, data_dir)


def _broken_photos() -> dict[str, bytes]:
    photo = PHOTO.read_bytes()
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
    gif = io.BytesIO()
    Image.new("RGB", (9, 9)).save(gif, "GIF")
    return {
        "a text file": b"This is no picture.\n" * 40,
        "a truncated picture": photo[: len(photo) // 2],
        "an empty file": b"",
        "an SVG": svg,
        "a GIF": gif.getvalue(),
    }


@pytest.mark.parametrize("name", _broken_photos())
async def test_a_file_that_is_no_photo_is_refused(service: Service, data_dir: Path, name: str) -> None:
    answer = await service.post(AURORA, photo=_broken_photos()[name])
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["loc"] == ["image"]
    await _nothing_stored(service, data_dir)


async def test_a_photo_over_the_limit_is_refused(service: Service, data_dir: Path) -> None:
    answer = await service.post(AURORA, photo=b"\xff\xd8" + bytes(20_000_001))
    assert (answer.status_code, answer.json()["code"]) == (413, "too-large")
    await _nothing_stored(service, data_dir)


@pytest.mark.parametrize("body", [b"{", b"[]", b"null", b"\xff\xfe", b'{"product": {"name": "\\ud800"}}'])
async def test_a_body_that_is_no_campaign_is_refused(service: Service, data_dir: Path, body: bytes) -> None:
    for answer in (
        await service.post(body),
        await service.http.post("/v1/campaigns", content=body, headers={"content-type": "application/json"}),
    ):
        assert answer.status_code == 422, answer.text
    await _nothing_stored(service, data_dir)


async def test_a_photo_is_needed(service: Service) -> None:
    without = await service.http.post("/v1/campaigns", json=AURORA)
    unknown = await service.http.post("/v1/campaigns", json={**AURORA, "image": "0" * 64})
    form = await service.http.post("/v1/campaigns", data={"campaign": "{}"}, files={"other": b""})
    text = await service.http.post("/v1/campaigns", content=b"hello", headers={"content-type": "text/plain"})
    assert [one.status_code for one in (without, unknown, form, text)] == [422, 422, 422, 415]


async def test_json_with_an_uploaded_asset_works_and_bytes_come_back(service: Service) -> None:
    photo = PHOTO.read_bytes()
    uploaded = await service.http.post("/v1/assets", files={"file": ("../../etc/passwd", photo, "text/html")})
    assert uploaded.status_code == 201
    asset = uploaded.json()
    assert asset["media_type"] == "image/jpeg"
    answer = await service.http.post("/v1/campaigns", json={**AURORA, "image": asset["sha256"]})
    assert answer.status_code == 202
    kept = await service.http.get(f"/v1/assets/{asset['sha256']}")
    assert kept.content == photo
    assert kept.headers["x-content-type-options"] == "nosniff"
    assert kept.headers["content-type"] == "image/jpeg"
    await service.still(answer.json()["id"])


@pytest.mark.parametrize(
    "path", ["/v1/campaigns/nobody", "/v1/assets/..%2f..%2fetc", "/v1/assets/abc", "/nowhere"]
)
async def test_what_is_not_there_is_a_problem_too(service: Service, path: str) -> None:
    answer = await service.http.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("sent", ['["\\ud800", "x"]', "[1, 2]", '["a"]', "{}"])
async def test_a_cursor_of_somebody_elses_is_refused(service: Service, sent: str) -> None:
    cursor = base64.urlsafe_b64encode(sent.encode()).decode()
    answer = await service.http.get("/v1/campaigns", params={"cursor": cursor})
    assert answer.status_code == 422


@pytest.mark.parametrize(
    "edits",
    ['{"/copy/headlines/0": "\\ud800"}', '{"/copy/\\ud800": "x"}', f'{{"/copy/headlines/{"1" * 5000}": "x"}}'],
)
async def test_an_odd_edit_is_refused(service: Service, edits: str) -> None:
    campaign = await service.create(languages=[])
    waiting = await service.still(campaign["id"])
    body = f'{{"gate": "copy", "type": "edit", "revision": "{waiting["revision"]}", "edits": {edits}}}'
    answer = await service.http.post(
        f"/v1/campaigns/{campaign['id']}/decisions", content=body, headers={"content-type": "application/json"}
    )
    assert answer.status_code == 422, answer.text


async def test_an_idempotency_key_answers_the_same_campaign(service: Service) -> None:
    key = {"Idempotency-Key": "spring-launch"}
    first = await service.post(AURORA, headers=key)
    again = await service.post(AURORA, headers=key)
    other = await service.post({**AURORA, "tone": "bold"}, headers=key)
    assert first.json()["id"] == again.json()["id"]
    assert (other.status_code, other.json()["code"]) == (409, "idempotency-conflict")
    await service.still(first.json()["id"])


async def test_other_sites_and_other_names_are_kept_out(service: Service) -> None:
    foreign = await service.post(AURORA, headers={"Origin": "https://evil.example"})
    rebound = await service.http.get("/v1/campaigns", headers={"Host": "evil.example"})
    assert (foreign.status_code, rebound.status_code) == (403, 421)


async def test_every_answer_carries_a_correlation_id(service: Service) -> None:
    sent = await service.http.get("/healthz", headers={"X-Correlation-ID": "mine-7"})
    made = await service.http.get("/v1/campaigns/nobody")
    strange = await service.http.get("/healthz", headers={"X-Correlation-ID": "x" * 500})
    assert sent.headers["x-correlation-id"] == "mine-7"
    assert len(made.headers["x-correlation-id"]) == 36
    assert len(strange.headers["x-correlation-id"]) == 36


async def _nothing_stored(service: Service, data_dir: Path) -> None:
    assert (await service.get("/v1/campaigns"))["items"] == []
    assert not [path for path in (data_dir / "assets").rglob("*") if path.is_file()]
    assert service.fanfare is not None
    assert await service.fanfare.redis.dbsize() == 0
