"""What rate limits add to a request: our one script for all of them, and the `limits` library's own storage.

Both count the same three limits of a caller (person, tenant, creating) on the same private Valkey, and both tell
what is left. The sides take turns, round by round.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, cast

import typer
from limits.aio.storage import RedisStorage
from limits.aio.strategies import SlidingWindowCounterRateLimiter
from redis.asyncio import Redis

from evals.benchmarks.machine import machine
from graph.checkpoints import locate, open_async
from service.embedded import private_server
from service.limits import Limit, LimitName, Limits, limits_in

app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)

OURS, LIBRARY = "one script for all", "limits' own storage"
SUBJECTS: dict[LimitName, str] = {"caller": "ada", "tenant": "acme", "create": "ada"}
ALLOWED = limits_in("1000000/hour")
Side = Callable[[], Awaitable[object]]


@app.command(epilog="Example: python -m evals.benchmarks.limits --calls 300 --rounds 9")
def main(
    calls: Annotated[int, typer.Option(min=1, help="Requests of a side in a round.")] = 200,
    rounds: Annotated[int, typer.Option(min=1, help="How often each side has its turn.")] = 7,
) -> None:
    """Measure milliseconds and CPU milliseconds a request, as the median of the rounds, and print JSON."""
    typer.echo(json.dumps({"ms": asyncio.run(measure(calls, rounds=rounds)), **machine()}, indent=1))


async def measure(calls: int, *, rounds: int) -> dict[str, dict[str, float]]:
    """By side, the time and the CPU of this process that a request's limits take, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            private_server(Path(folder) / "redis", appendfsync="everysec") as url,
            open_async(locate(url), timeout=5) as client,
        ):
            limits = Limits(client, {name: Limit(ALLOWED, spares_here=False) for name in SUBJECTS})
            pool: Any = cast("Redis", client).connection_pool
            storage = RedisStorage("async+redis://", implementation="redispy", connection_pool=pool)
            limiter = SlidingWindowCounterRateLimiter(storage)
            sides: dict[str, Side] = {
                OURS: lambda: limits.hit("acme", SUBJECTS, here=False),
                LIBRARY: lambda: _library(limiter),
            }
            figures = [{name: await _round(side, calls) for name, side in sides.items()} for _ in range(rounds)]
    return {
        name: {kind: _median([each[name][at] for each in figures]) for at, kind in enumerate(("wall", "cpu"))}
        for name in sides
    }


async def _library(limiter: SlidingWindowCounterRateLimiter) -> None:
    await asyncio.gather(*(limiter.hit(ALLOWED[0], *each) for each in SUBJECTS.items()))
    await asyncio.gather(*(limiter.get_window_stats(ALLOWED[0], *each) for each in SUBJECTS.items()))


async def _round(side: Side, calls: int) -> tuple[float, float]:
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(calls):
        await side()
    return (time.perf_counter() - wall) / calls * 1000, (time.process_time() - cpu) / calls * 1000


def _median(figures: list[float]) -> float:
    return round(statistics.median(figures), 3)


if __name__ == "__main__":
    app()
