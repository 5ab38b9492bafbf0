"""A focus as people type it: left, top, right and bottom in percent of the photo."""

import re
from collections.abc import Mapping

from service.problems import invalid

_NUMBER = re.compile(r"\d{1,3}(?:\.\d{1,6})?")
_EDGES = ("left", "top", "right", "bottom")


def percents(box: Mapping[str, float] | None) -> str:
    """A box in shares as four numbers of percent, to a tenth; empty for none."""
    return " ".join(f"{round(100 * box[edge], 1):g}" for edge in _EDGES) if box else ""


def read_percents(typed: str) -> dict[str, float] | None:
    """The inverse; raises a 422 problem for anything but four numbers."""
    if not typed.strip():
        return None
    words = re.split(r"[\s,;%]+", typed.strip(" %"))
    if len(words) != len(_EDGES) or not all(map(_NUMBER.fullmatch, words)):
        detail = f"“{typed[:40]}” is no focus; type left, top, right and bottom in percent, as in 20 10 80 95."
        raise invalid(detail, [{"loc": ["focus"], "msg": detail}])
    return {edge: round(float(word) / 100, 6) for edge, word in zip(_EDGES, words, strict=True)}
