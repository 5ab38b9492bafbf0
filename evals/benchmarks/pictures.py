"""What pictures cost: twelve variants and a campaign's creatives, beside the plain way of making them.

The plain way opens the photo again for every variant, resizes it by Pillow's Lanczos filter and saves it. Every
measurement is a process of its own; both sides take turns, round by round, so that whatever else the machine
does hits both. A ratio compares two of them within a round; its median is shown.
"""

import json
import random
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from PIL import Image, ImageChops, ImageDraw, ImageFilter
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from evals.benchmarks.machine import machine

out = Console(soft_wrap=True)
err = Console(stderr=True, soft_wrap=True)
app = typer.Typer(help=__doc__, pretty_exceptions_enable=False, add_completion=False)

Figures = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A measurement: what is done, with the photo of which size in megapixels."""

    name: str
    megapixels: int

    @property
    def title(self) -> str:
        """How tables and aims call it."""
        return f"{self.name} {self.megapixels} MP"


@dataclass(frozen=True)
class Aim:
    """That a figure of a task is at most (or at least) `limit`, or `limit` times that of another task."""

    task: str
    figure: str
    limit: float
    than: str | None = None
    at_least: bool = False

    def met(self, value: float) -> bool:
        """Whether a value is on the right side of the limit."""
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Result:
    """An aim, and the median over the rounds of what was measured."""

    aim: Aim
    value: float

    @property
    def verdict(self) -> str:
        """Whether the aim was met."""
        return "met" if self.aim.met(self.value) else "missed"

    @property
    def told(self) -> str:
        """The aim in words."""
        of = f" of {self.aim.than}" if self.aim.than else ""
        side = "at least" if self.aim.at_least else "at most"
        return (
            f"{self.aim.task}: {self.aim.figure} {self.value:.3g}{of}; {side} {self.aim.limit:g}: {self.verdict}"
        )


def aims(small: int, large: int) -> list[Aim]:
    """What is aimed at on two cores, with photos of so many megapixels."""
    ours, plain = f"variants_ours {small} MP", f"variants_naive {small} MP"
    campaign = f"creatives_ours {small} MP"
    return [
        Aim(ours, "cpu_ms", 0.12, plain),
        Aim(ours, "wall_ms", 0.09, plain),
        Aim(ours, "cpu_ms", 3.2, f"variants_floor {small} MP"),
        Aim(ours, "peak_mb", 150),
        Aim(f"variants_fallback {small} MP", "cpu_ms", 0.17, plain),
        Aim(f"variants_ours {large} MP", "cpu_ms", 0.06, f"variants_naive {large} MP"),
        Aim(campaign, "wall_ms", 0.15, f"creatives_naive {small} MP"),
        Aim(campaign, "peak_mb", 300),
        Aim(campaign, "lag_p99_ms", 25),
        Aim(f"headline_fit {small} MP", "fit_ms", 15),
        Aim(f"byte_fit {small} MP", "encodes_mean", 2.8),
        Aim(f"byte_fit {small} MP", "encodes_max", 7),
        Aim(f"provenance {small} MP", "xmp_bytes", 1200),
        Aim(f"provenance {small} MP", "sign_bytes", 4096),
        Aim(f"provenance {small} MP", "sign_cpu_ms", 2),
        Aim(f"provenance {small} MP", "glance_cpu_ms", 60),
        Aim(f"provenance {small} MP", "fingerprint_cpu_ms", 10),
        Aim(f"fidelity {small} MP", "decibels", 53, at_least=True),
        Aim(f"fidelity_fallback {small} MP", "decibels", 53, at_least=True),
    ]


@app.command(
    epilog="Examples: python -m evals.benchmarks.pictures --rounds 5 --json figures.json · "
    "python -m evals.benchmarks.pictures --quick"
)
def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each task is measured.")] = 3,
    quick: Annotated[bool, typer.Option("--quick", help="One round, small photos, two languages.")] = False,  # noqa: FBT002
    figures: Annotated[Path | None, typer.Option("--json", help="Also write every figure to this file.")] = None,
) -> None:
    """Measure twelve variants of a 12 and a 24 MP photo, 84 creatives, fitting of text and bytes, and more.

    Wall and CPU time include decoding and encoding, not the imports; peak is memory beyond that of the imports.
    """
    small, large, languages = (3, 6, 2) if quick else (12, 24, 7)
    with tempfile.TemporaryDirectory(prefix="fanfare-benchmark-") as folder:
        photos = {size: drawn_photo(Path(folder) / f"{size}.jpg", size) for size in (small, large)}
        measured = measure(_tasks(small, large), photos, rounds=1 if quick else rounds, languages=languages)
    results = [compare(measured, aim) for aim in aims(small, large)]
    _show(measured, results)
    setup = {"rounds": rounds, "quick": quick, "languages": languages, **machine()}
    out.print(", ".join(f"{name} {value}" for name, value in setup.items()))
    if figures:
        figures.write_text(json.dumps(_as_json(setup, measured, results), indent=1), encoding="utf-8")


def measure(
    tasks: Sequence[Task], photos: Mapping[int, Path], *, rounds: int, languages: int
) -> dict[str, list[Figures]]:
    """Every task once a round, each time in a fresh process, in another order."""
    found: dict[str, list[Figures]] = {task.title: [] for task in tasks}
    for number in range(rounds):
        err.print(f"round {number + 1} of {rounds} …")
        for place in range(len(tasks)):
            task = tasks[(number + place) % len(tasks)]
            options = {"languages": languages} if task.name.startswith("creatives") else {}
            found[task.title].append(_process(task.name, photos[task.megapixels], options))
    return found


def compare(measured: Mapping[str, Sequence[Figures]], aim: Aim) -> Result:
    """The median over the rounds of a figure, or of its ratio to that of another task in the same round."""
    values = [float(each[aim.figure]) for each in measured[aim.task]]
    if aim.than:
        values = [a / float(b[aim.figure]) for a, b in zip(values, measured[aim.than], strict=True)]
    return Result(aim, statistics.median(values))


def drawn_photo(path: Path, megapixels: int) -> Path:
    """A photo as a camera makes it: soft and sharp edges of all sizes on a slope of light, with sensor noise."""
    side = round((megapixels * 1e6 / 12) ** 0.5)
    width, height = 4 * side, 3 * side
    image = Image.merge(
        "RGB", [Image.linear_gradient("L").resize((width, height)).point(_dimmed(k)) for k in (5, 6, 7)]
    )
    dice, pen = random.Random(7), ImageDraw.Draw(image)  # noqa: S311 - the same photo each time
    for _ in range(900):
        reach = min(width / 5, width / 400 * dice.paretovariate(1.2))
        x, y = dice.random() * width, dice.random() * height
        tone = dice.randrange(40, 216)
        colour = (tone, tone + dice.randrange(-30, 30), tone + dice.randrange(-40, 40))
        pen.ellipse((x - reach, y - reach * dice.uniform(0.4, 1), x + reach, y + reach), fill=colour)
    soft = image.filter(ImageFilter.GaussianBlur(1.2))
    noise = Image.effect_noise((width, height), 9).filter(ImageFilter.GaussianBlur(0.6))
    ImageChops.add(soft, Image.merge("RGB", [noise] * 3), offset=-128).save(path, "JPEG", quality=92)
    return path


def _dimmed(share: int) -> list[int]:
    return [60 + level * share // 12 for level in range(256)]


def _tasks(small: int, large: int) -> list[Task]:
    variants = ("variants_naive", "variants_ours", "variants_encoded", "variants_fallback", "variants_floor")
    others = (
        "creatives_naive", "creatives_ours", "headline_fit", "byte_fit", "provenance", "fidelity",
        "fidelity_fallback",
    )  # fmt: skip
    return [
        *(Task(name, small) for name in (*variants, *others)),
        *(Task(name, large) for name in ("variants_naive", "variants_ours")),
    ]


def _process(name: str, photo: Path, options: Mapping[str, int]) -> Figures:
    command = [sys.executable, "-m", "evals.benchmarks.painting", name, str(photo), json.dumps(options)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603 - our own command
    told: Figures = json.loads(done.stdout.splitlines()[-1])
    return told


def _as_json(
    setup: Mapping[str, Any], measured: Mapping[str, Sequence[Figures]], results: Iterable[Result]
) -> dict[str, Any]:
    return {
        "setup": setup,
        "tasks": measured,
        "aims": [{**asdict(each.aim), "value": each.value, "verdict": each.verdict} for each in results],
    }


def _show(measured: Mapping[str, Sequence[Figures]], results: Iterable[Result]) -> None:
    shown = Table(title="Medians of the rounds", title_justify="left", box=SIMPLE_HEAD)
    for heading in ("", "wall ms", "CPU ms", "peak MB"):
        shown.add_column(heading, justify="right" if heading else "left")
    for title, rounds in measured.items():
        if title.startswith(("variants", "creatives")):
            medians = [
                statistics.median(each[figure] for each in rounds) for figure in ("wall_ms", "cpu_ms", "peak_mb")
            ]
            shown.add_row(title, *(f"{median:.0f}" for median in medians))
    out.print(shown)
    for result in results:
        out.print(result.told, highlight=False)


if __name__ == "__main__":
    app()
