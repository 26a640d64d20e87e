"""Pillow's images: to arrays and back, with what they carry beside their pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from colorize_media.errors import BadPicture
from colorize_media.metadata.icc import profile_space

_GREY = frozenset({"1", "L", "LA"})
_COLOR = frozenset({"P", "PA", "RGB", "RGBA", "RGBX"})
_DEEP = frozenset({"F", "I", "I;16", "I;16B", "I;16L", "I;16N"})
_OF_GREY_ONLY = ("transparency", "gamma")  # a colour's number; PNG's gAMA is in the pixels of no R′G′B′ image of ours


def color_image(
    image: Image.Image, color: Callable[[NDArray[Any]], NDArray[Any]], tell: Callable[[str], None]
) -> Image.Image:
    """A coloured copy, upright: R′G′B′, with the alpha channel, EXIF, resolution and R′G′B′ profile of the image.

    ``color`` makes ``(H, W, 3)`` of ``(H, W[, 3])``; ``tell`` is told what is not carried over. Raises BadPicture.
    """
    if image.mode in _DEEP:
        raise BadPicture(
            "Pillow has no image in colour of this depth",
            why=f"the image is {image.mode}",
            hint="colour the array: colorize(numpy.asarray(image))",
        )
    if image.mode not in _GREY | _COLOR:
        raise BadPicture(f"{image.mode} is not coloured", why="neither grey nor R′G′B′", hint='image.convert("RGB")')
    try:
        upright = ImageOps.exif_transpose(image)
    except (OSError, SyntaxError, ValueError) as error:  # Pillow decodes here, not when it opens
        raise BadPicture("the image cannot be decoded", why=str(error), hint="open it in a viewer") from error
    has_alpha = upright.has_transparency_data
    grey = upright.mode in _GREY
    if has_alpha:
        upright_alpha = upright.convert("RGBA").getchannel("A")
    pixels = upright.convert("L" if grey else "RGB")
    colored = Image.fromarray(color(np.asarray(pixels)))
    if has_alpha:
        colored.putalpha(upright_alpha)
    colored.info = {name: value for name, value in upright.info.items() if name not in _OF_GREY_ONLY}
    profile = colored.info.get("icc_profile", b"")
    if profile and profile_space(profile) != "RGB":
        del colored.info["icc_profile"]
        tell("the profile of the image is not for colours, and is not carried over")
    return colored
