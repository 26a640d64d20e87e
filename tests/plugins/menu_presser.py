"""Presses "Colorize" in a file manager's menu, for test_file_managers.py. Runs in the system's Python, inside the session.

Usage: menu_presser.py PROGRAM. Each line of stdin names a folder: it is opened, all in it selected, and the menu opened, with
mouse and keys; the entry is pressed through the accessibility bus, if it is there. What the menu holds is answered as a line
of JSON. At the end of stdin the program is ended.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator

import gi

gi.require_version("Atspi", "2.0")
from gi.repository import Atspi, GLib  # noqa: E402

ENTRY = "Colorize"
ONLY_OF_FILES = "Copy"  # the menu of the open folder has none
PATIENCE = 120  # seconds; a busy machine is slow to draw a window


def xdotool(*words: str) -> str:
    return subprocess.run(["xdotool", *words], capture_output=True, text=True).stdout


def click_beside_the_files() -> None:
    """Nautilus 43 gives keys to nothing until its view has been clicked. It also closes a menu that is open."""
    place = dict(line.split("=") for line in xdotool("getactivewindow", "getwindowgeometry", "--shell").splitlines())
    if "WIDTH" in place:  # else there is no window yet
        right, low = (int(place[at]) + int(place[size]) * 4 // 5 for at, size in (("X", "WIDTH"), ("Y", "HEIGHT")))
        xdotool("mousemove", str(right), str(low), "click", "1")


def below(node: Atspi.Accessible) -> Iterator[Atspi.Accessible]:
    """The node and all that it holds. What goes away meanwhile is left out."""
    try:
        yield node
        children = [node.get_child_at_index(number) for number in range(node.get_child_count())]
    except GLib.Error:
        return
    for child in children:
        if child is not None:
            yield from below(child)


def is_open(entry: Atspi.Accessible) -> bool:
    """GTK 4 calls nothing showing, but its entries focusable, and makes a menu only when it is opened."""
    states = entry.get_state_set()
    return states.contains(Atspi.StateType.SHOWING) or states.contains(Atspi.StateType.FOCUSABLE)


def shown_entries() -> dict[str, Atspi.Accessible]:
    """The entries of the menu that is open."""
    desktop = Atspi.get_desktop(0)
    desktop.clear_cache()
    entries = [node for node in below(desktop) if node.get_role() == Atspi.Role.MENU_ITEM and is_open(node)]
    return {entry.get_name(): entry for entry in entries}


def open_menu(window: str) -> dict[str, Atspi.Accessible]:
    """The menu of all files of a window. What is pressed before it is ready is lost, so it is pressed again."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        time.sleep(1)
        if xdotool("getactivewindow", "getwindowname").split(" - ")[0].strip() != window:
            continue
        click_beside_the_files()
        time.sleep(0.5)
        xdotool("key", "--clearmodifiers", "ctrl+a")
        time.sleep(0.5)
        xdotool("key", "--clearmodifiers", "shift+F10")
        for _ in range(10):
            time.sleep(0.3)
            if ONLY_OF_FILES in (entries := shown_entries()):
                return entries
    return {}


def main() -> None:
    program, started = sys.argv[1], []
    for line in sys.stdin:
        folder = line.rstrip("\n")
        started.append(subprocess.Popen([program, folder], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL))
        entries = open_menu(folder.rpartition("/")[2])
        print(json.dumps(list(entries)), flush=True)
        if ENTRY in entries:
            entries[ENTRY].do_action(0)  # its only action, "click"
        else:
            xdotool("key", "Escape")
    for process in started:
        process.terminate()


main()
