"""Every picture that some placements ask for, made from one photo that is decoded once."""

import io
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from PIL import Image

from tools.imaging.focus import Focus, dominant_colours, find_focus
from tools.imaging.render import CreativeSpec, SafeZone, render
from tools.imaging.source import SourcePicture, decode
from tools.languages import Language
from tools.placements import ImageSize, Placement

_PROXY_PIXELS = 768


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


@dataclass(frozen=True, eq=False)
class Photo:
    """The product's photo, decoded; opening and measuring take CPU time, so do both in a thread."""

    source: SourcePicture

    @classmethod
    def open(cls, data: bytes) -> Self:
        """Decode `data`; raises `UnusablePicture`."""
        return cls(decode(data))

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


def draw(
    photo: Photo,
    placements: Sequence[Placement],
    *,
    language: Language,
    headline: str,
    call_to_action: str,
    measured: dict[str, Any],
) -> list[Drawn]:
    """Every creative of `placements` in one language; `measured` is what `Photo.measure` said."""
    focus, colours = Focus.from_json(measured["focus"]), tuple(measured["colours"])
    made: list[Drawn] = []
    for placement, size in _wanted(placements):
        picture = render(
            photo.source,
            CreativeSpec(
                width=size.width,
                height=size.height,
                focus=focus,
                max_bytes=size.max_bytes,
                format="jpeg" if "jpg" in size.formats else "png",
                safe_zone=_safe_zone(size),
                headline=headline if placement.picture_text else None,
                call_to_action=call_to_action if placement.picture_text and placement.paid else None,
                language=language.code,
                direction=language.direction,
                colours=colours,
            ),
        )
        made.append(
            Drawn(
                placement.id,
                size.name,
                picture.data,
                picture.media_type,
                picture.width,
                picture.height,
                dict(picture.checks),
            )
        )
    return made


def _wanted(placements: Sequence[Placement]) -> Iterator[tuple[Placement, ImageSize]]:
    return ((placement, size) for placement in placements for size in placement.creatives)


def _safe_zone(size: ImageSize) -> SafeZone:
    return SafeZone(**asdict(size.safe_zone)) if size.safe_zone else SafeZone()
