"""What lies on or beside a picture and is none of it: subtitles, logos, clocks, stickers, colour targets, stamps, album paper.

Of a grey or toned picture such parts are the only ones in colour. They are told from coloured things in the picture by how
they are made: writing is thin, or a low line of one ink; what is printed or generated is flat, with hard edges; an album's
page or a mat is one colour along the sides, and straight edges part it from the photographs. What is photographed is
shaded. A part too small for any of that decides nothing either.

That what is left proves something is the main thing: hardly a colour photograph has a fifth of its area, or a rectangle in
it, outside of which it is grey (docs/design-notes/judge.md has the numbers).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Lab = NDArray[np.float32]
Mask = NDArray[np.bool_]

SIDE = 256  # pixels, short side of the picture looked at: a letter of a subtitle is six pixels wide
OFF = 6.0  # CIELAB units from the picture's tone: stains and chroma noise of prints stay below
FIT_ROWS = 64  # rows of pixels, at least, that the tone is fitted to: it has six numbers
SPREAD = 2.0  # CIELAB units from the fitted tone at which a pixel counts a quarter
MOST = 0.2  # share of the picture that overlays may take, their blurred edges included
SMALL = 0.03  # share of the picture that coloured things may take together and still decide nothing

# Lengths are shares of the picture's short side.
EDGE = 1 / 64  # around a coloured part, where its colour bleeds: half as fine as luma, and through compression
THIN = 1 / 64  # from the middle of a stroke to its edge
FLAT = 4.0  # CIELAB units around one colour within which a printed area lies, grain and compression included
MOST_FLAT = 0.04  # share of the picture that one even area may have; what is larger is sky
STEP = 6.0  # CIELAB units between neighbours (the diagonal of their box); an edge between two printed areas is more
SMOOTH_SHARE, FLAT_SHARE = 0.25, 0.75  # of a part's inside that has no steps; of that what is even
LINE = 0.2  # of the picture's height (width): two lines of a subtitle, a date, a clock
ZONE = 0.35  # of height (width) from a side: where writing is put
ONE_INK = 30.0  # degrees of hue, within which nearly all of it lies
CONTRAST = 4.0  # L from pixel to pixel; what is photographed so small is smoother

PAPER_SIDES = 0.75  # of the picture's four sides that are paper
PAPER_SHARE = (0.12, 0.8)  # of the picture
PAPER_AB, PAPER_L = 6.0, 14.0  # CIELAB units around the paper's colour; its grain stays within
LEAST_PHOTO = 0.02  # of the picture: what is smaller on paper is writing, corners, stains
STRAIGHT = 0.88  # of its upright or turned box that a photograph on paper fills


@dataclass(frozen=True)
class Overlays:
    """``mask (h, w)``: coloured parts with their blurred edges; ``what`` they are, for people.

    ``photographed``: they are more than a small part, and look as if they stood in the picture: they decide.
    """

    mask: Mask
    what: str
    photographed: bool = False

    @property
    def share(self) -> float:
        """Of the picture, in [0, 1]."""
        return float(self.mask.mean())


def may_have_overlays(lab: Lab) -> bool:
    """Whether `find_overlays` is worth its time, by ``lab (h, w, 3)`` of a quarter of its sides; most pictures are not."""
    border = np.concatenate((lab[0], lab[-1], lab[:, 0], lab[:, -1]))
    near = np.linalg.norm((border - np.median(border, axis=0))[:, 1:], axis=1) <= 2 * PAPER_AB
    return bool(near.mean() >= PAPER_SIDES or _off(lab).mean() <= 1.2 * MOST)


def find_overlays(lab: Lab) -> Overlays | None:
    """The coloured parts of ``lab (h, w, 3)``, short side at most `SIDE`; None if there are none, or they are most of it."""
    paper = _paper(lab)
    if paper is not None:
        return Overlays(_grown(paper), "the paper around it")
    off = _off(lab)
    if not 0 < off.mean() <= MOST:
        return None
    drawn, rest = _drawn(lab, off)
    mask, photographed = _grown(off), rest.mean() > SMALL
    if mask.mean() > MOST:
        return None
    what = "a coloured thing" if photographed or rest.sum() > drawn.sum() else "what is written or printed over it"
    return Overlays(mask, what, photographed)


def _off(lab: Lab) -> Mask:
    """Pixels far from the tone ``(h, w)``: a robust parabola in L, which a part of the picture cannot bend to itself."""
    step = max(2, min(lab.shape[:2]) // FIT_ROWS)
    few = np.ascontiguousarray(lab[::step, ::step].reshape(-1, 3).T)
    terms, colors = _parabola(few[0]), few[1:]
    fit = np.zeros((2, 3), np.float32)
    fit[:, 0] = np.median(colors, axis=1)
    stiff = 1e-2 * few.shape[1] * np.diag([0, 0.02, 0.1])
    for _ in range(6):
        left = colors - fit @ terms
        weighted = terms / (1.0 + (left * left).sum(axis=0) / np.float32(SPREAD**2)) ** 2
        fit = np.linalg.solve(weighted @ terms.T + stiff, weighted @ colors.T).T.astype(np.float32)
    light, a, b = cv2.split(lab)
    light = light * np.float32(1 / 50) - 1
    a, b = (plane - (c0 + light * (c1 + light * c2)) for plane, (c0, c1, c2) in zip((a, b), fit, strict=True))
    off: Mask = a * a + b * b > np.float32(OFF**2)
    return off


def _parabola(lightness: NDArray[np.float32]) -> NDArray[np.float32]:
    light = lightness / 50.0 - 1.0
    return np.stack((np.ones_like(light), light, light**2))


def _grown(mask: Mask) -> Mask:
    side = 2 * max(1, round(EDGE * min(mask.shape))) + 1
    grown: Mask = cv2.dilate(mask.astype(np.uint8), np.ones((side, side), np.uint8)) > 0
    return grown


def _drawn(lab: Lab, off: Mask) -> tuple[Mask, Mask]:
    """The coloured parts that are drawn, and the others."""
    gap = max(3, round(0.02 * min(off.shape)) | 1)
    joined = cv2.morphologyEx(off.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, gap), np.uint8))
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    depth = cv2.distanceTransform(np.pad(off, 1).astype(np.uint8), cv2.DIST_L2, 3)[1:-1, 1:-1]
    thin = max(1.5, THIN * min(off.shape))
    # Noise has hundreds of parts that need no look of their own: nothing in so narrow a box is thick.
    is_narrow = np.minimum(boxes[:, 2], boxes[:, 3]) + 1 <= 2 * thin
    is_narrow[0] = False
    drawn: Mask = is_narrow[labels] & off
    for number in np.flatnonzero(~is_narrow)[1:]:
        x, y, w, h = (int(v) for v in boxes[number][:4])
        view = slice(y, y + h), slice(x, x + w)
        part = (labels[view] == number) & off[view]
        if (
            depth[view][part].max(initial=0.0) <= thin
            or _is_line(lab[view], part, boxes[number], off.shape)
            or _is_flat(lab[view], part, MOST_FLAT * off.size)
        ):
            drawn[view] |= part
    return drawn, off & ~drawn


def _is_flat(lab: Lab, part: Mask, largest: float) -> bool:
    """Whether the part's inside is made of even areas: each without steps, around one colour, and of so many pixels at most."""
    square = np.ones((3, 3), np.uint8)
    inside = cv2.erode(part.astype(np.uint8), square, borderValue=0) > 0
    box = cv2.dilate(lab, square) - cv2.erode(lab, square)
    smooth = inside & ((box * box).sum(axis=2) <= STEP**2)
    if not smooth.sum() > SMOOTH_SHARE * inside.sum():
        return False
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(smooth.astype(np.uint8), connectivity=4)
    if boxes[1:, cv2.CC_STAT_AREA].max(initial=0) > largest:
        return False
    even = 0
    for number, (x, y, w, h, _) in enumerate(boxes[1:], 1):
        view = slice(y, y + h), slice(x, x + w)
        area = lab[view][labels[view] == number]
        even += int((np.linalg.norm(area - np.median(area, axis=0), axis=1) <= FLAT).sum())
    return even >= FLAT_SHARE * smooth.sum()


def _is_line(lab: Lab, part: Mask, box: NDArray[np.int32], shape: tuple[int, ...]) -> bool:
    """Whether the part is a low line near the upper or lower side (or a narrow one), of one ink, and as rough as letters."""
    height, width = shape
    x, y, w, h = (int(number) for number in box[:4])
    low = h <= LINE * height and (y + h <= ZONE * height or y >= (1 - ZONE) * height)
    narrow = w <= LINE * width and (x + w <= ZONE * width or x >= (1 - ZONE) * width)
    if not (low or narrow):
        return False
    ab = lab[part][:, 1:]
    turn = ab[:, 0] + 1j * ab[:, 1]
    along = np.abs(np.angle(turn * np.conj(turn.sum()), deg=True)) <= ONE_INK
    steps = np.abs(np.diff(lab[..., 0], axis=1))[part[:, 1:] | part[:, :-1]]
    return bool(np.abs(turn[along]).sum() >= 0.8 * np.abs(turn).sum() and len(steps) and steps.mean() >= CONTRAST)


def _paper(lab: Lab) -> Mask | None:
    """Pixels of the one coloured ground along the picture's sides ``(h, w)``, if what lies on it has straight edges."""
    height, width = lab.shape[:2]
    side = np.zeros((height, width), np.bool_)
    side[[0, -1]] = side[:, [0, -1]] = True
    colors = lab[side]
    tint = np.median(colors, axis=0)
    near = np.linalg.norm((colors - tint)[:, 1:], axis=1) <= 2 * PAPER_AB
    if np.hypot(*tint[1:]) < OFF or near.mean() < PAPER_SIDES:
        return None
    down, across = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j].astype(np.float32)
    terms = np.stack((np.ones_like(down), down, across), axis=-1)
    fit = np.linalg.lstsq(terms[side][near], colors[near], rcond=None)[0]  # an uneven lamp
    left = lab - terms @ fit
    paper: Mask = (np.linalg.norm(left[..., 1:], axis=-1) <= PAPER_AB) & (np.abs(left[..., 0]) <= PAPER_L)
    if paper[side].mean() < PAPER_SIDES or not PAPER_SHARE[0] <= paper.mean() <= PAPER_SHARE[1]:
        return None
    return paper if _are_rectangles(~paper) else None


def _are_rectangles(on_paper: Mask) -> bool:
    """Whether each larger thing on the paper fills its box."""
    opened = cv2.morphologyEx(on_paper.astype(np.uint8), cv2.MORPH_OPEN, np.ones((9, 9), np.uint8))
    outlines, _ = cv2.findContours(opened, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    large = 0
    for outline in outlines:
        area = cv2.contourArea(outline)
        if area < LEAST_PHOTO * on_paper.size:
            continue
        large += 1
        (_, (w, h), _) = cv2.minAreaRect(outline)
        if area < STRAIGHT * w * h:
            return False
    return large > 0
