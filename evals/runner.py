"""Runs cases through the real graph, on a private server and a folder of their own, and scores what comes out.

A plain loop: langsmith's own evaluation sends runs with their content even when told to upload nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.graph.state import CompiledStateGraph
from langsmith import run_helpers

from agents.model import Unmetered
from agents.patience import Patient
from evals.cases import BUDGET_USD, Case
from evals.evaluators import EVALUATORS, Finished, Score, evaluate
from graph.campaign import build_campaign
from graph.checkpoints import RedisSaver
from graph.content import content
from graph.costs import total
from graph.state import JSON, CampaignState, Picture
from graph.steps import Ports
from service.embedded import private_server
from service.settings import Settings
from service.uploads import picture_of
from service.wiring import open_model
from tools.assets import AssetStore, LocalAssets
from tools.imaging.cleaning import cleaned

TENANT = "default"

Graph = CompiledStateGraph[Any, Any, Any, Any]


@dataclass(frozen=True)
class Result:
    """What became of a case; `error` when its run failed, and then every score is 0."""

    case: str
    seconds: float
    scores: Mapping[str, Score]
    cost: JSON = field(default_factory=dict[str, Any])
    error: str | None = None


@dataclass(frozen=True)
class Studio:
    """The graph and the assets that cases run on."""

    graph: Graph
    assets: AssetStore


@contextlib.asynccontextmanager
async def open_studio(settings: Settings, folder: Path) -> AsyncGenerator[Studio]:
    """The graph with the model that `settings` name, everything it keeps in `folder`, and no tracing."""
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(run_helpers.tracing_context(enabled=False))
        url = await stack.enter_async_context(private_server(folder / "redis"))
        saver = await stack.enter_async_context(RedisSaver.from_url(url, prefix="evals"))
        model = await stack.enter_async_context(open_model(settings))
        assets = LocalAssets(folder / "assets")
        yield Studio(build_campaign(Ports(Unmetered(Patient(model)), assets)).compile(checkpointer=saver), assets)


async def run_cases(
    studio: Studio, cases: Mapping[str, Case], *, at_once: int, tell: Callable[[Result], None]
) -> list[Result]:
    """Run every case, `at_once` side by side; `tell` hears of each as it ends."""
    places = asyncio.Semaphore(at_once)

    async def in_turn(name: str, case: Case) -> Result:
        async with places:
            result = await run_case(studio, name, case)
        tell(result)
        return result

    return await asyncio.gather(*(in_turn(name, case) for name, case in cases.items()))


async def run_case(studio: Studio, name: str, case: Case) -> Result:
    """Run one case and score it; a run that fails is a result too."""
    began = time.perf_counter()
    try:
        finished = await finish(studio, name, case)
    except Exception as error:  # noqa: BLE001 - the edge: one broken case must not hide the others
        nothing = dict.fromkeys(EVALUATORS, Score(0.0, "the run failed"))
        return Result(name, time.perf_counter() - began, nothing, error=f"{type(error).__name__}: {error}")
    seconds = time.perf_counter() - began
    return Result(name, seconds, await asyncio.to_thread(evaluate, finished), finished.cost)


async def finish(studio: Studio, name: str, case: Case) -> Finished:
    """The campaign of `case` once the graph has stopped: at its end, or held for a person."""
    order = case.order(name, await keep_photo(studio.assets, case.picture))
    config = RunnableConfig(configurable={"thread_id": name})
    ended = await studio.graph.ainvoke({"order": order.model_dump(mode="json")}, config)
    state = cast("CampaignState", ended)
    seen = content(state)
    shas = {creative["asset"]["sha256"] for creative in seen["creatives"]}
    return Finished(
        order=order,
        content=seen,
        cost=total(state.get("costs", [])),
        pictures={sha: await studio.assets.get(sha, tenant=TENANT) for sha in shas},
        packed="package" in state,
        never=case.never,
        must_be_held=case.held,
        budget_usd=case.budget_usd or BUDGET_USD,
    )


async def keep_photo(assets: AssetStore, data: bytes) -> Picture:
    """Keep a photo, and refer to it as an order does."""
    made = await asyncio.to_thread(cleaned, data)
    await assets.put(made.data, made.info.media_type, tenant=TENANT)
    return picture_of(made)
