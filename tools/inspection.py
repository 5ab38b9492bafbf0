"""What a creative's checks say, in words that a person reads: on the review pages and in the package."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.imaging.checks import READABLE
from tools.imaging.compose import KEEP

JSON = dict[str, Any]


@dataclass(frozen=True)
class Line:
    """One check: what was measured, and whether it is as it should be."""

    name: str
    said: str
    good: bool = True


@dataclass(frozen=True)
class Report:
    """Everything that is known of a creative; `good` where nobody must look for a reason of its own."""

    lines: tuple[Line, ...]
    remarks: tuple[str, ...]

    @property
    def good(self) -> bool:
        """Whether every check passed, and nothing was remarked."""
        return not self.remarks and all(line.good for line in self.lines)

    @property
    def badge(self) -> str:
        """The report in a few words."""
        failed = [line.name.lower() for line in self.lines if not line.good]
        if failed:
            return f"look at {', '.join(failed)}"
        return "checked, with a remark" if self.remarks else "all checks passed"


def report(creative: JSON) -> Report:
    """The report of a creative as the content has it; what an earlier release did not measure is left out."""
    return Report(tuple(_lines(creative["checks"], creative)), tuple(creative.get("remarks", ())))


def _lines(checks: JSON, creative: JSON) -> Iterator[Line]:
    asset: JSON = creative.get("asset", creative)
    size = f"{asset['width']} × {asset['height']}"
    for check, name, right, wrong in (
        ("size", "Size", f"{size}, as asked", f"not the {size} that was asked for"),
        ("bytes", "File", f"{asset['bytes'] / 1024:,.0f} KB, within the limit", "over the limit of its placement"),
        ("safe_zone", "Safe zone", "everything written is inside", "something is written outside"),
        ("text_fit", "Words", "fit their room", "do not fit their room"),
        ("glyphs", "Characters", "all can be drawn", "some cannot be drawn"),
        ("product_clear", "Words and product", "apart", "words stand on the product"),
    ):
        if (passed := checks.get(check)) is not None:
            yield Line(name, right if passed else wrong, bool(passed))
    yield from _measures(checks)


def _measures(checks: JSON) -> Iterator[Line]:
    if (ratio := checks.get("contrast")) is not None:
        yield Line("Contrast", f"{ratio:g}:1 at its weakest, {READABLE:g}:1 is needed", ratio >= READABLE)
    if (kept := checks.get("product_kept")) is not None:
        yield Line("Product", f"{kept:.0%} of it is seen", kept >= KEEP)
    if (sharp := checks.get("sharpness")) is not None:
        yield Line("Sharpness", f"{sharp:.0%} of the detail that this size can show")
