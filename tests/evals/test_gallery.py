"""The gallery renders what it is asked for, and says what a check found."""

from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from evals.gallery import app, read_scripts, wanted
from evals.subjects import KINDS
from tools.imaging.focus import find_focus
from tools.imaging.source import decode
from tools.placements import PLACEMENTS


def test_every_picture_of_every_placement_is_wanted_once() -> None:
    sizes = wanted(tuple(PLACEMENTS.values()))
    pixels = {(size.image.width, size.image.height) for size in sizes}
    assert pixels == {(one.width, one.height) for each in PLACEMENTS.values() for one in each.creatives}


def test_ten_scripts_are_told() -> None:
    scripts = read_scripts()
    assert len(scripts) == 10
    assert {script.direction for script in scripts} == {"ltr", "rtl"}
    assert all("Nova" in script.headline for script in scripts)


@pytest.mark.parametrize(
    ("kind", "method"),
    [
        ("white", "border"),
        ("cut-out", "alpha"),
        ("dark", "border"),
        ("busy", "attention"),
        ("portrait", "border"),
        ("panorama", "attention"),
    ],
)
def test_each_kind_of_photo_is_found_in_its_own_way(kind: str, method: str) -> None:
    assert find_focus(decode(KINDS[kind]())).method == method


def test_a_page_is_written_and_a_table_told(tmp_path: Path) -> None:
    chosen = ["--placements", "iab", "--scripts", "arabic", "--scripts", "latin", "--kinds", "white"]
    told = CliRunner().invoke(app, ["--out", str(tmp_path / "page.jpg"), *chosen])
    assert told.exit_code == 0, told.output
    assert "Creatives that pass each check" in told.output
    with Image.open(tmp_path / "page-white.jpg") as page:
        assert page.width == 1120
