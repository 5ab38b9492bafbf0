"""Which picture becomes the hero, and what is made of it."""

import io
from typing import Any

from PIL import Image

from tools.hero import heroes
from tools.imaging.xmp import packet

PACKET = packet({"xmp:CreatorTool": "A test"})


def made(language: str, width: int, height: int, *, variant: str = "a") -> dict[str, Any]:
    sha = f"{language}-{width}x{height}-{variant}"
    return {
        "language": language, "variant": variant, "width": width, "height": height, "sha256": sha, "alt_text": sha,
        "path": f"{sha}.jpg",
    }  # fmt: skip


def drawn(creatives: list[dict[str, Any]]) -> dict[str, bytes]:
    pictures: dict[str, bytes] = {}
    for one in creatives:
        written = io.BytesIO()
        Image.new("RGB", (one["width"], one["height"]), (90, 120, 150)).save(written, "JPEG")
        pictures[one["sha256"]] = written.getvalue()
    return pictures


def test_the_hero_is_wide_enough_and_of_the_shape_of_a_link() -> None:
    several = [
        made("en", 1080, 566),
        made("en", 1200, 1200),
        made("en", 1200, 628),
        made("en", 1200, 627, variant="b"),
    ]
    several += [made("de", 300, 250), made("de", 728, 90)]
    english, german = heroes(several, drawn(several), {one["path"]: PACKET for one in several})
    assert (english.language, english.alt_text) == ("en", "en-1200x628-a")
    assert [kind for kind, _ in english.sources] == ["image/avif", "image/webp", "image/jpeg"]
    assert english.fallback[0] == "responsive/en/hero-1200w.jpg"
    assert [file.width for _, file in german.files] == [300, 300, 300], "never enlarged"
    assert all(PACKET in file.data for hero in (english, german) for _, file in hero.files)


def test_without_pictures_there_is_no_hero() -> None:
    assert heroes([], {}, {}) == []
