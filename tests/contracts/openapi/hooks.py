"""What Schemathesis cannot guess from the schema: bytes of photos, addresses, and what no schema can say.

It runs in an environment of its own, so it imports nothing of ours.
"""

import os
import unicodedata
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import schemathesis
from hypothesis import strategies as st

PHOTO = Path(os.environ["CONTRACT_PHOTO"]).read_bytes()
KEPT = os.environ["CONTRACT_ASSET"]
SIGNED = dict(parse_qsl(os.environ["CONTRACT_SIGNED"]))
NOWHERE = "https://hooks.invalid/fanfare"
"""An address that no resolver knows, so that nobody is sent anything."""

schemathesis.openapi.format("binary", st.sampled_from([PHOTO, PHOTO, PHOTO, PHOTO[:99], b"GIF89a"]))
schemathesis.openapi.format("uri", st.sampled_from([NOWHERE]))


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:  # noqa: ARG001
    """Let what the schema allows be possible as well; what it forbids goes out as it was made up."""
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    if isinstance(case.body, dict):
        case.body = _in_cents(_printable(case.body))
        if case.operation.label == "POST /v1/campaigns":
            case.body = _possible(case.body)
        if case.operation.label == "POST /v1/webhooks":
            case.body = {**case.body, "url": NOWHERE}
    if case.operation.label.startswith("GET /v1/assets/{sha256}"):
        case.path_parameters["sha256"] = KEPT
    if case.operation.label == "GET /v1/assets/{sha256}/signed":
        case.query.update(SIGNED)


def _possible(body: dict[str, Any]) -> dict[str, Any]:
    """An order for a photo that is there and one placement: it runs, so it had better be small."""
    if isinstance(order := body.get("campaign"), dict):
        return {**body, "campaign": _in_cents(_small(order))}
    return {**_small(body), "image": KEPT}


def _small(order: dict[str, Any]) -> dict[str, Any]:
    little = {"source_language": "en", "languages": [], "placements": ["x_post"], "glossary": {}, "focus": {}}
    heard = {"webhook_url": NOWHERE} if order.get("webhook_url") else {}
    return {**order, **little, **heard, "brand": None}


def _in_cents(order: dict[str, Any]) -> dict[str, Any]:
    """Its budget without the fractions of a cent that a JSON number may have."""
    return {**order, "budget_usd": "0.50"} if order.get("budget_usd") is not None else order


def _printable(value: Any) -> Any:
    """The value with a letter for what is invisible, and for words of nothing but space."""
    if isinstance(value, dict):
        return {_printable(name): _printable(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_printable(each) for each in value]
    if not isinstance(value, str):
        return value
    shown = "".join("x" if unicodedata.category(each) in ("Cc", "Cf", "Cs") else each for each in value)
    return shown if shown.strip() or not shown else "x"
