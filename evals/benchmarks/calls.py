"""What a model call costs in CPU: a bare ChatOpenAI call, and what stands around ours.

The rehearsal model answers from a process of its own; every side asks the same brief, so that only this
process's work differs. The sides take turns, round by round.
"""

import asyncio
import contextlib
import json
import statistics
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from langchain_openai import ChatOpenAI
from langsmith import run_helpers
from pydantic import SecretStr
from redis.asyncio import Redis
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from agents.briefing import PROMPT, Brief
from agents.model import Account
from agents.prompts import Rendered
from evals.benchmarks.machine import machine, served_rehearsal
from service.embedded import private_server
from service.settings import Settings
from service.wiring import Accounts, calm_the_collector, open_model, open_models

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)

AIM = 1.3
BARE, STRUCTURED, ADAPTER, WHOLE, KNOWN = (
    "ChatOpenAI, plain", "ChatOpenAI, structured", "our adapter", "our whole call", "a remembered answer",
)  # fmt: skip
Side = Callable[[int], Awaitable[object]]


@app.command(epilog="Example: python -m evals.benchmarks.calls --calls 200 --rounds 9")
def main(
    calls: Annotated[int, typer.Option(min=1, help="Calls of a side in a round.")] = 100,
    rounds: Annotated[int, typer.Option(min=1, help="How often each side has its turn.")] = 7,
    at_once: Annotated[int, typer.Option(min=1, help="Calls under way side by side.")] = 16,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False,  # noqa: FBT002
) -> None:
    """Measure CPU a call, in milliseconds of this process.

    The whole call has what a campaign's has: the ledger of answers and the purse in a private Valkey, patience
    and the breaker. The aim: at most 1.3 times a bare call of ChatOpenAI.
    """
    figures = asyncio.run(measure(calls, rounds=rounds, at_once=at_once))
    ratios = {name: _ratio(figures[WHOLE], figures[name]) for name in (BARE, STRUCTURED)}
    if as_json:
        typer.echo(json.dumps({"cpu_ms": figures, "ratios": ratios, "aim": AIM, **machine()}, indent=1))
        return
    _show(figures, ratios)


def _ratio(ours: list[float], others: list[float]) -> float:
    return statistics.median(a / b for a, b in zip(ours, others, strict=True))


async def measure(calls: int, *, rounds: int, at_once: int) -> Mapping[str, list[float]]:
    """CPU milliseconds a call, by side and round; a first round warms up."""
    async with _sides() as sides:
        figures: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(rounds + 1):
            err.print(f"round {number} of {rounds} …" if number else "warming up …")
            for name, side in sides.items():
                figures[name].append(await _timed(side, number * calls, calls, at_once))
            if not number:
                calm_the_collector()
    return {name: values[1:] for name, values in figures.items()}


async def _timed(side: Side, first: int, calls: int, at_once: int) -> float:
    places = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with places:
            await side(number)

    cpu = time.process_time()
    await asyncio.gather(*map(one, range(first, first + calls)))
    return (time.process_time() - cpu) * 1000 / calls


@contextlib.asynccontextmanager
async def _sides() -> AsyncGenerator[dict[str, Side]]:
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(run_helpers.tracing_context(enabled=False))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="fanfare-benchmark-")))
        base_url = await stack.enter_async_context(served_rehearsal(0.02))
        settings = Settings(
            model_provider="openai", openai_base_url=base_url, openai_api_key=SecretStr("rehearsal"),
            model="rehearsal",
        )  # fmt: skip
        url = await stack.enter_async_context(private_server(folder / "redis"))
        redis = await stack.enter_async_context(Redis.from_url(url))
        models = await stack.enter_async_context(open_models(settings, redis, where="a benchmark"))
        adapter = await stack.enter_async_context(open_model(settings))
        chat = ChatOpenAI(model="rehearsal", base_url=base_url, api_key=SecretStr("rehearsal"), max_retries=0)
        untyped: Any = chat
        structured = untyped.with_structured_output(Brief, method="json_schema", include_raw=True)
        yield {
            BARE: lambda n: chat.ainvoke(_prompt(n).messages),
            STRUCTURED: lambda n: structured.ainvoke(_prompt(n).messages),
            ADAPTER: lambda n: adapter.answer("briefing", _prompt(n), Brief),
            WHOLE: lambda n: _whole(models, n),
            KNOWN: lambda _: _whole(models, 0),
        }


def _whole(models: Accounts, number: int) -> Awaitable[object]:
    model = models.on(Account("benchmark", f"campaign {number}"))
    return model.answer("briefing", _prompt(number), Brief)


def _prompt(number: int) -> Rendered:
    data: dict[str, Any] = {
        "product": {"name": f"Aurora {number}", "features": ["40 h battery", "Noise cancelling", "Folds flat"]},
        "tone": "premium", "audience": "commuters", "language": "en", "placements": ["An X post"],
    }  # fmt: skip
    return PROMPT.render(data)


def _show(figures: Mapping[str, list[float]], ratios: Mapping[str, float]) -> None:
    shown = Table(title="CPU of one call", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("", "median ms", "least ms"):
        shown.add_column(heading, justify="right" if heading else "left")
    for name, values in figures.items():
        shown.add_row(name, f"{statistics.median(values):.2f}", f"{min(values):.2f}")
    out.print(shown)
    for name, ratio in ratios.items():
        out.print(f"{WHOLE}: {ratio:.2f} of {name}; the aim is at most {AIM}")
    out.print(", ".join(f"{name} {value}" for name, value in machine().items()))


if __name__ == "__main__":
    app()
