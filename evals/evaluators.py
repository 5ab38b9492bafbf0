"""What makes a campaign good, each as a pure function: a finished campaign goes in, a score comes out.

Lengths, numbers and files are measured here once more, by other code than that which the writers and the
moderation use, so that a mistake in theirs does not vouch for itself.
"""

import io
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, cast

import regex  # type: ignore[import-untyped]  # it ships no stubs
from PIL import Image

from graph.state import JSON, Order
from tools.placements import PLACEMENTS, ImageSize, Slot

CAMPAIGN_LIMITS: Mapping[str, int] = MappingProxyType(
    {"headline": 48, "subline": 56, "call_to_action": 24, "alt_text": 250}
)
"""What the campaign's own lines may measure in columns; alt text in characters."""

LEAST_CONTRAST = 4.5
"""WCAG 2.2, success criterion 1.4.3, for text of any size."""


@dataclass(frozen=True)
class Score:
    """How good, from 0 to 1, and what keeps it from 1."""

    value: float
    comment: str


@dataclass(frozen=True)
class Finished:
    """A campaign after its run: the order, its content, its cost, its pictures' bytes by SHA-256."""

    order: Order
    content: JSON
    cost: JSON = field(default_factory=dict[str, Any])
    pictures: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    packed: bool = False
    never: tuple[str, ...] = ()
    must_be_held: bool = False
    budget_usd: Decimal = Decimal("0.10")


Evaluator = Callable[[Finished], Score]


@dataclass(frozen=True)
class Said:
    """One text, where it stands and in which language."""

    language: str
    placement: str
    slot: str
    index: int
    text: str

    @property
    def place(self) -> str:
        """Where it stands, for a comment."""
        return f"{self.language} {self.placement}.{self.slot}[{self.index}]"


def complete(campaign: Finished) -> Score:
    """Every language has every slot of every placement and every picture, and a package was made."""
    if campaign.must_be_held:
        return Score(1.0, "not to be finished")
    expected = {*_expected_texts(campaign.order), *_expected_pictures(campaign.order)}
    there = {(said.language, said.placement, said.slot) for said in said_in(campaign) if said.text.strip()}
    there |= {(one["language"], one["placement"], one["size"]) for one in campaign.content["creatives"]}
    missing = [" ".join(place) for place in sorted(expected - there)]
    missing += [] if campaign.packed else ["the package"]
    return _share(len(missing), len(expected) + 1, "missing", missing)


def limits(campaign: Finished) -> Score:
    """Every text is inside its hard limit, and no slot holds more texts than it takes."""
    every = list(said_in(campaign))
    over = [
        f"{said.place} measures {size} of {hard}"
        for said in every
        for hard, size in [_measured(said)]
        if hard is not None and size > hard
    ]
    over += [f"{said.place} is one too many" for said in every if said.index >= _room(said)]
    return _share(len(over), len(every), "over a limit", over)


def headlines(campaign: Finished) -> Score:
    """No headline says what another one beside it says, but for case and punctuation."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for said in said_in(campaign):
        if "headline" in said.slot:
            groups.setdefault((said.language, said.placement, said.slot), []).append(_bare(said.text))
    twice = [
        f"{' '.join(place)}: {text!r}"
        for place, texts in groups.items()
        for at, text in enumerate(texts)
        if text in texts[:at]
    ]
    return _share(len(twice), sum(map(len, groups.values())), "repeated", twice)


def claims(campaign: Finished) -> Score:
    """Every number in digits stands in what the client said of the product."""
    known = set(_numbers("\n".join(_facts(campaign.order)))) | _spelled(campaign.order)
    every = list(said_in(campaign))
    invented = [
        f"{said.place}: {number}" for said in every for number in _numbers(said.text) if number not in known
    ]
    return _share(len(invented), len(every), "invented", invented)


def promises(campaign: Finished) -> Score:
    """No text holds a word that this case forbids, or promises what nobody can vouch for."""
    forbidden = [*campaign.never, *_PROMISES]
    every = list(said_in(campaign))
    wrong = [
        f"{said.place}: {word!r}" for said in every for word in forbidden if word.casefold() in _plain(said.text)
    ]
    return _share(len(wrong), len(every), "forbidden", wrong)


def hashtags(campaign: Finished) -> Score:
    """Every placement has no more hashtags than it takes, each one word and none twice."""
    lists = [
        (language, name, list[str](slots.get("hashtags", ())))
        for language, view in _views(campaign)
        for name, slots in view["placements"].items()
    ]
    wrong = [f"{language} {name}: {tags}" for language, name, tags in lists if not _good_tags(name, tags)]
    return _share(len(wrong), len(lists), "wrong", wrong)


def names(campaign: Finished) -> Score:
    """A translated text names the product whenever its source does."""
    name = _plain(campaign.order.product.name)
    sources = {
        (said.placement, said.slot, said.index): name in _plain(said.text)
        for said in said_in(campaign)
        if said.language == campaign.order.source_language
    }
    due = [
        said
        for said in said_in(campaign)
        if said.language != campaign.order.source_language and sources.get((said.placement, said.slot, said.index))
    ]
    lost = [said.place for said in due if name not in _plain(said.text)]
    return _share(len(lost), len(due), "without the name", lost)


def files(campaign: Finished) -> Score:
    """Every picture's bytes are an image of the size, format and weight that its placement takes."""
    every = campaign.content["creatives"]
    wrong = [
        f"{_name(one)}: {fault}"
        for one in every
        if (fault := _file_fault(one, campaign.pictures.get(one["asset"]["sha256"], b"")))
    ]
    return _share(len(wrong), len(every), "unfit", wrong)


def lettering(campaign: Finished) -> Score:
    """Every picture's text is legible, fits, and stays inside the safe zone."""
    every = campaign.content["creatives"]
    wrong = [f"{_name(one)}: {fault}" for one in every if (fault := _lettering_fault(one["checks"]))]
    return _share(len(wrong), len(every), "unfit", wrong)


def subject(campaign: Finished) -> Score:
    """The mean share of the product that the pictures still show."""
    shares = {_name(one): float(one["checks"]["product_kept"]) for one in campaign.content["creatives"]}
    if not shares:
        return Score(1.0, "no pictures")
    worst = min(shares, key=lambda name: shares[name])
    return Score(sum(shares.values()) / len(shares), f"worst: {worst} {shares[worst]:.0%}")


def moderation(campaign: Finished) -> Score:
    """1 for a campaign that passed or was rightly held, 0.5 for one with warnings, 0 for a wrong decision."""
    verdicts = _verdicts(campaign)
    decisions = ", ".join(f"{name}: {verdict['decision']}" for name, verdict in verdicts.items())
    held = not verdicts or any(verdict["decision"] != "pass" for verdict in verdicts.values())
    if held or campaign.must_be_held:
        return Score(float(held == campaign.must_be_held), decisions or "nothing was judged")
    warned = sorted({f["rule"] for v in verdicts.values() for f in v["findings"] if f["severity"] != "info"})
    return Score(0.5 if warned else 1.0, f"{decisions}{'; ' if warned else ''}{', '.join(warned)}")


def cost(campaign: Finished) -> Score:
    """1 within the case's budget, and falling as the campaign costs more."""
    usd, calls = Decimal(campaign.cost.get("usd", "0")), campaign.cost.get("calls", 0)
    comment = f"${usd} of ${campaign.budget_usd}, {calls} calls"
    return Score(float(min(Decimal(1), campaign.budget_usd / usd)) if usd else 1.0, comment)


EVALUATORS: Mapping[str, Evaluator] = MappingProxyType(
    {
        judge.__name__: judge
        for judge in (
            complete, limits, headlines, claims, promises, hashtags, names, files, lettering, subject,
            moderation, cost,
        )
    }
)  # fmt: skip


def evaluate(campaign: Finished) -> dict[str, Score]:
    """Every score of a campaign; a held one publishes nothing, so only holding and cost are judged."""
    held = campaign.must_be_held
    return {
        name: judge(campaign)
        for name, judge in EVALUATORS.items()
        if not held or name in ("complete", "moderation", "cost")
    }


def said_in(campaign: Finished) -> Iterator[Said]:
    """Every text of the campaign, in every language; hashtags apart."""
    for language, view in _views(campaign):
        own = {"headline": view["headlines"]}
        own |= {
            slot: [view[slot]] for slot in ("subline", "call_to_action", "alt_text") if view.get(slot) is not None
        }
        for placement, slots in (("campaign", own), *view["placements"].items()):
            for slot, texts in slots.items():
                if slot != "hashtags":
                    yield from _lines(language, placement, slot, texts)


def length(text: str, rule: str) -> int:
    """The length of `text` by a counting rule, after each rule's own definition.

    Sources: UAX 11 for columns; https://docs.x.com/fundamentals/counting-characters for X's weights, where an
    address is recognised by a common ending.
    """
    composed = unicodedata.normalize("NFC", text)
    match rule:
        case "utf8_bytes":
            return len(composed.encode())
        case "display_width":
            return len(composed) + sum(unicodedata.east_asian_width(char) in ("W", "F") for char in composed)
        case "x_weighted_v3":
            shorter, addresses = _LINK.subn("", composed)
            return 23 * addresses + sum(map(_weight, cast("list[str]", regex.findall(r"\X", shorter))))
        case _:
            return len(composed)


def _lines(language: str, placement: str, slot: str, texts: Sequence[str]) -> Iterator[Said]:
    for index, text in enumerate(texts):
        yield Said(language, placement, slot, index, text)


def _views(campaign: Finished) -> Iterator[tuple[str, JSON]]:
    if campaign.content.get("copy"):
        yield campaign.order.source_language, campaign.content["copy"]
    yield from campaign.content.get("translations", {}).items()


def _verdicts(campaign: Finished) -> dict[str, JSON]:
    found = {"copy": campaign.content.get("verdict")}
    found |= {name: view.get("verdict") for name, view in campaign.content.get("translations", {}).items()}
    return {name: verdict for name, verdict in found.items() if verdict}


def _languages(order: Order) -> list[str]:
    return [order.source_language, *order.languages]


def _expected_texts(order: Order) -> Iterator[tuple[str, str, str]]:
    for language in _languages(order):
        yield from ((language, "campaign", slot) for slot in ("headline", "call_to_action"))
        for name in order.placements:
            yield from ((language, name, slot.name) for slot in PLACEMENTS[name].slots if slot.min)


def _expected_pictures(order: Order) -> Iterator[tuple[str, str, str]]:
    for language in _languages(order):
        for name in order.placements:
            yield from ((language, name, size.name) for size in PLACEMENTS[name].creatives)


def _slot(said: Said) -> Slot | None:
    placement = PLACEMENTS.get(said.placement)
    return placement.slot(said.slot) if placement else None


def _measured(said: Said) -> tuple[int | None, int]:
    slot = _slot(said)
    if slot:
        return slot.hard, length(said.text, slot.rule)
    rule = "chars" if said.slot == "alt_text" else "display_width"
    return CAMPAIGN_LIMITS.get(said.slot, 0), length(said.text, rule)


def _room(said: Said) -> int:
    slot = _slot(said)
    return slot.max if slot else 3 if said.slot == "headline" else 1


def _weight(grapheme: str) -> int:
    if _EMOJI.search(grapheme):
        return 2
    return sum(1 if any(first <= ord(char) <= last for first, last in _LIGHT) else 2 for char in grapheme)


def _numbers(text: str) -> list[str]:
    """The digits of every number, without what groups or divides them: 1,200 and 1.200 are one number."""
    plain = "".join(str(unicodedata.decimal(char, char)) for char in text)
    found = cast("list[str]", _NUMBER.findall(_ADDRESS.sub(" ", plain)))
    return [re.sub(r"\D", "", number) for number in found]


def _facts(order: Order) -> list[str]:
    product = order.product
    claimed = [item.claim for item in product.evidence]
    return [product.name, *product.features, product.description or "", *claimed]


def _spelled(order: Order) -> set[str]:
    words = set(re.findall(r"[a-z]+", " ".join(_facts(order)).casefold()))
    return {str(value) for value, word in enumerate(_WORDS.split(), 1) if word in words}


def _good_tags(placement: str, tags: Sequence[str]) -> bool:
    distinct = {tag.casefold() for tag in tags}
    formed = all(tag.strip() and not _UNTAGGED.search(tag.removeprefix("#")) for tag in tags)
    return formed and len(distinct) == len(tags) <= PLACEMENTS[placement].max_hashtags


def _file_fault(creative: JSON, data: bytes) -> str | None:
    size = _size(creative)
    if size is None:
        return "its placement has no such size"
    if size.max_kb is not None and len(data) > size.max_kb * 1024:
        return f"{len(data):,} bytes of {size.max_kb * 1024:,}"
    try:
        with Image.open(io.BytesIO(data)) as image:
            image.load()
            shape, kind = image.size, str(image.format).casefold().replace("jpeg", "jpg")
    except OSError:
        return "no image"
    if shape != (size.width, size.height):
        return f"{shape[0]}x{shape[1]} instead of {size.width}x{size.height}"
    return None if kind in size.formats else f"{kind} is not taken"


def _size(creative: JSON) -> ImageSize | None:
    placement = PLACEMENTS.get(creative["placement"])
    sizes = placement.creatives if placement else ()
    return next((size for size in sizes if size.name == creative["size"]), None)


def _lettering_fault(checks: JSON) -> str | None:
    contrast = checks["contrast"]
    if contrast is not None and contrast < LEAST_CONTRAST:
        return f"contrast {contrast}"
    if not checks["safe_zone"]:
        return "text outside the safe zone"
    return None if checks["text_fit"] else "text does not fit"


def _name(creative: JSON) -> str:
    return f"{creative['language']} {creative['placement']} {creative['size']}"


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).casefold()


def _bare(text: str) -> str:
    return " ".join(cast("list[str]", regex.findall(r"[\p{L}\p{M}\p{N}]+", _plain(text))))


def _share(wrong: int, total: int, what: str, examples: Iterable[str]) -> Score:
    shown = list(examples)
    if not shown:
        return Score(1.0, f"{total} checked")
    more = f" and {len(shown) - 3} more" if len(shown) > 3 else ""  # noqa: PLR2004 - as many as a line shows
    return Score(max(0.0, 1 - wrong / max(1, total)), f"{what}: {'; '.join(shown[:3])}{more}")


_LINK = re.compile(
    r"(?:https?://)?(?<![\w@.-])(?:[\w-]+\.)+(?:com|org|net|io|co|shop|de|fr|jp)\b(?:/\S*)?", re.IGNORECASE
)
_ADDRESS = re.compile(rf"(?:https?://|www\.)\S+|{_LINK.pattern}", re.IGNORECASE)
_NUMBER = re.compile(
    r"\d{1,3}(?:[ \u00a0\u202f\u2009]\d{3})+(?!\d)(?:[.,\u066b]\d+)?|\d+(?:[.,'\u2019\u066b\u066c]\d+)*"
)
_EMOJI = regex.compile(r"\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F|\u20E3")
_UNTAGGED = regex.compile(r"[^\p{L}\p{M}\p{Nd}_\u200c\u200d]|^[\p{Nd}_]*$")
_LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))
_WORDS = "one two three four five six seven eight nine ten eleven twelve"
_PROMISES = (
    "guaranteed results", "results guaranteed", "garantierte ergebnisse", "résultats garantis",
    "resultados garantizados", "risultati garantiti", "resultados garantidos", "risk-free", "miracle",
    "clinically proven", "no side effects",
)  # fmt: skip
