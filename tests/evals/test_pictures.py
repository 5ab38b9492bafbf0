"""The benchmark of pictures: its sizes, its aims, and that both ways make what they are compared for."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from evals.benchmarks.painting import CREATIVES, HEADLINES, SIZES, TASKS, measured
from evals.benchmarks.pictures import Aim, aims, compare, drawn_photo, measure
from evals.benchmarks.pictures import Task as Measurement
from tests.running import ROOT
from tools.placements import PLACEMENTS


@pytest.fixture(scope="module")
def photo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn_photo(tmp_path_factory.mktemp("photo") / "photo.jpg", 1)


def test_it_measures_what_it_says() -> None:
    assert len(SIZES) == 12
    assert round(sum(width * height for width, height in SIZES) / 1e6, 1) == 9.8
    assert sum(len(PLACEMENTS[name].creatives) for name in CREATIVES) * len(HEADLINES) == 84


def test_the_photo_is_a_camera_s(photo: Path) -> None:
    with Image.open(photo) as picture:
        assert picture.format == "JPEG"
        assert picture.width * picture.height == pytest.approx(1e6, rel=0.02)
    assert 1 < photo.stat().st_size * 8 / 1e6 < 5, "bits a pixel"


@pytest.mark.parametrize("name", ["variants_ours", "variants_encoded", "byte_fit", "headline_fit", "provenance"])
def test_a_task_tells_time_and_memory(photo: Path, name: str) -> None:
    told = measured(name, photo)
    assert float(told["wall_ms"]) > 0
    assert float(told["cpu_ms"]) > 0
    assert float(told["peak_mb"]) >= 0


def test_every_aim_is_about_a_figure_of_a_task() -> None:
    for aim in aims(12, 24):
        assert {aim.task.split(" ", maxsplit=1)[0], (aim.than or aim.task).split(" ", maxsplit=1)[0]} <= set(TASKS)


def test_a_ratio_is_the_median_of_the_rounds() -> None:
    found = {"a": [{"x": 1.0}, {"x": 9.0}, {"x": 3.0}], "b": [{"x": 10.0}, {"x": 10.0}, {"x": 10.0}]}
    low = compare(found, Aim("a", "x", 0.3, "b"))
    assert (low.value, low.verdict) == (0.3, "met")
    high = compare(found, Aim("a", "x", 4, at_least=True))
    assert (high.value, high.verdict) == (3.0, "missed")


def test_a_measurement_is_a_process_of_its_own(photo: Path) -> None:
    found = measure([Measurement("variants_floor", 1)], {1: photo}, rounds=2, languages=1)
    assert [each["cpu_ms"] > 0 for each in found["variants_floor 1 MP"]] == [True, True]


def test_the_fallback_is_measured_without_the_fast_library(photo: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "evals.benchmarks.painting", "variants_fallback", str(photo), "{}"],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    assert json.loads(done.stdout.splitlines()[-1])["resizer"] == "by_vips"
