"""Runs over archives: resumed, interrupted, on full and read-only disks; many pictures at once and each as if alone."""

from __future__ import annotations

import gc
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from colorize_media.archive.budget import memory_needed
from colorize_media.archive.in_flight import InFlight
from colorize_media.archive.manifest import MANIFEST_NAME, read_manifest
from colorize_media.archive.output_folders import OutputFolders
from colorize_media.archive.photo_queue import PhotoQueue
from colorize_media.archive.plan import Memory, make_plan
from colorize_media.archive.run import run_plan
from colorize_media.archive.running import Running
from colorize_media.cli.main import run
from colorize_media.events import Done, Event, Failed, Planned, Skipped, Started, Summary, Warned
from colorize_media.files.whole import remove_stale_parts
from colorize_media.models import ScenesConfig, save_weights
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.photo.colorize import PreparedPhoto, finish_photo, photo_colors, prepare_photo
from tests.made.films import grey_frames, make_video
from tests.made.networks import lively
from tests.made.pictures import save_grey

SMALL = ColorizeOptions(working_size=64)
PROGRAM = [sys.executable, "-m", "colorize_media"]


def do(
    inputs: list[Path],
    output: Path,
    weights: Path,
    options: ColorizeOptions = SMALL,
    *,
    retry: bool = False,
    tell: Any = None,
) -> tuple[int, list[Event]]:
    events: list[Event] = []

    def on_event(event: Event) -> None:
        events.append(event)
        if tell is not None:
            tell(event)

    plan = make_plan(inputs, output, overwrite=False, memory=Memory(options, retry_failed=retry))
    return run_plan(plan, Running(lambda: Colorizer(str(weights), "cpu"), options, on_event)), events


def results(events: list[Event]) -> list[tuple[str, str]]:
    return [(type(e).__name__, e.source.name) for e in events if isinstance(e, (Done, Skipped, Failed))]


def assert_whole(folder: Path) -> list[str]:
    """Every file under a final name is a whole picture; nothing else is there. Returns the names."""
    names = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MANIFEST_NAME]
    for path in names:
        with Image.open(path) as image:
            image.load()
    return [path.name for path in names]


# --- the next run


def test_the_next_run_does_only_what_is_left(tmp_path: Path, fresh_weights: Path) -> None:
    """Files that would fail or look different, had they been opened again: same size and time, other bytes."""
    source, out = tmp_path / "in", tmp_path / "out"
    save_grey(source / "a.png")
    Image.fromarray(data.coffee()).save(source / "b.jpg")
    (source / "c.jpg").write_bytes(b"\xff\xd8\xff broken")
    code, events = do([source], out, fresh_weights)
    assert (code, results(events)) == (1, [("Done", "a.png"), ("Skipped", "b.jpg"), ("Failed", "c.jpg")])
    for name in ("a.png", "b.jpg", "c.jpg"):
        found = (source / name).stat()
        (source / name).write_bytes(b"x" * found.st_size)
        os.utime(source / name, ns=(found.st_atime_ns, found.st_mtime_ns))
    before = (out / "a.png").stat()
    code, events = do([source], out, fresh_weights)
    assert (code, results(events)) == (1, [("Skipped", "a.png"), ("Skipped", "b.jpg"), ("Failed", "c.jpg")])
    assert not [event for event in events if isinstance(event, Started)]
    assert (out / "a.png").stat() == before
    failed = next(event for event in events if isinstance(event, Failed))
    assert "--retry-failed" in failed.hint
    save_grey(source / "c.jpg")
    os.utime(source / "c.jpg", ns=(1, 1))
    code, events = do([source], out, fresh_weights)
    assert (code, results(events)[-1]) == (0, ("Done", "c.jpg"))


def test_what_was_done_in_part_is_done_again_with_force(tmp_path: Path, fresh_weights: Path) -> None:
    """A film partly in colour and a file of two pages, one in colour; of a grey picture --force makes nothing else."""
    source, out = tmp_path / "in", tmp_path / "out"
    size = (192, 128)
    one = Image.open(save_grey(source / "a.png", size=size)).convert("RGB")
    other = Image.fromarray(data.coffee()).resize(size)
    one.save(source / "b.tif", save_all=True, append_images=[other])
    frames = [av.VideoFrame.from_image(picture).reformat(format="yuv420p") for picture in [other] * 8 + [one] * 8]
    make_video(source / "c.mkv", codec="ffv1", frames=frames, size=size)
    all_three, forced = ["a.png", "b.tif", "c.mkv"], replace(SMALL, force=True)
    code, events = do([source], out, fresh_weights)
    assert (code, results(events)) == (0, [("Done", name) for name in all_three])
    film, pages = events[-2], next(event for event in events if isinstance(event, Done) and event.pages > 1)
    assert isinstance(film, Done)
    assert (film.what, film.own_frames, pages.what, pages.pages) == ("mixed", 8, None, 2)
    _, events = do([source], out, fresh_weights)
    assert results(events) == [("Skipped", name) for name in all_three]
    code, events = do([source], out, fresh_weights, forced)
    assert (code, results(events)) == (0, [("Skipped", "a.png"), ("Done", "b.tif"), ("Done", "c.mkv")])
    assert [event.own_frames for event in events if isinstance(event, Done)] == [0, 0]
    assert not [event for event in events if isinstance(event, Warned)]
    _, events = do([source], out, fresh_weights, forced)
    assert results(events) == [("Skipped", name) for name in all_three]


def test_failures_are_tried_again_when_asked_and_those_of_the_machine_always(
    tmp_path: Path, fresh_weights: Path
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    (source / "x").mkdir(parents=True)
    (source / "a.jpg").write_bytes(b"\xff\xd8\xff broken")
    save_grey(source / "x" / "b.png")
    out.mkdir()
    (out / "x").write_text("a file where the folder should be")
    assert do([source], out, fresh_weights)[0] == 1
    assert [entry.status for entry in read_manifest(out).values()] == ["failed"]
    (out / "x").unlink()
    code, events = do([source], out, fresh_weights)
    assert (code, results(events)) == (1, [("Failed", "a.jpg"), ("Done", "b.png")])
    _, events = do([source], out, fresh_weights, retry=True)
    failed = next(event for event in events if isinstance(event, Failed))
    assert "earlier" not in failed.why


def test_modes_and_times_of_files_and_folders_are_kept(tmp_path: Path, fresh_weights: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    photo = save_grey(source / "1954" / "may" / "a.png")
    photo.chmod(0o440)
    times = {photo: 10**9, photo.parent: 2 * 10**9, photo.parent.parent: 3 * 10**9}
    photo.parent.chmod(0o710)
    for path, seconds in times.items():
        os.utime(path, (seconds, seconds))
    assert do([source], out, fresh_weights)[0] == 0
    made = out / "1954" / "may" / "a.png"
    assert (made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777) == (0o440, 0o710)
    for path, seconds in times.items():
        assert (out / path.relative_to(source)).stat().st_mtime == seconds


def test_a_finished_archive_is_known_without_the_network(tmp_path: Path, fresh_weights: Path) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    save_grey(source / "a.png")
    Image.fromarray(data.coffee()).save(source / "b.jpg")
    make_video(source / "c.mp4", frames=grey_frames(4))
    command = [str(source), "-o", str(out), "--model", str(fresh_weights), "--working-size", "64"]
    assert run([*command, "--device", "cpu"]) == 0
    code = (
        "import sys; from colorize_media.cli.main import run; code = run(sys.argv[1:]); "
        "print(code, sorted({'torch', 'cv2'} & set(sys.modules)))"
    )
    # Nor is a device asked for that nothing would be done on.
    again = subprocess.run(
        [sys.executable, "-c", code, *command, "--threads", "1", "--device", "cuda:99"], capture_output=True, text=True
    )
    assert again.stdout == "0 []\n", again.stderr
    save_grey(source / "d.png")
    assert run([*command, "--device", "cuda:99"]) == 3


# --- many at once


def test_no_thread_outlives_a_run(tmp_path: Path, fresh_weights: Path) -> None:
    """One that does is torn out of a decoder when Python ends, which aborts a run that went well."""
    for number in range(3):
        save_grey(tmp_path / "in" / f"{number}.png", number)
    code, _ = do([tmp_path / "in"], tmp_path / "out", fresh_weights)
    assert code == 0
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("photo-")]


def test_results_come_in_the_order_of_the_plan_whatever_takes_longest(tmp_path: Path, fresh_weights: Path) -> None:
    source = tmp_path / "in"
    for number in range(12):
        size = (900, 700) if number % 5 == 0 else (64 + 32 * (number % 3), 64)
        save_grey(source / f"{number:02d}.png", number, size)
    (source / "03.png").write_bytes(b"broken")
    code, events = do([source], tmp_path / "out", fresh_weights)
    assert code == 1
    assert [name for _, name in results(events)] == sorted(path.name for path in source.iterdir())
    begun: set[str] = set()
    for event in events:
        if isinstance(event, Started):
            begun.add(event.source.name)
        elif isinstance(event, Done):
            assert event.source.name in begun
    assert isinstance(events[-1], Summary)


@pytest.mark.parametrize("budget", [1, 1 << 40])
def test_the_budget_decides_how_many_are_on_the_way(tmp_path: Path, fresh_weights: Path, budget: int) -> None:
    """With room for less than one picture they go one by one: each begins after the one before it is done."""
    items = []
    for number in range(4):
        source = save_grey(tmp_path / "in" / f"{number}.png", number)
        items.append(Planned(source, tmp_path / "out" / source.name, "photo", "colorize"))
    told: list[str] = []
    colorizer = Colorizer(str(fresh_weights), "cpu")
    queue = PhotoQueue(
        lambda: colorizer, SMALL, OutputFolders(), lambda event: told.append("begin"),
        InFlight(items, OutputFolders()), workers=2, budget=budget,
    )  # fmt: skip
    try:
        queue.run(items, lambda outcome: told.append("end"))
    finally:
        queue.close()
    if budget == 1:
        assert told == ["begin", "end"] * 4
    else:
        assert told[:2] == ["begin", "begin"]
    assert len(assert_whole(tmp_path / "out")) == 4


def test_memory_is_reckoned_by_the_header_alone(tmp_path: Path) -> None:
    plain = save_grey(tmp_path / "a.png", size=(1000, 500))
    deep = tmp_path / "deep.png"
    Image.fromarray(data.camera().astype(np.uint16) * 257).resize((1000, 500)).save(deep)
    assert 500_000 * 4 < memory_needed(plain, 10**9) < memory_needed(deep, 10**9)
    (tmp_path / "bomb.png").write_bytes(plain.read_bytes()[:16] + b"\0\1\0\0" * 2 + plain.read_bytes()[24:])
    assert memory_needed(tmp_path / "bomb.png", 1_000_000) < 100_000_000
    assert memory_needed(tmp_path / "none.png", 10**9) == 0


def test_the_network_sees_pictures_of_equal_shape_together(tmp_path: Path, fresh_weights: Path) -> None:
    colorizer = Colorizer(str(fresh_weights), "cpu", batch_size=4)
    look, seen = colorizer.distribution, []

    def count(batch: torch.Tensor) -> Any:
        seen.append(tuple(batch.shape))
        return look(batch)

    colorizer.distribution = count  # type: ignore[method-assign]
    for number in range(12):
        save_grey(tmp_path / "in" / f"{number:02d}.png", number, (96, 64) if number % 2 else (64, 96))
    plan = make_plan([tmp_path / "in"], tmp_path / "out", overwrite=False)
    assert run_plan(plan, Running(lambda: colorizer, replace(SMALL, fast=True), lambda event: None)) == 0
    assert {shape[2:] for shape in seen} == {(64, 96), (96, 64)}  # each as it is, without borders
    assert sum(shape[0] for shape in seen) == 12
    assert 2 <= len(seen) <= 6
    assert max(shape[0] for shape in seen) >= 3


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak of memory cannot be set back here")
@pytest.mark.parametrize("kind", ["grey jpeg", "colour jpeg", "deep png with alpha", "deep tiff"])
def test_a_picture_takes_no_more_memory_than_its_header_foretells(tmp_path: Path, kind: str) -> None:
    """What runs together is reckoned so: a picture's whole way, but for the network, whose input is small."""
    plane = np.tile(data.camera(), (4, 5))  # 5 megapixels
    path = tmp_path / {"deep png with alpha": "a.png", "deep tiff": "a.tif"}.get(kind, "a.jpg")
    if kind == "deep png with alpha":
        deep = np.repeat(plane[..., None].astype(np.uint16) * 257, 4, axis=2)
        cv2.imwrite(str(path), deep)
    elif kind == "deep tiff":
        cv2.imwrite(str(path), plane.astype(np.uint16) * 257)
    else:
        Image.fromarray(plane).convert("L" if kind == "grey jpeg" else "RGB").save(path, quality=90)
    options = replace(SMALL, force=True)

    def way() -> None:
        prepared = prepare_photo(path, options)
        assert isinstance(prepared, PreparedPhoto)
        finish_photo(prepared, np.full((16, 20, 2), 5.0, np.float32), tmp_path / f"b{path.suffix}", options)

    way()  # what libraries keep for themselves is not the picture's
    gc.collect()
    before = _memory("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    way()
    assert _memory("VmHWM") - before <= memory_needed(path, 10**9)


def _memory(field: str) -> int:
    """Bytes of this process, as the system counts them."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def test_a_picture_has_the_same_colours_alone_and_among_others(tmp_path: Path) -> None:
    """Within what the network's arithmetic does when the number of pictures changes: the last bits of float32 or bfloat16."""
    weights = tmp_path / "lively.safetensors"
    save_weights(weights, lively(ScenesConfig()), {})
    colorizer = Colorizer(str(weights), "cpu", batch_size=4)
    prepared = [prepare_photo(save_grey(tmp_path / f"{n}.png", n), SMALL) for n in range(4)]
    pictures = [one for one in prepared if isinstance(one, PreparedPhoto)]
    together = photo_colors(pictures, colorizer, SMALL)
    alone = np.concatenate([photo_colors([one], colorizer, SMALL) for one in pictures])
    other = photo_colors(pictures[::-1], colorizer, SMALL)[::-1]
    spread = float(np.ptp(together, axis=0).max())
    assert spread > 5.0  # they differ from each other, so a mixed-up batch would show
    limit = 1e-3 if colorizer.dtype == torch.float32 else 0.5  # ab units
    assert float(np.abs(together - alone).max()) < limit
    assert float(np.abs(together - other).max()) < limit


# --- what goes wrong in between


def test_a_pipe_in_a_folder_is_a_failure_and_not_waited_for(tmp_path: Path, fresh_weights: Path) -> None:
    save_grey(tmp_path / "in" / "a.png")
    os.mkfifo(tmp_path / "in" / "b.jpg")
    code, events = do([tmp_path / "in"], tmp_path / "out", fresh_weights)
    assert (code, results(events)) == (1, [("Done", "a.png"), ("Failed", "b.jpg")])


def test_a_file_that_vanishes_midway_costs_only_itself(tmp_path: Path, fresh_weights: Path) -> None:
    source = tmp_path / "in"
    for number in range(40):
        save_grey(source / f"{number:02d}.png", number)

    def tell(event: Event) -> None:
        (source / "39.png").unlink(missing_ok=True)

    code, events = do([source], tmp_path / "out", fresh_weights, tell=tell)
    assert code == 1
    assert [name for kind, name in results(events) if kind == "Failed"] == ["39.png"]
    assert len(assert_whole(tmp_path / "out")) == 39


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 300 kB, where the machine lets one be made."""
    disk = tmp_path / "disk"
    disk.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=300k", "tmpfs", str(disk)], capture_output=True, text=True
    )
    if made.returncode:
        pytest.skip(f"no file system can be mounted here: {made.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def remount(disk: Path, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", str(disk)], check=True, capture_output=True)


def test_a_full_disk_leaves_nothing_half_written_and_the_next_run_finishes(
    tmp_path: Path, small_disk: Path, fresh_weights: Path
) -> None:
    source, out = tmp_path / "in", small_disk / "out"
    for number in range(6):
        save_grey(source / f"{number}.png", number, (320, 240))
    code, events = do([source], out, fresh_weights)
    failed = [event for event in events if isinstance(event, Failed)]
    assert code == 1
    assert 0 < len(failed) < 6
    assert all("disk" in event.hint for event in failed)
    assert len(assert_whole(out)) == 6 - len(failed)
    remount(small_disk, "size=8m")
    code, events = do([source], out, fresh_weights)
    assert code == 0
    assert [kind for kind, _ in results(events)].count("Done") == len(failed)
    assert len(assert_whole(out)) == 6


def test_a_read_only_destination(tmp_path: Path, small_disk: Path, fresh_weights: Path) -> None:
    source, out = tmp_path / "in", small_disk / "out"
    save_grey(source / "a.png")
    assert do([source], out, fresh_weights)[0] == 0
    remount(small_disk, "ro")
    assert do([source], out, fresh_weights)[0] == 0  # all is done: nothing needs to be written
    save_grey(source / "b.png")
    code, events = do([source], out, fresh_weights)
    assert (code, results(events)) == (1, [("Skipped", "a.png"), ("Failed", "b.png")])
    remount(small_disk, "rw")
    assert do([source], out, fresh_weights)[0] == 0
    assert assert_whole(out) == ["a.png", "b.png"]


def start(source: Path, out: Path, weights: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*PROGRAM, str(source), "-o", str(out), "--json", "--model", str(weights), "--device", "cpu", "--working-size", "64"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def wait_for_done(job: subprocess.Popen[str], count: int) -> None:
    assert job.stdout is not None
    for line in job.stdout:
        count -= json.loads(line)["event"] == "done"
        if count <= 0:
            return
    raise AssertionError("the run ended too early")


@pytest.fixture
def thirty(tmp_path: Path) -> Path:
    for number in range(30):
        save_grey(tmp_path / "in" / f"{number % 4}" / f"{number:02d}.png", number, (240, 160))
    return tmp_path / "in"


def test_killed_at_any_moment_the_next_run_finishes(tmp_path: Path, thirty: Path, fresh_weights: Path) -> None:
    out = tmp_path / "out"
    with start(thirty, out, fresh_weights) as job:
        wait_for_done(job, 3)
        job.kill()
    half = [path for path in out.rglob("*") if path.suffix == ".part"]
    finished = {path: path.stat() for path in out.rglob("*.png")}
    assert 3 <= len(finished) < 30
    code, events = do([thirty], out, fresh_weights)
    assert code == 0
    assert len(assert_whole(out)) == 30, half
    assert all(path.stat().st_ino == before.st_ino for path, before in finished.items())
    assert [kind for kind, _ in results(events)].count("Done") == 30 - len(finished)


@pytest.mark.parametrize("signals", [[signal.SIGTERM], [signal.SIGINT, signal.SIGINT]])
def test_signals_end_a_run_with_130_and_what_is_done_is_remembered(
    tmp_path: Path, thirty: Path, fresh_weights: Path, signals: list[signal.Signals]
) -> None:
    out = tmp_path / "out"
    with start(thirty, out, fresh_weights) as job:
        wait_for_done(job, 2)
        for number in signals:
            job.send_signal(number)
        _, told = job.communicate(timeout=120)
    assert job.returncode == 130, told
    assert "Traceback" not in told
    made = {path.relative_to(out).as_posix() for path in out.rglob("*.png")}
    assert 2 <= len(made) < 30
    if len(signals) == 1:
        assert made == read_manifest(out).keys()
        assert not list(out.rglob("*.part"))
    code, _ = do([thirty], out, fresh_weights)
    assert code == 0
    assert len(assert_whole(out)) == 30


def test_leavings_of_dead_runs_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    from colorize_media.files.whole import host_mark

    dead = subprocess.Popen(["true"])
    dead.wait()
    here, other = host_mark(), "0" * 8
    gone, ours, fresh, old, film = (
        tmp_path / name
        for name in (
            f".colorize-media-{here}-{dead.pid}-00.part",
            f".colorize-media-{here}-{os.getpid()}-00.part",
            f".colorize-media-{other}-{dead.pid}-00.part",
            f".colorize-media-{other}-{dead.pid}-01.part",
            f".film.mkv.colorize-media-{dead.pid}.part.mkv",
        )
    )
    for path in (gone, ours, fresh, old, film):
        path.touch()
    os.utime(old, (1, 1))
    remove_stale_parts(tmp_path)
    assert sorted(tmp_path.iterdir()) == sorted([ours, fresh, film])


# --- a real archive

REFUSED = {  # what of it cannot be coloured, and a word of the reason
    "hdr_cosmos01000_cicp9-16-9_yuv420_limited_qp10.avif": "dynamic range",
    "10ct_32bit_128.tiff": "floating point",
    "multipage_rgb.tif": "3 × 64 bits, floating point",
    "beach.jpg": "header",
    "17000x17000.avif": "more than the AVIF decoder takes",
    "big-height.webp": "several frames",
    "broken.png": "header",
    "broken_data_stream.png": "no sense",
    "crash-74d2a78403a5a59db1fb0a2b8735ac068a75f6e3.tif": "Bad code word",
    "decompression_bomb.gif": "more than",
    "invalid_multiframe.gif": "alpha",
    "not_enough_data.jp2": "header",
    "oom-225817ca0f8c663be7ab4b9e717b02c661e66834.tif": "pages cannot be counted",
    "truncated.heic": "ends before",
    "truncated_end_chunk.png": "truncated",
    "truncated_image.png": "truncated",
    "truncated_jpeg.jpg": "truncated",
    "2c9e7a1805f8b47630bbb83d21bf8222.jpg": "no sense",
    "c3018ebe53d0046eecb58858ca869a99.jpg": "truncated",
    "m3-76d5d8fd02d58b774f2bae6f7b763e3e.tif": "cannot be decoded",
    "Minolta.mrw": "ends before",
    "Nikon.nef": "LibRaw",
    "Sigma.x3f": "ends before",
    "cut_1percent.jpg": "header",
    "page.jpg": "none of the known picture formats",
    "zero.jpg": "0 bytes",
    "zero.webp": "0 bytes",
}


@pytest.mark.slow
def test_a_real_archive_is_coloured_left_alone_or_refused_with_a_reason(
    shared_media: Path, tmp_path: Path, fresh_regression: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """118 files of all kinds, a third of them damaged, misnamed or junk; none is touched, and no library speaks up."""
    for library in ("pi_heif", "rawpy"):
        pytest.importorskip(library)
    with tarfile.open(shared_media / "archive.tar.xz") as archive:
        archive.extractall(tmp_path / "in", filter="data")
    sources = [path for path in (tmp_path / "in").rglob("*") if path.is_file()]
    before = {path: hashlib.sha256(path.read_bytes()).digest() for path in sources}
    capfd.readouterr()
    code, events = do([tmp_path / "in"], tmp_path / "out", fresh_regression, replace(SMALL, fast=True))
    assert code == 1
    failed = {event.source.name: event for event in events if isinstance(event, Failed)}
    assert failed.keys() == REFUSED.keys()
    for name, event in failed.items():
        assert REFUSED[name] in event.why, event
        assert event.what
        assert event.hint
    assert [kind for kind, _ in results(events)].count("Done") == 30
    assert [kind for kind, _ in results(events)].count("Skipped") == 51
    done = [event for event in events if isinstance(event, Done)]
    assert all(event.target.stat().st_size > 0 for event in done)
    assert len([path for path in (tmp_path / "out").rglob("*") if path.is_file()]) == len(done) + 1  # the manifest
    assert before == {path: hashlib.sha256(path.read_bytes()).digest() for path in sources}
    said = [line for line in capfd.readouterr().err.splitlines() if line != LIBRAW_SAYS]
    assert said == []


LIBRAW_SAYS = "unknown file: data corrupted at 1378"  # which cannot be told to be quiet; the refusal has the name


# --- the command line


def test_the_command_selects_leaves_documents_and_remembers(
    tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "in", tmp_path / "out"
    save_grey(source / "a.png")
    save_grey(source / "private" / "b.png")
    save_grey(source / "c.bmp")
    Image.fromarray(data.text()).save(source / "page.png")
    words = [str(source), "-o", str(out), "--model", str(fresh_weights), "--include", "*.png", "--exclude", "private"]
    assert run([*words, "--skip-documents"]) == 0
    assert assert_whole(out) == ["a.png"]
    told = capsys.readouterr().err
    assert "page.png: skipped, a document" in told
    assert run([*words, "--skip-documents", "-n"]) == 0
    told = capsys.readouterr().out
    assert "already there" in told
    assert "found by an earlier run" in told
    shutil.rmtree(out)
    assert run(words) == 0
    assert assert_whole(out) == ["a.png", "page.png"]
