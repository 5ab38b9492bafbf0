"""The shapes of OpenAI's wire format: completions, chunks, usage, errors."""

import json
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, cast

from starlette.responses import JSONResponse

MODEL = "rehearsal"
FINGERPRINT = "fanfare-rehearsal-1"
JSON = dict[str, Any]

_PIECE = 48  # characters of one streamed chunk
_CACHED_FROM, _CACHED_STEP = (
    1024,
    128,
)  # tokens: what providers need before they cache a prefix, and their step
_MESSAGE_TOKENS, _PICTURE_TOKENS = 4, 765


@dataclass(frozen=True)
class Reply:
    """What the model says: text or a refusal, or with `tool` the text as the arguments of that tool."""

    content: str = ""
    refusal: str | None = None
    tool: str | None = None
    finish: str | None = "stop"

    @property
    def text(self) -> str:
        """What was written, be it content, arguments or a refusal."""
        return self.refusal or self.content

    def saying(self, text: str) -> "Reply":
        """The same, saying `text`."""
        return replace(self, content=text)

    @property
    def reason(self) -> str | None:
        """The finish reason as callers see it."""
        return "tool_calls" if self.tool and self.finish == "stop" else self.finish


@dataclass(frozen=True)
class Usage:
    """Tokens, estimated from the text: no tokenizer is behind it."""

    prompt: int
    cached: int
    completion: int

    @classmethod
    def of(cls, messages: list[JSON], reply: Reply) -> "Usage":
        """What `reply` to `messages` costs; a system message of 1,024 tokens and more counts as cached."""
        sizes = [_MESSAGE_TOKENS + _content_tokens(message.get("content")) for message in messages]
        system = sizes[0] if messages and messages[0].get("role") in ("system", "developer") else 0
        cached = system // _CACHED_STEP * _CACHED_STEP if system >= _CACHED_FROM else 0
        return cls(sum(sizes) + 3, cached, tokens(reply.text))

    def as_json(self, fault: str | None = None) -> JSON | None:
        """As the wire names it; or nothing, or nonsense, by a fault of the meter."""
        if fault == "no-usage":
            return None
        if fault == "absurd-usage":
            absurd = {"cached_tokens": 10**12, "reasoning_tokens": "many"}
            return {
                "prompt_tokens": -7,
                "completion_tokens": 0.5,
                "prompt_tokens_details": absurd,
                "completion_tokens_details": [],
            }
        return {
            "prompt_tokens": self.prompt,
            "completion_tokens": self.completion,
            "total_tokens": self.prompt + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.cached, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
        }


def listed(value: object) -> list[object]:
    """The items of a JSON list; none when `value` is something else."""
    return list(cast("Iterable[object]", value)) if isinstance(value, list) else []


def tokens(text: str) -> int:
    """About how many tokens `text` is: four Latin characters each, or one and a quarter of other scripts."""
    latin = len(text.encode("ascii", "ignore"))
    return math.ceil(latin / 4 + (len(text) - latin) * 0.8)


def completion(key: str, reply: Reply, usage: JSON | None, *, empty: bool = False) -> JSON:
    """One whole answer; `empty` leaves it without choices."""
    calls = {"tool_calls": [_call(key, reply)]} if reply.tool else {}
    content = None if reply.tool or reply.refusal else reply.content or None
    message = {"role": "assistant", "content": content, "refusal": reply.refusal, **calls}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reply.reason}
    told = {"usage": usage} if usage else {}
    return _envelope(key, "chat.completion") | {"choices": [] if empty else [choice], **told}


def chunks(key: str, reply: Reply, usage: JSON | None, *, empty: bool = False) -> Iterator[str]:
    """The same answer as server-sent events; the last but one tells the usage when that was asked for."""
    deltas = [] if empty else [{"role": "assistant", "content": ""}, *_deltas(key, reply), {}]
    for at, delta in enumerate(deltas):
        finish = reply.reason if at == len(deltas) - 1 else None
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        yield _event(_envelope(key, "chat.completion.chunk") | {"choices": [choice]})
    if usage:
        told: JSON = {"choices": [], "usage": usage}
        yield _event(_envelope(key, "chat.completion.chunk") | told)
    yield "data: [DONE]\n\n"


def problem(
    status: int,
    message: str,
    *,
    kind: str = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: dict[str, str] | None = None,
) -> JSONResponse:
    """An error in OpenAI's shape."""
    error = {"message": message, "type": kind, "param": param, "code": code}
    return JSONResponse({"error": error, "rehearsal": True}, status, headers)


def _envelope(key: str, kind: str) -> JSON:
    return {
        "id": f"chatcmpl-{key[:24]}",
        "object": kind,
        "created": 0,
        "model": MODEL,
        "system_fingerprint": FINGERPRINT,
        "service_tier": "default",
        "rehearsal": True,
    }


def _deltas(key: str, reply: Reply) -> Iterator[JSON]:
    pieces = [reply.text[at : at + _PIECE] for at in range(0, len(reply.text), _PIECE)]
    if reply.tool:
        call = _call(key, reply)
        yield {"tool_calls": [{"index": 0, **call, "function": {"name": reply.tool, "arguments": ""}}]}
        for piece in pieces:
            yield {"tool_calls": [{"index": 0, "function": {"arguments": piece}}]}
        return
    for piece in pieces:
        yield {"refusal" if reply.refusal else "content": piece}


def _call(key: str, reply: Reply) -> JSON:
    function = {"name": reply.tool, "arguments": reply.content}
    return {"id": f"call_{key[:24]}", "type": "function", "function": function}


def _event(value: JSON) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"


def _content_tokens(content: object) -> int:
    if isinstance(content, str):
        return tokens(content)
    return sum(_part_tokens(part) for part in listed(content))


def _part_tokens(part: object) -> int:
    match part:
        case {"type": "text", "text": str(text)}:
            return tokens(text)
        case {"type": "image_url"}:
            return _PICTURE_TOKENS
        case _:
            return 0
