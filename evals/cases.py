"""The cases: what campaigns are judged on, and where their photos are."""

import tomllib
from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from graph.state import Approval, Order, Picture
from service.api.models import CampaignRequest

BUDGET_USD = Decimal("0.10")
"""What a campaign may cost where its case does not say."""

PHOTOS = Path(__file__).parent.parent / "examples"


class UnknownCase(LookupError):
    """No case has this name; the message says which there are."""


class Case(CampaignRequest):
    """A campaign to run, what is hard about it, and what must come of it; a long one runs when it is named."""

    model_config = ConfigDict(frozen=True)

    why: str
    approval: Approval = "none"
    photo: str = "aurora.jpg"
    never: tuple[str, ...] = ()
    held: bool = False
    long: bool = False

    @cached_property
    def picture(self) -> bytes:
        """The photo's bytes."""
        return (PHOTOS / self.photo).read_bytes()

    def order(self, campaign_id: str, picture: Picture) -> Order:
        """The case as the graph takes it."""
        asked = self.model_dump(mode="json", include=_ORDERED)
        return Order.model_validate({**asked, "id": campaign_id, "picture": picture.model_dump()})


class Gates(BaseModel):
    """The least mean score that each evaluator must reach."""

    model_config = ConfigDict(extra="forbid")

    least: dict[str, Annotated[float, Field(ge=0, le=1)]]


def read_cases(text: str) -> Mapping[str, Case]:
    """The cases in TOML, by name; pydantic's ValidationError names the line that is wrong."""
    return TypeAdapter(dict[str, Case]).validate_python(tomllib.loads(text))


def load_cases() -> Mapping[str, Case]:
    """The cases of this project."""
    return read_cases(_text("cases.toml"))


def load_gates() -> Mapping[str, float]:
    """The gates of this project, by evaluator."""
    return Gates(least=tomllib.loads(_text("gates.toml"))).least


def chosen(cases: Mapping[str, Case], names: list[str]) -> Mapping[str, Case]:
    """The cases of these names, all but the long ones when there are none; raises `UnknownCase`."""
    for name in names:
        if name not in cases:
            raise UnknownCase(f"No case is called {name!r}; there are {', '.join(cases)}.")
    if names:
        return {name: cases[name] for name in names}
    return {name: case for name, case in cases.items() if not case.long}


def _text(name: str) -> str:
    return files("evals").joinpath(name).read_text("utf-8")


_ORDERED: Any = frozenset(Order.model_fields) & frozenset(CampaignRequest.model_fields)
