"""Flag before environment before file; a wrong file is named."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from colorize_media.cli.main import run


def test_environment_and_config_file_give_the_same_options(
    photo: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = photo.with_name("settings.toml")
    config.write_text(f'model = "{fresh_weights}"\nvividness = 0.0\n')
    grey = photo.with_name("grey.png")
    assert run([str(photo), "-o", str(grey), "--config", str(config)]) == 0
    assert np.ptp(np.asarray(Image.open(grey)).astype(int), axis=2).max() == 0
    monkeypatch.setenv("COLORIZE_MEDIA_VIVIDNESS", "2")  # environment before file
    vivid = photo.with_name("vivid.png")
    assert run([str(photo), "-o", str(vivid), "--config", str(config)]) == 0
    assert np.ptp(np.asarray(Image.open(vivid)).astype(int), axis=2).max() > 0
    flag = photo.with_name("flag.png")
    assert (
        run([str(photo), "-o", str(flag), "--config", str(config), "--vividness", "0"]) == 0
    )  # flag before environment
    assert np.ptp(np.asarray(Image.open(flag)).astype(int), axis=2).max() == 0


def test_the_users_own_config_file(
    photo: Path, fresh_weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    (tmp_path / "home" / "colorize-media").mkdir(parents=True)
    (tmp_path / "home" / "colorize-media" / "config.toml").write_text(
        f'model = "{fresh_weights}"\nquiet = true\n[evaluate]\nlimit = 3\n'
    )
    assert run([str(photo)]) == 0


@pytest.mark.parametrize("text", ["vividnes = 1", "= 3", "[nonsense]\nx = 1"])
def test_a_wrong_config_file_is_named(photo: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = photo.with_name("settings.toml")
    config.write_text(text)
    assert run([str(photo), "--config", str(config)]) == 2
    assert str(config) in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "key"),
    [("vividness = [1, 2]", "vividness"), ("batch-size = 'many'", "batch-size"), ("smoothing = 'wild'", "smoothing"),
     ("for = 'fun'", "for")],
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_key(
    photo: Path, line: str, key: str, capsys: pytest.CaptureFixture[str]
) -> None:
    config = photo.with_name("settings.toml")
    config.write_text(line)
    assert run([str(photo), "--config", str(config)]) == 2
    told = capsys.readouterr().err
    assert f"wrong value of {key} in the config file" in told
    assert str(config) in told


@pytest.mark.skipif(os.name != "posix", reason="pipes and holes")
@pytest.mark.parametrize("kind", ["pipe", "device", "hole", "deep"])
def test_a_config_file_is_a_file_of_some_size(photo: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    config = photo.with_name("settings.toml")
    if kind == "pipe":
        os.mkfifo(config)
    elif kind == "device":
        config.symlink_to("/dev/zero")
    elif kind == "hole":
        with config.open("wb") as file:
            file.truncate(3 << 30)
    else:
        config.write_text("vividness = " + "[" * 100_000)
    assert run([str(photo), "--config", str(config)]) == 2
    assert "cannot read the config file" in capsys.readouterr().err
