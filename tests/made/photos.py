"""Photographs in colour, stored in every orientation and with EXIF, and chroma for one that was read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_media.photo.picture import Photo
from tests.made.pictures import pillow

TURNS: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {  # how an upright picture is stored, for each tag
    1: lambda p: p,
    2: np.fliplr,
    3: lambda p: np.rot90(p, 2),
    4: np.flipud,
    5: lambda p: np.swapaxes(p, 0, 1),
    6: lambda p: np.rot90(p, 1),
    7: lambda p: np.rot90(np.swapaxes(p, 0, 1), 2),
    8: lambda p: np.rot90(p, -1),
}


def grey_picture(height: int = 40, width: int = 56, bits: int = 8, seed: int = 0) -> NDArray[Any]:
    """A ramp with noise, different along each axis, so that no turn of it is itself."""
    top = (1 << bits) - 1
    y, x = np.mgrid[0:height, 0:width]
    noise = np.random.default_rng(seed).normal(0, top / 60, (height, width))
    values = top * (0.1 + 0.5 * x / width + 0.3 * y / height) + noise
    return np.clip(np.rint(values), 0, top).astype(np.uint8 if bits == 8 else np.uint16)


def color_picture(height: int = 40, width: int = 56, bits: int = 8) -> NDArray[Any]:
    """Grey ramps whose channels differ by their noise alone, ``(H, W, 3)``."""
    return np.stack([grey_picture(height, width, bits, seed) for seed in range(3)], axis=2)


def grainy(side: int) -> NDArray[np.uint8]:
    """Nothing but noise, ``(side, side, 3)``: no encoder makes it small."""
    return np.random.default_rng(7).integers(0, 256, (side, side, 3)).astype(np.uint8)


def luma_of(rgb: NDArray[Any]) -> NDArray[np.float64]:
    """Luma of R′G′B′ by the weights of BT.601, in its own codes."""
    return rgb[..., :3].astype(np.float64) @ np.array([0.299, 0.587, 0.114])


def save(path: Path, picture: NDArray[Any] | Image.Image, **options: Any) -> Path:
    """A file as Pillow writes it."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(path, **options)
    return path


def neutral(photo: Photo) -> Callable[[int, int], NDArray[np.float32]]:
    """Chroma of no colour, in strips."""
    return lambda top, bottom: np.full((bottom - top, photo.size[0], 2), photo.spec.chroma_mid, np.float32)


def tinted(photo: Photo, seed: int = 0) -> NDArray[np.float32]:
    """Random chroma codes over the whole legal range: most of them far outside the R′G′B′ cube."""
    shape = (*photo.luma.shape, 2)
    return np.random.default_rng(seed).integers(0, photo.spec.max_code + 1, shape).astype(np.float32)


def brown(photo: Photo) -> NDArray[np.float32]:
    """Chroma of one faint brown for the whole picture."""
    shift = np.array([-12, 9], np.float32) * (1 << (photo.spec.bits - 8))
    return np.full((*photo.luma.shape, 2), photo.spec.chroma_mid, np.float32) + shift


def written_rgb(path: Path) -> NDArray[Any]:
    """The R′G′B′(A) of a file at its own depth, by a reader that is not ours."""
    if path.suffix in (".png", ".tif"):
        picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert picture is not None
        return picture[..., [2, 1, 0, 3][: picture.shape[2]]]
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def exif_with(orientation: int) -> Image.Exif:
    """EXIF of a camera: its maker, a date, a maker note, a place."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif[0x010F] = "Maker"
    exif.get_ifd(0x8769).update({0x9003: "1921:05:04 10:00:00", 0xA002: 56, 0xA003: 40, 0x927C: b"maker\0note\xff" * 4})
    exif.get_ifd(0x8825).update({1: "N", 2: (59.0, 54.0, 30.5), 3: "E", 4: (10.0, 44.0, 20.25)})
    return exif


def written(path: Path, data: bytes) -> Path:
    """A file of these bytes."""
    path.write_bytes(data)
    return path


def encoded(kind: str, picture: NDArray[Any] | None = None, **options: Any) -> bytes:
    """The bytes of a file as Pillow writes them, of a picture of 64 × 64 in colour or of another one."""
    return pillow(kind, color_picture(64, 64) if picture is None else picture, **options)
