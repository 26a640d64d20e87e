"""One picture on its own: fit to train on or not, and made ready: upright, sRGB, small, a JPEG."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import NamedTuple

from PIL import Image

from colorize_media.judge.monochrome import decide
from colorize_media.training.duplicates import Fingerprint, fingerprint
from colorize_media.training.pictures import LARGEST_PIXELS, SMALLEST_SIDE, shrink, upright_srgb

SLIMMEST = 4.0  # long side over short side; strips and banners are no scenes


class Drop(NamedTuple):
    """Why a picture is left out: one of a few reasons, and what was found."""

    reason: str
    detail: str = ""


@dataclass(frozen=True)
class Screened:
    """A picture to train on.

    data            JPEG;  width, height  its size in px
    digest, pixels  SHA-256 (hex) and size of the file it was made from
    """

    data: bytes
    width: int
    height: int
    digest: str
    pixels: int
    fingerprint: Fingerprint


def screen(data: bytes, side: int, quality: int) -> Screened | Drop:
    """The picture upright, in sRGB, with a short side of at most ``side`` px, without any metadata; or why it is left out.

    Never raises: what a damaged file does to a decoder is not to be foreseen, and costs this picture only.
    """
    try:
        with Image.open(io.BytesIO(data)) as image:
            width, height = image.size
            if width * height > LARGEST_PIXELS:
                return Drop("too large", f"{width} × {height} px")
            if min(width, height) < SMALLEST_SIDE:
                return Drop("too small", f"{width} × {height} px")
            if max(width, height) > SLIMMEST * min(width, height):
                return Drop("too slim", f"{width} × {height} px")
            if image.mode != "P" and len(image.getbands()) < 3:
                return Drop("grey", f"its pixels are of kind {image.mode}")
            rgb = upright_srgb(image, side)
    except Image.DecompressionBombError as error:
        return Drop("too large", str(error))
    except Exception as error:
        return Drop("unreadable", f"{type(error).__name__}: {error}")
    rgb = shrink(rgb, side)
    verdict = decide([rgb])
    if verdict.is_monochrome:
        return Drop("grey" if verdict.kind == "neutral" else "toned", verdict.reason)
    memory = io.BytesIO()
    # 4:4:4: at equal length half the error in ab that WebP's or JPEG's 4:2:0 makes.
    Image.fromarray(rgb).save(memory, "JPEG", quality=quality, subsampling=0, optimize=True)
    new_height, new_width = rgb.shape[:2]
    digest = hashlib.sha256(data).hexdigest()
    return Screened(memory.getvalue(), new_width, new_height, digest, width * height, fingerprint(rgb))
