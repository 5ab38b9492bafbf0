"""Draws the product photos of the examples with Pillow alone: a small ray marcher whose numbers are images.

    python examples/make_photos.py [width]

Every variable called a field holds one float per pixel of a tile; ImageMath does the arithmetic in C. A full
picture takes some minutes, a preview of 600 pixels a few seconds.
"""

import math
import random
import sys
from array import array
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageMath

Field = Any  # an ImageMath operand, or a float
Vector = tuple[Field, Field, Field]
Colour = tuple[float, float, float]
Parts = dict[str, Field]  # the signed distance to every material of a scene

HERE = Path(__file__).parent
TILE = 240
CONTACT = 1e-4  # a ray this close has arrived
SMOOTHING = 1.5  # rays a pixel, along each axis


def least(a: Field, b: Field) -> Field:
    """Take the smaller of two fields, or of a field and a number."""
    return a.apply("min", a, b)


def most(a: Field, b: Field) -> Field:
    """Take the larger of two fields, or of a field and a number."""
    return a.apply("max", a, b)


def clamp(a: Field) -> Field:
    """Hold a field between 0 and 1."""
    return least(most(a, 0.0), 1.0)


def ramp(a: Field, low: float, high: float) -> Field:
    """0 below low, 1 above high, an S curve between."""
    t = clamp((a - low) * (1.0 / (high - low)))
    return t * t * (3.0 - t * 2.0)


def root(a: Field) -> Field:
    """Take the square root, 0 where the field is negative."""
    return most(a, 0.0) ** 0.5


def dot(a: Vector, b: Vector) -> Field:
    """Multiply two vectors to a scalar."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def along(origin: Vector, direction: Vector, distance: Field) -> Vector:
    """Find the point that lies so far along a ray."""
    x, y, z = (o + d * distance for o, d in zip(origin, direction, strict=True))
    return x, y, z


def unit(v: Vector) -> Vector:
    """Scale a vector to length 1."""
    scale = 1.0 / (root(dot(v, v)) + 1e-9)
    return v[0] * scale, v[1] * scale, v[2] * scale


def blend(a: Vector, b: Vector, share: Field) -> Vector:
    """From a to b by a share of 0 to 1."""
    x, y, z = (p + (q - p) * share for p, q in zip(a, b, strict=True))
    return x, y, z


def turn(p: Vector, axis: int, degrees: float) -> Vector:
    """Turn a point about one axis (0 x, 1 y, 2 z)."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    i, j = ((1, 2), (0, 2), (0, 1))[axis]
    q = list(p)
    q[i], q[j] = p[i] * c + p[j] * s, p[j] * c - p[i] * s
    return q[0], q[1], q[2]


def rounded(a: Field, b: Field, radius: float) -> Field:
    """Where two distances meet, an intersection with a rounded edge."""
    u, v = most(a + radius, 0.0), most(b + radius, 0.0)
    return least(most(a, b), -radius) + root(u * u + v * v)


def welded(a: Field, b: Field, radius: float) -> Field:
    """Two distances as one body with a soft seam."""
    h = most(radius - abs(a - b), 0.0) * (1.0 / radius)
    return least(a, b) - h * h * (radius * 0.25)


@dataclass(frozen=True)
class Finish:
    """How a material answers light: its own colour, and how strongly and sharply it mirrors the studio."""

    colour: Colour
    mirror: float
    gloss: float
    metal: bool = False


@dataclass(frozen=True)
class Scene:
    """A product, its materials, and the room it stands in."""

    name: str
    aspect: float
    zoom: float
    centre: tuple[float, float]
    floor: float
    parts: Callable[[Vector], Parts]
    finishes: dict[str, Finish]
    paint: Callable[[str, Vector, Vector], Vector]
    room: Callable[[Field, Field], Vector]
    sun: Colour
    softness: float
    shade: Colour
    exposure: float
    eye: float
    view: Callable[[Vector], Vector]


def headphones(p: Vector) -> Parts:
    """Measure over-ear headphones that stand on their cushions; both halves at once, by mirroring x."""
    x, y, z = abs(p[0]), p[1], p[2]
    arch = most(y, 0.0)
    span = root((x * (1 / 0.80)) ** 2 + (arch * (1 / 0.93)) ** 2) - 1.0
    drop = most(0.0 - y, 0.0)
    band = rounded(abs(span * 0.84 - 0.012) - 0.036, abs(z) - (0.115 - drop * 0.16), 0.034)
    band = rounded(band, -0.10 - y, 0.02)
    pad = rounded(abs(span * 0.84 + 0.066) - 0.046, abs(z) - 0.098, 0.045)
    pad = rounded(pad, 0.30 - y, 0.04)
    slider = rounded(root((x - 0.812) ** 2 * 2.4 + z * z) - 0.042, abs(y + 0.17) - 0.16, 0.02)
    cx, cy, cz = turn((x - 0.80, y + 0.56, z), 2, -5)
    bowl = root(cy * cy * 0.78 + cz * cz) * 1.06
    shell = rounded(bowl - 0.325 + most(cx - 0.02, 0.0) ** 2 * 2.2, abs(cx - 0.045) - 0.115, 0.075)
    trim = root((bowl - 0.262) ** 2 + (cx - 0.150) ** 2) - 0.0135
    dish = rounded(bowl - 0.25, abs(cx - 0.145) - 0.018, 0.016)
    seam = root((bowl - 0.322) ** 2 + (cx + 0.068) ** 2) - 0.012
    hush = rounded(bowl - 0.335, abs(cx + 0.150) - 0.078, 0.072)
    hush = rounded(hush, 0.15 - bowl, 0.06)
    mesh = rounded(bowl - 0.20, abs(cx + 0.11) - 0.03, 0.01)
    yoke = root((root(cy * cy * 0.78 + cz * cz) - 0.362) ** 2 + (cx - 0.03) ** 2 * 0.55) - 0.021
    yoke = rounded(yoke, -0.02 - cy, 0.012)
    pivot = rounded(root((cy + 0.0) ** 2 + (cx - 0.03) ** 2) - 0.05, abs(abs(cz) - 0.352) - 0.028, 0.015)
    metal = least(least(welded(yoke, slider, 0.05), pivot), least(trim, seam))
    return {"shell": least(shell, band), "soft": least(hush, pad), "metal": metal, "dish": dish, "mesh": mesh}


def cup(p: Vector) -> Parts:
    """Measure a tapered travel cup with a lid and a sleeve."""
    x, y, z = p
    reach = root(x * x + z * z)
    cone = (reach - (y + 0.9) * 0.098 - 0.40) * 0.995
    body = rounded(cone, abs(y + 0.15) - 0.75, 0.045)
    foot = rounded(reach - 0.385, abs(y + 0.905) - 0.02, 0.012)
    groove = abs(abs(y + 0.13) - 0.26)
    sleeve = rounded(cone - 0.030 + most(0.014 - groove, 0.0) * 0.9, abs(y + 0.13) - 0.315, 0.028)
    rim = rounded(reach - 0.592, abs(y - 0.635) - 0.062, 0.045)
    deck = rounded(reach - 0.548 + (y - 0.78) * 0.22, abs(y - 0.745) - 0.075, 0.038)
    well = rounded(reach - 0.455, abs(y - 0.86) - 0.07, 0.05)
    deck = rounded(deck, 0.0 - well, 0.022)
    sx, sy, sz = x, y - 0.79, z - 0.36
    tab = rounded(most(abs(sx) - 0.115, abs(sz) - 0.10), abs(sy) - 0.052, 0.035)
    return {"body": body, "sleeve": sleeve, "lid": least(least(rim, deck), foot), "tab": tab}


def beans(p: Vector) -> Field:
    """Scatter a few coffee beans on the table."""
    spots = ((-0.92, 0.42, 25, 0.9), (-0.70, 0.72, -50, 1.0), (0.80, 0.66, 70, 0.95), (-1.16, 0.80, 100, 1.0))
    found: Field = None
    for x, z, angle, size in spots:
        bx, by, bz = turn((p[0] - x, p[1] + 0.842, p[2] - z), 1, angle)
        long = root((bx * (1 / 1.45)) ** 2 + (by * (1 / 0.82)) ** 2 + bz * bz)
        bean = (long - 0.092 * size) * 0.8
        slit = root((bz + bx * bx * 0.9 - 0.01) ** 2 + (by - 0.072) ** 2) - 0.016
        bean = rounded(bean, 0.0 - slit, 0.008)
        found = bean if found is None else least(found, bean)
    return found


def breakfast(p: Vector) -> Parts:
    """Set the cup among its beans."""
    return {**cup(turn(p, 1, -16)), "bean": beans(p)}


def plain(_name: str, p: Vector, colour: Vector) -> Vector:
    """Leave a material without a print."""
    del p
    return colour


def smile(name: str, p: Vector, colour: Vector) -> Vector:
    """Print a smiling face on the sleeve."""
    if name != "sleeve":
        return colour
    x, y, z = turn(p, 1, 8)
    radius = root(x * x + (y + 0.06) ** 2)
    mouth = ramp(0.026 - abs(radius - 0.155), -0.004, 0.004) * ramp(-0.118 - y, -0.006, 0.006)
    left, right = root((x + 0.10) ** 2 + (y + 0.035) ** 2), root((x - 0.10) ** 2 + (y + 0.035) ** 2)
    eyes = ramp(0.031 - least(left, right), -0.004, 0.004)
    return blend(colour, (0.99, 0.97, 0.92), most(mouth, eyes) * ramp(z, 0.0, 0.05))


def dusk(u: Field, v: Field) -> Vector:
    """Hang a seamless studio wall from warm blush to lavender, lit behind the product."""
    wall = blend((0.70, 0.68, 0.84), (0.93, 0.83, 0.83), ramp(v + u * 0.25, -0.9, 1.1))
    glow = most(1.0 - (u * u + (v + 0.05) ** 2) * 0.42, 0.0)
    lit = blend(wall, (0.98, 0.94, 0.95), glow * glow * 0.85)
    return blend(lit, (0.80, 0.76, 0.87), ramp(v, 0.45, 1.15) * 0.55)


def morning(u: Field, v: Field) -> Vector:
    """Paint a sunny wall above a table, parted by a soft edge."""
    wall = blend((0.99, 0.72, 0.26), (1.0, 0.83, 0.42), ramp(1.0 - (u * u * 0.5 + (v + 0.2) ** 2), -0.6, 0.9))
    table = blend((1.0, 0.90, 0.72), (1.0, 0.94, 0.82), ramp(u, -1.4, 1.4))
    return blend(wall, table, ramp(v, 0.12, 0.26))


def studio(r: Vector, gloss: float) -> Field:
    """Tell what a mirror sees in direction r: a large soft box, a strip light, the wall and the floor."""
    edge = 0.02 + (1.0 - gloss) * 0.55
    sky = ramp(r[1], -0.35, 1.0) * 0.45 + 0.10
    box = ramp(r[0], -0.80 - edge, -0.80 + edge) * ramp(0.0 - r[0], 0.05 - edge, 0.05 + edge)
    box = box * ramp(r[1], 0.18 - edge, 0.18 + edge) * ramp(0.0 - r[1], -0.88 - edge, -0.88 + edge)
    strip = ramp(r[0], 0.70 - edge, 0.70 + edge) * ramp(0.0 - r[0], -0.93 - edge, -0.93 + edge)
    strip = strip * ramp(r[1], -0.45 - edge, -0.45 + edge) * ramp(0.0 - r[1], -0.75 - edge, -0.75 + edge)
    power = 0.55 + gloss * 0.75
    return sky + box * (1.25 * power) + strip * (0.85 * power)


def nearest(scene: Scene, p: Vector) -> Field:
    """Measure the distance to the closest part of the scene."""
    found: Field = None
    for distance in scene.parts(scene.view(p)).values():
        found = distance if found is None else least(found, distance)
    return found


def march(scene: Scene, origin: Vector, direction: Vector, reach: tuple[float, float], steps: int) -> Field:
    """How far each ray travels until it meets the product; beyond reach[1] where it never does."""
    gone = direction[0] * 0.0 + reach[0]
    for _ in range(steps):
        step = nearest(scene, along(origin, direction, gone))
        gone = least(gone + step * 0.85, reach[1] + 1.0)
        if abs(step).im.getextrema()[1] < CONTACT:
            break
    return gone


def shadow(scene: Scene, p: Vector, steps: int = 26) -> Field:
    """Measure the share of the sun that reaches a point, soft at the edges."""
    open_share = p[0] * 0.0 + 1.0
    gone = p[0] * 0.0 + 0.03
    for _ in range(steps):
        near = nearest(scene, along(p, scene.sun, gone))
        open_share = least(open_share, near * scene.softness / gone)
        gone = gone + least(most(near, 0.03), 0.16)
    return ramp(open_share, -0.05, 1.0)


def crevice(scene: Scene, p: Vector, normal: Vector) -> Field:
    """Dim the ambient light where surfaces are close to each other."""
    closed: Field = p[0] * 0.0
    for height, weight in ((0.025, 3.4), (0.07, 1.7), (0.16, 0.85), (0.32, 0.42)):
        closed = closed + (height - nearest(scene, along(p, normal, height))) * weight
    return clamp(1.0 - closed * 0.95)


def slope(scene: Scene, p: Vector) -> Vector:
    """Find the surface's direction from four nearby distances."""
    total: Vector = (p[0] * 0.0, p[0] * 0.0, p[0] * 0.0)
    for corner in ((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, 1.0, 1.0)):
        total = along(total, corner, nearest(scene, along(p, corner, 0.0012)))
    return unit(total)


def lit(scene: Scene, p: Vector, ray: Vector) -> Vector:
    """Colour the product where a ray meets it."""
    normal, local = slope(scene, p), scene.view(p)
    parts = scene.parts(local)
    facing = clamp(0.0 - dot(ray, normal))
    mirrored = along(ray, normal, facing * 2.0)
    open_share = crevice(scene, p, normal)
    sun = most(dot(normal, scene.sun), 0.0) * (shadow(scene, along(p, normal, 0.02), 18) * 0.8 + 0.2)
    floor_light = most(0.0 - normal[1], 0.0) * 0.28
    light = sun * 0.80 + ramp(normal[1] + normal[2] * 0.35, -1.1, 1.2) * 0.42 + floor_light + 0.08
    light = light * open_share * scene.exposure
    closest = nearest(scene, p)
    colour: Vector = (0.0, 0.0, 0.0)
    for name, distance in parts.items():
        finish = scene.finishes[name]
        own = scene.paint(name, local, finish.colour)
        rim = (1.0 - facing) ** 4.0
        shine = studio(mirrored, finish.gloss) * (rim * (1.0 - finish.mirror) * 0.7 + finish.mirror)
        shine = shine * (open_share * 0.8 + 0.2)
        here = ramp(closest - distance, -0.0025, -0.0005)
        mine = tuple(
            c * (light * (0.35 if finish.metal else 1.0)) + shine * (c if finish.metal else 1.0) for c in own
        )
        colour = along(colour, (mine[0], mine[1], mine[2]), here)
    return colour


def backdrop(scene: Scene, eye: Vector, ray: Vector, u: Field, v: Field) -> Vector:
    """Show the room, with the product's shadow on its floor."""
    down = least(ray[1], -0.02)
    spot = along(eye, ray, (scene.floor - eye[1]) / down)
    on_floor = ramp(0.0 - ray[1], 0.03, 0.09)
    cast = shadow(scene, spot)
    under = clamp(nearest(scene, along(spot, (0.0, 1.0, 0.0), 0.05)) * 2.4)
    dim = clamp(1.0 - (1.0 - cast) * 0.55) * (under * 0.45 + 0.55)
    room = scene.room(u, v)
    shaded = (room[0] * scene.shade[0], room[1] * scene.shade[1], room[2] * scene.shade[2])
    return blend(room, shaded, (1.0 - dim) * on_floor)


def eight_bits(value: Field, noise: Field) -> Image.Image:
    """Turn light to levels: a film-like shoulder, and grain against banding."""
    toned = most(value, 0.0)
    toned = toned - most(toned - 0.90, 0.0) * 0.60
    picture: Image.Image = (clamp(toned) * 255.0 + noise).im
    return picture.convert("L")


def coordinates(box: tuple[int, int, int, int]) -> tuple[Image.Image, Image.Image]:
    """Give the x and the y of every pixel of a box, as float images."""
    left, top, right, bottom = box
    size = (right - left, bottom - top)
    across, down = array("f", range(left, right)), array("f", range(top, bottom))
    x = Image.frombytes("F", (size[0], 1), across.tobytes()).resize(size, Image.Resampling.NEAREST)
    y = Image.frombytes("F", (1, size[1]), down.tobytes()).resize(size, Image.Resampling.NEAREST)
    return x, y


def tile(job: tuple[str, int, int, tuple[int, int, int, int]]) -> tuple[tuple[int, int], Image.Image]:
    """Draw one tile of a scene, RGB, with its place."""
    name, width, height, box = job
    scene = SCENES[name]
    x, y = coordinates(box)
    grain = random.Random(f"{name}{box}").randbytes(x.width * x.height)
    noise = Image.frombytes("L", x.size, grain).convert("F")
    bands: list[Image.Image] = []

    def draw(fields: dict[str, Any]) -> Field:
        u = (fields["x"] - width / 2) * (2 / height)
        v = (fields["y"] - height / 2) * (2 / height)
        eye: Vector = (u * 0.0, u * 0.0 + scene.eye, u * 0.0 + 6.0)
        aim = (
            (u - scene.centre[0]) * scene.zoom,
            (v - scene.centre[1]) * -scene.zoom - (scene.eye + 0.02) / 6,
            u * 0.0 - 1.0,
        )
        ray = unit(aim)
        gone = march(scene, eye, ray, (3.8, 8.5), 90)
        hit = ramp(8.5 - gone, 0.0, 0.01)
        colour = backdrop(scene, eye, ray, u, v)
        if hit.im.getextrema()[1] > 0:
            colour = blend(colour, lit(scene, along(eye, ray, gone), ray), hit)
        speck = (fields["noise"] - 127.5) * (1 / 110)
        bands.extend(eight_bits(band, speck) for band in colour)
        return u

    ImageMath.lambda_eval(draw, x=x, y=y, noise=noise)
    return (box[0], box[1]), Image.merge("RGB", bands)


def photograph(name: str, width: int) -> Image.Image:
    """Draw a scene at a width in pixels."""
    size = (width, round(width / SCENES[name].aspect))
    wide, high = round(size[0] * SMOOTHING), round(size[1] * SMOOTHING)
    places = [
        (x, y, min(x + TILE, wide), min(y + TILE, high))
        for y in range(0, high, TILE)
        for x in range(0, wide, TILE)
    ]
    canvas = Image.new("RGB", (wide, high))
    with ProcessPoolExecutor() as pool:
        for place, part in pool.map(tile, [(name, wide, high, box) for box in places]):
            canvas.paste(part, place)
    return canvas.resize(size, Image.Resampling.LANCZOS)


def unit_floats(x: float, y: float, z: float) -> Colour:
    """Scale a direction to length 1."""
    size = math.sqrt(x * x + y * y + z * z)
    return x / size, y / size, z / size


SCENES = {
    "aurora": Scene(
        name="aurora",
        aspect=1.0,
        zoom=0.252,
        centre=(0.0, -0.03),
        floor=-0.955,
        parts=headphones,
        finishes={
            "shell": Finish((0.060, 0.072, 0.150), 0.42, 0.80),
            "soft": Finish((0.115, 0.108, 0.155), 0.10, 0.15),
            "metal": Finish((0.98, 0.71, 0.54), 0.85, 0.80, metal=True),
            "dish": Finish((0.085, 0.098, 0.20), 0.34, 0.45),
            "mesh": Finish((0.03, 0.03, 0.045), 0.02, 0.0),
        },
        paint=plain,
        room=dusk,
        sun=unit_floats(-0.30, 1.25, 0.42),
        softness=4.0,
        shade=(0.46, 0.42, 0.62),
        exposure=1.25,
        eye=0.55,
        view=lambda p: turn(p, 1, 32),
    ),
    "brisk": Scene(
        name="brisk",
        aspect=4 / 3,
        zoom=0.236,
        centre=(0.08, -0.03),
        floor=-0.925,
        parts=breakfast,
        finishes={
            "body": Finish((0.985, 0.96, 0.90), 0.05, 0.55),
            "sleeve": Finish((0.96, 0.33, 0.25), 0.03, 0.20),
            "lid": Finish((0.06, 0.47, 0.47), 0.06, 0.55),
            "tab": Finish((0.035, 0.33, 0.34), 0.05, 0.5),
            "bean": Finish((0.30, 0.155, 0.075), 0.07, 0.45),
        },
        paint=smile,
        room=morning,
        sun=unit_floats(-0.46, 1.10, 0.62),
        softness=7.0,
        shade=(0.80, 0.56, 0.36),
        exposure=1.32,
        eye=1.65,
        view=lambda p: p,
    ),
}


def main() -> None:
    """Write both photos beside this script."""
    for name, scene in SCENES.items():
        width = int(sys.argv[1]) if len(sys.argv) > 1 else 2400
        photo = photograph(scene.name, width)
        photo.save(HERE / f"{name}.jpg", quality=90, optimize=True, progressive=True)


if __name__ == "__main__":
    main()
