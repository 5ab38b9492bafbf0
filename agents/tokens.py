"""What an answer used: the server's own figures where they can be true, counted characters where it sends none."""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

from langchain_core.messages import BaseMessage

from agents.model import Usage

MOST = 100_000_000
"""No figure is taken for more: no model has read or written so much at once."""
_PICTURE = 765
"""Tokens of a picture: four tiles of 170 and 85 for the whole, as OpenAI counts a square of 1024 pixels."""


def used(told: object, *, model: str, asked: Sequence[BaseMessage], said: str) -> Usage:
    """The usage that a server tells, in any dialect of OpenAI's, made plausible.

    A figure that cannot be true is clamped or counted by us, in whichever way does not make the call cheaper.
    """
    figures = _object(told)
    sent = _figure(figures, "prompt_tokens", "input_tokens")
    received = _figure(figures, "completion_tokens", "output_tokens")
    thought = _figure(_details(figures, "completion", "output"), "reasoning_tokens")
    cached = _figure(_details(figures, "prompt", "input"), "cached_tokens")
    cached = cached or _figure(figures, "prompt_cache_hit_tokens")
    # Some count reasoning in the total only; it is billed as output all the same.
    beside = _figure(figures, "total_tokens") - sent if sent else 0
    counted = not sent or (bool(said) and not received)
    sent = sent or sum(map(estimate, _texts(asked))) + _PICTURE * _pictures(asked)
    received = max(received or estimate(said), beside, thought)
    return Usage(
        model=model, input_tokens=sent, cached_tokens=min(cached, sent), output_tokens=received,
        reasoning_tokens=thought, estimated=counted,
    )  # fmt: skip


def estimate(text: str) -> int:
    """About how many tokens `text` is: four characters each in Latin script, one and a half in others.

    The four are OpenAI's rule of thumb for English (help.openai.com, "What are tokens and how to count them");
    the one and a half is our own choice, on the dear side.
    """
    latin = len(text.encode("latin-1", "ignore"))
    return math.ceil(latin / 4 + (len(text) - latin) / 1.5)


def as_wire(usage: Usage) -> dict[str, Any]:
    """`usage` as OpenAI's wire format names it."""
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.input_tokens + usage.output_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens},
        "estimated": usage.estimated,
    }


def _figure(figures: Mapping[str, object], *names: str) -> int:
    """The first of these figures that is a number above zero, at most `MOST`; else 0."""
    return next((count for name in names if (count := _count(figures.get(name)))), 0)


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        return 0
    return min(math.ceil(min(value, MOST)), MOST)


def _details(figures: Mapping[str, object], *kinds: str) -> Mapping[str, object]:
    return next((found for kind in kinds if (found := _object(figures.get(f"{kind}_tokens_details")))), figures)


def _object(value: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", value) if isinstance(value, dict) else {}


def _texts(messages: Sequence[BaseMessage]) -> Iterator[str]:
    for part in _parts(messages):
        text = part if isinstance(part, str) else part.get("text")
        yield text if isinstance(text, str) else ""


def _pictures(messages: Sequence[BaseMessage]) -> int:
    return sum(isinstance(part, dict) and part.get("type") == "image_url" for part in _parts(messages))


def _parts(messages: Sequence[BaseMessage]) -> Iterator[str | dict[str, Any]]:
    for message in messages:
        content = cast("str | list[str | dict[str, Any]]", message.content)  # pyright: ignore[reportUnknownMemberType]
        yield from [content] if isinstance(content, str) else content
