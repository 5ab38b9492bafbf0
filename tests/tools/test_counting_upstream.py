"""Weighted lengths against twitter-text's own conformance cases."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools.counting import measure

TABLE = tomllib.loads(Path(__file__).with_name("twitter_text_v3.toml").read_text(encoding="utf-8"))


def whole(text: str | list[str | tuple[str, int]]) -> str:
    """A case's text; a pair is a piece and how often it is repeated."""
    pieces = [text] if isinstance(text, str) else text
    return "".join(piece if isinstance(piece, str) else piece[0] * piece[1] for piece in pieces)


def label(case: dict[str, Any]) -> str:
    return ascii(whole(case["text"]))[1:33]


@pytest.mark.parametrize("case", TABLE["cases"], ids=label)
def test_x_counts_as_twitter_text_says(case: dict[str, Any]) -> None:
    assert measure(whole(case["text"]), "x_weighted_v3") == case["length"]


def test_the_three_groups_are_here_in_full() -> None:
    shared = 15
    assert len(TABLE["cases"]) + shared + len(TABLE["left_out"]) == 20 + 22 + 2
    assert len({whole(case["text"]) for case in TABLE["cases"]}) == len(TABLE["cases"])


@pytest.mark.parametrize("case", TABLE["left_out"], ids=label)
def test_what_is_left_out_says_why_and_has_its_length_by_v3_elsewhere(case: dict[str, Any]) -> None:
    assert case["reason"]
    (by_v3,) = [one for one in TABLE["cases"] if one["text"] == case["text"]]
    assert by_v3["length"] < case["length"]
