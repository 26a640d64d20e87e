"""The wheel and the sdist carry everything, and the installed command works from a fresh environment."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from skimage import data

ROOT = Path(__file__).resolve().parents[1]
CARRIED = {
    "colorize_media/py.typed",
    "colorize_media/report/report.css",
    "colorize_media/report/report.js",
    "colorize_media/models/scenes.py",
    "colorize_media/models/weights/scenes.safetensors",
    "colorize_media/models/weights/regression.safetensors",
    "colorize_media/models/weights/CARD.md",
    "colorize_media/plugins/darktable/colorize.lua",
    "colorize_media/plugins/digikam/script.sh",
    "colorize_media/plugins/digikam/workflow.xml",
    "colorize_media/plugins/file_managers/nautilus.py",
    "colorize_media/plugins/file_managers/run.sh",
    "colorize_media/plugins/file_managers/thunar.xml",
    "colorize_media/training/engine.py",
    "colorize_media/training/prior.json",
    "colorize_media/training/recipes/scenes.toml",
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sdist from the tree, wheel from the sdist, as an index would get them; without the network."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "-o", str(out), str(ROOT)], check=True, capture_output=True
    )
    return out


@pytest.mark.slow
def test_wheel_and_sdist_carry_weights_recipes_and_no_foreign_top_level(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert names >= CARRIED
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"colorize_media"}
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        inside = {name.partition("/")[2] for name in archive.getnames()}
    assert {"models/weights/scenes.safetensors", "training/engine.py", "LICENSE", "NOTICE", "README.md"} <= inside


@pytest.mark.slow
def test_the_installed_command_colours_a_picture(built: Path, tmp_path: Path) -> None:
    """A fresh venv that sees the running interpreter's libraries, with only our wheel installed into it."""
    (wheel,) = built.glob("*.whl")
    venv.create(tmp_path / "venv")
    folder = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
    pip = [sys.executable, "-m", "pip", "--python", str(folder / "python")]
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True)
    paths = {"base": str(tmp_path / "venv"), "platbase": str(tmp_path / "venv")}
    site = Path(sysconfig.get_path("purelib", vars=paths))
    (site / "libraries.pth").write_text("\n".join(path for path in sys.path if path.endswith("-packages")))
    Image.fromarray(data.camera()).save(tmp_path / "old.jpg")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    result = subprocess.run(
        [folder / "colorize-media", "old.jpg"], cwd=tmp_path, capture_output=True, text=True, env=environment
    )
    assert result.returncode == 0, result.stderr
    with Image.open(tmp_path / "old.color.jpg") as image:
        assert image.size == (512, 512)
    where = "import colorize_media.models as m, colorize_media.training as t; print(m.__file__); print(t.__file__)"
    told = subprocess.run(
        [folder / "python", "-c", where], cwd=tmp_path, capture_output=True, text=True, env=environment, check=True
    )
    assert all(str(site) in line for line in told.stdout.splitlines()), told.stdout


def test_this_installation_maps_the_top_folders() -> None:
    for name in ("models", "training"):
        module = importlib.import_module(f"colorize_media.{name}")
        assert module.__name__ == f"colorize_media.{name}"
        assert module.__file__ is not None


def test_no_large_file_but_the_weights_is_tracked() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        if path.exists():
            assert path.stat().st_size < (30e6 if path.suffix == ".safetensors" else 2**20), name


def test_install_lines_stand_in_the_readme_alone_and_are_what_the_gate_runs() -> None:
    """People's before developers'; the gate takes the developers' two lines out of it, word for word."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    taken = re.findall(r"read_command '([^']+)'", (ROOT / ".ci" / "run").read_text(encoding="utf-8"))
    assert taken == ["python3 -m venv", "scripts/check"]
    lines = [[line.strip() for line in readme.splitlines() if re.match(f" +{begin}", line)] for begin in taken]
    assert lines == [
        ['python3 -m venv .venv && . .venv/bin/activate && pip install -e ".[dev]"'],
        ["scripts/check"],
    ]
    places = [
        readme.index(words) for words in ("    pipx install .", "uv tool install --torch-backend cpu .", "-m venv")
    ]
    assert places == sorted(places)
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "training").glob("*.md")]
    ours = re.compile(r"pip install (-e|\.)|pipx install|uv tool install|colorize-media\[")
    found = {page.name for page in pages if ours.search(page.read_text(encoding="utf-8"))}
    assert found == {"README.md"}
