"""Where Japanese may break: between phrases, not inside them.

A phrase begins where kana ends and a kanji, katakana or Latin word begins, and after punctuation. That is the
common case; words written in kana alone are left to the usual rules.
"""

from typing import Final, Literal

JOINER: Final = "\u2060"
LONGEST: Final = 9  # characters; a longer phrase may break anywhere
OPENING: Final = "「『（【〈《“‘("
CLOSING: Final = "、。，．！？!?」』）】〉》”’)…・"

Kind = Literal["hiragana", "opening", "closing", "space", "other"]


def with_phrases(text: str) -> str:
    """Join the characters of each phrase with U+2060, which a line break respects."""
    return "".join(_joined(phrase) for phrase in _phrases(text))


def _phrases(text: str) -> list[str]:
    phrases: list[str] = []
    for at, character in enumerate(text):
        if at == 0 or _begins(_kind(text[at - 1]), _kind(character)):
            phrases.append(character)
        else:
            phrases[-1] += character
    return phrases


def _begins(before: Kind, kind: Kind) -> bool:
    if before == "space" or kind == "space":
        return True
    if before == "closing":
        return kind != "closing"
    return (before == "hiragana" and kind in ("other", "opening")) or (before == "other" and kind == "opening")


def _joined(phrase: str) -> str:
    joinable = len(phrase) <= LONGEST and any("\u3040" <= c <= "\u9fff" for c in phrase)
    return JOINER.join(phrase) if joinable else phrase


def _kind(character: str) -> Kind:
    if character.isspace():
        return "space"
    if character in OPENING:
        return "opening"
    if character in CLOSING:
        return "closing"
    return "hiragana" if "\u3040" <= character <= "\u309f" else "other"
