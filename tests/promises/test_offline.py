"""Promise 8: nothing touches the network, and no pickle is loaded."""

from __future__ import annotations

import pickle
import socket
from pathlib import Path
from typing import Any

import pytest

from colorize_media.cli.main import run
from tests.made.photos import grey_picture, save
from tests.promises.conftest import Colorize


def test_a_photograph_and_a_film_are_coloured_without_a_network(
    tmp_path: Path, film: Path, colorize: Colorize, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("something asked for the network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    save(film.with_name("anna.png"), grey_picture())
    assert colorize(film.parent, "-o", tmp_path / "out", "--force") == 0


class Trap:
    """What does harm as soon as it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["model.safetensors", "model.pt", "model.pth"])
def test_weights_that_are_a_pickle_are_refused_unread(tmp_path: Path, name: str) -> None:
    photo, harm = save(tmp_path / "in.png", grey_picture()), tmp_path / "harm"
    (tmp_path / name).write_bytes(pickle.dumps(Trap(harm)))
    assert run([str(photo), "-o", str(tmp_path / "out.png"), "--model", str(tmp_path / name)]) != 0
    assert not harm.exists()
    assert not (tmp_path / "out.png").exists()
