"""One task of the picture benchmark, in a process of its own: does it, and tells time and memory as JSON."""

import asyncio
import io
import json
import math
import resource
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from PIL import Image, ImageDraw, ImageFont, ImageOps

from tools import creatives
from tools.creatives import Lines, Photo, drawn
from tools.imaging.box import Box
from tools.imaging.certificate import make_test_chain
from tools.imaging.encode import fitted
from tools.imaging.fingerprint import fingerprint
from tools.imaging.lanczos import weights
from tools.imaging.pool import pool
from tools.imaging.provenance import Operation
from tools.imaging.scaling import forget, reducer, scaled, whole
from tools.imaging.seal import Seal
from tools.imaging.signing import Signer
from tools.imaging.source import glance
from tools.imaging.typeset import Setting, fit
from tools.imaging.vips import FONTS
from tools.languages import language
from tools.placements import PLACEMENTS

Figures = dict[str, float | str]
Size = tuple[int, int]
Window = tuple[int, int, int, int]

SIZES: tuple[Size, ...] = (
    (1080, 1080), (1080, 1350), (1080, 1920), (1200, 628), (1200, 1200), (1080, 566),
    (1280, 720), (720, 900), (640, 640), (300, 600), (300, 250), (728, 90),
)  # fmt: skip
"""Twelve formats, 9.8 megapixels in all."""

CREATIVES = (
    "instagram_post", "linkedin_ad", "instagram_story", "pinterest", "youtube", "email", "x_website_ad",
)  # fmt: skip
"""Placements with twelve sizes in all."""

HEADLINES = {
    "en": "Silence, wherever you are",
    "de": "Ruhe, wo immer Sie gerade sind",
    "fr": "Le silence, où que vous soyez",
    "es": "Silencio, estés donde estés",
    "ja": "どこにいても、静けさと一緒に。",
    "ar": "هدوء يرافقك أينما كنت",
    "hi": "आप जहाँ भी हों, शांति साथ रहे",
}
QUALITY = 88
TICK = 0.002


def variants_naive(photo: Path) -> Figures:
    """Open again for every variant, resize by Pillow's Lanczos, save."""
    for size in SIZES:
        _save(_naive(photo, size))
    return {}


def variants_floor(photo: Path) -> Figures:
    """Decode once and encode twelve times, with no resizing at all: less is not possible."""
    picture = Image.open(photo)
    for width, height in SIZES:
        _save(picture.crop((0, 0, width, height)))
    return {}


def variants_ours(photo: Path) -> Figures:
    """Decode once, then crop, resize and save on the pool, with the same JPEG settings as the plain way."""
    source = Photo.open(photo.read_bytes()).source.image
    pool().run(partial(_variant, source, size) for size in SIZES)
    return {"resizer": reducer().__name__}


def variants_encoded(photo: Path) -> Figures:
    """The same by our own encoder, which optimises: a twentieth fewer bytes for more CPU."""
    source = Photo.open(photo.read_bytes()).source.image
    pool().run(partial(_encoded, source, size) for size in SIZES)
    return {"resizer": reducer().__name__}


def creatives_naive(photo: Path, *, languages: int) -> Figures:
    """Open again for every size and language, resize, write the headline on a band, save."""
    font = next(FONTS.glob("NotoSans-*.ttf"))
    for code in list(HEADLINES)[:languages]:
        for size in _sizes():
            picture = _naive(photo, size)
            band = round(size[1] * 0.7)
            picture.paste((20, 20, 30), (0, band, *size), Image.new("L", (size[0], size[1] - band), 150))
            written = ImageFont.truetype(font, max(11, size[1] // 24))
            ImageDraw.Draw(picture).text((size[0] // 20, band + 8), HEADLINES[code], "white", written)
            _save(picture)
    return {}


def creatives_ours(photo: Path, *, languages: int) -> Figures:
    """A campaign's creatives, every language a step of its own, all checks made; with the event loop's lag."""
    return asyncio.run(_campaign(photo.read_bytes(), list(HEADLINES)[:languages]))


def headline_fit(photo: Path) -> Figures:  # noqa: ARG001 - tasks are called alike
    """The time to fit a headline into its box, seven scripts and languages."""
    took: list[float] = []
    for _ in range(5):
        for code, text in HEADLINES.items():
            spoken = language(code)
            began = time.perf_counter()
            fit(text, Setting(code, spoken.direction, "Bold"), width=960, height=320, largest=100, smallest=22)
            took.append((time.perf_counter() - began) * 1000)
    return {"fit_ms": statistics.median(took[len(HEADLINES) :])}


def byte_fit(photo: Path) -> Figures:
    """How many encodes a byte budget takes, over sizes and budgets from roomy to tight."""
    source = Photo.open(photo.read_bytes()).source.image
    pictures = [scaled(source, size, _window(source.size, size)) for size in ((1200, 628), (300, 250), (728, 90))]
    made = [
        fitted(picture, ("jpeg",), round(len(fitted(picture, ("jpeg",)).data) * share))
        for picture in pictures
        for share in (1.1, 0.9, 0.7, 0.5, 0.35)
    ]
    counts = [each.encodes for each in made]
    return {"encodes_mean": statistics.mean(counts), "encodes_max": max(counts)}


def fidelity(photo: Path) -> Figures:
    """The worst likeness to an exact Lanczos filter, in decibels."""
    source = Photo.open(photo.read_bytes()).source.image
    worst = min(_likeness(source, size) for size in ((1080, 1080), (1200, 628), (300, 250), (728, 90)))
    return {"decibels": worst, "resizer": reducer().__name__}


def provenance(photo: Path) -> Figures:
    """What a square creative gains in bytes, and what signing it and the looks of its photo take."""
    data = photo.read_bytes()
    source = Photo.open(data)
    finished = _encoded(source.source.image, (1080, 1080))
    with tempfile.TemporaryDirectory() as folder:
        chain = make_test_chain(Path(folder) / "credentials")
        signer = Signer.open(chain.certificate, chain.key)
    seal = Seal(source.origin)
    record = seal.record([Operation(name) for name in ("crop", "resize", "shade", "text", "convert")])
    told = seal.put(finished, record)
    small = glance(data)[1]
    return {
        "xmp_bytes": len(told) - len(finished),
        "sign_bytes": len(signer.sign(told, record)) - len(told),
        "sign_cpu_ms": _middle(lambda: signer.sign(told, record)),
        "glance_cpu_ms": _middle(lambda: glance(data)),
        "fingerprint_cpu_ms": _middle(lambda: fingerprint(small)),
    }


def _middle(do: Callable[[], object]) -> float:
    """The median of 25 times, in milliseconds of CPU."""
    took: list[float] = []
    for _ in range(25):
        began = time.process_time()
        do()
        took.append((time.process_time() - began) * 1000)
    return statistics.median(took)


async def _campaign(data: bytes, codes: Sequence[str]) -> Figures:
    placements = [PLACEMENTS[name] for name in CREATIVES]
    lags: list[float] = []
    ticking = asyncio.create_task(_tick(lags))
    photo = await creatives.opened(data, placements)
    [measured] = await pool().gather([photo.measure])
    made = await asyncio.gather(
        *(
            drawn(
                photo, placements, language=language(code), lines=Lines(HEADLINES[code], "Listen"),
                measured=measured,
            )
            for code in codes
        )
    )  # fmt: skip
    ticking.cancel()
    return {
        "creatives": sum(map(len, made)),
        "lag_p99_ms": sorted(lags)[int(len(lags) * 0.99)],
        "lag_max_ms": max(lags),
    }


async def _tick(lags: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(TICK)
        lags.append((time.perf_counter() - began - TICK) * 1000)


def _sizes() -> list[Size]:
    return [(size.width, size.height) for name in CREATIVES for size in PLACEMENTS[name].creatives]


def _naive(photo: Path, size: Size) -> Image.Image:
    return ImageOps.fit(Image.open(photo).convert("RGB"), size, Image.Resampling.LANCZOS)


def _save(picture: Image.Image) -> None:
    picture.save(io.BytesIO(), "JPEG", quality=QUALITY)


def _variant(source: Image.Image, size: Size) -> None:
    with tempfile.TemporaryFile() as file:  # a real file, into which Pillow writes without stopping other threads
        scaled(source, size, _window(source.size, size)).save(file, "JPEG", quality=QUALITY)


def _encoded(source: Image.Image, size: Size) -> bytes:
    return fitted(scaled(source, size, _window(source.size, size)), ("jpeg",)).data


def _window(whole: Size, size: Size) -> Box:
    """The largest window of the shape of `size` in the middle of a picture."""
    scale = min(whole[0] / size[0], whole[1] / size[1])
    width, height = size[0] * scale, size[1] * scale
    return Box(0, 0, width, height).moved((whole[0] - width) / 2, (whole[1] - height) / 2)


def _likeness(source: Image.Image, size: Size) -> float:
    window = _window(source.size, size)
    left, top, right, bottom = whole(window, source.size, size)
    across, down = _matrix(source.width, left, right, size[0]), _matrix(source.height, top, bottom, size[1])
    made = [_levels(channel) for channel in scaled(source, size, window).split()]
    error = 0.0
    for band, channel in enumerate(source.split()):
        exact: Any = np.clip(down @ _levels(channel) @ across.T, 0, 255)
        error += cast("float", np.mean((exact - made[band]) ** 2)) / 3
    return 10 * math.log10(255**2 / error)


def _levels(channel: Image.Image) -> Any:
    return (
        np.frombuffer(channel.tobytes(), dtype=np.uint8).reshape(channel.height, channel.width).astype(np.float64)
    )


def _matrix(length: int, low: float, high: float, count: int) -> Any:
    rows = np.zeros((count, length))
    for row, (first, shares) in zip(rows, weights(length, low, high, count), strict=True):
        row[first : first + len(shares)] = shares
    return rows


TASKS: dict[str, Callable[..., Figures]] = {
    "variants_naive": variants_naive,
    "variants_ours": variants_ours,
    "variants_encoded": variants_encoded,
    "variants_fallback": variants_ours,  # where `cykooz-resizer` is not installed
    "variants_floor": variants_floor,
    "creatives_naive": creatives_naive,
    "creatives_ours": creatives_ours,
    "headline_fit": headline_fit,
    "byte_fit": byte_fit,
    "provenance": provenance,
    "fidelity": fidelity,
    "fidelity_fallback": fidelity,  # likewise
}


def measured(name: str, photo: Path, **options: int) -> Figures:
    """Do a task; wall and CPU milliseconds of all threads, and megabytes beyond those of the imports.

    What a process does once stands outside: the imports, and the choice of a resizer.
    """
    if "fallback" in name:
        sys.modules["cykooz_resizer"] = None  # type: ignore[assignment]  # so Python marks what is not there
        forget()
    reducer()
    held, cpu, began = _most_held(), time.process_time(), time.perf_counter()
    found = TASKS[name](photo, **options)
    took = {"wall_ms": (time.perf_counter() - began) * 1000, "cpu_ms": (time.process_time() - cpu) * 1000}
    return {**took, "peak_mb": _most_held() - held, "threads": threading.active_count(), **found}


def _most_held() -> float:
    """The most memory that this process ever held, in megabytes; what its parent held does not count."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6  # macOS: bytes
    line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e6


if __name__ == "__main__":
    task, path, options = sys.argv[1:]
    sys.stdout.write(json.dumps(measured(task, Path(path), **json.loads(options))))
