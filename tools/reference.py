"""The pages of the documentation that are written from the tables: placements and policy rules.

`python -m tools.reference docs` writes them anew; with `--check` it only says whether they are
true, and exits with 1 when one is not.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, groupby
from pathlib import Path

from tools.lint import RULES
from tools.placements import PLACEMENTS, ImageSize, Placement, Slot, Source
from tools.policy.rule import HOUSE, Rule


def placements_page(placements: Iterable[Placement] = PLACEMENTS.values()) -> str:
    """Every limit of every placement, platform by platform, each with its source."""
    platforms: dict[str, list[Placement]] = {}
    for one in placements:
        platforms.setdefault(one.platform, []).append(one)
    sections = (section for name, ones in platforms.items() for section in _platform(name, ones))
    return "\n\n".join((_PLACEMENTS_INTRO, *sections)) + "\n"


def policy_page(rules: Sequence[Rule] = RULES) -> str:
    """Every rule, family by family: what it asks, how bad it is, where it holds, who says so."""
    families = groupby(rules, key=lambda rule: rule.look.__module__)
    sections = (section for module, ones in families for section in _family(module, ones))
    return "\n\n".join((_POLICY_INTRO.format(count=len(rules)), *sections)) + "\n"


def _platform(name: str, placements: Sequence[Placement]) -> Iterator[str]:
    yield f"## {name}"
    yield _table(
        ("placement", "id", "kind"),
        ((one.title, f"`{one.id}`", _kind(one)) for one in placements),
    )
    if any(one.slots for one in placements):
        yield _table(_TEXTS, chain.from_iterable(map(_texts, placements)))
    if any(one.images for one in placements):
        yield _table(_PICTURES, chain.from_iterable(map(_pictures, placements)))


def _kind(one: Placement) -> str:
    size = f", HTML of {one.html_max_kb} KiB at most" if one.html_max_kb else ""
    return ("paid" if one.paid else "organic") + size


def _texts(one: Placement) -> Iterator[Sequence[str]]:
    """A row for each slot of a placement, and one for its hashtags."""
    for slot in one.slots:
        yield (
            f"`{one.id}`", f"`{slot.name}`", _count(slot), _number(slot.hard), _number(slot.soft), slot.rule,
            _known(slot.source, slot.confidence, slot.note),
        )  # fmt: skip
    if tags := one.hashtags:
        known = _known(tags.source, tags.confidence, tags.note)
        yield f"`{one.id}`", f"hashtags, with `{tags.slot}`", f"0–{tags.max}", "", "", "", known


def _pictures(one: Placement) -> Iterator[Sequence[str]]:
    """A row for each picture of a placement, and one for the shapes that it takes."""
    for image in one.images:
        name = f"`{image.name}`" + (", a logo" if image.role == "logo" else "")
        slack = f", shape ± {image.ratio_tolerance_pct:g} %" if image.ratio_tolerance_pct else ""
        least = f"{image.min_width}×{image.min_height or 'any'}" if image.min_width else ""
        yield (
            f"`{one.id}`", name, f"{image.width}×{image.height}{slack}", least, " ".join(image.formats),
            f"{image.max_kb:,} KiB" if image.max_kb else "", _covered(image),
            _known(image.source, image.confidence, image.note),
        )  # fmt: skip
    if ratio := one.ratio:
        shapes, known = f"{ratio.min:g}:1 to {ratio.max:g}:1", _known(ratio.source, ratio.confidence, ratio.note)
        yield f"`{one.id}`", "every picture", shapes, "", "", "", "", known


def _covered(image: ImageSize) -> str:
    """Which part of each edge the platform may cover."""
    zone = image.safe_zone
    edges = {"top": zone.top, "bottom": zone.bottom, "left": zone.left, "right": zone.right} if zone else {}
    return ", ".join(f"{edge} {share:g} %" for edge, share in edges.items() if share)


def _family(module: str, rules: Iterable[Rule]) -> Iterator[str]:
    yield f"## {module.rpartition('.')[2].replace('_', ' ').capitalize()}"
    yield (sys.modules[module].__doc__ or "").split("\n", 1)[0]
    yield _table(_RULES, map(_rule, rules))


def _rule(rule: Rule) -> Sequence[str]:
    blocks = f", block on {_listed(rule.blocks_on)}" if rule.blocks_on else ""
    source = "our own" if rule.source == HOUSE else _link("source", rule.source)
    where = _listed(rule.platforms), _listed(rule.languages)
    return f"`{rule.id}`", rule.about, rule.severity + blocks, *where, source


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "all"


def _known(source: Source, confidence: str, note: str) -> str:
    """Where a limit is known from, how well, and what there is to say about it."""
    said = _link(confidence, source.url) if source.url else confidence
    return "; ".join(filter(None, (said, note or source.note)))


def _link(name: str, url: str) -> str:
    """A link; what follows the address stands behind it."""
    address, _, more = url.partition(" ")
    return f"[{name}]({address}) {more}".strip()


def _count(slot: Slot) -> str:
    return f"{slot.min}–{slot.max}" if slot.min < slot.max else str(slot.min)


def _number(limit: int | None) -> str:
    return f"{limit:,}" if limit else ""


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; a bar inside a cell must not end it."""
    lines = (head, ["---"] * len(head), *rows)
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)


def main(arguments: list[str]) -> int:
    """Write, or check, the pages in the folders named."""
    check, folders = "--check" in arguments, [Path(name) for name in arguments if name != "--check"]
    drifted = [
        folder / name
        for folder in folders
        for name, page in PAGES.items()
        if not (folder / name).exists() or (folder / name).read_text(encoding="utf-8") != page()
    ]
    for path in drifted:
        if check:
            sys.stderr.write(f"{path} shows older tables; run: python -m tools.reference {path.parent}\n")
        else:
            path.write_text(PAGES[path.name](), encoding="utf-8")
    return 1 if check and drifted else 0


PAGES: Mapping[str, Callable[[], str]] = {"placements.md": placements_page, "policy.md": policy_page}
_TEXTS = ("placement", "slot", "texts", "at most", "shown", "counted by", "known from")
_PICTURES = ("placement", "picture", "pixels", "at least", "formats", "bytes", "may be covered", "known from")
_RULES = ("rule", "asks", "severity", "platforms", "languages", "source")
_PLACEMENTS_INTRO = """# Placements

Where a campaign can appear, and what each place takes; `fanfare placements` and `GET /v1/placements` show \
the same. This page is written from `tools/placements.toml` by `python -m tools.reference docs`: change the \
table, not the page.

*At most* is the length that a platform refuses beyond, *shown* the length that it shows before it cuts; an empty \
cell is no limit. `chars` counts code points, `utf8_bytes` bytes, `display_width` a wide letter twice, and \
`x_weighted_v3` as X does: an address 23, an emoji 2, others 1 or 2. *Known from* says how well: official, mirror \
(an official page read elsewhere), outdated, partner, vendor, press, third-party or assumed."""
_POLICY_INTRO = """# Policy rules

What {count} rules ask of every text, without a model: before one judges, at every edit by a person, in \
`POST /v1/lint` and in `fanfare lint`. This page is written from `tools/policy/` by \
`python -m tools.reference docs`: change the rules, not the page.

A finding of severity *block* keeps a text out until it is mended, *warn* asks for another look, and *info* is a \
remark. Where a rule is about a limit, its finding names the [limit's own source](placements.md)."""

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
