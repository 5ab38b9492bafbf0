"""Moderation: what rules cannot see, judged by a model and by the provider's own endpoint."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from agents.model import Answer, Flag, Model
from agents.product import Product
from agents.prompts import Prompt
from tools.policy.rule import Finding

PROMPT = Prompt.load("moderator")
ENDPOINT_SOURCE = "the provider's moderation endpoint"


@dataclass(frozen=True)
class Text:
    """One text and where it stands; `source` is what it was translated from."""

    placement: str
    field: str
    index: int
    text: str
    source: str | None = None

    def as_json(self) -> dict[str, str | int | None]:
        """As the moderator's prompt shows it."""
        return {
            "placement": self.placement,
            "field": self.field,
            "index": self.index,
            "text": self.text,
            "source": self.source,
        }


class Objection(BaseModel):
    """One thing that is wrong with one text."""

    model_config = ConfigDict(extra="forbid")

    rule: Literal["claim", "promise", "people", "unsafe", "misleading", "competitor", "tone", "meaning"]
    severity: Literal["info", "warn", "block"]
    placement: str = Field(description="As given with the text.")
    field: str = Field(description="As given with the text.")
    index: int = Field(ge=0, description="As given with the text.")
    quote: str = Field(description="The exact words of the text.")
    message: str = Field(description="What is wrong, in one sentence.")
    suggestion: str | None = Field(description="What to write instead, or null.")


class Judgement(BaseModel):
    """What the moderator objects to; empty when there is nothing."""

    model_config = ConfigDict(extra="forbid")

    findings: list[Objection]


async def judge(
    model: Model, product: Product, *, tone: str, language: str, texts: Sequence[Text]
) -> Answer[Judgement]:
    """What a careful reader would object to in `texts`, all in `language` (BCP 47)."""
    data = {
        "product": product.model_dump(mode="json"),
        "tone": tone,
        "language": language,
        "texts": [text.as_json() for text in texts],
    }
    return await model.answer("moderator", PROMPT.render(data), Judgement)


async def screen(model: Model, texts: Sequence[Text]) -> list[Finding]:
    """What the provider's moderation endpoint objects to in `texts`."""
    flags = await model.screen([text.text for text in texts])
    return [_flagged(flag, texts[flag.index]) for flag in flags]


async def screen_picture(model: Model, data: bytes, media_type: str) -> list[Finding]:
    """What the provider's moderation endpoint objects to in the product's photo."""
    flags = await model.screen_picture(data, media_type)
    return [_flagged(flag, None) for flag in flags]


def _flagged(flag: Flag, text: Text | None) -> Finding:
    """A flag as a finding on a text, or without one on the photo."""
    said = text.text if text else ""
    what = "here" if text else "in the product's photo"
    return Finding(
        rule=f"screen-{flag.category.replace('/', '-')}",
        severity=flag.severity,
        placement=text.placement if text else "campaign",
        field=text.field if text else "picture",
        index=text.index if text else None,
        span=(0, len(said)) if text else None,
        quote=said,
        message=f"The provider's moderation sees {flag.category} {what} (score {flag.score:.2f}).",
        suggestion="Write this text anew, without what was flagged." if text else "Choose another photo.",
        source=ENDPOINT_SOURCE,
    )


def findings(judgement: Judgement, texts: Sequence[Text]) -> list[Finding]:
    """The objections as findings on the texts they speak of; one that names none counts against the first."""
    return [_finding(objection, _meant(objection, texts)) for objection in judgement.findings]


def _meant(objection: Objection, texts: Sequence[Text]) -> Text:
    named = (objection.placement, objection.field, objection.index)
    exact = (text for text in texts if (text.placement, text.field, text.index) == named)
    quoted = (text for text in texts if objection.quote and objection.quote in text.text)
    return next(exact, None) or next(quoted, None) or texts[0]


def _finding(objection: Objection, meant: Text) -> Finding:
    text = meant.text
    start = text.find(objection.quote) if objection.quote else -1
    return Finding(
        rule=f"judge-{objection.rule}",
        severity=objection.severity,
        placement=meant.placement,
        field=meant.field,
        index=meant.index,
        span=(start, start + len(objection.quote)) if start >= 0 else None,
        quote=objection.quote if start >= 0 else text,
        message=objection.message,
        suggestion=objection.suggestion,
        source="the moderator",
    )
