"""Tokens become dollars, and never a refund."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.pricing import DEFAULT_PRICE, PRICES, cost_usd, price

COUNTS = st.integers(-(10**9), 10**12)


def test_a_call_costs_its_fresh_cached_written_and_output_tokens() -> None:
    million = 1_000_000
    assert cost_usd("gpt-6-luna", input_tokens=million, output_tokens=million) == Decimal("0.60")
    assert cost_usd("gpt-6-luna", input_tokens=million, cached_tokens=million, output_tokens=0) == Decimal("0.01")
    written = cost_usd("gpt-6-luna", input_tokens=million, cache_write_tokens=million, output_tokens=0)
    assert written == Decimal("0.125")


def test_a_model_without_a_rate_for_writing_bills_it_as_input() -> None:
    written = cost_usd("gpt-4.1-mini", input_tokens=1000, cache_write_tokens=1000, output_tokens=0)
    assert written == cost_usd("gpt-4.1-mini", input_tokens=1000, output_tokens=0)


def test_the_rehearsal_costs_nothing_and_is_known() -> None:
    assert cost_usd("rehearsal", input_tokens=10**9, cached_tokens=5, output_tokens=10**9) == 0
    assert price("rehearsal").known


def test_a_dated_name_has_the_price_of_the_undated() -> None:
    assert price("gpt-5.4-mini-2026-03-17") == price("gpt-5.4-mini")


def test_an_unknown_model_is_flagged_and_never_cheap() -> None:
    unknown = price("our-own-model")
    assert (unknown.model, unknown.known) == ("our-own-model", False)
    assert all(DEFAULT_PRICE.output >= listed.output for listed in PRICES.values())
    assert all(DEFAULT_PRICE.input >= listed.input for listed in PRICES.values())


def test_the_price_of_unknown_models_can_be_set() -> None:
    free = replace(DEFAULT_PRICE, input=Decimal(0), cached_input=Decimal(0), output=Decimal(0), cache_write=None)
    assert cost_usd("our-own-model", input_tokens=5, output_tokens=5, default=free) == 0
    assert cost_usd("gpt-6-luna", input_tokens=5, output_tokens=5, default=free) > 0
    assert not price("our-own-model", default=free).known


@given(st.sampled_from([*PRICES, "unknown"]), COUNTS, COUNTS, COUNTS, COUNTS)
def test_no_counts_make_a_negative_cost(model: str, fresh: int, cached: int, written: int, output: int) -> None:
    cost = cost_usd(
        model, input_tokens=fresh, cached_tokens=cached, cache_write_tokens=written, output_tokens=output
    )
    assert cost >= 0


def test_more_cached_tokens_than_input_are_clamped_to_the_input() -> None:
    honest = cost_usd("gpt-6-luna", input_tokens=100, cached_tokens=100, output_tokens=0)
    assert cost_usd("gpt-6-luna", input_tokens=100, cached_tokens=10**6, output_tokens=0) == honest


def test_every_listed_price_says_where_it_is_from() -> None:
    assert all(listed.source or listed.model == "rehearsal" for listed in PRICES.values())
    assert all(listed.cached_input <= listed.input <= listed.output for listed in PRICES.values())


def test_a_price_below_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="not negative"):
        replace(DEFAULT_PRICE, output=Decimal(-1))
