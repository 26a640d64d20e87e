"""Colour for black-and-white photographs, films and archives, on your own machine.

    from colorize_media import colorize

    colorize("old.jpg")                      # a file, or a film: writes old.color.jpg, returns its name
    rgb = colorize(grey)                     # a numpy array (H, W): R′G′B′ (H, W, 3) of the same dtype
    many = colorize(batch)                   # (N, H, W): (N, H, W, 3)
    image = colorize(Image.open("old.jpg"))  # an image of Pillow: one in colour, upright

Lightness stays the picture's own, code for code; what has colour already is returned as it is, with a warning. The network is
loaded at the first call and kept; threads may call at the same time.

How to colour is said by `ColorizeOptions`, the same options as the command's:

    colorize(grey, options=ColorizeOptions(vividness=0.7, device="cuda"))

What cannot be done raises a `ColorizeError` with four parts, ``what``, ``path``, ``why`` and ``hint``; its kinds are in
`colorize_media.errors` (BadPicture for an array that is none, FileProblem for a file, EnvironmentProblem for the machine).

Whoever wants events, or the network in hand, calls what the command calls:

    options = ColorizeOptions(encoder="ffv1")
    colorizer = Colorizer(options.model, options.device)
    colorize_video(Path("film.mp4"), Path("film.color.mkv"), colorizer, options, on_event=print)

Recipes, each of them a test: docs/python.md. Only the names of ``__all__`` are public; modules may move. They load on first
use: ``import colorize_media`` costs milliseconds and imports neither torch nor PyAV.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from colorize_media.version import __version__

if TYPE_CHECKING:
    from colorize_media.errors import ColorizeError
    from colorize_media.network.colorizer import Colorizer
    from colorize_media.options import ColorizeOptions
    from colorize_media.photo.colorize import colorize_photo
    from colorize_media.python.colorize import colorize
    from colorize_media.video.colorize import colorize_video

_HOMES = {
    "ColorizeError": "errors",
    "ColorizeOptions": "options",
    "Colorizer": "network.colorizer",
    "colorize": "python.colorize",
    "colorize_photo": "photo.colorize",
    "colorize_video": "video.colorize",
}

__all__ = [
    "ColorizeError",
    "ColorizeOptions",
    "Colorizer",
    "__version__",
    "colorize",
    "colorize_photo",
    "colorize_video",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
