"""How copy may look: punctuation, capitals, spaces and symbols, as editors of ad platforms want them."""

from collections.abc import Iterator

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.policy.rule import Draft, Hit, rule

SYMBOLS = "https://support.google.com/adspolicy/answer/14847994"
CAPITALS = "https://support.google.com/adspolicy/answer/14848295"


@rule("repeated-punctuation", "warn", source=SYMBOLS, blocks_on=("google", "microsoft"))
def repeated_punctuation(draft: Draft) -> Iterator[Hit]:
    """One mark is enough."""
    for passage in draft.lines:
        for found in _REPEATED.finditer(passage.text):
            yield passage.hit(f"Write {found[0][0]} once.", found.span(), found[0][0])


@rule(
    "headline-exclamation",
    "block",
    source="https://support.google.com/adspolicy/answer/176095",
    platforms=("google",),
)
def headline_exclamation(draft: Draft) -> Iterator[Hit]:
    """No exclamation mark in a headline of Google's."""
    for passage in draft.lines:
        if "headline" in passage.field:
            for found in _EXCLAMATION.finditer(passage.text):
                yield passage.hit("Google takes no exclamation mark in a headline.", found.span(), "")


@rule("all-caps", "warn", source=CAPITALS, blocks_on=("google",))
def all_caps(draft: Draft) -> Iterator[Hit]:
    """Words of four letters and more are not shouted, unless the client or everybody writes them so."""
    facts = " ".join(draft.product.texts) if draft.product else ""
    allowed = {*_WORD.findall(facts), *_ACRONYMS.split()}
    for passage in draft.lines:
        for found in _SHOUTED.finditer(passage.text):
            if found[0] not in allowed:
                yield passage.hit(f"Write {found[0]} in small letters.", found.span(), found[0].capitalize())


RULES = (repeated_punctuation, headline_exclamation, all_caps)

_REPEATED = regex.compile(r"[!?\uFF01\uFF1F\u061F]{2,}")
_EXCLAMATION = regex.compile(r"[!\uFF01]+")
_WORD = regex.compile(r"[\p{L}\p{M}]+")
_SHOUTED = regex.compile(r"(?<![\p{L}\p{M}\p{N}_#@])(?:\p{Lu}\p{M}*){4,}(?![\p{L}\p{M}\p{N}_])")
_ACRONYMS = (
    "ASAP BIPOC FIFA GDPR GMBH HDMI HEPA IEEE ISBN LGBTQ LIDAR LTPO NASA NATO NVME OLED QLED RSVP SATA UEFA "
    "UNESCO UNICEF YMCA"
)
