"""The ledger of calls: what arrived, and what was answered to the last byte."""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any


@dataclass
class Call:
    """One request: without a status nothing was answered, and `committed` when its answer was sent.

    `fault` is what went wrong on order.
    """

    n: int
    agent: str | None
    schema: str | None
    key: str
    at: str
    process: int
    status: int | None = None
    committed: bool = False
    fault: str | None = None

    def as_json(self) -> dict[str, Any]:
        """As `GET /rehearsal/calls` lists it."""
        return asdict(self)


class Calls:
    """Every call in order of arrival; with a file, also across the death of the process that served them."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._calls = _replayed(file.read_text("utf-8").splitlines()) if file and file.exists() else []

    def arrive(self, *, agent: str | None, schema: str | None, key: str) -> Call:
        """Note that a request has come."""
        last = self._calls[-1].n if self._calls else 0
        call = Call(last + 1, agent, schema, key, datetime.now(UTC).isoformat(), os.getpid())
        self._calls.append(call)
        self._write("arrived", call)
        return call

    def commit(self, call: Call, status: int) -> None:
        """Note that the answer to `call` was sent to its last byte."""
        call.committed, call.status = True, status
        self._write("committed", call)

    def fail(self, call: Call, status: int) -> None:
        """Note that `call` is refused with `status`, by its own fault or by a fault that was ordered."""
        call.status = status
        self._write("failed", call)

    def reset(self) -> None:
        """Forget every call, and begin to count anew."""
        self._calls.clear()
        if self._file:
            self._file.write_text("", "utf-8")

    def as_json(self) -> list[dict[str, Any]]:
        """Every call so far."""
        return [call.as_json() for call in self._calls]

    def _write(self, event: str, call: Call) -> None:
        """One line in one write, so that a killed process leaves no half of it."""
        if self._file:
            line = json.dumps({"event": event, **call.as_json()}) + "\n"
            with self._file.open("ab", buffering=0) as file:
                file.write(line.encode())


def _replayed(lines: Iterable[str]) -> list[Call]:
    """The calls that a ledger tells of; its last line may be torn."""
    calls: dict[tuple[int, int], Call] = {}
    for line in lines:
        try:
            told: dict[str, Any] = json.loads(line)
        except ValueError:
            continue
        told.pop("event", None)
        call = Call(**told)
        calls[call.process, call.n] = call
    return list(calls.values())
