"""The pool: turns, errors, cancellation."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from tools.imaging.pool import Pool, cores, pool


def test_there_is_one_pool_with_a_thread_for_each_core() -> None:
    with ThreadPoolExecutor(8) as threads:
        assert {each.result() for each in [threads.submit(pool) for _ in range(32)]} == {pool()}
    assert pool().threads == cores() >= 1


def test_results_come_in_order() -> None:
    def late(number: int) -> int:
        time.sleep(0.01 * (5 - number))
        return number

    assert Pool(3).run(partial(late, number) for number in range(5)) == [0, 1, 2, 3, 4]
    assert Pool(1).run([]) == []


def test_batches_take_turns() -> None:
    order: list[str] = []
    one, started, go = Pool(1), threading.Event(), threading.Event()

    def first() -> None:
        started.set()
        go.wait(5)

    def noted(name: str) -> Callable[[], None]:
        return lambda: order.append(name)

    with ThreadPoolExecutor(3) as threads:
        waiting = [threads.submit(one.run, [first])]
        started.wait(5)
        for name, count in (("long", 5), ("short", 2)):
            waiting.append(threads.submit(one.run, [noted(f"{name} {at}") for at in range(count)]))
            while one.waiting < len(waiting) - 1:
                time.sleep(0.001)
        go.set()
        for each in waiting:
            each.result(5)
    assert order == ["long 0", "short 0", "long 1", "short 1", "long 2", "long 3", "long 4"]


async def test_the_first_error_is_raised_and_stops_what_has_not_begun() -> None:
    done: list[int] = []

    def fail() -> None:
        raise ValueError("This one.")

    def draw(at: int) -> None:
        time.sleep(0.01)
        done.append(at)

    tasks: list[Callable[[], None]] = [fail, *(partial(draw, at) for at in range(200))]
    with pytest.raises(ValueError, match="This one"):
        await Pool(1).gather(tasks)
    assert len(done) < 200
    done.clear()
    with pytest.raises(ValueError, match="This one"):
        Pool(1).run(tasks)
    assert len(done) < 200


async def test_cancelling_stops_what_has_not_begun_and_leaves_others_alone() -> None:
    one, done = Pool(1), list[str]()
    begun, go = threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go.wait(5)
        done.append("slow")

    campaign = asyncio.create_task(one.gather([slow, *[lambda: done.append("cancelled")] * 50]))
    other = asyncio.create_task(one.gather([lambda: done.append("other")] * 3))
    await asyncio.to_thread(begun.wait, 5)
    campaign.cancel()
    with pytest.raises(asyncio.CancelledError):
        await campaign
    go.set()
    await asyncio.wait_for(other, 5)
    assert done == ["slow", "other", "other", "other"]


async def test_the_event_loop_goes_on_meanwhile() -> None:
    working, ticks = asyncio.create_task(Pool(1).gather([lambda: time.sleep(0.2)])), 0
    while not working.done():
        await asyncio.sleep(0.005)
        ticks += 1
    assert ticks > 5
