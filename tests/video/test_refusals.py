"""Files that are no films, or none that can be coloured: the error, its reason and its advice."""

from __future__ import annotations

import os
from pathlib import Path

import av
import numpy as np
import pytest

from colorize_media import errors
from colorize_media.video.reader import Reader
from tests.made.films import decode, make_video, picture
from tests.video.rewriting import recolor


def failing(path: Path) -> errors.ColorizeError:
    with pytest.raises(errors.ColorizeError) as caught:
        Reader(path)
    error = caught.value
    assert error.what
    assert error.path == path
    assert error.why
    assert error.hint
    return error


def test_missing_empty_text_and_folder(tmp_path: Path) -> None:
    assert type(failing(tmp_path / "none.mp4")) is errors.InputMissing
    (tmp_path / "empty.mp4").touch()
    assert type(failing(tmp_path / "empty.mp4")) is errors.EmptyFile
    for name in ("note.mp4", "note.txt", "note.nfo"):
        (tmp_path / name).write_text("Dear diary, today I digitised a film.\n" * 50)
        assert type(failing(tmp_path / name)) is errors.NoPicture
    error = failing(tmp_path)
    assert type(error) is errors.NoFile
    assert "folder" in error.why
    os.mkfifo(tmp_path / "pipe.mp4")
    assert "pipe" in failing(tmp_path / "pipe.mp4").why


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read everything")
def test_unreadable(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=1)
    source.chmod(0)
    assert type(failing(source)) is errors.InputUnreadable


def test_audio_only(tmp_path: Path) -> None:
    both = make_video(tmp_path / "both.mp4", frames=5, audio=1)
    with av.open(str(both)) as source, av.open(str(tmp_path / "sound.mp4"), "w") as target:
        track = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.size:
                packet.stream = track
                target.mux(packet)
    error = failing(tmp_path / "sound.mp4")
    assert type(error) is errors.NoPicture
    assert "audio" in error.why


def test_encrypted(tmp_path: Path) -> None:
    source = make_video(
        tmp_path / "in.mp4",
        frames=5,
        container_options={
            "encryption_scheme": "cenc-aes-ctr",
            "encryption_key": "76a6c65c5ea762046bd749a2e632ccbb",
            "encryption_kid": "a7e61c373e219033c21091fa607bf3b8",
        },
    )
    assert type(failing(source)) is errors.Encrypted


def test_transparent_film_is_refused_but_an_opaque_alpha_is_not(tmp_path: Path) -> None:
    clear = picture(64, 48, "yuva420p", 0)
    assert type(failing(make_video(tmp_path / "a.mkv", codec="ffv1", pix_fmt="yuva420p", frames=[clear]))) is (
        errors.UnsupportedMedia
    )
    opaque = picture(64, 48, "yuva420p", 0)
    np.frombuffer(opaque.planes[3], np.uint8)[:] = 255
    source = make_video(tmp_path / "b.mkv", codec="ffv1", pix_fmt="yuva420p", frames=[opaque])
    recolor(source, tmp_path / "out.mkv")
    assert np.array_equal(decode(source)[0].planes[0], decode(tmp_path / "out.mkv")[0].planes[0])


def test_a_film_cut_before_its_index_is_damaged(tmp_path: Path) -> None:
    whole = make_video(tmp_path / "in.mp4", frames=30).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    assert type(failing(tmp_path / "cut.mp4")) is errors.DamagedMedia
