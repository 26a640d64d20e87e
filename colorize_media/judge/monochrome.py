"""Is a picture grey, evenly toned, or in colour? Old prints are mostly stored as R′G′B′, so the mode cannot tell.

In a toned print (sepia, cyanotype, a faded or tinted film) the colour is a function of lightness alone. So the picture
is made small (JPEG's chroma noise and grain average out), ab is fitted as a function of L by medians (stains, borders
and stamps are outliers, not the rule), and what the fit leaves over decides. Natural scenes that come close, measured
on a thousand colour photographs, are bluish: snow, glaciers and sky, whose colour does follow lightness. Warm ones
leave more, and across the tone's own hue, while a yellowed print fades along it. So the two kinds have their own
limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from colorize_media.color.lab import lab_of_picture
from colorize_media.color.scaling import small_size
from colorize_media.judge import overlays

# All limits are in CIELAB units unless said otherwise. Measured at 64 pixels on 47 old prints, 26 clips and the 1,000
# validation photographs, checked on 3,700 others; "colour" below means what is colour to the eye there. In doubt a
# picture is colour: it is then left alone, and said so, while a mistaken tone would replace real colours.
SIDE = 64  # pixels, short side of the picture judged: 16 pixels of the preview become one, chroma noise a quarter
LAYERS = 16  # equally populated lightness layers of the fit: enough for a split tone, and 250 pixels for each median

NEUTRAL_CHROMA = 3.5  # 95th percentile; neutral prints with scanner casts reach 3.3, colour photographs begin at 7.2
NEUTRAL_STRAY = 6.0  # 99th percentile: a grey picture with one coloured object is not grey

TONED_WARM = 3.7  # 90th percentile of the residual; stained prints reach 3.6, warm colour scenes begin at 4.0
TONED_OTHER = 2.1  # the same for green, blue and purple tones: prints reach 2.0, colour scenes begin at 2.2
# The same for a film's frame whose residual lies not along the tone's own hue (`FILM_ACROSS`): tinted film reaches 1.6, dull
# colour shots 2.6. Along it small sepia films leave up to 3.7 by their compression alone.
TONED_FILM = 2.4
TONED_STRAY = 16.0  # 99th percentile of the residual; prints with a torn or taped corner reach 12.6, a skier in snow 18
WARM_ACROSS = 0.32  # 90th percentile of the residual across the tone's hue, as a share of its chroma; prints reach 0.31
WARM_HUES = (0.0, 110.0)  # degrees in the ab plane: red-brown to yellow
FILM_ACROSS = (
    0.17  # the same for a shot among colour shots: tinted films and prints reach 0.12, grey streets begin at 0.21
)
LIGHTNESS_SPREAD = 10.0  # L between the 5th and 95th percentile, below which even colour proves nothing (a clear sky)

# What a frame must show before its lack of colour says anything. Of 350 colour photographs darkened to a fifth, 100 pass
# for grey or toned, all with a spread under 20; of 160 darkened to two fifths 3 do, with more. Black-and-white film begins
# at 38. Titles are letters on one even ground.
LEAST_SPREAD = 20.0  # L between the 5th and 95th percentile
LEAST_LIGHT = 45.0  # L, the 95th percentile
LEAST_MIDDLE_SPREAD = 3.0  # L between the quartiles: black-and-white film 17 and more, titles 0
EXACTLY_GREY = 1.0  # chroma's 99th percentile; a camera's grey has more, so `LIGHTNESS_SPREAD` is enough here
STRONG = 2.0  # times `TONED_FILM` or `TONED_STRAY`: colour even in a film that seems to have none

# A print that has faded unevenly, by `uneven.Left`: of 2,000 colour photographs none is one then; a golf ball in sepia,
# with a vignette, turns by 24 degrees.
MOST_UNEVEN = 1.5  # times TONED_WARM, before the fit by place; what differs more is colour
UNEVEN_LEFT = 3.5  # CIELAB units
UNEVEN_TURN = 19.0  # degrees
REST_ROWS = 64  # rows of pixels, at least, by which what is left beside overlays is judged
LEAST_TONES = 2.8  # bits: photographs, on white pages too, 3.0 and more; comics and pages of programs at most 2.4
MOST_ON_TONED = (
    0.12  # share of a toned picture that may lie under overlays; two of 2,000 colour photographs have 17 and 19 %
)
OBJECT_SIDE = 16  # pixels, short side at the scale of objects: noise has no mean there
NOISE_LEFT = (
    0.5  # of the chroma's 95th percentile, from 64 pixels to 16: white noise keeps a quarter, colours nearly all
)
MOST_NOISE = 20.0  # residual: chroma noise of worn tapes in small films leaves up to 18; what leaves more is colour
CLOSE = 1.3  # times a limit: a verdict that a person may see otherwise

Kind = Literal["neutral", "toned", "color"]
Evidence = Literal["monochrome", "color", "none"]


@dataclass(frozen=True)
class Verdict:
    """What a picture or film is, with the numbers of the frame that decided, in CIELAB units.

    kind      neutral, toned or color
    chroma    median chroma;  hue  of the median ab, in degrees
    residual  90th percentile of the distance from ab fitted on L;  stray  its 99th percentile
    across    90th percentile of the residual across the tone's hue
    frame     index of the deciding frame
    reason    one clause for people
    close     in colour, but by little: a person may see it otherwise
    """

    kind: Kind
    chroma: float
    hue: float
    residual: float
    across: float
    stray: float
    frame: int
    reason: str
    close: bool = False

    @property
    def is_monochrome(self) -> bool:
        """Neutral or toned: to be coloured."""
        return self.kind != "color"


def decide(previews: Sequence[NDArray[np.uint8]], *, film: bool | None = None) -> Verdict:
    """Judge one picture, or several frames of one film, each ``(h, w, 3)`` uint8 R′G′B′ of any size.

    A film (default: more than one frame) is in colour if any frame is; its shots may be toned differently. Frames
    without contrast (fades) count only if there is nothing else. Raises ValueError for no frame at all.
    """
    if not previews:
        raise ValueError("no picture to judge")
    film = len(previews) > 1 if film is None else film
    found = [_judge(_seen(preview, film=film), index) for index, preview in enumerate(previews)]
    sure = [verdict for verdict, certain in found if certain] or [verdict for verdict, _ in found]
    rank = {"neutral": 0, "toned": 1, "color": 2}
    return max(sure, key=lambda verdict: (rank[verdict.kind], verdict.residual, verdict.chroma))


def evidence(preview: NDArray[np.uint8], *, among_color: bool, strong: bool = False) -> Evidence:
    """What one frame of a film, ``(h, w, 3)`` uint8 R′G′B′ of any size, says about its shot.

    Dark frames, titles and fog lack colour in any film and say nothing. ``among_color``: the film has shots in colour.
    Then a tone counts only if what it leaves over lies along its own hue; else only strong colour counts. ``strong``:
    nothing counts but strong colour and exact grey.
    """
    seen = _seen(preview, film=True)
    measure, kind = seen.measure, seen.kind
    if kind == "color" and measure.spread >= LIGHTNESS_SPREAD:
        vivid = measure.residual >= STRONG * TONED_FILM or measure.stray >= STRONG * TONED_STRAY
        return "color" if vivid or (among_color and not strong) else "none"
    if kind == "color" or measure.spread < LIGHTNESS_SPREAD or measure.middle_spread < LEAST_MIDDLE_SPREAD:
        return "none"
    if measure.chroma_99 <= EXACTLY_GREY:
        return "monochrome"
    if strong or measure.spread < LEAST_SPREAD or measure.light < LEAST_LIGHT:
        return "none"
    if kind == "toned" and among_color and measure.across > FILM_ACROSS * measure.chroma:
        return "color"
    return "monochrome"


def may_be_noise(preview: NDArray[np.uint8]) -> bool:
    """Whether what colour a film's frame has could be noise: then `noise.mean_over_time` is worth a look."""
    measure = _measure(*_flat(_small_lab(preview, SIDE)))
    return _kind(measure, film=True)[0] == "color" and measure.residual <= MOST_NOISE


@dataclass(frozen=True)
class _Measure:
    chroma: float
    chroma_95: float
    chroma_99: float
    hue: float
    residual: float
    stray: float
    across: float
    spread: float
    middle_spread: float
    light: float


@dataclass(frozen=True)
class _Seen:
    measure: _Measure
    kind: Kind
    reason: str
    close: bool = False


def _seen(preview: NDArray[np.uint8], *, film: bool) -> _Seen:
    """What a picture is by all of it; where that is colour, by what is left without overlays and noise."""
    small = _small_lab(preview, SIDE)
    measure = _measure(*_flat(small))
    kind, reason = _kind(measure, film=film)
    if kind != "color":
        return _Seen(measure, kind, reason)
    if not film and (uneven := _uneven(small, measure)) is not None:
        return uneven
    large = _small_lab(preview, overlays.SIDE) if overlays.may_have_overlays(small) else None
    found = overlays.find_overlays(large) if large is not None else None
    if large is not None and found is not None and (rest := _rest(large, found, film=film)) is not None:
        if not found.photographed:
            return rest
        why = f"{reason}; that is {found.what} on {found.share:.0%} of it, and all else is {rest.kind}"
        return _Seen(measure, "color", why, close=True)
    if measure.spread >= LEAST_SPREAD and measure.light >= LEAST_LIGHT:
        objects = _measure(*_flat(_small_lab(preview, OBJECT_SIDE)))
        if _is_neutral(objects) and objects.chroma_95 <= NOISE_LEFT * measure.chroma_95:
            why = f"grey but for noise: 95 % of its objects have a chroma of at most {objects.chroma_95:.1f}"
            return _Seen(objects, "neutral", why)
    return _Seen(measure, kind, reason, _is_close(measure, film=film))


def _uneven(lab: NDArray[np.float32], measure: _Measure) -> _Seen | None:
    """A print in one warm tone that has faded or yellowed over its area, if the picture is one."""
    if not _is_warm(measure) or measure.residual > MOST_UNEVEN * TONED_WARM or measure.stray > TONED_STRAY:
        return None
    if measure.spread < LEAST_SPREAD or measure.across > WARM_ACROSS * measure.chroma:
        return None
    from colorize_media.judge.uneven import left_of_uneven_tone  # here: films need it never

    left = left_of_uneven_tone(lab)
    if left.residual > UNEVEN_LEFT or left.across > left.along or left.turn > UNEVEN_TURN:
        return None
    return _Seen(
        measure,
        "toned",
        f"unevenly toned: but for its fading, colours differ by {left.residual:.1f} at equal lightness",
    )


def _rest(lab: NDArray[np.float32], found: overlays.Overlays, *, film: bool) -> _Seen | None:
    """What a picture is but for its overlays, if that has no colour and is enough of a photograph to prove it."""
    few = slice(None, None, max(1, min(lab.shape[:2]) // REST_ROWS))
    left = lab[few, few][~found.mask[few, few]]
    if len(left) < LAYERS:
        return None
    lightness, ab = _flat(left)
    rest = _measure(lightness, ab)
    kind, why = _kind(rest, film=film)
    if kind == "color" or not _is_telling(rest) or _tones(lab[..., 0][~found.mask]) < LEAST_TONES:
        return None
    if kind == "toned" and found.share > MOST_ON_TONED:
        return None
    return _Seen(rest, kind, f"{why}, but for {found.what} ({found.share:.0%} of the picture)")


def _is_telling(rest: _Measure) -> bool:
    """Whether what is left of a picture is light and varied enough to say that it has no colour."""
    if rest.chroma_99 <= EXACTLY_GREY:
        return rest.spread >= LIGHTNESS_SPREAD
    return rest.spread >= LEAST_SPREAD and rest.light >= LEAST_LIGHT


def _tones(lightness: NDArray[np.float32]) -> float:
    """How many bits of lightness a picture uses, in steps of 4 L."""
    share = np.bincount((lightness / 4.0).astype(np.int64).clip(0, 25)) / len(lightness)
    share = share[share > 0]
    return float(-(share * np.log2(share)).sum())


def _is_neutral(measure: _Measure) -> bool:
    return measure.chroma_95 <= NEUTRAL_CHROMA and measure.chroma_99 <= NEUTRAL_STRAY


def _neutral_reason(measure: _Measure) -> str:
    return f"grey: 95 % of it has a chroma of at most {measure.chroma_95:.1f}"


def _is_close(measure: _Measure, *, film: bool) -> bool:
    """Whether a picture in colour would not be with limits a little wider."""
    if measure.chroma_95 <= CLOSE * NEUTRAL_CHROMA and measure.chroma_99 <= CLOSE * NEUTRAL_STRAY:
        return True
    limit = _toned_limit(measure, film=film)
    even = measure.spread >= LIGHTNESS_SPREAD and measure.residual <= CLOSE * limit
    return even and measure.stray <= CLOSE * TONED_STRAY


def _is_warm(measure: _Measure) -> bool:
    return WARM_HUES[0] <= measure.hue <= WARM_HUES[1]


def _toned_limit(measure: _Measure, *, film: bool) -> float:
    """How far the colours of a toned picture may differ at equal lightness."""
    if not _is_warm(measure):
        return TONED_OTHER
    along = measure.across <= FILM_ACROSS * measure.chroma
    return TONED_FILM if film and not along else TONED_WARM


def _measure(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> _Measure:
    """Of L ``(n,)`` and ab ``(n, 2)``."""
    centres, *tones = layer_medians(lightness, ab)
    fit = np.stack([np.interp(lightness, centres, tone) for tone in tones], axis=1)
    left = ab - fit
    direction = fit / np.maximum(np.hypot(fit[:, 0], fit[:, 1]), 1e-6)[:, None]
    across = np.abs(left[:, 1] * direction[:, 0] - left[:, 0] * direction[:, 1])
    middle = np.median(ab, axis=0)
    chroma, chroma_95, chroma_99 = _percentiles(np.hypot(ab[:, 0], ab[:, 1]), 50, 95, 99)
    residual_90, stray = _percentiles(np.hypot(left[:, 0], left[:, 1]), 90, 99)
    low, quarter, three_quarters, high = _percentiles(lightness, 5, 25, 75, 95)
    return _Measure(
        chroma=chroma,
        chroma_95=chroma_95,
        chroma_99=chroma_99,
        hue=float(np.degrees(np.arctan2(middle[1], middle[0]))),
        residual=residual_90,
        stray=stray,
        across=_percentiles(across, 90)[0],
        spread=high - low,
        middle_spread=three_quarters - quarter,
        light=high,
    )


def _percentiles(values: NDArray[np.float32], *shares: int) -> list[float]:
    """As `numpy.percentile`, whose checks cost more than its work on so few numbers."""
    ordered = np.sort(values)
    places = [(len(ordered) - 1) * share / 100 for share in shares]
    below = [int(place) for place in places]
    above = [min(place + 1, len(ordered) - 1) for place in below]
    return [
        float(ordered[low] + (ordered[high] - ordered[low]) * (place - low))
        for place, low, high in zip(places, below, above, strict=True)
    ]


def layer_medians(lightness: NDArray[np.float32], ab: NDArray[np.float32]) -> NDArray[np.float32]:
    """Medians of L, a and b ``(3, layers)``, the darkest layer first; layers' sizes differ by one at most."""
    count = min(LAYERS, len(lightness))
    ordered = np.column_stack((lightness, ab))[np.argsort(lightness, kind="stable")]
    size, longer = divmod(len(ordered), count)
    cut = longer * (size + 1)
    # All layers of one size at once: a median of few numbers costs a call, not its arithmetic.
    parts = ordered[:cut].reshape(longer, size + 1, 3), ordered[cut:].reshape(count - longer, size, 3)
    return np.concatenate([np.median(part, axis=1) for part in parts if len(part)]).T


def _small_lab(preview: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Lab ``(h, w, 3)`` of the picture made small."""
    height, width = preview.shape[:2]
    if min(height, width) <= side:
        return lab_of_picture(preview)
    small = cv2.resize(preview.astype(np.float32), small_size(width, height, side), interpolation=cv2.INTER_AREA)
    return lab_of_picture(small * np.float32(1 / 255))


def _flat(lab: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """L ``(n,)`` and ab ``(n, 2)`` of Lab ``(…, 3)``."""
    pixels = lab.reshape(-1, 3)
    return np.ascontiguousarray(pixels[:, 0]), np.ascontiguousarray(pixels[:, 1:])


def _judge(seen: _Seen, frame: int) -> tuple[Verdict, bool]:
    """The verdict on one picture, and whether it had enough contrast to be sure."""
    m = seen.measure
    verdict = Verdict(seen.kind, m.chroma, m.hue, m.residual, m.across, m.stray, frame, seen.reason, seen.close)
    return verdict, seen.kind == "neutral" or m.spread >= LIGHTNESS_SPREAD


def _kind(measure: _Measure, *, film: bool) -> tuple[Kind, str]:
    if _is_neutral(measure):
        return "neutral", _neutral_reason(measure)
    if measure.spread < LIGHTNESS_SPREAD:
        return "color", "coloured, and too even in lightness to tell a tone from a colour"
    warm, limit = _is_warm(measure), _toned_limit(measure, film=film)
    if measure.residual > limit:
        return "color", f"its colours differ by {measure.residual:.1f} at equal lightness (a tone: at most {limit})"
    if measure.stray > TONED_STRAY:
        return "color", f"a part of it has another colour, by {measure.stray:.0f}"
    if warm and not film and measure.residual > TONED_OTHER and measure.across > WARM_ACROSS * measure.chroma:
        return "color", f"its hues differ by {measure.across:.1f} at a chroma of {measure.chroma:.1f}"
    return "toned", f"evenly toned: colours differ by {measure.residual:.1f} at equal lightness"
