"""How copy is set: marks, spaces, numbering and calls, as editors of ad platforms want them."""

from collections.abc import Iterator
from dataclasses import replace

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.policy.lexicon import find, words
from tools.policy.rule import Draft, Hit, Passage, Span, rule

SYMBOLS = "https://support.google.com/adspolicy/answer/14847994"
SPACES = "https://support.google.com/adspolicy/answer/14848500"
STYLE = "https://support.google.com/adspolicy/answer/14848297"
EXCLAMATIONS = "https://support.google.com/adspolicy/answer/176095"
PHONES = "https://support.google.com/adspolicy/answer/1270424"


@rule("repeated-punctuation", "warn", source=SYMBOLS, blocks_on=("google", "microsoft"), spares_name=True)
def repeated_punctuation(draft: Draft) -> Iterator[Hit]:
    """One mark is enough."""
    pattern = _REPEATED_CJK if draft.spoken in _DOUBLE_ELLIPSIS else _REPEATED
    for passage in draft.lines:
        for found in pattern.finditer(passage.plain):
            mark = _SINGLE.get(found[0][0], found[0][0])
            yield passage.hit(f"Write {mark} once.", found.span(), mark)


@rule("headline-exclamation", "block", source=EXCLAMATIONS, platforms=("google",), spares_name=True)
def headline_exclamation(draft: Draft) -> Iterator[Hit]:
    """No exclamation mark in a headline of Google's."""
    for passage in draft.lines:
        if "headline" in passage.field:
            for found in _EXCLAMATION.finditer(passage.text):
                yield passage.hit("Google takes no exclamation mark in a headline.", found.span(), "")


@rule("exclamations-in-ad", "block", source=EXCLAMATIONS, platforms=("google",))
def exclamations_in_ad(draft: Draft) -> Iterator[Hit]:
    """One text exclaims once, and of the texts that may be shown together only one."""
    exclaimed = False
    for passage in draft.lines:
        if "headline" in passage.field:
            continue
        spans = [found.span() for found in _ONE_EXCLAMATION.finditer(passage.text)]
        spans = [span for span in spans if not draft.is_name(passage.text, span)]
        for span in spans[1:]:
            yield passage.hit("Google takes one exclamation mark in an ad; end this in a full stop.", span, ".")
        spans = [span for span in spans if not draft.says(passage.text[slice(*_words_around(passage.text, span))])]
        if exclaimed and spans:
            message = "Another text of this ad exclaims too, and Google may show both; end this in a full stop."
            yield replace(passage.hit(message, spans[0], "."), severity="warn")
        exclaimed = exclaimed or bool(spans)


@rule("missing-space", "warn", source=SPACES, blocks_on=("google", "microsoft"), spares_name=True)
def missing_space(draft: Draft) -> Iterator[Hit]:
    """A space stands behind a mark that ends a thought."""
    for passage in draft.lines:
        for found in _UNSPACED_MARK.finditer(passage.plain):
            start, end = _words_around(passage.text, found.span())
            if not _is_one_word(passage.text, found.span(), draft.spoken) and not draft.says(
                passage.text[start:end]
            ):
                spaced = f"{passage.text[start : found.end()]} {passage.text[found.end() : end]}"
                yield passage.hit(f"Put a space after {found[0]}.", (start, end), spaced)


@rule("extra-space", "warn", source=SPACES, blocks_on=("google", "microsoft"), spares_name=True)
def extra_space(draft: Draft) -> Iterator[Hit]:
    """Words are one space apart, and no space stands at an end or, but for French, before a mark."""
    before_mark = _BEFORE_FRENCH_MARK if draft.spoken == "fr" else _BEFORE_MARK
    for passage in draft.lines:
        if not passage.text.strip():
            continue
        for found in _EDGE.finditer(passage.text):
            yield passage.hit("Take away the space at the end of the text.", found.span(), "")
        for found in _SPACES.finditer(passage.text):
            yield passage.hit("Write one space.", found.span(), " ")
        for found in before_mark.finditer(passage.text):
            yield passage.hit(f"Take away the space before {found['mark']}.", found.span(), found["mark"])


@rule("generic-call-to-action", "warn", source=STYLE, blocks_on=("google",), spares_name=True)
def generic_call_to_action(draft: Draft) -> Iterator[Hit]:
    """A call says what happens, not where to click."""
    for passage in draft.lines:
        for wording in find("generic-call-to-action", draft.spoken, passage.text):
            yield passage.hit("Say what the reader gets there instead of where to click.", wording.span)


@rule("numbered-list", "block", source=STYLE, platforms=("google",), spares_name=True)
def numbered_list(draft: Draft) -> Iterator[Hit]:
    """An ad is no list of numbered points."""
    for passage in draft.lines:
        found = _FIRST_POINT.match(passage.text)
        if found and _is_list(draft, passage, found):
            yield passage.hit("Google takes no numbered points; write a sentence.", found.span("point"))


@rule("phone-number", "warn", source=PHONES, blocks_on=("google", "microsoft"), spares_name=True)
def phone_number(draft: Draft) -> Iterator[Hit]:
    """A telephone number belongs into the platform's own field for calls."""
    for passage in draft.lines:
        for found in _PHONE.finditer(passage.plain):
            if _is_phone(passage.plain, found.span(), draft.spoken):
                yield passage.hit("Take the number out; the platform has its own field for calls.", found.span())


RULES = (
    repeated_punctuation,
    headline_exclamation,
    exclamations_in_ad,
    missing_space,
    extra_space,
    generic_call_to_action,
    numbered_list,
    phone_number,
)


def _words_around(text: str, mark: Span) -> Span:
    """The mark with the words that it joins, as far as a word may reach."""
    start, end = mark
    while start > max(0, mark[0] - _LONGEST_WORD) and _is_in_word(text[start - 1]):
        start -= 1
    while end < min(len(text), mark[1] + _LONGEST_WORD) and _is_in_word(text[end]):
        end += 1
    return start, end


def _is_in_word(char: str) -> bool:
    return bool(_IN_WORD.fullmatch(char))


def _is_one_word(text: str, mark: Span, spoken: str) -> bool:
    """Whether the mark belongs to the word: an abbreviation before a name, or the colon of Kund:innen."""
    start, end = _words_around(text, mark)
    before, sign, after = text[start : mark[0]], text[mark[0] : mark[1]], text[mark[1] : end]
    if sign == ".":
        return before.casefold() in _ABBREVIATIONS or text[end : end + 1] == "." or text[start - 1 : start] == "."
    return sign == ":" and spoken == "de" and after.casefold().startswith(("in", "r", "n", "e", "s"))


def _is_list(draft: Draft, passage: Passage, found: "regex.Match[str]") -> bool:
    """Whether a number at the start counts points; in some languages 1. is also an ordinal."""
    if draft.says(" ".join(found[0].split())) or draft.is_name(passage.text, found.span()):
        return False
    if not found["point"].endswith((".", "\uff0e")) or draft.spoken not in _ORDINAL_STOP:
        return True
    others = (other.text for other in draft.lines if other.field == passage.field and other is not passage)
    return bool(_NEXT_POINT.search(passage.text, found.end()) or any(map(_POINT.match, others)))


def _is_phone(text: str, span: Span, spoken: str) -> bool:
    """Whether digits and marks are a telephone number rather than a date, a price or a model."""
    written = text[span[0] : span[1]]
    digits = regex.sub(r"\D", "", _ascii_digits(written))
    if _VANITY.fullmatch(written):
        return True
    if not _FEWEST_CUED <= len(digits) <= _MOST_DIGITS or _DATE.fullmatch(_ascii_digits(written)):
        return False
    if _CUE.search(text, max(0, span[0] - _CUE_REACH), span[0]):
        return True
    if text[span[1] : span[1] + 3].lstrip().startswith(_AMOUNTS) or len(digits) < _FEWEST_DIGITS:
        return False
    shaped = _SHAPED.fullmatch(_ascii_digits(written)) is not None
    southern = spoken in _IN_THREES and _THREES.fullmatch(_ascii_digits(written)) is not None
    return written.lstrip("(").startswith(("+", "\uff0b")) or shaped or southern


def _ascii_digits(text: str) -> str:
    return "".join(str(int(char)) if char.isdecimal() else char for char in text)


_LONGEST_WORD = 30
_DOUBLE_ELLIPSIS = ("ja", "zh")
_MARKS = r"[,\u060c\u3001\uff0c]{2,}|[;\u061b\uff1b]{2,}|[:\uff1a]{2,}|[\u0964\u0965\u3002\uff0e\u06d4\uff61]{2,}"
_EXCLAIMED = (
    r"[!?\uff01\uff1f\u061f\u203c\u2047\u2048\u2049](?:\s?[!?\uff01\uff1f\u061f\u203c\u2047\u2048\u2049])+"
    r"|[\u203c\u2047\u2048\u2049]"
)
_DOTS = r"(?<!\.)\.{2}(?!\.)(?![/\\])|\.{4,}"
_REPEATED_CJK = regex.compile(rf"{_EXCLAIMED}|{_MARKS}|{_DOTS}|\u2026{{3,}}")
_REPEATED = regex.compile(rf"{_EXCLAIMED}|{_MARKS}|{_DOTS}|\u2026{{2,}}")
_SINGLE = {"\u203c": "!", "\u2047": "?", "\u2048": "?", "\u2049": "!"}
_EXCLAMATION = regex.compile(r"[!\uff01\u203c\u2049]+")
_ONE_EXCLAMATION = regex.compile(r"[!\uff01\u203c\u2049]")

_CJK = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\u30fc"
_LETTER = rf"[\p{{L}}--[{_CJK}]]"
_UNSPACED_MARK = regex.compile(
    rf"(?V1)(?<={_LETTER}|\p{{M}}),(?=[{_LETTER}\p{{N}}])"
    rf"|(?<=\p{{N}}),(?={_LETTER}{{2}})"
    rf"|(?<=[{_LETTER}\p{{M}}\p{{N}}])[;\u060c\u061b\u061f\u0964\u06d4](?=[{_LETTER}])"
    rf"|(?<={_LETTER}[{_LETTER}\p{{M}}])[!?](?=[{_LETTER}\p{{N}}]{{2}})"
    rf"|(?<={_LETTER}{{2}}):(?={_LETTER}{{3}})"
    r"|(?<=[\p{Ll}]{2})\.(?=\p{Lu}\p{Ll})"
)
_IN_WORD = regex.compile(r"[\p{L}\p{M}\p{N}'\u2019-]")
_ABBREVIATIONS = words("missing-space", "any", "abbreviations")

_SPACE = r"[\p{Zs}\t]"
_EDGE = regex.compile(r"\A\s+|(?<!\s)\s+\Z")
_SPACES = regex.compile(rf"(?<![\s])(?:{_SPACE}{{2,}}+)(?![\s]|\Z)")
_CLOSES = r"(?=[\s\p{Pe}\p{Pf}\"']|\Z)"
_BEFORE_MARK = regex.compile(
    rf"(?<=[^\s\p{{Po}}]){_SPACE}(?:(?P<mark>[,.;:!?\u060c\u061b\u061f\u0964]){_CLOSES}(?<![:;](?=[()]))"
    rf"|(?P<mark>[\u3001\u3002\uff01\uff1f\uff0c]))"
)
_BEFORE_FRENCH_MARK = regex.compile(rf"(?<=[^\s\p{{Po}}]){_SPACE}(?P<mark>[,.]){_CLOSES}")

_POINT = regex.compile(r"\s*\(?(?:\p{Nd}[.)\uff0e\uff09]|[\u2460-\u2468])")
_FIRST_POINT = regex.compile(
    r"\s*(?P<point>\(\p{Nd}\)|\p{Nd}[.)\uff0e\uff09]|[\u2460-\u2468])\s*"
    r"(?![\p{Nd}\s])[\p{L}\p{M}\p{N}\"'\u2019]+"
)
_NEXT_POINT = regex.compile(r"(?<=\s|[.,;!?])\(?[2-9][.)]\s")
_ORDINAL_STOP = words("numbered-list", "any", "ordinals")

_PHONE = regex.compile(
    r"(?<![\p{Latin}\p{Cyrillic}\p{N}.,#$\u20ac\u00a3\u00a5-])(?:\+"
    r"|\uff0b)?\(?\p{Nd}(?:[ \u00a0\u202f().\-\u2010-\u2013/]{0,3}\p{Nd}){4,17}"
    r"(?![\p{Latin}\p{Cyrillic}\p{N}]|[.,]\p{Nd}|\s?%)"
    r"|(?<![\p{L}\p{N}-])(?:1[-. ])?8(?:00|88|77|66|55|44|33)[-. ]\p{Lu}[\p{Lu}\p{Nd}-]{4,9}(?![\p{L}\p{N}])"
)
_VANITY = regex.compile(r"(?:1[-. ])?8\d\d[-. ]\p{Lu}.+")
_SHAPED = regex.compile(
    r"(?:1[-. ])?(?:\(\d{3}\) ?|\d{3}[-. ])\d{3}[-. ]\d{4}"
    r"|0\d(?:[ .\u00a0-]?\d\d){4}|\(?0\d{1,5}\)?[ /.\-\u2013]{1,3}\d[\d /.\-\u2013]{4,14}|0[1-9]\d{8,10}"
    r"|00[1-9][\d /-]{7,}"
    r"|0800[ -]?\d[\d ]{2,9}"
)
_THREES = regex.compile(r"[236789]\d{2}[ .-]?\d{3}[ .-]?(?!000)\d{3,4}|[6789]\d{2}[ .-]\d{2}[ .-]\d{2}[ .-]\d{2}")
_IN_THREES = frozenset(("es", "pt", "it"))
_DATE = regex.compile(
    r"(?:\d{1,2}[./ -]){2}(?:19|20)?\d\d|(?:19|20)\d\d[./-]\d{1,2}[./-]\d{1,2}|(?:19"
    r"|20)\d\d ?[-\u2013/] ?(?:19|20)?\d\d"
)
_CUE = regex.compile(
    r"(?:\b(?:call|phone|tel|telefon|t\u00e9l|ring|dial|text|sms|whatsapp|hotline|fax|ruf\w*|anruf\w*"
    r"|w\u00e4hl\w*|appel\w*|compose\w*|"
    r"llam\w*|tel\u00e9fono|chiam\w*|telefono|lig[ua]\w*|telefone|bel|telefoon)\b|\u96fb\u8a71|TEL|\u260e"
    r"|\u2706|\U0001f4de)"
    r"[\s.:\uff1a\p{L}]{0,12}$",
    regex.IGNORECASE,
)
_CUE_REACH = 28
_FEWEST_CUED, _FEWEST_DIGITS, _MOST_DIGITS = 6, 9, 15
_AMOUNTS = ("$", "\u20ac", "\u00a3", "\u00a5", "\u5186", "%")
