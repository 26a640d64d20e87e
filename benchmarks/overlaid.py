"""What is written on, stuck on and laid beside pictures, and the noise of old tapes: made at random, for `decisions.py`.

Sizes, places, inks and words come from a generator that the caller seeds; pictures are ``(h, w, 3)`` uint8 R′G′B′.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Picture = NDArray[np.uint8]
Random = np.random.Generator
Maker = Callable[[Picture, Random], Picture]

WORDS = ["where were you", "last night", "the train leaves", "at dawn", "and nobody", "came back", "from that house"]
INKS = [(255, 255, 0), (255, 230, 40), (80, 255, 255), (120, 255, 120), (255, 160, 60), (255, 90, 255)]
DATES = [(255, 140, 30), (255, 110, 20), (255, 170, 60)]
PRINTED = [(200, 20, 30), (20, 60, 200), (20, 150, 60), (240, 200, 40), (255, 130, 0), (150, 20, 150)]
PATCHES = [(180, 40, 40), (40, 140, 60), (40, 60, 170), (220, 200, 40), (200, 60, 150), (40, 170, 180), (128, 128, 128)]
PAPERS = [(95, 72, 50), (150, 115, 75), (40, 70, 50), (60, 80, 110), (110, 30, 40), (30, 25, 20), (215, 195, 155)]


def _one(random: Random, choices: list[Any]) -> Any:
    return choices[int(random.integers(len(choices)))]


def _write(picture: Picture, text: str, ink: Any, place: tuple[float, float], size: float, **options: Any) -> Picture:
    image = Image.fromarray(picture)
    ImageDraw.Draw(image).text(place, text, fill=ink, font=ImageFont.load_default(size), anchor="mm", **options)
    return np.asarray(image)


def subtitle(picture: Picture, random: Random) -> Picture:
    """One line or two, in colour, with and without an outline."""
    height, width = picture.shape[:2]
    size, ink, outline = height * random.uniform(0.045, 0.085), _one(random, INKS), int(random.integers(0, 2))
    for line in range(int(random.integers(1, 3))):
        text = " ".join(random.choice(WORDS, int(random.integers(1, 4))))
        place = width / 2, height * 0.92 - line * size * 1.3
        picture = _write(picture, text, ink, place, size, stroke_width=outline, stroke_fill=(0, 0, 0))
    return picture


def logo(picture: Picture, random: Random) -> Picture:
    """A station's, in a corner: two colours, a disc with a number, or three blocks; some half transparent."""
    image = Image.fromarray(picture)
    draw, (height, width) = ImageDraw.Draw(image), picture.shape[:2]
    side = height * random.uniform(0.07, 0.16)
    x, y = _one(random, [0.04 * width, 0.96 * width - 1.4 * side]), _one(random, [0.05 * height, 0.93 * height - side])
    kind, color = int(random.integers(3)), _one(random, PRINTED)
    if kind == 0:
        draw.rectangle((x, y, x + 1.3 * side, y + side), fill=color)
        draw.rectangle((x + 0.35 * side, y + 0.3 * side, x + 0.9 * side, y + 0.7 * side), fill=_one(random, PRINTED))
    elif kind == 1:
        draw.ellipse((x, y, x + side, y + side), fill=color)
        font = ImageFont.load_default(0.7 * side)
        draw.text((x + side / 2, y + side / 2), str(random.integers(1, 9)), fill="white", font=font, anchor="mm")
    else:
        for block in range(3):
            left = x + 0.45 * block * side
            draw.rectangle((left, y, left + 0.4 * side, y + 0.6 * side), fill=PRINTED[(0, 2, 1)[block]])
    share = _one(random, [1.0, 1.0, 0.7])
    return cv2.addWeighted(np.asarray(image), share, picture, 1.0 - share, 0).astype(np.uint8)


def clock(picture: Picture, random: Random) -> Picture:
    """A time code above or below, or the date that cameras print in orange, with its glow."""
    height, width = picture.shape[:2]
    size, (a, b, c) = height * random.uniform(0.045, 0.09), random.integers(1, 13, 3)
    if random.random() < 0.5:
        ink = _one(random, [(90, 255, 90), (255, 255, 0), (255, 60, 60)])
        return _write(picture, f"{a:02}:{b:02}:{c:02}", ink, (width * random.uniform(0.3, 0.7), height * 0.07), size)
    text = f"'{a + 80} {b:2} {c:2}"
    out = _write(picture, text, _one(random, DATES), (width * 0.8, height * 0.93), size)
    glow = cv2.GaussianBlur(out, (0, 0), height / 250)
    return cv2.addWeighted(out, 0.6, glow, 0.4, 0).astype(np.uint8)


def sticker(picture: Picture, random: Random) -> Picture:
    """A round or square label with a number, a little shaded and grainy."""
    image, (height, width) = Image.fromarray(picture), picture.shape[:2]
    side = min(height, width) * random.uniform(0.08, 0.22)
    x, y = random.uniform(0, width - side), random.uniform(0, height - side)
    draw = ImageDraw.Draw(image)
    shape = draw.ellipse if random.random() < 0.5 else draw.rectangle
    shape((x, y, x + side, y + side * random.uniform(0.6, 1)), fill=_one(random, PRINTED))
    font = ImageFont.load_default(0.35 * side)
    draw.text((x + side / 2, y + 0.4 * side), str(random.integers(1, 400)), fill=(20, 20, 20), font=font, anchor="mm")
    out = np.asarray(image).astype(np.float32)
    shade = 1.0 + random.uniform(-0.08, 0.08) * np.linspace(-1, 1, width)[None, :, None]
    changed = (out != picture).any(axis=2, keepdims=True)
    return np.clip(np.where(changed, out * shade + random.normal(0, 2, out.shape), out), 0, 255).astype(np.uint8)


def target(picture: Picture, random: Random) -> Picture:
    """A strip of coloured patches beside a print on a grey ground."""
    height, width = picture.shape[:2]
    margin, strip = (int(min(height, width) * share) for share in (random.uniform(0.05, 0.1), random.uniform(0.1, 0.2)))
    ground = int(_one(random, [12, 60, 128, 200, 235, 250]))
    page = np.full((height + 2 * margin, width + 3 * margin + strip, 3), ground, np.uint8)
    page[margin : margin + height, margin : margin + width] = picture
    count = int(random.integers(4, 8))
    side = min(int(0.9 * height / count), strip)
    gap, left = int(_one(random, [0, side // 8])), width + 2 * margin
    for number in range(count):
        top = margin + number * side
        page[top : top + side - gap, left : left + strip] = PATCHES[number]
    return page


def paper(height: int, width: int, random: Random) -> Picture:
    """An album's page: grain, and a lamp from one side."""
    grain = cv2.GaussianBlur(random.normal(0, 1, (height, width)).astype(np.float32), (0, 0), random.uniform(0.5, 2))
    lamp = 1.0 + random.uniform(-0.15, 0.15) * np.linspace(-1, 1, width)[None, :, None]
    page = np.array(_one(random, PAPERS)) * lamp + (grain / grain.std() * random.uniform(1, 4))[..., None]
    return np.clip(page, 0, 255).astype(np.uint8)


def mat(picture: Picture, random: Random) -> Picture:
    """A coloured passe-partout, or a page with one photograph; some with a white margin."""
    height, width = picture.shape[:2]
    side, white = int(min(height, width) * random.uniform(0.08, 0.25)), int(_one(random, [0, 4]))
    page = paper(height + 2 * side, width + 2 * side, random)
    page[side - white : side + height + white, side - white : side + width + white] = 240
    page[side : side + height, side : side + width] = picture
    return page


def stamp(picture: Picture, random: Random) -> Picture:
    """An archive's, in red, violet or blue, half transparent."""
    height, width = picture.shape[:2]
    image = Image.new("L", (width, height), 0)
    draw, side = ImageDraw.Draw(image), min(height, width) * random.uniform(0.15, 0.3)
    x, y = random.uniform(0, width - 1.2 * side), random.uniform(0, height - side)
    font, line = ImageFont.load_default(0.2 * side), max(2, int(0.05 * side))
    if random.random() < 0.5:
        draw.ellipse((x, y, x + side, y + side), outline=255, width=line)
        draw.text((x + side / 2, y + side / 2), "PRESS", fill=255, font=font, anchor="mm")
    else:
        draw.rectangle((x, y, x + 1.2 * side, y + 0.4 * side), outline=255, width=line)
        draw.text((x + 0.6 * side, y + 0.2 * side), "ARCHIVE", fill=255, font=font, anchor="mm")
    share = (np.asarray(image) / 255.0 * random.uniform(0.6, 0.9))[..., None]
    ink = np.array(_one(random, [(170, 30, 60), (60, 40, 140), (30, 60, 150), (180, 30, 30)]))
    return np.clip(picture * (1 - share) + share * ink * (0.5 + picture / 510.0), 0, 255).astype(np.uint8)


def handwriting(picture: Picture, random: Random) -> Picture:
    """A line or two of loops in red or blue."""
    out, (height, width) = picture.copy(), picture.shape[:2]
    ink = _one(random, [(190, 30, 40), (200, 40, 30), (40, 50, 160)])
    for _ in range(int(random.integers(1, 3))):
        turn, along = np.linspace(0, random.uniform(30, 60), 80), np.linspace(0, random.uniform(0.2, 0.4) * width, 80)
        high = min(height, width) * random.uniform(0.015, 0.035)
        x = random.uniform(0.05, 0.5) * width + along + 0.6 * high * np.cos(turn)
        y = random.uniform(0.1, 0.9) * height + high * np.sin(turn)
        line = max(1, int(min(height, width) * random.uniform(0.005, 0.01)))
        cv2.polylines(out, [np.stack((x, y), 1).astype(np.int32)], False, ink, line, cv2.LINE_AA)
    return out


def tape(picture: Picture, random: Random) -> Picture:
    """Chroma noise as VHS has it: long and low specks, and each line a little off."""
    height, width = picture.shape[:2]
    noise = cv2.GaussianBlur(random.normal(0, 1, (height, width, 2)), (0, 0), sigmaX=width / 130, sigmaY=0.6)
    return _with_chroma(picture, random.uniform(3, 6) * (noise / noise.std() + random.normal(0, 0.5, (height, 1, 2))))


def rainbow(picture: Picture, random: Random) -> Picture:
    """What a composite decoder takes of fine luma for colour."""
    height, width = picture.shape[:2]
    luma = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(np.float32)
    phase = np.pi / 2 * np.arange(width)[None, :] + np.pi * np.arange(height)[:, None]
    fine = (luma - cv2.GaussianBlur(luma, (0, 0), 1.2)) * 2.0 * random.uniform(1, 2)
    waves = np.stack((fine * np.cos(phase), fine * np.sin(phase)), axis=2).astype(np.float32)
    return _with_chroma(picture, cv2.GaussianBlur(waves, (0, 0), sigmaX=3, sigmaY=0.5))


def _with_chroma(picture: Picture, more: NDArray[Any]) -> Picture:
    codes = cv2.cvtColor(picture, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    codes[..., 1:] += more
    return cv2.cvtColor(np.clip(codes, 0, 255).astype(np.uint8), cv2.COLOR_YCrCb2RGB).astype(np.uint8)


def faint(picture: Picture, random: Random) -> Picture:
    """With half of its colour, as a faded slide."""
    grey = picture.mean(axis=2, keepdims=True)
    return np.clip(grey + random.uniform(0.4, 0.6) * (picture - grey), 0, 255).astype(np.uint8)


def letterboxed(picture: Picture, random: Random) -> Picture:
    """With black bars, as a wide film."""
    bar = int(picture.shape[0] * random.uniform(0.15, 0.4))
    return np.pad(picture, ((bar, bar), (0, 0), (0, 0)), constant_values=16)


def on_wall(picture: Picture, random: Random) -> Picture:
    """Somewhere on a large grey ground."""
    (height, width), grow = picture.shape[:2], random.uniform(1.5, 2.2)
    shape = int(height * grow), int(width * grow)
    wall = np.clip(random.uniform(90, 210) + random.normal(0, 3, (*shape, 1)), 0, 255).repeat(3, axis=2)
    y, x = (int(random.integers(0, size - own)) for size, own in zip(shape, (height, width), strict=True))
    wall[y : y + height, x : x + width] = picture
    return wall.astype(np.uint8)


OVER_GREY: dict[str, Maker] = {
    "subtitles": subtitle,
    "logos": logo,
    "clocks and dates": clock,
    "stickers": sticker,
    "colour targets": target,
    "album pages and mats": mat,
    "stamps": stamp,
    "handwriting": handwriting,
    "tape noise": tape,
    "rainbow": rainbow,
}
IN_COLOR: dict[str, Maker] = {
    "with subtitles": subtitle,
    "with logos": logo,
    "on album pages and mats": mat,
    "faint": faint,
    "letterboxed": letterboxed,
    "on grey walls": on_wall,
    "with tape noise": tape,
}
