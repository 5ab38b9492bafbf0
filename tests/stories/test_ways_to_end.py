"""Progress as it is told, and the ways in which a campaign ends besides well."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from agents.offline import rehearsal
from service.server import serving
from service.settings import Settings
from tests.running import Service, running


async def _told(service: Service, campaign_id: str, after: str | None = None) -> list[tuple[int, str, Any]]:
    """The event stream until the server closes it."""
    headers = {"Last-Event-ID": after} if after else {}
    answer = await service.http.get(f"/v1/campaigns/{campaign_id}/events", headers=headers)
    assert answer.headers["content-type"].startswith("text/event-stream")
    events: list[tuple[int, str, Any]] = []
    for block in answer.text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            events.append((int(lines["id"]), lines["event"], json.loads(lines["data"])))
    return events


async def test_events_tell_the_whole_story_and_replay_what_was_missed(service: Service) -> None:
    campaign = await service.create(approval="none")
    events = await _told(service, campaign["id"])
    numbers = [number for number, _, _ in events]
    assert numbers == sorted(set(numbers))
    kinds = {kind for _, kind, _ in events}
    assert {"status", "step.started", "step.finished", "progress", "cost", "completed"} <= kinds
    assert [data["status"] for _, kind, data in events if kind == "status"] == ["queued", "running", "completed"]
    progress = [data["progress"] for _, kind, data in events if kind == "progress"]
    assert progress == sorted(progress)

    middle = numbers[len(numbers) // 2]
    assert await _told(service, campaign["id"], str(middle)) == [one for one in events if one[0] > middle]
    assert await _told(service, campaign["id"], "rubbish") == events


async def test_a_stream_says_so_when_nothing_is_new(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.events._WAIT_SECONDS", 0.05)
    campaign = await service.create()
    await service.still(campaign["id"])
    async with service.http.stream("GET", f"/v1/campaigns/{campaign['id']}/events") as answer:
        assert answer.headers["cache-control"] == "no-cache"
        async for line in answer.aiter_lines():
            if line.startswith(":"):
                break


async def test_a_reader_who_goes_away_is_no_error(service: Service, caplog: pytest.LogCaptureFixture) -> None:
    campaign = await service.create()
    await service.still(campaign["id"])
    for _ in range(20):
        async with service.http.stream("GET", f"/v1/campaigns/{campaign['id']}/events") as answer:
            await anext(answer.aiter_raw())
    await service.get("/healthz")
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


async def test_cancelled_while_it_runs_it_stays_cancelled(data_dir: Path) -> None:
    async with with_model(data_dir, latency=0.3) as service:
        campaign = await service.create()
        await asyncio.sleep(0.1)
        answer = await service.http.post(f"/v1/campaigns/{campaign['id']}/cancel")
        assert answer.status_code == 202
        assert answer.json()["status"] == "cancelled"
        await asyncio.sleep(0.6)
        assert (await service.get(f"/v1/campaigns/{campaign['id']}"))["status"] == "cancelled"
        again = await service.http.post(f"/v1/campaigns/{campaign['id']}/cancel")
        assert (again.status_code, again.json()["code"]) == (409, "already-ended")
        assert (await _told(service, campaign["id"]))[-1][2]["status"] == "cancelled"


async def test_cancelled_at_a_gate_nothing_is_left_to_decide(service: Service) -> None:
    campaign = await service.create()
    waiting = await service.still(campaign["id"])
    await service.http.post(f"/v1/campaigns/{campaign['id']}/cancel")
    late = {"gate": "copy", "revision": waiting["revision"], "type": "approve"}
    answer = await service.http.post(f"/v1/campaigns/{campaign['id']}/decisions", json=late)
    assert (answer.status_code, answer.json()["code"]) == (409, "no-open-approval")


@contextlib.asynccontextmanager
async def with_model(data_dir: Path, **options: Any) -> AsyncGenerator[Service]:
    """The service with a served rehearsal model that has latency or faults."""
    async with serving(rehearsal(**options)) as url, running(_at(data_dir, url)) as service:
        yield service


def _at(data_dir: Path, url: str) -> Settings:
    return Settings(
        data_dir=data_dir,
        openai_base_url=f"{url}/v1",
        openai_api_key=SecretStr("sk-rehearsal"),
        model="rehearsal",
        model_timeout_seconds=5,
        model_patience_seconds=2,
    )


@pytest.mark.parametrize(("fault", "code"), [("500", "model-unavailable"), ("refusal", "model-refused")])
async def test_a_model_that_fails_leaves_a_campaign_that_can_go_on(data_dir: Path, fault: str, code: str) -> None:
    async with with_model(data_dir, faults={fault: 1.0}) as service:
        campaign = await service.create(languages=[])
        failed = await service.still(campaign["id"])
        assert failed["status"] == "failed"
        assert failed["error"]["code"] == code
        assert failed["error"]["step"] in ("brief", "study")
        assert failed["error"]["detail"].endswith(".")
        assert (await _told(service, campaign["id"]))[-1][2]["status"] == "failed"
    async with with_model(data_dir) as service:
        answer = await service.http.post(f"/v1/campaigns/{campaign['id']}/retry")
        assert answer.status_code == 202
        waiting = await service.still(campaign["id"])
        assert (waiting["status"], waiting["error"]) == ("awaiting_copy_approval", None)
        refused = await service.http.post(f"/v1/campaigns/{campaign['id']}/retry")
        assert (refused.status_code, refused.json()["code"]) == (409, "not-failed")


async def test_a_passing_fault_is_survived(data_dir: Path) -> None:
    async with with_model(data_dir, faults={"503": 0.15, "malformed": 0.1}, seed=5) as service:
        campaign = await service.create(approval="none")
        assert (await service.still(campaign["id"]))["status"] == "completed"


async def test_pages_of_campaigns_neither_skip_nor_repeat(service: Service) -> None:
    made = [(await service.create(approval="none", languages=[], placements=["x_post"]))["id"] for _ in range(5)]
    seen: list[str] = []
    cursor: str | None = None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = (await service.http.get("/v1/campaigns", params=query)).json()
        seen += [one["id"] for one in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
        await service.create(approval="none", languages=[], placements=["x_post"]) if len(seen) == 2 else None
    assert seen == made[::-1]
    wrong = await service.http.get("/v1/campaigns", params={"cursor": "nonsense"})
    assert wrong.status_code == 422
    for one in (await service.get("/v1/campaigns"))["items"]:
        await service.still(one["id"])


async def test_readiness_names_what_is_missing(service: Service) -> None:
    assert (await service.get("/readyz"))["status"] == "ready"
    assert service.fanfare is not None
    await service.fanfare.redis.shutdown(save=False, nosave=True)
    answer = await service.http.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["checks"]["redis"] != "ok"
    assert answer.json()["checks"]["database"] == "ok"
    reading = await service.http.get("/v1/campaigns")
    assert reading.status_code == 200
    created = await service.post({**_asked(), "approval": "none"})
    assert created.status_code == 202, "the record is the truth, and it can be written"
    content = await service.http.get(f"/v1/campaigns/{created.json()['id']}/content")
    assert (content.status_code, content.json()["code"]) == (503, "unavailable")


def _asked() -> dict[str, Any]:
    return {
        "product": {"name": "Aurora", "features": ["40 h battery", "Noise cancelling", "Folds flat"]},
        "tone": "premium",
        "placements": ["x_post"],
    }
