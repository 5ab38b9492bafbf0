"""The package: everything of a finished campaign in one zip, ready for upload and for looking at.

The same campaign gives the same bytes, so a step that a crash repeats keeps nothing twice.
"""

import csv
import hashlib
import io
import json
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from tools.counting import measure
from tools.hero import Hero, heroes
from tools.imaging.provenance import packet_of
from tools.imaging.sheet import SheetCard, SheetHeader, SheetSection, contact_pages
from tools.inspection import report
from tools.languages import language
from tools.placements import PLACEMENTS

JSON = dict[str, Any]
CONTACT_SHEET = "contact-sheet.jpg"
"""The first page; further ones are numbered."""

_SUFFIXES = {"image/jpeg": "jpg", "image/png": "png", "image/webp": "webp", "image/avif": "avif"}
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNRECORDED: JSON = {
    "source_says": None,
    "operations": None,
    "digital_source_type": None,
    "made_by": None,
    "notice": None,
    "signed": False,
}
_RISKY = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Package:
    """The zip, and how many files are in it."""

    data: bytes
    files: int


def build(
    order: JSON,
    content: JSON,
    pictures: Mapping[str, bytes],
    *,
    cost: JSON,
    approved: Mapping[str, str],
    writers: Mapping[str, str],
    edited: Collection[str],
) -> Package:
    """Pack a campaign: `content` as the API shows it, `pictures` by SHA-256, revisions as approved.

    `writers` names the model that wrote or translated the texts of each language; in those `edited` a person
    changed some.
    """
    copies = _copies(order, content)
    made = [_described(creative) for creative in content["creatives"]]
    contents: dict[str, bytes] = {one["path"]: pictures[one["sha256"]] for one in made} | {
        f"copy/{code}.json": _json(copy) for code, copy in copies.items()
    }
    contents["claims.json"] = _json(_claims(order, content))
    contents["copy.csv"] = _csv(copies)
    for number, page in enumerate(_sheet(order, copies, made, pictures, cost), 1):
        contents[CONTACT_SHEET if number == 1 else f"contact-sheet-{number}.jpg"] = page
    records = _provenance(order, content["creatives"], writers, edited)
    contents["provenance.json"] = _json({"creatives": records})
    found = heroes(made, pictures, {record["path"]: packet_of(record) for record in records if record["made_by"]})
    contents |= {path: file.data for hero in found for path, file in hero.files}
    if found:
        contents["responsive.html"] = _responsive(order, found)
    contents["index.html"] = _page(order, content, copies, made, records, cost)
    contents["manifest.json"] = _json(_manifest(order, content, contents, made, cost, approved))
    return Package(_zip(contents), len(contents))


def _copies(order: JSON, content: JSON) -> dict[str, JSON]:
    kept = ("headlines", "subline", "call_to_action", "alt_text", "placements", "variants")
    spoken = {order["source_language"]: content["copy"], **content["translations"]}
    return {code: {key: copy[key] for key in kept if key in copy} for code, copy in spoken.items()}


def _variants(copy: JSON) -> dict[str, JSON]:
    """The copy by variant, the first called `a`."""
    return {"a": copy, **copy.get("variants", {})}


def _claims(order: JSON, content: JSON) -> dict[str, list[JSON]]:
    """The claims ledger by language, each claim with what backs it and, for evidence, where that comes from."""
    by_language = {order["source_language"]: content["claims"]}
    by_language |= {code: translated["claims"] for code, translated in content["translations"].items()}
    return {code: [_sourced(claim, order) for claim in claims] for code, claims in by_language.items()}


def _sourced(claim: JSON, order: JSON) -> JSON:
    ground: JSON = claim["ground"] or {}
    where, _, number = str(ground.get("where", "")).partition("/")
    if where != "evidence":
        return claim
    return {**claim, "ground": {**ground, "source": order["product"]["evidence"][int(number)]["source"]}}


def _described(creative: JSON) -> JSON:
    asset, variant = creative["asset"], creative.get("variant", "a")
    name = f"{creative['size']}.{_SUFFIXES[asset['media_type']]}"
    folder = creative["language"] if variant == "a" else f"{creative['language']}-{variant}"
    return {
        "path": f"creatives/{folder}/{creative['placement']}/{name}",
        **{key: creative[key] for key in ("placement", "size", "language", "alt_text", "checks")},
        "focus": creative.get("focus"),
        "variant": variant,
        "remarks": creative.get("remarks", []),
        **asset,
    }


def _provenance(
    order: JSON, creatives: list[JSON], writers: Mapping[str, str], edited: Collection[str]
) -> list[JSON]:
    """How each picture came about; of one that was drawn before this was recorded, only its source is known."""
    source = {"source_sha256": order["picture"]["sha256"]}
    return [
        {
            "path": _described(creative)["path"],
            **source,
            **creative.get("provenance", _UNRECORDED),
            "model": writers.get(creative["language"]) if _has_words(creative) else None,
            "edited": creative["language"] in edited and _has_words(creative),
            "licence": order.get("image_licence"),
        }
        for creative in creatives
    ]


def _has_words(creative: JSON) -> bool:
    return any(done["name"] == "text" for done in creative.get("provenance", {}).get("operations", ()))


def _manifest(
    order: JSON,
    content: JSON,
    contents: Mapping[str, bytes],
    made: list[JSON],
    cost: JSON,
    approved: Mapping[str, str],
) -> JSON:
    described = {one["path"]: one for one in made}
    listed = [
        {"path": path, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()} | described.get(path, {})
        for path, data in sorted(contents.items())
    ]
    return {
        "made_by": f"Fanfare {version('fanfare')}",
        "rehearsal": cost["rehearsal"],
        "campaign": {key: order[key] for key in ("id", "product", "tone", "languages", "placements")},
        "missing": [{"language": code, **failure} for code, failure in content["failures"].items()],
        "approved": dict(approved),
        "cost": cost,
        "files": listed,
    }


def _csv(copies: Mapping[str, JSON]) -> bytes:
    written = io.StringIO()
    table = csv.writer(written)
    head = ["language", "variant", "placement", "slot", "number", "text", "length", "limit", "counted as"]
    table.writerow(head)
    for code, copy in copies.items():
        for variant, said in _variants(copy).items():
            for placement, slot, number, text in _lines(said):
                known = PLACEMENTS[placement].slot(slot) if placement in PLACEMENTS else None
                counted = (measure(text, known.rule), known.hard or "", known.rule) if known else ("", "", "")
                table.writerow([code, variant, placement, slot, number, _harmless(text), *counted])
    return written.getvalue().encode("utf-8-sig")


def _lines(copy: JSON) -> Iterator[tuple[str, str, int, str]]:
    own: dict[str, list[str | None]] = {
        "headline": copy["headlines"],
        "subline": [copy.get("subline")],
        "call_to_action": [copy["call_to_action"]],
        "alt_text": [copy["alt_text"]],
    }
    for placement, slots in {"campaign": own, **copy["placements"]}.items():
        for slot, lines in slots.items():
            written: list[str] = [line for line in lines if line]
            for number, text in enumerate(written, 1):
                yield placement, slot, number, text


def _harmless(cell: str) -> str:
    """A spreadsheet takes a cell that begins like a formula for one; an apostrophe tells it otherwise."""
    return f"'{cell}" if cell.startswith(_RISKY) else cell


def _sheet(
    order: JSON, copies: Mapping[str, JSON], made: list[JSON], pictures: Mapping[str, bytes], cost: JSON
) -> Iterator[bytes]:
    facts = [
        ("Tone", order["tone"]),
        ("Languages", ", ".join(language(code).english for code in copies)),
        ("Pictures", str(len(made))),
        ("Cost", f"${cost['usd']} for {cost['calls']} model calls"),
    ]
    header = SheetHeader(order["product"]["name"], " · ".join(order["product"]["features"]), facts)
    sections = [
        _section(code, variant, copy, made, pictures)
        for code, copies_of in copies.items()
        for variant, copy in _variants(copies_of).items()
    ]
    return contact_pages(header, sections)


def _section(code: str, variant: str, copy: JSON, made: list[JSON], pictures: Mapping[str, bytes]) -> SheetSection:
    spoken = language(code)
    cards = [
        SheetCard(
            PLACEMENTS[placement].title,
            lines=_labelled(slots),
            pictures=[
                (f"{one['width']} × {one['height']}", pictures[one["sha256"]])
                for one in made
                if (one["placement"], one["language"], one["variant"]) == (placement, code, variant)
            ],
        )
        for placement, slots in copy["placements"].items()
    ]
    headlines = [*copy["headlines"], copy["call_to_action"]]
    title = spoken.english if variant == "a" else f"{spoken.english}, variant {variant.upper()}"
    return SheetSection(title, spoken.direction, headlines, cards, code)


def _labelled(slots: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    texts = [
        (slot.replace("_", " "), text) for slot, lines in slots.items() if slot != "hashtags" for text in lines
    ]
    tags = " ".join(f"#{tag}" for tag in slots.get("hashtags", ()))
    return [*texts, ("hashtags", tags)] if tags else texts


def _page(
    order: JSON,
    content: JSON,
    copies: Mapping[str, JSON],
    made: list[JSON],
    records: list[JSON],
    cost: JSON,
) -> bytes:
    claims = _claims(order, content)
    languages = [
        (code, language(code).english, language(code).direction, _variants(copy), claims[code])
        for code, copy in copies.items()
    ]
    return (
        _template("package.html")
        .render(
            product=order["product"],
            tone=order["tone"],
            languages=languages,
            content=content,
            cost=cost,
            pictures=made,
            source=order["picture"],
            licence=order.get("image_licence"),
            records={record["path"]: record for record in records},
            kinds=Counter(_kind(record) for record in records),
            report=report,
            titles={name: PLACEMENTS[name].title for name in order["placements"]},
            rehearsal=cost["rehearsal"],
        )
        .encode()
    )


def _kind(record: JSON) -> str:
    """The name of its digital source type."""
    return str(record["digital_source_type"] or "unrecorded").rpartition("/")[2]


def _responsive(order: JSON, found: list[Hero]) -> bytes:
    titles = {hero.language: language(hero.language).english for hero in found}
    page = _template("responsive.html").render(product=order["product"]["name"], heroes=found, titles=titles)
    return page.encode()


@cache
def _template(name: str) -> Template:
    source = files("tools").joinpath(name).read_text(encoding="utf-8")
    return Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True).from_string(source)


def _json(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode() + b"\n"


def _zip(contents: Mapping[str, bytes]) -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for path, data in sorted(contents.items()):
            info = zipfile.ZipInfo(path, _EPOCH)
            info.external_attr = 0o644 << 16
            stored = path.endswith((".jpg", ".png", ".webp", ".avif"))
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return written.getvalue()
