"""What a campaign costs: one entry a model call, and their sum."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from agents.model import Answer
from graph.state import JSON
from tools.pricing import cost_usd

_TOKENS = ("input_tokens", "cached_tokens", "output_tokens")


def entry(step: str, answer: Answer[Any], *, language: str | None = None) -> JSON:
    """One call as the `costs` channel keeps it; `usd` is a decimal string."""
    used = answer.usage
    usd = cost_usd(
        used.model,
        input_tokens=used.input_tokens,
        cached_tokens=used.cached_tokens,
        output_tokens=used.output_tokens,
    )
    return {"step": step, "language": language, **used.model_dump(), "usd": str(usd), "prompt": answer.prompt}


def total(costs: Sequence[Mapping[str, Any]]) -> JSON:
    """The sum of `costs`: dollars as decimal strings, in all and by step, tokens, calls."""
    by_step: dict[str, Decimal] = defaultdict(Decimal)
    for cost in costs:
        by_step[cost["step"]] += Decimal(cost["usd"])
    tokens = {name: sum(int(cost[name]) for cost in costs) for name in _TOKENS}
    return {
        "usd": _plain(sum(by_step.values(), Decimal(0))),
        **tokens,
        "calls": len(costs),
        "rehearsal": any(cost["model"] == "rehearsal" for cost in costs),
        "by_step": {step: _plain(usd) for step, usd in by_step.items()},
    }


def _plain(usd: Decimal) -> str:
    return f"{usd:.6f}".rstrip("0").rstrip(".") or "0"
