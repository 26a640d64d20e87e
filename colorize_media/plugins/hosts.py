"""The host programs: where each keeps what a user adds to it, and which files the plugin puts there.

Folders follow the XDG base directory specification; Flatpak and Snap keep their own copies below the home folder.
"""

from __future__ import annotations

import os
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from colorize_media.errors import BadOption, EnvironmentProblem
from colorize_media.plugins.parts import Element, Line, OwnFile, Part, exec_word, lua_string, shell_word, xml_text

FILES = Path(__file__).parent

# What a file manager offers "Colorize" on. Content decides when it is read.
PICTURE_TYPES = (
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/webp",
    "image/avif",
    "image/heif",
    "image/heic",
    "image/bmp",
    "image/gif",
    "image/jp2",
)


@dataclass(frozen=True)
class Folders:
    """The user's folders, as the environment names them."""

    home: Path
    config: Path
    data: Path
    system_config: tuple[Path, ...]

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Folders:
        """XDG's, with its defaults."""
        home = Path(environment.get("HOME") or Path.home())

        def named(name: str, default: Path) -> Path:
            value = environment.get(name, "")
            return Path(value) if os.path.isabs(value) else default  # others are invalid, says the specification

        system = environment.get("XDG_CONFIG_DIRS") or "/etc/xdg"
        return cls(
            home,
            named("XDG_CONFIG_HOME", home / ".config"),
            named("XDG_DATA_HOME", home / ".local" / "share"),
            tuple(Path(part) for part in system.split(":") if os.path.isabs(part)),
        )


@dataclass(frozen=True)
class Place:
    """One installation of a host. ``base`` is the folder that shows that it has been started."""

    how: str
    base: Path
    note: str = ""


@dataclass(frozen=True)
class Host:
    """A host program. ``parts`` says what goes where, from a place, the user's folders and our command."""

    name: str
    title: str
    does: str
    programs: tuple[str, ...]
    places: Callable[[Folders], tuple[Place, ...]]
    parts: Callable[[Place, Folders, str], tuple[Part, ...]]
    afterwards: str

    def places_here(self, folders: Folders) -> tuple[Place, ...]:
        """Where it has been started; where it would look first if only its program is there."""
        every = self.places(folders)
        started = tuple(place for place in every if place.base.is_dir())
        return started or (every[:1] if any(map(shutil.which, self.programs)) else ())


def find_command() -> str:
    """The full path of the colorize-media command of this Python, so that hosts need no PATH. Raises EnvironmentProblem."""
    name = "colorize-media.exe" if os.name == "nt" else "colorize-media"
    beside = [Path(sys.executable).parent / name, Path(sysconfig.get_path("scripts")) / name]
    found = next((str(path) for path in beside if path.is_file()), None) or shutil.which("colorize-media")
    if found is None:
        raise EnvironmentProblem(
            "cannot find the colorize-media command",
            why=f"it is neither beside {sys.executable} nor on the PATH",
            hint="install the package with pip; plugins call its command",
        )
    return os.path.abspath(found)


def find_host(name: str) -> Host:
    """Raises BadOption."""
    host = next((host for host in HOSTS if host.name == name.lower()), None)
    if host is None:
        raise BadOption("unknown host", why=name, hint=f"known are {', '.join(host.name for host in HOSTS)}")
    return host


def _read(*names: str) -> str:
    return FILES.joinpath(*names).read_text(encoding="utf-8")


# --- darktable


def _darktable_places(folders: Folders) -> tuple[Place, ...]:
    flatpak = "needs, once: flatpak override --user --talk-name=org.freedesktop.Flatpak org.darktable.Darktable"
    own = Path(os.environ["LOCALAPPDATA"]) if os.name == "nt" and "LOCALAPPDATA" in os.environ else folders.config
    return (
        Place("", own / "darktable"),
        Place("Flatpak", folders.home / ".var/app/org.darktable.Darktable/config/darktable", flatpak),
        Place(
            "Snap", folders.home / "snap/darktable/current/.config/darktable", "Snap may keep it from running commands"
        ),
    )


def _darktable_parts(place: Place, folders: Folders, command: str) -> tuple[Part, ...]:
    text = _read("darktable", "colorize.lua")
    plain = 'local COMMAND = "colorize-media"'
    assert plain in text
    return (
        OwnFile(
            place.base / "lua" / "contrib" / "colorize.lua",
            text.replace(plain, f"local COMMAND = {lua_string(command)}", 1),
            "--",
        ),
        Line(place.base / "luarc", 'require "contrib/colorize"', "--"),
    )


# --- digiKam


def _digikam_places(folders: Folders) -> tuple[Place, ...]:
    own = folders.data
    if sys.platform == "darwin":
        own = folders.home / "Library" / "Application Support"
    return (
        Place("", own / "digikam"),
        Place(
            "Flatpak", folders.home / ".var/app/org.kde.digikam/data/digikam", "its sandbox must let it run the command"
        ),
        Place(
            "Snap", folders.home / "snap/digikam/current/.local/share/digikam", "Snap may keep it from running commands"
        ),
    )


def _digikam_parts(place: Place, folders: Folders, command: str) -> tuple[Part, ...]:
    text = _read("digikam", "workflow.xml").strip()
    script = _read("digikam", "script.sh").strip().replace("colorize-media", shell_word(command), 1)
    return (
        Element(
            place.base / "queue.xml",
            "queuelist",
            "queue",
            r'<queuetitle\s[^<>]*value="Colorize"',
            text.replace("{script}", xml_text(script)),
            b'<!DOCTYPE XMLQueueList>\n<queuelist version="2.0" client="digikam" encoding="UTF-8">\n</queuelist>\n',
            r"""echo \d+\) '(?:[^']|'\\'')*/colorize-media'""",
        ),
    )


# --- file managers


def _runner(host: str, folders: Folders, command: str) -> OwnFile:
    """The script that colours a selection and tells the end in a notification; each host has its own copy."""
    text = _read("file_managers", "run.sh").replace("command=colorize-media", f"command={shell_word(command)}", 1)
    return OwnFile(folders.data / "colorize-media" / f"{host}.sh", text, "#", executable=True)


def _nautilus_parts(place: Place, folders: Folders, command: str) -> tuple[Part, ...]:
    runner = _runner("nautilus", folders, command)
    text = _read("file_managers", "nautilus.py").replace('RUNNER = ""', f"RUNNER = {str(runner.path)!r}", 1)
    text = text.replace("PICTURES: tuple[str, ...] = ()", f"PICTURES = {PICTURE_TYPES!r}", 1)
    return runner, OwnFile(folders.data / "nautilus-python" / "extensions" / "colorize_media.py", text, "#")


def _menu_file(name: str, runner: OwnFile) -> str:
    """A menu entry that is offered on pictures, videos and folders and calls the script."""
    types = "".join(f"{kind};" for kind in (*PICTURE_TYPES, "video/*", "inode/directory"))
    return _read("file_managers", name).replace("{runner}", exec_word(str(runner.path))).replace("{types}", types)


def _dolphin_parts(place: Place, folders: Folders, command: str) -> tuple[Part, ...]:
    runner = _runner("dolphin", folders, command)
    text = _menu_file("dolphin.desktop", runner)
    # Since KDE Frameworks 5.85 a user's service menu must be executable.
    return runner, OwnFile(folders.data / "kio/servicemenus/colorize-media.desktop", text, "#", executable=True)


def _nemo_parts(place: Place, folders: Folders, command: str) -> tuple[Part, ...]:
    runner = _runner("nemo", folders, command)
    text = _menu_file("nemo.nemo_action", runner)
    return runner, OwnFile(folders.data / "nemo/actions/colorize-media.nemo_action", text, "#")


def _thunar_parts(place: Place, folders: Folders, command: str) -> tuple[Part, ...]:
    runner = _runner("thunar", folders, command)
    # The user's file takes the place of the system's, so it begins as that.
    system = next((path for folder in folders.system_config if (path := folder / "Thunar/uca.xml").is_file()), None)
    start = system.read_bytes() if system else b'<?xml version="1.0" encoding="UTF-8"?>\n<actions>\n</actions>\n'
    text = _read("file_managers", "thunar.xml").strip()
    return runner, Element(
        folders.config / "Thunar" / "uca.xml",
        "actions",
        "action",
        "<unique-id>colorize-media-1</unique-id>",
        text.replace("{command}", xml_text(shell_word(str(runner.path)).replace("%", "%%") + " %F")),
        start,
    )


HOSTS = (
    Host(
        "darktable",
        "darktable",
        "a button, a shortcut and an export target",
        ("darktable",),
        _darktable_places,
        _darktable_parts,
        "start darktable anew",
    ),
    Host(
        "digikam",
        "digiKam",
        "a workflow of the Batch Queue Manager",
        ("digikam",),
        _digikam_places,
        _digikam_parts,
        "end digiKam before, start it after: it writes the file when it ends",
    ),
    Host(
        "nautilus",
        "Files (Nautilus)",
        'a menu entry "Colorize"',
        ("nautilus",),
        lambda folders: (Place("", folders.data / "nautilus", "needs the package python3-nautilus"),),
        _nautilus_parts,
        "run: nautilus -q",
    ),
    Host(
        "dolphin",
        "Dolphin",
        'a menu entry "Colorize"',
        ("dolphin",),
        lambda folders: (Place("", folders.data / "dolphin"),),
        _dolphin_parts,
        "it is there at once",
    ),
    Host(
        "nemo",
        "Nemo",
        'a menu entry "Colorize"',
        ("nemo",),
        lambda folders: (Place("", folders.data / "nemo"),),
        _nemo_parts,
        "it is there at once",
    ),
    Host(
        "thunar",
        "Thunar",
        'a menu entry "Colorize"',
        ("thunar",),
        lambda folders: (Place("", folders.config / "Thunar"),),
        _thunar_parts,
        "run: thunar -q",
    ),
)
