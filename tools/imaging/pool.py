"""The threads that work on pictures: as many as there are cores, shared by all campaigns in turns."""

import asyncio
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, partial
from typing import Any, TypeVar

T = TypeVar("T")


class Pool:
    """Threads that take one task of each batch after another, so that a short batch never waits for a long one.

    Tasks must not wait for tasks of the same pool.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="pictures")
        self._lock = threading.Lock()
        self._batches: deque[deque[Callable[[], None]]] = deque()

    def run(self, tasks: Iterable[Callable[[], T]]) -> list[T]:
        """Do all tasks as one batch, and wait; the first error cancels what has not begun, and is raised."""
        futures = self._queue(tasks)
        try:
            return [future.result() for future in futures]
        finally:
            _cancel(futures)

    async def gather(self, tasks: Iterable[Callable[[], T]]) -> list[T]:
        """Do all tasks as one batch while the event loop goes on; cancelled, what has not begun never will."""
        futures = self._queue(tasks)
        try:
            return await asyncio.gather(*map(asyncio.wrap_future, futures))
        finally:
            _cancel(futures)

    @property
    def waiting(self) -> int:
        """The batches of which a task has not begun."""
        return len(self._batches)

    def _queue(self, tasks: Iterable[Callable[[], T]]) -> list[Future[T]]:
        work = [(Future[T](), task) for task in tasks]
        batch: deque[Callable[[], None]] = deque(partial(_do, future, task) for future, task in work)
        with self._lock:
            if batch:
                self._batches.append(batch)
        for _ in work:
            self._executor.submit(self._turn)
        return [future for future, _ in work]

    def _turn(self) -> None:
        """Do the next task of the batch whose turn it is; there are as many turns as tasks."""
        with self._lock:
            batch = self._batches.popleft()
            do = batch.popleft()
            if batch:
                self._batches.append(batch)
        do()


def pool() -> Pool:
    """The pool of this process."""
    with _OPENING:
        return _opened()


def cores() -> int:
    """The cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _do(future: Future[T], task: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(task())
    except BaseException as error:  # noqa: BLE001 - it is raised where the task was asked for
        future.set_exception(error)


def _cancel(futures: Iterable[Future[Any]]) -> None:
    for future in futures:
        future.cancel()


@cache
def _opened() -> Pool:
    return Pool(cores())


_OPENING = threading.Lock()
os.register_at_fork(after_in_child=_opened.cache_clear)  # a forked child has none of its parent's threads
