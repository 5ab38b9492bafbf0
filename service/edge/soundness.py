"""JSON that every part of the service reads alike, and every store can keep."""

import json
import math
from itertools import chain
from typing import Any, Final, cast

from service.problems import Problem, invalid

_DEEPEST: Final = 64
_UNKEPT: Final = "holds a character that cannot be stored (NUL, or half of a surrogate pair)"


class _Unsound(ValueError):
    """What is wrong, as the end of a sentence."""


def unsound(body: bytes) -> Problem | None:
    """422 for JSON that is nested without end, says a thing twice, or holds what no store keeps; else None.

    What is no JSON at all is left to its reader, who can say what was expected.
    """
    try:
        _check(json.loads(body, object_pairs_hook=_once, parse_constant=_no_number))
    except (json.JSONDecodeError, UnicodeDecodeError):
        return None
    except RecursionError:
        said = f"is nested more than {_DEEPEST} deep"
    except _Unsound as error:
        said = str(error)
    except ValueError:  # Python refuses to read integers of more than some thousand digits
        said = "holds a number with too many digits"
    else:
        return None
    return invalid(f"The body {said}; send it without.", [{"loc": [], "msg": said}])


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    held = dict(pairs)
    if len(held) < len(pairs):
        raise _Unsound("has the same name twice in one object")
    return held


def _no_number(name: str) -> None:
    raise _Unsound(f"holds {name}, which is no number in JSON")


def _check(value: Any) -> None:
    """Look at every value, level by level; a megabyte has half a million of them."""
    level: list[Any] = [value]
    for _ in range(_DEEPEST + 1):
        inner: list[Any] = []
        for each in level:
            if isinstance(each, str):
                if not storable(each):
                    raise _Unsound(_UNKEPT)
            elif isinstance(each, list):
                inner.extend(cast("list[Any]", each))
            elif isinstance(each, dict):
                inner.extend(chain.from_iterable(cast("dict[str, Any]", each).items()))
            elif isinstance(each, float) and not math.isfinite(each):
                raise _Unsound("holds a number that is too large")
        level = inner
    if level:
        raise _Unsound(f"is nested more than {_DEEPEST} deep")


def storable(text: str) -> bool:
    """Whether every store can keep `text`: Postgres keeps no NUL, and nothing can encode a lone surrogate."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in text
