"""A voice: one product in one tone and language, saying what a form asks for in ever other ways."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property

from agents.offline.judge import whole_words
from agents.offline.phrases import TONES, Phrase, digest, phrases, read, shuffled
from agents.offline.words import Words, fill, sentence

GAP = {"ja": ""}
_OPTIONAL = ("audience", "about")
_MOST_NAMES = 3


@dataclass(frozen=True)
class Form:
    """How a slot's texts are put together; `fold` when a platform shows only the first line."""

    layouts: tuple[tuple[str, ...], ...]
    fallback: tuple[tuple[str, ...], ...]
    fold: bool = False


@dataclass(frozen=True)
class Wish:
    """What a tone or a reviewer's comment asks for, as far as a rehearsal understands it."""

    tones: tuple[str, ...] = ()
    shorter: bool = False

    @classmethod
    def read(cls, text: str) -> "Wish":
        """The wish in free text of any language that is spoken here."""
        found = [name for name, pattern in _hints().items() if pattern.search(text)]
        return cls(tuple(name for name in found if name in TONES), "shorter" in found)


@dataclass(frozen=True)
class Voice:
    """Who speaks: a language, the product's words, tones in their order of weight, and a seed."""

    language: str
    words: Words
    tones: tuple[str, ...]
    seed: str
    audience: str | None = None
    first: int = 0
    _pools: dict[tuple[str, bool], tuple[Phrase, ...]] = field(
        default_factory=dict[tuple[str, bool], tuple[Phrase, ...]], compare=False
    )

    def texts(self, layouts: Sequence[Sequence[str]], *, any_tone: bool = False) -> Iterator[str]:
        """Texts of `layouts`, all in turn, until every phrase has met every feature."""
        turned = sorted(layouts, key=lambda layout: digest(self.seed, *layout))
        longest = max((len(self._pool(kind, any_tone=any_tone)) for kind in _kinds(layouts)), default=1)
        for attempt in range(longest * len(self.words.features)):
            for step, layout in enumerate(turned, attempt):
                text = self._lay(layout, step, any_tone=any_tone)
                if text:
                    yield text

    def is_repetitive(self, text: str) -> bool:
        """Whether a feature or the name is said too often, listed lines aside."""
        lines = text.split("\n")
        told = "\n".join(line for line in lines if line not in self._items)
        counts = [len(pattern.findall(told)) for pattern in self._features_and_name]
        often = sum(counts[:-1]) > 1 if self._items[0] in lines else max(counts[:-1]) > 1
        return often or counts[-1] > _MOST_NAMES

    def _lay(self, layout: Sequence[str], attempt: int, *, any_tone: bool) -> str | None:
        lines: list[str] = []
        said: list[str] = []
        for parts in layout:
            if parts == "items":
                lines += self._items
                continue
            line = self._line(parts.split(), attempt, said, any_tone=any_tone)
            if line is None:
                return None
            lines.append(line)
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def _line(self, parts: Sequence[str], attempt: int, said: list[str], *, any_tone: bool) -> str | None:
        made: list[str] = []
        for part in parts:
            text = self._say(part.removesuffix("."), attempt, said, any_tone=any_tone)
            said.append(part.removesuffix("."))
            if text is None and part not in _OPTIONAL:
                return None
            if text:
                made.append(sentence(text, self.language) if part.endswith(".") else text)
        separate = "\n" if "audience" in parts else GAP.get(self.language, " ")
        return separate.join(made)

    def _say(self, kind: str, attempt: int, said: list[str], *, any_tone: bool) -> str | None:
        """A phrase of `kind` in its turn: the next one after those, and the next feature, already `said`."""
        if kind == "about":
            return self.words.about
        pool = self._pool(kind, any_tone=any_tone)
        if not pool:
            return None
        turn = attempt + said.count(kind)
        start = self.first + turn + turn // len(pool) + len(said)
        values = self.words.values(start) | ({"audience": self.audience} if self.audience else {})
        return fill(pool[turn % len(pool)].variants(self.language)[0], values)

    def _pool(self, kind: str, *, any_tone: bool) -> tuple[Phrase, ...]:
        """Phrases of `kind` in their seeded order; where a tone has several of its own, those come first."""
        if (kind, any_tone) not in self._pools:
            suiting = [p for p in phrases(kind) if any_tone or p.suits(self.tones)]
            pool = shuffled(suiting, f"{self.seed}|{kind}")
            if sum(bool(phrase.tones) for phrase in pool) > 1:
                pool.sort(key=lambda phrase: not phrase.tones)
            self._pools[kind, any_tone] = tuple(pool)
        return self._pools[kind, any_tone]

    def saying_only(self, allowed: Callable[[str], bool]) -> "Voice":
        """The same without the features that are not allowed, unless that leaves none."""
        features = tuple(feature for feature in self.words.features if allowed(feature))
        return replace(self, words=replace(self.words, features=features)) if features else self

    @cached_property
    def _features_and_name(self) -> list[re.Pattern[str]]:
        return [whole_words([text]) for text in (*self.words.features, self.words.name)]

    @cached_property
    def _items(self) -> list[str]:
        item = self._pool("item", any_tone=False)[0].variants(self.language)[0]
        return [fill(item, {"feature": feature}) or feature for feature in self.words.features]


def tones_of(tone: str) -> tuple[str, ...]:
    """The named tones behind `tone`: itself, or those that its words hint at, or one that its hash picks.

    A tone in free words never sounds like a named one alone: a single hint gains a kindred tone.
    """
    plain = tone.strip().casefold()
    if plain in TONES:
        return (plain,)
    hinted = Wish.read(tone).tones or (TONES[digest(plain) % len(TONES)],)
    kindred: Mapping[str, list[str]] = read("forms")["kindred"]
    near = kindred[hinted[0]]
    return hinted if len(hinted) > 1 else (*hinted, near[digest(plain, "kindred") % len(near)])


def form_of(placement: str, slot: str, *, hard: int | None, soft: int | None) -> str:
    """The name of the form for a slot: by its place, by its name, or by its length."""
    slots: Mapping[str, str] = read("forms")["slots"]
    known = slots.get(f"{placement}.{slot}") or slots.get(slot)
    if known:
        return known
    room = soft or hard or 0
    return "headline" if 0 < room <= 60 else "sentence" if 0 < room <= 160 else "punch"  # noqa: PLR2004


@cache
def form(name: str) -> Form:
    """The form of that name."""
    raw = read("forms")["form"][name]
    layouts = tuple(tuple(layout) for layout in raw["layouts"])
    return Form(layouts, tuple(tuple(layout) for layout in raw["fallback"]), raw.get("fold", False))


def _kinds(layouts: Iterable[Sequence[str]]) -> list[str]:
    parts = [part.removesuffix(".") for layout in layouts for line in layout for part in line.split()]
    return [kind for kind in parts if kind not in ("items", "about")]


@cache
def _hints() -> Mapping[str, re.Pattern[str]]:
    """What hints at each tone: its name in every language, and the words of the table."""
    names = {tone.id: [text for _, variants in tone.texts for text in variants] for tone in phrases("tone")}
    return {name: whole_words([*names.get(name, []), *words]) for name, words in read("forms")["hints"].items()}
