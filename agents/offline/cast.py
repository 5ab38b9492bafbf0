"""The cast: which agent's object each schema name stands for, and who answers it."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from agents.offline.asks import Ask, BadRequest, key_of
from agents.offline.briefs import write_brief
from agents.offline.judge import judge
from agents.offline.orders import BriefOrder, CopyOrder, JudgeOrder, StudyOrder, TranslationOrder
from agents.offline.phrases import SPOKEN, wording
from agents.offline.study import look
from agents.offline.translation import translate
from agents.offline.wire import Reply
from agents.offline.writer import write_draft
from agents.prompts import fenced_data
from agents.ways import asked_in_words

T = TypeVar("T", bound=BaseModel)
OrderT = TypeVar("OrderT", bound=BaseModel)

AGENTS: Mapping[str, str] = {
    "Brief": "briefing",
    "Draft": "copywriter",
    "Judgement": "moderator",
    "Translation": "translator",
    "Study": "resizer",
}
"""The schemas that are answered, each with the agent that asks for it."""


async def answer(ask: Ask) -> Reply:
    """The reply to `ask`; raises ValueError, with a sentence, for what cannot be answered."""
    if ask.schema is not None:
        return Reply(await _object(ask.schema, ask))
    tool = _tool(ask)
    if tool is not None:
        return Reply(await _object(tool, ask), tool=tool)
    if name := asked_in_words(ask.system):
        return Reply(await _object(name, ask))
    return Reply(json.dumps({"rehearsal": True}) if ask.json_mode else _plain(ask))


def wanted(ask: Ask) -> str | None:
    """The name of the object that `ask` wants, by its format, by its tools or in words."""
    called = next((name for name in _choices(ask) if name in AGENTS), None)
    return ask.schema or called or asked_in_words(ask.system)


async def _object(schema: str, ask: Ask) -> str:
    if schema not in AGENTS:
        known = ", ".join(AGENTS)
        raise BadRequest(
            f"The rehearsal model knows no schema {schema!r}; it knows {known}.", code="unknown_schema"
        )
    actor = _ACTORS[schema]
    return (await actor(_data(ask), ask.picture)).model_dump_json()


def _tool(ask: Ask) -> str | None:
    """The tool to call: the one that must be, else the first that is known, else none."""
    if ask.choice == "none" or (ask.is_after_tool and ask.choice == "auto"):
        return None
    names = _choices(ask)
    if ask.choice.startswith("=") or ask.choice == "required":
        return next((name for name in names if name in AGENTS), next(iter(names), ask.choice.lstrip("=")))
    return next((name for name in names if name in AGENTS), None)


def _choices(ask: Ask) -> tuple[str, ...]:
    return (ask.choice[1:],) if ask.choice.startswith("=") else ask.tools


def _data(ask: Ask) -> dict[str, object]:
    data = fenced_data(ask.text)
    key_of(data)
    if not data:
        raise BadRequest("No user message carries fenced data to work from.", param="messages")
    return data


def _plain(ask: Ask) -> str:
    """A sentence that says what this is, in the language that the data names if it names one."""
    language = fenced_data(ask.text).get("language")
    return wording("hello", "rehearsal", language if isinstance(language, str) and language in SPOKEN else "en")


def _order(model: type[T], data: Mapping[str, object]) -> T:
    try:
        return model.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise BadRequest(
            f"The message's data cannot be used: {place}: {first['msg']}.", param="messages"
        ) from error


async def _brief(data: Mapping[str, object], _: str | None) -> BaseModel:
    return write_brief(_order(BriefOrder, data))


async def _draft(data: Mapping[str, object], _: str | None) -> BaseModel:
    return await _at_the_desk(write_draft, _order(CopyOrder, data))


async def _judgement(data: Mapping[str, object], _: str | None) -> BaseModel:
    return judge(_order(JudgeOrder, data))


async def _translation(data: Mapping[str, object], _: str | None) -> BaseModel:
    return await _at_the_desk(translate, _order(TranslationOrder, data))


async def _study(data: Mapping[str, object], picture: str | None) -> BaseModel:
    return await look(_order(StudyOrder, data), picture)


async def _at_the_desk(work: Callable[[OrderT], BaseModel], order: OrderT) -> BaseModel:
    """`work(order)` in the one thread that writes: many texts take seconds, and others are to be answered."""
    return await asyncio.get_running_loop().run_in_executor(_desk(), work, order)


@cache
def _desk() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(1, thread_name_prefix="rehearsal")


Actor = Callable[[Mapping[str, object], str | None], Awaitable[BaseModel]]
_ACTORS: Mapping[str, Actor] = {
    "Brief": _brief,
    "Draft": _draft,
    "Judgement": _judgement,
    "Translation": _translation,
    "Study": _study,
}
