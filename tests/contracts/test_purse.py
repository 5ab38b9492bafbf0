"""The purse on real servers: whatever fifty calls do at once, a budget is overspent by one of them at most."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from agents.ledger import Remembered
from agents.model import (
    Account,
    Answer,
    BudgetSpent,
    Check,
    Flag,
    Model,
    ModelBusy,
    ModelError,
    ModelGarbled,
    ModelUnavailable,
    T,
    Usage,
)
from agents.prompts import Rendered
from agents.purse import Paid, UpperEstimate, cost_of
from graph.checkpoints import AsyncClient, CheckpointStoreUnavailable, locate, open_async
from service.answers import RedisLedger
from service.purse import RedisPurse
from tests.checkpoints import Counting, Plain, connect, outcome
from tests.stores import Server, cluster_url, start_cluster

ACCOUNT = Account("acme", "spring", Decimal(1))
CALL = Rendered([HumanMessage("A lamp.")], "writer@1")
NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
MODEL = "gpt-6.1-sol"
NOTHING = Decimal(0)


class Line(BaseModel):
    """A line of copy."""

    text: str


class Scripted:
    """A `Model` that does what a test says; by default it answers, with a usage that costs `usd`."""

    def __init__(self, usd: str = "0.25") -> None:
        self.usage = dollars(usd)
        self.error: BaseException | None = None
        self.calls = 0
        self.begun = asyncio.Event()
        self.gate: asyncio.Event | None = None

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        del agent, check
        self.calls += 1
        self.begun.set()
        if self.gate:
            await self.gate.wait()
        if self.error:
            raise self.error
        return Answer(output.model_validate({"text": "Light."}), self.usage, prompt.fingerprint)

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        return [Flag(0, text, 1, "block") for text in texts]

    async def screen_picture(self, data: bytes, media_type: str) -> list[Flag]:
        return [Flag(0, media_type, len(data), "warn")]


def dollars(usd: str) -> Usage:
    """A usage that costs exactly that: ten dollars are a million tokens of output."""
    return Usage(model=MODEL, output_tokens=int(Decimal(usd) * 100_000))


def half(agent: str, prompt: Rendered, output: type[BaseModel]) -> Decimal:
    """An estimate."""
    del agent, prompt, output
    return Decimal("0.5")


def whole(agent: str, prompt: Rendered, output: type[BaseModel]) -> Decimal:
    """An estimate that takes the whole budget."""
    return 2 * half(agent, prompt, output)


def line(model: Model) -> Any:
    return model.answer("writer", CALL, Line)


@pytest.fixture
async def client(shared_server: Server, redis: Plain) -> AsyncIterator[AsyncClient]:
    """A client as the service opens it, on an empty server."""
    assert await redis.dbsize() == 0
    async with open_async(locate(shared_server.url), timeout=5, retries=3) as opened:
        yield opened


@pytest.fixture
def purse(client: AsyncClient) -> RedisPurse:
    return RedisPurse(client)


async def reserved(redis: Plain, book: str = "campaign:spring") -> Decimal:
    """US dollars set aside at present, of which none expired."""
    told = await redis.hget(f"fanfare:{{acme}}:purse:{book}", "reserved")
    return Decimal(int(told or 0)) / 1_000_000


# One call after the other


async def test_what_a_call_did_cost_is_booked(purse: RedisPurse, redis: Plain) -> None:
    for spent in ("0.25", "0.5"):
        await line(Paid(Scripted(), purse, ACCOUNT, half))
        assert await purse.spent(ACCOUNT) == Decimal(spent)
        assert await reserved(redis) == 0
    assert await purse.spent(replace(ACCOUNT, tenant="globex")) == 0
    assert await purse.spent(replace(ACCOUNT, campaign="summer")) == 0


async def test_a_spent_budget_ends_it_until_it_is_raised(purse: RedisPurse) -> None:
    paid = Paid(model := Scripted("1.5"), purse, ACCOUNT, half)
    await line(paid)
    with pytest.raises(BudgetSpent, match=r"spent \$1\.5 of its budget of \$1: raise budget_usd and retry"):
        await line(paid)
    assert model.calls == 1
    raised = replace(ACCOUNT, budget_usd=Decimal("1.500001"))
    await line(Paid(model, purse, raised, half))
    assert await purse.spent(ACCOUNT) == 3


async def test_nothing_can_be_bought_for_nothing(purse: RedisPurse) -> None:
    for budget in ("0", "-1", "0.0000009"):
        with pytest.raises(BudgetSpent):
            await purse.reserve(replace(ACCOUNT, budget_usd=Decimal(budget)), Decimal("0.5"))
    with pytest.raises(ValueError, match="not NaN"):
        await purse.reserve(replace(ACCOUNT, budget_usd=Decimal("nan")), Decimal("0.5"))


async def test_a_call_larger_than_the_budget_is_made_alone(purse: RedisPurse, redis: Plain) -> None:
    first = await purse.reserve(ACCOUNT, Decimal(7))
    assert await reserved(redis) == 7
    second = asyncio.create_task(purse.reserve(ACCOUNT, Decimal("0.000001")))
    await asyncio.sleep(0.2)
    assert not second.done()
    await purse.settle(first, Decimal("0.9"))
    await purse.settle(await second, Decimal("0.1"))
    with pytest.raises(BudgetSpent):
        await purse.reserve(ACCOUNT, Decimal(0))


async def test_settling_twice_books_once(purse: RedisPurse, redis: Plain) -> None:
    held = await purse.reserve(ACCOUNT, Decimal("0.5"))
    other = await purse.reserve(ACCOUNT, Decimal("0.5"))
    for _ in range(3):
        await purse.settle(held, Decimal("0.25"))
    await purse.release(held)
    assert (await purse.spent(ACCOUNT), await reserved(redis)) == (Decimal("0.25"), Decimal("0.5"))
    await purse.release(other)
    await purse.settle(other, Decimal("0.25"))
    assert (await purse.spent(ACCOUNT), await reserved(redis)) == (Decimal("0.25"), NOTHING)


async def test_parts_of_a_micro_dollar_are_rounded_up(purse: RedisPurse) -> None:
    await purse.settle(await purse.reserve(ACCOUNT, Decimal("0.0000001")), Decimal("0.0000011"))
    assert await purse.spent(ACCOUNT) == Decimal("0.000002")


@pytest.mark.parametrize("absurd", ["-5", "nan", "-inf", "inf", "1e30", "-1e-30"])
async def test_no_amount_lifts_a_budget(purse: RedisPurse, redis: Plain, absurd: str) -> None:
    await purse.settle(await purse.reserve(ACCOUNT, Decimal("0.5")), Decimal("0.5"))
    await purse.settle(await purse.reserve(ACCOUNT, Decimal(absurd)), Decimal(absurd))
    assert await purse.spent(ACCOUNT) >= Decimal("0.5")
    assert await reserved(redis) == 0


@pytest.mark.parametrize(("read", "written"), [(-(10**6), -(10**6)), (0, -(10**30)), (10**30, 0), (0, 10**30)])
async def test_an_absurd_usage_lifts_nothing(purse: RedisPurse, redis: Plain, read: int, written: int) -> None:
    model = Scripted()
    model.usage = Usage.model_construct(model=MODEL, input_tokens=read, cached_tokens=10**9, output_tokens=written)
    paid = Paid(model, purse, ACCOUNT, half)
    told = [await outcome(lambda: line(paid)) for _ in range(3)]
    assert isinstance(told[2], BudgetSpent)
    assert await purse.spent(ACCOUNT) >= 1
    assert await reserved(redis) == 0


async def test_an_answer_that_claims_to_have_used_nothing_costs_what_was_reserved(purse: RedisPurse) -> None:
    await line(Paid(Scripted("0"), purse, ACCOUNT, half))
    assert await purse.spent(ACCOUNT) == Decimal("0.5")


async def test_an_unknown_model_has_the_dearest_price(purse: RedisPurse) -> None:
    model = Scripted()
    model.usage = Usage(model="nobody knows", output_tokens=1000)
    await line(Paid(model, purse, ACCOUNT, half))
    assert await purse.spent(ACCOUNT) == Decimal("0.05")


async def test_books_expire(purse: RedisPurse, redis: Plain) -> None:
    await purse.settle(await purse.reserve(ACCOUNT, Decimal("0.5")), Decimal("0.25"))
    await purse.reserve(ACCOUNT, Decimal("0.5"))
    kept = {key.decode(): await redis.ttl(key) for key in await redis.keys()}
    assert len(kept) == 4
    assert all(0 < seconds <= (90 if "campaign" in key else 8) * 86_400 for key, seconds in kept.items())


async def test_screening_is_free(purse: RedisPurse, redis: Plain) -> None:
    spent_up = replace(ACCOUNT, budget_usd=Decimal(0))
    paid = Paid(Scripted(), purse, spent_up, half)
    assert await paid.screen(["a"]) == [Flag(0, "a", 1, "block")]
    assert await paid.screen_picture(b"a", "image/png") == [Flag(0, "image/png", 1, "warn")]
    assert await redis.dbsize() == 0


# Calls that do not end well


async def test_a_call_that_fails_and_cost_something_is_booked(purse: RedisPurse, redis: Plain) -> None:
    model = Scripted()
    model.error = ModelGarbled("odd", usage=dollars("0.2"))
    with pytest.raises(ModelGarbled):
        await line(Paid(model, purse, ACCOUNT, half))
    assert (await purse.spent(ACCOUNT), await reserved(redis)) == (Decimal("0.2"), NOTHING)


@pytest.mark.parametrize("error", [ModelUnavailable("away"), ModelError("no", usage=Usage(model=MODEL))])
async def test_a_call_that_used_nothing_gives_its_money_back(
    purse: RedisPurse, redis: Plain, error: ModelError
) -> None:
    model = Scripted()
    model.error = error
    with pytest.raises(ModelError):
        await line(Paid(model, purse, ACCOUNT, half))
    assert (await purse.spent(ACCOUNT), await reserved(redis)) == (NOTHING, NOTHING)


async def test_a_cancelled_call_stays_reserved_until_that_expires(client: AsyncClient, redis: Plain) -> None:
    purse = RedisPurse(client, hold_seconds=1)
    model = Scripted()
    model.gate = asyncio.Event()
    call = asyncio.create_task(line(Paid(model, purse, ACCOUNT, whole)))
    await model.begun.wait()
    call.cancel()
    await asyncio.wait([call])
    assert (await purse.spent(ACCOUNT), await reserved(redis)) == (NOTHING, Decimal(1))
    async with asyncio.timeout(10):
        assert await purse.reserve(ACCOUNT, Decimal("0.5"))
    assert await reserved(redis) == Decimal("0.5")


async def test_a_call_that_was_answered_is_booked_though_it_is_cancelled(
    purse: RedisPurse, redis: Plain, shared_server: Server
) -> None:
    await line(Paid(Scripted(), purse, ACCOUNT, half))  # the server knows the scripts
    model = Scripted()
    model.gate = asyncio.Event()
    call = asyncio.create_task(line(Paid(model, purse, ACCOUNT, half)))
    await model.begun.wait()
    with shared_server.asleep():
        model.gate.set()
        await asyncio.sleep(0.05)
        call.cancel()
        await asyncio.sleep(0.05)
    await asyncio.wait([call])
    assert call.cancelled()
    assert (await purse.spent(ACCOUNT), await reserved(redis)) == (Decimal("0.5"), NOTHING)


async def test_who_is_cancelled_while_waiting_leaves_nothing_reserved(client: AsyncClient, redis: Plain) -> None:
    purse = RedisPurse(client, pause_seconds=0.0001)
    first = await purse.reserve(ACCOUNT, Decimal(1))
    waiting = [asyncio.create_task(purse.reserve(ACCOUNT, Decimal(1))) for _ in range(30)]
    for each in waiting:
        await asyncio.sleep(random.uniform(0, 0.002))  # noqa: S311 - a duration
        each.cancel()
    async with asyncio.timeout(20):
        await asyncio.wait(waiting)
    assert all(each.cancelled() for each in waiting)
    await purse.release(first)
    assert await reserved(redis) == 0


class Swallowing(Counting):
    """A client in which a cancellation gets lost, as one does in `asyncio.wait_for` of Python 3.11."""

    def __init__(self, client: Plain) -> None:
        super().__init__(client)
        self.answered = asyncio.Event()

    async def execute_command(self, *args: Any) -> Any:
        told = await super().execute_command(*args)
        self.answered.set()
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(0.05)
        return told


async def test_a_call_whose_cancellation_got_lost_is_not_made(redis: Plain) -> None:
    purse_client: Any = Swallowing(redis)
    ledger_client: Any = Swallowing(redis)
    model = Scripted()
    paid = Paid(model, RedisPurse(purse_client), ACCOUNT, whole)
    remembered = Remembered(model, RedisLedger(ledger_client), ACCOUNT, str)
    for asked, client in ((paid, purse_client), (remembered, ledger_client)):
        call = asyncio.create_task(line(asked))
        await client.answered.wait()
        call.cancel()
        await asyncio.wait([call])
        assert call.cancelled()
    assert model.calls == 0
    assert await reserved(redis) == 0
    assert await redis.keys("*:lock") == []


async def test_who_is_cancelled_while_being_admitted_leaves_nothing_reserved(
    purse: RedisPurse, redis: Plain, shared_server: Server
) -> None:
    await line(Paid(Scripted(), purse, ACCOUNT, half))  # the server knows the scripts
    with shared_server.asleep():
        asking = asyncio.create_task(purse.reserve(ACCOUNT, Decimal("0.5")))
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.sleep(0.05)
    await asyncio.wait([asking])
    assert asking.cancelled()
    assert await reserved(redis) == 0


async def test_a_reservation_of_a_process_that_was_killed_expires(client: AsyncClient, redis: Plain) -> None:
    purse = RedisPurse(client, hold_seconds=0.3)
    lost = await purse.reserve(ACCOUNT, Decimal(1))
    async with asyncio.timeout(10):
        second = await purse.reserve(ACCOUNT, Decimal(1))
    assert await reserved(redis) == 1
    await purse.settle(second, Decimal("0.25"))
    await purse.settle(lost, Decimal("0.5"))
    await purse.settle(lost, Decimal("0.5"))
    assert await purse.spent(ACCOUNT) == Decimal("0.75"), "it was slow, not dead: what it cost is booked, once"
    assert await reserved(redis) == 0


async def test_a_wait_is_bounded(client: AsyncClient) -> None:
    purse = RedisPurse(client, patience_seconds=0.1)
    await purse.reserve(ACCOUNT, Decimal(1))
    with pytest.raises(ModelBusy, match="retry the campaign later"):
        await purse.reserve(ACCOUNT, Decimal(1))


class Stuttering(Counting):
    """A client that loses the first answer to each command, and sends it again."""

    async def execute_command(self, *args: Any) -> Any:
        with suppress(Exception):
            await super().execute_command(*args)
        return await super().execute_command(*args)


async def test_a_command_may_arrive_twice(redis: Plain) -> None:
    stuttering: Any = Stuttering(redis)
    purse = RedisPurse(stuttering)
    held = await purse.reserve(ACCOUNT, Decimal("0.5"))
    assert await reserved(redis) == Decimal("0.5")
    await purse.settle(held, Decimal("0.25"))
    assert (await purse.spent(ACCOUNT), await reserved(redis)) == (Decimal("0.25"), NOTHING)


# A tenant's day


class Clock:
    """Says what time it is."""

    def __init__(self) -> None:
        self.time = NOON

    def __call__(self) -> datetime:
        return self.time


async def test_all_campaigns_of_a_tenant_share_its_day(client: AsyncClient) -> None:
    clock = Clock()
    purse = RedisPurse(client, tenant_day_usd=Decimal(1), now=clock)
    spring, summer = Account("acme", "spring"), Account("acme", "summer", Decimal(100))
    for account in (spring, summer):
        await purse.settle(await purse.reserve(account, Decimal("0.5")), Decimal("0.5"))
        assert await purse.spent(account) == Decimal("0.5")
    told = r"'acme' has spent \$1 of \$1 for one day \(2026-11-22 UTC\).*tomorrow, or raise FANFARE_TENANT_DAY_USD"
    for account in (spring, summer):
        with pytest.raises(BudgetSpent, match=told):
            await purse.reserve(account, Decimal("0.5"))
    assert await purse.reserve(Account("globex", "spring"), Decimal("0.5"))
    clock.time += timedelta(days=1)
    assert await purse.reserve(spring, Decimal("0.5"))


async def test_a_call_belongs_to_the_day_on_which_it_was_reserved(client: AsyncClient, redis: Plain) -> None:
    clock = Clock()
    purse = RedisPurse(client, tenant_day_usd=Decimal(1), now=clock)
    # Half past midnight in Berlin, and still the day before in UTC.
    clock.time = datetime(2026, 11, 23, 0, 30, tzinfo=timezone(timedelta(hours=1)))
    late = await purse.reserve(ACCOUNT, Decimal(1))
    clock.time += timedelta(hours=1)
    early = await purse.reserve(replace(ACCOUNT, campaign="summer"), Decimal("0.4"))
    assert (late.day, early.day) == ("2026-11-22", "2026-11-23")
    await purse.settle(late, Decimal("0.7"))
    assert await reserved(redis, "day:2026-11-22") == 0
    assert await reserved(redis, "day:2026-11-23") == Decimal("0.4")
    assert await redis.hget("fanfare:{acme}:purse:day:2026-11-22", "spent") == b"700000"
    assert await redis.hget("fanfare:{acme}:purse:day:2026-11-23", "spent") is None


async def test_the_day_is_counted_before_it_is_limited(client: AsyncClient) -> None:
    free, strict = (RedisPurse(client, tenant_day_usd=limit, now=Clock()) for limit in (None, Decimal("0.2")))
    await free.settle(await free.reserve(ACCOUNT, Decimal("0.5")), Decimal("0.25"))
    with pytest.raises(BudgetSpent, match="TENANT_DAY"):
        await strict.reserve(ACCOUNT, Decimal("0.5"))


async def test_a_call_costs_two_round_trips_and_none_without_limits(redis: Plain) -> None:
    counting: Any = Counting(redis)
    purse = RedisPurse(counting)
    await line(Paid(Scripted(), purse, ACCOUNT, half))  # now the server knows the scripts
    counting.sent.clear()
    await line(Paid(Scripted(), purse, ACCOUNT, half))
    assert counting.sent == ["EVALSHA", "EVALSHA"]
    counting.sent.clear()
    await line(Paid(Scripted(), purse, replace(ACCOUNT, budget_usd=None), half))
    assert counting.sent == []


# Many at once


@dataclass
class Flight:
    """A call as the server saw it at the longest: from before it was admitted until after it was settled."""

    begun: float
    ended: float = float("inf")
    cost: int = 0


class Watching(Counting):
    """A client that remembers the flights of calls."""

    def __init__(self, client: Plain, flights: dict[str, Flight]) -> None:
        super().__init__(client)
        self.flights = flights

    async def execute_command(self, *args: Any) -> Any:
        begun = time.monotonic()
        told = await super().execute_command(*args)
        match args, told:
            case ("EVALSHA" | "EVAL", _, 4, _, _, _, _, call, *_), [0, _]:
                self.flights[call] = Flight(begun)
            case ("EVALSHA" | "EVAL", _, 4, _, _, _, _, call, *_, cost), None:
                self.flights[call].ended, self.flights[call].cost = time.monotonic(), cost
            case _:
                pass
        return told


def most_at_once(flights: Sequence[Flight]) -> int:
    """What the calls that were in flight together did cost, at the worst of times."""
    return max(
        (sum(each.cost for each in flights if each.begun <= one.begun <= each.ended) for one in flights), default=0
    )


async def rush(purses: Sequence[RedisPurse], account: Account, calls: Sequence[tuple[int, int]]) -> int:
    """Make calls of estimate and cost (micro-dollars) at once; what they did cost."""
    spent = 0

    async def call(purse: RedisPurse, estimate: int, cost: int) -> None:
        nonlocal spent
        held = await purse.reserve(account, Decimal(estimate) / 1_000_000)
        await asyncio.sleep(random.uniform(0, 0.004))  # noqa: S311 - a duration
        spent += cost
        await purse.settle(held, Decimal(cost) / 1_000_000)

    each = (call(purse, *amounts) for purse, amounts in zip(cycle(purses), calls, strict=False))
    told = await asyncio.gather(*each, return_exceptions=True)
    assert {type(one) for one in told} <= {type(None), BudgetSpent}
    return spent


def rush_on(server: Server, budget: int, day: int, calls: Sequence[tuple[int, int]]) -> tuple[int, int]:
    """Make calls at once from two replicas; what they did cost, and the most that was in flight."""

    async def main() -> tuple[int, int]:
        async with connect(server.url) as here, connect(server.url) as there:
            await here.flushall()
            flights: dict[str, Flight] = {}
            clients: list[Any] = [Watching(each, flights) for each in (here, there)]
            limit = Decimal(day) / 1_000_000
            purses = [RedisPurse(each, tenant_day_usd=limit, pause_seconds=0.002) for each in clients]
            account = replace(ACCOUNT, budget_usd=Decimal(budget) / 1_000_000)
            spent = await rush(purses, account, calls)
            assert await purses[0].spent(account) == Decimal(spent) / 1_000_000
            return spent, most_at_once([*flights.values()])

    return asyncio.run(main())


budgets = st.integers(1, 500)
several = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@several
@given(
    budget=budgets, day=budgets, estimates=st.lists(st.integers(0, 100), min_size=50, max_size=50), data=st.data()
)
def test_fifty_calls_overspend_by_one_at_most(
    shared_server: Server, budget: int, day: int, estimates: list[int], data: st.DataObject
) -> None:
    calls = [(estimate, data.draw(st.integers(0, estimate))) for estimate in estimates]
    spent, _ = rush_on(shared_server, budget, day, calls)
    assert spent < min(budget, day) + max(cost for _, cost in calls)


@several
@given(
    budget=budgets,
    day=budgets,
    calls=st.lists(st.tuples(st.integers(0, 100), st.integers(0, 300)), min_size=50, max_size=50),
)
def test_calls_that_cost_more_than_estimated_overspend_by_those_in_flight(
    shared_server: Server, budget: int, day: int, calls: list[tuple[int, int]]
) -> None:
    spent, most_in_flight = rush_on(shared_server, budget, day, calls)
    assert spent < min(budget, day) + most_in_flight


async def test_a_budget_is_used_up_before_it_is_refused(purse: RedisPurse) -> None:
    spent = await rush([purse], ACCOUNT, [(300_000, 100_000)] * 50)
    assert 1_000_000 <= spent <= 1_200_000


# Servers


async def test_a_server_that_is_gone_is_told_and_nobody_is_asked(own_server: Server) -> None:
    async with open_async(locate(own_server.url), timeout=1) as client:
        purse = RedisPurse(client)
        paid = Paid(model := Scripted(), purse, ACCOUNT, half)
        own_server.kill()
        with pytest.raises(CheckpointStoreUnavailable, match=r"The purse at 127\.0\.0\.1:\d+ cannot be reached"):
            await line(paid)
        with pytest.raises(CheckpointStoreUnavailable):
            await purse.spent(ACCOUNT)
        assert model.calls == 0
        own_server.start()
        await line(paid)


async def test_a_cost_is_booked_though_the_server_restarts_meanwhile(own_server: Server) -> None:
    async with open_async(locate(own_server.url), timeout=1) as client:
        purse = RedisPurse(client)
        held = await purse.reserve(ACCOUNT, Decimal("0.5"))
        own_server.kill()
        booking = asyncio.create_task(purse.settle(held, Decimal("0.25")))
        assert await asyncio.wait([booking], timeout=1.5) == (set(), {booking})
        own_server.start()
        await booking
        assert await purse.spent(ACCOUNT) == Decimal("0.25")


async def test_books_outlive_a_server_that_is_killed(own_server: Server) -> None:
    async with open_async(locate(own_server.url), timeout=1, retries=3) as client:
        purse = RedisPurse(client)
        await line(Paid(Scripted(), purse, ACCOUNT, half))
        plain: Any = client
        await plain.config_set("appendfsync", "always")
        await line(Paid(Scripted(), purse, ACCOUNT, half))
        own_server.kill()
        own_server.start()
        assert await purse.spent(ACCOUNT) == Decimal("0.5")


@pytest.mark.parametrize("kind", ["valkey", "redis"])
async def test_a_cluster_keeps_the_books_of_many_tenants(kind: str, tmp_path: Path) -> None:
    with start_cluster(kind, tmp_path) as nodes:
        async with open_async(locate(cluster_url(nodes)), timeout=5, retries=3) as client:
            purse = RedisPurse(client, tenant_day_usd=Decimal(10))
            for tenant in ("acme", "globex", "", "a}b", "{a}", "acme\udc80", *map(str, range(20))):
                account = Account(tenant, f"{{{tenant}}} spring", Decimal(1))
                await line(Paid(Scripted(), purse, account, half))
                assert await purse.spent(account) == Decimal("0.25")


# With the ledger


async def test_a_crash_between_answer_and_checkpoint_is_paid_once(client: AsyncClient) -> None:
    model, told = Scripted(), list[Answer[Line]]()
    for _ in range(2):  # the second time nothing is left of the process but the server
        paid = Paid(model, RedisPurse(client), ACCOUNT, half)
        told.append(await line(Remembered(paid, RedisLedger(client), ACCOUNT, str)))
    assert model.calls == 1
    assert told[0] == told[1]
    assert await RedisPurse(client).spent(ACCOUNT) == Decimal("0.25")


async def test_twenty_campaigns_that_ask_the_same_pay_once(client: AsyncClient) -> None:
    model, ledger, purse = Scripted(), RedisLedger(client), RedisPurse(client)
    accounts = [replace(ACCOUNT, campaign=str(number)) for number in range(20)]
    told = await asyncio.gather(
        *(line(Remembered(Paid(model, purse, each, half), ledger, each, str)) for each in accounts)
    )
    assert model.calls == 1
    assert sum(answer.paid for answer in told) == 1
    assert len({answer.call for answer in told}) == 1
    assert sum([await purse.spent(each) for each in accounts]) == Decimal("0.25")


async def test_a_campaign_without_money_does_not_stop_another(client: AsyncClient) -> None:
    model, ledger, purse = Scripted(), RedisLedger(client), RedisPurse(client)
    poor, rich = replace(ACCOUNT, campaign="poor", budget_usd=Decimal(0)), ACCOUNT
    calls = (line(Remembered(Paid(model, purse, each, half), ledger, each, str)) for each in (poor, rich, rich))
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert isinstance(told[0], BudgetSpent)
    assert told[1] == told[2]


# The estimate


def estimate_for(model: str) -> UpperEstimate:
    return UpperEstimate(model=lambda _: model, output_tokens=lambda _: 1000)


ESTIMATE = estimate_for(MODEL)


def estimate(text: str, *more: dict[str, Any]) -> Decimal:
    content: list[Any] = [{"type": "text", "text": text}, *more]
    return ESTIMATE("writer", Rendered([HumanMessage(content)], "writer@1"), Line)


def test_an_estimate_is_above_what_a_call_costs() -> None:
    english = "The lamp that follows the sun through the day. " * 100
    true = cost_of(Usage(model=MODEL, input_tokens=len(english) // 4, output_tokens=1000))
    assert true < estimate(english) < 2 * true
    assert estimate("大きさ" * 1000) > cost_of(Usage(model=MODEL, input_tokens=3000, output_tokens=1000))
    assert estimate("") > cost_of(Usage(model=MODEL, output_tokens=1000))
    assert estimate("\udc80") > 0


def test_an_estimate_grows_with_text_pictures_and_form() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 1_000_000}}
    assert estimate("a" * 100) < estimate("a" * 200) < estimate("a" * 200, picture)
    assert estimate("", picture) < Decimal("0.05"), "a picture is not billed as the text that carries it"
    assert ESTIMATE("writer", CALL, Line) < ESTIMATE("writer", CALL, Usage)


def test_an_unknown_model_is_estimated_as_the_dearest() -> None:
    unknown, free = (estimate_for(model)("writer", CALL, Line) for model in ("nobody knows", "rehearsal"))
    assert unknown > 3 * ESTIMATE("writer", CALL, Line)
    assert free == 0
