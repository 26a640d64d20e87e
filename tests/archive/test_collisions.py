"""Outputs that would replace an input or each other are refused before any work."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from colorize_media.archive import collisions
from colorize_media.archive.collisions import distinguishes
from colorize_media.archive.discovery import Selection
from colorize_media.archive.plan import make_plan
from colorize_media.errors import InputIsOutput, OutputCollision

GIF = b"GIF89a\x01\0\x01\0\0\0\0"
JPEG = b"\xff\xd8\xff\xe0"


def put(path: Path, content: bytes = JPEG) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_names_that_become_one_output_are_refused_before_any_work(tmp_path: Path) -> None:
    put(tmp_path / "in" / "a.gif", GIF)
    put(tmp_path / "in" / "a.gif.png", b"\x89PNG")
    with pytest.raises(OutputCollision) as caught:
        make_plan([tmp_path / "in"], tmp_path / "out", overwrite=False)
    assert "a.gif and" in caught.value.why
    assert not (tmp_path / "out").exists()
    assert len(make_plan([tmp_path / "in"], None, overwrite=False, selection=Selection(exclude=("*.gif",)))) == 1


def test_thousands_of_collisions_are_told_in_a_few_words(tmp_path: Path) -> None:
    for folder in ("1", "2"):
        for number in range(50):
            put(tmp_path / folder / f"{number}.jpg")
    with pytest.raises(OutputCollision) as caught:
        make_plan([tmp_path / "1", tmp_path / "2"], tmp_path / "out", overwrite=False)
    assert "45 more" in caught.value.why
    assert len(caught.value.why) < 2000


def test_the_same_file_named_twice_is_done_once(tmp_path: Path) -> None:
    source = put(tmp_path / "a.jpg")
    assert len(make_plan([source, source], tmp_path / "out", overwrite=False)) == 1


NEAR = [("IMG_1.jpg", "img_1.JPG"), (unicodedata.normalize("NFC", "café.jpg"), unicodedata.normalize("NFD", "café.jpg")),
        ("straße.jpg", "STRASSE.jpg")]  # fmt: skip


@pytest.mark.parametrize(("one", "other"), NEAR)
def test_names_that_only_some_file_systems_keep_apart(
    tmp_path: Path, one: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "in" / one)
    put(tmp_path / "in" / other)
    if len(os.listdir(tmp_path / "in")) == 1:
        pytest.skip("this file system does not keep them apart")
    assert len(make_plan([tmp_path / "in"], tmp_path / "out", overwrite=False)) == 2
    assert sorted(os.listdir(tmp_path)) == ["in"]
    monkeypatch.setattr(collisions, "folder_distinguishes", lambda *names: False)  # what a card or a Mac would answer
    with pytest.raises(OutputCollision):
        make_plan([tmp_path / "in"], tmp_path / "out", overwrite=False)


def test_the_file_system_itself_is_asked(tmp_path: Path) -> None:
    """By existing files where there are some, else by an empty one that is gone at once."""
    (tmp_path / "a").touch()
    os.link(tmp_path / "a", tmp_path / "A")  # as a file system that takes them for one would show them
    assert not distinguishes(tmp_path / "a", tmp_path / "A")
    (tmp_path / "b").touch()
    (tmp_path / "B").touch()
    assert distinguishes(tmp_path / "b" / "x.jpg", tmp_path / "B" / "x.jpg")
    before = sorted(os.listdir(tmp_path))
    answer = distinguishes(tmp_path / "new" / "c.jpg", tmp_path / "new" / "C.jpg")
    assert sorted(os.listdir(tmp_path)) == before
    (tmp_path / "c").touch()
    assert answer is not (tmp_path / "C").exists()


def test_an_input_under_another_spelling_is_still_an_input(tmp_path: Path) -> None:
    source = put(tmp_path / "a.jpg")
    os.link(source, tmp_path / "A.jpg")
    with pytest.raises(InputIsOutput):
        make_plan([source], tmp_path / "A.jpg", overwrite=True)


def test_replacing_an_input_is_refused_before_any_work(tmp_path: Path) -> None:
    source = put(tmp_path / "a.jpg")
    (tmp_path / "link.jpg").symlink_to(source)
    os.link(source, tmp_path / "hard.jpg")
    for output in (source, tmp_path / "link.jpg", tmp_path / "hard.jpg", tmp_path / "x" / ".." / "a.jpg"):
        (tmp_path / "x").mkdir(exist_ok=True)
        with pytest.raises(InputIsOutput) as caught:
            make_plan([source], output, overwrite=True)
        assert caught.value.exit_code == 2
    with pytest.raises(InputIsOutput):  # an input that another input's output would replace
        make_plan([source, put(tmp_path / "a.color.jpg")], None, overwrite=True)
    with pytest.raises(InputIsOutput):
        make_plan([tmp_path], tmp_path, overwrite=True)


def test_two_inputs_with_one_output_are_refused_before_any_work(tmp_path: Path) -> None:
    one, other = put(tmp_path / "1" / "a.jpg"), put(tmp_path / "2" / "a.jpg")
    with pytest.raises(OutputCollision) as caught:
        make_plan([one, other], tmp_path / "out", overwrite=False)
    assert str(one) in caught.value.why
    assert str(other) in caught.value.why
    assert caught.value.exit_code == 2
    assert not (tmp_path / "out").exists()
