"""`prepare`: real files and tars in, shards that training reads out; nothing hostile, half-written or double gets through."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import signal
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageCms

from colorize_media.cli.main import run
from colorize_media.errors import BadOption, InputIsOutput, OutputUnwritable, TrainingProblem
from colorize_media.training import places, sources
from colorize_media.training import prepare as room
from colorize_media.training.duplicates import Fingerprint, Fingerprints, fingerprint, group_copies
from colorize_media.training.inputs import Input
from colorize_media.training.pictures import load_pictures
from colorize_media.training.prepare import PrepareOptions, prepare_command
from colorize_media.training.shards import Entry, write_shards
from colorize_media.training.sources import find_sources, read_pictures
from tests.made.pictures import pillow
from tests.made.tars import write_tar

SHARED = Path(__file__).resolve().parents[3] / "shared"
Rgb = NDArray[np.uint8]
NOTHING = hashlib.sha256(b"").hexdigest()


def scene(number: int, width: int = 120, height: int = 90) -> Rgb:
    """A smooth picture of many colours, unlike that of any other number."""
    random = np.random.default_rng(number)
    patches = random.integers(0, 256, (6, 8, 3)).astype(np.float32)
    smooth = cv2.resize(patches, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + random.normal(0, 4, smooth.shape), 0, 255).astype(np.uint8)


def write_folder(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def scenes(count: int, first: int = 0, form: str = "PNG") -> dict[str, bytes]:
    return {f"{n}.{form.lower()}": pillow(form, scene(n)) for n in range(first, first + count)}


def class_folders(folder: Path, count: int = 24) -> Path:
    return write_folder(
        folder, {f"{('beach', 'street')[n % 2]}/{n}.png": pillow("PNG", scene(n)) for n in range(count)}
    )


def prepare(*given: Path | Input, output: Path, **settings: Any) -> dict[str, Any]:
    inputs = [item if isinstance(item, Input) else Input(item) for item in given]
    return prepare_command(inputs, output, PrepareOptions(**settings), lambda text: None)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def drops(output: Path) -> dict[str, str]:
    return {row["source"]: row["reason"] for row in rows(output / "drops.csv")}


def members(folder: Path, split: str = "train") -> list[str]:
    return [picture.name for picture in read_pictures(find_sources(folder, split))]


# --- what comes out is what training reads


def test_class_folders_become_labels_that_training_reads(tmp_path: Path) -> None:
    index = prepare(class_folders(tmp_path / "in"), output=tmp_path / "out", val="4")
    assert (index["read"], index["train"], index["val"], index["dropped"]) == (24, 20, 4, {})
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "drops.csv", "index.json", "train-00.tar", "train.csv", "val.csv", "val.tar"]  # fmt: skip
    assert json.loads((tmp_path / "out" / "index.json").read_text()) == index

    found = list(read_pictures(find_sources(tmp_path / "out")))
    told = rows(tmp_path / "out" / "train.csv")
    assert list(told[0]) == ["name", "category", "label", "width", "height", "weight", "source"]
    assert [picture.name for picture in found] == [row["name"] for row in told]
    for picture, row in zip(found, told, strict=True):
        number = int(Path(row["source"]).stem)
        assert picture.label == ("beach", "street")[number % 2]
        assert row["source"] == f"in/{picture.label}/{number}.png"
        with Image.open(io.BytesIO(picture.data)) as image:
            assert image.size == (int(row["width"]), int(row["height"])) == (120, 90)
            assert np.abs(np.asarray(image).astype(int) - scene(number)).mean() < 4
    labels = {label: index["labels"][label]["train"] + index["labels"][label]["val"] for label in index["labels"]}
    assert labels == {"beach": 12, "street": 12}
    assert len(members(tmp_path / "out", "val")) == 4
    assert len(load_pictures(iter(found), 64)) == 20


@pytest.mark.slow
def test_training_accepts_the_result(tmp_path: Path) -> None:
    prepare(class_folders(tmp_path / "in", 12), output=tmp_path / "out", val="4")
    recipe = tmp_path / "tiny.toml"
    recipe.write_text('network = "regression"\nsteps = 2\nbatch = 2\nsizes = [[0.0, 32]]\n')
    told = run(["train", str(tmp_path / "out"), "-o", str(tmp_path / "run"), "--recipe", str(recipe), "--device", "cpu",
                "--limit", "6", "--val-limit", "2", "--evaluate-every", "0"])  # fmt: skip
    assert told == 0
    assert (tmp_path / "run" / "weights.safetensors").is_file()


def test_labels_and_categories_of_an_index_survive(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_tar(folder / "a.tar", scenes(3))
    (folder / "train.csv").write_text("name,category,label\n0.png,people,\n1.png,scene,ocean\n2.png,scene,\n")
    prepare(folder, output=tmp_path / "out", val="0")
    found = {row["source"]: (row["category"], row["label"]) for row in rows(tmp_path / "out" / "train.csv")}
    assert found == {
        "a.tar/0.png": ("people", "people"),
        "a.tar/1.png": ("scene", "ocean"),
        "a.tar/2.png": ("scene", ""),
    }
    again = {
        picture.name: (picture.label, picture.category) for picture in read_pictures(find_sources(tmp_path / "out"))
    }
    assert sorted(again.values()) == [("", "scene"), ("ocean", "scene"), ("people", "people")]


def test_pictures_are_shrunk_upright_srgb_and_without_metadata(tmp_path: Path) -> None:
    large = scene(1, 480, 300)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn clockwise to see it upright
    exif[0x010E] = "secret place"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = srgb.replace(b"rXYZ", b"????").replace(b"gXYZ", b"rXYZ").replace(b"????", b"gXYZ")  # red is green
    files = {
        "plain.png": pillow("PNG", large),
        "turned.jpg": pillow("JPEG", scene(2, 480, 300), quality=95, exif=exif),
        "profile.png": pillow("PNG", scene(3, 480, 300), icc_profile=swapped),
        "broken-profile.png": pillow("PNG", scene(4, 480, 300), icc_profile=b"no profile"),
        "palette.png": pillow("PNG", scene(5, 480, 300)),
        "alpha.png": pillow("PNG", np.dstack([scene(6, 480, 300), np.full((300, 480), 200, np.uint8)])),
        "cmyk.jpg": b"",
    }
    memory = io.BytesIO()
    Image.fromarray(scene(5, 480, 300)).quantize(256).save(memory, "PNG")
    files["palette.png"] = memory.getvalue()
    memory = io.BytesIO()
    Image.fromarray(scene(7, 480, 300)).convert("CMYK").save(memory, "JPEG")
    files["cmyk.jpg"] = memory.getvalue()
    prepare(write_folder(tmp_path / "in", files), output=tmp_path / "out", side=100, val="0")
    source_of = {row["name"]: Path(row["source"]).name for row in rows(tmp_path / "out" / "train.csv")}
    made = {}
    for picture in read_pictures(find_sources(tmp_path / "out")):
        assert b"secret" not in picture.data
        with Image.open(io.BytesIO(picture.data)) as image:
            assert image.format == "JPEG"
            assert not {"exif", "icc_profile"} & set(image.info)
            made[source_of[picture.name]] = np.asarray(image).astype(int)
    assert set(made) == set(files)
    assert {name: rgb.shape[:2] for name, rgb in made.items()} == {
        name: ((160, 100) if name == "turned.jpg" else (100, 160)) for name in files}  # fmt: skip

    def small(number: int) -> Rgb:
        return cv2.resize(scene(number, 480, 300), (160, 100), interpolation=cv2.INTER_AREA)

    assert np.abs(made["plain.png"] - small(1)).mean() < 3
    assert np.abs(made["turned.jpg"] - np.rot90(small(2), -1)).mean() < 3
    assert np.abs(made["broken-profile.png"] - small(4)).mean() < 3
    assert np.abs(made["alpha.png"] - small(6)).mean() < 3
    assert np.abs(made["profile.png"] - small(3)[..., (1, 0, 2)]).mean() < 6
    assert np.abs(made["profile.png"] - small(3)).mean() > 20


# --- what is left out, by name and number


def grey(number: int, **size: int) -> Rgb:
    return np.repeat(cv2.cvtColor(scene(number, **size), cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)


def sepia(number: int) -> Rgb:
    print_ = grey(number).astype(np.float32)
    return np.clip(print_ * (1.0, 0.86, 0.66) + (10, 6, 0), 0, 255).astype(np.uint8)


def png_header(width: int, height: int) -> bytes:
    """A PNG that claims a size and has no pixels."""
    data = b"\x89PNG\r\n\x1a\n"
    for chunk in (b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(b"")):
        data += struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return data


def test_every_drop_has_its_reason_in_the_index_and_the_report(tmp_path: Path) -> None:
    one = scene(1, 300, 200)
    wanted = {
        "grey.jpg": ("grey", pillow("JPEG", grey(50), quality=70)),
        "mode-l.png": ("grey", pillow("PNG", grey(51)[..., 0])),
        "16-bit-grey.png": ("grey", pillow("PNG", grey(52)[..., 0].astype(np.uint16) * 257)),
        "sepia.jpg": ("toned", pillow("JPEG", sepia(53), quality=90)),
        "cut.jpg": ("unreadable", pillow("JPEG", scene(54))[:-900]),
        "text.jpg": ("unreadable", b"this is not a picture"),
        "empty.png": ("unreadable", b""),
        "tiny.png": ("too small", pillow("PNG", scene(55, 90, 63))),
        "banner.png": ("too slim", pillow("PNG", scene(56, 500, 100))),
        "large.png": ("too large", png_header(10_001, 10_000)),
        "bomb.png": ("too large", png_header(100_000, 100_000)),
        "copy/small.jpg": ("duplicate", pillow("JPEG", cv2.resize(one, (150, 100)), quality=60)),
        "copy/mirrored.webp": ("duplicate", pillow("WEBP", np.ascontiguousarray(one[:198, ::-1]))),
        "same.png": ("duplicate", pillow("PNG", one)),
        "copy/cropped.png": ("duplicate", pillow("PNG", np.ascontiguousarray(one[2:-2, 3:-3]))),
        "notes.txt": ("not a picture", b"x"),
        "phone.heic": ("not a picture", b"x"),
    }  # fmt: skip
    folder = write_folder(tmp_path / "in", {name: content for name, (_, content) in wanted.items()})
    write_folder(folder, {"a/good.png": pillow("PNG", one), "other.png": pillow("PNG", scene(2))})
    (folder / "lost.png").symlink_to(folder / "nowhere")
    os.mkfifo(folder / "pipe.png")
    index = prepare(folder, output=tmp_path / "out", val="0")
    expected = {f"in/{name}": reason for name, (reason, _) in wanted.items()}
    expected |= {"in/lost.png": "unreadable", "in/pipe.png": "link or device"}
    assert drops(tmp_path / "out") == expected
    counts = dict(index["dropped"])
    assert counts == {reason: list(expected.values()).count(reason) for reason in set(expected.values())}
    assert index["read"] == index["train"] + sum(counts.values()) == 21
    details = {row["source"]: row["detail"] for row in rows(tmp_path / "out" / "drops.csv")}
    assert details["in/bomb.png"]
    assert details["in/tiny.png"] == "90 × 63 px"
    assert details["in/copy/small.jpg"] == details["in/same.png"] == "of in/a/good.png"


def test_nothing_left_is_an_error_with_the_reasons_and_leaves_nothing(tmp_path: Path) -> None:
    folder = write_folder(
        tmp_path / "in", {"a.png": pillow("PNG", grey(1)), "b.png": b"", "c.png": pillow("PNG", grey(2))}
    )
    with pytest.raises(TrainingProblem, match="of 3: 2 grey, 1 unreadable"):
        prepare(folder, output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def grouped(*items: Fingerprint) -> NDArray[np.int64]:
    return group_copies(*Fingerprints(items).arrays())


def test_copies_of_copies_are_one_group_and_mirrored_ones_too() -> None:
    wide = scene(3, 400, 300)
    shifted = [np.ascontiguousarray(wide[:, n : n + 360]) for n in range(0, 41, 4)]  # a pan: each like its neighbours
    ends = grouped(fingerprint(shifted[0]), fingerprint(shifted[-1]))
    assert list(ends) == [0, 1]
    others = [fingerprint(scene(n)) for n in range(100, 140)]
    mirrored = fingerprint(np.ascontiguousarray(shifted[5][:, ::-1]))
    group = grouped(*others, *map(fingerprint, shifted), mirrored)
    assert list(group[:40]) == list(range(40))
    assert set(group[40:]) == {40}


def test_thousands_of_equal_and_of_different_pictures_are_compared() -> None:
    random = np.random.default_rng(1)
    one = fingerprint(scene(1))
    signs = random.choice(np.array([-1, 1], np.int8), (1500, 64))
    thumbnails = random.integers(0, 256, (1500, 16, 16, 3), np.uint8)
    different = [Fingerprint(*pair) for pair in zip(signs, thumbnails, strict=True)]
    group = grouped(*different, *[one] * 1500)
    assert list(group[:1500]) == list(range(1500))
    assert set(group[1500:]) == {1500}
    assert list(grouped()) == []
    assert list(grouped(one)) == [0]


# --- the split and the order


def test_validation_is_the_smallest_content_hashes_exactly(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", scenes(30))
    digest = {f"in/{path.name}": hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    smallest = sorted(digest, key=lambda name: digest[name])
    for val, count in (("7", 7), ("20%", 6), ("0.1", 3), ("0", 0), ("", 3)):
        index = prepare(folder, output=tmp_path / f"out{val}", val=val)
        found = {row["source"] for row in rows(tmp_path / f"out{val}" / "val.csv")}
        assert found == set(smallest[:count]), val
        assert (index["train"], index["val"]) == (30 - count, count)
        assert (tmp_path / f"out{val}" / "val.tar").exists() == (count > 0)


def test_no_copy_of_a_validation_picture_is_trained_on(tmp_path: Path) -> None:
    files = {}
    for n in range(12):
        files[f"a/{n}.png"] = pillow("PNG", scene(n, 200, 150))
        files[f"b/{n}.jpg"] = pillow("JPEG", cv2.resize(scene(n, 200, 150), (160, 120)), quality=70)
    prepare(write_folder(tmp_path / "in", files), output=tmp_path / "out", val="5")
    sides = {
        split: {Path(row["source"]).stem for row in rows(tmp_path / "out" / f"{split}.csv")}
        for split in ("train", "val")
    }
    assert len(sides["val"]) == 5
    assert len(sides["train"]) == 7
    assert not sides["val"] & sides["train"]


@pytest.mark.parametrize("val", ["-1", "x", "1.5", "100%", "5 %", "0x10", "1."])
def test_a_val_that_is_no_number_or_share_is_refused(val: str) -> None:
    with pytest.raises(BadOption, match="--val"):
        PrepareOptions(val=val)


@pytest.mark.parametrize("bad", [{"side": 63}, {"quality": 0}, {"shard_size": 10}, {"sha256": "abc"}])
def test_options_out_of_range_are_refused(bad: dict[str, Any]) -> None:
    with pytest.raises(BadOption, match=next(iter(bad))):
        PrepareOptions(**bad)


def test_the_default_split_is_a_thousand_but_at_most_a_tenth() -> None:
    assert [PrepareOptions().count_val(count) for count in (5, 200, 10_000, 41_000)] == [0, 20, 1000, 1000]


def test_a_val_that_leaves_nothing_to_train_on_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="3 pictures are good"):
        prepare(write_folder(tmp_path / "in", scenes(3)), output=tmp_path / "out", val="3")
    assert not (tmp_path / "out").exists()


def test_a_folders_own_validation_tar_stays_one_unless_asked(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    train, val = scenes(8), scenes(4, first=20)
    train["copy.jpg"] = pillow("JPEG", scene(20), quality=80)  # of a validation picture: leaves training
    write_tar(folder / "train-00.tar", train)
    write_tar(folder / "val.tar", val)
    index = prepare(folder, output=tmp_path / "kept")
    assert (index["train"], index["val"], index["dropped"]) == (8, 4, {"duplicate": 1})
    assert {row["source"] for row in rows(tmp_path / "kept" / "val.csv")} == {f"val.tar/{name}" for name in val}
    index = prepare(folder, output=tmp_path / "anew", val="2")
    assert (index["train"], index["val"]) == (10, 2)


def test_the_same_pictures_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = class_folders(tmp_path / "a" / "one", 14), write_tar(tmp_path / "a" / "two.tar", scenes(6, first=50))
    two_again = tmp_path / "b" / "two.tar"
    two_again.parent.mkdir()
    two_again.write_bytes(two.read_bytes())
    one_again = class_folders(tmp_path / "b" / "one", 14)
    for number, path in enumerate(one_again.rglob("*.png")):
        os.utime(path, (number, number))
    prepare(one, two, output=tmp_path / "x" / "first", val="4")
    monkeypatch.setattr(room, "WORKERS", 1)
    prepare(two_again, one_again, output=tmp_path / "second", val="4")
    first, second = contents(tmp_path / "x" / "first"), contents(tmp_path / "second")
    assert first == second
    prepare(one, two, output=tmp_path / "third", val="4", seed=1)
    third = contents(tmp_path / "third")
    assert third["train-00.tar"] != first["train-00.tar"]
    assert sorted(members(tmp_path / "third")) == sorted(members(tmp_path / "second"))
    assert sorted(members(tmp_path / "third", "val")) == sorted(members(tmp_path / "second", "val"))
    index = json.loads(first["index.json"])
    for file in index["files"]:
        assert hashlib.sha256(first[file["name"]]).hexdigest() == file["sha256"]
        assert len(first[file["name"]]) == file["bytes"]
    assert [source.get("sha256") for source in index["sources"]] == [None, hashlib.sha256(two.read_bytes()).hexdigest()]
    assert str(tmp_path) not in first["index.json"].decode()


def test_pictures_are_shuffled(tmp_path: Path) -> None:
    prepare(class_folders(tmp_path / "in", 24), output=tmp_path / "out", val="0")
    labels = [row["label"] for row in rows(tmp_path / "out" / "train.csv")]
    assert labels != sorted(labels)
    numbers = [int(Path(row["source"]).stem) for row in rows(tmp_path / "out" / "train.csv")]
    assert numbers != sorted(numbers)


def test_shards_keep_within_their_size_and_hold_every_picture_once(tmp_path: Path) -> None:
    random = np.random.default_rng(3)
    pieces = [random.bytes(int(random.integers(1, 9000))) for _ in range(250)] + [random.bytes(60_000)]
    (tmp_path / "spool").write_bytes(b"".join(pieces))
    entries, offset = [], 0
    for number, piece in enumerate(pieces):
        entries.append(Entry(f"{number}.jpg", "", "", 1, 1, "", offset, len(piece)))
        offset += len(piece)
    written = write_shards(tmp_path / "spool", entries, 51_200, "train", tmp_path)
    assert len(written) > 10
    assert [path.name for path in written] == [f"train-{number:02d}.tar" for number in range(len(written))]
    sizes = [path.stat().st_size for path in written]
    assert [size <= 51_200 for size in sizes] == [True] * (len(sizes) - 1) + [False]  # one picture alone is larger
    assert sum(sizes) < 1.4 * offset
    found = {picture.name: picture.data for picture in read_pictures(written)}
    assert [found[f"{number}.jpg"] for number in range(len(pieces))] == pieces
    assert write_shards(tmp_path / "spool", [], 51_200, "val", tmp_path) == []


# --- hostile and damaged sources


def test_hostile_archives_write_nothing_outside(tmp_path: Path) -> None:
    names = ("../../up.png", "/abs/olute.png", "a/../../b.png", "fine.png")
    files = {name: pillow("PNG", scene(number)) for number, name in enumerate(names, 1)}
    file = write_tar(tmp_path / "in" / "evil.tar", files)
    with tarfile.open(file, "a") as archive:
        for name, kind, link in (("soft.png", tarfile.SYMTYPE, "/etc/passwd"), ("hard.png", tarfile.LNKTYPE, "../../up.png"),
                                 ("null.png", tarfile.CHRTYPE, ""), ("fifo.png", tarfile.FIFOTYPE, "")):  # fmt: skip
            header = tarfile.TarInfo(name)
            header.type, header.linkname = kind, link
            archive.addfile(header)
    before = set(tmp_path.rglob("*"))
    prepare(file, output=tmp_path / "out", val="0")
    assert {path.parent for path in tmp_path.rglob("*") if path not in before} == {tmp_path, tmp_path / "out"}
    for name in members(tmp_path / "out"):
        assert name == f"{Path(name).stem}.jpg"
    left_out = drops(tmp_path / "out")
    assert left_out == {f"evil.tar/{name}.png": "link or device" for name in ("soft", "hard", "null", "fifo")}


@pytest.mark.parametrize("label", ["..", ".hidden", "a\\b", "C:", "плаж", "x" * 200, "new\nline", "-rf", "a|b"])
def test_any_class_folder_gives_safe_member_names_and_keeps_its_label(tmp_path: Path, label: str) -> None:
    name = room._member_name(label, NOTHING)
    assert name.isascii()
    assert len(name) < 100
    assert not name.startswith((".", "/"))
    assert ".." not in Path(name).parts
    if label == ".." or len(label) > 100:
        return  # no folder can be called so
    prepare(
        write_folder(tmp_path / "in", {f"{label}/1.png": pillow("PNG", scene(1))}), output=tmp_path / "out", val="0"
    )
    assert [picture.label for picture in read_pictures(find_sources(tmp_path / "out"))] == [label]


def test_a_file_name_that_is_not_unicode(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    try:
        (folder / os.fsdecode(b"caf\xe9.png")).write_bytes(pillow("PNG", scene(1)))
    except (OSError, UnicodeError) as problem:
        pytest.skip(f"this file system takes Unicode names only: {problem}")
    prepare(folder, output=tmp_path / "out", val="0")
    assert rows(tmp_path / "out" / "train.csv")[0]["source"] == "in/caf\\udce9.png"


def test_members_too_large_are_left_out_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST_MEMBER", 100_000)
    files = scenes(2) | {"huge.png": bytes(100_001)}
    file = write_tar(tmp_path / "a.tar.gz", files, "w:gz")
    prepare(file, output=tmp_path / "tar", val="0")
    prepare(write_folder(tmp_path / "in", files), output=tmp_path / "folder", val="0")
    assert drops(tmp_path / "tar") == {"a.tar.gz/huge.png": "too large"}
    assert drops(tmp_path / "folder") == {"in/huge.png": "too large"}


def damaged_header(file: Path) -> None:
    data = bytearray(file.read_bytes())
    with tarfile.open(file) as archive:
        middle = archive.getmembers()[3].offset
    data[middle : middle + 10] = b"\xff" * 10
    file.write_bytes(data)


def cut_between_members(file: Path) -> None:
    with tarfile.open(file) as archive:
        middle = archive.getmembers()[3].offset
    file.write_bytes(file.read_bytes()[:middle])


def cut_in_a_picture(file: Path) -> None:
    with tarfile.open(file) as archive:
        middle = archive.getmembers()[3].offset_data + 700
    file.write_bytes(file.read_bytes()[:middle])


def wrong_checksum(file: Path) -> None:
    data = bytearray(gzip.compress(file.read_bytes()))
    data[-8] ^= 1
    file.write_bytes(data)


def cut_gzip(file: Path) -> None:
    file.write_bytes(gzip.compress(file.read_bytes())[:-9])


def long_header(file: Path) -> None:
    """A gigabyte of extended header is a few kilobytes in a tar.gz; here three megabytes."""
    with tarfile.open(file, "w:gz", format=tarfile.PAX_FORMAT) as archive:
        header = tarfile.TarInfo("a.png")
        header.pax_headers = {"comment": "x" * 3_000_000}
        archive.addfile(header)


def no_archive(file: Path) -> None:
    file.write_bytes(b"hello" * 1000)


def nothing(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    "harm",
    [
        damaged_header,
        cut_between_members,
        cut_in_a_picture,
        wrong_checksum,
        cut_gzip,
        long_header,
        no_archive,
        nothing,
    ],
)
def test_a_damaged_archive_is_an_error_that_names_it_and_leaves_nothing(
    tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    file = write_tar(tmp_path / "pictures.tar", scenes(6))
    harm(file)
    with pytest.raises(TrainingProblem, match="cannot read training data") as caught:
        prepare(file, output=tmp_path / "out")
    assert caught.value.path == file
    assert caught.value.why
    assert not (tmp_path / "out").exists()


def test_a_folder_of_tars_and_pictures_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", {"beach/1.png": pillow("PNG", scene(1))})
    write_tar(folder / "backup.tar", scenes(2))
    with pytest.raises(TrainingProblem, match=r"both tars and pictures.*beach/1.png beside backup.tar"):
        prepare(folder, output=tmp_path / "out")


def test_a_missing_source_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(TrainingProblem, match="no such file"):
        prepare(tmp_path / "nowhere", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- the output folder


def test_other_peoples_folders_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", scenes(4))
    shards = write_folder(tmp_path / "shards", {"train-00.tar": b"precious", "index.json": b"{}"})
    for settings in ({}, {"overwrite": True}):
        with pytest.raises(BadOption, match="holds other files"):
            prepare(folder, output=shards, **settings)
    assert contents(shards) == {"train-00.tar": b"precious", "index.json": b"{}"}
    with pytest.raises(BadOption, match="not a folder"):
        prepare(folder, output=tmp_path / "shards" / "index.json")


def test_the_output_must_not_overlap_a_source(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", scenes(4))
    before = contents(tmp_path)
    file = write_tar(tmp_path / "out" / "a.tar", scenes(2))
    for source, output in ((folder, folder), (folder, folder / "out"), (folder / "0.png", folder), (file, file.parent)):
        with pytest.raises(InputIsOutput):
            prepare(source, output=output, overwrite=True)
    assert {name: data for name, data in contents(tmp_path).items() if name != "out/a.tar"} == before


def test_a_finished_folder_is_replaced_only_when_asked_and_only_by_a_whole_one(tmp_path: Path) -> None:
    folder, output = class_folders(tmp_path / "in", 30), tmp_path / "out"
    output.mkdir()  # an empty folder is fine
    prepare(folder, output=output, val="9")
    before = contents(output)
    with pytest.raises(BadOption, match="already holds prepared"):
        prepare(folder, output=output)
    with pytest.raises(TrainingProblem):
        prepare(tmp_path / "nowhere", output=output, overwrite=True)
    assert contents(output) == before
    prepare(folder, output=output, overwrite=True, val="0")
    assert sorted(contents(output)) == ["drops.csv", "index.json", "train-00.tar", "train.csv", "val.csv"]
    assert len(members(output)) == 30


def test_what_was_interrupted_while_moving_up_is_refused_by_training_and_done_again(tmp_path: Path) -> None:
    folder, output = class_folders(tmp_path / "in", 12), tmp_path / "out"
    prepare(folder, output=output, val="3")
    whole = contents(output)
    (output / ".prepare").mkdir()
    (output / "index.json").rename(output / ".prepare" / "index.json")
    (output / "val.tar").unlink()
    (output / "train-07.tar").write_bytes(b"of a larger run before")
    with pytest.raises(TrainingProblem, match="unfinished"):
        find_sources(output)
    with pytest.raises(TrainingProblem, match="no such file"):
        prepare(tmp_path / "nowhere", output=output)
    with pytest.raises(TrainingProblem, match="unfinished"):
        find_sources(output)
    (tmp_path / "empty.tar").write_bytes(b"")
    with pytest.raises(TrainingProblem, match="cannot read"):
        prepare(tmp_path / "empty.tar", output=output)
    assert not contents(output)  # nothing that looks like data
    prepare(folder, output=output, val="3")
    assert contents(output) == whole


def test_killed_in_the_middle_and_run_again(tmp_path: Path) -> None:
    folder, output = write_folder(tmp_path / "in", scenes(200)), tmp_path / "out"
    command = [sys.executable, "-m", "colorize_media", "prepare", str(folder), "-o", str(output), "-q"]
    with subprocess.Popen(command) as job:
        spool = output / ".prepare" / "spool"
        while not (spool.exists() and spool.stat().st_size) and job.poll() is None:
            time.sleep(0.01)
        job.send_signal(signal.SIGKILL)
        assert job.wait() == -signal.SIGKILL
    assert [path.name for path in output.iterdir()] == [".prepare"]
    with pytest.raises(TrainingProblem, match="unfinished"):
        find_sources(output)
    index = prepare(folder, output=output)
    assert index["read"] == 200
    assert ".prepare" not in {path.name for path in output.iterdir()}


def test_an_output_that_cannot_be_written_is_its_own_error(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "in", scenes(2))
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputUnwritable):
        prepare(folder, output=tmp_path / "file" / "out")


# --- the download


class Server:
    """A local file server. ``plan`` has one answer a request: "cut", "no ranges", an HTTP status, or "" for all well."""

    def __init__(self, content: bytes, *plan: str) -> None:
        self.content, self.plan = content, list(plan)
        self.ranges: list[str | None] = []
        self.url = ""

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.ranges.append(request.headers.get("Range"))
        plan = self.plan.pop(0) if self.plan else ""
        if plan.isdigit():
            request.send_error(int(plan))
            return
        wanted = self.ranges[-1]
        start = int(wanted[6:-1]) if wanted and plan != "no ranges" else 0
        whole = len(self.content)
        if wanted and plan != "no ranges" and start >= whole:
            request.send_response(416)
            request.send_header("Content-Range", f"bytes */{whole}")
            request.end_headers()
            return
        rest = self.content[start:]
        request.send_response(206 if start else 200)
        request.send_header("Content-Length", str(len(rest)))
        if start:
            request.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
        request.end_headers()
        request.wfile.write(rest[: len(rest) // 2] if plan == "cut" else rest)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        server.url = f"http://127.0.0.1:{http.server_port}/pictures.tar.gz"
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


BLOB = np.random.default_rng(5).bytes(3_000_000)


def fetch(server: Server, target: Path, **settings: Any) -> list[str]:
    told: list[str] = []
    places.fetch(server.url, target, told.append, pause=0.0, **settings)
    return told


def test_a_cut_connection_goes_on_where_it_was(tmp_path: Path) -> None:
    target = tmp_path / "x.tar.gz"
    with serving(Server(BLOB, "cut", "503", "cut")) as server:
        told = fetch(server, target, size=len(BLOB), sha256=hashlib.sha256(BLOB).hexdigest())
    assert target.read_bytes() == BLOB
    assert server.ranges == [None, "bytes=1500000-", "bytes=1500000-", "bytes=2250000-"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.tar.gz"]
    assert sum("the connection was cut" in line for line in told) == 2
    assert sum("503" in line for line in told) == 1


def test_the_part_of_an_earlier_run_is_gone_on_with(tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(BLOB[:1234])
    with serving(Server(BLOB)) as server:
        fetch(server, tmp_path / "x")
    assert server.ranges == ["bytes=1234-"]
    assert (tmp_path / "x").read_bytes() == BLOB


def test_a_part_that_was_whole_is_not_fetched_again(tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(BLOB)
    with serving(Server(BLOB)) as server:
        fetch(server, tmp_path / "x", size=len(BLOB))
    assert server.ranges == [f"bytes={len(BLOB)}-"]
    assert (tmp_path / "x").read_bytes() == BLOB


def test_a_part_longer_than_the_file_is_thrown_away(tmp_path: Path) -> None:
    (tmp_path / "x.part").write_bytes(BLOB + b"more")
    with serving(Server(BLOB)) as server:
        fetch(server, tmp_path / "x")
    assert server.ranges[-1] is None
    assert (tmp_path / "x").read_bytes() == BLOB


def test_a_server_without_ranges_sends_all_again(tmp_path: Path) -> None:
    with serving(Server(BLOB, "cut", "no ranges")) as server:
        fetch(server, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == BLOB


@pytest.mark.parametrize("status", ["404", "403"])
def test_what_is_not_there_is_not_asked_for_again(tmp_path: Path, status: str) -> None:
    with serving(Server(BLOB, status)) as server, pytest.raises(TrainingProblem, match=status):
        fetch(server, tmp_path / "x")
    assert len(server.ranges) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_stays_broken_is_given_up_and_the_part_stays(tmp_path: Path) -> None:
    with serving(Server(BLOB, "cut", *["503"] * 20)) as server, pytest.raises(TrainingProblem, match="503"):
        fetch(server, tmp_path / "x")
    assert len(server.ranges) == 1 + places.ATTEMPTS
    assert (tmp_path / "x.part").read_bytes() == BLOB[:1_500_000]


def test_no_server_at_all_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    with serving(Server(BLOB)) as server:
        pass
    with pytest.raises(TrainingProblem, match="other means"):
        fetch(server, tmp_path / "x")


def test_another_length_or_digest_is_refused(tmp_path: Path) -> None:
    with serving(Server(BLOB)) as server:
        with pytest.raises(TrainingProblem, match="3000000 bytes under this name, 17 are expected"):
            fetch(server, tmp_path / "x", size=17)
        with pytest.raises(TrainingProblem, match="SHA-256"):
            fetch(server, tmp_path / "x", sha256=NOTHING)
        assert list(tmp_path.iterdir()) == []
        fetch(server, tmp_path / "x", size=17, sha256=hashlib.sha256(BLOB).hexdigest().upper())  # the digest decides
    assert (tmp_path / "x").is_file()


# --- the command


def test_places205_downloaded_prepared_and_not_downloaded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tarball = write_tar(tmp_path / "t.tar.gz", {f"testSet_resize/{n}": d for n, d in scenes(6).items()}, "w:gz")
    output = tmp_path / "out"
    with serving(Server(tarball.read_bytes(), "404")) as server:
        monkeypatch.setattr(places, "URL", server.url)
        monkeypatch.setattr(places, "SIZE", tarball.stat().st_size)
        assert run(["prepare", "--places205", "-o", str(output)]) == 1
        assert not output.exists()
        assert run(["prepare", "--places205", "-o", str(output), "--val", "2"]) == 0
        assert (
            run(["prepare", "--places205", "-o", str(output), "--val", "1", "-y", "--json", "--sha256", NOTHING]) == 1
        )
        digest = hashlib.sha256(tarball.read_bytes()).hexdigest()
        capsys.readouterr()
        assert run(["prepare", "--places205", "-o", str(output), "--val", "1", "-y", "--json", "--sha256", digest]) == 0
    assert len(server.ranges) == 2
    told = json.loads(capsys.readouterr().out)
    assert told["sources"] == [{"name": places.NAME, "bytes": tarball.stat().st_size, "sha256": digest}]
    assert (told["train"], told["val"]) == (5, 1)
    assert len(members(output)) == 5  # and not the tarball, which lies beside
    assert (output / places.NAME).is_file()


def test_the_command_tells_counts_and_where_to_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = class_folders(tmp_path / "in", 10)
    write_folder(folder, {"old.png": pillow("PNG", grey(1))})
    assert run(["prepare", str(folder), "-o", str(tmp_path / "out"), "--val", "20%"]) == 0
    told = capsys.readouterr()
    for line in ("| read | 11 |", "| dropped: grey | 1 |", "| training | 8 |", "| validation | 2 |"):
        assert line in told.out.splitlines()
    assert "| beach |" in told.out
    assert "writing 10 pictures" in told.err
    assert run(["prepare", str(folder), "-o", str(tmp_path / "out")]) == 2
    assert "-y" in capsys.readouterr().err
    assert run(["prepare", str(folder), "-o", str(tmp_path / "out"), "-y", "-q", "--json"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["read"] == 11
    assert told.err == ""


@pytest.mark.parametrize(
    "words",
    [[], ["IN"], ["-o", "OUT"], ["IN", "-o", "OUT", "--val", "x"], ["IN", "-o", "OUT", "--sha256", NOTHING]],
    ids=" ".join,
)
def test_wrong_words_are_exit_code_2(tmp_path: Path, words: list[str]) -> None:
    folder = write_folder(tmp_path / "in", scenes(2))
    named = {"IN": str(folder), "OUT": str(tmp_path / "out")}
    assert run(["prepare", *(named.get(word, word) for word in words)]) == 2
    assert not (tmp_path / "out").exists()


def test_weights_of_inputs_reach_training(tmp_path: Path) -> None:
    """Through the index; one that is prepared again multiplies."""
    sea = write_folder(tmp_path / "sea", scenes(6))
    family = write_folder(tmp_path / "family", scenes(6, first=6))
    index = prepare(Input(sea, 3.0), family, output=tmp_path / "out", val="2")
    assert index["sources"] == [{"name": "family"}, {"name": "sea", "weight": 3.0}]
    told = rows(tmp_path / "out" / "train.csv")
    assert {(row["source"].split("/")[0], row["weight"]) for row in told} == {("sea", "3"), ("family", "1")}
    weights = {row["name"]: float(row["weight"]) for row in told}
    found = list(read_pictures(find_sources(tmp_path / "out")))
    assert {picture.name: picture.weight for picture in found} == weights
    prepare(Input(tmp_path / "out", 0.5), output=tmp_path / "again")
    assert {float(row["weight"]) for row in rows(tmp_path / "again" / "train.csv")} == {1.5, 0.5}


@pytest.mark.parametrize("weight", ["0", "-1", "nan", "inf", "much"])
def test_an_index_with_a_weight_that_is_none_is_refused(tmp_path: Path, weight: str) -> None:
    prepare(write_folder(tmp_path / "in", scenes(6)), output=tmp_path / "out", val="2")
    index = tmp_path / "out" / "train.csv"
    index.write_text(index.read_text().replace(",1,in/", f",{weight},in/"))
    with pytest.raises(TrainingProblem, match="index"):
        list(read_pictures(find_sources(tmp_path / "out")))


def test_progress_is_told_every_few_seconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "TELL_EVERY", 0.0)
    told: list[str] = []
    folder = write_folder(tmp_path / "in", scenes(60))
    prepare_command([Input(folder)], tmp_path / "out", PrepareOptions(), told.append)
    counts = [int(line.split()[0]) for line in told if "pictures read" in line]
    assert counts == sorted(counts)
    assert counts[-1] > 10
    assert len(counts) == 60


# --- real photographs


def test_real_photographs_are_kept_and_their_copies_found(tmp_path: Path) -> None:
    shard = SHARED / "photos" / "val.tar"
    if not shard.is_file():
        pytest.skip(f"real photographs are not at {shard}")
    files = {}
    for number, picture in enumerate(read_pictures([shard])):
        if number == 40:
            break
        files[f"{number}.webp"] = picture.data
        with Image.open(io.BytesIO(picture.data)) as image:
            rgb = np.asarray(image.convert("RGB"))
        smaller = cv2.resize(rgb, None, fx=0.8, fy=0.8, interpolation=cv2.INTER_AREA)
        made = {
            "smaller": smaller,
            "mirrored": np.ascontiguousarray(smaller[:, ::-1]),
            "brighter": np.clip(smaller * 1.15 + 5, 0, 255).astype(np.uint8),
        }
        files |= {f"copies/{number}-{name}.jpg": pillow("JPEG", copy, quality=60) for name, copy in made.items()}
        files[f"grey/{number}.jpg"] = pillow("JPEG", cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), quality=60)
    index = prepare(write_folder(tmp_path / "in", files), output=tmp_path / "out", val="0")
    assert index["dropped"]["grey"] == 40
    assert index["dropped"]["duplicate"] >= 3 * 39
    assert index["train"] >= 39
    assert {row["source"].split("/")[1] for row in rows(tmp_path / "out" / "train.csv")} <= {
        f"{n}.webp" for n in range(40)
    }
