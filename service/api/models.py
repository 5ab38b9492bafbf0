"""Requests and answers of the REST contract."""

from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    field_validator,
    model_validator,
)
from pydantic.config import JsonDict

from agents.product import Line, Product, printable
from graph.approval import DecisionType
from graph.look import EVERYWHERE, Brand, FocusBox
from graph.state import Approval, Gate
from service.tables import Campaign, Status
from tools.counting import CountingRule
from tools.languages import LANGUAGES, UnknownLanguage, language
from tools.placements import DEFAULT_PLACEMENTS, PLACEMENTS, UnknownPlacement, placement
from tools.policy.rule import Severity


def _encodable(text: str) -> str:
    """Refuse lone surrogates: they can be neither stored nor sent."""
    text.encode()
    return text


Encodable = Annotated[str, AfterValidator(_encodable)]
Edge = Literal["left", "top", "right", "bottom"]
MOST_TERMS = 200
TONES = ("premium", "playful", "friendly", "bold", "professional", "minimalist")


Licence = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300), AfterValidator(printable)
]
Budget = Annotated[
    Decimal,
    Field(gt=0, max_digits=8, decimal_places=4),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^(?=.*[1-9])[0-9]{1,4}(\.[0-9]{1,4})?$", "examples": ["0.50"]},
                {"type": "number", "exclusiveMinimum": 0, "maximum": 9999.9999},
            ]
        }
    ),
]
_WORDS: JsonDict = {"pattern": r"\S"}
_LANGUAGE: JsonDict = {"enum": list(LANGUAGES)}
_PLACEMENT: JsonDict = {"enum": list(PLACEMENTS)}

CAMPAIGN: dict[str, Any] = {
    "product": {
        "name": "Aurora",
        "features": ["40 h battery", "Noise cancelling", "Folds flat"],
        "evidence": [{"claim": "40 h battery", "source": "lab report 12"}],
    },
    "tone": "premium",
    "audience": "commuters",
    "source_language": "en",
    "languages": ["de", "ja"],
    "placements": ["instagram_post", "x_post"],
    "approval": "required",
    "budget_usd": "0.50",
}
"""An order to show."""


class RetryRequest(BaseModel):
    """What a failed campaign goes on with."""

    model_config = ConfigDict(extra="forbid")

    budget_usd: Budget | None = Field(default=None, description="A new budget; null keeps the one it has.")


class CampaignRequest(BaseModel):
    """What a campaign is to be about."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [CAMPAIGN]})

    product: Product
    tone: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)] = Field(
        description=f"One of {', '.join(TONES)}, or up to 80 characters of your own.",
        examples=["premium"],
        json_schema_extra=_WORDS,
    )
    audience: (
        Annotated[
            str,
            StringConstraints(strip_whitespace=True, min_length=1, max_length=300),
            Field(json_schema_extra=_WORDS),
        ]
        | None
    ) = None
    source_language: Annotated[str, Field(json_schema_extra=_LANGUAGE)] = Field(
        default="en", description="BCP 47; the language the copy is written in."
    )
    languages: list[Annotated[str, Field(json_schema_extra=_LANGUAGE)]] = Field(
        default_factory=list,
        max_length=30,
        json_schema_extra={"uniqueItems": True},
        description="BCP 47; what it is translated to.",
        examples=[["de", "ja"]],
    )
    placements: list[Annotated[str, Field(json_schema_extra=_PLACEMENT)]] = Field(
        default=list(DEFAULT_PLACEMENTS),
        json_schema_extra={"uniqueItems": True},
        min_length=1,
        max_length=40,
        description="Ids of the placement table.",
    )
    approval: Approval = "required"
    variants: int = Field(default=1, ge=1, le=2, description="2 writes everything twice, for an A/B test.")
    keep: list[Line] = Field(
        default_factory=list[Line],
        max_length=50,
        description="Terms that stay as they are in every language, beside the product's name.",
        examples=[["QuietLoop"]],
    )
    glossary: dict[str, dict[Line, Line]] = Field(
        default_factory=dict[str, dict[Line, Line]],
        json_schema_extra={"propertyNames": _LANGUAGE},
        max_length=30,
        description="By language, how a term must be translated.",
        examples=[{"de": {"noise cancelling": "Geräuschunterdrückung"}}],
    )
    budget_usd: Budget | None = Field(default=None, description="What its model calls may cost, in US dollars.")
    brand: Brand | None = Field(default=None, description="The house's colours, logo and letters.")
    focus: dict[str, FocusBox] = Field(
        default_factory=dict[str, FocusBox],
        json_schema_extra={"propertyNames": {"enum": [EVERYWHERE, *PLACEMENTS]}},
        description="Where the product is on the photo, by placement, or under `all` for those without their own.",
        examples=[{"all": {"left": 0.3, "top": 0.1, "right": 0.7, "bottom": 0.9}}],
    )
    webhook_url: (
        Annotated[str, Field(min_length=1, max_length=2048, json_schema_extra={"format": "uri"})] | None
    ) = Field(
        default=None,
        description="An address on the public Internet that hears of this campaign; see docs/webhooks.md.",
        examples=["https://hooks.example.com/fanfare"],
    )
    image_licence: Licence | None = Field(
        default=None,
        description="What lets you use this photo, in your own words; kept in the package's provenance.",
        examples=["Own photo, studio session of 12 May"],
    )
    image: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{64}$",
        description="SHA-256 of an uploaded asset; JSON requests need it.",
    )

    @field_validator("source_language")
    @classmethod
    def _known_language(cls, code: str) -> str:
        return _language(code)

    @field_validator("languages")
    @classmethod
    def _known_languages(cls, codes: list[str]) -> list[str]:
        return _distinct([_language(code) for code in codes], "language")

    @field_validator("placements")
    @classmethod
    def _known_placements(cls, names: list[str]) -> list[str]:
        return _distinct([_placement(name) for name in names], "placement")

    @field_validator("glossary")
    @classmethod
    def _known_glossary(cls, glossary: dict[str, dict[Line, Line]]) -> dict[str, dict[Line, Line]]:
        for code, terms in glossary.items():
            if len(terms) > MOST_TERMS:
                raise ValueError(f"the glossary for {code} has {len(terms)} terms; it may have {MOST_TERMS}")
        return {_language(code): terms for code, terms in glossary.items()}

    @model_validator(mode="after")
    def _focuses_on_what_is_asked_for(self) -> "CampaignRequest":
        for name in self.focus:
            if name not in (EVERYWHERE, *self.placements):
                raise ValueError(f"focus names {name}, which is neither {EVERYWHERE} nor one of the placements")
        return self

    @model_validator(mode="after")
    def _translates_to_others(self) -> "CampaignRequest":
        if self.source_language in self.languages:
            raise ValueError(f"languages names {self.source_language}, in which the copy is written already")
        return self


def _language(code: str) -> str:
    try:
        return language(code).code
    except UnknownLanguage as error:
        raise ValueError(str(error)) from None


def _placement(name: str) -> str:
    try:
        return placement(name).id
    except UnknownPlacement as error:
        raise ValueError(str(error)) from None


def _distinct(names: list[str], what: str) -> list[str]:
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"the {what} {name} is named twice")
    return names


FieldName = Annotated[str, Field(max_length=64), AfterValidator(_encodable)]
LintText = Annotated[str, Field(max_length=10_000), AfterValidator(_encodable)]
LintTag = Annotated[str, Field(max_length=200), AfterValidator(_encodable)]
MOST_CHARACTERS = 20_000


class Cost(BaseModel):
    """What a campaign has cost so far; dollars as decimal strings."""

    usd: str = "0"
    budget_usd: str | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    calls: int = 0
    by_step: dict[str, str] = Field(default_factory=dict)


class ProblemBody(BaseModel):
    """RFC 9457: what went wrong, in a sentence that a person can act on."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    code: str
    errors: list[dict[str, Any]] | None = None
    step: str | None = None


class CampaignBody(BaseModel):
    """A campaign, and how far it has come."""

    id: str
    status: Status
    step: str | None
    progress: float = Field(ge=0, le=1)
    revision: str | None
    product: Product
    tone: str
    languages: list[str]
    placements: list[str]
    approval: Approval
    cost: Cost
    error: ProblemBody | None
    created_at: str
    updated_at: str
    links: dict[str, str]

    @classmethod
    def of(cls, campaign: Campaign) -> "CampaignBody":
        """The record as callers see it."""
        order = campaign.order
        return cls.model_validate(
            {
                "id": campaign.id, "status": campaign.status, "step": campaign.step,
                "progress": campaign.progress, "revision": campaign.revision,
                "product": order["product"], "tone": order["tone"], "languages": order["languages"],
                "placements": order["placements"], "approval": order["approval"],
                "cost": {**campaign.cost, "budget_usd": campaign.budget_usd}, "error": campaign.error,
                "created_at": campaign.created_at, "updated_at": campaign.updated_at,
                "links": links_of(campaign),
            }
        )  # fmt: skip


def links_of(campaign: Campaign) -> dict[str, str]:
    """Where the parts of the campaign are."""
    here = f"/v1/campaigns/{campaign.id}"
    names = ("content", "events", "approval", "decisions", "history")
    links = {"self": here} | {name: f"{here}/{name}" for name in names}
    return links | ({"package": f"{here}/package.zip"} if campaign.package_sha256 else {})


class CampaignPage(BaseModel):
    """A page of campaigns, newest first; `next_cursor` is null on the last."""

    items: list[CampaignBody]
    next_cursor: str | None


class DecisionRequest(BaseModel):
    """A person's decision at a gate."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {"gate": "copy", "revision": "5f0c2a9be1d34c77", "type": "approve"},
                {
                    "gate": "copy",
                    "revision": "5f0c2a9be1d34c77",
                    "type": "edit",
                    "edits": {"/copy/headlines/0": "Forty hours of quiet"},
                },
                {
                    "gate": "copy",
                    "revision": "5f0c2a9be1d34c77",
                    "type": "respond",
                    "comment": "Less about the battery, more about the commute.",
                },
                {"gate": "creatives", "revision": "5f0c2a9be1d34c77", "type": "reject", "comment": "Wrong photo."},
            ],
            "oneOf": [
                {"properties": {"type": {"const": "edit"}, "edits": {"minProperties": 1}}, "required": ["edits"]},
                {
                    "properties": {
                        "type": {"const": "respond"},
                        "comment": {"type": "string", **_WORDS},
                        "edits": {"maxProperties": 0},
                    },
                    "required": ["comment"],
                },
                {"properties": {"type": {"enum": ["approve", "reject"]}, "edits": {"maxProperties": 0}}},
            ],
        },
    )

    gate: Gate
    revision: str = Field(min_length=1, max_length=64, description="As the approval shows it.")
    type: DecisionType
    comment: str | None = Field(default=None, max_length=4000, description="Kept for the team, never published.")
    edits: dict[Encodable, Encodable | list[Encodable] | dict[Edge, float] | None] = Field(
        default_factory=dict,
        max_length=500,
        description="JSON pointers into the content, and the new texts. "
        "`/focus/all` and `/focus/<placement>` take a box, or null to take it back.",
    )

    @property
    def plain(self) -> dict[str, Any]:
        """The edits as plain JSON."""
        edits: dict[str, Any] = self.model_dump(include={"edits"})["edits"]
        return edits

    @model_validator(mode="after")
    def _has_what_it_needs(self) -> "DecisionRequest":
        if self.type == "edit" and not self.edits:
            raise ValueError("edit needs edits: JSON pointers into the content and the new values")
        if self.type != "edit" and self.edits:
            raise ValueError(f"edits belong to a decision of type edit, not {self.type}")
        if self.type == "respond" and not (self.comment or "").strip():
            raise ValueError("respond needs a comment that says what should change")
        return self


class ApprovalBody(BaseModel):
    """An open gate: what is shown, under which revision, and the interrupt as graph tools know it."""

    gate: Gate
    revision: str
    request: dict[str, Any]
    content: dict[str, Any]


class ContentBody(BaseModel):
    """The campaign's content as far as it has come."""

    brief: dict[str, Any] | None
    study: dict[str, Any] | None
    copy_: dict[str, Any] | None = Field(alias="copy")
    verdict: dict[str, Any] | None
    claims: list[dict[str, Any]]
    translations: dict[str, dict[str, Any]]
    failures: dict[str, dict[str, Any]]
    focus: dict[str, FocusBox | None]
    creatives: list[dict[str, Any]]


class HistoryEntry(BaseModel):
    """A checkpoint that steps led to, or a decision that somebody took; the other's fields are null."""

    kind: Literal["step", "decision"]
    at: str
    steps: list[str] | None = None
    checkpoint: str | None = None
    cost_usd: str | None = None
    gate: Gate | None = None
    revision: str | None = None
    type: DecisionType | None = None
    by: str | None = None
    comment: str | None = None
    edits: dict[str, Any] | None = None


class HistoryPage(BaseModel):
    """A campaign's whole history, oldest first."""

    items: list[HistoryEntry]
    next_cursor: None


class LintRequest(BaseModel):
    """The texts of one placement, for the rules alone."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "placement": "x_post",
                    "language": "en",
                    "texts": {"body": ["The best sound ever!! 40 h on one charge."]},
                    "hashtags": ["#Aurora"],
                    "product": {"name": "Aurora", "features": ["40 h battery", "Noise cancelling", "Folds flat"]},
                }
            ]
        },
    )

    placement: Annotated[str, AfterValidator(_placement)] = Field(
        max_length=64, description="An id of the placement table.", json_schema_extra=_PLACEMENT
    )
    language: Annotated[str, AfterValidator(_language)] = Field(
        default="en",
        max_length=64,
        description="BCP 47; the language that the texts are in.",
        json_schema_extra=_LANGUAGE,
    )
    texts: dict[FieldName, Annotated[list[LintText], Field(max_length=50)]] = Field(
        max_length=40, description="By slot, up to 50 each of up to 10,000 characters; 20,000 in all."
    )
    hashtags: list[LintTag] = Field(default_factory=list, max_length=100)
    product: Product | None = Field(
        default=None, description="What claims may rest on; without it none is checked."
    )

    @model_validator(mode="after")
    def _is_bearable(self) -> "LintRequest":
        length = sum(len(text) for texts in self.texts.values() for text in texts)
        if length > MOST_CHARACTERS:
            raise ValueError(f"texts hold {length:,} characters in all; {MOST_CHARACTERS:,} are taken at once")
        return self


class FindingBody(BaseModel):
    """One remark of a rule; span is [start, end) in code points, and suggestion replaces the quote."""

    rule: str
    severity: Severity
    placement: str
    field: str
    index: int | None
    span: tuple[int, int] | None
    quote: str
    message: str
    suggestion: str | None
    source: str


class MeasureBody(BaseModel):
    """How long a text is by its slot's rule: soft is what is shown, hard what is taken, null for no limit."""

    length: int
    rule: CountingRule
    soft: int | None
    hard: int | None


class LintBody(BaseModel):
    """What the rules find, and how long every text of a known slot is."""

    findings: list[FindingBody]
    measures: dict[str, list[MeasureBody]]
    decision: Literal["pass", "block"] = Field(description="`block` when a finding has that severity.")


class AssetBody(BaseModel):
    """A stored photo or logo as it was cleaned, and what it said of itself; or a font, which has no size."""

    sha256: str
    media_type: str
    width: int | None
    height: int | None
    bytes: int
    notice: str | None
    source_says: str | None
    reserved: str | None


class Readiness(BaseModel):
    """Whether what the service needs is there, and what the operator should know."""

    status: Literal["ready", "not-ready"]
    checks: dict[str, str]
    warnings: list[str]
