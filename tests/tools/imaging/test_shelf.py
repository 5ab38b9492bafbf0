"""The shelf: what is kept, what is made once, what is given away."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tools.imaging.shelf import Shelf


class Source:
    """Something that things are made of."""


def shelf(room: int = 10) -> Shelf[bytes]:
    return Shelf[bytes](room, weigh=len)


def test_a_thing_is_made_once() -> None:
    made: list[str] = []
    kept = shelf()
    for _ in range(3):
        assert kept.get("a", lambda: made.append("a") or b"abc") == b"abc"  # type: ignore[func-returns-value]
    assert made == ["a"]


def test_the_least_recently_used_goes_first_and_the_cap_holds() -> None:
    kept, made = shelf(10), list[str]()

    def want(key: str) -> None:
        kept.get(key, lambda: made.append(key) or b"1234")  # type: ignore[func-returns-value]
        assert kept.weight <= 10

    for key in ("a", "b", "a", "c", "a", "b"):
        want(key)
    assert made == ["a", "b", "c", "b"]


def test_what_is_larger_than_the_shelf_is_given_out_and_not_kept() -> None:
    kept = shelf(10)
    assert kept.get("a", lambda: b"x" * 11) == b"x" * 11
    assert kept.weight == 0


def test_all_who_want_it_at_once_wait_for_one() -> None:
    kept, made, begun = shelf(0), list[int](), threading.Barrier(8)
    slowly = threading.Event()

    def make() -> bytes:
        made.append(1)
        slowly.wait(5)
        return b"thing"

    def want() -> bytes:
        begun.wait(5)
        if len(made) == 0:
            threading.Timer(0.3, slowly.set).start()
        return kept.get("a", make)

    with ThreadPoolExecutor(8) as threads:
        got = [future.result() for future in [threads.submit(want) for _ in range(8)]]
    assert got == [b"thing"] * 8
    assert made == [1]


def test_a_failure_is_told_and_not_kept() -> None:
    kept = shelf()

    def fail() -> bytes:
        raise ValueError("No.")

    with pytest.raises(ValueError, match="No"):
        kept.get("a", fail)
    assert kept.get("a", lambda: b"better") == b"better"


def test_what_was_made_of_something_goes_with_it() -> None:
    """A new object may have the address of one that is gone; it must not be given the other's things."""
    kept, seen = shelf(1000), set[int]()
    for number in range(200):
        source = Source()
        seen.add(id(source))
        assert kept.get("a", lambda number=number: bytes([number]), of=source) == bytes([number])  # type: ignore[misc]
        assert kept.get("a", lambda: b"other", of=source) == bytes([number])
        del source
    assert len(seen) < 200, "no address came twice, so nothing was tried"


def test_an_empty_shelf_weighs_nothing() -> None:
    kept = shelf()
    kept.get("a", lambda: b"abc")
    kept.clear()
    assert kept.weight == 0
