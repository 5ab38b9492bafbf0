"""`python -m evals.gallery`: every size in ten scripts on six kinds of photo, on pages to look at, and a table.

A page shows a kind of photo; a row a size, once for each script, or once where the platform sets the words itself.
"""

import io
import math
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from PIL import Image
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from evals.subjects import KINDS, emblem
from tools.imaging.brand import Brand
from tools.imaging.checks import READABLE
from tools.imaging.compose import KEEP
from tools.imaging.focus import Focus, dominant_colours, find_focus
from tools.imaging.render import Creative, CreativeSpec, SafeZone, render
from tools.imaging.source import SourcePicture, decode
from tools.imaging.typeset import Direction, Setting, set_text
from tools.imaging.vips import thrifty_jpeg
from tools.placements import PLACEMENTS, ImageSize, Placement, placement

Check = Literal[
    "size", "bytes", "contrast", "safe_zone", "text_fit", "glyphs", "product_clear", "product_kept", "sharpness"
]
CHECKS: tuple[Check, ...] = (
    "size", "bytes", "contrast", "safe_zone", "text_fit", "glyphs", "product_clear", "product_kept", "sharpness",
)  # fmt: skip

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)


@dataclass(frozen=True)
class Script:
    """The words of one script."""

    name: str
    language: str
    direction: Direction
    headline: str
    subline: str
    button: str


@dataclass(frozen=True)
class Size:
    """A picture that at least one placement asks for; it keeps the smallest of their byte budgets."""

    titles: tuple[str, ...]
    image: ImageSize
    lettered: bool
    button: bool

    @property
    def title(self) -> str:
        """The first placement that asks for it."""
        return self.titles[0]


@dataclass(frozen=True, eq=False)
class Kind:
    """A photo with what was measured of it, and the look of its house."""

    name: str
    source: SourcePicture
    focus: Focus
    colours: tuple[str, ...]
    brand: Brand | None
    logo: SourcePicture | None


@dataclass(frozen=True, eq=False)
class Shown:
    """A finished creative, reduced to a thumbnail."""

    size: Size
    script: Script
    made: Creative
    thumbnail: Image.Image


@app.command()
def main(
    pages: Annotated[Path, typer.Option("--out", help="Pages are called after it: gallery-<kind>.jpg.")] = Path(
        "docs/images/gallery.jpg"
    ),
    placements: Annotated[list[str] | None, typer.Option(help="Only this placement; may be repeated.")] = None,
    scripts: Annotated[list[str] | None, typer.Option(help="Only this script; may be repeated.")] = None,
    kinds: Annotated[list[str] | None, typer.Option(help="Only this kind of photo; may be repeated.")] = None,
    full: Annotated[Path | None, typer.Option(help="A folder for every creative at its full size.")] = None,
) -> None:
    """Render the matrix, write its pages, and print which checks failed where; exit code 1 if any did."""
    chosen = [one for one in read_scripts() if not scripts or one.name in scripts]
    sizes = wanted(tuple(map(placement, placements)) if placements else tuple(PLACEMENTS.values()))
    failed, shown = 0, Table(title="Creatives that pass each check", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("kind", "made", *CHECKS, "remarks"):
        shown.add_column(heading.replace("_", " "), justify="left" if heading == "kind" else "right")
    for name in kinds or KINDS:
        began, kind = time.perf_counter(), subject(name)
        rendered = list(gallery(kind, sizes, chosen, full))
        path = pages.with_name(f"{pages.stem}-{name}{pages.suffix}")
        path.write_bytes(page(rendered))
        err.print(f"{name}: {len(rendered)} creatives, {time.perf_counter() - began:.0f} s, {path}")
        shown.add_row(*row(name, rendered))
        for line in complaints(name, rendered):
            out.print(line)
        failed += sum(not passes(each.made, check) for each in rendered for check in CHECKS)
    out.print(shown)
    raise typer.Exit(1 if failed else 0)


def read_scripts() -> list[Script]:
    """The words in every script."""
    told = tomllib.loads(files("evals").joinpath("gallery.toml").read_text("utf-8"))
    return [Script(name=name, **words) for name, words in told.items()]


def wanted(placements: Sequence[Placement]) -> list[Size]:
    """Every picture that differs in pixels, safe zone or words, the widest first."""
    found: dict[tuple[Any, ...], list[tuple[str, ImageSize]]] = {}
    for each in placements:
        for image in each.creatives:
            button = each.picture_text and each.paid
            key = (image.width, image.height, image.safe_zone, each.picture_text, button)
            found.setdefault(key, []).append((f"{each.id} {image.name}", image))
    sizes = [_size(asked, lettered=key[3], button=key[4]) for key, asked in found.items()]
    return sorted(sizes, key=lambda size: -size.image.width / size.image.height)


def _size(asked: Sequence[tuple[str, ImageSize]], *, lettered: bool, button: bool) -> Size:
    tightest = min((image for _, image in asked), key=lambda image: image.max_bytes or math.inf)
    return Size(tuple(title for title, _ in asked), tightest, lettered, button)


def subject(name: str) -> Kind:
    """One kind of photo, measured; some houses have a logo and colours."""
    source = decode(KINDS[name]())
    logo = decode(emblem()) if name in ("white", "cut-out", "busy", "portrait") else None
    return Kind(name, source, find_focus(source), dominant_colours(source), _BRANDS.get(name), logo)


def gallery(
    kind: Kind, sizes: Sequence[Size], scripts: Sequence[Script], full: Path | None = None
) -> Iterator[Shown]:
    """Render a kind of photo in every size and script."""
    jobs = [(size, script) for size in sizes for script in (scripts if size.lettered else scripts[:1])]

    def shown_of(job: tuple[Size, Script]) -> Shown:
        return _shown(kind, job[0], job[1], full)

    with ThreadPoolExecutor(2) as pool:
        for at, shown in enumerate(pool.map(shown_of, jobs), start=1):
            if at % 50 == 0:
                err.print(f"[dim]{kind.name} {at}/{len(jobs)}[/dim]")
            yield shown


def passes(made: Creative, check: Check) -> bool:
    """Whether a check is green, or has nothing to measure."""
    value = made.checks[check]
    if value is None or isinstance(value, bool):
        return value is not False
    return value >= {"contrast": READABLE, "product_kept": KEEP}.get(check, 0.0)


def row(name: str, rendered: Sequence[Shown]) -> list[str]:
    """A line of the table: how many creatives pass each check."""
    passed = [sum(passes(each.made, check) for each in rendered) for check in CHECKS]
    cells = [str(n) if n == len(rendered) else f"[red]{n}[/red]" for n in passed]
    return [name, str(len(rendered)), *cells, str(sum(bool(each.made.remarks) for each in rendered))]


def complaints(name: str, rendered: Sequence[Shown]) -> list[str]:
    """Each remark once, with the creatives that it is about."""
    about: dict[str, list[str]] = {}
    for each in rendered:
        for remark in each.made.remarks:
            about.setdefault(remark, []).append(f"{each.size.title} {each.script.name}")
    return [f"{name}: {remark} [dim]({len(at)}: {', '.join(at[:4])})[/dim]" for remark, at in about.items()]


def page(rendered: Sequence[Shown]) -> bytes:
    """Lay thumbnails in rows, each size under its name, as JPEG within the byte budget of a page."""
    strips = [strip for size in dict.fromkeys(each.size for each in rendered) for strip in _row(size, rendered)]
    sheet = Image.new("RGB", (_WIDTH, sum(strip.height for strip in strips) + _GAP), _PAPER)
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    return _encoded(sheet)


def _encoded(sheet: Image.Image) -> bytes:
    """At the best quality of a few that a page's byte budget leaves; thumbnails bear more than creatives do."""
    tried = (thrifty_jpeg(sheet, quality) for quality in range(80, 4, -5))
    found = next((data for data in tried if len(data) <= _PAGE_BYTES), None)
    if found is None:
        raise ValueError(f"No quality brings the page under {_PAGE_BYTES:,} bytes; show fewer pictures on it.")
    return found


def _shown(kind: Kind, size: Size, script: Script, full: Path | None) -> Shown:
    image, told = size.image, size.lettered
    made = render(
        kind.source,
        CreativeSpec(
            width=image.width,
            height=image.height,
            focus=kind.focus,
            max_bytes=image.max_bytes,
            safe_zone=_zone(image),
            headline=script.headline if told else None,
            subline=script.subline if told else None,
            call_to_action=script.button if size.button else None,
            language=script.language,
            direction=script.direction,
            names=("Nova",),
            colours=kind.colours,
            brand=kind.brand,
            logo=kind.logo,
        ),
    )
    if full:
        full.mkdir(parents=True, exist_ok=True)
        (full / f"{kind.name}-{size.title.replace(' ', '-')}-{script.name}.jpg").write_bytes(made.data)
    thumbnail = Image.open(io.BytesIO(made.data)).convert("RGB")
    thumbnail.thumbnail(_thumbnail(image), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return Shown(size, script, made, thumbnail)


def _zone(image: ImageSize) -> SafeZone:
    zone = image.safe_zone
    return SafeZone(zone.top, zone.bottom, zone.left, zone.right) if zone else SafeZone()


def _thumbnail(image: ImageSize) -> tuple[int, int]:
    """Five strips, or ten of anything else, side by side."""
    columns = 5 if image.width >= image.height * _LONG else 10
    return (_WIDTH - _GAP) // columns - _GAP, _TALLEST


def _row(size: Size, rendered: Sequence[Shown]) -> Iterator[Image.Image]:
    image = size.image
    yield _caption(f"{image.width} × {image.height} · {', '.join(size.titles)}")
    mine = [each.thumbnail for each in rendered if each.size is size]
    columns = max(1, (_WIDTH - _GAP) // (_thumbnail(image)[0] + _GAP))
    for at in range(0, len(mine), columns):
        some = mine[at : at + columns]
        strip = Image.new("RGB", (_WIDTH, max(one.height for one in some) + _GAP), _PAPER)
        for column, one in enumerate(some):
            strip.paste(one, (_GAP + column * (_thumbnail(image)[0] + _GAP), 0))
        yield strip


def _caption(text: str) -> Image.Image:
    block = set_text(text, Setting(), size=13)
    strip = Image.new("RGB", (_WIDTH, 30), _PAPER)
    strip.paste(_INK, (_GAP, 8), block.mask)
    return strip


_WIDTH, _GAP, _TALLEST = 1120, 7, 180
_LONG = 3.0
_PAGE_BYTES = 640_000
_PAPER, _INK = (238, 237, 233), (70, 70, 78)
_BRANDS = {
    "cut-out": Brand(primary="#d6542c", ink="#2b1a12", ground="#f6e9dc"),
    "portrait": Brand(primary="#1f4e79", secondary="#e2a33d", ink="#10283f", ground="#f4efe6"),
}

if __name__ == "__main__":
    app()
