"""The rehearsal judge: finds nothing, but for a few things that are plainly wrong."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from agents.moderator import Judgement, Objection
from agents.offline.orders import JudgeOrder, TextOrder
from agents.offline.phrases import read


@dataclass(frozen=True)
class Rule:
    """Words that are wrong, and what to say about them."""

    pattern: re.Pattern[str]
    rule: str
    message: str
    suggestion: str


def judge(order: JudgeOrder) -> Judgement:
    """What is plainly wrong in the texts of `order`."""
    return Judgement(findings=[found for text in order.texts for found in _findings(text)])


def objections(text: str) -> Iterator[tuple[Rule, str]]:
    """The rules that `text` breaks, each with the words that break it."""
    for rule in _rules():
        if found := rule.pattern.search(text):
            yield rule, found[0]


def _findings(text: TextOrder) -> Iterator[Objection]:
    for rule, quote in objections(text.text):
        yield Objection.model_validate(
            {
                "rule": rule.rule,
                "severity": "block",
                "placement": text.placement,
                "field": text.field,
                "index": text.index,
                "quote": quote,
                "message": rule.message,
                "suggestion": rule.suggestion,
            }
        )


@cache
def _rules() -> tuple[Rule, ...]:
    return tuple(_rule(entry) for entry in read("rules")["objection"])


def _rule(entry: Mapping[str, Any]) -> Rule:
    return Rule(whole_words(entry["words"]), entry["rule"], entry["message"], entry["suggestion"])


def whole_words(words: list[str]) -> re.Pattern[str]:
    """Any of `words` as whole words, in any case, the longest first."""
    longest = sorted(words, key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest))})(?!\w)", re.IGNORECASE)
