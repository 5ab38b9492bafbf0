"""A focus as people type it."""

import pytest

from service.console.boxes import percents, read_percents
from service.problems import Problem


@pytest.mark.parametrize("typed", ["20 10 80 95.5", " 20, 10, 80, 95.5 ", "20% 10% 80% 95.5%", "20;10;80;95.5"])
def test_four_numbers_are_a_box(typed: str) -> None:
    box = read_percents(typed)
    assert box == {"left": 0.2, "top": 0.1, "right": 0.8, "bottom": 0.955}
    assert percents(box) == "20 10 80 95.5"


@pytest.mark.parametrize("typed", ["left", "1 2 3", "1 2 3 4 5", "-1 2 3 4", "nan 1 2 3", "1e2 1 2 3", "٣ 1 2 3x"])
def test_anything_else_is_refused_with_an_example(typed: str) -> None:
    with pytest.raises(Problem, match="as in 20 10 80 95"):
        read_percents(typed)


def test_nothing_typed_is_no_box() -> None:
    assert read_percents("  ") is None
    assert percents(None) == ""
