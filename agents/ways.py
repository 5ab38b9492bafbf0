"""How a server is asked for an object: by schema, by a tool, in JSON mode, in words; the first it knows stays."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.messages import BaseMessage, SystemMessage

Way = Literal["json_schema", "function_calling", "json_mode", "words"]
WAYS: tuple[Way, ...] = ("json_schema", "function_calling", "json_mode", "words")

_IN_WORDS = "Answer with one JSON object and nothing else. It must fit the JSON schema {name}:\n{schema}"
_NAMED = re.compile(r"It must fit the JSON schema (\w+):\n")
_FENCE = re.compile(r"```(?:json)?[ \t]*\n(.*?)\n?[ \t]*```", re.DOTALL | re.IGNORECASE)

_MAY_MEAN_UNKNOWN = (400, 404, 422, 500)
# What OpenAI, Azure, vLLM, Ollama, llama.cpp, LiteLLM, DeepSeek and OpenRouter say of what they do not know.
_SPEAKS_OF: Mapping[Way, re.Pattern[str]] = {
    "json_schema": re.compile(
        r"(response|json)[_ ]?(format|schema)|structured[_ ]output|guided|grammar", re.IGNORECASE
    ),
    "function_calling": re.compile(r"\btools?\b|tool_|\bfunction", re.IGNORECASE),
    "json_mode": re.compile(r"response[_ ]?format|json[_ ](object|mode)", re.IGNORECASE),
    "words": re.compile(r"(?!)"),
}
_NO_ROUTE = re.compile(r"handle the requested parameters", re.IGNORECASE)
_OF_THE_REQUEST = re.compile(r"unsupported|not support|requires|unknown", re.IGNORECASE)


@dataclass
class Ladder:
    """The way in which one model of one endpoint is asked; found out once, kept once it has worked.

    It needs no lock: nothing here waits, so callers on one loop cannot come between.
    """

    way: Way = WAYS[0]
    confirmed: bool = False

    def worked(self, way: Way) -> None:
        """An answer came by `way`: that settles it."""
        if not self.confirmed:
            self.way, self.confirmed = way, True

    def refused(self, way: Way) -> bool:
        """The server does not know `way`; whether there is another to try."""
        if way != self.way:
            return True
        if self.confirmed or way == WAYS[-1]:
            return False
        self.way = WAYS[WAYS.index(way) + 1]
        return True

    def failed(self) -> None:
        """A call was rejected for another reason: what was found out on the way to it may be wrong."""
        if not self.confirmed:
            self.way = WAYS[0]


def unknown(way: Way, status: int, says: str) -> bool:
    """Whether a server that refuses with `status` and these words refuses `way` and not the call as such.

    llama.cpp says so with 500, which from other servers means a failure: there the words must be plain.
    """
    if status == 501:  # noqa: PLR2004 - Not Implemented
        return True
    if status not in _MAY_MEAN_UNKNOWN or (status == 500 and not _OF_THE_REQUEST.search(says)):  # noqa: PLR2004
        return False
    return bool(_SPEAKS_OF[way].search(says) or (way != "words" and _NO_ROUTE.search(says)))


def parameters(way: Way, name: str, schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    """What a request says beside its messages, for an object called `name`."""
    match way:
        case "json_schema":
            form = {"name": name, "strict": True, "schema": schema}
            return {"response_format": {"type": "json_schema", "json_schema": form}}
        case "function_calling":
            tool = {"name": name, "description": description, "parameters": schema}
            choice = {"type": "function", "function": {"name": name}}
            return {"tools": [{"type": "function", "function": tool}], "tool_choice": choice}
        case "json_mode":
            return {"response_format": {"type": "json_object"}}
        case "words":
            return {}


def in_words(
    way: Way, messages: Sequence[BaseMessage], name: str, schema: Mapping[str, Any]
) -> Sequence[BaseMessage]:
    """`messages`, of which the system's asks for the object where no parameter carries the schema.

    It is one message and not two: the chat templates of some models take no second.
    """
    if way in ("json_schema", "function_calling"):
        return messages
    asked = _IN_WORDS.format(name=name, schema=json.dumps(schema, ensure_ascii=False))
    if messages and isinstance(messages[0], SystemMessage):
        return [SystemMessage(f"{messages[0].text}\n\n{asked}"), *messages[1:]]
    return [SystemMessage(asked), *messages]


def asked_in_words(text: str) -> str | None:
    """The name of the object that a system message asks for in words."""
    found = _NAMED.search(text)
    return found[1] if found else None


def found(text: str) -> object:
    """The JSON in `text`: bare, in a fence, behind a model's thoughts, or with a sentence around it.

    Raises ValueError when there is none, or when it is not sure where it ends.
    """
    said = text.rpartition("</think>")[2].strip()
    for candidate in (said, *reversed(_FENCE.findall(said)), _between_braces(said)):
        try:
            return json.loads(candidate, strict=False, parse_constant=_refuse)
        except (ValueError, RecursionError):
            continue
    raise ValueError("it is not JSON")


def _between_braces(text: str) -> str:
    """From the first brace to the last; nothing when another brace is left outside of them."""
    first, last = text.find("{"), text.rfind("}")
    outside = text[: max(first, 0)] + text[last + 1 :]
    return "" if first < 0 or "{" in outside or "}" in outside else text[first : last + 1]


def _refuse(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")
