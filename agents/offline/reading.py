"""Reading back: which phrases a text was made from, so that they can be said in another language."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from itertools import permutations

from agents.offline.phrases import SLOT, Phrase, phrases, wording
from agents.offline.voice import GAP
from agents.offline.words import Words, fill, sentence

_KINDS = (
    "headline", "line", "plain", "close", "tag", "button", "path", "item", "about", "alt", "aside",
)  # fmt: skip
_LEARNED = 256


@dataclass(frozen=True)
class Said:
    """A phrase as it was said: with these words in this order of features, and with these words beside."""

    phrase: Phrase
    words: Words
    stop: bool = False
    beside: tuple[tuple[str, str], ...] = ()

    def in_language(self, language: str, *, short: bool = False) -> str:
        """The same in `language`; `short` takes the shortest way to say it."""
        variants = self.phrase.variants(language)
        values = self.words.values(0) | dict(_carried(self.beside, language))
        text = fill(variants[-1 if short else 0], values) or self.words.name
        return sentence(text, language) if self.stop else text


@dataclass(frozen=True)
class Raw:
    """Words that a person wrote: no phrase says them."""

    text: str


Line = tuple[Said, ...] | Raw
"""One line of a text; an empty line has nothing said in it."""


def read_text(text: str, words: Words, language: str) -> list[Line]:
    """`text` line by line, each as the phrases that it was made from, or raw."""
    return [_line(line, words, language) for line in text.split("\n")]


def _line(line: str, words: Words, language: str) -> Line:
    if not line:
        return ()
    said = _segments(line, _known(words, language), GAP.get(language, " "))
    return said or _audience(line, words, language) or Raw(line)


def _segments(line: str, known: Mapping[str, Said], gap: str) -> tuple[Said, ...] | None:
    """`line` as known phrases one behind the other, the longest first."""
    if line in known:
        return (known[line],)
    for end in range(len(line) - 1, 0, -1):
        if line.startswith(gap, end) and line[:end] in known:
            rest = _segments(line[end + len(gap) :], known, gap)
            if rest:
                return (known[line[:end]], *rest)
    return None


def say(lines: Sequence[Line], language: str, *, short: bool = False) -> str:
    """`lines` in `language`; a person's words stay as they are behind a short phrase of that language."""
    return "\n".join(_say_line(line, language, short=short) for line in lines)


def _say_line(line: Line, language: str, *, short: bool) -> str:
    if isinstance(line, Raw):
        return line.text if short else fill(wording("aside", "in_short", language), {"text": line.text}) or ""
    return GAP.get(language, " ").join(said.in_language(language, short=short) for said in line)


def _audience(line: str, words: Words, language: str) -> tuple[Said, ...] | None:
    """The one phrase whose words nobody hands to the translator: what stands in its slot is the audience."""
    for phrase in sorted(phrases("audience"), key=lambda phrase: -len(phrase.variants(language)[0])):
        before, after = SLOT.split(phrase.variants(language)[0])[::2]
        inside = line[len(before) : len(line) - len(after)]
        if inside.strip() and line == f"{before}{inside}{after}":
            return (Said(phrase, words, beside=(("audience", inside),)),)
    return None


@lru_cache(maxsize=_LEARNED)
def _known(words: Words, language: str) -> Mapping[str, Said]:
    """Everything that can be said with `words` in `language`, and what says it."""
    known = {words.about: Said(phrases("about")[0], words)} if words.about else {}
    for said in _sayable(words, language):
        known.setdefault(said.in_language(language), said)
        known.setdefault(said.in_language(language, short=True), said)
    return known


def _sayable(words: Words, language: str) -> Iterator[Said]:
    for kind in _KINDS:
        for phrase in phrases(kind):
            yield from _ways(phrase, words, language)


def _ways(phrase: Phrase, words: Words, language: str) -> Iterator[Said]:
    """A phrase with the features in every order, in every colour, and a headline as a sentence too."""
    used = set(SLOT.findall("".join(phrase.variants(language))))
    if "text" in used or ("about" in used and not words.about):
        return
    spoken = {words, words.shortened()} if phrase.kind == "alt" else {words}
    besides = [(("colour", colour.id),) for colour in phrases("colour")] if "colour" in used else [()]
    for own in spoken:
        for features in permutations(words.features, _features_used(used)):
            turned = replace(own, features=features or words.features)
            for beside in besides:
                yield Said(phrase, turned, beside=beside)
            if phrase.kind in ("headline", "tag"):
                yield Said(phrase, turned, stop=True)


def _features_used(slots: set[str]) -> int:
    """How many features a phrase with these slots names."""
    return next((count for count in (3, 2) if f"f{count}" in slots), 1 if slots & {"feature", "f1"} else 0)


def _carried(beside: tuple[tuple[str, str], ...], language: str) -> Iterator[tuple[str, str]]:
    """Words beside the product's own: colours and well-known audiences by the table, others as they are."""
    for slot, word in beside:
        if slot == "colour":
            yield slot, wording("colour", word, language)
        elif slot == "audience":
            yield slot, _people(language).get(_people_id(word), word)
        else:
            yield slot, word


def _people_id(word: str) -> str:
    return _people_by_word().get(word.casefold(), "")


@cache
def _people_by_word() -> Mapping[str, str]:
    return {text.casefold(): group.id for group in phrases("people") for _, texts in group.texts for text in texts}


@cache
def _people(language: str) -> Mapping[str, str]:
    return {group.id: group.variants(language)[0] for group in phrases("people")}
