"""Where a campaign can appear: every placement's texts, hashtags and pictures, each with its source."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from fractions import Fraction
from importlib.resources import files
from itertools import chain
from types import MappingProxyType
from typing import Any, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from tools.counting import CountingRule

Confidence = Literal["official", "mirror", "outdated", "partner", "vendor", "press", "third-party", "assumed"]
Format = Literal["jpg", "png", "gif", "webp"]
DEFAULT_PLACEMENTS = ("instagram_post", "linkedin_post", "x_post", "meta_feed")

_STRICT = ConfigDict(extra="forbid", strict=True)


class BrokenTable(ValueError):
    """placements.toml is not as this module promises it to be."""


class UnknownPlacement(LookupError):
    """No placement in the table has this id."""

    def __init__(self, placement_id: str) -> None:
        near = get_close_matches(placement_id.casefold(), PLACEMENTS, n=3, cutoff=0.4)
        names = ", ".join(near) or ", ".join(DEFAULT_PLACEMENTS)
        super().__init__(f"No placement is called {placement_id!r}; there is {names}.")
        self.placement_id = placement_id


@dataclass(frozen=True)
class Source:
    """Where a limit is known from, and how well."""

    __pydantic_config__ = _STRICT

    id: str
    url: str
    confidence: Confidence
    note: str = ""


@dataclass(frozen=True)
class Slot:
    """Room for min to max texts; hard and soft are lengths by rule, None where the platform sets none."""

    __pydantic_config__ = _STRICT

    name: str
    rule: CountingRule
    min: int
    max: int
    source: Source
    confidence: Confidence
    hard: int | None = None
    soft: int | None = None
    note: str = ""

    def __post_init__(self) -> None:
        if not 0 <= self.min <= self.max or self.max < 1:
            raise ValueError(f"Slot {self.name} takes {self.min} to {self.max} texts, which is no range.")
        lengths = [length for length in (self.soft, self.hard) if length is not None]
        if any(length < 1 for length in lengths) or lengths != sorted(lengths):
            raise ValueError(f"Slot {self.name} must have 0 < soft <= hard.")

    @property
    def wanted(self) -> int:
        """How many texts to write when nobody says: three where there is room, never fewer than min."""
        return max(self.min, min(self.max, 3))


@dataclass(frozen=True)
class Hashtags:
    """How many hashtags a post takes, and the slot whose text they are published with."""

    __pydantic_config__ = _STRICT

    max: int
    slot: str
    source: Source
    confidence: Confidence
    note: str = ""


@dataclass(frozen=True)
class SafeZone:
    """Percentage of each edge that the platform may cover with its own buttons."""

    __pydantic_config__ = _STRICT

    top: float
    bottom: float
    left: float
    right: float


@dataclass(frozen=True)
class Ratio:
    """Least and greatest width divided by height that the placement accepts."""

    __pydantic_config__ = _STRICT

    min: float
    max: float
    source: Source
    confidence: Confidence
    note: str = ""


@dataclass(frozen=True)
class ImageSize:
    """A picture to deliver, in pixels; max_kb in kibibytes, None where the platform sets none."""

    __pydantic_config__ = _STRICT

    name: str
    width: int
    height: int
    formats: tuple[Format, ...]
    source: Source
    confidence: Confidence
    min_width: int | None = None
    min_height: int | None = None
    max_kb: int | None = None
    safe_zone: SafeZone | None = None
    ratio_tolerance_pct: float | None = None
    role: Literal["creative", "logo"] = "creative"
    note: str = ""

    def __post_init__(self) -> None:
        if self.width < (self.min_width or 1) or self.height < (self.min_height or 1):
            raise ValueError(f"Image {self.name} is smaller than its own minimum.")
        if not self.formats:
            raise ValueError(f"Image {self.name} names no format.")

    @property
    def max_bytes(self) -> int | None:
        """Byte budget of the encoded file."""
        return None if self.max_kb is None else self.max_kb * 1024

    def accepts(self, width: int, height: int) -> bool:
        """Tell whether a picture of so many pixels is large enough, and of this shape.

        A shape is the same when its ratio is off by `ratio_tolerance_pct` at most; where the platform allows
        none, by what half a pixel of either side makes.
        """
        if width < (self.min_width or 1) or height < (self.min_height or 1):
            return False
        if self.ratio_tolerance_pct is None:
            return abs(width * self.height - height * self.width) * 2 <= max(self.width, self.height)
        off = abs(Fraction(width * self.height, height * self.width) - 1)
        return off * 100 <= Fraction(str(self.ratio_tolerance_pct))


@dataclass(frozen=True)
class Placement:
    """One place that a campaign fills; platform groups placements that are written for together."""

    __pydantic_config__ = _STRICT

    id: str
    platform: str
    title: str
    paid: bool
    slots: tuple[Slot, ...] = ()
    hashtags: Hashtags | None = None
    images: tuple[ImageSize, ...] = ()
    ratio: Ratio | None = None
    html_max_kb: int | None = None
    picture_text: bool = True  # False where the platform sets the texts beside the picture itself

    def __post_init__(self) -> None:
        for names in ([slot.name for slot in self.slots], [image.name for image in self.images]):
            if len(names) != len(set(names)):
                raise ValueError(f"Placement {self.id} uses a name twice.")
        if self.hashtags and not self.slot(self.hashtags.slot):
            raise ValueError(f"Placement {self.id} puts its hashtags into a slot that it does not have.")

    @property
    def creatives(self) -> tuple[ImageSize, ...]:
        """Pictures to be made from the product photo: every image but the logos."""
        return tuple(image for image in self.images if image.role == "creative")

    @property
    def max_hashtags(self) -> int:
        """How many hashtags may be written; 0 where the placement takes none."""
        return self.hashtags.max if self.hashtags else 0

    def slot(self, name: str) -> Slot | None:
        """Return the slot of that name, or None."""
        return next((slot for slot in self.slots if slot.name == name), None)

    def as_json(self) -> dict[str, Any]:
        """Return every field as plain JSON, each slot with how many texts are wanted."""
        shown = json.loads(json.dumps(asdict(self)))
        for slot, plain in zip(self.slots, shown["slots"], strict=True):
            plain["wanted"] = slot.wanted
        return {**shown, "max_hashtags": self.max_hashtags}


def placement(placement_id: str) -> Placement:
    """Look up a placement; raises UnknownPlacement, which names the nearest ids."""
    found = PLACEMENTS.get(placement_id)
    if found is None:
        raise UnknownPlacement(placement_id)
    return found


def read_table(text: str) -> tuple[Mapping[str, Source], Mapping[str, Placement]]:
    """Read TOML into sources and placements; raises BrokenTable with one line per mistake."""
    try:
        raw = tomllib.loads(text)
        sources = {name: {"id": name, **entry} for name, entry in raw["sources"].items()}
        placements = {name: {"id": name, **_sourced(entry, sources)} for name, entry in raw["placements"].items()}
        return (
            MappingProxyType(TypeAdapter(dict[str, Source]).validate_json(json.dumps(sources))),
            MappingProxyType(TypeAdapter(dict[str, Placement]).validate_json(json.dumps(placements))),
        )
    except ValidationError as error:
        raise BrokenTable(_one_line_each(error)) from error
    except (tomllib.TOMLDecodeError, KeyError, AttributeError, TypeError) as error:
        raise BrokenTable(f"placements.toml cannot be read: {error!r}.") from error


def _sourced(entry: dict[str, Any], sources: Mapping[str, Any]) -> dict[str, Any]:
    """Put the source itself where a line names it; a line without a confidence has its source's."""
    lines: Iterable[Any] = chain(
        entry.get("slots", ()), entry.get("images", ()), (entry.get("hashtags"), entry.get("ratio"))
    )
    for line in filter(None, lines):
        if line.get("source") not in sources:
            raise BrokenTable(f"{entry.get('title')}: no source is called {line.get('source')!r}.")
        source = sources[line["source"]]
        line.update({"confidence": source.get("confidence"), **line, "source": source})
    return entry


def _one_line_each(error: ValidationError) -> str:
    """Say where in the table each mistake is, and what it is."""
    lines = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
    return "\n".join(("placements.toml is not as it should be:", *lines))


SOURCES, PLACEMENTS = read_table(files("tools").joinpath("placements.toml").read_text("utf-8"))
