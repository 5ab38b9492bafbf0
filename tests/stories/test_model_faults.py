"""Every fault of a model server, through the whole graph: what is called, how it ends, what is kept."""

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from starlette.types import ASGIApp

from service.server import serving
from tests.models import Body, Failing, Partial, at, writing
from tests.running import Service, running

ASKED: dict[str, Any] = {"languages": [], "placements": ["x_post"], "approval": "none"}
NEEDED = 5
"""Chat calls of such a campaign: brief, study, the campaign's lines, the post, the judge."""


@contextlib.asynccontextmanager
async def facing(server: ASGIApp, data_dir: Path, **more: Any) -> AsyncGenerator[Service]:
    """The service with this model server."""
    async with serving(server) as url, running(at(data_dir, f"{url}/v1", **more)) as service:
        yield service


async def kept(service: Service, campaign_id: str) -> str:
    """Everything that a campaign shows of itself."""
    return str(await service.content(campaign_id)) + str(await service.get(f"/v1/campaigns/{campaign_id}"))


PASSING = [
    "429", "429-after", "500", "502", "503", "reset", "torn", "hang", "drip", "html",
    "malformed", "empty", "null", "broken-off", "length", "schema",
]  # fmt: skip


@pytest.mark.parametrize("fault", PASSING)
async def test_a_fault_that_passes_costs_one_more_call(data_dir: Path, fault: str) -> None:
    server = Failing(fault)
    async with facing(server, data_dir) as service:
        campaign = await service.create(ASKED)
        ended = await service.still(campaign["id"])
        assert ended["status"] == "completed", ended["error"]
        assert server.asked == NEEDED + 1
        assert 'rehearsal": "This breaks' not in await kept(service, campaign["id"])
        content = await service.content(campaign["id"])
        assert content["verdict"]["decision"] == "pass"


@pytest.mark.parametrize("fault", ["no-usage", "absurd-usage"])
async def test_a_server_that_cannot_count_is_answered_for(data_dir: Path, fault: str) -> None:
    server = Failing(fault, times=99)
    async with facing(server, data_dir, model="gpt-6.2-sol") as service:
        campaign = await service.create(ASKED)
        ended = await service.still(campaign["id"])
        assert ended["status"] == "completed", ended["error"]
        assert server.asked == NEEDED
        assert ended["cost"]["input_tokens"] > 0
        assert float(ended["cost"]["usd"]) >= 0


def writing_anew(path: str, body: Body) -> bool:
    """A copywriter's call that nobody has told yet what is wrong."""
    return writing(path, body) and not _told(body["messages"])


def _told(messages: list[Body]) -> bool:
    return any(message["role"] == "assistant" for message in messages) or '"rule"' in str(messages[1])


async def test_a_text_over_its_limit_is_written_anew_and_never_cut(data_dir: Path) -> None:
    server = Partial("limit", writing_anew)
    async with facing(server, data_dir) as service:
        campaign = await service.create(ASKED)
        ended = await service.still(campaign["id"])
        content = await service.content(campaign["id"])
        assert ended["status"] == "completed", ended["error"]
        assert content["verdict"]["decision"] == "pass"
        assert server.asked > NEEDED


async def test_a_text_that_was_left_out_is_asked_for_again(data_dir: Path) -> None:
    server = Partial("left-out", writing_anew)
    async with facing(server, data_dir) as service:
        campaign = await service.create(ASKED)
        ended = await service.still(campaign["id"])
        assert ended["status"] == "completed", ended["error"]
        assert server.asked == NEEDED + 1, "one of the two writers has a slot to leave out"
        assert (await service.content(campaign["id"]))["copy"]["call_to_action"]


async def test_texts_that_stay_over_their_limit_need_a_person(data_dir: Path) -> None:
    server = Failing("limit", times=10**6)
    async with facing(server, data_dir) as service:
        campaign = await service.create(ASKED)
        waiting = await service.still(campaign["id"])
        assert waiting["status"] == "awaiting_copy_approval", "though no approval was asked for"
        verdict = (await service.content(campaign["id"]))["verdict"]
        assert verdict["decision"] == "needs_human"
        assert {found["rule"] for found in verdict["findings"] if found["severity"] == "block"} == {
            "over-hard-limit"
        }


FINAL = [
    ("refusal", "model-refused", 1),
    ("filter", "model-refused", 1),
    ("prompt-filter", "model-refused", 1),
    ("quota", "model-quota", 1),
    ("schema", "model-garbled", 3),
    ("malformed", "model-garbled", 3),
    ("html", "model-garbled", 3),
    ("500", "model-unavailable", 6),
    ("hang", "model-unavailable", 2),
]


@pytest.mark.parametrize(("fault", "code", "most"), FINAL)
async def test_a_fault_that_stays_stops_the_campaign_and_can_be_gone_on_from(
    data_dir: Path, fault: str, code: str, most: int
) -> None:
    server = Failing(fault, times=10**6)
    async with facing(server, data_dir, model_patience_seconds=3) as service:
        campaign = await service.create(ASKED)
        stopped = await service.still(campaign["id"])
        assert (stopped["status"], stopped["error"]["code"]) == ("failed", code)
        assert stopped["error"]["step"] in ("brief", "study")
        assert stopped["error"]["detail"].endswith(".")
        assert server.asked <= 2 * most, "brief and study ask side by side"
        assert stopped["cost"]["calls"] == 0
        server.times = 0
        server.asked = 0
        assert (await service.http.post(f"/v1/campaigns/{campaign['id']}/retry")).status_code == 202
        ended = await service.still(campaign["id"])
        assert ended["status"] == "completed", ended["error"]
        assert server.asked == NEEDED


async def test_an_outage_costs_few_calls_leaves_reads_fast_and_everything_ends(data_dir: Path) -> None:
    server = Failing("503", times=10**6)
    async with facing(server, data_dir, model_patience_seconds=60) as service:
        made = [await service.create(ASKED, product=_product(number)) for number in range(12)]
        async with httpx2.AsyncClient(base_url=service.http.base_url, timeout=2) as reader:
            for _ in range(60):
                assert (await reader.get("/v1/campaigns")).status_code == 200
                assert (await reader.get(f"/v1/campaigns/{made[0]['id']}")).json()["status"] == "running"
        during = server.asked
        assert during < 4 * len(made), "each may have had two calls under way when it began"
        server.times = 0
        ended = [await service.still(one["id"], seconds=90) for one in made]
        assert {one["status"] for one in ended} == {"completed"}
        assert server.asked - during <= NEEDED * len(made) + 1


def _product(number: int) -> dict[str, Any]:
    return {"name": f"Aurora {number}", "features": ["40 h battery", "Noise cancelling", "Folds flat"]}
