"""The ledger of answers on real servers: equal calls at once are one call, whatever becomes of its maker."""

import asyncio
import os
import subprocess
import sys
import textwrap
import time
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import suppress
from typing import Any

import pytest

from agents.ledger import Ledger
from graph.checkpoints import AsyncClient, CheckpointStoreUnavailable, encrypted, locate, open_async
from service.answers import RedisLedger
from tests.checkpoints import Counting, Plain, connect, contents, settled
from tests.running import ROOT
from tests.stores import SERVERS, Server, cluster_url, start_cluster

KEY = "0f" * 32
SECRET = b'{"output": "an unannounced product"}'


def anything(_: bytes) -> bool:
    return True


class Maker:
    """Makes entries that tell their number, as slowly as a test wants, and counts."""

    def __init__(self, *, seconds: float = 0.0, failures: int = 0) -> None:
        self.started = 0
        self.at_once = 0
        self.seconds = seconds
        self.failures = failures
        self.begun = asyncio.Event()
        self._now = 0

    async def __call__(self) -> bytes:
        self.started += 1
        number, self._now = self.started, self._now + 1
        self.at_once = max(self.at_once, self._now)
        self.begun.set()
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self._now -= 1
        if number <= self.failures:
            raise LookupError(number)
        return b"entry %d" % number


async def once(ledger: Ledger, make: Maker, tenant: str = "acme") -> tuple[bytes, bool]:
    return await ledger.once(tenant, KEY, make, accept=anything)


@pytest.fixture
async def client(shared_server: Server, redis: Plain) -> AsyncIterator[AsyncClient]:
    """A client as the service opens it, on an empty server."""
    assert await redis.dbsize() == 0
    async with open_async(locate(shared_server.url), timeout=5, retries=3) as opened:
        yield opened


@pytest.fixture
def ledger(client: AsyncClient) -> RedisLedger:
    return RedisLedger(client)


@pytest.fixture
async def elsewhere(shared_server: Server, client: AsyncClient) -> AsyncIterator[RedisLedger]:
    """The ledger as another replica sees it: nothing is shared but the server."""
    assert client
    async with open_async(locate(shared_server.url), timeout=5, retries=3) as opened:
        yield RedisLedger(opened)


# One call


async def test_twenty_equal_calls_at_once_are_one(ledger: RedisLedger) -> None:
    make = Maker(seconds=0.1)
    told = await asyncio.gather(*(once(ledger, make) for _ in range(20)))
    assert make.started == 1
    assert {entry for entry, _ in told} == {b"entry 1"}
    assert sum(made for _, made in told) == 1
    assert await once(ledger, make) == (b"entry 1", False)


async def test_two_replicas_make_one_call(ledger: RedisLedger, elsewhere: RedisLedger, redis: Plain) -> None:
    make = Maker(seconds=0.2)
    told = await asyncio.gather(*(once(each, make) for each in (ledger, elsewhere) * 10))
    assert make.started == 1
    assert sum(made for _, made in told) == 1
    assert len(await redis.keys()) == 1, "no lock is left behind"


async def test_a_call_longer_than_the_lease_is_one_call(client: AsyncClient, elsewhere: RedisLedger) -> None:
    make = Maker(seconds=4.0)
    brief = RedisLedger(client, lease_seconds=1.5)
    leading = asyncio.create_task(once(brief, make))
    await make.begun.wait()
    assert await once(elsewhere, make) == (b"entry 1", False)
    assert await leading == (b"entry 1", True)


async def test_an_entry_costs_one_round_trip_and_a_made_one_two(redis: Plain) -> None:
    counting: Any = Counting(redis)
    ledger = RedisLedger(counting)
    await once(ledger, Maker(), "globex")  # now the server knows the scripts
    for sent, made in ((["EVALSHA"] * 2, 1), (["EVALSHA"], 0)):
        counting.sent.clear()
        told = await asyncio.gather(*(once(ledger, Maker()) for _ in range(20)))
        assert counting.sent == sent
        assert sum(made_now for _, made_now in told) == made


async def test_an_entry_may_be_large(ledger: RedisLedger, elsewhere: RedisLedger) -> None:
    large = os.urandom(3_000_000)

    async def make() -> bytes:
        return large

    assert await ledger.once("acme", KEY, make, accept=anything) == (large, True)
    assert await elsewhere.once("acme", KEY, make, accept=anything) == (large, False)


class Stuttering(Counting):
    """A client that loses the first answer to each command, and sends it again."""

    async def execute_command(self, *args: Any) -> Any:
        with suppress(Exception):
            await super().execute_command(*args)
        return await super().execute_command(*args)


async def test_a_command_may_arrive_twice(redis: Plain) -> None:
    stuttering: Any = Stuttering(redis)
    make = Maker()
    async with asyncio.timeout(5):
        assert await once(RedisLedger(stuttering), make) == (b"entry 1", True)
    assert await once(RedisLedger(stuttering), make) == (b"entry 1", False)
    assert len(await redis.keys()) == 1


# A maker that does not finish


async def test_another_leads_when_the_leader_is_cancelled(ledger: RedisLedger) -> None:
    make = Maker(seconds=0.2)
    leader = asyncio.create_task(once(ledger, make))
    await make.begun.wait()
    followers = [asyncio.create_task(once(ledger, make)) for _ in range(5)]
    await asyncio.sleep(0)
    leader.cancel()
    told = await asyncio.gather(*followers)
    assert leader.cancelled()
    assert (make.started, make.at_once) == (2, 1)
    assert sorted(told) == [(b"entry 2", False)] * 4 + [(b"entry 2", True)]


async def test_a_follower_that_is_cancelled_cancels_nobody(ledger: RedisLedger) -> None:
    make = Maker(seconds=0.2)
    leader = asyncio.create_task(once(ledger, make))
    await make.begun.wait()
    followers = [asyncio.create_task(once(ledger, make)) for _ in range(2)]
    await asyncio.sleep(0)
    followers[0].cancel()
    assert await leader == (b"entry 1", True)
    assert await followers[1] == (b"entry 1", False)
    assert followers[0].cancelled()


async def test_a_replica_need_not_wait_for_the_lease_of_a_cancelled_leader(
    ledger: RedisLedger, elsewhere: RedisLedger
) -> None:
    make = Maker(seconds=60)
    leader = asyncio.create_task(once(ledger, make))
    await make.begun.wait()
    follower = asyncio.create_task(once(elsewhere, second := Maker()))
    await asyncio.sleep(0.05)
    leader.cancel()
    async with asyncio.timeout(5):
        assert await follower == (b"entry 1", True)
    assert second.started == 1


async def test_an_answer_that_came_is_kept_though_its_leader_is_cancelled(
    ledger: RedisLedger, shared_server: Server
) -> None:
    answered = asyncio.Event()

    async def make() -> bytes:
        answered.set()
        return b"paid"

    await once(ledger, Maker(), "another tenant")  # the server knows the scripts
    leader = asyncio.create_task(ledger.once("acme", KEY, make, accept=anything))
    await answered.wait()
    with shared_server.asleep():
        leader.cancel()
        await asyncio.sleep(0.05)
    await asyncio.wait([leader])
    assert leader.cancelled()
    assert await once(ledger, make_again := Maker()) == (b"paid", False)
    assert make_again.started == 0


async def test_each_follower_of_a_leader_that_fails_makes_one_attempt_after_the_other(
    ledger: RedisLedger, elsewhere: RedisLedger
) -> None:
    make = Maker(seconds=0.02, failures=99)
    calls = (once(each, make) for each in (ledger, elsewhere) * 4)
    told = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(error) for error in told] == [LookupError] * 8
    assert (make.started, make.at_once) == (8, 1)


async def test_the_first_success_after_failures_serves_the_rest(ledger: RedisLedger) -> None:
    make = Maker(seconds=0.02, failures=2)
    told = await asyncio.gather(*(once(ledger, make) for _ in range(10)), return_exceptions=True)
    assert [type(each) for each in told[:2]] == [LookupError] * 2
    assert told[2:] == [(b"entry 3", True), *[(b"entry 3", False)] * 7]


async def test_a_leader_that_lost_its_lock_leaves_the_next_ones_alone(ledger: RedisLedger, redis: Plain) -> None:
    async def make() -> bytes:
        [lock] = await redis.keys("*:lock")
        await redis.set(lock, "another's token")
        return b"late"

    assert await ledger.once("acme", KEY, make, accept=anything) == (b"late", True)
    assert [await redis.get(lock) for lock in await redis.keys("*:lock")] == [b"another's token"]


PROCESS = """
    import asyncio, sys
    from redis.asyncio import Redis
    from service.answers import RedisLedger

    async def main(url, lease, seconds):
        async with Redis.from_url(url) as redis:
            async def make():
                await redis.incr("made")
                await asyncio.sleep(seconds)
                return b"from a process"
            ledger = RedisLedger(redis, lease_seconds=lease)
            async def call():
                return await ledger.once("acme", "KEY", make, accept=lambda entry: True)
            print(await asyncio.gather(*(call() for _ in range(10))))

    asyncio.run(main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3])))
"""


def process(server: Server, *, lease: float, seconds: float) -> "subprocess.Popen[str]":
    """Ten equal calls in another process."""
    words = [
        sys.executable,
        "-c",
        textwrap.dedent(PROCESS).replace("KEY", KEY),
        server.url,
        str(lease),
        str(seconds),
    ]
    return subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True)


async def began(redis: Plain) -> bool:
    return await settled(lambda: exists(redis, "made"), seconds=30)


async def exists(redis: Plain, key: str) -> bool:
    return bool(await redis.exists(key))


async def test_two_processes_make_one_call(shared_server: Server, redis: Plain) -> None:
    processes = [process(shared_server, lease=10, seconds=1) for _ in range(2)]
    said = await asyncio.gather(*(asyncio.to_thread(each.communicate) for each in processes))
    told = "".join(out for out, _ in said)
    assert [each.returncode for each in processes] == [0, 0]
    assert (told.count("True"), told.count("False")) == (1, 19)
    assert await redis.get("made") == b"1"


async def test_another_process_takes_over_from_one_that_was_killed(
    shared_server: Server, ledger: RedisLedger, redis: Plain
) -> None:
    leader = process(shared_server, lease=1, seconds=600)
    assert await began(redis)
    follower = asyncio.create_task(once(ledger, make := Maker()))
    await asyncio.sleep(1.5)
    assert not follower.done(), "the lock is renewed while its holder lives"
    leader.kill()
    await asyncio.to_thread(leader.communicate)
    async with asyncio.timeout(10):
        assert await follower == (b"entry 1", True)
    assert make.started == 1


# What is kept, for whom, and how


async def test_another_tenant_never_gets_an_answer(ledger: RedisLedger) -> None:
    tenants = ["acme", "acme/", "acme}", "", "%", "%2F", "acme\udc80", f"acme/{KEY}"]
    told = await asyncio.gather(*(once(ledger, Maker(seconds=0.05), tenant) for tenant in tenants))
    assert [made for _, made in told] == [True] * len(tenants)
    told = await asyncio.gather(*(once(ledger, Maker(), tenant) for tenant in tenants))
    assert [made for _, made in told] == [False] * len(tenants)


async def test_an_entry_expires(client: AsyncClient, redis: Plain) -> None:
    ledger = RedisLedger(client, ttl_seconds=0.3)
    make = Maker()
    await once(ledger, make)
    [key] = await redis.keys()
    assert await redis.pttl(key) <= 300

    async def gone() -> bool:
        return not await redis.exists(key)

    assert await settled(gone)
    assert await once(ledger, make) == (b"entry 2", True)


async def test_it_is_kept_for_a_day_by_default(ledger: RedisLedger, redis: Plain) -> None:
    await once(ledger, Maker())
    [key] = await redis.keys()
    assert 86_390 < await redis.ttl(key) <= 86_400


async def test_nothing_that_was_answered_can_be_read_in_the_store(client: AsyncClient, redis: Plain) -> None:
    async def make() -> bytes:
        return SECRET

    old, new = {"2025": os.urandom(32)}, {"2026": os.urandom(32)}
    sealing = RedisLedger(client, serializer=encrypted(old))
    await sealing.once("acme", KEY, make, accept=anything)
    assert "unannounced" not in str(await contents(redis))
    rotated = RedisLedger(client, serializer=encrypted({**new, **old}))
    assert await once(rotated, Maker()) == (SECRET, False)


@pytest.mark.parametrize("reader", [encrypted({"2026": os.urandom(32)}), None], ids=["another key", "no key"])
async def test_what_cannot_be_opened_counts_as_absent(client: AsyncClient, reader: Any) -> None:
    await once(RedisLedger(client, serializer=encrypted({"2025": os.urandom(32)})), Maker())
    assert await once(RedisLedger(client, serializer=reader), Maker()) == (b"entry 1", True)


@pytest.mark.parametrize("foreign", [b"", b"foreign", b"json\0{", b"json\0{}", b"\xff\0", b"msgpack\0\xc1"])
async def test_foreign_bytes_count_as_absent(ledger: RedisLedger, redis: Plain, foreign: bytes) -> None:
    await once(ledger, Maker())
    [key] = await redis.keys()
    await redis.set(key, foreign)
    assert await once(ledger, Maker()) == (b"entry 1", True)


async def test_an_entry_that_is_not_accepted_is_replaced_once_for_all(
    ledger: RedisLedger, elsewhere: RedisLedger
) -> None:
    await once(ledger, make := Maker(seconds=0.05))
    calls = (
        each.once("acme", KEY, make, accept=lambda entry: entry != b"entry 1") for each in (ledger, elsewhere) * 5
    )
    told = await asyncio.gather(*calls)
    assert make.started == 2
    assert {entry for entry, _ in told} == {b"entry 2"}


async def test_who_accepts_nothing_makes_it_alone(ledger: RedisLedger, elsewhere: RedisLedger) -> None:
    make = Maker(seconds=0.02)
    calls = (each.once("acme", KEY, make, accept=lambda _: False) for each in (ledger, elsewhere) * 3)
    assert [made for _, made in await asyncio.gather(*calls)] == [True] * 6
    assert (make.started, make.at_once) == (6, 1)


# Servers


async def test_an_answer_is_stored_though_the_server_restarts_meanwhile(own_server: Server) -> None:
    async with open_async(locate(own_server.url), timeout=1) as client:
        ledger = RedisLedger(client)
        making = asyncio.create_task(once(ledger, make := Maker(seconds=0.3)))
        while not make.started:  # noqa: ASYNC110 - it tells by a number
            await asyncio.sleep(0.01)
        own_server.kill()
        assert await asyncio.wait([making], timeout=1.8) == (set(), {making})
        own_server.start()
        assert await making == (b"entry 1", True)
        assert await once(ledger, make) == (b"entry 1", False)


async def test_a_server_that_is_gone_is_told_and_nothing_is_made(own_server: Server) -> None:
    async with open_async(locate(own_server.url), timeout=1) as client:
        ledger = RedisLedger(client)
        own_server.kill()
        make = Maker()
        with pytest.raises(CheckpointStoreUnavailable, match=r"The answer ledger at 127\.0\.0\.1:\d+ cannot be"):
            await once(ledger, make)
        assert make.started == 0
        own_server.start()
        assert await once(ledger, make) == (b"entry 1", True)


async def test_a_server_that_goes_while_an_answer_is_made_is_told(own_server: Server) -> None:
    async with open_async(locate(own_server.url), timeout=1) as client:
        ledger = RedisLedger(client, lease_seconds=1)
        leader = asyncio.create_task(once(ledger, make := Maker(seconds=0.5)))
        await make.begun.wait()
        followers = [asyncio.create_task(once(ledger, make)) for _ in range(3)]
        own_server.kill()
        told = await asyncio.gather(leader, *followers, return_exceptions=True)
        assert [type(error) for error in told] == [CheckpointStoreUnavailable] * 4
        assert make.started == 1
        own_server.start()
        async with asyncio.timeout(10):
            assert await once(ledger, make) == (b"entry 2", True)


async def test_a_server_that_hangs_is_told(own_server: Server) -> None:
    async with open_async(locate(own_server.url), timeout=0.3) as client:
        with own_server.asleep():
            began_at = time.monotonic()
            with pytest.raises(CheckpointStoreUnavailable, match="did not answer in time"):
                await once(RedisLedger(client), Maker())
            assert time.monotonic() - began_at < 5


@pytest.fixture(scope="module", params=SERVERS)
def cluster(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Generator[list[Server]]:
    with start_cluster(request.param, tmp_path_factory.mktemp("cluster")) as nodes:
        yield nodes


@pytest.fixture
async def sharded(cluster: list[Server]) -> AsyncGenerator[RedisLedger]:
    location = locate(cluster_url(cluster))
    async with open_async(location, timeout=5, retries=3) as client:
        ledger = RedisLedger(client, where=f"The ledger at {location}")
        await once(ledger, Maker(), "first")  # redis-py trips over itself when many calls find it new
        yield ledger


async def test_a_cluster_shares_the_entries(sharded: RedisLedger, cluster: list[Server]) -> None:
    make = Maker(seconds=0.05)
    keys = [f"{number:064x}" for number in range(30)]
    for expected in (30, 0):
        told = await asyncio.gather(
            *(sharded.once("acme", key, make, accept=anything) for key in keys for _ in range(3))
        )
        assert sum(made for _, made in told) == expected
    for node in cluster:
        async with connect(node.url) as plain:
            assert 0 < await plain.dbsize() < 30


async def test_what_was_made_for_an_owner_is_forgotten_with_them(ledger: RedisLedger) -> None:
    make = Maker()
    for tenant, key, owner in (
        ("acme", "one", "campaign 1"), ("acme", "two", "campaign 1"), ("acme", "three", "campaign 2"),
        ("acme*", "one", "campaign 1"),
    ):  # fmt: skip
        await ledger.once(tenant, key, make, accept=anything, owner=owner)
    assert await ledger.forget("acme", "campaign 1") == 2
    assert await ledger.forget("acme", "campaign 1") == 0
    assert await ledger.once("acme", "three", make, accept=anything) == (b"entry 3", False)
    assert await ledger.once("acme*", "one", make, accept=anything) == (b"entry 4", False)
    assert await ledger.once("acme", "one", make, accept=anything) == (b"entry 5", True)


async def test_a_tenant_is_forgotten_whole_and_no_other(ledger: RedisLedger, client: AsyncClient) -> None:
    make = Maker()
    for tenant, owner in (("acme", "campaign 1"), ("acme", ""), ("acme-2", "campaign 1"), ("ac", "campaign 2")):
        await ledger.once(tenant, f"key of {owner}", make, accept=anything, owner=owner)
    await ledger.forget_tenant("acme")
    walk: Any = client
    left = [name async for name in walk.scan_iter(match="*answer*")]
    assert left
    assert not [name for name in left if b"{acme/" in name]
    assert await ledger.once("ac", "key of campaign 2", make, accept=anything) == (b"entry 4", False)
