"""The contact sheet."""

import io
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from PIL import Image

from tools.imaging.sheet import SheetCard, SheetHeader, SheetSection, contact_pages

LONG = "Forty hours of battery, and a fit that disappears. " * 12


def thumbnail(width: int, height: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 40)).save(file, "JPEG")
    return file.getvalue()


def section(title: str = "English", **more: Any) -> SheetSection:
    pictures = [
        (f"{w} × {h}", thumbnail(w, h)) for w, h in ((1080, 1080), (1080, 1920), (728, 90), (160, 600), (1, 900))
    ]
    card = SheetCard("Instagram", [("Caption", LONG), ("Call to action", "Listen & enjoy")], pictures)
    return SheetSection(
        title, headlines=("Silence, wherever you are", "Hear only what matters"), cards=(card,), **more
    )


def opened(data: bytes) -> Image.Image:
    page = Image.open(io.BytesIO(data))
    page.load()
    return page.convert("RGB")


def alone(pages: Iterable[bytes]) -> Image.Image:
    """The one page that there is."""
    (page,) = pages
    return opened(page)


HEADER = SheetHeader(
    "Aurora", "Wireless headphones · premium", (("Languages", "2"), ("Cost", "$0.04"), ("Time", "18 s"))
)


def test_a_page_holds_every_section() -> None:
    one = alone(contact_pages(HEADER, [section()]))
    two = alone(contact_pages(HEADER, [section(), section("العربية", direction="rtl", language="ar")]))
    assert one.width == two.width == 1600
    assert two.height > one.height + 500


def test_right_to_left_puts_the_pictures_left() -> None:
    ltr = alone(contact_pages(HEADER, [section()]))
    rtl = alone(contact_pages(HEADER, [section(direction="rtl", language="ar")]))
    assert _reds(ltr)[0] > 600
    assert _reds(rtl)[0] < 300


def _reds(page: Image.Image) -> tuple[int, int, int, int]:
    red, green, _ = page.split()
    box = (
        Image.composite(
            red, Image.new("L", page.size), green.point([255 if level < 60 else 0 for level in range(256)])
        )
        .point([255 if level > 150 else 0 for level in range(256)])
        .getbbox()
    )
    assert box is not None
    return box


def test_sections_are_asked_for_one_at_a_time() -> None:
    asked: list[str] = []

    def sections() -> Iterator[SheetSection]:
        for title in ("English", "Deutsch", "日本語"):
            asked.append(title)
            yield SheetSection(title)

    assert alone(contact_pages(HEADER, sections())).height > 600
    assert asked == ["English", "Deutsch", "日本語"]


@pytest.mark.parametrize("text", ["", "\n" * 90, "x\n" * 60, "ก" * 900, "https://example.com/" + "a" * 400])
def test_awkward_texts_stay_on_the_page(text: str) -> None:
    card = SheetCard("Feed", (("Caption", text),), (("300 × 250", thumbnail(300, 250)),))
    page = alone(
        contact_pages(SheetHeader(text or "Untitled"), [SheetSection("English", headlines=(text,), cards=(card,))])
    )
    corner = page.getpixel((10, page.height - 10))
    assert corner == pytest.approx((247, 246, 243), abs=2)
    margin = page.crop((0, 200, 60, page.height)).convert("L")
    assert margin.getbbox() == (0, 0, *margin.size)
    assert sum(margin.histogram()[:230]) == 0


def test_the_same_sheet_twice_is_the_same_file() -> None:
    assert list(contact_pages(HEADER, [section()])) == list(contact_pages(HEADER, [section()]))


def test_many_cards_take_many_pages_and_a_page_is_held_at_a_time() -> None:
    """Each page is written before the sections of the next are asked for."""
    asked: list[int] = []

    def sections() -> Iterator[SheetSection]:
        for number in range(30):
            asked.append(number)
            yield section(f"Section {number}")

    heights: list[int] = []
    for page in contact_pages(HEADER, sections()):
        heights.append(opened(page).height)
        if len(heights) == 1:
            assert max(asked) < 29
    assert len(heights) > 1
    assert max(heights) <= 16_000
    assert heights[0] > 10_000


def test_a_sections_name_stays_with_its_first_card() -> None:
    def sections(number: int) -> list[SheetSection]:
        return [section(f"Section {at}") for at in range(number)]

    whole = sum(opened(page).height for page in contact_pages(HEADER, sections(1)))
    two = [opened(page).height for page in contact_pages(HEADER, sections(2))]
    assert sum(two) > whole
    assert all(height > 400 for height in two)
