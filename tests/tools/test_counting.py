"""Lengths as the platforms count them, and shortening that never exceeds them."""

import time
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.counting import COUNTING_RULES, ELLIPSIS, fitting, measure, shorten

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=120)
ADDRESSES = st.lists(
    st.sampled_from(["a", ".", "日", "/", "http://", "x.co", " ", "é", "😀", "_", "。", "(", "\n", "@", "-"]),
    max_size=20,
).map("".join)
RULES = st.sampled_from(COUNTING_RULES)
FAMILY = "👨\u200d👩\u200d👧\u200d👦"


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("This is a test.", 15),
        ("https://test.com", 23),
        ("Test https://test.com test https://test.com test.com test", 86),
        ("日本語", 6),
        ("e\u0301", 1),
        ("H🐱☺" + FAMILY, 7),
        ("🙋🏽👨\u200d🎤", 4),
        ("❤️\u200d🔥", 2),
        ("🫶🏽", 2),
        ("🇩🇪", 2),
        ("\u2013\u2026", 3),
        ("http://" + "あいうえおかきくけこ" * 5 + "あい.com", 23),
        ("randomurl" * 7 + "s.com", 68),
        ("one\r\ntwo", 7),
    ],
)
def test_x_counts_addresses_emoji_and_wide_letters_by_weight(text: str, length: int) -> None:
    assert measure(text, "x_weighted_v3") == length


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("日本", 4), ("ｱ", 1), ("Ａ", 2), ("か\u3099", 2), ("é", 1), ("…", 1)]
)
def test_display_width_counts_wide_characters_twice(text: str, width: int) -> None:
    assert measure(text, "display_width") == width


def test_bytes_and_code_points_are_those_of_the_composed_text() -> None:
    assert measure("e\u0301", "utf8_bytes") == 2
    assert measure("e\u0301", "chars") == 1
    assert measure(FAMILY, "utf8_bytes") == 25
    assert measure(FAMILY, "chars") == 7


def test_surrogates_are_joined_in_pairs_and_replaced_when_alone() -> None:
    assert measure("\ud83d\ude00", "chars") == 1
    assert measure("\ud83d", "utf8_bytes") == len("\ufffd".encode())
    assert measure("\ud83d", "x_weighted_v3") == 2


def test_an_unknown_rule_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"'bytes'.*x_weighted_v3, display_width, utf8_bytes, chars"):
        measure("", "bytes")


@given(ANY_TEXT | ADDRESSES, RULES)
def test_no_text_makes_measuring_fail(text: str, rule: str) -> None:
    assert measure(text, rule) >= 0


@settings(max_examples=300)
@given(ANY_TEXT | ADDRESSES, st.integers(-3, 60), RULES)
def test_shortened_text_never_exceeds_its_limit(text: str, limit: int, rule: str) -> None:
    short = shorten(text, limit, rule)
    assert measure(short, rule) <= max(limit, 0)
    assert short in (text, "") or short.endswith(ELLIPSIS)


@given(ADDRESSES)
def test_x_weight_is_what_the_parser_says_of_the_whole_text(text: str) -> None:
    weight = measure(text, "x_weighted_v3")
    assert weight == import_module("twitter_text").parse_tweet(text).weightedLength


@pytest.mark.parametrize(
    ("text", "limit", "rule", "short"),
    [
        ("The quick brown fox", 19, "chars", "The quick brown fox"),
        ("The quick brown fox", 12, "chars", "The quick…"),
        ("The quick, brown fox", 14, "chars", "The quick…"),
        ("日本語の長い文章です", 11, "display_width", "日本語の長…"),
        (FAMILY * 3, 5, "x_weighted_v3", FAMILY + "…"),
        ("Pneumonoultramicroscopic", 8, "chars", "Pneumon…"),
        ("word", 0, "chars", ""),
        ("word", 1, "x_weighted_v3", ""),
    ],
)
def test_shortening_keeps_whole_words_and_graphemes(text: str, limit: int, rule: str, short: str) -> None:
    assert shorten(text, limit, rule) == short


def test_fitting_ends_between_graphemes() -> None:
    assert fitting("ab" + FAMILY, 8, "chars") == 2
    assert fitting("ab" + FAMILY, 9, "chars") == 9


@pytest.mark.parametrize("text", ["a." * 10_000, "日本語。" * 5_000 + ".", "a-" * 10_000 + ".c"])
def test_a_hostile_text_is_measured_in_linear_time(text: str) -> None:
    began = time.perf_counter()
    measure(text, "x_weighted_v3")
    assert time.perf_counter() - began < 5
