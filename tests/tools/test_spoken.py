"""Languages told apart: no right text is suspected, and nearly every wrong one is."""

import tomllib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
import regex  # type: ignore[import-untyped]  # it ships no stubs
from hypothesis import given
from hypothesis import strategies as st

from tools.languages import LANGUAGES
from tools.spoken import FAMILIES, LEAST_LETTERS, base, mismatch
from tools.verbatim import letters, prose

TEXTS: dict[str, list[str]] = tomllib.loads(Path(__file__).with_name("spoken.toml").read_text("utf-8"))
ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=120)


def related(one: str, other: str) -> bool:
    pair = {base(one), base(other)}
    return len(pair) == 1 or any(pair <= family for family in FAMILIES)


def beginnings(text: str) -> Iterator[str]:
    """The text up to each of its words, once it is long enough to judge."""
    for found in regex.finditer(r"\S+", text):
        if letters(prose(text[: found.end()])) >= LEAST_LETTERS:
            yield text[: found.end()]


def test_the_texts_are_enough_to_measure_by() -> None:
    assert len(TEXTS) >= 30
    assert TEXTS.keys() <= LANGUAGES.keys()
    assert all(len(texts) == 8 for texts in TEXTS.values())


@pytest.mark.parametrize("language", TEXTS)
def test_a_right_text_is_never_suspected_however_it_is_cut(language: str) -> None:
    parts = [part for text in TEXTS[language] for part in beginnings(text)]
    assert parts
    assert [(part, told) for part in parts if (told := mismatch(part, language))] == []


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: "-".join(sorted(family)))
def test_relatives_are_not_told_apart(family: frozenset[str]) -> None:
    written = [(text, asked) for spoken in family & TEXTS.keys() for text in TEXTS[spoken] for asked in family]
    assert written
    assert [case for case in written if mismatch(*case)] == []


def test_nearly_every_wrong_text_is_found_at_the_least_length_already() -> None:
    told = [
        mismatch(part, asked) is not None
        for spoken, texts in TEXTS.items()
        for text in texts
        for part in [*beginnings(text)][:1]
        for asked in TEXTS
        if not related(spoken, asked)
    ]
    assert len(told) > 7000
    assert sum(told) / len(told) >= 0.98


@pytest.mark.parametrize(
    ("text", "language", "told"),
    [
        ("Quiet that lasts all day. Put them on and hear only what you came for.", "de", "en"),
        ("Ruhe, die den ganzen Tag hält. Aufsetzen und nur noch hören, was zählt.", "pt-BR", "de"),
        ("Prøv den hjemme og send den tilbake hvis den ikke passer.", "fi", "nb"),
        ("每天清晨，新鲜面包送到门口，在你熟睡时烤好。", "ja", "zh-Hans"),
    ],
)
def test_the_language_that_it_is_in_instead_is_named(text: str, language: str, told: str) -> None:
    assert mismatch(text, language) == told


@pytest.mark.parametrize(
    "text", ["", "Aurora", "Shop now", "https://example.com/a/very/long/path/in/english", "#best"]
)
def test_a_short_text_may_be_anything(text: str) -> None:
    assert mismatch(text, "de") is None


def test_kept_terms_say_nothing_of_the_language() -> None:
    text = "The Quiet Company of Slow Mornings and Other Things"
    assert mismatch(f"Neu: {text}", "de") == "en"
    assert mismatch(f"Neu: {text}", "de", keep=[text]) is None


def test_a_language_that_nobody_knows_is_not_judged() -> None:
    assert mismatch("Quiet that lasts all day. Put them on and hear only what you came for.", "xx") is None


def test_many_threads_may_ask_at_once() -> None:
    with ThreadPoolExecutor(8) as pool:
        told = list(pool.map(partial(mismatch, language="ja"), TEXTS["en"] * 4))
    assert set(told) == {"en"}


@given(ANY_TEXT, st.sampled_from(sorted(LANGUAGES)) | ANY_TEXT, st.lists(ANY_TEXT, max_size=3))
def test_no_text_makes_it_fail(text: str, language: str, keep: list[str]) -> None:
    assert mismatch(text, language, keep=keep) in {None, *LANGUAGES}
