"""The rehearsal strategist: a brief from the order's own words."""

from agents.briefing import Brief
from agents.offline.orders import BriefOrder
from agents.offline.phrases import SLOT, TONES, Phrase, phrases, spoken, wording
from agents.offline.voice import tones_of
from agents.offline.words import Words, fill, short_name

_PROMISE_WORDS = 12
_LONGEST_AUDIENCE = 160
_MOST_PLACES = 6
_NAME_LIMIT = 60


def write_brief(order: BriefOrder) -> Brief:
    """A brief for the product of `order`, in its language."""
    language, words = spoken(order.language), Words.of(order.product)
    tones = tones_of(order.tone)
    voice = next(phrase for phrase in phrases("voice") if phrase.suits(tones[:1]))
    return Brief(
        summary=_summary(order, words, language),
        audience=_addressee(order.audience, words, language),
        promise=_promise(words, language),
        key_messages=_messages(words, language),
        voice=" ".join([*_quoted_tone(order.tone), voice.variants(language)[0]]),
        avoid=[phrase.variants(language)[0] for phrase in phrases("avoid")],
    )


def audience_of(sentence: str, language: str) -> str | None:
    """Whom a brief's sentence on its audience names, in the owner's words; None when it names nobody."""
    before, after = SLOT.split(wording("addressee", "speaks_to", language))[::2]
    if sentence.startswith(before) and sentence.endswith(after) and len(sentence) > len(before + after):
        return sentence[len(before) : len(sentence) - len(after)]
    return None


def _summary(order: BriefOrder, words: Words, language: str) -> str:
    tone = order.tone.strip().casefold()
    said = wording("tone", tone, language) if tone in TONES else order.tone.strip()
    parts = [_filled(phrases("summary")[0], words, language, tone=said)]
    if order.placements:
        places = ("、" if language == "ja" else "، " if language == "ar" else ", ").join(
            order.placements[:_MOST_PLACES]
        )
        parts.append(_filled(phrases("reach")[0], words, language, places=places))
    return ("" if language == "ja" else " ").join(parts)


def _addressee(audience: str | None, words: Words, language: str) -> str:
    said = " ".join((audience or "").split())[:_LONGEST_AUDIENCE].strip()
    if said:
        return _filled(phrases("addressee")[0], words, language, audience=said)
    return _filled(phrases("anyone")[0], words, language)


def _promise(words: Words, language: str) -> str:
    """Name and first feature that fit twelve words, else the name with as many words as do."""
    for feature in words.features:
        said = fill(wording("promise", "remember", language), {"name": words.name, "feature": feature})
        if said and len(said.split()) <= _PROMISE_WORDS:
            return said
    return short_name(" ".join(words.name.split()[:_PROMISE_WORDS]), _NAME_LIMIT, "chars")


def _messages(words: Words, language: str) -> list[str]:
    """One sentence a feature: the first opens, the last closes."""
    opening, *middle, closing = phrases("message")
    count = len(words.features)
    said = [opening, *middle[: count - 2], closing]
    return [_filled(phrase, words, language, start=at) for at, phrase in enumerate(said)]


def _quoted_tone(tone: str) -> list[str]:
    return [] if tone.strip().casefold() in TONES or not tone.strip() else [f"{tone.strip().rstrip('.')}."]


def _filled(phrase: Phrase, words: Words, language: str, start: int = 0, **extra: str) -> str:
    return fill(phrase.variants(language)[0], words.values(start) | extra) or words.name
