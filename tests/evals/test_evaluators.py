"""Each evaluator, on a sound campaign and on one with a single planted defect."""

import copy
import io
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from PIL import Image

from agents.product import Product
from evals.cases import load_gates
from evals.evaluators import EVALUATORS, Finished, evaluate, length
from graph.state import Order, Picture
from tools import counting

JSON = dict[str, Any]
SHA = "b" * 64
CHECKS = {"contrast": 7.1, "safe_zone": True, "text_fit": True, "bytes": True, "product_kept": 1.0}


def jpeg(width: int, height: int) -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), "#336699").save(written, "JPEG")
    return written.getvalue()


def view(*, body: str, headlines: list[str]) -> JSON:
    return {
        "headlines": headlines,
        "call_to_action": "Look",
        "alt_text": "Aurora on a table.",
        "placements": {
            "x_post": {"body": [body], "hashtags": ["Aurora"]},
            "iab": {"hashtags": []},
        },
    }


def creative(language: str, placement: str, size: str) -> JSON:
    return {
        "language": language,
        "placement": placement,
        "size": size,
        "asset": {"sha256": SHA + size},
        "checks": dict(CHECKS),
    }


@pytest.fixture
def sound() -> Finished:
    """A campaign without fault, in English and German."""
    product = Product(name="Aurora", features=["40 h battery", "Folds flat", "Two cables"])
    picture = Picture(sha256="a" * 64, media_type="image/jpeg", width=9, height=9, bytes=9)
    order = Order(id="1", product=product, tone="bold", languages=["de"], placements=["x_post"], picture=picture)
    german = view(body="Aurora hält 40 h. 2 Kabel.", headlines=["Hallo", "Guten Tag", "Servus"])
    return Finished(
        order=order,
        content={
            "copy": view(body="Aurora lasts 40 h. 2 cables.", headlines=["Hello", "Good day", "Hi"]),
            "verdict": {"decision": "pass", "findings": []},
            "translations": {"de": {**german, "verdict": {"decision": "pass", "findings": []}}},
            "creatives": [
                creative(language, "x_post", size) for language in ("en", "de") for size in ("landscape", "square")
            ],
        },
        cost={"usd": "0.02", "calls": 7},
        pictures={f"{SHA}landscape": jpeg(1200, 628), f"{SHA}square": jpeg(1200, 1200)},
        packed=True,
        never=("free of charge",),
    )


def test_a_sound_campaign_has_every_score(sound: Finished) -> None:
    scores = evaluate(sound)
    assert {name: score.value for name, score in scores.items()} == dict.fromkeys(EVALUATORS, 1.0)


Change = Callable[[JSON], object]


def _body(text: str, language: str | None = None) -> Change:
    def change(content: JSON) -> None:
        said = content["translations"][language] if language else content["copy"]
        said["placements"]["x_post"]["body"] = [text]

    return change


def _check(name: str, value: object) -> Change:
    return lambda content: content["creatives"][0]["checks"].update({name: value})


PLANTED: dict[str, tuple[str, Change]] = {
    "a text over its limit": ("limits", _body("Aurora " * 41)),
    "a text over its limit in a translation": ("limits", _body("Aurora オーロラ" * 30, "de")),
    "a headline too wide": ("limits", lambda c: c["copy"].update(headlines=["オーロラ" * 7, "b", "c"])),
    "a fourth headline": ("limits", lambda c: c["copy"]["headlines"].append("Four")),
    "an invented number": ("claims", _body("Aurora lasts 41 h.")),
    "an invented number in other digits": ("claims", _body("Aurora ٤١", "de")),
    "a repeated headline": ("headlines", lambda c: c["copy"].update(headlines=["Hello", "HELLO!", "Hi"])),
    "a forbidden word": ("promises", _body("Aurora, Free of Charge")),
    "a promise": ("promises", _body("Aurora: garantierte Ergebnisse", "de")),
    "too many hashtags": (
        "hashtags",
        lambda c: c["copy"]["placements"]["x_post"].update(hashtags=["a", "b", "c", "d"]),
    ),
    "a hashtag of two words": (
        "hashtags",
        lambda c: c["copy"]["placements"]["x_post"].update(hashtags=["my tag"]),
    ),
    "a lost name": ("names", _body("Polarlicht hält 40 h.", "de")),
    "a missing picture": ("complete", lambda c: c["creatives"].pop()),
    "an empty text": ("complete", _body(" ", "de")),
    "faint text": ("lettering", _check("contrast", 4.4)),
    "text outside the safe zone": ("lettering", _check("safe_zone", value=False)),
    "text that does not fit": ("lettering", _check("text_fit", value=False)),
    "a product cut off": ("subject", _check("product_kept", 0.5)),
    "a text that waits for a person": ("moderation", lambda c: c["verdict"].update(decision="needs_human")),
    "a warning": (
        "moderation",
        lambda c: c["verdict"].update(findings=[{"severity": "warn", "rule": "all-caps"}]),
    ),
}


@pytest.mark.parametrize("defect", PLANTED)
def test_a_planted_defect_is_caught_by_its_evaluator(sound: Finished, defect: str) -> None:
    evaluator, change = PLANTED[defect]
    content = copy.deepcopy(sound.content)
    change(content)
    score = evaluate(replace(sound, content=content))[evaluator]
    assert score.value < 1
    assert score.comment


@pytest.mark.parametrize(
    "data",
    [jpeg(1200, 628) + b"\0" * 5120 * 1024, jpeg(1200, 627), b"no picture", b"", jpeg(1200, 628)[:400]],
    ids=["over budget", "wrong size", "not an image", "missing", "cut short"],
)
def test_an_unfit_file_is_caught(sound: Finished, data: bytes) -> None:
    score = evaluate(replace(sound, pictures={**sound.pictures, f"{SHA}landscape": data}))["files"]
    assert score.value == 0.5
    assert "x_post landscape" in score.comment


def test_a_campaign_without_a_package_is_not_complete(sound: Finished) -> None:
    assert evaluate(replace(sound, packed=False))["complete"].value < 1


def test_a_campaign_over_its_budget_scores_by_how_far(sound: Finished) -> None:
    assert evaluate(replace(sound, budget_usd=Decimal("0.01")))["cost"].value == 0.5


def test_holding_is_right_only_where_it_is_due(sound: Finished) -> None:
    held = copy.deepcopy(sound.content)
    held["verdict"]["decision"] = "needs_human"
    assert evaluate(replace(sound, content=held, must_be_held=True))["moderation"].value == 1
    assert evaluate(replace(sound, must_be_held=True))["moderation"].value == 0


def test_every_gate_names_an_evaluator() -> None:
    assert set(load_gates()) <= set(EVALUATORS)


@pytest.mark.parametrize("rule", counting.COUNTING_RULES)
@pytest.mark.parametrize(
    "text",
    [
        "plain",
        "Über 40 °C",
        "オーロラ 40 時間",
        "👩‍👩‍👧 and 👍🏽",
        "see https://shop.example/aurora now",
        "https://aurora.com/a/very/long/path/to/a/page and aurora.de",
        "Αθήνα",
        "قهوة",
        "",
    ],
)
def test_two_measurements_agree(rule: counting.CountingRule, text: str) -> None:
    assert length(text, rule) == counting.measure(text, rule)
