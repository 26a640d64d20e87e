"""`colorize`: a picture in, the same kind of picture out, in colour."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from colorize_media.errors import BadOption, BadPicture
from colorize_media.options import ColorizeOptions
from colorize_media.python.arrays import Progress, color_arrays
from colorize_media.python.checks import KINDS, checked
from colorize_media.python.held import held_colorizer
from colorize_media.python.images import color_image

Array = TypeVar(
    "Array", NDArray[np.uint8], NDArray[np.uint16], NDArray[np.float16], NDArray[np.float32], NDArray[np.float64]
)


def _ignore(done: int, total: int | None) -> None:
    """The default callback."""


@overload
def colorize(picture: Array, *, options: ColorizeOptions = ..., progress: Progress = ...) -> Array: ...
@overload
def colorize(picture: Image.Image, *, options: ColorizeOptions = ..., progress: Progress = ...) -> Image.Image: ...
@overload
def colorize(
    picture: str,
    output: str | Path | None = ...,
    *,
    options: ColorizeOptions = ...,
    progress: Progress = ...,
    overwrite: bool = ...,
) -> str: ...
@overload
def colorize(
    picture: Path,
    output: str | Path | None = ...,
    *,
    options: ColorizeOptions = ...,
    progress: Progress = ...,
    overwrite: bool = ...,
) -> Path: ...


def colorize(
    picture: Any,
    output: str | Path | None = None,
    *,
    options: ColorizeOptions = ColorizeOptions(),  # noqa: B008 (frozen)
    progress: Progress = _ignore,
    overwrite: bool = False,
) -> Any:
    """Colour a picture and return the same kind in colour.

    picture   an array: (H, W) or (H, W, 3), or a batch (N, H, W) or (N, H, W, 3), of uint8 or uint16 over their full
              range, or of float16, float32 or float64 from 0 to 1; taken for sRGB. Gives R′G′B′ (…, H, W, 3) of its dtype.
              Or an image of Pillow: gives an upright one, R′G′B′ or R′G′B′A. Or the name, str or Path, of a photograph or
              film: gives the name of the file in colour
    output    of a file, the file to write or the folder to write into; else it stands beside it as ``name.color.ext``
    options   as for the command; each picture of an array is a photograph
    progress  is called with (done, total) from this thread: pictures, or a film's frames (then total may be None)
    overwrite  of a file: replace an output that is there. Else it is left, and its name returned

    Lightness stays the picture's own. BT.601 luma of the result, rounded, is that of the picture, code for code, for uint8
    and uint16; in floating point it is the same but for the dtype's own rounding. What is in colour already is returned as
    it is, with a warning (`warnings`), unless ``options.force``.

    The network is loaded at the first call and kept. Any number of threads may call at the same time.

    Raises BadPicture for what is no picture, and as the command: FileProblem for a file, EnvironmentProblem, UsageProblem;
    all are ColorizeError, with ``what``, ``path``, ``why`` and ``hint``.
    """
    if not isinstance(options, ColorizeOptions):
        raise BadOption(
            f"options is a {type(options).__name__}",
            why="a ColorizeOptions is wanted",
            hint="write options=ColorizeOptions(vividness=1.2, fast=True)",
        )
    told: list[str] = []
    made = _colored(picture, output, options, progress, told.append, overwrite=overwrite)
    for message in told:
        warnings.warn(message, stacklevel=2)
    return made


def _colored(
    picture: Any,
    output: str | Path | None,
    options: ColorizeOptions,
    progress: Progress,
    tell: Callable[[str], None],
    *,
    overwrite: bool,
) -> Any:
    if isinstance(picture, (str, Path)):
        from colorize_media.python.files import color_file  # films, for whom arrays are all, need not be loaded

        target = None if output is None else Path(output)
        made = color_file(Path(picture), target, options, progress, tell, overwrite=overwrite)
        return str(made) if isinstance(picture, str) else made
    if output is not None or overwrite:
        raise BadOption("only files are written", why="a picture in memory is returned", hint="leave output out")

    def color(array: NDArray[Any]) -> NDArray[Any]:
        pictures, is_batch = checked(array, options.max_pixels)
        colored = color_arrays(pictures, options, partial(held_colorizer, options), progress, tell)
        colored = colored.astype(array.dtype, copy=False)  # the array's own byte order
        return colored if is_batch else colored[0]

    if isinstance(picture, np.ndarray):
        return color(picture)
    if isinstance(picture, Image.Image):
        return color_image(picture, color, tell)
    raise BadPicture(
        f"a {type(picture).__name__} is no picture",
        why=f"arrays of NumPy ({KINDS}), images of Pillow, and names of files, str or Path, are",
        hint="numpy.asarray(picture) makes an array of many things",
    )
