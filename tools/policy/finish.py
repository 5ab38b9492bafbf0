"""Whether a text is finished: said once, filled in, and brought to its end."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.policy.lexicon import find, words
from tools.policy.rule import INSERTING, INSERTION, Draft, Hit, Passage, Span, rule

STYLE = "https://support.google.com/adspolicy/answer/14848297"


@rule("near-duplicate", "block")
def near_duplicate(draft: Draft) -> Iterator[Hit]:
    """No two texts of a slot say the same in other marks, capitals or order, or with one other small word."""
    told: dict[str, list[tuple[_Saying, Passage]]] = {}
    for passage in draft.lines:
        saying = _Saying.of(passage.text, draft)
        earlier = told.setdefault(passage.field, [])
        twin = next((other for said, other in earlier if saying.repeats(said)), None)
        if twin is not None:
            hit = passage.hit(f"This says nearly the same as {_quoted(twin.text)}; write another.")
            yield hit if _is_head(passage.field) else replace(hit, severity="warn")
        if saying.tokens and len(earlier) < _MOST_COMPARED:
            earlier.append((saying, passage))


@rule("placeholder-left", "block")
def placeholder_left(draft: Draft) -> Iterator[Hit]:
    """Nothing is left to fill in, but what the platform itself inserts."""
    inserts = draft.placement.platform in INSERTING
    for passage in draft.passages:
        for span in _placeholders(passage, draft.spoken):
            quote = passage.text[span[0] : span[1]]
            if not (inserts and INSERTION.fullmatch(quote)) and not draft.is_name(passage.text, span):
                yield passage.hit(f"Put in what {_quoted(quote)} stands for.", span)


@rule("cut-off-text", "warn", source=STYLE, blocks_on=("google", "microsoft"), spares_name=True)
def cut_off_text(draft: Draft) -> Iterator[Hit]:
    """A text comes to its end: it does not trail off or stop in the middle of a thought."""
    for passage in draft.lines:
        text = passage.text.rstrip()
        span = _trailed_off(text) if passage.field in _LABELS else _loose_end(text, draft.spoken)
        if span:
            rest = text[: span[0]].rstrip()
            removable = (
                text[span[0] : span[1]].strip(_LOOSE) == "" and rest and _loose_end(rest, draft.spoken) is None
            )
            yield passage.hit("Bring the text to its end.", span, "" if removable else None)


RULES = (near_duplicate, placeholder_left, cut_off_text)


@dataclass(frozen=True)
class _Saying:
    """A text taken apart: all its words, those that carry meaning, and whether the client said all of these."""

    tokens: tuple[str, ...]
    small: Counter[str]
    large: Counter[str]
    borrowed: bool

    @classmethod
    def of(cls, text: str, draft: Draft) -> "_Saying":
        """Take `text` apart; numbers, currency and percent signs carry meaning."""
        tokens = tuple(token.casefold() for token in _TOKEN.findall(text))[:_MOST_TOKENS]
        little = words("near-duplicate", draft.spoken, "function")
        small = Counter(token for token in tokens if token in little)
        large = Counter(token for token in tokens if token not in little)
        if large.total() <= 1:
            large += Counter(_PICTURE.findall(text)[:_MOST_TOKENS])
        if not large:
            tokens = tuple(text.split())[:_MOST_TOKENS]
            return cls(tokens, Counter(), Counter(tokens), borrowed=True)
        own = {word.casefold() for word in draft.own_words}
        return cls(tokens, small, large, borrowed=all(token in own for token in large))

    def repeats(self, other: "_Saying") -> bool:
        """Whether both say nearly the same; the client's own words may stand beside other small words."""
        if self.large != other.large:
            return False
        if self.small == other.small:
            return True
        changed = max((self.small - other.small).total(), (other.small - self.small).total())
        same_order = _without(self.tokens, self.small) == _without(other.tokens, other.small)
        return changed <= 1 and (same_order or not self.borrowed) and self.large.total() > 1


def ended(text: str, spoken: str) -> str:
    """`text` without what cannot stand at its end."""
    rest = text.rstrip()
    while span := _loose_end(rest, spoken):
        rest = rest[: span[0]].rstrip()
    return rest


def _without(tokens: Sequence[str], small: Counter[str]) -> list[str]:
    return [token for token in tokens if token not in small]


def _is_head(field: str) -> bool:
    return "headline" in field or "title" in field


def _quoted(text: str) -> str:
    return f"{text[:_LONGEST_QUOTE]!r}" if len(text) > _LONGEST_QUOTE else f"{text!r}"


def _placeholders(passage: Passage, spoken: str) -> Iterator[Span]:
    """Where something is left to fill in."""
    text = passage.text
    whole = _NOTHING.fullmatch(text)
    if whole:
        yield whole.span("word")
    yield from (found.span() for found in _PLACEHOLDER.finditer(text))
    for found in _BRACKETED.finditer(text):
        inside = regex.split(r"[\s_\-/:.,]+", found["inside"].strip().casefold())
        vocabulary = words("placeholder-left", spoken, "vocabulary") | words(
            "placeholder-left", "en", "vocabulary"
        )
        if all(word in vocabulary for word in inside if word) or _CONSTANT.fullmatch(found["inside"].strip()):
            yield found.span()
    for found in _TODO.finditer(text):
        if spoken not in _TODO_IS_A_WORD or text[found.end() : found.end() + 1] in (":", "("):
            yield found.span()
    yield from (wording.span for wording in find("placeholder-left", spoken, text) if wording.group == "phrases")


def _trailed_off(text: str) -> Span | None:
    """The ellipsis at the end of a name or an address, which need be no whole thought."""
    found = _ELLIPSIS.search(text, max(0, len(text) - _LAST))
    return (found.start(), found.end()) if found else None


def _loose_end(text: str, spoken: str) -> Span | None:
    """The last mark or word, when something must follow it."""
    found = _TRAILING.search(text, max(0, len(text) - _LAST))
    if found:
        start, end = found.span("end")
        return start, end
    bracket = _open_bracket(text)
    if bracket is not None:
        return bracket, bracket + 1
    word = _LAST_WORD.search(text, max(0, len(text) - _LAST))
    if word is None or not _dangles(text[: word.start()], word[0], spoken):
        return None
    return word.start(), word.end()


def _dangles(before: str, word: str, spoken: str) -> bool:
    """Whether `word` cannot end a thought that begins with `before`."""
    if not before.strip() or not before[-1].isspace():
        return False
    if word in words("cut-off-text", spoken, "exact") or word.casefold() in words(
        "cut-off-text", spoken, "dangling"
    ):
        return not (word.isupper() and len(word) == 1 and word.isalpha())
    stranded = words("cut-off-text", spoken, "stranded")
    triggers = words("cut-off-text", spoken, "triggers")
    said = {token.casefold() for token in regex.findall(r"[\p{L}\p{M}'\u2019]+", before[-_LAST:])}
    return word.casefold() in stranded and not said & triggers


def _open_bracket(text: str) -> int | None:
    """The last bracket or quotation mark that opens and is not closed."""
    for opening, closing in _PAIRS:
        at = text.rfind(opening)
        if at < 0 or text.find(closing, at) >= 0 or text[max(0, at - 2) : at].endswith(_EYES):
            continue
        if opening != "\u201c" or text.count("\u201e") < text.count("\u201c"):
            return at
    return len(text) - 1 if len(text) > 1 and text[-1] == '"' and text[-2].isspace() else None


_MOST_TOKENS, _MOST_COMPARED = 400, 60
_LONGEST_QUOTE, _LAST = 60, 240
_TOKEN = regex.compile(
    r"\p{Han}|[\p{Hiragana}\p{Katakana}\u30fc]|\p{N}+(?:[.,:]\p{N}+)*+|[\p{L}\p{M}]+(?:['\u2019][\p{L}]+)*+|\p{Sc}|[%\u066a]"
)
_PICTURE = regex.compile(r"\p{Extended_Pictographic}")
_NOTHING = regex.compile(
    r"\s*[\"']?(?P<word>null|NULL|Null|undefined|None|NaN|nil|\[object Object\])[\"']?[.!]?\s*"
)
_PLACEHOLDER = regex.compile(
    r"\{\{[^{}\n]{0,80}\}\}|\$?\{[\p{L}_=%#$ ][^{}\n]{0,100}\}|\{\d?\}"
    r"|(?<![\p{N}%])%(?:\(\w{1,30}\))?[sd](?![\p{L}\p{N}])|(?<!\w)%%\w{1,30}%%|(?<![\p{N}%])%[A-Z][A-Z_]{2,30}%"
    r"|(?i:\blorem\s+ipsum\b(?:\s+dolor\b(?:\s+sit\s+amet\b)?)?)|(?<![\p{L}\p{N}_])__\w{2,30}__(?![\p{L}\p{N}_])"
)
_BRACKETED = regex.compile(
    r"\[(?P<inside>[^\[\]<>\n]{1,60})\]|<(?P<inside>[^\[\]<>\n]{1,60})>|\u3010(?P<inside>[^\u3010\u3011\n]{1,30})\u3011"
)
_CONSTANT = regex.compile(
    r"[A-Z]+(?:_[A-Z0-9]+)+|(?i:insert|enter|add|einf\u00fcgen|ins\u00e9rer|insertar|inserire|inserir|invoegen)\b.*|X{1,4}"
)
_TODO = regex.compile(
    r"(?<![\p{L}\p{M}\p{N}_-])(?:TODO|TBD|FIXME|XXX+)(?![\p{L}\p{M}\p{N}_]|-?(?:Large|Small|L\b|S\b))"
)
_TODO_IS_A_WORD = ("es", "pt", "gl", "ca")
_TRAILING = regex.compile(
    r"(?P<end>\.{3,}|\u2026+|\u2025+|\u3002{2,}|\u30fb{2,}|[,;\u060c\u061b\u3001\uff0c\uff1b]|(?<=[\p{L}\p{M}\p{N}\s])[-\u2010-\u2015&]|(?<=\s)\+)$"
)
_ELLIPSIS = regex.compile(r"(?:\.{3,}|\u2026+)$")
_LABELS = ("path", "business_name", "brand", "display_url")
_LAST_WORD = regex.compile(r"[\p{L}\p{M}'\u2019]+$")
_LOOSE = ".\u2026\u2025\u3002\u30fb,;\u060c\u061b\u3001\uff0c\uff1b-\u2010\u2011\u2012\u2013\u2014\u2015&+"
_PAIRS = (
    ("(", ")"),
    ("[", "]"),
    ("{", "}"),
    ("\uff08", "\uff09"),
    ("\u300c", "\u300d"),
    ("\u300e", "\u300f"),
    ("\u3010", "\u3011"),
    ("\u00ab", "\u00bb"),
    ("\u201c", "\u201d"),
    ("\u201e", "\u201c"),
)
_EYES = (":", ";", "=", ":-", ";-", ":'")
