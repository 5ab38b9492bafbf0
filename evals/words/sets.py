"""The ads that the rules are measured on, and what should be found in each."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from importlib.resources import files
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from tools.languages import language
from tools.placements import Placement, placement
from tools.policy.rule import ProductFacts, Span

Kind = Literal["number", "unit", "price", "percentage", "date", "comparison", "superlative"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Product(_Strict):
    """What the client says, as an item writes it down."""

    name: str
    features: tuple[str, ...] = ()
    description: str | None = None
    evidence: tuple[str, ...] = ()

    @property
    def facts(self) -> ProductFacts:
        """The same, as rules take it."""
        return ProductFacts(self.name, self.features, self.description, self.evidence)


class Item(_Strict):
    """What all items have; `why` says what the item is there to show."""

    id: str
    language: str = "en"
    why: str

    @model_validator(mode="after")
    def _speaks_a_language(self) -> Self:
        language(self.language)
        return self


class Ad(Item):
    """Texts for a placement, and the ids of the rules that they break.

    `may` names rules that a strict reader could add: they count neither for nor against a rule.
    """

    placement: str
    slot: str | None = None
    text: str | None = None
    texts: Mapping[str, tuple[str, ...]] = {}
    hashtags: tuple[str, ...] = ()
    product: Product | None = None
    whole: bool = False
    expect: tuple[str, ...]
    may: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _has_texts(self) -> Self:
        alone = self.slot is not None and self.text is not None
        if alone == bool(self.texts) or (self.slot is None) != (self.text is None):
            raise ValueError("An item has either texts by slot, or one text and its slot.")
        if set(self.expect) & set(self.may):
            raise ValueError("A rule is either expected or allowed, not both.")
        return self

    @property
    def lines(self) -> Mapping[str, Sequence[str]]:
        """The texts by slot."""
        return self.texts or {str(self.slot): (self.text or "",)}

    @cached_property
    def where(self) -> Placement:
        """The placement; one that asks for no text in any slot, unless the ad is a whole one."""
        asked = placement(self.placement)
        return asked if self.whole else replace(asked, slots=tuple(replace(slot, min=0) for slot in asked.slots))


class Invention(_Strict):
    """A claim without ground, as it stands in the text."""

    quote: str
    kind: Kind

    @property
    def rule(self) -> str:
        """The id of the rule that should find it."""
        return f"claim-{self.kind}"

    def span(self, text: str) -> Span:
        """Where it stands in `text`, in code points."""
        start = text.index(self.quote)
        return start, start + len(self.quote)


class Sentence(Item):
    """A text about a product, and the claims in it that have no ground in the facts."""

    text: str
    product: Product
    invented: tuple[Invention, ...] = ()

    @model_validator(mode="after")
    def _quotes_itself(self) -> Self:
        for invention in self.invented:
            if self.text.count(invention.quote) != 1:
                raise ValueError(f"{invention.quote!r} does not stand in the text exactly once.")
        return self


class Ads(_Strict):
    """The set for moderation; `product` is what is advertised where an item does not say."""

    product: Product
    items: tuple[Ad, ...]


class Sentences(_Strict):
    """The set for claims."""

    items: tuple[Sentence, ...]


class Gates(_Strict):
    """What the rules must reach on each set."""

    block_recall: Annotated[float, Field(ge=0, le=1)]
    false_blocks: Annotated[float, Field(ge=0, le=1)]


def load_ads() -> Ads:
    """The ads of this project; pydantic's ValidationError names the item that is wrong."""
    return Ads.model_validate(tomllib.loads(_text("moderation.toml")))


def load_sentences() -> Sentences:
    """The sentences of this project; pydantic's ValidationError names the item that is wrong."""
    return Sentences.model_validate(tomllib.loads(_text("claims.toml")))


def load_gates() -> Gates:
    """The gates of this project."""
    return Gates.model_validate(tomllib.loads(_text("gates.toml")))


def _text(name: str) -> str:
    return files("evals.words").joinpath(name).read_text("utf-8")
