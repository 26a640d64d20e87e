"""The network, loaded at the first call and kept for the next ones, whichever thread they come from."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

from colorize_media.models import find_weights
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions

KEPT = 2  # networks: two are compared with each other, more are a program's own affair (`Colorizer`)


def held_colorizer(options: ColorizeOptions) -> Colorizer:
    """The network that the options name, on their device; threads that want it meanwhile wait. Raises as `Colorizer`."""
    found = find_weights(options.model).stat()
    with _LOADING:
        stamp = (found.st_mtime_ns, found.st_size)  # weights that were trained on are loaded anew
        return _load(options.model, options.device, options.batch_size, options.engine, stamp)


@lru_cache(maxsize=KEPT)
def _load(model: str, device: str, batch_size: int, engine: str, stamp: Any) -> Colorizer:
    return Colorizer(model, device, batch_size=batch_size, engine=engine)


_LOADING = threading.Lock()
