"""What is read, and what is refused with a sentence."""

import io
import struct
import zlib
from contextlib import suppress
from typing import Any

import pytest
from PIL import Image, ImageCms, ImageDraw

from tools.imaging.source import (
    BrokenPicture,
    EmptyPicture,
    OversizedPicture,
    UndersizedPicture,
    UnreadablePicture,
    UnusablePicture,
    decode,
    inspect,
)

RED, BLUE = (220, 30, 30), (30, 30, 220)


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def two_halves(size: tuple[int, int] = (192, 96)) -> Image.Image:
    """Red on the left, blue on the right."""
    image = Image.new("RGB", size, RED)
    ImageDraw.Draw(image).rectangle((size[0] // 2, 0, size[0], size[1]), fill=BLUE)
    return image


def noise(size: tuple[int, int] = (400, 300)) -> Image.Image:
    image = Image.new("RGB", size)
    image.putdata([((x * 37) % 251, (x * 91) % 241, (x * 17) % 239) for x in range(size[0] * size[1])])
    return image


def near(colour: Any, wanted: tuple[int, int, int], levels: int = 12) -> bool:
    return all(abs(colour[at] - wanted[at]) <= levels for at in range(3))


def header_only_png(width: int, height: int) -> bytes:
    """A bomb's first bytes: an honest header that announces far too many pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0" * 999))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


@pytest.mark.parametrize(
    ("kind", "media_type"), [("JPEG", "image/jpeg"), ("PNG", "image/png"), ("WEBP", "image/webp")]
)
def test_a_picture_is_described_by_its_content(kind: str, media_type: str) -> None:
    data = encoded(two_halves(), kind)
    info = inspect(data)
    assert (info.media_type, info.width, info.height, info.bytes) == (media_type, 192, 96, len(data))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.97])
def test_a_truncated_picture_is_refused(kind: str, share: float) -> None:
    whole = encoded(noise(), kind)
    cut = whole[: int(len(whole) * share)]
    with pytest.raises(BrokenPicture, match=f"{len(cut):,} bytes"):
        inspect(cut)


def test_a_truncated_webp_tells_how_much_is_missing() -> None:
    whole = encoded(noise(), "WEBP")
    with pytest.raises(BrokenPicture, match=rf"ends too early: 2,000 bytes of {len(whole):,}"):
        decode(whole[:2000])


@pytest.mark.parametrize(
    "data",
    [
        b"Our new headphones, photographed beautifully.",
        b'<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"><rect width="10" height="10"/></svg>',
        encoded(two_halves(), "GIF"),
        encoded(two_halves(), "TIFF"),
        b"%PDF-1.7\n",
        b"\x00" * 64,
    ],
    ids=["text", "svg", "gif", "tiff", "pdf", "zeros"],
)
def test_other_files_are_refused(data: bytes) -> None:
    with pytest.raises(UnreadablePicture, match="not a picture Fanfare can read"):
        inspect(data)


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(EmptyPicture):
        inspect(b"")


@pytest.mark.parametrize("size", [(9000, 9000), (30_000, 30_000)], ids=["over our cap", "over Pillow's"])
def test_a_bomb_is_refused_by_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(OversizedPicture, match="smaller"):
        inspect(header_only_png(*size))


def test_the_caps_are_the_callers_to_set() -> None:
    data = encoded(two_halves(), "PNG")
    with pytest.raises(OversizedPicture, match="limit is 100"):
        inspect(data, max_bytes=100)
    with pytest.raises(OversizedPicture, match="192 × 96"):
        inspect(data, max_pixels=192 * 96 - 1)


def test_damage_in_the_middle_never_escapes_as_another_error() -> None:
    whole = bytearray(encoded(noise((120, 90)), "PNG"))
    for at in range(8, len(whole), 97):
        damaged = bytes(whole[:at]) + bytes([whole[at] ^ 0xFF]) + bytes(whole[at + 1 :])
        with suppress(UnusablePicture):
            decode(damaged)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_rotated_photo_stands_upright(orientation: int) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transpose that a camera's flag stands for
    upright = two_halves()
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    source = decode(encoded(stored, "JPEG", exif=exif, quality=95))
    assert source.image.size == (192, 96) == (source.info.width, source.info.height)
    assert near(source.image.getpixel((24, 48)), RED)
    assert near(source.image.getpixel((168, 48)), BLUE)


def test_cmyk_becomes_rgb() -> None:
    source = decode(encoded(two_halves().convert("CMYK"), "JPEG", quality=95))
    assert source.image.mode == "RGB"
    assert near(source.image.getpixel((24, 48)), RED, 20)


def test_an_embedded_profile_is_applied() -> None:
    """With red and green exchanged in the profile, a red picture is to be shown green."""
    srgb = ImageCms.createProfile("sRGB")  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    profile = ImageCms.ImageCmsProfile(srgb).tobytes()  # pyright: ignore[reportUnknownArgumentType]
    odd = profile.replace(b"rXYZ", b"swap").replace(b"gXYZ", b"rXYZ").replace(b"swap", b"gXYZ")
    odd = odd.replace("sRGB".encode("utf-16-be"), "odd!".encode("utf-16-be"))
    shown = decode(encoded(two_halves(), "PNG", icc_profile=odd)).image.getpixel((24, 48))
    assert near(shown, (30, 220, 30), 30)


def test_a_broken_profile_is_ignored() -> None:
    source = decode(encoded(two_halves(), "PNG", icc_profile=b"not a profile"))
    assert near(source.image.getpixel((24, 48)), RED, 0)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_lies_on_white_and_is_kept(mode: str) -> None:
    cut_out = Image.new("RGBA", (120, 80), (0, 0, 0, 0))
    ImageDraw.Draw(cut_out).rectangle((40, 20, 79, 59), fill=(0, 0, 0, 255))
    source = decode(encoded(cut_out.convert(mode), "PNG"))
    assert source.image.mode == "RGB"
    assert source.image.getpixel((2, 2)) == (255, 255, 255)
    assert source.alpha is not None
    assert source.alpha.getbbox() == (40, 20, 80, 60)


def test_an_opaque_alpha_channel_is_no_alpha() -> None:
    assert decode(encoded(two_halves().convert("RGBA"), "PNG")).alpha is None


def test_sixteen_bits_keep_their_brightness() -> None:
    source = decode(encoded(Image.new("I;16", (64, 64), 32_896), "PNG"))
    assert near(source.image.getpixel((4, 4)), (128, 128, 128), 1)


def test_an_animation_gives_its_first_frame() -> None:
    frames = [Image.new("RGB", (90, 90), RED), Image.new("RGB", (90, 90), BLUE)]
    data = encoded(frames[0], "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    assert near(decode(data).image.getpixel((10, 10)), RED)


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (63, 63)])
def test_a_picture_too_small_to_show_a_product_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(UndersizedPicture, match=rf"{size[0]} × {size[1]:,} pixels.*; use a larger one"):
        decode(encoded(Image.new("RGB", size, RED), "PNG"))
    looked_at = inspect(encoded(Image.new("RGB", size, RED), "PNG"), any_shape=True)
    assert (looked_at.width, looked_at.height) == size


def test_a_ribbon_is_refused() -> None:
    with pytest.raises(UndersizedPicture, match="10 to 1"):
        decode(encoded(Image.new("RGB", (70, 701), RED), "PNG"))
    assert decode(encoded(Image.new("RGB", (70, 700), RED), "PNG")).image.size == (70, 700)


@pytest.mark.parametrize(
    ("need", "scale"),
    [(None, 1), ((1000, 1000), 1), ((500, 500), 2), ((520, 200), 2), ((200, 100), 4), ((9, 9), 8)],
)
def test_a_jpeg_is_read_at_the_scale_that_is_needed(need: tuple[int, int] | None, scale: int) -> None:
    data = encoded(two_halves((1600, 1600)), "JPEG", quality=95)
    source = decode(data, need=need)
    assert source.image.size == (1600 // scale, 1600 // scale)
    assert (source.info.width, source.info.height) == (1600, 1600), "what the file has, whatever was read"
    assert near(source.image.getpixel((20, 20)), RED)


def test_what_is_needed_is_meant_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(noise((1200, 600)), "JPEG", exif=exif)
    assert decode(data, need=(400, 800)).image.size == (600, 1200)
    assert decode(data, need=(200, 800)).image.size == (600, 1200)
    assert decode(data, need=(200, 400)).image.size == (300, 600)


def test_a_description_is_the_same_without_the_pixels() -> None:
    data = encoded(noise((1200, 600)), "JPEG")
    assert inspect(data) == decode(data).info == decode(data, need=(100, 100)).info
