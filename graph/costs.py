"""What a campaign costs: one entry a model call, and their sum."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from agents.model import Answer
from agents.purse import cost_of
from graph.state import JSON

_TOKENS = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")


def entry(step: str, answer: Answer[Any], *, language: str | None = None) -> JSON:
    """One call as the `costs` channel keeps it; `usd` is a decimal string, 0 where another campaign has paid."""
    used = answer.usage
    return {
        "step": step,
        "language": language,
        **used.model_dump(mode="json", exclude={"earlier"}),
        "usd": str(cost_of(used) if answer.paid else 0),
        "prompt": answer.prompt,
        "call": answer.call,
    }


def writers(costs: Sequence[Mapping[str, Any]], source_language: str) -> dict[str, str]:
    """Which model wrote or translated the texts of each language; several by comma, the first one first."""
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for cost in costs:
        if cost["step"] in ("write_copy", "translate"):
            found[cost["language"] or source_language][cost["model"]] = None
    return {language: ", ".join(models) for language, models in found.items()}


def total(costs: Sequence[Mapping[str, Any]]) -> JSON:
    """The sum of `costs`: dollars as decimal strings, in all and by step, tokens, calls.

    A call that was answered twice from one payment counts once.
    """
    by_step: dict[str, Decimal] = defaultdict(Decimal)
    once = list({cost.get("call") or number: cost for number, cost in enumerate(costs)}.values())
    for cost in once:
        by_step[cost["step"]] += Decimal(cost["usd"])
    tokens = {name: sum(int(cost.get(name, 0)) for cost in once) for name in _TOKENS}
    return {
        "usd": _plain(sum(by_step.values(), Decimal(0))),
        **tokens,
        "calls": sum(int(cost.get("attempts", 1)) for cost in once),
        "rehearsal": any(cost["model"] == "rehearsal" for cost in once),
        "by_step": {step: _plain(usd) for step, usd in by_step.items()},
    }


def _plain(usd: Decimal) -> str:
    return f"{usd:.6f}".rstrip("0").rstrip(".") or "0"
