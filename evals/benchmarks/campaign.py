"""What a campaign costs beyond its model calls: time on the critical path, and CPU.

The campaign runs in this process, on a private checkpoint server, against the rehearsal model in a process of
its own that takes its time over every answer. The baseline makes the very same calls, level by level, through
the same client without graph, steps or checkpoints.
"""

import asyncio
import contextlib
import io
import json
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from langchain_core.runnables import RunnableConfig
from langsmith import run_helpers
from PIL import Image
from pydantic import BaseModel, SecretStr
from redis.asyncio import Redis
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from agents.model import Answer, Check, Flag, Model, Models, Unmetered
from agents.product import Product
from agents.prompts import Rendered
from evals.benchmarks.machine import machine, served_rehearsal
from evals.cases import PHOTOS
from evals.runner import Graph, keep_photo
from graph.campaign import build_campaign
from graph.checkpoints import RedisSaver
from graph.state import Order
from graph.steps import Ports
from service.embedded import private_server
from service.settings import Settings
from service.wiring import calm_the_collector, open_model, open_models
from tools.assets import LocalAssets

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)

TEXT_ONLY = ("google_rsa", "microsoft_rsa")
WITH_PICTURES = ("instagram_post", "instagram_story", "linkedin_post", "x_post", "meta_feed", "google_rda")
LANGUAGES = ("de", "fr", "ja", "ar", "es")

T = TypeVar("T", bound=BaseModel)
Call = Callable[[Model], Awaitable[object]]


@dataclass(frozen=True)
class Timing:
    """Wall milliseconds of each run, CPU milliseconds of this process a run, and runs a second."""

    wall_ms: list[float]
    cpu_ms: float
    per_second: float

    @property
    def median_ms(self) -> float:
        """The median wall time."""
        return statistics.median(self.wall_ms)

    @property
    def slow_ms(self) -> float:
        """The wall time that 95 % of the runs stay within."""
        return sorted(self.wall_ms)[max(0, round(0.95 * len(self.wall_ms)) - 1)]


@dataclass(frozen=True)
class Figures:
    """One measurement: how it was made, the campaigns, and the bare calls beside them."""

    machine: dict[str, Any]
    setup: dict[str, Any]
    levels: list[int]
    campaign: Timing
    unpacked: Timing
    bare: Timing

    def as_json(self) -> dict[str, Any]:
        """Everything, with what follows from it."""
        return {
            **asdict(self),
            "calls": sum(self.levels),
            "critical_path_ms": self.critical_path_ms,
            "campaign_added": self.added(self.campaign),
            "unpacked_added": self.added(self.unpacked),
        }

    def added(self, timing: Timing) -> dict[str, float]:
        """What `timing` takes more than the bare calls, and more than their latency, in milliseconds."""
        return {
            "wall_ms": timing.median_ms - self.bare.median_ms,
            "beyond_latency_ms": timing.median_ms - self.critical_path_ms,
            "cpu_ms": timing.cpu_ms - self.bare.cpu_ms,
        }

    @property
    def critical_path_ms(self) -> float:
        """What the model alone takes: its latency, once a level."""
        return len(self.levels) * float(self.setup["latency_ms"])


@dataclass
class Recorder:
    """A `Model` that passes every call on, and notes which were in flight together."""

    model: Model
    levels: list[list[Call]] = field(default_factory=list[list[Call]])
    in_flight: int = 0

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        """See `Model.answer`."""
        with self._noted(lambda model: model.answer(agent, prompt, output, check=check)):
            return await self.model.answer(agent, prompt, output, check=check)

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        """See `Model.screen`."""
        with self._noted(lambda model: model.screen(texts)):
            return await self.model.screen(texts)

    async def screen_picture(self, data: bytes, media_type: str) -> list[Flag]:
        """See `Model.screen_picture`."""
        with self._noted(lambda model: model.screen_picture(data, media_type)):
            return await self.model.screen_picture(data, media_type)

    @contextlib.contextmanager
    def _noted(self, call: Call) -> Generator[None]:
        if not self.in_flight:
            self.levels.append([])
        self.levels[-1].append(call)
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1


@dataclass(frozen=True)
class Bench:
    """What both sides of the comparison run on."""

    model: Model
    models: Models
    assets: LocalAssets
    saver: RedisSaver

    def graph(self, models: Models) -> Graph:
        """The campaign graph, speaking to `models`."""
        return build_campaign(Ports(models, self.assets)).compile(checkpointer=self.saver)

    async def order(self, *, pictures: bool) -> Order:
        """The campaign that is measured."""
        product = Product(name="Aurora", features=["40 h battery", "Noise cancelling", "Folds flat"])
        return Order(
            id="benchmark", product=product, tone="premium", audience="commuters", languages=list(LANGUAGES),
            placements=list(WITH_PICTURES if pictures else TEXT_ONLY), approval="none",
            picture=await keep_photo(self.assets, _photo(pictures=pictures)),
        )  # fmt: skip


@app.command(
    epilog="Example: python -m evals.benchmarks.campaign --campaigns 40 --latency 0.2 --at-once 8 · Aims, for a "
    "campaign alone without pictures: at most 50 ms added and 12 CPU ms beyond its calls."
)
def main(
    campaigns: Annotated[int, typer.Option(min=1, help="How many campaigns are measured.")] = 20,
    latency: Annotated[float, typer.Option(min=0.02, help="Seconds that the model takes for an answer.")] = 0.2,
    at_once: Annotated[int, typer.Option(min=1, help="Campaigns that run side by side.")] = 1,
    pictures: Annotated[  # noqa: FBT002
        bool, typer.Option("--pictures", help="Six placements with pictures, instead of two without.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,  # noqa: FBT002
) -> None:
    """Measure campaigns beside bare model calls.

    Included: graph, steps, prompts, rules, checkpoints, the ledger of answers, the purse, the model client; five
    languages, no gates; once with the package and its contact sheet, once without. Not included: HTTP service,
    records, the servers' own CPU and, without --pictures, every creative.
    """
    figures = asyncio.run(measure(campaigns, latency=latency, at_once=at_once, pictures=pictures))
    if as_json:
        typer.echo(json.dumps(figures.as_json(), indent=1))
        return
    _show(figures)


async def measure(campaigns: int, *, latency: float, at_once: int, pictures: bool) -> Figures:
    """Warm up, then time the campaigns and the same number of bare runs of the same calls."""
    async with _open(latency) as bench:
        order = (await bench.order(pictures=pictures)).model_dump(mode="json")
        recorder = Recorder(bench.model)
        await _campaign(bench.graph(Unmetered(recorder)), order, 0)
        graph = bench.graph(bench.models)
        calm_the_collector()
        err.print(f"{campaigns} campaigns …")
        campaign = await timed(lambda n: _campaign(graph, order, n), campaigns, at_once=at_once)
        err.print(f"{campaigns} campaigns up to their package …")
        unpacked = await timed(lambda n: _unpacked(graph, order, n), campaigns, at_once=at_once)
        err.print(f"{campaigns} times the same calls without the graph …")
        bare = await timed(lambda _: _bare(bench.model, recorder.levels), campaigns, at_once=at_once)
    setup = {
        "campaigns": campaigns, "at_once": at_once, "latency_ms": latency * 1000, "pictures": pictures,
        "placements": order["placements"], "languages": order["languages"],
    }  # fmt: skip
    return Figures(machine(), setup, [len(level) for level in recorder.levels], campaign, unpacked, bare)


async def timed(run: Callable[[int], Awaitable[object]], times: int, *, at_once: int) -> Timing:
    """Run `run(1)` to `run(times)`, `at_once` side by side."""
    places, walls = asyncio.Semaphore(at_once), list[float]()

    async def one(number: int) -> None:
        async with places:
            began = time.perf_counter()
            await run(number)
            walls.append((time.perf_counter() - began) * 1000)

    cpu, began = time.process_time(), time.perf_counter()
    await asyncio.gather(*map(one, range(1, times + 1)))
    wall = time.perf_counter() - began
    return Timing(walls, (time.process_time() - cpu) * 1000 / times, times / wall)


async def _campaign(graph: Graph, order: dict[str, Any], number: int) -> None:
    config = RunnableConfig(configurable={"thread_id": f"benchmark-{number}"})
    state = await graph.ainvoke({"order": _named(order, number)}, config)
    if "package" not in state:
        raise RuntimeError("The campaign did not come to its end, so there is nothing to measure.")


async def _unpacked(graph: Graph, order: dict[str, Any], number: int) -> None:
    config = RunnableConfig(configurable={"thread_id": f"unpacked-{number}"})
    state = await graph.ainvoke({"order": _named(order, -number)}, config, interrupt_before=["package"])
    if "creatives" not in state:
        raise RuntimeError("The campaign stopped before its package, so there is nothing to measure.")


def _named(order: dict[str, Any], number: int) -> dict[str, Any]:
    """The order for a product of its own, so that no campaign lives on another's answers."""
    return {**order, "product": {**order["product"], "name": f"Aurora {number}"}}


async def _bare(model: Model, levels: Sequence[Sequence[Call]]) -> None:
    for level in levels:
        await asyncio.gather(*(call(model) for call in level))


@contextlib.asynccontextmanager
async def _open(latency: float) -> AsyncGenerator[Bench]:
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(run_helpers.tracing_context(enabled=False))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fanfare-benchmark-")))
        settings = Settings(
            model_provider="openai",
            openai_base_url=await stack.enter_async_context(served_rehearsal(latency)),
            openai_api_key=SecretStr("rehearsal"),
        )
        url = await stack.enter_async_context(private_server(folder / "redis"))
        saver = await stack.enter_async_context(RedisSaver.from_url(url, prefix="benchmark"))
        redis = await stack.enter_async_context(Redis.from_url(url))
        models = await stack.enter_async_context(open_models(settings, redis, where="a benchmark"))
        model = await stack.enter_async_context(open_model(settings))
        yield Bench(model, models, LocalAssets(folder / "assets"), saver)


def _photo(*, pictures: bool) -> bytes:
    """The example's photo; one that takes no time to decode where no picture is made of it."""
    if pictures:
        return (PHOTOS / "aurora.jpg").read_bytes()
    written = io.BytesIO()
    Image.linear_gradient("L").convert("RGB").save(written, "PNG")
    return written.getvalue()


def _show(figures: Figures) -> None:
    shown = Table(title="Campaigns beside their bare model calls", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("", "median ms", "95 % ms", "CPU ms", "a second", "added ms", "added CPU"):
        shown.add_column(heading, justify="right" if heading else "left")
    for name, timing in (
        ("campaign", figures.campaign), ("no package", figures.unpacked), ("bare calls", figures.bare)
    ):  # fmt: skip
        added = figures.added(timing)
        numbers = (timing.median_ms, timing.slow_ms, timing.cpu_ms, timing.per_second)
        more = (added["wall_ms"], added["cpu_ms"]) if timing is not figures.bare else ()
        shown.add_row(name, *(f"{number:.1f}" for number in (*numbers, *more)))
    out.print(shown)
    out.print(
        f"{sum(figures.levels)} calls a campaign, {len(figures.levels)} after one another: "
        f"{figures.critical_path_ms:.0f} ms of latency; campaigns take "
        f"{figures.added(figures.campaign)['beyond_latency_ms']:.1f} ms beyond it, without package "
        f"{figures.added(figures.unpacked)['beyond_latency_ms']:.1f} ms."
    )
    ratio = figures.campaign.median_ms / figures.critical_path_ms
    out.print(f"A campaign takes {ratio:.2f} times its critical path of calls.")
    out.print(", ".join(f"{name} {value}" for name, value in {**figures.machine, **figures.setup}.items()))


if __name__ == "__main__":
    app()
