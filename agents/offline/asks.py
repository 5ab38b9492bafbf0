"""What a chat request asks for, read from its JSON and checked."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import cast

from agents.offline.wire import JSON, listed

ROLES = ("system", "developer", "user", "assistant", "tool", "function")


class BadRequest(ValueError):
    """A request that no model would answer; the message says what to mend."""

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.param = param
        self.code = code


@dataclass(frozen=True)
class Ask:
    """A chat request: its messages, the object or the tool that it wants, and how it wants to be told."""

    messages: list[JSON] = field(compare=False)
    key: str
    schema: str | None = None
    tools: tuple[str, ...] = ()
    choice: str = "auto"
    json_mode: bool = False
    stream: bool = False
    include_usage: bool = False

    @property
    def text(self) -> str:
        """What the last message of a user says that carries data; a correction follows the data it is about."""
        return "\n".join(part["text"] for part in self._parts if isinstance(part.get("text"), str))

    @property
    def picture(self) -> str | None:
        """The address of the first picture in that message."""
        for part in self._parts:
            match part:
                case {"type": "image_url", "image_url": {"url": str(url)}}:
                    return url
                case _:
                    continue
        return None

    @property
    def system(self) -> str:
        """What the messages of the system say."""
        told = (m.get("content") for m in self.messages if m["role"] in ("system", "developer"))
        return "\n".join(text for text in told if isinstance(text, str))

    @property
    def is_after_tool(self) -> bool:
        """Whether the conversation's last word is a tool's result, which is answered in plain text."""
        return self.messages[-1]["role"] in ("tool", "function")

    @property
    def _parts(self) -> list[JSON]:
        said = [message.get("content") for message in reversed(self.messages) if message["role"] == "user"]
        content = next((each for each in said if "<data name=" in str(each)), said[0] if said else "")
        if isinstance(content, str):
            return [{"type": "text", "text": content}]
        return [cast("JSON", part) for part in listed(content) if isinstance(part, dict)]


def read_json(body: bytes) -> JSON:
    """The object in `body`; raises `BadRequest`."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"The body is not JSON that can be read: {error}.") from error
    if not isinstance(value, dict):
        raise BadRequest("The body must be a JSON object.")
    return cast("JSON", value)


def read_ask(value: JSON) -> Ask:
    """The chat request in `value`; raises `BadRequest`."""
    messages = _messages(value.get("messages"))
    options = value.get("stream_options")
    form = value.get("response_format")
    return Ask(
        messages=messages,
        key=key_of(messages),
        schema=_schema(form),
        tools=_tools(value.get("tools")),
        choice=_choice(value.get("tool_choice")),
        json_mode=form == {"type": "json_object"},
        stream=value.get("stream") is True,
        include_usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def key_of(value: object) -> str:
    """SHA-256 of `value` as canonical JSON; raises `BadRequest` for text that is no Unicode."""
    try:
        canonical = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()
    except (UnicodeEncodeError, RecursionError) as error:
        raise BadRequest("The request holds half a surrogate pair or is nested too deeply.") from error


def _messages(value: object) -> list[JSON]:
    given = listed(value)
    if not given:
        raise BadRequest("'messages' must be a list with at least one message.", param="messages")
    messages: list[JSON] = []
    for message in given:
        if not isinstance(message, dict) or cast("JSON", message).get("role") not in ROLES:
            raise BadRequest(f"A message is an object whose role is one of {', '.join(ROLES)}.", param="messages")
        messages.append(cast("JSON", message))
    return messages


def _schema(form: object) -> str | None:
    match form:
        case None | {"type": "text" | "json_object"}:
            return None
        case {"type": "json_schema", "json_schema": {"name": str(name)}}:
            return name
        case _:
            raise BadRequest(
                "'response_format' must be text, json_object, or json_schema with a name.",
                param="response_format",
            )


def _tools(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    names: list[str] = []
    for tool in listed(value) or [None]:
        match tool:
            case {"type": "function", "function": {"name": str(name)}}:
                names.append(name)
            case _:
                raise BadRequest("'tools' must be a list of functions, each with a name.", param="tools")
    return tuple(names)


def _choice(value: object) -> str:
    match value:
        case None:
            return "auto"
        case "auto" | "none" | "required":
            return str(value)
        case {"type": "function", "function": {"name": str(name)}}:
            return f"={name}"
        case _:
            raise BadRequest("'tool_choice' must be auto, none, required or a function.", param="tool_choice")
