"""Every picture that some placements ask for, made from one photo that is decoded once."""

import hashlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Self, cast

from PIL import Image

from tools.house import PLAIN, House
from tools.imaging.encode import choices
from tools.imaging.focus import Focus, dominant_colours, find_focus
from tools.imaging.pool import pool
from tools.imaging.provenance import Origin, SourceType, stated
from tools.imaging.render import Creative, CreativeSpec, SafeZone, render
from tools.imaging.seal import Seal
from tools.imaging.shelf import Shelf
from tools.imaging.signing import Signer
from tools.imaging.source import SourcePicture, decode
from tools.languages import Language
from tools.placements import ImageSize, Placement

EVERYWHERE: Final = "all"
"""Whoever says where the product is says it for one placement, or under this key for all."""

_PROXY_PIXELS = 768
Given = Mapping[str, Mapping[str, float]]


@dataclass(frozen=True)
class Lines:
    """What the pictures of one language say; `names` stay on one line."""

    headline: str
    call_to_action: str
    subline: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Drawn:
    """A finished picture of one placement."""

    placement: str
    size: str
    data: bytes
    media_type: str
    width: int
    height: int
    checks: dict[str, Any]
    remarks: list[str]
    focus: dict[str, Any]
    provenance: dict[str, Any]


@dataclass(frozen=True, eq=False)
class Photo:
    """The product's photo, decoded; opening and measuring take CPU time, so do both in a thread."""

    source: SourcePicture
    origin: Origin

    @classmethod
    def open(cls, data: bytes, placements: Sequence[Placement] = ()) -> "Photo":
        """Decode `data`, unless it has just been; raises `UnusablePicture`.

        With `placements` a large JPEG is read at the fraction of its size that they leave their detail.
        """
        need, sha256 = _needed(placements), hashlib.sha256(data).hexdigest()
        return PHOTOS.get((sha256, need), lambda: cls._decoded(data, sha256, need))

    @classmethod
    def _decoded(cls, data: bytes, sha256: str, need: tuple[int, int] | None) -> Self:
        source = decode(data, need=need)
        return cls(source, Origin(sha256, stated(data), source.info.notice))

    def known_as(self, says: str | None, notice: str | None) -> Self:
        """The photo with what it said of itself before it was cleaned; what its file still says stands."""
        own = self.origin
        kind = own.says or cast("SourceType | None", says)
        return replace(self, origin=replace(own, says=kind, notice=own.notice or notice))

    @property
    def weight(self) -> int:
        """The bytes of its pixels; Pillow keeps four for each of RGB."""
        width, height = self.source.image.size
        return width * height * (5 if self.source.alpha else 4)

    def proxy(self) -> bytes:
        """A JPEG of at most 768 pixels a side: enough to look at, cheap to send."""
        small = self.source.image.copy()
        small.thumbnail((_PROXY_PIXELS, _PROXY_PIXELS), Image.Resampling.LANCZOS, reducing_gap=2.0)
        written = io.BytesIO()
        small.save(written, "JPEG", quality=85)
        return written.getvalue()

    def measure(self) -> dict[str, Any]:
        """Where the product is and the photo's main colours, as plain JSON."""
        return {"focus": asdict(find_focus(self.source)), "colours": list(dominant_colours(self.source))}


async def drawn(
    photo: Photo,
    placements: Sequence[Placement],
    *,
    language: Language,
    lines: Lines,
    measured: dict[str, Any],
    given: Given = MappingProxyType({}),
    house: House = PLAIN,
    signer: Signer | None = None,
) -> list[Drawn]:
    """Every creative of `placements` in one language; `measured` is what `Photo.measure` said.

    `given` is where people say that the product is, by placement or for all of them:
    {left, top, right, bottom} in shares of the photo.
    Each says in its metadata how it came about, and is signed where there is a signer. Sizes that come out alike
    are rendered once. The event loop goes on meanwhile; once cancelled, no further
    picture is begun.
    """
    look = CreativeSpec(
        width=0,
        height=0,
        focus=Focus.from_json(measured["focus"]),
        headline=lines.headline,
        subline=lines.subline,
        call_to_action=lines.call_to_action,
        language=language.code,
        direction=language.direction,
        names=lines.names,
        colours=tuple(measured["colours"]),
        logo=house.logo,
        brand=house.brand,
    )
    plan = _Plan.of(placements, look, given)
    seal = Seal(photo.origin, signer)
    return plan.filled(await pool().gather(plan.tasks(photo, seal)), seal)


async def opened(data: bytes, placements: Sequence[Placement] = ()) -> Photo:
    """What `Photo.open` gives, decoded on one of the threads for pictures, so never more at once than cores."""
    return (await pool().gather([lambda: Photo.open(data, placements)]))[0]


@dataclass(frozen=True)
class _Plan:
    """Which picture each size of each placement is; equal ones are one."""

    places: list[tuple[Placement, ImageSize, CreativeSpec]]

    @classmethod
    def of(cls, placements: Sequence[Placement], look: CreativeSpec, given: Given) -> Self:
        """The pictures of `placements`, each `look` with what its size asks for."""
        focuses = {each.id: _focus(look.focus, given.get(each.id, given.get(EVERYWHERE))) for each in placements}
        return cls(
            [
                (placement, size, _fitted(look, placement, size, focuses[placement.id]))
                for placement, size in _wanted(placements)
            ]
        )

    @property
    def specs(self) -> list[CreativeSpec]:
        """Each picture once, in the order in which it is first asked for."""
        return list(dict.fromkeys(spec for _, _, spec in self.places))

    def tasks(self, photo: Photo, seal: Seal) -> list[Callable[[], Creative]]:
        return [partial(render, photo.source, spec, seal) for spec in self.specs]

    def filled(self, made: Sequence[Creative], seal: Seal) -> list[Drawn]:
        by_spec = dict(zip(self.specs, made, strict=True))
        return [_drawn(placement, size, by_spec[spec], spec.focus, seal) for placement, size, spec in self.places]


def _fitted(look: CreativeSpec, placement: Placement, size: ImageSize, focus: Focus) -> CreativeSpec:
    lettered = placement.picture_text
    return replace(
        look,
        width=size.width,
        height=size.height,
        focus=focus,
        max_bytes=size.max_bytes,
        formats=choices(size.formats),
        safe_zone=_safe_zone(size),
        headline=look.headline if lettered else None,
        subline=look.subline if lettered else None,
        call_to_action=look.call_to_action if lettered and placement.paid else None,
    )


def _focus(measured: Focus, given: Mapping[str, float] | None) -> Focus:
    """A person's word beats what was measured; which of the photo's sides are plain, only measuring tells."""
    return replace(Focus.given(**given), plain=measured.plain) if given else measured


def _drawn(placement: Placement, size: ImageSize, made: Creative, focus: Focus, seal: Seal) -> Drawn:
    return Drawn(
        placement.id,
        size.name,
        made.data,
        made.media_type,
        made.width,
        made.height,
        dict(made.checks),
        list(made.remarks),
        {"box": asdict(focus.box), "point": list(focus.point), "method": focus.method},
        seal.record(made.operations).as_json() | {"signed": seal.signer is not None},
    )


def _needed(placements: Sequence[Placement]) -> tuple[int, int] | None:
    """The largest width and height that any placement asks for."""
    sizes = [size for _, size in _wanted(placements)]
    return (max(size.width for size in sizes), max(size.height for size in sizes)) if sizes else None


def _wanted(placements: Sequence[Placement]) -> Iterator[tuple[Placement, ImageSize]]:
    return ((placement, size) for placement in placements for size in placement.creatives)


def _safe_zone(size: ImageSize) -> SafeZone:
    return SafeZone(**asdict(size.safe_zone)) if size.safe_zone else SafeZone()


PHOTOS: Final = Shelf[Photo](256_000_000, weigh=lambda photo: photo.weight)
"""The photos of this process, so that all languages of a campaign, and campaigns at once, decode each once."""
