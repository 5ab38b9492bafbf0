"""What a model call costs: tokens to US dollars, never less than nothing."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

from pydantic import ConfigDict, TypeAdapter

_MILLION = 1_000_000
_DATED = re.compile(r"-\d{4}-\d{2}-\d{2}$")


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens; known is False when the model is not in the table."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    model: str
    input: Decimal
    cached_input: Decimal
    output: Decimal
    source: str
    as_of: date
    confidence: Literal["official", "third-party", "unverified"]
    cache_write: Decimal | None = None
    note: str = ""
    known: bool = True

    def __post_init__(self) -> None:
        rates = (self.input, self.cached_input, self.output, self.cache_write or Decimal(0))
        if not all(rate.is_finite() and rate >= 0 for rate in rates):
            raise ValueError(f"The price of {self.model} must be finite and not negative.")


def price(model: str, *, default: Price | None = None) -> Price:
    """Find a model's price, a dated name under the undated one; else default, flagged as not known."""
    found = PRICES.get(model) or PRICES.get(_DATED.sub("", model))
    return found or replace(default or DEFAULT_PRICE, model=model, known=False)


def cost_usd(
    model: str,
    *,
    input_tokens: int,
    cached_tokens: int = 0,
    output_tokens: int,
    cache_write_tokens: int = 0,
    default: Price | None = None,
) -> Decimal:
    """Cost of one call, unrounded; cached and written tokens are part of the input and clamped to it."""
    rates = price(model, default=default)
    whole = max(input_tokens, 0)
    cached = min(max(cached_tokens, 0), whole)
    written = min(max(cache_write_tokens, 0), whole - cached)
    write_rate = rates.input if rates.cache_write is None else rates.cache_write
    total = (whole - cached - written) * rates.input + cached * rates.cached_input
    return (total + written * write_rate + max(output_tokens, 0) * rates.output) / _MILLION


def _load() -> tuple[Mapping[str, Price], Price]:
    """Read the table; pydantic's ValidationError names the line that is not as the table should be."""
    raw = tomllib.loads(files("tools").joinpath("pricing.toml").read_text("utf-8"), parse_float=Decimal)
    models = {name: {"model": name, **entry} for name, entry in raw["models"].items()}
    default = TypeAdapter(Price).validate_python({"model": "", **raw["default"], "known": False})
    return MappingProxyType(TypeAdapter(dict[str, Price]).validate_python(models)), default


PRICES, DEFAULT_PRICE = _load()
