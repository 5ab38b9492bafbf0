"""Calls that fail, and what becomes of them: a scripted model stands where the server's adapter does."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from agents.model import (
    Answer,
    Check,
    Flag,
    ModelBusy,
    ModelGarbled,
    ModelQuotaSpent,
    ModelRefused,
    ModelRejected,
    ModelUnavailable,
    T,
    Usage,
)
from agents.patience import Breaker, Patient, StoodIn
from agents.prompts import Rendered
from agents.purse import cost_of

PROMPT = Rendered([HumanMessage("Write.")], "writer@1")
GARBLED = ModelGarbled("It is no JSON.", said="hm", wrong="It is no JSON.", usage=Usage(model="m", input_tokens=7))
AWAY = ModelUnavailable("away")


class Word(BaseModel):
    """What is asked for."""

    word: str


class Scripted:
    """A model that does what its script says, one line a call, the last line for ever."""

    def __init__(self, *script: Exception | str | Callable[[], Awaitable[str]]) -> None:
        self.script = list(script)
        self.asked: list[Rendered] = []

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        assert agent == "writer"
        assert check is None
        self.asked.append(prompt)
        word = await self._next()
        return Answer(output.model_validate({"word": word}), Usage(model="m", input_tokens=10), prompt.fingerprint)

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        self.asked.append(PROMPT)
        return [Flag(0, await self._next(), len(texts), "block")]

    async def screen_picture(self, data: bytes, media_type: str) -> list[Flag]:
        self.asked.append(PROMPT)
        return [Flag(0, await self._next(), len(data), "warn")] if media_type else []

    async def _next(self) -> str:
        line = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(line, Exception):
            raise line
        return line if isinstance(line, str) else await line()


def patient(model: Any, **options: Any) -> Patient:
    usual: dict[str, Any] = {"seconds": 5.0, "breaker": Breaker(first_rest=0.05, longest_rest=0.1)}
    return Patient(model, **(usual | options))


async def ask(model: Any) -> Answer[Word]:
    answer: Answer[Word] = await model.answer("writer", PROMPT, Word)
    return answer


async def test_what_fails_is_asked_again() -> None:
    model = Scripted(AWAY, ModelBusy("later", retry_after=0.01), "well")
    assert (await ask(patient(model))).output.word == "well"
    assert len(model.asked) == 3


async def test_the_server_s_own_wait_is_respected() -> None:
    started = time.monotonic()
    await ask(patient(Scripted(ModelBusy("later", retry_after=0.4), "well")))
    assert 0.4 <= time.monotonic() - started < 2


async def test_a_wait_beyond_the_time_there_is_ends_at_once() -> None:
    with pytest.raises(ModelBusy):
        await ask(patient(Scripted(ModelBusy("tomorrow", retry_after=3600))))


async def test_a_wrong_answer_is_sent_back_with_what_is_wrong() -> None:
    model = Scripted(GARBLED, GARBLED, "well")
    answer = await ask(patient(model))
    assert answer.usage == Usage(model="m", input_tokens=24, attempts=3)
    first, second, third = (asked.messages for asked in model.asked)
    assert [len(first), len(second), len(third)] == [1, 3, 3]
    assert second[1].content == "hm"
    assert "It is no JSON." in str(second[2].content)


async def test_a_third_wrong_answer_is_for_a_person() -> None:
    model = Scripted(GARBLED)
    with pytest.raises(
        ModelGarbled, match=r"It is no JSON\. It was asked 3 times; a person must look"
    ) as hopeless:
        await ask(patient(model))
    assert len(model.asked) == 3
    assert hopeless.value.usage == Usage(model="m", input_tokens=21, attempts=3)


async def test_an_answer_that_never_came_is_asked_for_without_correction() -> None:
    model = Scripted(ModelGarbled("A page of HTML."), "well")
    await ask(patient(model))
    assert [len(asked.messages) for asked in model.asked] == [1, 1]


@pytest.mark.parametrize("error", [ModelRefused("no"), ModelRejected("key"), ModelQuotaSpent("credit")])
async def test_what_asking_cannot_mend_is_asked_once(error: Exception) -> None:
    model = Scripted(GARBLED, error)
    with pytest.raises(type(error)) as raised:
        await ask(patient(model))
    assert len(model.asked) == 2
    assert raised.value.usage == Usage(model="m", input_tokens=7)  # type: ignore[attr-defined]


async def test_a_call_that_always_fails_ends() -> None:
    model = Scripted(AWAY)
    with pytest.raises(ModelUnavailable):
        await ask(patient(model, breaker=Breaker(threshold=99), attempts=3))
    assert len(model.asked) == 3


async def test_a_call_that_never_ends_is_given_up_and_says_nothing_of_the_server() -> None:
    async def hang() -> str:
        await asyncio.sleep(60)
        return "late"

    breaker = Breaker(threshold=1)
    with pytest.raises(ModelUnavailable, match="in time"):
        await ask(patient(Scripted(hang), seconds=0.2, breaker=breaker))
    assert not breaker.resting


async def test_a_storm_of_refusals_is_outlasted() -> None:
    model = Scripted(*[ModelBusy("later", retry_after=0.0)] * 8, "well")
    assert (await ask(patient(model, seconds=60))).output.word == "well"


async def test_waiting_for_a_turn_is_not_counted() -> None:
    async def slow() -> str:
        await asyncio.sleep(0.1)
        return "well"

    asking = patient(Scripted(slow), seconds=0.5, at_once=1)
    answers = await asyncio.gather(*(ask(asking) for _ in range(10)))
    assert len(answers) == 10


async def test_what_two_models_used_is_priced_apart() -> None:
    dear = ModelGarbled("no", usage=Usage(model="gpt-6.1-sol", output_tokens=100_000))
    first = Scripted(dear, AWAY)
    both = StoodIn(patient(first, waits=False, attempts=1), Scripted("well"))
    usage = (await ask(both)).usage
    assert (usage.model, usage.earlier[0].model) == ("m", "gpt-6.1-sol")
    assert cost_of(usage) > 1
    hopeless = StoodIn(patient(Scripted(dear, AWAY), waits=False, attempts=1), Scripted(ModelRejected("key")))
    with pytest.raises(ModelRejected) as raised:
        await ask(hopeless)
    assert raised.value.usage
    assert cost_of(raised.value.usage) >= 1


class Outage:
    """A model that is away for some seconds."""

    def __init__(self, seconds: float) -> None:
        self.back = time.monotonic() + seconds
        self.calls = 0
        self.failed = 0

    async def answer(
        self, _: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        assert check is None
        self.calls += 1
        await asyncio.sleep(0.001)
        if time.monotonic() < self.back:
            self.failed += 1
            raise AWAY
        return Answer(output.model_validate({"word": "well"}), Usage(model="m"), prompt.fingerprint)


async def test_an_outage_costs_few_calls_and_everybody_ends_well() -> None:
    model = Outage(1.5)
    asking = patient(model, seconds=20, breaker=Breaker(first_rest=0.1, longest_rest=0.2))

    async def later(number: int) -> Answer[Word]:
        await asyncio.sleep(number * 0.003)
        return await ask(asking)

    answers = await asyncio.gather(*(later(number) for number in range(300)))
    assert {answer.output.word for answer in answers} == {"well"}
    assert model.failed < 40
    assert model.calls - model.failed == 300


async def test_an_outage_that_lasts_is_told_within_the_time_there_is() -> None:
    model = Outage(60)
    asking = patient(model, seconds=0.6, attempts=99)
    started = time.monotonic()
    raised = await asyncio.gather(*(ask(asking) for _ in range(50)), return_exceptions=True)
    assert {type(each) for each in raised} == {ModelUnavailable}
    assert time.monotonic() - started < 2


async def test_a_trial_that_is_cancelled_leaves_the_turn_to_another() -> None:
    hanging = asyncio.Event()

    async def hang() -> str:
        hanging.set()
        await asyncio.sleep(60)
        return "never"

    model = Scripted(AWAY, hang, "well")
    asking = patient(model, breaker=Breaker(threshold=1, first_rest=0.05, longest_rest=0.05))
    first, trial = asyncio.create_task(ask(asking)), asyncio.create_task(ask(asking))
    await hanging.wait()
    trial.cancel()
    assert (await asyncio.wait_for(first, 3)).output.word == "well"
    assert len(model.asked) == 3


async def test_a_stand_in_answers_while_the_first_rests() -> None:
    first, second = Scripted(AWAY), Scripted("from the second")
    breaker = Breaker(threshold=2, first_rest=30)
    both = StoodIn(patient(first, breaker=breaker, waits=False, attempts=2), patient(second))
    for _ in range(10):
        assert (await ask(both)).output.word == "from the second"
    assert len(first.asked) == 2


async def test_a_stand_in_also_helps_when_credit_is_spent_but_not_against_a_refusal() -> None:
    assert (await ask(StoodIn(Scripted(ModelQuotaSpent("credit")), Scripted("second")))).output.word == "second"
    with pytest.raises(ModelRefused):
        await ask(StoodIn(Scripted(ModelRefused("no")), Scripted("second")))


async def test_screening_is_as_patient() -> None:
    assert await patient(Scripted(AWAY, "violence")).screen(["a"]) == [Flag(0, "violence", 1, "block")]
    seen = await patient(Scripted(AWAY, "violence")).screen_picture(b"ab", "image/png")
    assert seen == [Flag(0, "violence", 2, "warn")]


async def test_a_moderation_endpoint_that_is_away_does_not_stop_the_model() -> None:
    away = patient(Scripted(AWAY), seconds=0.3, attempts=2, screening=Breaker(threshold=1, first_rest=60))
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            await away.screen(["a"])
    with pytest.raises(ModelUnavailable, match="away"):
        await ask(away)


async def test_a_stand_in_is_never_asked_to_screen() -> None:
    second = Scripted("from the second")
    both = StoodIn(Scripted("from the first"), second)
    flags = [*await both.screen(["a"]), *await both.screen_picture(b"a", "image/png")]
    assert {flag.category for flag in flags} == {"from the first"}
    with pytest.raises(ModelUnavailable):
        await StoodIn(Scripted(AWAY), second).screen_picture(b"a", "image/png")
    assert second.asked == []
