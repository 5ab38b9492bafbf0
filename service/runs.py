"""Runs: the sole caller of the graph. Starts, resumes, follows, cancels and drains campaigns."""

import asyncio
import contextlib
import random
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, cast

import structlog
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphDrained
from langgraph.graph.state import CompiledStateGraph
from langgraph.runtime import RunControl
from langgraph.types import Command, StateSnapshot
from sqlalchemy.exc import SQLAlchemyError

from graph.content import revision
from graph.costs import total
from graph.state import CampaignState, Gate
from service.events import Events
from service.outages import DatabaseUnavailable, is_away
from service.problems import stopped
from service.records import Records
from service.tables import AWAITING, Campaign

log = structlog.get_logger()

Graph = CompiledStateGraph[Any, Any, Any, Any]
_TELL_EVERY_SECONDS = 0.25
_SWEEP_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 30.0
"""How long a campaign waits, in seconds, before a store that was away is tried again, at first and at most."""
_GATES: dict[str, Gate] = {"gate_copy": "copy", "gate_creatives": "creatives"}
_UNTOLD = frozenset({*_GATES, "assign", "assemble", "judge", "screen"})
"""Steps that wait, and calls inside a step: nobody needs to hear of them."""


class Tracer(Protocol):
    """Ties every run of a campaign into one trace."""

    def campaign(self, campaign: Campaign, /) -> AbstractContextManager[None]:
        """Within it, whatever runs is part of the campaign's trace."""
        ...

    def ended(self, campaign: Campaign, status: str) -> None:
        """The campaign has come to its end."""
        ...


class Runs:
    """The campaigns that this process runs, at most `limit` at once."""

    def __init__(self, graph: Graph, records: Records, events: Events, tracer: Tracer, *, limit: int) -> None:
        self._graph = graph
        self._records = records
        self._events = events
        self._tracer = tracer
        self._places = asyncio.Semaphore(limit)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._control = RunControl()
        self._stopping = asyncio.Event()

    async def recover(self) -> int:
        """Go on with what the last process left unfinished; how many campaigns that are."""
        unfinished = await self._records.unfinished()
        for campaign_id in unfinished:
            self.go(campaign_id)
        return len(unfinished)

    def go(self, campaign_id: str) -> None:
        """Run the campaign until its next gate or its end; returns at once."""
        before = self._tasks.get(campaign_id)
        task = asyncio.create_task(self._after(before, campaign_id), name=f"campaign {campaign_id}")
        self._tasks[campaign_id] = task
        task.add_done_callback(lambda done: self._forget(campaign_id, done))

    async def sweep(self) -> None:
        """Take up every campaign that should run and has no task: a store was away when it was started."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                for campaign_id in await self._records.unfinished():
                    if campaign_id not in self._tasks:
                        self.go(campaign_id)
            except (DatabaseUnavailable, SQLAlchemyError) as error:
                log.warning("sweep_failed", error=str(error), exc_info=None if is_away(error) else error)

    async def cancel(self, campaign_id: str) -> None:
        """Stop the campaign's run, if one is under way here, and wait until it has stopped."""
        while task := self._tasks.get(campaign_id):
            task.cancel()
            await asyncio.wait([task])
            self._forget(campaign_id, task)
        await self._tell_status(campaign_id, "cancelled", final=True)
        if campaign := await self._records.get(campaign_id):
            self._tracer.ended(campaign, "cancelled")

    async def drain(self, seconds: float) -> None:
        """Let steps that are under way finish within `seconds`; the rest goes on at the next start."""
        self._stopping.set()
        self._control.request_drain()
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def state(self, campaign_id: str) -> CampaignState:
        """The campaign's channels as of its newest checkpoint; empty before the first."""
        return cast("CampaignState", (await self._graph.aget_state(_config(campaign_id))).values)

    async def snapshots(self, campaign_id: str) -> list[StateSnapshot]:
        """The campaign as each of its checkpoints keeps it, the oldest first."""
        return [found async for found in self._graph.aget_state_history(_config(campaign_id))][::-1]

    @property
    def in_process(self) -> int:
        """How many campaigns this process runs or holds ready."""
        return len(self._tasks)

    async def open_gate(self, campaign_id: str) -> tuple[str, dict[str, Any]] | None:
        """The id and request of the interrupt that the campaign sleeps at, or None."""
        snapshot = await self._graph.aget_state(_config(campaign_id))
        return next(((found.id, found.value) for found in snapshot.interrupts), None)

    def _forget(self, campaign_id: str, done: asyncio.Task[None]) -> None:
        if self._tasks.get(campaign_id) is done:
            del self._tasks[campaign_id]
        if not done.cancelled() and (error := done.exception()):
            log.error("run_lost", campaign=campaign_id, exc_info=error)

    async def _after(self, before: asyncio.Task[None] | None, campaign_id: str) -> None:
        if before is not None:
            await _ended(before)
        for pause in _pauses():
            async with self._places:
                if self._stopping.is_set() or await self._rested(campaign_id):
                    return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)

    async def _rested(self, campaign_id: str) -> bool:
        """Run the campaign; False when a store was away, so that it has to be taken up again."""
        try:
            if campaign := await self._take(campaign_id):
                await self._run(campaign)
        except Exception as error:
            if not is_away(error):
                raise
            log.warning("campaign_waits", campaign=campaign_id, error=str(error))
            return False
        return True

    async def _take(self, campaign_id: str) -> Campaign | None:
        """The campaign, now running; None when it should not run."""
        taken = await self._records.change(
            campaign_id, {"status": "running", "error": None}, where=("queued", "running")
        )
        return await self._records.get(campaign_id) if taken else None

    async def _run(self, campaign: Campaign) -> None:
        follower = _Follower(campaign, self._records, self._events)
        await self._tell_status(campaign.id, "running")
        try:
            with (
                self._tracer.campaign(campaign),
                structlog.contextvars.bound_contextvars(campaign=campaign.id, tenant=campaign.tenant),
            ):
                await self._drive(campaign, follower)
        except GraphDrained:
            await self._put_back(campaign)
        except Exception as error:
            if is_away(error):
                await self._put_back(campaign)
                raise
            await self._fail(campaign, follower, error)

    async def _put_back(self, campaign: Campaign) -> None:
        if await self._records.change(campaign.id, {"status": "queued"}, where=("running",)):
            await self._tell_status(campaign.id, "queued")

    async def _drive(self, campaign: Campaign, follower: "_Follower") -> None:
        config = _config(campaign.id, budget_usd=campaign.budget_usd)
        snapshot = await self._graph.aget_state(config)
        follower.begin(cast("CampaignState", snapshot.values))
        stream = self._graph.astream(
            await self._next_input(campaign, snapshot), config, stream_mode="tasks", durability="sync",
            control=self._control, version="v2",
        )  # fmt: skip
        async for part in stream:
            await follower.see(cast("dict[str, Any]", part["data"]))
        await self._settle(campaign, follower)

    async def _next_input(self, campaign: Campaign, snapshot: Any) -> Any:
        if snapshot.created_at is None:
            return {"order": campaign.order}
        waiting = {found.id for found in snapshot.interrupts}
        if campaign.decision and campaign.interrupt_id in waiting:
            return Command(resume={campaign.interrupt_id: {"decisions": [campaign.decision]}})
        return None

    async def _settle(self, campaign: Campaign, follower: "_Follower") -> None:
        snapshot = await self._graph.aget_state(_config(campaign.id))
        state = cast("CampaignState", snapshot.values)
        await follower.flush()
        if snapshot.interrupts:
            await self._open(campaign, state, snapshot.interrupts[0].id, snapshot.next[0])
        elif outcome := state.get("outcome"):
            await self._end(campaign, state, outcome)
        else:
            raise RuntimeError("The graph ended without an outcome.")

    async def _open(self, campaign: Campaign, state: CampaignState, interrupt_id: str, step: str) -> None:
        gate = _GATES[step]
        number = revision(gate, state)
        values = {
            "status": AWAITING[gate], "step": step, "revision": number, "interrupt_id": interrupt_id,
            "decision": None,
        }  # fmt: skip
        if await self._records.change(campaign.id, values, where=("running",)):
            await self._events.publish(campaign.id, "approval.requested", {"gate": gate, "revision": number})
            await self._tell_status(campaign.id, AWAITING[gate])

    async def _end(self, campaign: Campaign, state: CampaignState, outcome: str) -> None:
        sha256 = state["package"]["asset"]["sha256"] if outcome == "completed" else None
        values: dict[str, Any] = {"status": outcome, "step": None, "package_sha256": sha256, "decision": None}
        if outcome == "completed":
            values["progress"] = 1.0
        if await self._records.change(campaign.id, values, where=("running",)):
            self._tracer.ended(campaign, outcome)
            if outcome == "completed":
                await self._events.publish(campaign.id, "completed", {"package_sha256": sha256})
            await self._tell_status(campaign.id, outcome, final=True)

    async def _fail(self, campaign: Campaign, follower: "_Follower", error: Exception) -> None:
        problem = stopped(error, follower.step)
        await follower.flush()
        # A model's error may carry its words or a provider's, which are nobody's business in a log.
        unknown = error if problem["code"] == "internal-error" else None
        log.warning("campaign_stopped", campaign=campaign.id, code=problem["code"], exc_info=unknown)
        if await self._records.change(campaign.id, {"status": "failed", "error": problem}, where=("running",)):
            self._tracer.ended(campaign, "failed")
            await self._events.publish(campaign.id, "failed", {"error": problem})
            await self._tell_status(campaign.id, "failed", final=True)

    async def _tell_status(self, campaign_id: str, status: str, *, final: bool = False) -> None:
        await self._events.publish(campaign_id, "status", {"status": status} | ({"final": True} if final else {}))


class _Follower:
    """Turns what the graph says of its tasks into events and the record's progress and cost."""

    def __init__(self, campaign: Campaign, records: Records, events: Events) -> None:
        self.step = campaign.step
        self._campaign = campaign
        self._records = records
        self._events = events
        self._progress = campaign.progress
        self._costs: list[dict[str, Any]] = []
        self._done: set[str] = set()
        self._begun = False
        self._told = 0.0

    def begin(self, state: CampaignState) -> None:
        """Take up what earlier runs have done and cost."""
        self._begun = True
        self._costs = list(state.get("costs", []))
        done = {name for name in ("brief", "study", "package") if state.get(name)}
        for step, channel in _FANNED_INTO.items():
            done |= _units(step, {channel: state.get(channel, {})})
        self._done = done

    async def see(self, told: dict[str, Any]) -> None:
        """A task has begun, or has ended."""
        if told["name"] in _UNTOLD:
            return
        if "input" in told:
            await self._started(told["name"], told["input"])
        elif not told.get("error"):
            await self._finished(told["name"], cast("dict[str, Any]", told["result"]))

    async def flush(self) -> None:
        """Write progress and cost into the record, once it is known what earlier runs have cost.

        While the database is away the run goes on, and the next flush tells what this one could not.
        """
        if not self._begun:
            return
        values = {"step": self.step, "progress": self._progress, "cost": total(self._costs)}
        try:
            await self._records.change(self._campaign.id, values, where=("running",))
        except DatabaseUnavailable as error:
            log.warning("progress_untold", campaign=self._campaign.id, error=str(error))
        self._told = time.monotonic()

    async def _started(self, name: str, unit: Any) -> None:
        self.step = name
        await self._events.publish(self._campaign.id, "step.started", {"step": name, **_detail(name, unit)})

    async def _finished(self, name: str, result: dict[str, Any]) -> None:
        costs: list[dict[str, Any]] = result.get("costs") or []
        self._costs += costs
        self._done |= _units(name, result)
        done = len(self._done) / _expected(self._campaign.order)
        self._progress = max(self._progress, round(min(done, 0.99), 3))
        await self._events.publish(self._campaign.id, "step.finished", {"step": name, "costs": costs})
        await self._events.publish(self._campaign.id, "progress", {"progress": self._progress, "step": name})
        if costs:
            await self._events.publish(self._campaign.id, "cost", total(self._costs))
        if time.monotonic() - self._told > _TELL_EVERY_SECONDS:
            await self.flush()


def _pauses() -> Iterator[float]:
    """Seconds to wait for a store, growing, and no two campaigns in step."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1)  # noqa: S311 - nobody gains by guessing it
        pause = min(2 * pause, _LONGEST_PAUSE)


async def _ended(before: asyncio.Task[None]) -> None:
    """Wait for an earlier run of the same campaign; cancelled meanwhile, cancel that one too."""
    try:
        await asyncio.wait([before])
    except asyncio.CancelledError:
        before.cancel()
        await asyncio.wait([before])
        raise


def _config(campaign_id: str, *, budget_usd: str | None = None) -> RunnableConfig:
    return {"configurable": {"thread_id": campaign_id, "budget_usd": budget_usd}}


def _expected(order: dict[str, Any]) -> int:
    languages = len(order["languages"])
    whole = 4 + bool(languages)  # brief, study, moderation of copy and of translations, package
    drawn_and_written = len(order["placements"]) + 1 + languages + 1
    variants: int = order.get("variants", 1)
    return whole + drawn_and_written * variants + languages


def _units(step: str, result: dict[str, Any]) -> set[str]:
    """What a finished step has brought the campaign nearer to its end by, each unit named once."""
    if channel := _FANNED_INTO.get(step):
        return {f"{step} {key}" for key in result.get(channel, {})}
    return {step}


def _detail(step: str, unit: Any) -> dict[str, Any]:
    """Which part of a fan-out has begun."""
    return {key: unit[key] for key in _PARTS if key in unit} if step in _FANNED_INTO else {}


_PARTS = ("language", "variant", "desks")
_FANNED_INTO = {"write_copy": "copy", "translate": "translations", "render": "creatives"}
