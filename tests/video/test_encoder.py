"""Which encoder is chosen, what it is given, and what it says."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from colorize_media import errors
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.reader import Reader
from colorize_media.video.writer import Writer
from tests.made.films import decode, make_video
from tests.video.rewriting import chroma_for, recolor


def test_an_encoder_of_more_bits_keeps_the_codes_shifted(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=1)
    _, warnings, _ = recolor(source, tmp_path / "out.mov", EncoderSettings(encoder="prores_ks"))
    assert any("prores_ks cannot hold yuv420p: written as yuv422p10le" in text for text in warnings)
    before, after = decode(source)[0].planes[0], decode(tmp_path / "out.mov")[0].planes[0]
    assert np.abs((before.astype(int) << 2) - after).mean() < 24  # ProRes is lossy; the scale is right


def test_encoders_that_cannot_be(tmp_path: Path) -> None:
    shallow = make_video(tmp_path / "a.mp4", frames=1)
    deep = make_video(tmp_path / "b.mkv", codec="ffv1", pix_fmt="yuv420p12le", frames=1)
    wrong = [
        (shallow, "out.mp4", EncoderSettings(encoder="libx246"), errors.CodecMissing,
         r"^--encoder libx246: there is no such encoder: .*did you mean libx26"),
        (shallow, "out.mp4", EncoderSettings(encoder="aac"), errors.BadOption,
         "^--encoder aac encodes no pictures: .*it is for audio"),
        (shallow, "out.webm", EncoderSettings(encoder="libx264"), errors.BadOption,
         "^--encoder libx264 and the output's name contradict each other: .*webm does not hold h264"),
        (deep, "out.mp4", EncoderSettings(encoder="libx264"), errors.CodecMissing,
         "^--encoder libx264 cannot hold 12-bit video"),
        (deep, "out.webm", EncoderSettings(), errors.CodecMissing, "^.webm has no encoder here for 12-bit video"),
        (shallow, "out.mp4", EncoderSettings(preset="notapreset"), errors.BadOption,
         "^--preset notapreset: libx264 does not take this: .*notapreset"),
        (shallow, "out.mkv", EncoderSettings(encoder="ffv1", crf=20), errors.BadOption, "^--crf 20: ffv1 has no crf"),
        (shallow, "out.mp4", EncoderSettings(own=(("tune", "film"), ("tunes", "film"))), errors.BadOption,
         "^--encoder-option tunes=film: libx264 has no tunes"),
        (shallow, "out.mp4", EncoderSettings(own=(("profile", "high"), ("tune", "fun"))), errors.BadOption,
         "^--encoder-option tune=fun: libx264 does not take this: .*fun"),
        (shallow, "out.mp4", EncoderSettings(own=(("x264-params", "keyint=9:nothing=1"),)), errors.BadOption,
         "^--encoder-option x264-params=keyint=9:nothing=1: libx264 does not take this: .*nothing"),
        (shallow, "out.mkv", EncoderSettings(own=(("slices", "many"),), purpose="archive"), errors.BadOption,
         "^--encoder-option slices=many: ffv1 does not take this"),
    ]  # fmt: skip
    for source, name, settings, kind, text in wrong:
        with Reader(source) as reader, pytest.raises(kind, match=text) as caught:
            Writer(tmp_path / name, reader, settings)
        assert all((caught.value.why, caught.value.hint))
    assert sorted(os.listdir(tmp_path)) == ["a.mp4", "b.mkv"]


def test_options_of_the_encoders_own_reach_it(tmp_path: Path) -> None:
    source = make_video(tmp_path / "in.mp4", frames=6, interlaced=True)
    own = (("g", "2"), ("x264-params", "no-cabac=1"))
    recolor(source, tmp_path / "out.mp4", EncoderSettings(own=own))
    told = (tmp_path / "out.mp4").read_bytes()
    assert b"cabac=0" in told
    assert b"keyint=2 " in told
    assert b"interlaced=tff" in told  # ours stays beside theirs
    assert b"rc=crf" in told
    recolor(source, tmp_path / "q.mp4", EncoderSettings(own=(("qp", "30"),)))
    assert b"rc=cqp" in (tmp_path / "q.mp4").read_bytes()  # else our own constant quality would stand before it


def test_the_encoder_follows_container_and_depth(tmp_path: Path) -> None:
    def chosen(pix_fmt: str, suffix: str) -> str:
        source = make_video(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, frames=1)
        with Reader(source) as reader, Writer(tmp_path / f"out{suffix}", reader) as writer:
            for item in reader:
                writer.write(item, chroma_for(reader))
        back = decode(tmp_path / f"out{suffix}")[0].frame.format.name
        return f"{writer.encoder} {back}"

    assert chosen("yuv420p", ".mp4") == "libx264 yuv420p"
    assert chosen("yuv420p10le", ".mov") == "libx264 yuv420p10le"
    assert chosen("yuv420p12le", ".mp4") == "libx265 yuv420p12le"
    assert chosen("yuv420p", ".webm") == "libvpx-vp9 yuv420p"
    assert chosen("yuv420p10le", ".webm") == "libsvtav1 yuv420p10le"
    assert chosen("yuv420p16le", ".mkv") == "ffv1 yuv420p16le"


@pytest.mark.parametrize("count", [1, 2, 3])
def test_very_short_films(tmp_path: Path, count: int) -> None:
    source = make_video(tmp_path / "in.mp4", frames=count)
    for encoder in ["libx264", *["libx265"] * 6]:  # x265 fails at random, so several times
        recolor(source, tmp_path / "out.mp4", EncoderSettings(encoder))
        assert [one.time for one in decode(tmp_path / "out.mp4")] == [one.time for one in decode(source)]


@pytest.mark.parametrize("encoder", ["libx264", "libx265", "libsvtav1"])
def test_encoders_say_nothing(tmp_path: Path, encoder: str, capfd: pytest.CaptureFixture[str]) -> None:
    source = make_video(tmp_path / "in.mkv", codec="ffv1", frames=2, size=(64, 64))
    recolor(source, tmp_path / "out.mkv", EncoderSettings(encoder))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("codec", "suffix", "asked", "keeper"),
    [("ffv1", ".mkv", "", "ffv1"), ("prores_ks", ".mov", "", "prores_ks"), ("rawvideo", ".mkv", "", "ffv1"),
     ("ffv1", ".mkv", "ffv1", ""), ("libx264", ".mp4", "", "")],
)  # fmt: skip
def test_a_film_for_editing_or_an_archive_that_becomes_one_to_look_at_is_told(
    tmp_path: Path, codec: str, suffix: str, asked: str, keeper: str
) -> None:
    pix_fmt = "yuv422p10le" if codec == "prores_ks" else "yuv420p"
    source = make_video(tmp_path / f"in{suffix}", codec=codec, pix_fmt=pix_fmt, frames=1)
    with Reader(source) as reader:
        writer = Writer(tmp_path / f"out{suffix}", reader, EncoderSettings(encoder=asked))
        assert (f"--encoder {keeper} keeps it" in writer.recoded) if keeper else writer.recoded == ""
        writer.abort()
