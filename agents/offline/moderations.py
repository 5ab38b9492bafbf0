"""The moderation endpoint of the rehearsal: a short word list in OpenAI's full shape."""

import re
from collections.abc import Mapping
from functools import cache

from agents.offline.asks import BadRequest, key_of
from agents.offline.judge import whole_words
from agents.offline.phrases import digest, read
from agents.offline.wire import JSON, listed

MODEL = "omni-moderation-rehearsal"
CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent",
    "self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence",
    "violence/graphic",
)  # fmt: skip

_CERTAIN = 0.9
_QUIET = 1e-3


def moderate(value: JSON) -> JSON:
    """The moderation of `value`'s input: a result a text, or one for a text with pictures."""
    texts = _inputs(value.get("input"))
    return {
        "id": f"modr-{key_of(value.get('input'))[:24]}",
        "model": MODEL,
        "rehearsal": True,
        "results": [_result(text) for text in texts],
    }


def _inputs(given: object) -> list[tuple[str, bool]]:
    """Each text to judge, and whether a picture came with it; a picture alone is an empty text."""
    if isinstance(given, str):
        return [(given, False)]
    items = listed(given)
    texts = [item for item in items if isinstance(item, str)]
    if items and len(texts) == len(items):
        return [(text, False) for text in texts]
    parts = [part for part in map(_part, items) if part is not None]
    if items and len(parts) == len(items):
        said = "\n".join(text for kind, text in parts if kind == "text")
        return [(said, any(kind == "image_url" for kind, _ in parts))]
    raise BadRequest(
        "'input' must be a text, a list of texts, or a list of text and image_url parts.", param="input"
    )


def _part(item: object) -> tuple[str, str] | None:
    """What kind of part `item` is, and its text; None when it is none."""
    match item:
        case {"type": "text", "text": str(text)}:
            return "text", text
        case {"type": "image_url", "image_url": {"url": str()}}:
            return "image_url", ""
        case _:
            return None


def _result(given: tuple[str, bool]) -> JSON:
    text, with_picture = given
    scores = {name: _score(name, text) for name in CATEGORIES}
    seen = ["text", "image"] if with_picture else ["text"]
    return {
        "flagged": any(score > _CERTAIN for score in scores.values()),
        "categories": {name: score > _CERTAIN for name, score in scores.items()},
        "category_scores": scores,
        "category_applied_input_types": dict.fromkeys(CATEGORIES, seen),
    }


def _score(category: str, text: str) -> float:
    """Near 1 when a word of the category is there, near 0 otherwise; the same text scores the same."""
    grain = digest(category, text) / 2**64
    pattern = _patterns().get(category)
    hit = pattern is not None and pattern.search(text) is not None
    return round(_CERTAIN + 0.01 + grain * 0.08 if hit else grain * _QUIET, 6)


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    return {name: whole_words(words) for name, words in read("rules")["moderation"].items()}
