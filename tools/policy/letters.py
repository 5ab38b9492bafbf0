"""What copy is spelled with: letters in their place, no shouting, no signs for letters, no ornament."""

from collections.abc import Iterator
from functools import cache

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.policy.lexicon import words
from tools.policy.rule import Draft, Hit, rule

SYMBOLS = "https://support.google.com/adspolicy/answer/14847994"
CAPITALS = "https://support.google.com/adspolicy/answer/14848295"
SPACES = "https://support.google.com/adspolicy/answer/14848500"
CONFUSABLES = "https://www.unicode.org/reports/tr39/"


@rule("all-caps", "warn", source=CAPITALS, blocks_on=("google",), spares_name=True)
def all_caps(draft: Draft) -> Iterator[Hit]:
    """Words of four letters and more are not shouted, unless the client or everybody writes them so."""
    for passage in draft.lines:
        for found in _SHOUTED.finditer(passage.plain):
            word = found[0]
            if not _is_acronym(word) and word not in draft.own_words and not _is_code(passage.text, found.start()):
                yield passage.hit(f"Write {word} in small letters.", found.span(), word.capitalize())


@rule("mixed-caps", "warn", source=CAPITALS, blocks_on=("google",), spares_name=True)
def mixed_caps(draft: Draft) -> Iterator[Hit]:
    """Capitals do not come and go inside a word."""
    for passage in draft.lines:
        for found in _MIXED.finditer(passage.plain):
            if found[0] not in draft.own_words and found[0] not in words("mixed-caps", "any", "allowed"):
                plain = found[0].capitalize() if found[0][0].isupper() else found[0].lower()
                yield passage.hit(f"Write {found[0]} without capitals inside.", found.span(), plain)


@rule("spaced-letters", "warn", source=SPACES, blocks_on=("google", "microsoft"), spares_name=True)
def spaced_letters(draft: Draft) -> Iterator[Hit]:
    """The letters of a word stand together."""
    pattern = _SPACED_CJK if draft.spoken in ("ja", "zh") else _SPACED
    for passage in draft.lines:
        for found in pattern.finditer(passage.plain):
            letters = "".join(regex.findall(r"\p{L}", found[0]))
            if not _is_row(letters) and not draft.says(found[0]):
                plain = letters.capitalize() if letters[0].isupper() else letters
                yield passage.hit("Write the word without anything between its letters.", found.span(), plain)


@rule("symbols-for-letters", "warn", source=SYMBOLS, blocks_on=("google", "microsoft"), spares_name=True)
def symbols_for_letters(draft: Draft) -> Iterator[Hit]:
    """Words are spelled with letters, not with digits and signs that look like them."""
    for passage in draft.lines:
        for found in _SPELLED.finditer(passage.spelled):
            plain = _meant(found[0], draft.spoken)
            if plain and found[0] not in draft.own_words and not draft.says(found[0]):
                yield passage.hit(f"Spell {found[0]} with letters.", found.span(), plain)


@rule("decorative-symbols", "warn", source=SYMBOLS, blocks_on=("google", "microsoft"), spares_name=True)
def decorative_symbols(draft: Draft) -> Iterator[Hit]:
    """No bullets, stars, arrows, ornaments or letters in disguise."""
    strict = draft.placement.platform in ("google", "microsoft")
    for passage in draft.lines:
        listed = {found.start("sign") for found in _LIST_SIGN.finditer(passage.text)} if not strict else set[int]()
        for found in (_ORNAMENT if draft.spoken in ("ja", "zh", "ko") else _ORNAMENT_OR_WIDE).finditer(
            passage.text
        ):
            if found.start() not in listed or "\n" not in passage.text:
                yield passage.hit("Say it in plain letters, without ornament.", found.span(), found["word"])


@rule("emoji", "block", source=SYMBOLS, platforms=("google", "microsoft"), spares_name=True)
def emoji(draft: Draft) -> Iterator[Hit]:
    """No emoji where search engines show ads."""
    for passage in draft.lines:
        for found in _EMOJI.finditer(passage.text):
            yield passage.hit(f"{passage.placement.title} takes no emoji.", found.span(), "")


@rule("repeated-word", "warn", source=SYMBOLS, blocks_on=("google",), spares_name=True)
def repeated_word(draft: Draft) -> Iterator[Hit]:
    """A word is not said twice in a row for effect."""
    twice_is_plain = draft.spoken in _REDUPLICATING
    for passage in draft.lines:
        for found in _REPEATED.finditer(passage.plain):
            word, count = found["word"].casefold(), len(found[0].split())
            few = count == _TWICE and (twice_is_plain or word in words("repeated-word", draft.spoken, "doubled"))
            always = word in words("repeated-word", draft.spoken, "always")
            if not few and not always and not draft.says(found[0]) and found["word"] not in draft.name_words:
                yield passage.hit(f"Say {found['word']} once.", found.span(), found["word"])


@rule("mixed-script", "block", source=CONFUSABLES, spares_name=True)
def mixed_script(draft: Draft) -> Iterator[Hit]:
    """A word is written in one script, without letters of another that only look alike."""
    for passage in draft.passages:
        for found in _TWO_SCRIPTS.finditer(passage.spelled):
            plain = _in_one_script(found[0])
            if plain:
                yield passage.hit(
                    "Write the word in one alphabet; some of its letters only look right.", found.span(), plain
                )


RULES = (
    all_caps,
    mixed_caps,
    spaced_letters,
    symbols_for_letters,
    decorative_symbols,
    emoji,
    repeated_word,
    mixed_script,
)


def _is_acronym(word: str) -> bool:
    return word in words("all-caps", "any", "acronyms") or bool(_ROMAN.fullmatch(word))


def _is_code(text: str, start: int) -> bool:
    """Whether the word before says that this is a code to type."""
    return bool(_CODE.search(text, max(0, start - _CODE_REACH), start))


def _is_row(letters: str) -> bool:
    """Whether single letters are a known abbreviation or the alphabet itself."""
    upper = letters.upper()
    return upper in _ALPHABET or upper in words("all-caps", "any", "acronyms")


def _meant(written: str, spoken: str) -> str | None:
    """The word that signs stand for; None when they may stand for themselves."""
    if written.isalpha():
        return None
    plain = written.replace(" ", "").translate(_LOOKALIKE)
    if plain.casefold() in words("symbols-for-letters", spoken, "words") | words(
        "symbols-for-letters", "en", "words"
    ):
        return plain.capitalize() if written[-1].isupper() or written[0].isupper() else plain.lower()
    if _DISGUISED.fullmatch(written) and not _NEUTRAL.fullmatch(written):
        return plain
    return None


@cache
def _in_one_script(word: str) -> str | None:
    """The word in the script of most of its letters, when those of the other all have a double there."""
    latin = len(regex.findall(r"\p{Latin}", word))
    other = len(regex.findall(r"[\p{Cyrillic}\p{Greek}]", word))
    ways = [(_TO_LATIN, r"[\p{Cyrillic}\p{Greek}]"), (_FROM_LATIN, r"\p{Latin}")]
    for table, foreign in ways if latin >= other else ways[::-1]:
        if all(letter in table for letter in regex.findall(foreign, word)):
            return "".join(table.get(letter, letter) for letter in word)
    return None


_LETTERS = r"[\p{L}\p{M}]"
_SHOUTED = regex.compile(r"(?<![\p{L}\p{M}\p{N}_#@])(?:\p{Lu}\p{M}*){4,}(?![\p{L}\p{M}\p{N}_])")
_ROMAN = regex.compile(r"M{0,3}(?:CM|CD|D?C{0,3})(?:XC|XL|L?X{0,3})(?:IX|IV|V?I{0,3})")
_CODE = regex.compile(
    r"(?i)(?:\p{L}*code?|codes|coupon|gutschein|voucher|c\u00f3digo|codice|\u30b3\u30fc\u30c9)"
    r"[\s:\"'\u201c\u201e\u00ab\u2018\uff1a]{1,3}$"
)
_CODE_REACH = 24

_WORD_START, _WORD_END = r"(?<![\p{L}\p{M}\p{N}_'\u2019])", r"(?![\p{L}\p{M}\p{N}_])"
_MIXED = regex.compile(
    rf"{_WORD_START}(?:"
    r"\p{L}{0,12}?(?:(?:\p{Lu}\p{Ll}){2}\p{Lu}|(?:\p{Ll}\p{Lu}){2}\p{Ll})\p{L}{0,20}|(?:\p{Lu}\p{Ll}){2}"
    r"|(?:\p{Ll}\p{Lu}){2}"
    r"|(?![eimx])\p{Ll}\p{Lu}{4,20}|\p{Lu}{2,12}(?!x)\p{Ll}{1,2}\p{Lu}{2,12}\p{L}{0,9}"
    r"|\p{Ll}{2,9}\p{Lu}{2,9}\p{Ll}{2,12}"
    rf"){_WORD_END}"
)

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_SINGLE = r"[\p{Latin}\p{Cyrillic}\p{Greek}\p{Arabic}\p{Hebrew}]\p{M}*"
_BETWEEN = r"(?P<sign> {1,3}|[.\-\u2010\u2011\u2013_*\u00b7\u2022\u30fb~])"


def _single_letters(letter: str) -> "regex.Pattern[str]":
    return regex.compile(
        rf"(?<![\p{{L}}\p{{M}}\p{{N}}'\u2019&])(?:(?=\p{{L}}){letter}){_BETWEEN}"
        rf"(?:(?=\p{{L}}){letter}(?P=sign)){{2,40}}"
        rf"(?=\p{{L}}){letter}\.?(?![\p{{L}}\p{{M}}\p{{N}}'\u2019])"
    )


_SPACED = _single_letters(_SINGLE)
_SPACED_CJK = _single_letters(rf"(?:{_SINGLE}|[\p{{Han}}\p{{Hiragana}}\p{{Katakana}}\u30fc])")

_LOOKALIKE = str.maketrans("013457$@!\u20ac\u00a3|", "oleastsaielI".replace("I", "l"))
_SPELLED = regex.compile(
    r"(?<![\p{L}\p{M}\p{N}.+@$\u20ac\u00a3-])(?=[\p{L}0134578@$!\u20ac\u00a3| -]{3,30}(?![\p{N}]))"
    r"(?:[@$\u20ac\u00a3] ?(?=\p{Latin})|(?=[\p{Latin}0]))[\p{Latin}0134578@$!\u20ac\u00a3|]{2,30}(?<![!"
    r"|])(?![\p{L}\p{N}@$])"
)
_DISGUISED = regex.compile(
    r"(?=(?:.*\p{Latin}){3})(?:\$\p{Ll}{2,}|0\p{Ll}{3,}"
    r"|\p{Latin}\p{Ll}*(?:[01345](?:(?<=0)0|(?<=3)3)?|[$\u20ac\u00a3@])\p{Ll}+"
    r"(?:(?:[013457]|[$\u20ac\u00a3@])\p{Ll}+)*|\p{Lu}+[$\u20ac@]\p{Lu}+)"
)
_NEUTRAL = regex.compile(
    r"(?i)\p{L}+(?:@s?|@(?:home|work|school|night|sea|office))|[a-z]{2,}4[a-z]{2,}|mp[34]s"
    r"|\p{L}+in1\p{L}*|e-?\p{N}\p{L}+"
    r"|\p{L}\p{N}\p{L}|\p{L}{1,2}\p{N}\p{L}|a11y|log4j|neo4j|co2e|i18n|l10n|web3\p{L}+|d3js|p5js|us\$\p{L}*"
)

_ARROWS = r"\u2190-\u21ff\u27f0-\u27ff\u2900-\u297f\u2b00-\u2b11\u2b30-\u2b4f\u2794\u2798-\u27be\u27a1"
_SHAPES = (
    r"\u2500-\u25ff\u2022\u2023\u2043\u204c\u204d\u2219"
    r"\u2600-\u2606\u2610-\u2612\u2660-\u266f\u2701-\u2793\u2b12-\u2b2f\u2b50-\u2bff\u2620-\u265f"
)
_PLAIN_SIGNS = r"\u00a9\u00ae\u2122\u00b0\u2116\u2103\u2109\u2117\u2120\u2121\u3012\u3200-\u33ff\ue000"
_DISGUISE = (
    r"\u2070\u00b9\u2074-\u207f\u1d2c-\u1d6a\u02b0-\u02b8\u2460-\u24ff\u2776-\u2793\U0001d400-\U0001d7ff"
    r"\uff65-\uff9f\U0001f100-\U0001f16f"
)
_PICTURE = r"(?:\p{Emoji_Presentation}|\p{Emoji}\ufe0f|[\U0001f000-\U0001faff])"
_SIGNS = rf"(?!{_PICTURE})(?![{_PLAIN_SIGNS}])(?:[{_ARROWS}{_SHAPES}{_DISGUISE}]|\p{{So}})"
_ORDINAL_SIGN = r"(?<=\p{N}[\u1d2c-\u1d6a\u02b0-\u02b8\u207f]{0,3})[\u1d2c-\u1d6a\u02b0-\u02b8\u207f]"
_MARKED = (
    r"(?<![\p{L}\p{N}*])\*{1,3}(?P<word>[\p{L}\p{N}](?:[^*\n]{0,60}[\p{L}\p{N}!?.])?)\*{1,3}(?![\p{L}\p{N}*])"
    r"|(?<![\p{L}\p{N}_])_(?P<word>\p{L}(?:[^_\n]{0,60}[\p{L}\p{N}])?)_(?![\p{L}\p{N}_])"
    r"|\*{2,}+|(?:\A|(?<=\n))\*(?=\s?\p{L})"
    r"|[-\u2010-\u2015]{3,}+|={2,}+|_{3,}+|~{2,}+|[\u2013\u2014]{2,}+|\^{2,}+|\|{2,}+"
    r"|[$\u20ac\u00a3]{2,}+|[<>]{2,}+|[-=]+>|<[-=]+"
    r"|(?:\A|(?<=\n))\s{0,2}--\s|(?<!\S)~+(?!\S)|\s--\s{0,2}\Z"
)
_ORNAMENT = regex.compile(rf"(?!{_ORDINAL_SIGN})(?:{_SIGNS})+|{_MARKED}")
_ORNAMENT_OR_WIDE = regex.compile(
    rf"(?!{_ORDINAL_SIGN})(?:{_SIGNS}|[\uff10-\uff19\uff21-\uff3a\uff41-\uff5a])+|{_MARKED}"
)
_LIST_SIGN = regex.compile(r"(?:\A|\n)[ \t]{0,4}(?P<sign>[^\p{L}\p{N}\s]{1,3})[ \t]")
_EMOJI = regex.compile(
    rf"(?:[0-9#*]\ufe0f?\u20e3|[\U0001f1e6-\U0001f1ff]{{1,2}}|(?![{_PLAIN_SIGNS}])"
    r"(?:\p{Emoji_Presentation}|\p{Extended_Pictographic}\ufe0f"
    r"|\p{Extended_Pictographic}(?<=[\U0001f000-\U0001faff]))"
    r"[\U0001f3fb-\U0001f3ff\ufe0f\U000e0020-\U000e007f]*+"
    r"(?:\u200d\p{Extended_Pictographic}[\U0001f3fb-\U0001f3ff\ufe0f]*+)*+)++"
)

_TWICE = 2
_REDUPLICATING = words("repeated-word", "any", "doubling")
_REPEATED = regex.compile(
    r"(?i)(?<![\p{L}\p{M}\p{N}'\u2019-])(?P<word>\p{L}[\p{L}\p{M}'\u2019]{1,30}+)"
    r"(?:[ \u00a0](?P=word)){1,50}(?![\p{L}\p{M}\p{N}'\u2019-])"
)

_TWO_SCRIPTS = regex.compile(
    r"(?<![\p{L}\p{M}])(?=[\p{L}\p{M}]*?\p{Latin})(?=[\p{L}\p{M}]*?[\p{Cyrillic}\p{Greek}])[\p{L}\p{M}]+"
)
_CYRILLIC = (
    "\u0430\u0435\u043e\u0440\u0441\u0443\u0445\u0456\u0458\u0455\u0501\u051b\u051d\u0475\u04cf"
    "\u0410\u0412\u0415\u041a\u041c\u041d\u041e\u0420\u0421\u0422\u0423\u0425\u0406\u0408\u0405"
)
_GREEK = (
    "\u03bf\u03b1\u03bd\u03c1\u03c4\u03c5\u03ba\u03b9\u03c7"
    "\u0391\u0392\u0395\u0396\u0397\u0399\u039a\u039c\u039d\u039f\u03a1\u03a4\u03a5\u03a7"
)
_TO_LATIN = dict(zip(_CYRILLIC + _GREEK, "aeopcyxijsdqwvlABEKMHOPCTYXIJSoavptukixABEZHIKMNOPTYX", strict=True))
_FROM_LATIN = {latin: other for other, latin in reversed(_TO_LATIN.items()) if other in _CYRILLIC}
