"""The placement table holds together, and says what is wrong with it when it does not."""

import dataclasses
import json
import math
from fractions import Fraction
from importlib.resources import files

import pytest

from tools.counting import COUNTING_RULES
from tools.placements import (
    DEFAULT_PLACEMENTS,
    PLACEMENTS,
    SOURCES,
    BrokenTable,
    ImageSize,
    Placement,
    Slot,
    UnknownPlacement,
    placement,
    read_table,
)

TABLE = files("tools").joinpath("placements.toml").read_text("utf-8")
ALL = pytest.mark.parametrize("place", PLACEMENTS.values(), ids=PLACEMENTS)
EVERY_SIZE = pytest.mark.parametrize(
    "size",
    [pytest.param(size, id=f"{place.id}-{size.name}") for place in PLACEMENTS.values() for size in place.images],
)


def test_the_promised_placements_and_sizes_are_there() -> None:
    promised = ("instagram_post", "instagram_story", "linkedin_post", "x_post", "meta_feed", "google_rda")
    sizes = {(image.width, image.height) for name in promised for image in placement(name).creatives}
    assert {(1080, 1080), (1080, 1350), (1200, 628), (1080, 1920)} <= sizes
    assert set(DEFAULT_PLACEMENTS) <= set(promised)


@ALL
def test_every_slot_counts_by_a_known_rule_and_wants_what_it_takes(place: Placement) -> None:
    for slot in place.slots:
        assert slot.rule in COUNTING_RULES
        assert slot.min <= slot.wanted <= slot.max
        assert (slot.soft or 1) <= (slot.hard or 10_000)


@ALL
def test_every_limit_names_a_source_that_is_listed(place: Placement) -> None:
    named = [slot.source for slot in place.slots] + [image.source for image in place.images]
    named += [line.source for line in (place.hashtags, place.ratio) if line]
    assert all(SOURCES[source.id] == source for source in named)
    assert place.slots or place.images


@ALL
def test_every_picture_has_a_sane_shape_and_budget(place: Placement) -> None:
    for image in place.images:
        assert 1 / 6 < image.width / image.height < 12
        assert image.max_bytes is None or image.max_bytes > 10_000
        if image.safe_zone:
            assert image.safe_zone.top + image.safe_zone.bottom < 60
        if place.ratio:
            assert place.ratio.min <= image.width / image.height <= place.ratio.max
        assert 0 <= (image.ratio_tolerance_pct or 0) <= 3


@ALL
def test_an_advertisement_takes_no_hashtags(place: Placement) -> None:
    assert not (place.paid and place.max_hashtags)


def test_what_is_not_official_carries_its_label() -> None:
    body, visible = placement("linkedin_post").slots[0], placement("instagram_story").images[0]
    assert (body.confidence, body.source.confidence) == ("assumed", "partner")
    assert visible.confidence == "third-party"
    assert {slot.confidence for slot in placement("tiktok_photo").slots} == {"assumed"}
    assert placement("x_post").slots[0].confidence == "official"


def test_wanted_is_three_where_there_is_room() -> None:
    rsa, post = placement("google_rsa"), placement("x_post")
    assert [slot.wanted for slot in (*rsa.slots, *post.slots)] == [3, 3, 2, 1]


def test_logos_are_not_creatives() -> None:
    rda = placement("google_rda")
    assert [image.name for image in rda.creatives] == ["landscape", "square"]
    assert len(rda.images) == 4


def test_nothing_in_the_table_can_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        placement("x_post").title = "Y post"  # type: ignore[misc] # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(TypeError):
        PLACEMENTS["y_post"] = placement("x_post")  # type: ignore[index] # pyright: ignore[reportIndexIssue]


def test_an_unknown_placement_names_the_nearest() -> None:
    with pytest.raises(UnknownPlacement, match="'instagram_pots'; there is instagram_post"):
        placement("instagram_pots")
    with pytest.raises(UnknownPlacement, match="there is instagram_post, linkedin_post, x_post, meta_feed"):
        placement("")


@ALL
def test_a_placement_is_plain_json(place: Placement) -> None:
    shown = place.as_json()
    assert json.loads(json.dumps(shown)) == shown
    assert shown["id"] == place.id
    assert [slot["wanted"] for slot in shown["slots"]] == [slot.wanted for slot in place.slots]


@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("hard = 280,", 'hard = "280",', r"x_post\.slots\.0\.hard"),
        ("paid = false", "payed = false", r"x_post\.payed"),
        ("min = 3, max = 15", "min = 3, max = 1", "headline takes 3 to 1"),
        ('source = "x_cfg" }', 'source = "gossip" }', "no source is called 'gossip'"),
        (
            'slot = "body", source = "house"',
            'slot = "tail", source = "house"',
            "a slot that it does not have",
        ),
        ('rule = "x_weighted_v3"', 'rule = "guessed"', r"x_post\.slots\.0\.rule"),
        ("width = 800,", "width = 8, min_width = 80,", "smaller than its own minimum"),
        ("hard = 280, soft = 257", "hard = 280, soft = 300", "0 < soft <= hard"),
        ("[sources.x_count]", "[sources.x_count", "cannot be read"),
        ('confidence = "official"', 'confidence = "sure"', "confidence"),
    ],
)
def test_a_mistake_in_the_table_is_named(right: str, wrong: str, said: str) -> None:
    assert right in TABLE
    with pytest.raises(BrokenTable, match=said):
        read_table(TABLE.replace(right, wrong, 1))


def test_a_slot_and_a_size_refuse_nonsense_by_themselves() -> None:
    source = SOURCES["house"]
    with pytest.raises(ValueError, match="no range"):
        Slot(name="body", rule="chars", min=0, max=0, source=source, confidence="assumed")
    with pytest.raises(ValueError, match="no format"):
        ImageSize(name="1x1", width=1, height=1, formats=(), source=source, confidence="assumed")


@EVERY_SIZE
def test_the_shape_of_every_picture_holds_to_the_pixel(size: ImageSize) -> None:
    """The greatest deviation that is allowed is accepted, and one pixel more is not."""
    assert size.accepts(size.width, size.height)
    free = dataclasses.replace(size, min_width=None, min_height=None)
    tolerance = Fraction(str(size.ratio_tolerance_pct or 0)) / 100
    least, most = math.ceil(size.width * (1 - tolerance)), math.floor(size.width * (1 + tolerance))
    assert free.accepts(least, size.height)
    assert free.accepts(most, size.height)
    if size.ratio_tolerance_pct or size.width <= size.height:
        assert not free.accepts(least - 1, size.height)
        assert not free.accepts(most + 1, size.height)
    else:
        assert not free.accepts(size.width, size.height - 1)
        assert not free.accepts(size.width, size.height + 1)


@EVERY_SIZE
def test_a_picture_below_the_least_size_is_not_accepted(size: ImageSize) -> None:
    least = (size.min_width or 1, size.min_height or 1)
    assert size.accepts(size.width * 2, size.height * 2)
    assert not size.accepts(least[0] - 1, least[1] - 1)


def test_half_and_double_of_a_shape_are_the_shape() -> None:
    landscape = next(size for size in PLACEMENTS["google_rda"].creatives if size.name == "landscape")
    assert landscape.accepts(600, 314)
    assert landscape.accepts(2400, 1256)
    assert landscape.accepts(1200, 627)
    assert not landscape.accepts(1200, 600)
    assert not landscape.accepts(599, 314)
