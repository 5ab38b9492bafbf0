"""The layouts that a creative may have, as data: where words, button and logo go, and how they are set."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from tools.imaging.box import Box

Ground = Literal["photo", "panel", "plate"]
Towards = Literal["up", "down", "end", "start", "all"]
Anchor = Literal["top", "middle", "bottom"]
Align = Literal["start", "centre"]
Flow = Literal["stack", "line"]
Corner = Literal["top_start", "top_end", "bottom_start", "bottom_end"]
Part = Literal["headline", "subline", "button"]

_STRICT = ConfigDict(extra="forbid", strict=True)


class BrokenTemplates(ValueError):
    """templates.toml is not as this module promises it to be."""


class UnknownTemplate(LookupError):
    """No layout has this name."""

    def __init__(self, name: str) -> None:
        near = get_close_matches(name.casefold(), TEMPLATES, n=3, cutoff=0.4)
        super().__init__(f"No template is called {name!r}; there is {', '.join(near or TEMPLATES)}.")
        self.name = name


@dataclass(frozen=True)
class Template:
    """A layout; templates.toml says what each field means, and in which unit."""

    __pydantic_config__ = _STRICT

    name: str
    aspect: tuple[float, float]
    ground: Ground
    text: tuple[float, float, float, float]
    product: Towards
    anchor: Anchor
    align: Align
    flow: Flow
    headline: tuple[float, float]
    subline: tuple[float, float]
    button: tuple[float, float]
    lines: int
    gaps: tuple[float, float]
    logo: tuple[Corner, ...]
    drop: tuple[tuple[Part, ...], ...]
    cost: float
    height: tuple[int, int] = (0, 100_000)

    def __post_init__(self) -> None:
        left, top, right, bottom = self.text
        if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
            raise ValueError(f"Template {self.name} has no room for words inside the safe area.")
        for low, high in (self.aspect, self.height, self.headline, self.subline, self.button):
            if not 0 <= low < high:
                raise ValueError(f"Template {self.name} has a range from {low} to {high}.")
        if self.lines < 1 or min(self.gaps) <= 0:
            raise ValueError(f"Template {self.name} needs a line and gaps.")

    @property
    def room(self) -> Box:
        """The words' room, as shares of the safe area, for a language written from left to right."""
        return Box(*self.text)

    def suits(self, width: int, height: int) -> bool:
        """Whether it is made for a canvas of this size in pixels."""
        return self.aspect[0] <= width / height < self.aspect[1] and self.height[0] <= height < self.height[1]


def template(name: str) -> Template:
    """Look a template up; raises UnknownTemplate, which names the nearest."""
    found = TEMPLATES.get(name)
    if found is None:
        raise UnknownTemplate(name)
    return found


def templates_for(width: int, height: int, *, off_photo: bool = False) -> tuple[Template, ...]:
    """List what suits a canvas of this size in pixels and a creative with words; never empty.

    Off the photo are panels and plates.
    """
    suited = (one for one in TEMPLATES.values() if one.product != "all" and one.suits(width, height))
    return tuple(one for one in suited if (one.ground != "photo" if off_photo else one.ground != "plate"))


def read_templates(text: str) -> Mapping[str, Template]:
    """Read TOML into templates; raises BrokenTemplates with one line for each mistake."""
    try:
        named = {name: {"name": name, **entry} for name, entry in tomllib.loads(text).items()}
        return MappingProxyType(TypeAdapter(dict[str, Template]).validate_json(json.dumps(named)))
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise BrokenTemplates("\n".join(("templates.toml is not as it should be:", *lines))) from error
    except (tomllib.TOMLDecodeError, TypeError) as error:
        raise BrokenTemplates(f"templates.toml cannot be read: {error!r}.") from error


TEMPLATES = read_templates(files("tools.imaging").joinpath("templates.toml").read_text("utf-8"))
