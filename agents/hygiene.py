"""What a model wrote, made fit to be counted, shown and published: no invisible or dangerous characters.

Nothing is ever cut: what is too long is refused, because a cut text reads as if somebody had meant it.
"""

import unicodedata
from typing import cast

import regex  # type: ignore[import-untyped]  # it ships no stubs

LONGEST_TEXT = 10_000
"""Characters of one text; the longest slot of any platform is well below."""
LONGEST_ANSWER = 200_000
"""Characters of a whole answer."""

_BREAKS = regex.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_BLANK = "\u034f\u115f\u1160\u3164\uffa0\u17b4\u17b5"  # letters and marks that look like nothing
_VARIANTS = "\ufe00-\ufe0f\U000e0100-\U000e01ef"
_FLAGS = "|".join(
    "\U0001f3f4" + "".join(chr(0xE0000 + ord(letter)) for letter in region) + "\U000e007f"
    for region in ("gbeng", "gbsct", "gbwls")
)
_UNSEEN = regex.compile(
    rf"""
    (?P<kept>
        {_FLAGS}                                                # England, Scotland and Wales
      | (?<=[^\p{{Z}}\p{{C}}{_BLANK}{_VARIANTS}])[\uFE00-\uFE0F]  # text or emoji presentation
      | (?<=\p{{Han}})[\U000E0100-\U000E01EF]                     # a variant of an ideograph
    )
    | (?![\n\t])\p{{Cc}} | \p{{Cs}} | \p{{Noncharacter_Code_Point}}
    | [\u202A-\u202E\u2066-\u2069\u200E\u200F\u061C]            # they turn the reading direction
    | [\u2060-\u2064\u206A-\u206F\uFEFF\u00AD\uFFF9-\uFFFB]     # joiners, hints, annotations
    | [{_BLANK}{_VARIANTS}\U0001D173-\U0001D17A\U000E0000-\U000E007F]
    """,
    regex.VERBOSE,
)
_JOINING = "".join(
    rf"\p{{Script={name}}}"
    for name in (
        "Arabic", "Syriac", "Nko", "Mandaic", "Mongolian", "Devanagari", "Bengali", "Gurmukhi", "Gujarati",
        "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala", "Khmer", "Myanmar", "Tibetan", "Balinese",
        "Javanese",
    )
)  # fmt: skip
_UNSPACED = "".join(rf"\p{{Script={name}}}" for name in ("Thai", "Lao", "Khmer", "Myanmar", "Tibetan"))
_JOINERS = regex.compile(
    rf"""
    (?P<kept>
        (?<=[{_JOINING}])[\u200C\u200D]   # they shape letters
      | (?<=[\p{{Extended_Pictographic}}\p{{Emoji_Modifier}}\uFE0F])\u200D(?=\p{{Extended_Pictographic}})
      | (?<=[{_UNSPACED}])\u200B(?=\p{{L}})  # lines break there
    )
    | [\u200B-\u200D]
    """,
    regex.VERBOSE,
)


class TooLong(ValueError):
    """A text that no placement could use; the message says so."""


def clean(text: str) -> str:
    """`text` in NFC, its lines parted by line feeds, without characters that nobody sees.

    Direction marks go too: our pages and pictures set the direction of a whole text, and a mark counts
    towards a platform's limit. Joiners stay where a script or an emoji is written with them.
    """
    if text.isascii() and text.isprintable():
        return text
    normal = unicodedata.normalize("NFC", _BREAKS.sub("\n", text))
    seen = _UNSEEN.sub(lambda found: found["kept"] or "", normal)
    joined = _JOINERS.sub(lambda found: found["kept"] or "", unicodedata.normalize("NFC", seen))
    return unicodedata.normalize("NFC", joined)


def cleaned(value: object) -> object:
    """JSON with every string in it clean; raises `TooLong` for one of more than `LONGEST_TEXT` characters."""
    if isinstance(value, str):
        return _bounded(clean(value))
    if isinstance(value, list):
        return [cleaned(item) for item in cast("list[object]", value)]
    if isinstance(value, dict):
        return {clean(key): cleaned(item) for key, item in cast("dict[str, object]", value).items()}
    return value


def _bounded(text: str) -> str:
    if len(text) > LONGEST_TEXT:
        raise TooLong(f"a text of it is too long: {len(text)} characters, at most {LONGEST_TEXT} are possible")
    return text
