"""What may stand in a slot: ever other texts of its form that fit and that no rule objects to."""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, islice

from agents.offline.room import Room
from agents.offline.voice import Voice, form
from agents.offline.words import slug

_MANY = 40


def choices(voice: Voice, room: Room, *, taken: Collection[str] = (), shorter: bool = False) -> Iterator[str]:
    """Texts for the slot of `room`, each once and none of `taken`, the most wanted first; it may end."""
    seen = set(taken)
    for text in _candidates(voice.saying_only(room.is_clean), room, shorter=shorter):
        if text not in seen and room.is_clean(text):
            seen.add(text)
            yield text


def squeezed(voice: Voice, room: Room) -> Iterator[str]:
    """Texts without end for a slot that nothing fits: the product's words, as many as it holds."""
    words = voice.words
    clean = [text for text in (words.name, _bare(words.name), *words.features) if text and room.is_clean(text)]
    made = [room.squeezed(text) for text in clean or [words.name]]
    while True:
        yield from made


def _candidates(voice: Voice, room: Room, *, shorter: bool) -> Iterator[str]:
    match room.form:
        case "name" | "alt":
            yield from _fitting(room, _names(voice, room))
        case "address":
            yield from _fitting(room, [voice.words.host, *_slugs(voice, room)])
        case "path":
            yield from _fitting(room, _slugs(voice, room))
            yield from _composed("path", voice, room, shorter=shorter)
        case name:
            yield from _composed(name, voice, room, shorter=shorter)


def _composed(name: str, voice: Voice, room: Room, *, shorter: bool) -> Iterator[str]:
    """Layouts inside the soft limit, then what stands in for them, then the same inside the hard limit."""
    shape = form(name)
    for soft in (True, False):
        fresh = (text for text in voice.texts(shape.layouts) if not voice.is_repetitive(text))
        fit = (text for text in fresh if room.fits(text, soft=soft, fold=shape.fold))
        yield from sorted(islice(fit, _MANY), key=len) if shorter else fit
        yield from (text for text in voice.texts(shape.fallback) if room.fits(text, soft=soft))
    yield from _fitting(room, voice.texts([*chain(shape.layouts, shape.fallback)], any_tone=True))


def _fitting(room: Room, texts: Iterable[str | None]) -> Iterator[str]:
    return (text for text in texts if text and room.fits(text, soft=False))


def _names(voice: Voice, room: Room) -> Iterator[str | None]:
    name, bare = voice.words.name, _bare(voice.words.name)
    yield from (name, room.squeezed(name), bare, room.squeezed(bare), voice.words.host)
    # A part of a name in capitals is no longer the name itself, so that some platforms take it for shouting.
    yield room.squeezed(bare).capitalize()


def _slugs(voice: Voice, room: Room) -> Iterator[str]:
    yield slug(voice.words.name, room.slot.hard or room.slot.soft or _MANY, room.slot.rule)


def _bare(name: str) -> str:
    """`name` without the signs that some platforms refuse."""
    return " ".join("".join(char if char.isalnum() or char in " '’&-." else " " for char in name).split())
