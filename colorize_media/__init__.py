"""colorize-media: colour for black-and-white photographs, films and archives, on your own machine.

    from colorize_media import Colorizer, ColorizeOptions, colorize_photo, colorize_video

    options = ColorizeOptions(vividness=1.1)
    colorizer = Colorizer(options.model, options.device)
    colorize_video(Path("film.mp4"), Path("film.color.mp4"), colorizer, options)

Only the six names of ``__all__`` are public; modules may move. They load on first use: ``import colorize_media`` costs
milliseconds and imports neither torch nor PyAV.
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
    from colorize_media.video.colorize import colorize_video

_HOMES = {
    "ColorizeError": "errors",
    "ColorizeOptions": "options",
    "Colorizer": "network.colorizer",
    "colorize_photo": "photo.colorize",
    "colorize_video": "video.colorize",
}

__all__ = ["ColorizeError", "ColorizeOptions", "Colorizer", "__version__", "colorize_photo", "colorize_video"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
