"""What a campaign costs, who pays, and what happens when nothing is left."""

import asyncio
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from agents.offline import rehearsal
from service.server import serving
from service.settings import Settings
from tests.running import AURORA, Service, running

ASKED: dict[str, Any] = {"languages": [], "placements": ["x_post"], "approval": "none"}
DEAR = "gpt-6.2-sol"
"""A model of the price table."""


@pytest.fixture(autouse=True)
def _billed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rehearsal bills under the name of a model that has a price."""
    monkeypatch.setattr("agents.offline.wire.MODEL", DEAR)


def at(data_dir: Path, url: str, **more: Any) -> Settings:
    usual: dict[str, Any] = {
        "data_dir": data_dir, "openai_base_url": f"{url}/v1", "openai_api_key": SecretStr("sk-x"), "model": DEAR,
        "model_max_output_tokens": 500,
    }  # fmt: skip
    return Settings(**(usual | more))


async def calls(url: str) -> list[dict[str, Any]]:
    async with httpx2.AsyncClient(base_url=url) as http:
        listed: list[dict[str, Any]] = (await http.get("/rehearsal/calls")).json()
        return [call for call in listed if call["agent"] != "moderation"]


async def spent(service: Service, campaign_id: str) -> Decimal:
    return Decimal((await service.get(f"/v1/campaigns/{campaign_id}"))["cost"]["usd"])


async def price_of_one(data_dir: Path) -> Decimal:
    async with serving(rehearsal()) as url, running(at(data_dir, url)) as service:
        ended = await service.still((await service.create(ASKED))["id"])
    return Decimal(ended["cost"]["usd"])


async def test_a_spent_budget_stops_the_campaign_and_a_larger_one_lets_it_go_on(data_dir: Path) -> None:
    whole = await price_of_one(data_dir / "first")
    async with serving(rehearsal()) as url, running(at(data_dir / "second", url)) as service:
        budget = (whole / 2).quantize(Decimal("0.0001"))
        campaign = await service.create(ASKED, budget_usd=str(budget))
        stopped = await service.still(campaign["id"])
        assert (stopped["status"], stopped["error"]["code"]) == ("failed", "budget-spent")
        assert "raise budget_usd" in stopped["error"]["detail"]
        assert Decimal(stopped["cost"]["usd"]) >= budget, "what was spent is told"
        asked = len(await calls(url))
        again = await service.http.post(f"/v1/campaigns/{campaign['id']}/retry")
        assert again.status_code == 202
        assert (await service.still(campaign["id"]))["error"]["code"] == "budget-spent"
        assert len(await calls(url)) == asked, "nothing is asked on an empty purse"
        raised = await service.http.post(f"/v1/campaigns/{campaign['id']}/retry", json={"budget_usd": "1.00"})
        assert raised.json()["cost"]["budget_usd"] == "1.00"
        ended = await service.still(campaign["id"])
        assert ended["status"] == "completed", ended["error"]
        assert await spent(service, campaign["id"]) == whole
        assert len({call["key"] for call in await calls(url)}) == len(await calls(url)), "no call was paid twice"
        wrong = await service.http.post(f"/v1/campaigns/{campaign['id']}/retry", json={"budget_usd": "-1"})
        assert wrong.status_code == 422


async def test_a_tenant_s_day_ends_for_all_of_its_campaigns(data_dir: Path) -> None:
    async with serving(rehearsal()) as url, running(at(data_dir, url, tenant_day_usd="0.001")) as service:
        first = await service.still((await service.create(ASKED))["id"])
        assert first["error"]["code"] == "budget-spent"
        asked = len(await calls(url))
        second = await service.still((await service.create(ASKED, tone="playful"))["id"])
        assert "FANFARE_TENANT_DAY_USD" in second["error"]["detail"]
        assert len(await calls(url)) == asked


async def test_twenty_equal_campaigns_at_once_pay_for_one(data_dir: Path) -> None:
    async with serving(rehearsal(latency=0.1)) as url, running(at(data_dir, url)) as service:
        made = await asyncio.gather(*(service.create(ASKED) for _ in range(20)))
        ended = [await service.still(one["id"], seconds=90) for one in made]
        assert {one["status"] for one in ended} == {"completed"}
        keys = [call["key"] for call in await calls(url)]
        assert len(keys) == len(set(keys))
        costs = [Decimal(one["cost"]["usd"]) for one in ended]
    assert sum(costs) == await price_of_one(data_dir / "alone")


async def test_the_price_of_a_campaign_is_told_by_step(data_dir: Path) -> None:
    async with serving(rehearsal()) as url, running(at(data_dir, url)) as service:
        ended = await service.still((await service.create(AURORA, approval="none"))["id"])
    cost = ended["cost"]
    assert sum(Decimal(usd) for usd in cost["by_step"].values()) == Decimal(cost["usd"]) > 0
    assert set(cost["by_step"]) == {"brief", "study", "write_copy", "judge", "translate"}
    assert cost["input_tokens"] > cost["output_tokens"] > 0


async def test_what_is_sent_back_is_written_anew_and_paid_for(data_dir: Path) -> None:
    async with serving(rehearsal()) as url, running(at(data_dir, url)) as service:
        sent: list[int] = []
        for _ in range(2):
            campaign = await service.create(ASKED, approval="required")
            await service.still(campaign["id"])
            before = len(await calls(url))
            assert (await service.decide(campaign["id"], "respond", comment="Shorter.")).status_code == 202
            await service.still(campaign["id"])
            sent.append(len([call for call in (await calls(url))[before:] if call["agent"] == "copywriter"]))
    assert sent[0] == sent[1] > 0, "the second campaign's reviewer is not told what the first one's was"
