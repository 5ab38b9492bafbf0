"""What checks say, in words."""

from typing import Any

from tools.inspection import report

GREEN: dict[str, Any] = {
    "size": True, "bytes": True, "contrast": 7.12, "safe_zone": True, "text_fit": True, "glyphs": True,
    "product_clear": None, "product_kept": 1.0, "sharpness": 0.98,
}  # fmt: skip
ASSET = {"width": 1080, "height": 1350, "bytes": 102_400}


def creative(*, remarks: list[str] | None = None, **checks: Any) -> dict[str, Any]:
    return {"asset": ASSET, "checks": {**GREEN, **checks}, "remarks": remarks or []}


def test_a_creative_without_fault_is_green_and_says_what_was_measured() -> None:
    told = report(creative())
    assert (told.good, told.badge) == (True, "all checks passed")
    said = {line.name: line.said for line in told.lines}
    assert said["File"] == "100 KB, within the limit"
    assert said["Contrast"] == "7.12:1 at its weakest, 4.5:1 is needed"
    assert said["Product"] == "100% of it is seen"
    assert "Words and product" not in said, "there are no words to measure"


def test_the_badge_names_what_to_look_at() -> None:
    told = report(creative(contrast=3.9, product_kept=0.8, remarks=["Only 80% of the product is seen."]))
    assert (told.good, told.badge) == (False, "look at contrast, product")


def test_a_remark_alone_is_amber() -> None:
    told = report(creative(remarks=["The photo is enlarged 1.7 times; a larger one would be sharper."]))
    assert (told.good, told.badge) == (False, "checked, with a remark")


def test_what_an_earlier_release_measured_is_enough() -> None:
    old = {"asset": ASSET, "checks": {"contrast": 5.0, "safe_zone": True, "text_fit": True, "bytes": False}}
    assert report(old).badge == "look at file"
