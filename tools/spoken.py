"""Which language a text is in, where that is sure."""

from collections.abc import Sequence
from functools import cache, lru_cache
from threading import Lock
from typing import Any

from tools.languages import UnknownLanguage
from tools.languages import language as language_of
from tools.verbatim import letters, prose

LEAST_LETTERS = 25
"""Fewer say too little; a letter of a script that writes syllables or whole words counts as three."""
FAMILIES = tuple(
    frozenset(family.split())
    for family in (
        "es pt gl ca",
        "nb nn da sv",
        "cs sk",
        "hr sr bs sl",
        "id ms",
        "ru uk bg kk",
        "nl af",
        "hi mr ne",
        "ar fa ur",
        "tr az",
    )
)
"""Relatives whose short texts nobody can tell apart for sure."""


def mismatch(text: str, language: str, *, keep: Sequence[str] = ()) -> str | None:
    """Return the code of the language that `text` surely is in, instead of `language`; None when it may be right.

    Terms of `keep`, addresses, tags and digits are not looked at. Near relatives, such as Czech and
    Slovak, count as one language. The bounds are measured on the texts of tests/tools/spoken.toml, cut
    at words after so many letters: from 16 on, the asked language and its relatives together had at
    least a third of the probability in every right text, so that 0.02 leaves room for foreign words;
    with 25 that finds 99 of 100 wrong texts, with 8 only 92.
    """
    words, asked = prose(text[:_MOST], keep=keep), _relatives(base(language))
    if letters(words) < LEAST_LETTERS:
        return None
    odds = _odds(words)
    likely = max(odds, key=odds.__getitem__)
    shares = [chance for code, chance in odds.items() if base(code) in asked]
    return likely if shares and sum(shares) < _DOUBT else None


@lru_cache(maxsize=1024)
def base(code: str) -> str:
    """Return a language without region and script: `pt` for pt-BR, `nb` for no, `zh` for zh-Hant."""
    try:
        code = language_of(code).code
    except UnknownLanguage:
        code = code.strip().replace("_", "-").casefold()
    return code.split("-")[0]


@cache
def _code(label: str) -> str:
    return language_of(label).code


@lru_cache(maxsize=1024)
def _relatives(spoken: str) -> frozenset[str]:
    return frozenset({spoken}.union(*(family for family in FAMILIES if spoken in family)))


def _odds(text: str) -> dict[str, float]:
    """Return the probability of every language of the table that the library knows."""
    with _LOADING:
        identifier = _identifier()
    ranked: list[tuple[str, float]] = identifier.rank(text)
    return {_code(label): chance for label, chance in ranked}


@cache
def _identifier() -> Any:
    """Load the library and its table of 139 languages; what only others speak cannot be asked for."""
    from py3langid.langid import (  # type: ignore[import-untyped]  # noqa: PLC0415 - half a second, and no stubs
        MODEL_FILE,
        LanguageIdentifier,
    )

    identifier: Any = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    identifier.set_languages([label for label in identifier.labels if _in_table(label)])
    return identifier


def _in_table(label: str) -> bool:
    try:
        return bool(language_of(label))
    except UnknownLanguage:
        return False


_LOADING = Lock()
_MOST = 4000
_DOUBT = 0.02
