"""Runs over archives: each file's failure its own; resumed, interrupted, on full and read-only disks."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import av
import pytest
from PIL import Image
from skimage import data

from colorize_media.archive.manifest import MANIFEST_NAME, read_manifest
from colorize_media.cli.main import run
from colorize_media.errors import WeightsDamaged
from colorize_media.events import Done, Event, Failed, Started, Summary, Warned, as_json
from colorize_media.options import ColorizeOptions
from tests.archive.runs import SMALL, do, results, whole_pictures
from tests.made.films import grey_frames, make_video
from tests.made.pictures import save_grey

PROGRAM = [sys.executable, "-m", "colorize_media"]


# --- one run


def test_one_failure_does_not_stop_the_others_and_is_no_success(tmp_path: Path, fresh_weights: Path) -> None:
    save_grey(tmp_path / "in" / "1.jpg")
    (tmp_path / "in" / "2.jpg").write_text("no picture at all")
    (tmp_path / "in" / "3.jpg").write_bytes(b"")
    make_video(tmp_path / "in" / "4.mp4", frames=grey_frames(4))
    save_grey(tmp_path / "in" / "5.png")
    Image.fromarray(data.coffee()).save(tmp_path / "in" / "6.jpg")
    before = {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "in").iterdir()}
    code, events = do([tmp_path / "in", tmp_path / "missing.jpg"], tmp_path / "out", fresh_weights)
    assert code == 1
    failed = [event for event in events if isinstance(event, Failed)]
    assert [event.source.name for event in failed] == ["2.jpg", "3.jpg", "missing.jpg"]
    assert all(event.what and event.why and event.hint for event in failed)
    assert isinstance(events[-1], Summary)
    assert events[-1] == Summary(3, 1, 3, events[-1].seconds, model=events[-1].model)
    assert events[-1].model == fresh_weights.stem
    assert sorted(os.listdir(tmp_path / "out")) == [MANIFEST_NAME, "1.jpg", "4.mp4", "5.png"]
    assert before == {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in (tmp_path / "in").iterdir()}


def test_a_second_run_skips_what_is_there_and_overwrite_does_not(tmp_path: Path, fresh_weights: Path) -> None:
    source = save_grey(tmp_path / "a.png")
    assert do([source], None, fresh_weights)[0] == 0
    stamp = (tmp_path / "a.color.png").stat().st_ctime_ns
    code, events = do([source], None, fresh_weights)
    assert (code, results(events)) == (0, [("Skipped", "a.png")])
    assert (tmp_path / "a.color.png").stat().st_ctime_ns == stamp
    code, events = do([source], None, fresh_weights, overwrite=True)
    assert (code, results(events)) == (0, [("Done", "a.png")])
    assert (tmp_path / "a.color.png").stat().st_ctime_ns > stamp


def test_names_that_confuse_programs(tmp_path: Path, fresh_weights: Path) -> None:
    names = ["-rf.jpg", "%03d.png", "a:b.jpg", "new\nline.png", "ünïcode 漢字.jpg", "$(x).jpg", "'\".png"]
    if sys.platform == "linux":
        names.append(os.fsdecode(b"latin-\xe9.jpg"))
    for seed, name in enumerate(names):
        save_grey(tmp_path / "in" / name, seed)
    assert do([tmp_path / "in"], None, fresh_weights)[0] == 0
    assert sorted(os.listdir(tmp_path / "in-color")) == sorted([MANIFEST_NAME, *names])


def test_an_output_folder_that_cannot_be_made(tmp_path: Path, fresh_weights: Path) -> None:
    source = save_grey(tmp_path / "a.jpg")
    (tmp_path / "file").write_text("in the way")
    code, events = do([source], tmp_path / "file" / "b.jpg", fresh_weights)
    assert code == 1
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert failed.what == "cannot make the output folder"
    assert str(tmp_path / "file") in failed.why
    assert failed.hint


def test_a_problem_of_the_machine_ends_the_run_at_once(tmp_path: Path) -> None:
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    with pytest.raises(WeightsDamaged):
        do([save_grey(tmp_path / "a.jpg")], None, tmp_path / "w.safetensors")
    assert not (tmp_path / "a.color.jpg").exists()


def test_an_unknown_encoder_is_exit_code_3_and_photographs_go_on(tmp_path: Path, fresh_weights: Path) -> None:
    save_grey(tmp_path / "in" / "b.jpg")
    make_video(tmp_path / "in" / "a.mp4", frames=grey_frames(2))
    assert do([tmp_path / "in"], tmp_path / "out", fresh_weights, replace(SMALL, encoder="libx999"))[0] == 3
    assert sorted(os.listdir(tmp_path / "out")) == [MANIFEST_NAME, "b.jpg"]


def test_a_bug_in_one_file_costs_only_that_file(tmp_path: Path, fresh_weights: Path) -> None:
    """An event callback that raises stands for any bug: the second file is still done, the traceback is handed out."""
    for name in ("a.jpg", "b.jpg"):
        save_grey(tmp_path / "in" / name)

    def tell(event: Event) -> None:
        if isinstance(event, Started) and event.source.name == "a.jpg":
            raise ZeroDivisionError("a bug")

    code, events = do([tmp_path / "in"], None, fresh_weights, tell=tell)
    assert code == 1
    assert sorted(os.listdir(tmp_path / "in-color")) == [MANIFEST_NAME, "b.jpg"]
    (failed,) = [event for event in events if isinstance(event, Failed)]
    assert "ZeroDivisionError" in failed.trace
    assert "trace" not in as_json(failed)


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
    assert (code, results(events)) == (4, [("Skipped", "a.png"), ("Skipped", "b.jpg"), ("Failed", "c.jpg")])
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
    assert (code, results(events)) == (4, [("Failed", "a.jpg"), ("Done", "b.png")])
    _, events = do([source], out, fresh_weights, retry=True)
    failed = next(event for event in events if isinstance(event, Failed))
    assert "earlier" not in failed.why


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


# --- what goes wrong in between


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
    assert len(whole_pictures(out)) == 6 - len(failed)
    remount(small_disk, "size=8m")
    code, events = do([source], out, fresh_weights)
    assert code == 0
    assert [kind for kind, _ in results(events)].count("Done") == len(failed)
    assert len(whole_pictures(out)) == 6


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
    assert whole_pictures(out) == ["a.png", "b.png"]


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
    remembered = {out / name for name in read_manifest(out)}
    assert len(remembered) >= 3
    assert remembered <= finished.keys()
    code, events = do([thirty], out, fresh_weights, ColorizeOptions(working_size=64, model=str(fresh_weights)))
    assert code == 0
    assert len(whole_pictures(out)) == 30, half
    # What was finished and not remembered is made anew.
    assert all(path.stat().st_ino == finished[path].st_ino for path in remembered)
    done = [kind for kind, _ in results(events)].count("Done")
    assert 30 - len(finished) <= done <= 30 - len(remembered)


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
    assert len(whole_pictures(out)) == 30


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
    "decompression_bomb.ico": "header",
    "hopper.pfm": "floating point",
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
    assert [kind for kind, _ in results(events)].count("Done") == 26  # one of them a film (.avifs)
    assert [kind for kind, _ in results(events)].count("Skipped") == 58  # six of them of two tones
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
    assert whole_pictures(out) == ["a.png"]
    told = capsys.readouterr().err
    assert "page.png: skipped, a document" in told
    assert run([*words, "--skip-documents", "-n"]) == 0
    told = capsys.readouterr().out
    assert "already there" in told
    assert "found by an earlier run" in told
    shutil.rmtree(out)
    assert run(words) == 0
    assert whole_pictures(out) == ["a.png", "page.png"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_links_that_lead_nowhere_and_pipes_are_failures_that_are_remembered(
    tmp_path: Path, fresh_weights: Path
) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "a.png").symlink_to(tmp_path / "disk" / "a.png")
    os.mkfifo(inside / "b.png")
    os.mkfifo(inside / "c.mp4")
    code, events = do([inside], tmp_path / "out", fresh_weights)
    assert code == 1
    assert results(events) == [("Failed", "a.png"), ("Failed", "b.png"), ("Failed", "c.mp4")]
    code, events = do([inside], tmp_path / "out", fresh_weights)
    assert code == 4
    assert {event.what for event in events if isinstance(event, Failed)} == {"failed before"}
    save_grey(tmp_path / "disk" / "a.png")
    code, events = do([inside], tmp_path / "out", fresh_weights)
    assert code == 4
    assert results(events)[0] == ("Done", "a.png")
