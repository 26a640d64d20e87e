"""The rooms' walls: who imports whom, what is public, what the events say."""

from __future__ import annotations

import ast
import json
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import pytest

import colorize_media
from colorize_media import errors, events
from colorize_media.events import as_json
from tests.architecture import (
    Module,
    chapter_of,
    circles_of_chapters,
    circles_within,
    floors_of,
    forbidden_imports,
    homeless,
    libraries_out_of_place,
    missing_from_maps,
    modules_of,
    talkative_packages,
    unlisted_packages,
)

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).resolve().parents[1]

VOCABULARY = frozenset({"errors", "events", "machine", "options", "version", "wording"})


def _may(names: str) -> frozenset[str]:
    return frozenset(names.split()) | VOCABULARY


# The whole of who may import whom. Photographs and films never meet; nothing points upward.
CHAPTERS: dict[str, frozenset[str]] = {
    "__main__": frozenset({"cli"}),
    "cli": _may(
        "report immich archive training photo video judge motion network models metadata provenance color files plugins"
    ),
    "report": _may("archive photo video judge files"),
    "immich": _may("archive photo judge network files"),
    "python": _may("archive photo network models metadata color files"),
    "archive": _may("photo video judge network models provenance files"),
    "photo": _may("judge network metadata provenance color files"),
    "video": _may("judge motion network provenance color files"),
    "training": _may("models network judge motion color"),
    "network": _may("models color"),
    "judge": frozenset({"color", "events", "options"}),
    "motion": frozenset({"options"}),
    "plugins": frozenset({"files", "errors"}),
    "metadata": frozenset({"color", "provenance"}),
    "provenance": frozenset({"errors", "version"}),
    "files": frozenset({"errors"}),
    "models": frozenset({"errors"}),
    "machine": frozenset({"errors"}),
    "options": frozenset({"errors"}),
    "color": frozenset(),
    "errors": frozenset(),
    "events": frozenset(),
    "version": frozenset(),
    "wording": frozenset(),
}
MOST_FLOORS = 8
NETWORK = {"training/places.py", "immich/api.py"}
RESTRICTED_PICKLES = "training/imagenet.py"
MOST_MODULES_OF_A_FILM = 101  # that importing colorize_media.video.colorize brings; 35 of video, 9 of provenance

# Who may import which library: a chapter with all that is in it, or one module.
LIBRARIES: dict[str, frozenset[str]] = {
    "av": frozenset({"video", "photo.deep", "color.planes", "cli.doctor"}),
    "click": frozenset({"cli"}),
    "rich": frozenset({"cli.console"}),
    "urllib.request": frozenset({"immich.api", "training.places"}),
    "http": frozenset({"immich.api", "training.places"}),
    "socket": frozenset(),
    "requests": frozenset(),
    "pickle": frozenset(),
}

MODULES = modules_of(ROOT)


def test_every_module_stands_in_a_chapter_and_every_chapter_exists() -> None:
    assert homeless(MODULES, CHAPTERS) == []


def test_chapters_import_only_what_the_table_allows() -> None:
    assert forbidden_imports(MODULES, CHAPTERS) == []


def test_neither_chapters_nor_the_modules_in_one_go_in_a_circle() -> None:
    assert circles_of_chapters(CHAPTERS) == []
    assert circles_within(MODULES) == []


def test_the_house_has_no_more_floors_than_it_was_built_with() -> None:
    assert max(floors_of(MODULES).values()) <= MOST_FLOORS


def test_chapters_are_docstrings_that_map_their_modules() -> None:
    assert talkative_packages(MODULES) == []
    assert missing_from_maps(MODULES) == []


def test_pyproject_lists_every_package() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]["packages"]
    assert unlisted_packages(ROOT, listed) == []


def test_libraries_are_imported_where_they_belong() -> None:
    assert libraries_out_of_place(MODULES, LIBRARIES) == []


def test_text_leaves_by_one_door() -> None:
    """All that goes to a terminal is without control characters, because only `cli/terminal` writes."""
    ways = re.compile(
        r"click\.(?:s?echo|secho)\(|std(?:out|err)\.write\(|(?<!\.)\bprint\(|console\.print\((?!harmless)"
    )
    chapter = ROOT / "colorize_media"
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in chapter.rglob("*.py")
        if path.name not in ("terminal.py", "trial.py")
        and "plugins" not in path.parts  # its words are read by `try_apart`
        for match in ways.finditer(path.read_text(encoding="utf-8"))
    ]
    assert found == []


def test_training_loads_no_decoder_of_films() -> None:
    code = "import sys, colorize_media.training.commands; print('av' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
        == "False"
    )


def test_a_film_loads_no_code_of_photographs() -> None:
    code = "import sys, colorize_media.video.colorize; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    out = [name for name in loaded if name.startswith("colorize_media.")]
    assert "colorize_media.video.colorize" in out
    assert {chapter_of(name) for name in out} & {"photo", "metadata", "archive", "immich", "cli", "report"} == set()
    assert len(out) <= MOST_MODULES_OF_A_FILM, "\n".join(out)


@pytest.fixture
def planted(tmp_path: Path) -> Callable[..., list[Module]]:
    """A small sound tree, with files put into it; and its modules."""
    sound = {
        "colorize_media/__init__.py": "",
        "colorize_media/errors.py": "",
        "colorize_media/low/__init__.py": '"""The low one.\n\nground  it\n"""',
        "colorize_media/low/ground.py": "from colorize_media import errors",
        "colorize_media/high/__init__.py": '"""The high one.\n\nroof   above\ncellar  below\n"""',
        "colorize_media/high/roof.py": "from colorize_media.high.cellar import a\nfrom colorize_media.low.ground import b",
        "colorize_media/high/cellar.py": "import numpy",
        "models/__init__.py": "",
        "training/__init__.py": '"""T."""',
    }

    def plant(**files: str) -> list[Module]:
        for name, text in (sound | {key.replace("__", "/") + ".py": text for key, text in files.items()}).items():
            path = tmp_path / name.replace("/init", "/__init__") if "/init.py" in name else tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return modules_of(tmp_path)

    return plant


SMALL: dict[str, frozenset[str]] = {
    "high": frozenset({"low"}),
    "low": frozenset({"errors"}),
    "errors": frozenset(),
    "models": frozenset(),
    "training": frozenset(),
}


def test_the_sound_tree_passes(planted: Callable[..., list[Module]]) -> None:
    modules = planted()
    assert homeless(modules, SMALL) == forbidden_imports(modules, SMALL) == circles_within(modules) == []
    assert talkative_packages(modules) == missing_from_maps(modules) == circles_of_chapters(SMALL) == []
    assert floors_of(modules) == {"errors": 1, "low": 2, "high": 3, "models": 1, "training": 1}


@pytest.mark.parametrize(
    "text",
    [
        "from colorize_media.high.roof import a",
        "import colorize_media.high.roof",
        "def f():\n    from colorize_media.high import roof",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from colorize_media.high.roof import A",
        "from ..high.roof import a",
    ],
)
def test_an_arrow_upward_is_found(planted: Callable[..., list[Module]], text: str) -> None:
    found = forbidden_imports(planted(colorize_media__low__ground=text), SMALL)
    assert found
    assert all(line.startswith("colorize_media.low.ground imports colorize_media.high") for line in found)


def test_the_package_itself_is_no_way_round(planted: Callable[..., list[Module]]) -> None:
    found = forbidden_imports(planted(colorize_media__low__ground="import colorize_media"), SMALL)
    assert found == ["colorize_media.low.ground imports the package itself: name the module"]


def test_circles_are_found(planted: Callable[..., list[Module]]) -> None:
    modules = planted(colorize_media__high__cellar="from colorize_media.high import roof")
    assert circles_within(modules) == [
        "colorize_media.high.cellar → colorize_media.high.roof → colorize_media.high.cellar"
    ]
    assert circles_of_chapters(SMALL | {"errors": frozenset({"high"})}) == ["errors → high → low → errors"]


def test_strangers_and_empty_chapters_are_found(planted: Callable[..., list[Module]]) -> None:
    modules = planted(colorize_media__new__thing="", colorize_media__loose="")
    assert homeless(modules, SMALL) == ["loose is in no chapter", "new is in no chapter"]
    assert homeless(modules, SMALL | {"attic": frozenset(), "new": frozenset(), "loose": frozenset()}) == [
        "the chapter attic has no module"
    ]


def test_a_chapter_that_imports_and_a_wrong_map_are_found(planted: Callable[..., list[Module]]) -> None:
    modules = planted(
        colorize_media__low__init='"""Low."""\nimport os',
        colorize_media__high__init='"""High.\n\nroof   above\ntower  gone\n"""',
    )
    assert talkative_packages(modules) == ["colorize_media.low's __init__ is more or less than a docstring"]
    assert missing_from_maps(modules) == [
        "colorize_media.high's docstring does not name cellar",
        "colorize_media.high's docstring names tower, which is not there",
        "colorize_media.low's docstring does not name ground",
    ]


def test_packages_that_pyproject_forgot_are_found(planted: Callable[..., list[Module]], tmp_path: Path) -> None:
    planted()
    known = ["colorize_media", "colorize_media.low", "colorize_media.models", "colorize_media.training"]
    assert unlisted_packages(tmp_path, [*known, "colorize_media.gone"]) == [
        "pyproject.toml does not list colorize_media.high",
        "pyproject.toml lists colorize_media.gone, which is no package",
    ]


def test_libraries_out_of_place_are_found(planted: Callable[..., list[Module]]) -> None:
    modules = planted()
    for homes, wrong in (({"low"}, True), ({"high"}, False), ({"high.cellar"}, False), ({"high.cell"}, True)):
        found = libraries_out_of_place(modules, {"numpy": frozenset(homes)})
        assert found == (["colorize_media.high.cellar imports numpy"] if wrong else [])


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
        "colorize",
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
                if bad == "torch.load(" and "/".join(file.parts[-2:]) == RESTRICTED_PICKLES:
                    assert text.count(bad) == text.count(", weights_only=True)") == 1
                    continue  # other people's weights to train from, by the loader that runs no code of theirs
                if bad in ("urllib.request", "http.client") and "/".join(file.parts[-2:]) in NETWORK:
                    continue  # they use the network when a person asks for it and says where
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
        "what": None,
        "earlier": False,
        "sequence": "",
        "frame": None,
        "sidecars": [],
        "older": False,
    }
    assert rows[1]["time"] == 0.125
    assert rows[2]["event"] == "summary"
