"""A photograph: the full-resolution luma, upright, with all that the file holds beside it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_media.color.spaces import YCbCrSpec
from colorize_media.metadata.carried import PhotoMetadata
from colorize_media.photo.pixels import Decoded


@dataclass(frozen=True, eq=False)
class Photo:
    """A decoded photograph.

    path      where it came from
    luma      (H, W) uint8 or uint16, full-range luma Y′ codes at full resolution, upright
    spec      what the codes mean: bt601, full range, 8 or 16 bits
    alpha     (H, W) of the same type, upright, or None
    preview   (h, w, 3) uint8 R′G′B′, upright, short side at most PREVIEW_SIDE: for the monochrome decision
    metadata  EXIF, XMP, IPTC, ICC … as they were in the file
    format    JPEG, PNG, TIFF, WEBP, BMP, GIF, JPEG2000, PPM, AVIF, HEIC or RAW, decided by content
    warnings  what could not be kept when reading
    extras    (H, W, n) of the same type, upright: channels of which the file does not say what they are; or None
    pages     how many the file has; above 1 this is one of them
    """

    path: Path
    luma: NDArray[Any]
    spec: YCbCrSpec
    alpha: NDArray[Any] | None
    preview: NDArray[np.uint8]
    metadata: PhotoMetadata
    format: str
    warnings: tuple[str, ...] = ()
    pages: int = 1
    extras: NDArray[Any] | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Upright (width, height) in pixels."""
        return self.luma.shape[1], self.luma.shape[0]

    def stripped(self) -> Photo:
        """The same without any metadata but what says how the pixels are to be shown."""
        return replace(self, metadata=self.metadata.stripped())


@dataclass(frozen=True, eq=False)
class Content:
    """What a reader finds in a file: the format's name, planes as stored, and what stands beside them."""

    format: str
    decoded: Decoded
    metadata: PhotoMetadata
    warnings: tuple[str, ...] = ()
