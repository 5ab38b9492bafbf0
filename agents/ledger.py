"""The answer cache, which is the ledger too: a model call that was paid for is not made again."""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from typing import Any, Generic, Protocol

from pydantic import BaseModel, ConfigDict, ValidationError

from agents.model import Account, Answer, Check, Flag, Model, T, Usage
from agents.prompts import Rendered

SCREEN = "screen"
"""The name under which `identity` is asked for the moderation endpoint."""


class Ledger(Protocol):
    """What was answered, by tenant and key, for as long as the ledger keeps it."""

    async def once(
        self,
        tenant: str,
        key: str,
        make: Callable[[], Awaitable[bytes]],
        *,
        accept: Callable[[bytes], bool],
        owner: str = "",
    ) -> tuple[bytes, bool]:
        """The entry, and whether `make` made it now for this caller.

        An entry that is kept and that `accept` takes is returned; one that it does not take counts as absent
        and is replaced. Equal calls at the same time, here or in another process, are made one after another,
        so that the first success serves all. What `make` raises is raised to its own caller and never kept:
        the next one makes its own attempt. What was made for an `owner` is forgotten with them.
        """
        ...


class Remembered:
    """A `Model` that asks another only for what the ledger of its account's tenant does not hold.

    `identity` names the endpoint, the model and the parameters behind an agent, and behind `SCREEN` the
    moderation endpoint or its absence: calls of different identity never share an answer. What a stand-in answered
    is kept as the first model's.
    """

    def __init__(self, model: Model, ledger: Ledger, account: Account, identity: Callable[[str], str]) -> None:
        self._model = model
        self._ledger = ledger
        self._account = account
        self._identity = identity

    async def answer(
        self, agent: str, prompt: Rendered, output: type[T], *, check: Check[T] | None = None
    ) -> Answer[T]:
        """See `Model.answer`; what is remembered passes `check` as well."""
        key = answer_key(self._account, self._identity(agent), prompt, output)

        async def ask() -> Answer[T]:
            return await self._model.answer(agent, prompt, output, check=check)

        return await self._once(_Call(key, self._account.campaign, output, ask, check))

    async def screen(self, texts: Sequence[str]) -> list[Flag]:
        """See `Model.screen`."""
        if not texts:
            return []
        return await self._screened(list(texts), partial(self._model.screen, texts))

    async def screen_picture(self, data: bytes, media_type: str) -> list[Flag]:
        """See `Model.screen_picture`."""
        shown = {"picture": hashlib.sha256(data).hexdigest(), "media_type": media_type}
        return await self._screened(shown, partial(self._model.screen_picture, data, media_type))

    async def _screened(self, shown: object, screen: Callable[[], Awaitable[list[Flag]]]) -> list[Flag]:
        key = _digest([self._account.tenant, SCREEN, self._identity(SCREEN), shown])

        async def ask() -> Answer[_Flags]:
            return Answer(_Flags(flags=await screen()), Usage(model=SCREEN), "")

        return (await self._once(_Call(key, self._account.campaign, _Flags, ask))).output.flags

    async def _once(self, call: "_Call[T]") -> Answer[T]:
        account = self._account
        await self._ledger.once(account.tenant, call.key, call.make, accept=call.accept, owner=account.campaign)
        return call.answer


def answer_key(account: Account, identity: str, prompt: Rendered, output: type[BaseModel]) -> str:
    """Names a call by all that its answer depends on, as 64 hexadecimal digits."""
    messages = [(message.type, message.content) for message in prompt.messages]
    take = [account.campaign, account.take] if account.take else []
    return _digest([account.tenant, "answer", identity, schema_of(output), messages, take])


@lru_cache(maxsize=256)
def schema_of(output: type[BaseModel]) -> str:
    """The JSON schema of an answer, which takes longer to make than all the rest of a key."""
    return json.dumps(output.model_json_schema(), sort_keys=True)


async def surely(work: Coroutine[Any, Any, None]) -> None:
    """Finish `work` though the caller be cancelled meanwhile: what it writes down was paid for."""
    task = asyncio.ensure_future(work)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def cancellations() -> int:
    """How often the running task was cancelled: `asyncio.wait_for` of Python 3.11 may hide it from the task."""
    task = asyncio.current_task()
    return task.cancelling() if task else 0


def _digest(parts: list[object]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class _Flags(BaseModel):
    """What was flagged; empty when nothing was."""

    flags: list[Flag]


class _Entry(BaseModel):
    """An answer as the ledger keeps it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: str
    call: str
    campaign: str
    prompt: str
    usage: Usage
    output: str


class _Call(Generic[T]):
    """One call on its way; `answer` is there once it was made, or once an entry was accepted."""

    answer: Answer[T]

    def __init__(
        self,
        key: str,
        campaign: str,
        output: type[T],
        ask: Callable[[], Awaitable[Answer[T]]],
        check: Check[T] | None = None,
    ) -> None:
        self.key = key
        self._campaign = campaign
        self._output = output
        self._ask = ask
        self._check = check

    async def make(self) -> bytes:
        """Ask, and write down the answer."""
        answer = await self._ask()
        # One key may be paid for again (anew, or after it expired): each payment has a name of its own.
        self.answer = replace(answer, call=f"{self.key[:12]}-{secrets.token_hex(4)}", paid=True)
        entry = _Entry(
            key=self.key,
            call=self.answer.call,
            campaign=self._campaign,
            prompt=answer.prompt,
            usage=answer.usage,
            output=answer.output.model_dump_json(by_alias=True, round_trip=True),
        )
        return entry.model_dump_json().encode()

    def accept(self, stored: bytes) -> bool:
        """Whether an entry answers this very call in the form asked for, and nothing is wrong with it."""
        try:
            entry = _Entry.model_validate_json(stored)
            output = self._output.model_validate_json(entry.output)
        except ValidationError:
            return False
        if entry.key != self.key or (self._check and self._check(output)):
            return False
        paid = entry.campaign == self._campaign
        self.answer = Answer(output, entry.usage, entry.prompt, call=entry.call, paid=paid)
        return True
