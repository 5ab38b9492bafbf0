"""What a text holds that no language owns: addresses, slots, tags, emoji and terms that stay as they are."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import regex  # type: ignore[import-untyped]  # it ships no stubs

Span = tuple[int, int]
MASK = "_"


def addresses(text: str) -> Iterator[Span]:
    """Find web addresses, e-mail addresses and @handles, without the full stop that ends their sentence."""
    for found in _ADDRESS.finditer(text) if _ADDRESS_MARK.search(text) else ():
        yield found.start(), found.start() + len(_trimmed(found[0]))


def placeholders(text: str) -> Iterator[Span]:
    """Find what a program fills in or reads: {name}, {{name}}, ${x}, %s, %(x)d, <b>, {KeyWord:…}."""
    if "{" in text or "%" in text or "<" in text:
        yield from (found.span() for found in _PLACEHOLDER.finditer(text))


def hashtags(text: str) -> Iterator[Span]:
    """Find hashtags inside a text, as platforms link them."""
    if "#" in text or "\uff03" in text:
        yield from (found.span() for found in _HASHTAG.finditer(text))


def emoji(text: str) -> Iterator[Span]:
    """Find emoji, each with its skin tone and all that is joined to it; © ® ™ are letters here."""
    if not text.isascii():
        yield from (found.span() for found in _EMOJI.finditer(text))


def terms(text: str, keep: Sequence[str]) -> Iterator[Span]:
    """Find the terms of `keep` as they are written, the longest first, with an ending that clings to one."""
    if any(term.strip() for term in keep):
        yield from (found.span() for found in _terms(tuple(keep)).finditer(text))


def masked(text: str, spans: Iterable[Span]) -> str:
    """Overwrite `spans` with the mask, so that all else stays where it is."""
    parts, last = list[str](), 0
    for start, end in spans:
        parts += (text[last:start], MASK * (end - start))
        last = end
    return "".join((*parts, text[last:])) if parts else text


def prose(text: str, *, keep: Sequence[str] = ()) -> str:
    """Return the words of `text` that are some language's own, a space between two."""
    for found in (addresses, placeholders, hashtags):
        text = masked(text, found(text))
    return words(masked(text, terms(text, keep)))


def words(text: str) -> str:
    """Return the words of `text`, a space between two."""
    return " ".join(_WORD.findall(text))


def letters(text: str) -> int:
    """Count letters; one of a script that writes syllables or whole words counts as three."""
    return len(_LETTER.findall(text)) + 2 * len(_DENSE.findall(text))


@lru_cache(maxsize=256)
def _terms(keep: tuple[str, ...]) -> "regex.Pattern[str]":
    longest = sorted({term.strip() for term in keep if term.strip()}, key=len, reverse=True)
    return regex.compile("|".join(f"{whole_word(term)}{_ENDING}" for term in longest))


def whole_word(term: str) -> str:
    """Return a pattern of `term` that begins no later than its word does; any white space may part its words."""
    inside = r"\s+".join(regex.escape(word) for word in term.split())
    return rf"{_FIRST if _CASED.match(term) else ''}{inside}"


def _trimmed(address: str) -> str:
    """Cut off marks that belong to the sentence, a closing bracket among them unless it was opened inside."""
    while address:
        last = address[-1]
        if last in ".,;:!?'\"*_" or (last == ")" and address.count(")") > address.count("(")):
            address = address[:-1]
        else:
            break
    return address


_ADDRESS_MARK = regex.compile(r"@|://|\.[A-Za-z0-9\p{Latin}\-._~:/?#\[\]@!$&'()*+,;=%]")
_PATH = r"(?:[/?#][A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]*)?"
_ENDS = "com|org|net|io|app|dev|shop|store|eu|de|at|ch|fr|es|it|pt|br|nl|be|pl|se|dk|no|fi|uk|jp|cn|kr|ru|tr|in"
_ADDRESS = regex.compile(
    rf"(?:https?://|www\.)[A-Za-z0-9\p{{Latin}}\-._~:/?#\[\]@!$&'()*+,;=%]+"
    rf"|(?<![\p{{Latin}}\p{{Nd}}._%+-])[A-Za-z0-9][A-Za-z0-9._%+-]{{0,63}}@[A-Za-z0-9.-]{{1,253}}\.[A-Za-z]{{2,24}}"
    r"|(?<![A-Za-z0-9._%+/@-])@[A-Za-z0-9_][A-Za-z0-9_.]{0,63}"
    r"|(?<![\p{Latin}\p{Nd}.@-])(?:[a-z0-9][a-z0-9-]{0,62}\.){1,6}"
    rf"(?:{_ENDS})(?![\p{{Latin}}\p{{Nd}}-]){_PATH}"
)
_PLACEHOLDER = regex.compile(
    r"\{\{[^{}\n]{1,120}\}\}|\$?\{[^{}\n]{1,120}\}"
    r"|%\([A-Za-z_]\w{0,60}\)[sdifrx]|(?<![\p{Nd}%])%(?:\d\$)?[sd](?![\p{L}\p{Nd}])"
    r"|</?[A-Za-z][A-Za-z0-9]{0,20}(?:\s[^<>\n]{0,200})?/?>"
)
_HASHTAG = regex.compile(r"(?<![\p{L}\p{N}_&/])[#\uFF03](?=[\p{Nd}_]{0,100}\p{L})[\p{L}\p{M}\p{Nd}_]+")
_PICTURE = r"(?![©®™\u200d])\p{Extended_Pictographic}(?:\p{Emoji_Modifier}|\uFE0F)?[\U000E0020-\U000E007F]*"
_EMOJI = regex.compile(rf"\p{{Regional_Indicator}}{{2}}|[0-9#*]\uFE0F?\u20E3|{_PICTURE}(?:\u200D{_PICTURE})*")
_CASED = regex.compile(r"[\p{Latin}\p{Greek}\p{Cyrillic}]")
_FIRST = r"(?<![\p{Latin}\p{Greek}\p{Cyrillic}\p{M}\p{Nd}])"
_ENDING = r"(?:['\u2019:\-]?[\p{Latin}\p{Greek}\p{Cyrillic}]{1,6}(?![\p{Latin}\p{Greek}\p{Cyrillic}]))?+"
_WORD = regex.compile(r"\p{L}[\p{L}\p{M}'\u2019\u200c\u200d]*")
_LETTER = regex.compile(r"[\p{L}\p{M}]")
_DENSE = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]")
UNSPACED = regex.compile(r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]")
"""A letter of a script in which no spaces, or not only they, part the words."""
