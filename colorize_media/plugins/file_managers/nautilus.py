"""Colorize in the menu of Files (Nautilus), for pictures, videos and folders. Needs the package python3-nautilus."""

from __future__ import annotations

import subprocess
import threading
from typing import Any

from gi.repository import GObject, Nautilus

RUNNER = ""  # the installer writes the path of the script here
PICTURES: tuple[str, ...] = ()  # and here the types of pictures that it is offered on


def can_be_colored(file: Any) -> bool:
    """Whether a selected file is a local picture, video or folder."""
    kind = file.get_mime_type()
    local = file.get_uri_scheme() == "file"
    return bool(local and (file.is_directory() or kind in PICTURES or kind.startswith("video/")))


class ColorizeMenu(GObject.GObject, Nautilus.MenuProvider):
    """One entry, shown if everything that is selected can be coloured."""

    def get_file_items(self, *arguments: Any) -> list[Any]:
        """Nautilus 43 and later give the files; earlier ones the window before them."""
        files = arguments[-1]
        if not files or not all(can_be_colored(file) for file in files):
            return []
        item = Nautilus.MenuItem(
            name="ColorizeMenu::colorize",
            label="Colorize",
            tip="Make coloured copies of black-and-white pictures and films",
        )
        item.connect("activate", self.colorize, [file.get_location().get_path() for file in files])
        return [item]

    def get_background_items(self, *arguments: Any) -> list[Any]:
        """Nothing for the folder that is shown."""
        return []

    def colorize(self, item: Any, paths: list[str]) -> None:
        """Start the script, and wait for its end elsewhere, so that it leaves no dead process behind."""
        process = subprocess.Popen([RUNNER, *paths], stdin=subprocess.DEVNULL)
        threading.Thread(target=process.wait, daemon=True).start()
