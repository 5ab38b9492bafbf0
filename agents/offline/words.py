"""The product's own words, and how they stand in a phrase."""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache

from agents.offline.judge import objections
from agents.offline.phrases import SLOT, phrases
from agents.product import Product
from tools.counting import fitting, measure

STOP = {"ja": "。", "hi": "।"}
_STOPS = (".", *STOP.values())
_ENDINGS = tuple(".!?…。！？؟।:：")
_GREEK_ENDINGS = (*_ENDINGS, ";")
_NO_SECOND_STOP = tuple(".!?…。！？؟।")
_STARTS = re.compile(r"(?:^|[.!?…।]\s)[¿¡“”„«\s]*$")
_SENTENCE = re.compile(r"(?<=[.!?।])\s+|(?<=[。！？])")
_IN_WORDS = ("L", "Nd", "Mn", "Mc")
_VARIATION_SELECTORS = range(0xFE00, 0xFE10)
_LONGEST_TAG = 24
_LONGEST_SHORT_NAME = 48
_SHORTEST_ABOUT, _LONGEST_ABOUT = 20, 200


@dataclass(frozen=True)
class Words:
    """What may be said about a product without further proof: its name, features, own sentence, address."""

    name: str
    features: tuple[str, ...]
    about: str | None = None
    host: str | None = None

    @classmethod
    def of(cls, product: Product) -> "Words":
        """The words of `product`, white space tidied and features without a final stop."""
        features = tuple(_tidy(feature).rstrip(".;,。、।") or _tidy(feature) for feature in product.features)
        host = (product.url.host or "").removeprefix("www.") if product.url else ""
        return cls(_tidy(product.name), features, _first_sentence(product.description or ""), host or None)

    def values(self, start: int) -> dict[str, str]:
        """What fills a phrase's slots when the feature number `start` comes first."""
        count = len(self.features)
        turned = [self.features[(start + step) % count] for step in range(3)]
        own = {"name": self.name, "feature": turned[0]}
        own |= {f"f{step}": feature for step, feature in enumerate(turned, 1)}
        return own | ({"about": self.about} if self.about else {})

    def shortened(self) -> "Words":
        """The same with a name that a sentence can carry."""
        return replace(self, name=short_name(self.name, _LONGEST_SHORT_NAME, "chars"))


def fill(template: str, values: Mapping[str, str]) -> str | None:
    """`template` with its slots filled; None when a value is missing.

    A feature that opens a sentence gains a capital; behind a value with a stop the template's is dropped.
    """
    text = ""
    for literal, slot in _parts(template):
        text += literal[1:] if text.endswith(_NO_SECOND_STOP) and literal.startswith(_STOPS) else literal
        if slot is None:
            break
        if slot not in values:
            return None
        value = values[slot]
        text += value if slot in ("name", "text") or not _STARTS.search(text) else _capital(value)
    return text


def sentence(text: str, language: str) -> str:
    """`text` with a full stop, unless it ends in one of its own."""
    endings = _GREEK_ENDINGS if language == "el" else _ENDINGS
    return text if text.endswith(endings) else text + STOP.get(language, ".")


def short_name(name: str, limit: int, rule: str) -> str:
    """As many whole words of `name` as fit; an unbroken name is cut between graphemes."""
    kept = ""
    for word in name.split(" "):
        longer = f"{kept} {word}".strip()
        if measure(longer, rule) > limit:
            break
        kept = longer
    return kept.rstrip(" ,;:-–—&+(|/") or name[: fitting(name, limit, rule)].strip()


def slug(name: str, limit: int, rule: str) -> str:
    """`name` as part of an address: as many whole words as fit, hyphens between; maybe empty."""
    kept = ""
    for word in _bare_words(name.casefold()):
        longer = f"{kept}-{word}".strip("-")
        if measure(longer, rule) > limit:
            break
        kept = longer
    return kept


def hashtags(words: Words, tones: Iterable[str], language: str) -> Iterator[str]:
    """Hashtags without the sign: the product's own first, then those of its tones."""
    wanted = tuple(tones)
    own = [camel(words.name), *(camel(feature) for feature in words.features)]
    tagged = [p.variants(language)[0] for p in phrases("hashtag") if p.suits(wanted)]
    yield from (tag for tag in dict.fromkeys([*own, *tagged]) if tag)


def camel(text: str) -> str:
    """`text` as one hashtag, or nothing when it is too long or has no letter."""
    tag = "".join(word[:1].upper() + word[1:] for word in _bare_words(text))
    return tag if len(tag) <= _LONGEST_TAG and any(map(str.isalpha, tag)) else ""


@cache
def _parts(template: str) -> tuple[tuple[str, str | None], ...]:
    pieces = SLOT.split(template)
    return tuple(zip(pieces[::2], [*pieces[1::2], None], strict=True))


def _capital(value: str) -> str:
    """`value` with a capital, unless its first word is written in a way of its own (iPhone, 5g, e-ink)."""
    first = value.split(" ", 1)[0]
    return value[:1].upper() + value[1:] if first.isalpha() and first.islower() else value


def _bare_words(text: str) -> list[str]:
    """The words of `text` with nothing but letters, their marks, and digits, in any script."""
    normal = unicodedata.normalize("NFC", text)
    return "".join(char if _is_in_word(char) else " " for char in normal).split()


def _is_in_word(char: str) -> bool:
    return unicodedata.category(char).startswith(_IN_WORDS) and ord(char) not in _VARIATION_SELECTORS


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _first_sentence(description: str) -> str | None:
    """The first sentence that is neither a fragment nor a speech, and that nobody would object to."""
    for said in _SENTENCE.split(_tidy(description)):
        if _SHORTEST_ABOUT <= len(said) <= _LONGEST_ABOUT and not list(objections(said)):
            return sentence(said, "ja" if said.endswith("。") else "en")
    return None
