"""A `Model` that does not give up at once: further attempts, corrections, rest during an outage, a stand-in.

A server that does not answer is asked again with backoff and jitter. When it answers nobody, a breaker lets only
one caller try now and then; the others wait, and all go on as soon as one was answered.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

import structlog
from langchain_core.runnables.config import ensure_config, merge_configs, var_child_runnable_config

from agents.model import (
    Answer,
    Check,
    Flag,
    Model,
    ModelBusy,
    ModelError,
    ModelGarbled,
    ModelQuotaSpent,
    ModelUnavailable,
    T,
    Usage,
)
from agents.prompts import Rendered

log = structlog.get_logger()

R = TypeVar("R")

CORRECTIONS = 2
"""How often a model is told what was wrong with its answer before a person must look."""


@dataclass
class Breaker:
    """Knows whether an endpoint answers; after `threshold` failures in a row it rests, longer each time."""

    threshold: int = 5
    first_rest: float = 1.0
    longest_rest: float = 15.0
    _failures: int = 0
    _rest: float = 0.0
    _until: float = 0.0
    _trying: bool = False
    _change: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def resting(self) -> bool:
        """Whether the endpoint is taken to be away."""
        return self._rest > 0

    async def enter(self, deadline: float) -> bool:
        """Wait until a call may be made; whether it is the trial after a rest.

        Raises `ModelUnavailable` when the rest lasts beyond `deadline` (of `time.monotonic`).
        """
        while self.resting:
            now = time.monotonic()
            if now >= self._until and not self._trying:
                self._trying = True
                return True
            if now >= deadline:
                raise ModelUnavailable("The model server answers nobody at present; retry in a few minutes.")
            await self._news(deadline - now if self._trying else min(deadline, self._until) - now)
        return False

    @contextlib.contextmanager
    def watching(self, *, trial: bool) -> Generator[None]:
        """Learn from how the call within ends: any answer means that the endpoint is there."""
        try:
            yield
        except ModelBusy:
            self._answered()
            raise
        except ModelUnavailable:
            self._failed(trial=trial)
            raise
        except ModelError:
            self._answered()
            raise
        except BaseException:  # cancelled: nothing was learnt, and another caller may try
            self._trying = self._trying and not trial
            self._tell()
            raise
        else:
            self._answered()

    def _answered(self) -> None:
        self._failures, self._rest, self._trying = 0, 0.0, False
        self._tell()

    def _failed(self, *, trial: bool) -> None:
        self._failures += 1
        if trial or (self._failures >= self.threshold and not self.resting):
            self._trying = False
            self._rest = min(self._rest * 2 or self.first_rest, self.longest_rest)
            self._until = time.monotonic() + self._rest * random.uniform(0.8, 1.2)  # noqa: S311 - no secret
            self._tell()

    async def _news(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._change.wait()

    def _tell(self) -> None:
        self._change.set()
        self._change = asyncio.Event()


class Patient:
    """Asks `model` until it answers: at most `attempts` times beside trials, no longer than `seconds`.

    `model` itself bounds one attempt. At most `at_once` calls are under way; the others wait their turn, which is
    not counted. An answer in the wrong form is sent back twice. With `waits` False a call ends while the breaker
    rests, and soon after the server asks for patience: for an endpoint that has a stand-in. Screening has a
    breaker of its own, because another server may answer it.
    """

    def __init__(
        self,
        model: Model,
        *,
        breaker: Breaker | None = None,
        screening: Breaker | None = None,
        seconds: float = 120.0,
        attempts: int = 6,
        at_once: int = 1000,
        waits: bool = True,
    ) -> None:
        self._model = model
        self._breaker = breaker or Breaker()
        self._screening = screening or Breaker()
        self._seconds = seconds
        self._turns = asyncio.Semaphore(at_once)
        self._attempts = attempts
        self._waits = waits

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        """See `Model.answer`; the usage is that of all attempts."""
        async with self._turns:
            return await self._corrected(agent, prompt, output, check)

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        """See `Model.screen`."""
        return await self._screened(partial(self._model.screen, texts))

    async def screen_picture(self, data: bytes, media_type: str) -> list[Flag]:
        """See `Model.screen_picture`."""
        return await self._screened(partial(self._model.screen_picture, data, media_type))

    async def _screened(self, call: Callable[[], Awaitable[R]]) -> R:
        async with self._turns:
            return await self._persist(call, time.monotonic() + self._seconds, self._screening)

    async def _corrected(self, agent: str, prompt: Rendered, output: type[T], check: Check[T] | None) -> Answer[T]:
        asked, corrections, used = prompt, 0, None
        deadline = time.monotonic() + self._seconds
        while True:
            call = partial(self._model.answer, agent, asked, output, check=check)
            try:
                answer = await self._persist(call, deadline, self._breaker)
            except ModelGarbled as error:
                used = _sum(used, error.usage)
                corrections += 1
                if corrections > CORRECTIONS or time.monotonic() >= deadline:
                    raise _hopeless(error, corrections, used) from error
                asked = prompt.corrected(error.said, error.wrong) if error.said and error.wrong else prompt
            except ModelError as error:
                error.usage = _sum(used, error.usage)
                raise
            else:
                return replace(answer, usage=used + answer.usage if used else answer.usage)

    async def _persist(self, call: Callable[[], Awaitable[R]], deadline: float, breaker: Breaker) -> R:
        """Make the call again while nobody answers."""
        pauses, attempts = _pauses(), 0
        while True:
            trial = await breaker.enter(deadline if self._waits else 0)
            attempts += not trial
            try:
                with _numbered(attempts):
                    return await self._in_time(call, breaker, trial=trial, deadline=deadline)
            except ModelUnavailable as error:
                busy = isinstance(error, ModelBusy)
                pause = next(pauses) + (error.retry_after or 0.0 if isinstance(error, ModelBusy) else 0.0)
                tired = attempts >= self._attempts and not (busy and self._waits)
                if tired or time.monotonic() + pause >= deadline:
                    raise
                log.info("model_call_repeated", attempt=attempts, why=str(error), pause=round(pause, 2))
            if not (trial and breaker.resting):  # the breaker paces trials
                await asyncio.sleep(pause)

    async def _in_time(
        self, call: Callable[[], Awaitable[R]], breaker: Breaker, *, trial: bool, deadline: float
    ) -> R:
        """Our own deadline says nothing of the server, so the breaker does not learn from it."""
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                with breaker.watching(trial=trial):
                    return await call()
        except TimeoutError as error:
            raise ModelUnavailable("The model server did not answer in time; retry when it is faster.") from error


class StoodIn:
    """Asks `second` whatever `first` cannot answer at present."""

    def __init__(self, first: Model, second: Model) -> None:
        self._first = first
        self._second = second

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        """See `Model.answer`."""
        try:
            return await self._first.answer(agent, prompt, output, check=check)
        except (ModelUnavailable, ModelQuotaSpent) as error:
            log.warning("model_stood_in_for", agent=agent, why=str(error))
            try:
                answer = await self._second.answer(agent, prompt, output, check=check)
            except ModelError as second:
                second.usage = _sum(error.usage, second.usage)
                raise
            return replace(answer, usage=error.usage + answer.usage if error.usage else answer.usage)

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        """See `Model.screen`; the first one's endpoint, for a stand-in may have none."""
        return await self._first.screen(texts)

    async def screen_picture(self, data: bytes, media_type: str) -> list[Flag]:
        """See `Model.screen_picture`; the first one's endpoint."""
        return await self._first.screen_picture(data, media_type)


def _pauses() -> Iterator[float]:
    """Seconds before each further attempt: from half a second on, doubled up to eight, with jitter."""
    longest = 0.5
    while True:
        yield longest * random.uniform(0.5, 1)  # noqa: S311 - no secret
        longest = min(2 * longest, 8.0)


def _sum(used: Usage | None, more: Usage | None) -> Usage | None:
    return used + more if used and more else used or more


def _hopeless(error: ModelGarbled, times: int, used: Usage | None) -> ModelGarbled:
    return ModelGarbled(
        f"{error} It was asked {times} times; a person must look: retry, or choose another model.",
        said=error.said,
        wrong=error.wrong,
        usage=used,
    )


@contextlib.contextmanager
def _numbered(attempt: int) -> Generator[None]:
    """Traces say of a call which attempt it is."""
    token = var_child_runnable_config.set(merge_configs(ensure_config(), {"metadata": {"attempt": attempt}}))
    try:
        yield
    finally:
        var_child_runnable_config.reset(token)
