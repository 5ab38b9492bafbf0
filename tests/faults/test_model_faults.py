"""Two hundred campaigns while one model call in twenty goes wrong, and two minutes without any answer."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from agents.offline import rehearsal
from service.server import serving
from service.settings import Settings
from tests.models import Failing
from tests.running import running
from tests.stories.test_model_faults import facing

pytestmark = pytest.mark.faults

CAMPAIGNS = 200
OUTAGE_SECONDS = 120
SHARE = {"429": 0.01, "500": 0.01, "reset": 0.01, "malformed": 0.01, "schema": 0.01}
ASKED: dict[str, Any] = {"languages": ["de"], "placements": ["x_post"], "approval": "none", "tone": "premium"}


def product(number: int) -> dict[str, Any]:
    """No two alike, so that no campaign lives on another's answers."""
    return {"name": f"Aurora {number}", "features": ["40 h battery", "Noise cancelling", "Folds flat"]}


async def through(data_dir: Path, faults: Mapping[str, float]) -> tuple[list[str], list[dict[str, Any]]]:
    """How all campaigns end with such a server, and every call that it saw."""
    async with serving(rehearsal(faults=faults, seed=7, latency=0.05)) as url:
        settings = Settings(
            data_dir=data_dir,
            openai_base_url=f"{url}/v1",
            openai_api_key=SecretStr("sk-rehearsal"),
            model="rehearsal",
            model_timeout_seconds=20,
        )
        async with running(settings) as service:
            made = [await service.create(ASKED, product=product(number)) for number in range(CAMPAIGNS)]
            ended = await asyncio.gather(*(service.still(one["id"], seconds=600) for one in made))
        async with httpx2.AsyncClient(base_url=url) as http:
            calls: list[dict[str, Any]] = (await http.get("/rehearsal/calls")).json()
    return [one["status"] for one in ended], calls


@pytest.mark.timeout(1200)
async def test_two_hundred_campaigns_with_five_percent_of_faults(tmp_path: Path) -> None:
    quiet, needed = await through(tmp_path / "quiet", {})
    assert Counter(quiet) == {"completed": CAMPAIGNS}
    statuses, calls = await through(tmp_path / "faulty", SHARE)
    repeated = [key for key, number in answered(calls).items() if number > 1]
    print(
        f"\n{len(calls)} calls, {len(calls) / len(needed):.3f} times those of a run without faults; "
        f"{len(calls) - sum(answered(calls).values())} went wrong; ended: {dict(Counter(statuses))}"
    )
    assert statuses.count("completed") >= 0.999 * CAMPAIGNS
    assert len(calls) <= 1.3 * len(needed)
    assert repeated == []


@pytest.mark.timeout(400)
async def test_two_minutes_without_a_model_cost_few_calls_and_everything_ends(tmp_path: Path) -> None:
    server = Failing("503", times=10**6)
    async with facing(server, tmp_path, model_patience_seconds=180) as service:
        made = [await service.create(ASKED, product=product(number)) for number in range(20)]
        slowest = 0.0
        began = time.monotonic()
        while time.monotonic() - began < OUTAGE_SECONDS:
            asked = time.monotonic()
            assert (await service.http.get("/v1/campaigns")).status_code == 200
            slowest = max(slowest, time.monotonic() - asked)
            await asyncio.sleep(0.5)
        during, server.times = server.asked, 0
        ended = [await service.still(one["id"], seconds=120) for one in made]
    print(f"\n{during} calls in {OUTAGE_SECONDS} s of outage; the slowest read took {slowest * 1000:.0f} ms")
    assert {one["status"] for one in ended} == {"completed"}
    assert during < 2 * len(made) + OUTAGE_SECONDS
    assert slowest < 2


def answered(calls: list[dict[str, Any]]) -> Counter[str]:
    """How often each question was answered well, to the last byte."""
    return Counter(call["key"] for call in calls if call["committed"] and not call["fault"])
