"""Faults on order: what can go wrong between a caller and a model, drawn by seed and request count."""

import json
import random
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from agents.offline.wire import Reply, listed

TRANSPORT = (
    "429", "429-after", "quota", "500", "502", "503", "reset", "torn", "hang", "drip", "html", "prompt-filter",
)  # fmt: skip
UNSENT = ("reset", "torn", "hang", "drip")
"""The transport faults after which nobody knows how the call ended."""
CONTENT = (
    "malformed",
    "empty",
    "null",
    "broken-off",
    "length",
    "refusal",
    "filter",
    "schema",
    "left-out",
    "limit",
)
METER = ("no-usage", "absurd-usage")
FAULTS = (*TRANSPORT, *CONTENT, *METER)

FEATURES = ("json_schema", "tools", "json_object")
"""What a server may not know, as many do not."""

_OVER_EVERY_LIMIT = 6000


@dataclass(frozen=True)
class Dice:
    """What befalls the request number n, and how long it takes: the same for the same seed."""

    rates: Mapping[str, float] = field(default_factory=dict[str, float])
    latency: float = 0.0
    jitter: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        check_faults(self.rates)
        if self.latency < 0 or self.jitter < 0:
            raise ValueError("Latency and jitter are seconds, 0 or more.")

    def fault(self, n: int) -> str | None:
        """The fault of request `n`, by the rates; None when it goes well."""
        drawn = self._draw(n, "fault")
        for name, rate in self.rates.items():
            drawn -= rate
            if drawn < 0:
                return name
        return None

    def delay(self, n: int) -> float:
        """Seconds that request `n` takes: the latency, give or take the jitter."""
        return max(0.0, self.latency + self.jitter * (2 * self._draw(n, "delay") - 1))

    def _draw(self, n: int, what: str) -> float:
        return random.Random(f"{self.seed}|{n}|{what}").random()  # noqa: S311 - reproducible, not secret


def parse_faults(text: str) -> dict[str, float]:
    """`429=0.02,500=0.01` as rates; raises ValueError with a sentence that names what is possible."""
    rates: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, equals, rate = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise ValueError(f"{part!r} is no fault and rate; write for example 429=0.02,500=0.01.")
        try:
            rates[name] = float(rate)
        except ValueError:
            raise ValueError(f"The rate of {name} is {rate!r}; it must be a number from 0 to 1.") from None
    check_faults(rates)
    return rates


def check_faults(rates: Mapping[str, float]) -> None:
    """Raise ValueError unless every fault is known and the rates are shares of one whole."""
    for name, rate in rates.items():
        if name not in FAULTS:
            raise ValueError(f"There is no fault {name!r}; there are {', '.join(FAULTS)}.")
        if not 0 <= rate <= 1:
            raise ValueError(f"The rate of {name} is {rate:g}; it must be a number from 0 to 1.")
    if sum(rates.values()) > 1 + 1e-9:
        raise ValueError(f"The rates add up to {sum(rates.values()):g}; together they must not exceed 1.")


def check_features(without: Collection[str]) -> None:
    """Raise ValueError unless every one of these is a feature that can be missing."""
    for name in without:
        if name not in FEATURES:
            raise ValueError(f"There is no feature {name!r} to go without; there are {', '.join(FEATURES)}.")


def spoil(reply: Reply, fault: str | None) -> Reply:
    """`reply` as a model gives it that fails in this way."""
    text = reply.text
    match fault:
        case "malformed":
            return reply.saying(text[: max(1, len(text) * 2 // 3)] + '"}{')
        case "null":
            return Reply(finish=reply.finish)
        case "broken-off":
            return replace(reply.saying(text[: len(text) // 2]), finish=None)
        case "length":
            return replace(reply.saying(text[: len(text) // 2]), finish="length")
        case "refusal":
            return Reply(refusal="I can’t help with that.")
        case "filter":
            return replace(reply.saying(""), finish="content_filter")
        case "schema":
            return reply.saying(json.dumps({"rehearsal": "This breaks the schema."}))
        case "left-out":
            return reply.saying(_shortened(text))
        case "limit":
            return reply.saying(_overflowing(text))
        case _:
            return reply


def _shortened(text: str) -> str:
    """`text` without the last slot of its last placement; as it is when it has none to spare."""
    try:
        answer: Any = json.loads(text)
    except ValueError:
        return text
    match answer:
        case {"placements": [*_, {"slots": [_, *_, _] as slots}]}:
            cast("list[Any]", slots).pop()
        case _:
            pass
    return json.dumps(answer, ensure_ascii=False)


def _overflowing(text: str) -> str:
    """`text` with one of its texts longer than any platform takes; as it is when it holds none."""
    try:
        answer = json.loads(text)
    except ValueError:
        return text
    _overflow(answer)
    return json.dumps(answer, ensure_ascii=False)


def _overflow(answer: Any) -> bool:
    """Lengthen the first text or alt text found inside `answer`; whether one was."""
    if isinstance(answer, list):
        return any(_overflow(item) for item in listed(cast("object", answer)))
    if not isinstance(answer, dict):
        return False
    found = cast("dict[str, Any]", answer)
    if found.get("texts"):
        found["texts"][0] = _long(found["texts"][0])
        return True
    if "alt_text" in found:
        found["alt_text"] = _long(found["alt_text"])
        return True
    return any(_overflow(value) for value in found.values())


def _long(text: str) -> str:
    return " ".join([text] * (1 + _OVER_EVERY_LIMIT // max(1, len(text))))
