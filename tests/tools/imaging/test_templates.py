"""The layouts as data."""

import pytest

from tools.imaging.templates import (
    TEMPLATES,
    BrokenTemplates,
    UnknownTemplate,
    read_templates,
    template,
    templates_for,
)
from tools.placements import PLACEMENTS

SIZES = sorted({(size.width, size.height) for place in PLACEMENTS.values() for size in place.creatives})


@pytest.mark.parametrize("size", SIZES)
def test_every_size_may_stand_on_the_photo_or_beside_it(size: tuple[int, int]) -> None:
    grounds = {one.ground for one in templates_for(*size)}
    assert grounds == {"photo", "panel"}
    assert "photo" not in {one.ground for one in templates_for(*size, off_photo=True)}


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (5000, 1), (5000, 1000), (299, 200), (300, 200), (900, 200)])
def test_the_oddest_canvas_has_a_template(size: tuple[int, int]) -> None:
    assert templates_for(*size)
    assert templates_for(*size, off_photo=True)


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_headline_outranks_its_subline(name: str) -> None:
    one = template(name)
    assert one.headline[1] > one.subline[1] * 1.2
    assert one.lines <= 4 or one.aspect[1] <= 0.4, "only a tower has more than four lines"
    assert all(parts for parts in one.drop)


def test_a_wrong_name_meets_the_nearest() -> None:
    with pytest.raises(UnknownTemplate, match="panel_side"):
        template("panel-side")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[x]\naspect = 1", "aspect"),
        ("[x", "cannot be read"),
        ("x = 1", "cannot be read"),
    ],
)
def test_a_broken_table_says_where(text: str, said: str) -> None:
    with pytest.raises(BrokenTemplates, match=said):
        read_templates(text)
