"""The language model as the agents see it: a prompt goes in, a checked object comes out.

`Model` is the port. What is behind it (a provider, a gateway, the rehearsal model, a remembered answer) no
agent can tell.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from agents.prompts import Rendered
from tools.policy.rule import Severity

T = TypeVar("T", bound=BaseModel)

Check = Callable[[T], str | None]
"""Says in a sentence what is wrong with an answer of the right form, or None."""


class Usage(BaseModel):
    """What one answer used, in tokens, all its attempts together."""

    model_config = ConfigDict(frozen=True)

    model: str
    input_tokens: int = Field(default=0, ge=0)
    cached_tokens: int = Field(default=0, ge=0, description="The part of the input that the server had seen.")
    output_tokens: int = Field(default=0, ge=0)
    reasoning_tokens: int = Field(default=0, ge=0, description="The part of the output that nobody reads.")
    attempts: int = Field(default=1, ge=1)
    estimated: bool = Field(default=False, description="Whether a server sent no figures and we counted.")
    earlier: tuple["Usage", ...] = Field(default=(), description="What other models used before this one.")

    def __add__(self, later: "Usage") -> "Usage":
        """Both together; what another model used stays apart, because its price is another."""
        if self.model != later.model:
            before = self.model_copy(update={"earlier": ()})
            return later.model_copy(update={"earlier": (*self.earlier, before, *later.earlier)})
        return Usage(
            model=later.model,
            input_tokens=self.input_tokens + later.input_tokens,
            cached_tokens=self.cached_tokens + later.cached_tokens,
            output_tokens=self.output_tokens + later.output_tokens,
            reasoning_tokens=self.reasoning_tokens + later.reasoning_tokens,
            attempts=self.attempts + later.attempts,
            estimated=self.estimated or later.estimated,
            earlier=(*self.earlier, *later.earlier),
        )


class ModelError(Exception):
    """A model call failed; the message says what to do, `usage` what it cost all the same."""

    code = "model-error"

    def __init__(self, message: str, *, usage: Usage | None = None) -> None:
        super().__init__(message)
        self.usage = usage


class ModelUnavailable(ModelError):
    """The server did not answer: ask again later."""

    code = "model-unavailable"


class ModelBusy(ModelUnavailable):
    """The server is there and asks for patience; for how many seconds, if it says so."""

    def __init__(self, message: str, *, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ModelGarbled(ModelError):
    """An answer came that is not the object asked for: say what is wrong with it, and ask again."""

    code = "model-garbled"

    def __init__(
        self, message: str, *, said: str | None = None, wrong: str | None = None, usage: Usage | None = None
    ) -> None:
        super().__init__(message, usage=usage)
        self.said = said
        """What the model answered, if it answered at all."""
        self.wrong = wrong
        """What to tell the model about it."""


class ModelRefused(ModelError):
    """The model declined, by refusal or content filter: a person must look."""

    code = "model-refused"


class ModelRejected(ModelError):
    """The server does not accept our call: key, model name or address are wrong."""

    code = "model-rejected"


class ModelQuotaSpent(ModelRejected):
    """The account at the provider is out of credit."""

    code = "model-quota"


class BudgetSpent(ModelError):
    """The campaign, or its tenant's day, has cost what it may cost."""

    code = "budget-spent"


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A checked answer, what it used, and the fingerprint of the prompt that asked."""

    output: T
    usage: Usage
    prompt: str
    call: str = ""
    """Names the call: an answer that is read again from the ledger has the same name."""
    paid: bool = True
    """False for an answer that another campaign has paid for."""


@dataclass(frozen=True)
class Flag:
    """One thing that the moderation endpoint sees in a text or a picture."""

    index: int
    """The text's place among those asked about; 0 for a picture, which is asked about alone."""
    category: str
    score: float
    """How sure the endpoint is, or how bad it finds it, from 0 to 1."""
    severity: Severity


@dataclass(frozen=True)
class Account:
    """On whose behalf a call is made."""

    tenant: str
    campaign: str
    budget_usd: Decimal | None = None
    take: int = 0
    """Above 0 for what a person wants made again: an answer is shared within that take of that campaign only."""


class Model(Protocol):
    """What an agent may ask of a language model."""

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        """One answer that is an `output` and that `check` finds nothing wrong with.

        Raises `ModelUnavailable` and `ModelGarbled` when asking again later may help, and the other
        `ModelError`s when somebody must do something first.
        """
        ...

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        """What the moderation endpoint sees in `texts`, in their order; same errors as `answer`."""
        ...

    async def screen_picture(self, data: bytes, media_type: str) -> list[Flag]:
        """What the moderation endpoint sees in one picture (`media_type` as in image/jpeg); same errors.

        `ModelRejected` also for a picture that is larger than the endpoint takes, or smaller: it is not asked.
        """
        ...


class Models(Protocol):
    """A model for whoever pays."""

    def on(self, account: Account) -> Model:
        """The model as `account` sees it: its own budget, its own remembered answers."""
        ...


@dataclass(frozen=True)
class Unmetered:
    """The same model for everybody: nothing is remembered and nothing reserved."""

    model: Model

    def on(self, account: Account) -> Model:  # noqa: ARG002 - the contract
        """See `Models.on`."""
        return self.model
