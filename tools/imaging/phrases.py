"""Where a line may break: between phrases, words or characters, as each language has it.

Japanese and Chinese break between BudouX's phrases, Thai between the words of PyThaiNLP's list (thai.py),
Korean and every other language at spaces. Whatever leans on its neighbour stays with it: an article, a number and
its unit, punctuation, a product's name.
"""

import json
import tomllib
import unicodedata
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import regex  # type: ignore[import-untyped]  # it ships no stubs
from budoux.parser import MODEL_DIR, Parser

from tools.imaging.thai import FOLLOWING, thai_words

JOINER: Final = "\u2060"
BREAK: Final = "\u200b"
TIE: Final = "\u00a0"
OPENING: Final = frozenset("「『（【〈《〔“‘«([{¿¡")
CLOSING: Final = frozenset("、。，．！？：；!?.,:;%％°℃)]}」』）】〉》〕”’»…‥・·~～ー々ゝヽ؟،؛।ๆฯ–—")
SMALL: Final = frozenset("ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ")
LONGEST: Final = 24  # characters; words that lean on each other part where they would be longer than this
UNIT: Final = 12  # characters; a longer word after a number is no unit


def phrases(text: str, language: str, *, names: tuple[str, ...] = (), fine: bool = False) -> list[str]:
    """Part a text where a line may end; joined again the phrases are the text, spaces at their ends.

    Names are kept in one piece. With fine true nothing is kept that need not be: names part at their spaces,
    compounds at their hyphens, Chinese and Japanese between any two characters that may stand apart.
    """
    words = regex.findall(r"\s*\S+\s*", text, regex.V1)
    pieces = [piece for word in words for piece in _pieces(word, language, fine=fine)]
    leaning = _by_language("leaning", language) or ()
    inside: set[int] = set() if fine else _inside_names(text, names)
    joined: list[list[str]] = []
    at = 0
    for piece in pieces:
        if at and (at in inside or _leans(joined[-1], piece, leaning, named=at - 1 in inside)):
            joined[-1].append(piece)
        else:
            joined.append([piece])
        at += len(piece)
    return ["".join(group) for group in joined]


def bound(phrase: str) -> str:
    """Write a phrase so that no line can break in it; spaces at its ends fall away."""
    tied = TIE.join(phrase.split())
    return str(_SEAMS.sub(JOINER, tied))


def leading(language: str) -> float:
    """Return the distance between baselines that suits a language, in em."""
    return float(_by_language("leading", language) or _data()["leading"]["en"])


def _pieces(word: str, language: str, *, fine: bool) -> list[str]:
    """Part a word without spaces where its script lets it be parted."""
    if _SQUARE.search(word):
        model = _model(language)
        parts = list(word) if fine or model is None else model.parse(word)
    elif _THAI.search(word):
        parts = thai_words(word)
    elif fine:
        parts = regex.split(r"(?<=\p{L}{3}-)(?=\p{L}{3})", word, regex.V1)
    else:
        return [word]
    pieces = parts[:1]
    for part in parts[1:]:
        if _may_part(pieces[-1], part, fine=fine):
            pieces.append(part)
        else:
            pieces[-1] += part
    return pieces


def _may_part(before: str, after: str, *, fine: bool) -> bool:
    left, right = before[-1], after[0]
    if right in CLOSING or right in SMALL or right in FOLLOWING or left in OPENING or right.isspace():
        return False
    if unicodedata.category(right).startswith("M") or left.isdecimal() or _COUNTED.search(before[-2:]):
        return False
    if _is_plain(left) and _is_plain(right):
        return left == "-"
    if not fine and any(before.endswith(one) and after.startswith(other) for one, other in _BOUND):
        return False
    lonely = not fine and len(before) == 1 and bool(_SQUARE.match(before))
    return not lonely


def _is_plain(character: str) -> bool:
    """Whether a character belongs to a word or a number that is written with spaces around it."""
    return not _SQUARE.match(character) and not _THAI.match(character) and character not in CLOSING | OPENING


def _leans(group: list[str], after: str, leaning: Iterable[str], *, named: bool) -> bool:
    """Whether a piece stays on the line of those before it though a space lies between them."""
    last, right = group[-1].strip().casefold(), after.strip()
    if not last or not right or not group[-1][-1].isspace():
        return False
    if right[0] in "»”" or all(c in CLOSING or unicodedata.category(c) == "Pd" for c in right):
        return True
    if last[-1] in "«“¿¡(" or (right[0].isdecimal() and last in _data()["numbers"]["before"]):
        return True
    if sum(map(len, group)) + len(right) > LONGEST:
        return False
    if last[-1].isdecimal():
        priced = len(group) > 1 and group[-2].strip().casefold() in _data()["numbers"]["before"]
        return not named and (right[0].isdecimal() or (not priced and len(right) <= UNIT))
    if _KANA.match(right) and _is_plain(last[-1]):
        return True
    counted = len(group) > 1 and group[-2].strip()[-1:].isdecimal()
    return not counted and (last in leaning or (len(last) == 1 and last.isalpha() and _is_plain(last)))


def _inside_names(text: str, names: Iterable[str]) -> set[int]:
    """Return the places in a text at which it would be parted within a name."""
    folded = text.casefold()
    if len(folded) != len(text):
        folded = text
    return {
        at
        for name in names
        if name.strip()
        for found in regex.finditer(_spaced(name.casefold()), folded)
        for at in range(found.start() + 1, found.end())
    }


def _spaced(name: str) -> str:
    """Write a name as a pattern that any white space may stand in."""
    return r"\s+".join(map(regex.escape, name.split()))


def _by_language(table: str, language: str) -> Any:
    entries: Mapping[str, Any] = _data()[table]
    return entries.get(language) or entries.get(language.replace("_", "-").split("-")[0].lower())


def _model(language: str) -> Parser | None:
    tag = language.replace("_", "-").lower()
    if tag.startswith("ja"):
        return _parser("ja")
    if not tag.startswith("zh"):
        return None
    traditional = any(mark in tag for mark in ("hant", "tw", "hk", "mo"))
    return _parser("zh-hant" if traditional else "zh-hans")


@cache
def _parser(name: str) -> Parser:
    return Parser(json.loads(Path(MODEL_DIR, f"{name}.json").read_text("utf-8")))


@cache
def _data() -> Mapping[str, Any]:
    return tomllib.loads(files("tools.imaging").joinpath("phrases.toml").read_text("utf-8"))


# Scripts whose characters fill a square and part without spaces; Hangul does not.
_SQUARE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Bopomofo}ー々、。，！？：；「」『』（）]", regex.V1)
_KANA = regex.compile(r"\p{Hiragana}", regex.V1)
# Japanese: particle and verb that are one word to every reader, という for instance; BudouX parts some of them.
_BOUND = (("と", "いう"), ("と", "いった"), ("と", "して"), ("に", "ついて"), ("に", "よる"), ("に", "おいて"))
_COUNTED = regex.compile(r"\p{Nd}\p{Han}$", regex.V1)
_THAI = regex.compile(r"\p{Thai}", regex.V1)
_EAST = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Bopomofo}\u3000-\u303f\uff00-\uffef\u30fb\u30fc]"
_SEAMS = regex.compile(rf"(?<={_EAST})(?=\S)|(?<=\S)(?={_EAST})|(?<=[-–—/])(?=\w)|(?<=\w)(?=[—/])", regex.V1)
