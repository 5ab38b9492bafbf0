"""Carries a plan out, request by request: scripts by their digest, second attempts, refusals explained."""

import random
from collections.abc import Generator, Iterator
from typing import Any, NamedTuple, TypeAlias, TypeVar

from redis.exceptions import NoScriptError, ResponseError

from graph.checkpoints.errors import FAILURES, explain, worth_another_attempt
from graph.checkpoints.plans import Ask, AskAll, Call, Found, Step, Threads

T = TypeVar("T")


_LONGEST_PAUSE = 0.4


class Send(NamedTuple):
    """Send a command, to a certain node of a cluster if one is given; answer what it answers."""

    args: tuple[Any, ...]
    node: Any = None


class Scan(NamedTuple):
    """Answer the set of all sorted sets whose keys match."""

    pattern: str


class Nodes(NamedTuple):
    """Answer the primaries by name; of a server alone, itself as `{"": None}`."""


class Pause(NamedTuple):
    """Wait, in seconds; other requests may go on."""

    seconds: float


class Told(NamedTuple):
    """A checkpoint of a listing, or at last the plan's result."""

    value: Any
    last: bool


Request: TypeAlias = Send | Scan | Nodes | Pause
Talk: TypeAlias = Generator[Request | Found, Any, T]


def converse(plan: Generator[Step | Found, Any, T], *, timeout: float, where: str) -> Talk[T]:
    """Ask for what `plan` needs, and return its result.

    A request that failed is answered by throwing the client's error in. A server that is not there is tried
    again for `timeout` seconds; every step may be repeated without harm. Raises `CheckpointStoreError`.
    """
    answer: Any = None
    while True:
        try:
            step = plan.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result
        if isinstance(step, Found):
            answer = yield step
        else:
            answer = yield from _attempts(step, timeout, where)


def _attempts(step: Step, timeout: float, where: str) -> Generator[Request, Any, Any]:
    waits = pauses(timeout)
    while True:
        try:
            return (yield from _requests(step))
        except FAILURES as error:
            pause = next(waits, None) if worth_another_attempt(error) else None
            if pause is None:
                thread_id = step.thread_id if isinstance(step, Call) else ""
                raise explain(error, where=where, thread_id=thread_id) from error
        yield Pause(pause)


def _requests(step: Step) -> Generator[Request, Any, Any]:
    match step:
        case Call():
            return (yield from _evaluate(step))
        case Ask():
            return (yield Send(step.args))
        case Threads():
            return (yield Scan(step.pattern))
        case AskAll():
            answers: dict[str, Any] = {}
            for name, node in (yield Nodes()).items():
                answers[name] = yield from _permitted(Send(step.args, node))
            return answers


def _evaluate(call: Call) -> Generator[Request, Any, Any]:
    """Name the script by its digest; send it whole to a server that does not know it yet."""
    keys_and_args = (len(call.keys), *call.keys, *call.args)
    try:
        return (yield Send(("EVALSHA", call.script.digest, *keys_and_args)))
    except NoScriptError:
        return (yield Send(("EVAL", call.script.source, *keys_and_args)))


def _permitted(request: Send) -> Generator[Request, Any, Any]:
    try:
        return (yield request)
    except ResponseError:
        return None


def pauses(seconds: float) -> Iterator[float]:
    """How long to wait before each further attempt, until `seconds` have been waited: backoff with jitter."""
    longest = 0.05
    while seconds > 0:
        pause = min(longest * random.uniform(0.5, 1), seconds)  # noqa: S311 - nobody gains by guessing it
        yield pause
        seconds -= pause
        longest = min(2 * longest, _LONGEST_PAUSE)
