"""Bytes under a budget."""

import io
from typing import Any

import pytest
from PIL import Image

from tools.imaging.encode import Format, encode
from tools.imaging.source import SourcePicture


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
@pytest.mark.parametrize("share", [0.95, 0.7, 0.5])
def test_a_budget_is_used_and_never_exceeded(confetti: SourcePicture, kind: Format, share: float) -> None:
    full = len(encode(confetti.image, kind))
    budget = int(full * share)
    data = encode(confetti.image, kind, budget)
    assert budget * 0.85 <= len(data) <= budget


def test_a_png_gives_up_colours_for_a_budget(confetti: SourcePicture) -> None:
    budget = len(encode(confetti.image, "png")) // 3
    assert len(encode(confetti.image, "png", budget)) <= budget


def test_an_impossible_budget_gives_the_smallest_there_is(confetti: SourcePicture) -> None:
    assert 500 < len(encode(confetti.image, "jpeg", 500)) < len(encode(confetti.image, "jpeg")) / 2


def test_few_encodes_find_the_quality(confetti: SourcePicture, monkeypatch: pytest.MonkeyPatch) -> None:
    save, calls = Image.Image.save, 0

    def counted(image: Image.Image, *where: Any, **options: Any) -> None:
        nonlocal calls
        calls += 1
        save(image, *where, **options)

    full = len(encode(confetti.image, "jpeg"))
    monkeypatch.setattr(Image.Image, "save", counted)
    for share in (0.9, 0.6, 0.4, 0.01):
        calls = 0
        encode(confetti.image, "jpeg", int(full * share))
        assert 2 <= calls <= 7


def test_no_metadata_is_written(studio: SourcePicture) -> None:
    picture = Image.open(io.BytesIO(encode(studio.image, "jpeg")))
    assert not picture.getexif()
    assert "icc_profile" not in picture.info
