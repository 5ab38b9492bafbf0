"""Whether a platform can take the texts at all: slots, counts, lengths, hashtags, unseen characters."""

from collections.abc import Iterator

import regex  # type: ignore[import-untyped]  # it ships no stubs

from tools.counting import measure, shorten
from tools.placements import Slot
from tools.policy.finish import ended
from tools.policy.rule import HASHTAGS, Draft, Hit, Passage, about_field, rule


@rule("unknown-slot", "block")
def unknown_slot(draft: Draft) -> Iterator[Hit]:
    """There is no text for a slot that the placement lacks."""
    known = {slot.name for slot in draft.placement.slots}
    for name in draft.texts:
        if name not in known:
            has = ", ".join(slot.name for slot in draft.placement.slots) or "none"
            yield about_field(name, f"{draft.placement.id} has no slot {name}; it has {has}.")


@rule("too-few-texts", "block")
def too_few_texts(draft: Draft) -> Iterator[Hit]:
    """Every slot holds as many texts as the platform asks for."""
    for slot in draft.placement.slots:
        given = len(draft.texts.get(slot.name, ()))
        if given < slot.min:
            yield about_field(slot.name, _counted(slot, given), source=_source(slot))


@rule("too-many-texts", "block")
def too_many_texts(draft: Draft) -> Iterator[Hit]:
    """No slot holds more texts than the platform takes."""
    for slot in draft.placement.slots:
        given = len(draft.texts.get(slot.name, ()))
        if given > slot.max:
            yield about_field(slot.name, _counted(slot, given), slot.max, source=_source(slot))


@rule("empty-text", "block")
def empty_text(draft: Draft) -> Iterator[Hit]:
    """A text holds something that can be seen."""
    for passage in draft.lines:
        if not _VISIBLE.search(passage.text):
            yield passage.hit(f"{passage.field} {passage.index + 1} is empty.")


@rule("over-hard-limit", "block")
def over_hard_limit(draft: Draft) -> Iterator[Hit]:
    """A text is no longer than the platform takes, as that platform counts."""
    for passage, slot, measured in _measured(draft):
        if slot.hard is not None and measured > slot.hard:
            short = shorten(passage.text, slot.hard, slot.rule)
            if passage.placement.platform in ("google", "microsoft"):
                short = ended(short, draft.spoken)
            message = f"{_length(slot, measured)}; {passage.placement.title} takes at most {slot.hard}."
            yield passage.hit(message, suggestion=short or None, source=_source(slot))


@rule("over-soft-limit", "info")
def over_soft_limit(draft: Draft) -> Iterator[Hit]:
    """A text is better no longer than the platform shows before it cuts."""
    for passage, slot, measured in _measured(draft):
        if slot.soft is not None and slot.soft < measured <= (slot.hard or measured):
            message = f"{_length(slot, measured)}; {passage.placement.title} shows about {slot.soft}."
            yield passage.hit(message, source=_source(slot))


@rule("too-many-hashtags", "block")
def too_many_hashtags(draft: Draft) -> Iterator[Hit]:
    """Listed hashtags and those inside the texts are, taken together, not too many."""
    inline = (tag for passage in draft.passages if passage.slot for tag in _INLINE_TAG.findall(passage.text))
    tags = {tag.lstrip("#\uff03").casefold() for tag in (*draft.hashtags, *inline)}
    most, known = draft.placement.max_hashtags, draft.placement.hashtags
    if len(tags) > most:
        message = f"{draft.placement.title} takes {most} hashtags; list and texts have {len(tags)}."
        source = (known.source.url or known.source.id) if known else None
        yield about_field(HASHTAGS, message, most, source=source)


@rule("no-room-for-hashtags", "warn")
def no_room_for_hashtags(draft: Draft) -> Iterator[Hit]:
    """The text that the hashtags are published with leaves room for them."""
    tags = draft.placement.hashtags
    slot = draft.placement.slot(tags.slot) if tags and draft.hashtags else None
    if slot is None or slot.hard is None:
        return
    listed = " ".join(f"#{tag.lstrip('#')}" for tag in draft.hashtags)
    for passage in draft.lines:
        if passage.field == slot.name and measure(passage.text, slot.rule) <= slot.hard:
            together = measure(f"{passage.text} {listed}", slot.rule)
            if together > slot.hard:
                message = f"With its hashtags {slot.name} measures {together} by {slot.rule}, over {slot.hard}."
                yield passage.hit(message, source=_source(slot))


@rule("malformed-hashtag", "block", source="https://help.x.com/en/using-x/how-to-use-hashtags")
def malformed_hashtag(draft: Draft) -> Iterator[Hit]:
    """A hashtag is letters, digits and underscores with a letter among them."""
    for passage in draft.passages:
        if passage.field == HASHTAGS and not _TAG.fullmatch(passage.text):
            cleaned = "#" + _NOT_IN_TAG.sub("", passage.text)
            message = "A hashtag is one word of letters, digits and underscores, with a letter among them."
            yield passage.hit(message, suggestion=cleaned if _TAG.fullmatch(cleaned) else None)


@rule("control-character", "block", source="https://www.unicode.org/reports/tr36/")
def control_character(draft: Draft) -> Iterator[Hit]:
    """No character changes the order or the fate of the text unseen; a line may break where lines may be."""
    for passage in draft.passages:
        one_line = passage.slot is None or passage.slot.rule == "display_width"
        for found in (_CONTROL_OR_BREAK if one_line else _CONTROL).finditer(passage.text):
            codes = " ".join(f"U+{ord(char):04X}" for char in found[0][:4])
            suggestion = " " if found[0].isspace() else ""
            yield passage.hit(f"{codes} must not stand in a text.", found.span(), suggestion)


RULES = (
    unknown_slot,
    too_few_texts,
    too_many_texts,
    empty_text,
    over_hard_limit,
    over_soft_limit,
    too_many_hashtags,
    no_room_for_hashtags,
    malformed_hashtag,
    control_character,
)


def _counted(slot: Slot, given: int) -> str:
    return f"{slot.name} takes {slot.min} to {slot.max} texts and was given {given}."


def _measured(draft: Draft) -> Iterator[tuple[Passage, Slot, int]]:
    for passage in draft.lines:
        if passage.slot is not None:
            yield passage, passage.slot, measure(passage.text, passage.slot.rule)


def _length(slot: Slot, measured: int) -> str:
    return f"{slot.name} measures {measured} by {slot.rule}"


def _source(slot: Slot) -> str:
    return slot.source.url or slot.source.id


_VISIBLE = regex.compile(r"[^\p{Z}\p{C}\p{Default_Ignorable_Code_Point}]")
_TAG = regex.compile(r"[#\uFF03]?(?=[\p{Nd}_]*\p{L})[\p{L}\p{M}\p{Nd}_\u200C\u200D]{1,100}")
_NOT_IN_TAG = regex.compile(r"[^\p{L}\p{M}\p{Nd}_]")
_INLINE_TAG = regex.compile(r"(?<![\p{L}\p{N}_&/])[#\uFF03](?=[\p{Nd}_]*\p{L})[\p{L}\p{M}\p{Nd}_]+")
_UNSEEN = (
    r"(?:(?![\r\n])[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}"
    r"\u202A-\u202E\u2066-\u2069\uFEFF\uFFFD])+|\r(?!\n)"
)
_CONTROL = regex.compile(_UNSEEN)
_CONTROL_OR_BREAK = regex.compile(rf"{_UNSEEN}|[\r\n]+")
