"""Language codes as people write them, and numbers as languages write them."""

from decimal import Decimal
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.languages import LANGUAGES, UnknownLanguage, decimal_mark, language, numerals

ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=80)


def test_the_table_is_wide_enough_and_consistent() -> None:
    assert len(LANGUAGES) >= 60
    assert all(entry.code == code and entry.endonym for code, entry in LANGUAGES.items())
    assert {code for code, entry in LANGUAGES.items() if entry.direction == "rtl"} == {"ar", "he", "fa", "ur"}
    aliases = [alias.casefold() for entry in LANGUAGES.values() for alias in entry.aliases]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & {code.casefold() for code in LANGUAGES}


@pytest.mark.parametrize(
    ("written", "code"),
    {
        "DE": "de",
        "pt-br": "pt-BR",
        "pt_BR": "pt-BR",
        "pt-PT": "pt",
        "zh": "zh-Hans",
        "ZH-hant": "zh-Hant",
        "zh-TW": "zh-Hant",
        "no": "nb",
        "iw": "he",
        " ja ": "ja",
    }.items(),
)
def test_a_code_is_found_however_it_is_written(written: str, code: str) -> None:
    assert language(written).code == code


@pytest.mark.parametrize(("code", "said"), [("de-AT", "there is de"), ("fren", "there is fr"), ("", "others")])
def test_an_unknown_code_is_refused_with_help(code: str, said: str) -> None:
    with pytest.raises(UnknownLanguage, match=said):
        language(code)


def test_a_language_is_plain_json() -> None:
    assert language("ar").as_json() == {
        "code": "ar", "english": "Arabic", "endonym": "العربية", "script": "Arab", "direction": "rtl",
    }  # fmt: skip


def test_a_regional_code_writes_numbers_as_its_language_does() -> None:
    assert (decimal_mark("de-AT"), decimal_mark("en"), decimal_mark("xx")) == (",", ".", None)


@pytest.mark.parametrize(
    ("text", "decimal", "values"),
    [
        ("1,000", ".", ["1000"]),
        ("1.000", ",", ["1000"]),
        ("1.000", ".", ["1"]),
        ("1.000", None, ["1", "1000"]),
        ("1.000.000", ".", ["1000000"]),
        ("1,5", ".", ["1.5"]),
        ("1.5", ",", ["1.5"]),
        ("1'000.50", ".", ["1000.5"]),
        ("1,00,000", ".", ["100000"]),
        ("10\u202f000", ",", ["10000", "10 0"]),
        ("10万人", ".", ["100000"]),
        ("2 million", ".", ["2000000"]),
        ("4K", ".", ["4000"]),
        ("40 m", ".", ["40"]),
        ("٤٠", None, ["40"]),
        ("٣٫٥", None, ["3.5"]),
        ("４０", ".", ["40"]),
        ("12.05.2026", ".", ["2026 5 12"]),
    ],
)
def test_a_number_is_read_as_its_language_writes_it(
    text: str, decimal: Literal[".", ","] | None, values: list[str]
) -> None:
    (found,) = numerals(text, decimal=decimal)
    expected = {frozenset(Decimal(value) for value in way.split()) for way in values}
    assert set(found.readings) == expected


@given(ANY_TEXT | st.text("0123456789.,' \u066b٠k万M", max_size=40))
def test_no_text_makes_reading_numbers_fail(text: str) -> None:
    for found in numerals(text):
        assert 0 <= found.start < found.end <= len(text)
        assert found.readings
