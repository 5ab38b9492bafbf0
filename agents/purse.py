"""The hard budget: what a call may cost is set aside before it is made, what it did cost is booked after."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from pydantic import BaseModel

from agents.ledger import schema_of, surely
from agents.model import Account, Answer, Check, Flag, Model, ModelError, T, Usage
from agents.prompts import Rendered
from tools.pricing import cost_usd

Estimate = Callable[[str, Rendered, type[BaseModel]], Decimal]
"""US dollars that one call of an agent costs at most."""

_BYTES_A_TOKEN = 2
_PICTURE_TOKENS = 4000
_FRAME_TOKENS = 100


@dataclass(frozen=True)
class Reservation:
    """US dollars set aside for one call, on its account and on the tenant's day (UTC, as in 2026-11-22).

    Without an id nothing is counted: there is neither a budget nor a limit.
    """

    id: str
    account: Account
    amount: Decimal
    day: str


class Purse(Protocol):
    """What campaigns, and their tenants' days, may still spend."""

    async def reserve(self, account: Account, amount: Decimal) -> Reservation:
        """Set `amount` aside; wait while only calls under way stand against it.

        Calls are admitted as long as what was spent and what is set aside stay within the budget. One that is
        larger than what is left is admitted when no other is under way. So a budget is overspent by one call
        at most, or, where calls cost more than was set aside, by those under way.

        Raises `BudgetSpent` once nothing is left, and `ModelBusy` after a long wait.
        """
        ...

    async def settle(self, reservation: Reservation, cost: Decimal) -> None:
        """Book what the call did cost, once however often it is settled, and though it has expired."""
        ...

    async def release(self, reservation: Reservation) -> None:
        """Give back what was set aside for a call that cost nothing."""
        ...


class Paid:
    """A `Model` that pays for each call of another out of a purse, as much as `estimate` says being set aside.

    Whatever repeats and corrects calls belongs behind it: waiting for a budget is no fault of a server.
    One attempt is set aside; corrections are booked with the answer. A call that is cancelled stays reserved until
    that expires, because the provider may have charged for it; one that fails and names no usage is taken to have
    cost nothing. Screening is free.
    """

    def __init__(self, model: Model, purse: Purse, account: Account, estimate: Estimate) -> None:
        self._model = model
        self._purse = purse
        self._account = account
        self._estimate = estimate

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        """See `Model.answer`; `BudgetSpent` when nothing is left to pay with."""
        held = await self._purse.reserve(self._account, self._estimate(agent, prompt, output))
        try:
            answer = await self._model.answer(agent, prompt, output, check=check)
        except ModelError as error:
            paid = error.usage and cost_of(error.usage)
            await surely(self._purse.settle(held, paid) if paid else self._purse.release(held))
            raise
        await surely(self._purse.settle(held, _cost_of_answer(answer.usage, held.amount)))
        return answer

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        """See `Model.screen`."""
        return await self._model.screen(texts)

    async def screen_picture(self, data: bytes, media_type: str) -> list[Flag]:
        """See `Model.screen_picture`."""
        return await self._model.screen_picture(data, media_type)


@dataclass(frozen=True)
class UpperEstimate:
    """An `Estimate` from the prompt's length and the most tokens that an agent may answer with.

    No tokenizer is asked: a token is taken to have two bytes, where English has four and Chinese three.
    """

    model: Callable[[str], str]
    """The model behind an agent; one that the price table lacks is taken to be the dearest."""
    output_tokens: Callable[[str], int]
    """The cap that the adapter sets on an agent's answer, reasoning included."""

    def __call__(self, agent: str, prompt: Rendered, output: type[BaseModel]) -> Decimal:
        """US dollars for one attempt, the whole input billed at its dearest rate."""
        size = _prompt_tokens(prompt) + len(schema_of(output)) // _BYTES_A_TOKEN
        model, most = self.model(agent), self.output_tokens(agent)
        return max(
            cost_usd(model, input_tokens=size, cache_write_tokens=written, output_tokens=most)
            for written in (0, size)
        )


def cost_of(usage: Usage) -> Decimal:
    """US dollars for what was used, by each model at its own price; never less than nothing."""
    return sum(map(cost_of, usage.earlier), Decimal(0)) + cost_usd(
        usage.model,
        input_tokens=usage.input_tokens,
        cached_tokens=usage.cached_tokens,
        output_tokens=usage.output_tokens,
    )


def _cost_of_answer(usage: Usage, reserved: Decimal) -> Decimal:
    """An answer that claims to have used nothing costs what was reserved: it would make a budget endless."""
    return cost_of(usage) if usage.input_tokens > 0 or usage.output_tokens > 0 else reserved


def _prompt_tokens(prompt: Rendered) -> int:
    tokens = 0
    for part in _parts(prompt):
        text = part if isinstance(part, str) else part.get("text")
        size = len(text.encode("utf-8", "replace")) // _BYTES_A_TOKEN + 1 if text is not None else _PICTURE_TOKENS
        tokens += size
    return tokens + _FRAME_TOKENS


def _parts(prompt: Rendered) -> Iterator[str | Mapping[str, Any]]:
    for message in prompt.messages:
        content: Any = message.content
        yield from [content] if isinstance(content, str) else content
