"""The menus of the real file managers: started on a screen that nobody sees, "Colorize" pressed, the result looked at."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage import data

from colorize_media.cli.main import run
from tests.plugins.screen import unseen_screen

PYTHON = "/usr/bin/python3"  # has gi
PRESSER = Path(__file__).with_name("menu_presser.py")
LIMIT = 300  # seconds; more than two menus may take (`PATIENCE` in menu_presser.py), and a busy machine needs
NAMES = ("two words.png", "Oma's „Garten“ $HOME `id`.png", "100 % & more;.jpg")

pytestmark = pytest.mark.slow


@pytest.fixture(params=["thunar", "nemo", "nautilus"])
def program(request: pytest.FixtureRequest) -> str:
    """A file manager that is here, with what it takes to look into its menu."""
    name = str(request.param)
    missing = [tool for tool in (name, "Xvfb", "xdotool", "openbox", "dbus-run-session") if shutil.which(tool) is None]
    check = "import gi; gi.require_version('Atspi', '2.0'); from gi.repository import Atspi"
    if not Path(PYTHON).exists() or subprocess.run([PYTHON, "-c", check], capture_output=True).returncode:
        missing.append("gi with Atspi")
    if missing:
        pytest.skip(f"the menu of {name} was NOT pressed, without {', '.join(missing)}: scripts/install-hosts {name}")
    return name


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str) -> Path:
    """A user who has the plugin, in a home whose name needs quoting."""
    path = tmp_path / "Eve's $HOME & <100 %>"
    path.mkdir()
    for name in [name for name in os.environ if name.startswith(("XDG_", "DBUS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(path))
    assert run(["plugin", "install", program]) == 0
    return path


@pytest.fixture
def menu_of(program: str, home: Path, tmp_path: Path, fresh_weights: Path) -> Iterator[Callable[[Path], list[str]]]:
    """Opens a folder in the file manager and presses "Colorize" for all in it; returns what the menu held."""
    (tmp_path / "run").mkdir(mode=0o700)
    settings = {"MODEL": str(fresh_weights), "DEVICE": "cpu", "FAST": "1", "THREADS": "1"}
    environment = os.environ | {f"COLORIZE_MEDIA_{name}": value for name, value in settings.items()}
    # Drawn by GL in software, the wheel that turns while Nautilus loads a folder leaves it no time to load it.
    environment |= {"XDG_RUNTIME_DIR": str(tmp_path / "run"), "LC_ALL": "C.UTF-8", "GSK_RENDERER": "cairo"}
    # A desktop has no environment of this project in its path: the Python within Nautilus would take it for its home, and
    # not find gi there.
    environment["PATH"] = "/usr/local/bin:/usr/bin:/bin:/usr/games"
    with ExitStack() as stack:
        environment["DISPLAY"] = stack.enter_context(unseen_screen())
        manager = stack.enter_context(
            subprocess.Popen(["openbox"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        )
        stack.callback(manager.terminate)
        log = stack.enter_context((tmp_path / "log").open("w+"))
        session = stack.enter_context(
            subprocess.Popen(
                ["dbus-run-session", "--", PYTHON, str(PRESSER), program],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, env=environment,
                start_new_session=True,
            )
        )  # fmt: skip
        end = threading.Timer(LIMIT, os.killpg, (session.pid, signal.SIGKILL))
        end.start()
        stack.callback(end.cancel)

        def press(folder: Path) -> list[str]:
            assert session.stdin is not None
            assert session.stdout is not None
            session.stdin.write(f"{folder}\n")
            session.stdin.flush()
            for line in session.stdout:
                if line.startswith("["):  # the accessibility bus talks too
                    return list(json.loads(line))
            pytest.fail((tmp_path / "log").read_text())

        yield press
        session.communicate()


def test_colorize_in_the_menu_of_a_file_manager(home: Path, menu_of: Callable[[Path], list[str]]) -> None:
    """Not on text; on pictures it is there, and makes a coloured copy of each of them beside it."""
    texts, pictures = home / "Texts", home / "Pictures"
    texts.mkdir()
    (texts / "letter.txt").write_text("Dear Eve")
    pictures.mkdir()
    digests = {}
    for name in NAMES:
        Image.fromarray(data.camera()).resize((96, 64)).save(pictures / name)
        digests[name] = hashlib.sha256((pictures / name).read_bytes()).digest()

    texts_menu = menu_of(texts)
    assert texts_menu
    assert "Colorize" not in texts_menu
    assert "Colorize" in menu_of(pictures)

    results = {name: "{}.color{}".format(*os.path.splitext(name)) for name in NAMES}
    until = time.monotonic() + LIMIT
    while {path.name for path in pictures.iterdir()} != {*NAMES, *results.values()}:
        assert time.monotonic() < until, sorted(path.name for path in pictures.iterdir())
        time.sleep(0.2)
    for name, result in results.items():
        assert hashlib.sha256((pictures / name).read_bytes()).digest() == digests[name]
        with Image.open(pictures / result) as image:
            assert image.size == (96, 64)
            assert np.ptp(np.asarray(image).astype(int), axis=2).max() > 8
