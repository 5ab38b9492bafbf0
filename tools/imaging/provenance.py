"""Says of every picture that leaves how it came about: in its XMP, and as a record in the package.

The vocabulary is the IPTC NewsCodes "Digital Source Type", http://cv.iptc.org/newscodes/digitalsourcetype/.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any, Final, Literal, get_args

from tools.imaging import xmp

OperationName = Literal["crop", "resize", "convert", "extend", "shade", "text", "logo", "generate"]
SourceType = Literal[
    "digitalCapture",
    "computationalCapture",
    "negativeFilm",
    "positiveFilm",
    "print",
    "humanEdits",
    "compositeWithTrainedAlgorithmicMedia",
    "algorithmicallyEnhanced",
    "digitalCreation",
    "dataDrivenMedia",
    "trainedAlgorithmicMedia",
    "algorithmicMedia",
    "screenCapture",
    "virtualRecording",
    "composite",
    "compositeCapture",
    "compositeSynthetic",
]

VOCABULARY: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/"
ROOM: Final = 1200
"""Bytes that a picture's XMP stays under, wherever it is embedded."""
GENERATIVE: Final[frozenset[SourceType]] = frozenset(
    {"trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia", "compositeSynthetic"}
)


@dataclass(frozen=True)
class Operation:
    """One thing that was done to a photo; the parameters are plain JSON.

    crop, resize and convert (colour space, format) change no content. extend fills bare space from the photo
    itself (blurred, mirrored or plain); shade darkens or lightens it behind text; text and logo are laid over
    it. generate is a model that makes pixels, which Fanfare does not have.
    """

    name: OperationName
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def as_json(self) -> dict[str, Any]:
        """Return both fields as plain JSON."""
        return {"name": self.name, "parameters": dict(self.parameters)}


@dataclass(frozen=True)
class Origin:
    """What is known of a source: its SHA-256, what it states of itself, and its copyright notice."""

    sha256: str
    says: SourceType | None = None
    notice: str | None = None


@dataclass(frozen=True, kw_only=True)
class Record:
    """How one picture came about: its source by SHA-256, what was done, by whose words, under which rights.

    `source_says` is what the source states of itself; `model` wrote or translated the texts in the picture;
    `licence` is the operator's right to use the source, `notice` the copyright notice found in it.
    """

    source_sha256: str
    operations: tuple[Operation, ...]
    source_says: SourceType | None = None
    model: str | None = None
    licence: str | None = None
    notice: str | None = None

    @property
    def digital_source_type(self) -> SourceType:
        """Decide by `source_type`."""
        return source_type(self.operations, source_says=self.source_says)

    def xmp(self) -> bytes:
        """Write the packet for the picture itself: nothing of persons, and no date, so that bytes repeat."""
        return packet_of(self.as_json())

    def as_json(self) -> dict[str, Any]:
        """Return it as the package's `provenance.json` lists it."""
        return {
            "source_sha256": self.source_sha256,
            "source_says": self.source_says and VOCABULARY + self.source_says,
            "operations": [operation.as_json() for operation in self.operations],
            "digital_source_type": VOCABULARY + self.digital_source_type,
            "made_by": creator(),
            "model": self.model,
            "licence": self.licence,
            "notice": self.notice,
        }


def packet_of(recorded: Mapping[str, Any]) -> bytes:
    """Write the XMP packet of a record that `Record.as_json` wrote."""
    properties = {
        "xmp:CreatorTool": recorded["made_by"],
        "Iptc4xmpExt:DigitalSourceType": recorded["digital_source_type"],
    }
    return xmp.packet(properties, rights=recorded["notice"])


def source_type(operations: Sequence[Operation], *, source_says: SourceType | None = None) -> SourceType:
    """Name the source type that is true of a photo after these operations.

    - A model made pixels, now or in the source: generative, whatever was done besides. With text or a logo over
      it that is `compositeSynthetic` (several elements, one of them generative AI); a photo changed by a model
      is `compositeWithTrainedAlgorithmicMedia`; cropping alone leaves what the source says.
    - Text or a logo over a photo: `composite` (several elements). It is no `humanEdits`, as a program sets them,
      and no `compositeCapture`, as letters are no capture. Who wrote the words does not count: the vocabulary
      speaks of pixels, and letters are drawn from a font.
    - A background that is drawn out, or shade: `algorithmicallyEnhanced` (altered by an algorithm without
      generative AI, the main content as it was).
    - Cropped, resized, converted: what the source says of itself. When it says nothing, nobody knows that it is
      a capture, so `algorithmicallyEnhanced` again, which claims what we did and nothing of its origin.
    """
    done = {operation.name for operation in operations}
    generative = "generate" in done or source_says in GENERATIVE
    if done & {"text", "logo"}:
        return "compositeSynthetic" if generative else "composite"
    if generative:
        return _generative(source_says, changed=bool(done & {"generate", "extend", "shade"}))
    if done & {"extend", "shade"}:
        return source_says if source_says in _COMPOSITES else "algorithmicallyEnhanced"
    return source_says or "algorithmicallyEnhanced"


def stated(source: bytes) -> SourceType | None:
    """Find what a file says of itself, in XMP or in content credentials; None when it says nothing that is known.

    Where it says several things, generative outweighs composite, and that the rest.
    """
    named = (match.decode() for match in _STATED.findall(source))
    known: list[SourceType] = [
        _TYPES[name] for name in (_RETIRED.get(one, one) for one in named) if name in _TYPES
    ]
    return min(known, key=lambda name: (name not in GENERATIVE, name not in _COMPOSITES), default=None)


@cache
def creator() -> str:
    """Name the program and its version."""
    return f"Fanfare {version('fanfare')}"


def _generative(source_says: SourceType | None, *, changed: bool) -> SourceType:
    if source_says in GENERATIVE and (not changed or source_says == "compositeSynthetic"):
        return source_says
    return "compositeWithTrainedAlgorithmicMedia"


_COMPOSITES: frozenset[SourceType] = frozenset({"composite", "compositeCapture"})
_TYPES: dict[str, SourceType] = {name: name for name in get_args(SourceType)}
_STATED = re.compile(rb"//cv\.iptc\.org/newscodes/digitalsourcetype/([A-Za-z]{4,40})")
_RETIRED = {"minorHumanEdits": "humanEdits", "digitalArt": "digitalCreation", "softwareImage": "digitalCreation"}
