"""The moderation endpoints of the rehearsal: a short word list and marked pictures, in two providers' shapes.

A picture is flagged for a comment in its file, as in `rehearsal-moderation: violence 0.6` with a category of
OpenAI's and if need be a score; and as violence when its mean colour is about magenta, which outlives shrinking.
"""

import asyncio
import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import cast

from PIL import Image

from agents.offline.asks import BadRequest, key_of
from agents.offline.judge import whole_words
from agents.offline.phrases import digest, read
from agents.offline.wire import JSON, listed
from tools.imaging.source import UnusablePicture, decode

MODEL = "omni-moderation-rehearsal"
CATEGORIES = (
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent",
    "self-harm", "self-harm/intent", "self-harm/instructions", "sexual", "sexual/minors", "violence",
    "violence/graphic",
)  # fmt: skip

_CERTAIN = 0.9
_QUIET = 1e-3
_MARK = re.compile(rb"rehearsal-moderation: ([a-z/-]{1,40})(?: (0\.\d{1,6}|1))?")
_MAGENTA = (255, 0, 255)
_NEAR = 40  # levels
_AZURE = {
    "Hate": ("hate", "hate/threatening"),
    "SelfHarm": ("self-harm", "self-harm/intent", "self-harm/instructions"),
    "Sexual": ("sexual", "sexual/minors"),
    "Violence": ("violence", "violence/graphic"),
}
_LEVELS = ((_CERTAIN, 6), (0.6, 4), (0.3, 2))
_AZURE_TEXT = 10_000
_AZURE_BYTES = 4 * 1024 * 1024

Moderation = Callable[[JSON], JSON]


@dataclass(frozen=True)
class _Shown:
    """What one result is about."""

    text: str = ""
    pictures: tuple[bytes, ...] = ()


def moderate(value: JSON) -> JSON:
    """The moderation of `value`'s input: a result a text, or one for a text with pictures."""
    shown = _inputs(value.get("input"))
    return {
        "id": f"modr-{key_of(value.get('input'))[:24]}",
        "model": MODEL,
        "rehearsal": True,
        "results": [_result(one) for one in shown],
    }


def analyse_text(value: JSON) -> JSON:
    """The analysis of one text, as Azure AI Content Safety tells it."""
    text = value.get("text")
    if not isinstance(text, str) or not 0 < len(text) <= _AZURE_TEXT:
        raise BadRequest(
            f"The text must have 1 to {_AZURE_TEXT} characters.", param="text", code="InvalidRequestBody"
        )
    return {"blocklistsMatch": [], **_analysis(_Shown(text))}


def analyse_picture(value: JSON) -> JSON:
    """The analysis of one picture, as Azure AI Content Safety tells it."""
    match value.get("image"):
        case {"content": str(content)}:
            picture = _decoded(content)
        case _:
            raise BadRequest("The image must have content.", param="image", code="InvalidRequestBody")
    if not 0 < len(picture) <= _AZURE_BYTES:
        raise BadRequest("The image must have at most 4 MB.", param="image", code="InvalidImageSize")
    return _analysis(_Shown(pictures=(picture,)))


async def judged(judge: Moderation, value: JSON) -> JSON:
    """`judge(value)`; a picture is looked at in a thread."""
    has_picture = "image" in value or any(isinstance(item, dict) for item in listed(value.get("input")))
    return await asyncio.to_thread(judge, value) if has_picture else judge(value)


def _analysis(shown: _Shown) -> JSON:
    scores = _scores(shown)
    return {
        "rehearsal": True,
        "categoriesAnalysis": [
            {"category": name, "severity": _level(max(scores[one] for one in ours))}
            for name, ours in _AZURE.items()
        ],
    }


def _level(score: float) -> int:
    return next((level for least, level in _LEVELS if score >= least), 0)


def _inputs(given: object) -> list[_Shown]:
    """What to judge: each text of a list, or all the parts of one message together."""
    if isinstance(given, str):
        return [_Shown(given)]
    items = listed(given)
    texts = [item for item in items if isinstance(item, str)]
    if items and len(texts) == len(items):
        return [_Shown(text) for text in texts]
    parts = [part for part in map(_part, items) if part is not None]
    if items and len(parts) == len(items):
        said = "\n".join(text for kind, text in parts if kind == "text")
        return [_Shown(said, tuple(_decoded(url.partition(",")[2]) for kind, url in parts if kind == "image_url"))]
    raise BadRequest(
        "'input' must be a text, a list of texts, or a list of text and image_url parts.", param="input"
    )


def _part(item: object) -> tuple[str, str] | None:
    """What kind of part `item` is, and its text or address; None when it is none."""
    match item:
        case {"type": "text", "text": str(text)}:
            return "text", text
        case {"type": "image_url", "image_url": {"url": str(url)}}:
            return "image_url", url
        case _:
            return None


def _result(shown: _Shown) -> JSON:
    scores = _scores(shown)
    seen = ["text", "image"] if shown.pictures else ["text"]
    return {
        "flagged": any(score > _CERTAIN for score in scores.values()),
        "categories": {name: score > _CERTAIN for name, score in scores.items()},
        "category_scores": scores,
        "category_applied_input_types": dict.fromkeys(CATEGORIES, seen),
    }


def _scores(shown: _Shown) -> dict[str, float]:
    """The score of each category: the highest of the text and the pictures."""
    marks = [_marks(picture) for picture in shown.pictures]
    return {name: max([_score(name, shown.text), *(mark.get(name, 0.0) for mark in marks)]) for name in CATEGORIES}


def _marks(picture: bytes) -> dict[str, float]:
    """What a picture is marked with, by its file and by its colour."""
    told = {name.decode(): float(score or _CERTAIN + 0.05) for name, score in _MARK.findall(picture)}
    return told | ({"violence": _CERTAIN + 0.05} if _is_magenta(picture) else {})


def _is_magenta(picture: bytes) -> bool:
    try:
        pixel = decode(picture, any_shape=True).image.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))
    except UnusablePicture:
        return False
    levels = cast("tuple[int, int, int]", pixel)
    return all(abs(level - wanted) <= _NEAR for level, wanted in zip(levels, _MAGENTA, strict=True))


def _decoded(content: str) -> bytes:
    """The bytes of a picture in base64; none for an address elsewhere, where nobody looks."""
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadRequest("The picture is not base64.", param="image", code="InvalidRequestBody") from error


def _score(category: str, text: str) -> float:
    """Near 1 when a word of the category is there, near 0 otherwise; the same text scores the same."""
    grain = digest(category, text) / 2**64
    pattern = _patterns().get(category)
    hit = pattern is not None and pattern.search(text) is not None
    return round(_CERTAIN + 0.01 + grain * 0.08 if hit else grain * _QUIET, 6)


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    return {name: whole_words(words) for name, words in read("rules")["moderation"].items()}
