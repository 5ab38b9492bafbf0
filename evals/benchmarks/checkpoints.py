"""What a checkpoint costs: four savers under one graph, and the Redis saver beside the other three.

The graph has the shape of a campaign: steps in a row, of which some fan out to parallel tasks; one large channel
that is written once; one small channel that every step changes. The savers take turns, round by round, so that
whatever else the machine does hits all of them. A ratio compares two savers within a round; its median is shown.
"""

import asyncio
import contextlib
import gc
import importlib
import json
import operator
import pickle
import random
import statistics
import string
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, TypedDict

import typer
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Send
from langsmith import run_helpers
from redis.asyncio import Redis
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from evals.benchmarks.machine import machine
from graph.checkpoints import RedisSaver
from service.embedded import private_server
from service.wiring import calm_the_collector

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)

HISTORY = 32
CONNECTIONS = 64
"""At most, for both Redis clients: with the ten that AsyncValkeySaver takes by default, a fan-out of 12 fails."""

OURS, MEMORY, SQLITE, VALKEY = "RedisSaver", "InMemorySaver", "AsyncSqliteSaver", "AsyncValkeySaver"
OPTIONAL = {
    SQLITE: "langgraph.checkpoint.sqlite.aio",
    VALKEY: "langgraph_checkpoint_aws.checkpoint.valkey",
}


class PackagesMissing(Exception):
    """A saver to compare with is not installed."""

    def __init__(self, saver: str) -> None:
        super().__init__(f"{saver} is not installed; run: make benchmarks")


@dataclass(frozen=True)
class Aim:
    """That the Redis saver takes at most `limit` times what another one takes."""

    figure: str
    than: str
    limit: float


AIMS = (Aim("kept_bytes", VALKEY, 0.1), Aim("wall_ms", VALKEY, 0.6), Aim("cpu_ms", MEMORY, 1.5))


@dataclass(frozen=True)
class Shape:
    """A graph of so many steps, some of which fan out to `width` tasks, and its large channel."""

    steps: int
    fan_outs: int
    width: int
    kilobytes: int

    @property
    def fans(self) -> set[int]:
        """Which steps fan out: evenly spread, never the first and never two in a row."""
        apart = self.steps // self.fan_outs if self.fan_outs else 0
        return {2 + place * apart for place in range(self.fan_outs)}

    @property
    def possible(self) -> bool:
        """Whether the fan-outs find room."""
        return not self.fan_outs or (self.steps // self.fan_outs > 1 and max(self.fans) < self.steps)


class State(TypedDict, total=False):
    """What the graph keeps: a channel written once, one that changes, and what fan-outs gather."""

    dossier: dict[str, str]
    note: dict[str, Any]
    parts: Annotated[dict[str, str], operator.or_]


class Part(TypedDict):
    """What one task of a fan-out is sent."""

    number: int


@dataclass(frozen=True)
class Reading:
    """What a server has done since it started: CPU milliseconds, and answers sent, a pipeline's at once."""

    cpu_ms: float
    answers: int


@dataclass(frozen=True)
class Round:
    """One run of the graph on one saver: a step's share of it, then what reading took."""

    wall_ms: float
    cpu_ms: float
    server_cpu_ms: float | None
    round_trips: float | None
    kept_bytes: float
    get_state_ms: list[float]
    history_ms: float


@dataclass(frozen=True)
class Contender:
    """A saver under the graph, its server if it has one, and how to tell what it keeps."""

    name: str
    graph: CompiledStateGraph[State, None, State, State]
    kept: Callable[[], Awaitable[int]]
    server: Redis | None = None
    rounds: list[Round] = field(default_factory=list[Round])

    def median(self, figure: str) -> float | None:
        """The median of a figure over the rounds; None if this saver has no such figure."""
        values = [getattr(each, figure) for each in self.rounds]
        return None if None in values else statistics.median(values)

    def get_state(self, share: float) -> float:
        """The milliseconds within which `share` of all reads of the newest state stayed."""
        reads = sorted(read for each in self.rounds for read in each.get_state_ms)
        return reads[min(len(reads) - 1, int(share * len(reads)))]

    def summary(self) -> dict[str, float | None]:
        """What the table shows of this saver, in its order."""
        figures = ("kept_bytes", "round_trips", "cpu_ms", "server_cpu_ms", "wall_ms")
        reads = {"get_state_p50_ms": self.get_state(0.5), "get_state_p99_ms": self.get_state(0.99)}
        medians = {figure: self.median(figure) for figure in figures}
        return {**medians, **reads, "history_ms": self.median("history_ms")}


@dataclass(frozen=True)
class Ratio:
    """What the Redis saver takes, as a multiple of what another saver takes, and the aim for it."""

    aim: Aim
    value: float

    @property
    def verdict(self) -> str:
        """Whether the aim was met."""
        return "met" if self.value <= self.aim.limit else "missed"


@app.command(
    epilog="Examples: python -m evals.benchmarks.checkpoints --rounds 30 · "
    "python -m evals.benchmarks.checkpoints --fan-outs 10 --json figures.json · Aims: at most 0.1 of the bytes "
    "and 0.6 of the wall time of AsyncValkeySaver, and 1.5 of the CPU time of InMemorySaver."
)
def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each saver runs the graph.")] = 15,
    steps: Annotated[int, typer.Option(min=4, help="Steps of the graph, one after another.")] = 40,
    fan_outs: Annotated[int, typer.Option(min=0, help="How many of the steps fan out.")] = 1,
    width: Annotated[int, typer.Option(min=1, help="Parallel tasks of a fan-out.")] = 12,
    kilobytes: Annotated[int, typer.Option(min=1, help="Size of the channel that is written once.")] = 200,
    reads: Annotated[int, typer.Option(min=1, help="Reads of the newest state, each round.")] = 50,
    figures: Annotated[Path | None, typer.Option("--json", help="Also write every figure to this file.")] = None,
) -> None:
    """Measure InMemorySaver, AsyncSqliteSaver, AsyncValkeySaver and RedisSaver in one run.

    Both Redis savers have a private Valkey whose append-only file is synced every second, over a Unix socket.
    Every step waits for its checkpoint (durability "sync"); figures are a step's share. Round trips are the
    answers that the server sent, a pipeline's together being one. Kept bytes: MEMORY USAGE of all keys, the
    database file, or the pickle.
    """
    shape = Shape(steps, fan_outs, width, kilobytes)
    if not shape.possible:
        raise typer.BadParameter(f"{fan_outs} fan-outs do not fit into {steps} steps.")
    try:
        contenders = asyncio.run(measure(shape, rounds=rounds, reads=reads))
    except PackagesMissing as missing:
        err.print(str(missing), markup=False)
        raise typer.Exit(2) from None
    ratios = [compare(contenders, aim) for aim in AIMS]
    _show(contenders, ratios)
    setup = {"rounds": rounds, "reads": reads, **asdict(shape), **machine()}
    out.print(", ".join(f"{name} {value}" for name, value in setup.items()))
    if figures:
        figures.write_text(json.dumps(_as_json(setup, contenders, ratios), indent=1), encoding="utf-8")


async def measure(shape: Shape, *, rounds: int, reads: int) -> list[Contender]:
    """Run the graph on every saver once to warm up, then `rounds` times in turns."""
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(run_helpers.tracing_context(enabled=False))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fanfare-benchmark-")))
        contenders = [await stack.enter_async_context(each) for each in _open_all(folder, build(shape))]
        for number in range(rounds + 1):
            err.print(f"round {number} of {rounds} …" if number else "warming up …")
            for place in range(len(contenders)):
                contender = contenders[(number + place) % len(contenders)]
                contender.rounds.append(await run(contender, shape, number, reads=reads))
            if not number:
                calm_the_collector()
        for contender in contenders:
            del contender.rounds[0]
    return contenders


async def run(contender: Contender, shape: Shape, number: int, *, reads: int) -> Round:
    """Run the graph on a new thread, then read it."""
    config = RunnableConfig(configurable={"thread_id": f"thread-{number}"}, recursion_limit=shape.steps + 10)
    gc.collect()
    before = await _read(contender.server)
    cpu, began = time.process_time(), time.perf_counter()
    state = await contender.graph.ainvoke({"note": {"step": 0}}, config, durability="sync")
    wall_ms, cpu_ms = (time.perf_counter() - began) * 1000, (time.process_time() - cpu) * 1000
    after = await _read(contender.server)
    if len(state.get("parts", {})) != shape.fan_outs * shape.width:
        raise RuntimeError(f"The graph on {contender.name} lost writes, so there is nothing to measure.")
    return Round(
        wall_ms=wall_ms / shape.steps,
        cpu_ms=cpu_ms / shape.steps,
        server_cpu_ms=(after.cpu_ms - before.cpu_ms) / shape.steps if before and after else None,
        round_trips=(after.answers - before.answers - 1) / shape.steps if before and after else None,
        kept_bytes=await contender.kept() / (number + 1),
        get_state_ms=[await _timed(contender.graph.aget_state(config)) for _ in range(reads)],
        history_ms=await _timed(_history(contender.graph, config)),
    )


def build(shape: Shape) -> StateGraph[State]:
    """The graph, not compiled: it differs by its checkpointer only."""
    graph = StateGraph(State)
    names = [f"step_{number:03}" for number in range(shape.steps)]
    graph.add_node(names[0], _first(shape.kilobytes))
    for number, name in enumerate(names[1:], 1):
        graph.add_node(name, _part(name) if number in shape.fans else _step)
    graph.add_edge(START, names[0])
    for number, (name, following) in enumerate(pairwise(names), 1):
        if number in shape.fans:
            graph.add_conditional_edges(name, _spread(following, shape.width), [following])
        else:
            graph.add_edge(name, following)
    graph.add_edge(names[-1], END)
    return graph


def compare(contenders: Sequence[Contender], aim: Aim) -> Ratio:
    """The median over the rounds of one figure of the Redis saver, divided by another saver's."""
    named = {contender.name: contender.rounds for contender in contenders}
    pairs = zip(named[OURS], named[aim.than], strict=True)
    return Ratio(aim, statistics.median(getattr(a, aim.figure) / getattr(b, aim.figure) for a, b in pairs))


def _first(kilobytes: int) -> Callable[..., Awaitable[State]]:
    draw = random.Random(1)  # noqa: S311 - text to keep, not a secret
    texts = ("".join(draw.choices(string.ascii_lowercase + " ", k=85)) for _ in range(kilobytes * 10))
    dossier = {f"text_{number:05}": text for number, text in enumerate(texts)}

    async def first(_: State) -> State:
        return {"dossier": dossier, "note": {"step": 1, "text": "The dossier is written."}}

    return first


async def _step(state: State) -> State:
    number = state["note"]["step"] + 1
    return {"note": {"step": number, "text": f"Step {number} is done, and says so in about sixty characters."}}


def _part(name: str) -> Callable[..., Awaitable[State]]:
    async def part(sent: Part) -> State:
        return {"parts": {f"{name}-{sent['number']}": "What a task found out, in about sixty characters of text."}}

    return part


def _spread(name: str, width: int) -> Callable[[State], list[Send]]:
    def spread(_: State) -> list[Send]:
        return [Send(name, {"number": number}) for number in range(width)]

    return spread


def _open_all(folder: Path, graph: StateGraph[State]) -> list[contextlib.AbstractAsyncContextManager[Contender]]:
    found = {saver: _found(saver) for saver in OPTIONAL}
    return [
        _in_memory(graph),
        _in_sqlite(graph, found[SQLITE], folder / "checkpoints.db"),
        _in_valkey(graph, found[VALKEY], folder / "valkey"),
        _ours(graph, folder / "redis"),
    ]


def _found(saver: str) -> Any:
    """The class of an optional saver; `PackagesMissing` where it is not installed."""
    try:
        return getattr(importlib.import_module(OPTIONAL[saver]), saver)
    except ImportError:
        raise PackagesMissing(saver) from None


@contextlib.asynccontextmanager
async def _in_memory(graph: StateGraph[State]) -> AsyncGenerator[Contender]:
    saver = InMemorySaver()

    async def kept() -> int:
        return len(pickle.dumps([dict(saver.storage), dict(saver.writes), dict(saver.blobs)]))

    yield Contender(MEMORY, graph.compile(checkpointer=saver), kept)


@contextlib.asynccontextmanager
async def _in_sqlite(graph: StateGraph[State], kind: Any, path: Path) -> AsyncGenerator[Contender]:
    async with kind.from_conn_string(str(path)) as saver:

        async def kept() -> int:
            await saver.conn.execute_fetchall("PRAGMA wal_checkpoint(TRUNCATE)")
            return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*"))

        yield Contender(SQLITE, graph.compile(checkpointer=saver), kept)


@contextlib.asynccontextmanager
async def _in_valkey(graph: StateGraph[State], kind: Any, folder: Path) -> AsyncGenerator[Contender]:
    async with (
        private_server(folder, appendfsync="everysec") as url,
        kind.from_conn_string(url, pool_size=CONNECTIONS) as saver,
        _on_server(VALKEY, graph, saver, url) as contender,
    ):
        yield contender


@contextlib.asynccontextmanager
async def _ours(graph: StateGraph[State], folder: Path) -> AsyncGenerator[Contender]:
    async with (
        private_server(folder, appendfsync="everysec") as url,
        RedisSaver.from_url(url, max_connections=CONNECTIONS) as saver,
        _on_server(OURS, graph, saver, url) as contender,
    ):
        yield contender


@contextlib.asynccontextmanager
async def _on_server(
    name: str, graph: StateGraph[State], saver: BaseCheckpointSaver[Any], url: str
) -> AsyncGenerator[Contender]:
    async with Redis.from_url(url) as server:

        async def kept() -> int:
            keys = await server.keys()
            return sum([await server.memory_usage(key, samples=0) or 0 for key in keys])

        yield Contender(name, graph.compile(checkpointer=saver), kept, server)


async def _read(server: Redis | None) -> Reading | None:
    """What INFO says; its own answer is counted by the next reading."""
    if server is None:
        return None
    told: dict[str, Any] = await server.info("everything")
    cpu = float(told["used_cpu_user"]) + float(told["used_cpu_sys"])
    return Reading(cpu * 1000, int(told["total_writes_processed"]))


async def _history(graph: CompiledStateGraph[State, None, State, State], config: RunnableConfig) -> None:
    async for _ in graph.aget_state_history(config, limit=HISTORY):
        pass


async def _timed(work: Awaitable[object]) -> float:
    began = time.perf_counter()
    await work
    return (time.perf_counter() - began) * 1000


def _as_json(setup: dict[str, Any], contenders: Sequence[Contender], ratios: Sequence[Ratio]) -> dict[str, Any]:
    return {
        "setup": setup,
        "savers": {
            each.name: {**each.summary(), "rounds": [asdict(one) for one in each.rounds]} for each in contenders
        },
        "ratios": [{**asdict(each.aim), "value": each.value, "verdict": each.verdict} for each in ratios],
    }


def _show(contenders: Sequence[Contender], ratios: Sequence[Ratio]) -> None:
    out.print(_table(contenders))
    out.print(
        f"kept: a whole thread; p50, p99: reading the newest state; {HISTORY} back: reading so many states, ms"
    )
    for ratio in ratios:
        told = f"{ratio.aim.figure}: {ratio.value:.3f} of {ratio.aim.than}"
        out.print(f"{told}; the aim, at most {ratio.aim.limit}, is {ratio.verdict}", highlight=False)


def _table(contenders: Sequence[Contender]) -> Table:
    shown = Table(title="A step's share, medians of the rounds", title_justify="left", box=SIMPLE_HEAD)
    shown.pad_edge = False
    shown.add_column("", no_wrap=True)
    for heading in ("kept KB", "round trips", "CPU ms", "server ms", "wall ms", "p50 ms", "p99 ms", "32 back"):
        shown.add_column(heading.replace(" ", "\n"), justify="right")
    for each in contenders:
        told = each.summary()
        kept = f"{(told.pop('kept_bytes') or 0) / 1000:.0f}"
        shown.add_row(each.name, kept, *("-" if value is None else f"{value:.2f}" for value in told.values()))
    return shown


if __name__ == "__main__":
    app()
