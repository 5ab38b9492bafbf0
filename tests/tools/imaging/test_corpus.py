"""Every odd and hostile file: read rightly or refused with a sentence, in little time and memory."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.tools.imaging.corpus import ACCEPTED, HEAVY, REFUSED
from tools.imaging.fingerprint import NEAR, distance, fingerprint
from tools.imaging.source import decode, glance, inspect

ROOT = Path(__file__).parents[3]
MOST_SECONDS, MOST_MEGABYTES = 2.0, 200


@pytest.mark.parametrize("name", ACCEPTED)
def test_what_is_fit_is_read_rightly(name: str) -> None:
    case = ACCEPTED[name]
    data = case.make()
    source = decode(data)
    assert source.image.mode == "RGB"
    assert source.image.size == case.size
    assert source.info == inspect(data) == glance(data)[0], "who only asks is told the same"
    assert distance(fingerprint(glance(data)[1]), fingerprint(source.image)) <= NEAR // 2, "and sees the same"
    assert (source.info.media_type, source.info.width, source.info.height) == (case.media_type, *case.size)
    for at, wanted in enumerate(case.colours):
        middle: Any = source.image.getpixel(
            (case.size[0] * (1 + 2 * (at % 2)) // 4, case.size[1] * (1 + 2 * (at // 2)) // 4)
        )
        assert max(abs(middle[band] - wanted[band]) for band in range(3)) <= case.levels, (at, middle, wanted)


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_fit_is_refused_with_a_sentence(name: str) -> None:
    case = REFUSED[name]
    data = case.make()
    for read in (decode, inspect, glance):
        with pytest.raises(case.error) as refused:
            read(data)
        said = str(refused.value)
        assert case.says in said
        assert said.endswith(".")
        assert said[0].isupper()
        assert any(word in said for word in ("export", "upload", "use "))


def test_the_transparent_part_is_told_apart() -> None:
    for name in ("png, transparent", "webp, transparent", "avif, transparent", "heic, transparent"):
        alpha = decode(ACCEPTED[name].make()).alpha
        assert alpha is not None
        assert alpha.getpixel((170, 110)) == 0
        assert alpha.getpixel((20, 20)) == 255


def test_an_animation_says_that_it_is_one() -> None:
    frames = {name: decode(ACCEPTED[name].make()).info.frames for name in ACCEPTED}
    assert {name for name, count in frames.items() if count > 1} == {
        "png, animated",
        "webp, animated",
        "avif, animated",
    }


def test_a_name_counts_for_nothing(tmp_path: Path) -> None:
    """A PNG that calls itself a JPEG is a PNG."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(ACCEPTED["png"].make())
    assert decode(path.read_bytes()).info.media_type == "image/png"


def test_heavy_files_take_little_time_and_memory() -> None:
    """Each in a process of its own: CPU seconds, and the peak beyond what the imports took."""
    told = subprocess.run(
        [sys.executable, "-c", _MEASURE], cwd=ROOT, capture_output=True, text=True, timeout=100, check=False
    )
    assert told.returncode == 0, told.stderr
    seen = {one["name"]: one for one in map(json.loads, told.stdout.splitlines())}
    assert set(seen) == set(HEAVY)
    for name, one in seen.items():
        assert one["accepted"] is HEAVY[name].accepted, one
        assert one["seconds"] < MOST_SECONDS, one
        assert one["megabytes"] < MOST_MEGABYTES, one


_MEASURE = """
import json, os, resource, time
from tests.tools.imaging.corpus import HEAVY
from tools.imaging.source import UnusablePicture, decode

def measure(name, data):
    usage = resource.getrusage(resource.RUSAGE_SELF)
    before, began = usage.ru_maxrss, usage.ru_utime + usage.ru_stime
    try:
        accepted, said = True, str(decode(data).image.size)
    except UnusablePicture as error:
        accepted, said = False, str(error)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    unit = 1e6 if os.uname().sysname == "Darwin" else 1e3
    print(json.dumps({"name": name, "accepted": accepted, "said": said,
        "seconds": round(usage.ru_utime + usage.ru_stime - began, 2),
        "megabytes": round((usage.ru_maxrss - before) / unit)}), flush=True)

for name, case in HEAVY.items():
    if (child := os.fork()) == 0:
        data = case.make()
        if (grandchild := os.fork()) == 0:
            measure(name, data)
            os._exit(0)
        os._exit(os.waitpid(grandchild, 0)[1])
    assert os.waitpid(child, 0)[1] == 0, name
"""
