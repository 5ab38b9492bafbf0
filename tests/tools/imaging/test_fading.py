"""Masks that run from opaque to clear."""

from itertools import pairwise

import pytest
from PIL import Image

from tools.imaging.fading import Side, fading

FORWARD: tuple[Side, ...] = ("down", "right")


def along(mask: Image.Image, towards: Side) -> list[int]:
    """The mask from its opaque end to its clear one."""
    line = mask.crop((0, 0, 1, mask.height) if towards in ("up", "down") else (0, 0, mask.width, 1))
    found = list(line.tobytes())
    return found if towards in FORWARD else found[::-1]


@pytest.mark.parametrize("towards", ["up", "down", "left", "right"])
@pytest.mark.parametrize(("turn", "soft"), [(30, 20), (30.4, 0), (-40, 20), (-10, 25.5), (75, 60), (200, 9)])
def test_it_only_ever_gets_clearer(towards: Side, turn: float, soft: float) -> None:
    at = turn if towards in FORWARD else 80 - turn
    found = along(fading((80, 80), towards, turn=at, soft=soft, opacity=200), towards)
    assert found == sorted(found, reverse=True)
    assert all(level == 200 for level in found[: max(0, int(turn))])
    assert all(level == 0 for level in found[max(0, int(turn + soft) + 2) :])


def test_it_turns_softly() -> None:
    found = along(fading((1, 100), "down", turn=20, soft=40), "down")
    assert found[40] == pytest.approx(127, abs=1)
    assert max(before - after for before, after in pairwise(found)) <= 10
