"""The rooms' walls: who imports whom, what is public, what the events say."""

from __future__ import annotations

import ast
import json
import pickle
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest

import colorize_media
from colorize_media import errors, events
from colorize_media.events import as_json

ROOT = Path(__file__).resolve().parents[1]

# A room may import rooms to its right in DESIGN's order, never to its left. Rooms on one floor are listed together.
FLOORS = [
    {"__main__"},
    {"cli"},
    {"film_evaluation", "report", "host_batch"},
    {"console", "archive", "inspection", "doctor", "export", "plugins", "immich"},
    {"photo_queue", "preview", "plan", "report_page", "thumbnails"},
    {"in_flight", "immich_api"},
    {"trial"},
    {"pipeline"},
    {"stills", "keyframes"},
    {"decision", "photo_writer"},
    {"photo_encode"},
    {"photo_join"},
    {"discovery", "photo", "video_writer", "smoothing", "color_shots", "documents", "colorizer"},
    {"film_file"},
    {"anchors", "monochrome", "video_encoder", "work_folder"},
    {"photo_decode"},
    {"photo_deep", "heif", "camera_raw", "video", "shots", "refine", "engines", "averaging", "segments"},
    {"metadata_read", "metadata_out"},
    {"metadata_jpeg", "metadata_png", "metadata_tiff"},
    {"flow", "metadata", "planes", "device", "film_part", "manifest"},
    {"icc", "exif", "iptc"},
    {"xmp", "color", "models", "pixels", "tiff_pages"},
    {"files", "outcomes", "outputs", "progress"},
    {"options", "events", "formats", "machine", "extras", "quiet"},
    {"errors", "__init__"},
]
FLOOR = {room: number for number, floor in enumerate(FLOORS) for room in floor}
TRAINING_MAY = {"training", "models", "color", "refine", "options", "errors", "flow", "monochrome", "machine", "device"}


def imported_rooms(file: Path) -> set[str]:
    """Rooms of this package that a file imports anywhere, functions included (type-checking blocks too)."""
    rooms = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names = (
                [f"{node.module}.{alias.name}" for alias in node.names]
                if node.module == "colorize_media"
                else [node.module]
            )
        for name in names:
            parts = name.split(".")
            if parts[0] == "colorize_media":
                room = parts[1] if len(parts) > 1 else "__init__"
                rooms.add("__init__" if room == "__version__" else room)
    return rooms


@pytest.mark.parametrize("file", sorted((ROOT / "colorize_media").glob("*.py")), ids=lambda file: file.stem)
def test_rooms_import_only_downwards(file: Path) -> None:
    if file.stem == "__init__":
        return  # names the rooms it loads lazily
    assert file.stem in FLOOR, f"{file.stem} stands on no floor: put it in FLOORS"
    for room in imported_rooms(file) - {"training"}:
        assert FLOOR[room] > FLOOR[file.stem], f"{file.stem} → {room}"


def test_plugins_know_files_and_errors_alone() -> None:
    for file in (ROOT / "colorize_media" / "plugins").rglob("*.py"):
        assert imported_rooms(file) <= {"plugins", "files", "outputs", "errors"}, file


def test_only_the_command_line_knows_training() -> None:
    for file in (ROOT / "colorize_media").glob("*.py"):
        assert "training" not in imported_rooms(file) or file.stem == "cli", file


def test_networks_are_a_leaf() -> None:
    for file in (ROOT / "models").glob("*.py"):
        assert imported_rooms(file) <= {"models", "errors"}, file


def test_training_imports_no_decoder_of_films() -> None:
    for file in (ROOT / "training").glob("*.py"):
        # torchrun starts __main__, which is the train command.
        assert imported_rooms(file) <= (TRAINING_MAY if file.stem != "__main__" else {"cli"}), file
        assert "av" not in {
            alias.name
            for node in ast.walk(ast.parse(file.read_text()))
            if isinstance(node, ast.Import)
            for alias in node.names
        }
    code = "import sys, colorize_media.training.commands; print('av' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )


def test_importing_the_package_costs_nothing() -> None:
    code = (
        "import sys, colorize_media; print(sorted({'torch', 'av', 'cv2', 'numpy', 'rich', 'click'} & set(sys.modules)))"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_exported_names() -> None:
    assert colorize_media.__all__ == [
        "ColorizeError",
        "ColorizeOptions",
        "Colorizer",
        "__version__",
        "colorize_photo",
        "colorize_video",
    ]
    for name in colorize_media.__all__:
        assert getattr(colorize_media, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = colorize_media.nonsense


def test_no_unsafe_calls() -> None:
    """No pickle, no shell, no network, no lenient loading, no printing or exiting outside the command line."""
    for folder in ("colorize_media", "models", "training"):
        for file in (ROOT / folder).rglob("*.py"):
            text = file.read_text(encoding="utf-8")
            for bad in (
                "torch.load(",
                "import pickle",
                "shell=True",
                "os.system",
                "strict=False)",
                "urllib.request",
                "http.client",
                "import socket",
                "import requests",
            ):
                if bad == "strict=False)" and folder == "colorize_media":
                    continue  # zip(..., strict=False) there; networks are loaded in models
                if bad in ("urllib.request", "http.client") and file.name in ("places.py", "immich_api.py"):
                    continue  # the only two that use the network, when a person asks for it and says where
                assert bad not in text, f"{bad} in {file}"
            tree = ast.parse(text)
            calls = {
                node.func.id
                for node in ast.walk(tree)
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
            }
            assert "print" not in calls, file
            assert "sys.exit" not in text or file.name == "__main__.py", file


@pytest.mark.parametrize(
    "kind",
    [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, errors.ColorizeError)],
)
def test_every_error_has_four_parts_and_survives_a_process_boundary(kind: type[errors.ColorizeError]) -> None:
    error = kind("cannot do it", path="/a/b.jpg", why="it rains", hint="wait")
    assert str(error) == "cannot do it: /a/b.jpg: it rains (wait)"
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), again.what, again.path, again.why, again.hint) == (
        kind,
        "cannot do it",
        Path("/a/b.jpg"),
        "it rains",
        "wait",
    )
    assert kind.exit_code in (1, 2, 3)
    assert kind.__doc__


def test_events_become_json() -> None:
    source = Path("in.mp4")
    told = [
        events.Planned(source, None, "video", "fail", "why"),
        events.Advanced(source, 3, Fraction(1, 8)),
        events.Summary(1, 2, 3, 0.5),
    ]
    rows = [json.loads(json.dumps(as_json(event))) for event in told]
    assert rows[0] == {
        "event": "planned",
        "source": "in.mp4",
        "target": None,
        "kind": "video",
        "action": "fail",
        "reason": "why",
        "root": None,
        "tree": None,
        "replaces": False,
    }
    assert rows[1]["time"] == 0.125
    assert rows[2]["event"] == "summary"
