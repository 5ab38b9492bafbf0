"""Texts of a model made clean: what goes, what stays, and that cleaning twice changes nothing more."""

import unicodedata
from typing import Any, cast

import pytest
import regex  # type: ignore[import-untyped]  # it ships no stubs
from hypothesis import given
from hypothesis import strategies as st

from agents.hygiene import LONGEST_TEXT, TooLong, clean, cleaned

ENGLAND = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
NASTY = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u2060\ufeff\u00ad\u034f\u3164"
SPECIAL = [
    *NASTY, *"\u200b\u200c\u200d\ufe0e\ufe0f\r\n\t\x00\x07\x7f\x85\x9b\u2028\u2029\ufffe",
    "\ud800", "\udfff", "\U000e0041", "\U000e0100", "\U0001f3f4", ENGLAND, "👩", "🏽", "❤", "e", "\u0301",
    "क", "्", "ष", "ب", "ก", "ខ", "漢", "각", "ᄀ", "ᅡ", "\u115f", " ", "Å", "\u212b", "\ufa10",
]  # fmt: skip
TEXTS = st.lists(st.sampled_from(SPECIAL) | st.characters(), max_size=14).map("".join)

GOES = regex.compile(
    rf"[{NASTY}]|(?![\n\t])\p{{Cc}}|\p{{Cs}}|[\u2028\u2029\ufffe\uffff]|[\ufe00-\ufe0f]{{2}}|[\u200b-\u200d]{{2}}"
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Pay \u202egnihton\u202c", "Pay gnihton"),
        ("a\u2066b\u2069c\u200ed\u200fe\u061c", "abcde"),
        ("zero\u200bwidth\ufeff\u2060", "zerowidth"),
        ("half \ud83d pair", "half  pair"),
        ("bell\x07 null\x00 escape\x1b[31m csi\x9b", "bell null escape[31m csi"),
        ("one\r\ntwo\rthree\u2028four\x0bfive\x85six\tseven", "one\ntwo\nthree\nfour\nfive\nsix\tseven"),
        ("Cafe\u0301 A\u030angstro\u0308m \u212b", "Café Ångström Å"),
        ("e\u200b\u0301", "é"),
        ("tags\U000e0068\U000e0069", "tags"),
        ("smuggled 😀\ufe01\ufe02\ufe03", "smuggled 😀\ufe01"),
        ("soft\u00adhyphen", "softhyphen"),
        ("blank \u034f\ufe0e\u3164\ufe0f", "blank "),
        ("a\u200db\u200cc", "abc"),
    ],
)
def test_what_nobody_sees_goes(text: str, left: str) -> None:
    assert clean(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "Plain, with “quotes” – and a dash…",
        "👩‍👩‍👧‍👦 🏳️‍🌈 👩🏽‍🚀 ❤️‍🔥",
        ENGLAND,
        "☎️ and ☎︎",
        "می‌خواهم",
        "क्‍ष क्‌ष ශ්‍රී",
        "葛\U000e0100城市",
        "ខ្ញុំ\u200bស្រលាញ់",
        "Prix : 5\u202f€",
        "한국어 العربية עברית ไทย",
    ],
)
def test_what_a_script_or_an_emoji_needs_stays(text: str) -> None:
    assert clean(text) == text


@given(TEXTS)
def test_a_clean_text_is_normal_and_stays_as_it_is(text: str) -> None:
    once = clean(text)
    assert clean(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not GOES.search(once)
    once.encode()


@given(st.text(st.characters(codec="ascii", exclude_categories=["Cc"])))
def test_plain_text_is_left_alone(text: str) -> None:
    assert clean(text) == text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_every_string_of_an_object_is_clean(value: Any) -> None:
    once = cleaned(value)
    assert cleaned(once) == once
    assert all(text == clean(text) for text in _strings(once))


def _strings(value: object) -> list[str]:
    if isinstance(value, dict):
        held = cast("dict[str, object]", value)
        return [*held, *(text for item in held.values() for text in _strings(item))]
    if isinstance(value, list):
        return [text for item in cast("list[object]", value) for text in _strings(item)]
    return [value] if isinstance(value, str) else []


def test_a_text_too_long_is_refused_and_never_cut() -> None:
    longest = "a" * LONGEST_TEXT
    assert cleaned({"texts": [longest]}) == {"texts": [longest]}
    with pytest.raises(TooLong, match="too long: 10001 characters"):
        cleaned({"texts": ["fine", longest + "a"]})
