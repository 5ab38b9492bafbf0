"""Keeps what was made last, up to a number of bytes; what several threads want at once is made once."""

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


class Shelf(Generic[T]):
    """Things by key, the least recently used given away first, so that never more than `room` bytes are kept.

    A thing larger than `room` is made, shared with whoever waits for it, and not kept. Safe from any thread.
    """

    def __init__(self, room: int, *, weigh: Callable[[T], int]) -> None:
        self.room = room
        self._weigh = weigh
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, _Thing[T]] = OrderedDict()
        self._coming: dict[Hashable, Future[T]] = {}
        self._weight = 0

    @property
    def weight(self) -> int:
        """The bytes of all that is kept."""
        return self._weight

    def get(self, key: Hashable, make: Callable[[], T], *, of: object | None = None) -> T:
        """What is kept under `key`, or what `make` returns now; what it raises, all who wait for it are told.

        A thing made `of` another, by whose identity it is known, is not given out after the other has gone.
        """
        known = key if of is None else (id(of), key)
        with self._lock:
            thing = self._kept.get(known)
            if thing and thing.is_of(of):
                self._kept.move_to_end(known)
                return thing.value
            coming, first = self._coming.get(known), known not in self._coming
            if coming is None:
                coming = self._coming[known] = Future()
        if first:
            self._make(known, make, of, coming)
        return coming.result()

    def clear(self) -> None:
        """Keep nothing any more."""
        with self._lock:
            self._kept.clear()
            self._weight = 0

    def _make(self, key: Hashable, make: Callable[[], T], of: object | None, coming: Future[T]) -> None:
        try:
            value = make()
        except BaseException as error:  # noqa: BLE001 - whoever waits is told, the caller too
            with self._lock:
                del self._coming[key]
            coming.set_exception(error)
            return
        with self._lock:
            del self._coming[key]
            self._keep(key, _Thing(value, self._weigh(value), weakref.ref(of) if of is not None else None))
        coming.set_result(value)

    def _keep(self, key: Hashable, thing: "_Thing[T]") -> None:
        if thing.weight > self.room:
            return
        older = self._kept.pop(key, None)
        self._weight += thing.weight - (older.weight if older else 0)
        self._kept[key] = thing
        while self._weight > self.room:
            self._weight -= self._kept.popitem(last=False)[1].weight


@dataclass(frozen=True, eq=False)
class _Thing(Generic[T]):
    value: T
    weight: int
    origin: "weakref.ref[object] | None"

    def is_of(self, of: object | None) -> bool:
        """Whether it was made of this very object, and not of one that had its address before."""
        return self.origin is None if of is None else self.origin is not None and self.origin() is of
