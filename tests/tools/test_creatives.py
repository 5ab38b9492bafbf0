"""Two campaigns at once, one photo decoded once, and equal sizes rendered once."""

import asyncio
import io
import random
import threading
from collections.abc import Iterator, Sequence

import pytest
from PIL import Image, ImageDraw

from evals.subjects import emblem
from tools import creatives
from tools.creatives import Drawn, Lines, Photo, drawn, opened
from tools.house import PLAIN, House, furnished
from tools.imaging.pool import pool
from tools.imaging.render import Creative, CreativeSpec, render
from tools.imaging.seal import Seal
from tools.imaging.shelf import Shelf
from tools.imaging.source import SourcePicture, UnusablePicture, decode
from tools.languages import language
from tools.placements import PLACEMENTS, Placement

TEXTS = {"en": "Silence, wherever you are", "ar": "هدوء يرافقك أينما كنت"}
ROUNDS = 20


def photo_of(seed: int) -> bytes:
    dice, image = random.Random(seed), Image.new("RGB", (900, 700), (180, 190, 200))  # noqa: S311
    pen = ImageDraw.Draw(image)
    for _ in range(60):
        x, y, reach = dice.randrange(900), dice.randrange(700), dice.randrange(5, 70)
        colour = (dice.randrange(256), dice.randrange(256), dice.randrange(256))
        pen.ellipse((x - reach, y - reach, x + reach, y + reach), fill=colour)
    written = io.BytesIO()
    image.save(written, "JPEG", quality=90)
    return written.getvalue()


ONE, OTHER = photo_of(1), photo_of(2)


@pytest.fixture(autouse=True)
def empty_shelf() -> Iterator[None]:
    creatives.PHOTOS.clear()
    yield
    creatives.PHOTOS.clear()


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the real decodes, and how many ran at once."""
    running, most = [0], list[int]()

    def counted(data: bytes, *, need: tuple[int, int] | None = None) -> SourcePicture:
        running[0] += 1
        most.append(running[0])
        try:
            return decode(data, need=need)
        finally:
            running[0] -= 1

    monkeypatch.setattr(creatives, "decode", counted)
    return most


def placements() -> list[Placement]:
    return [PLACEMENTS[name] for name in ("x_website_ad", "google_display_upload")]


def texts(code: str, measured: dict[str, object]) -> dict[str, object]:
    return {
        "language": language(code), "lines": Lines(TEXTS[code], "Listen"), "measured": measured,
    }  # fmt: skip


def pixels(made: Sequence[Drawn]) -> list[bytes]:
    return [one.data for one in made]


async def test_two_campaigns_at_once_are_as_each_alone() -> None:
    """Twenty times: another photo beside it, the same one in two languages, and in another house's look."""
    house = await furnished({"primary": "#d6542c", "ink": "#2b1a12", "ground": "#f6e9dc"}, logo=emblem())
    jobs = [(ONE, "en", PLAIN), (OTHER, "en", PLAIN), (ONE, "ar", PLAIN), (ONE, "en", house)]
    few = [PLACEMENTS["x_website_ad"]]

    async def campaign(data: bytes, code: str, look: House) -> list[bytes]:
        photo = await opened(data)
        told = texts(code, await asyncio.to_thread(photo.measure))
        told["lines"] = Lines(TEXTS[code], "Listen", "Worth a quiet moment")
        return pixels(await drawn(photo, few, house=look, **told))  # type: ignore[arg-type]

    alone = [await campaign(*job) for job in jobs]
    assert alone[3] != alone[0], "the house shows"
    for _ in range(ROUNDS):
        creatives.PHOTOS.clear()
        assert await asyncio.gather(*(campaign(*job) for job in jobs)) == alone


async def test_every_size_of_every_placement_is_drawn_in_their_order() -> None:
    photo = Photo.open(ONE)
    made = await drawn(photo, placements(), **texts("en", photo.measure()))  # type: ignore[arg-type]
    assert [(one.placement, one.size) for one in made] == [
        (placement.id, size.name) for placement in placements() for size in placement.creatives
    ]


async def test_a_photo_is_decoded_once_for_all_who_want_it(decoded: list[int]) -> None:
    photos = await asyncio.gather(*(opened(ONE) for _ in range(6)))
    photos += await asyncio.gather(*(asyncio.to_thread(Photo.open, ONE) for _ in range(6)))
    assert decoded == [1]
    assert len({id(photo) for photo in photos}) == 1
    await opened(OTHER)
    assert decoded == [1, 1]


def test_no_more_photos_are_kept_than_there_is_room_for(
    decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf[Photo](900 * 700 * 4 + 1, weigh=lambda photo: photo.weight)
    monkeypatch.setattr(creatives, "PHOTOS", shelf)
    for data in (ONE, ONE, OTHER, ONE):
        Photo.open(data)
        assert 0 < shelf.weight <= shelf.room
    assert len(decoded) == 3


def test_an_unusable_photo_is_refused_each_time(decoded: list[int]) -> None:
    for _ in range(2):
        with pytest.raises(UnusablePicture):
            Photo.open(b"\xff\xd8\xff nothing")
    assert len(decoded) == 2


async def test_sizes_that_come_out_alike_are_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered: list[CreativeSpec] = []

    def counted(source: SourcePicture, spec: CreativeSpec, seal: Seal) -> Creative:
        rendered.append(spec)
        return render(source, spec, seal)

    monkeypatch.setattr(creatives, "render", counted)
    photo = Photo.open(ONE)
    same = [PLACEMENTS["google_pmax"], PLACEMENTS["google_demand_gen"]]
    made = await drawn(photo, same, **texts("en", photo.measure()))  # type: ignore[arg-type]
    assert len(made) == 6
    assert len(rendered) == 3
    assert pixels(made[:3]) == pixels(made[3:])


async def test_a_cancelled_campaign_draws_no_further_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go, rendered = threading.Event(), threading.Event(), list[CreativeSpec]()

    def held(source: SourcePicture, spec: CreativeSpec, seal: Seal) -> Creative:
        rendered.append(spec)
        begun.set()
        go.wait(10)
        return render(source, spec, seal)

    monkeypatch.setattr(creatives, "render", held)
    photo = await opened(ONE)
    campaign = asyncio.create_task(drawn(photo, placements(), **texts("en", photo.measure())))  # type: ignore[arg-type]
    await asyncio.to_thread(begun.wait, 10)
    campaign.cancel()
    with pytest.raises(asyncio.CancelledError):
        await campaign
    go.set()
    await pool().gather([lambda: None] * 64)
    assert len(rendered) <= pool().threads


def test_a_photo_is_read_no_larger_than_its_placements_need() -> None:
    written = io.BytesIO()
    Image.new("RGB", (3600, 2700), (90, 120, 150)).save(written, "JPEG")
    small = Photo.open(written.getvalue(), [PLACEMENTS["x_website_ad"]])
    assert small.source.image.size == (1800, 1350)
    assert Photo.open(written.getvalue()).source.image.size == (3600, 2700)
