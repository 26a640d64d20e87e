"""How a run goes, the same for all its files: one value that the command line, the host's door and Immich hand on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from colorize_media.events import OnEvent, ignore
from colorize_media.options import ColorizeOptions

if TYPE_CHECKING:
    from colorize_media.network.colorizer import Colorizer


@dataclass(frozen=True)
class Running:
    """What every file of a run is done with.

    get_colorizer  the network, loaded when the first file needs it, and once, also for what ``dataclasses.replace`` makes
                   of this. What it raises ends the run: a lacking device or damaged weights are every file's problem
    options        how to colour
    on_event       is told all that happens, from the run's thread
    workers        threads that decode and encode photographs; 0 is one per core
    """

    get_colorizer: Callable[[], Colorizer]
    options: ColorizeOptions
    on_event: OnEvent = ignore
    workers: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "get_colorizer", cache(self.get_colorizer))
