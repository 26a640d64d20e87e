"""--for archive, editing and sharing: real films in, and what is in the files that come out."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from colorize_media.archive.plan import Memory, make_plan
from colorize_media.errors import BadOption
from colorize_media.events import Done
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions, Purpose
from colorize_media.video.colorize import colorize_video
from tests.made.films import decode, grey_frames, make_video, packets

TAGS = {"color_primaries": 1, "color_trc": 1, "colorspace": 1}


def colored(source: Path, target: Path, colorizer: Colorizer, purpose: Purpose | None, **more: Any) -> Done:
    done = colorize_video(
        source, target, colorizer, ColorizeOptions(purpose=purpose, working_size=64, smoothing="off", **more)
    )
    assert isinstance(done, Done)
    return done


def film(path: Path, pix_fmt: str = "yuv420p", **more: Any) -> Path:
    size = more.pop("size", (64, 48))
    frames = grey_frames(3, size, pix_fmt)
    codec = "ffv1" if path.suffix == ".mkv" else "libx264"
    return make_video(path, codec=codec, pix_fmt=pix_fmt, frames=frames, size=size, color=TAGS, **more)


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le", "yuv444p16le"])
def test_an_archive_film_is_ffv1_3_with_slices_and_checksums_and_loses_nothing(
    tmp_path: Path, colorizer: Colorizer, pix_fmt: str
) -> None:
    source, target = film(tmp_path / "in.mkv", pix_fmt, audio=1), tmp_path / "out.mkv"
    assert colored(source, target, colorizer, "archive").recoded == ""
    before, after = decode(source), decode(target)
    for one, other in zip(before, after, strict=True):
        assert np.array_equal(one.planes[0], other.planes[0])
        assert one.time == other.time
    with av.open(str(target)) as written:
        stream = written.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("ffv1", pix_fmt)
        config = stream.codec_context.extradata or b""
        coded = [(packet.is_keyframe, bytes(packet)) for packet in written.demux(stream) if packet.size]
    assert len(config) > 4  # version 3 has a configuration record; earlier ones have none
    assert [(alone, slices_of(packet)) for alone, packet in coded] == [(True, 16)] * 3
    assert packets(source, 1) == packets(target, 1)


def slices_of(packet: bytes) -> int:
    """FFV1 with checksums (RFC 9043, 4.9): each slice ends in its size (3 bytes), an error status (0) and a CRC (4)."""
    end, count = len(packet), 0
    while end > 0:
        size = int.from_bytes(packet[end - 8 : end - 5], "big")
        assert packet[end - 5] == 0
        assert crc_of(packet[end - 8 - size : end]) == 0  # with its own CRC behind it
        end, count = end - 8 - size, count + 1
    assert end == 0
    return count


def crc_of(data: bytes) -> int:
    """RFC 9043, 4.9.3: polynomial 0x04C11DB7, begun at 0."""
    crc = 0
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = ((crc << 1) ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


@pytest.mark.parametrize("size", [(16, 16), (2, 2), (65, 49)])
def test_archive_films_may_be_small_or_odd(tmp_path: Path, colorizer: Colorizer, size: tuple[int, int]) -> None:
    source = film(tmp_path / "in.mkv", size=size)
    colored(source, tmp_path / "out.mkv", colorizer, "archive")
    assert all(
        np.array_equal(one.planes[0], other.planes[0])
        for one, other in zip(decode(source), decode(tmp_path / "out.mkv"), strict=True)
    )


def test_an_editing_film_is_prores_422_hq_with_its_time_code(tmp_path: Path, colorizer: Colorizer) -> None:
    source = film(tmp_path / "in.mov", tags={"timecode": "01:02:03:04"}, rate=Fraction(24000, 1001))
    with av.open(str(source)) as made:
        assert [stream.type for stream in made.streams] == ["video", "data"]  # tmcd
    target = tmp_path / "out.mov"
    assert colored(source, target, colorizer, "editing").recoded == "8 bits became 10"
    with av.open(str(target)) as written:
        stream = written.streams.video[0]
        context = stream.codec_context
        assert (context.name, context.codec_tag, context.pix_fmt) == ("prores", "apch", "yuv422p10le")
        assert (context.color_primaries, context.color_trc, context.colorspace) == (1, 1, 1)
        codes = [one for one in written.streams if one.type == "data"]
        assert [one.metadata["timecode"] for one in codes] == ["01:02:03:04"]
        assert stream.average_rate == Fraction(24000, 1001)
    for one, other in zip(decode(source), decode(target), strict=True):
        assert one.time == other.time
        assert (
            np.abs((one.planes[0].astype(int) << 2) - other.planes[0]).mean() < 8
        )  # ProRes has losses; the scale is right
        assert np.ptp(other.planes[1].astype(int)) > 0


def test_full_range_becomes_limited_for_editing_and_deep_films_ten_bits(tmp_path: Path, colorizer: Colorizer) -> None:
    full = make_video(tmp_path / "full.mkv", codec="ffv1", pix_fmt="gray", frames=grey_frames(2, pix_fmt="gray"))
    deep = film(tmp_path / "deep.mkv", "yuv420p12le")
    for source, shown in ((full, lambda luma: 64 + luma * (876 / 255)), (deep, lambda luma: luma / 4)):
        target = source.with_suffix(".mov")
        done = colored(source, target, colorizer, "editing")
        assert done.recoded.startswith("8 bits became 10" if source is full else "12 bits became 10, with its luma")
        after = decode(target)[0]
        assert np.abs(shown(decode(source)[0].planes[0].astype(float)) - after.planes[0]).mean() < 8
        assert after.frame.color_range == 1


def test_the_other_suite_is_dnxhr_hqx(tmp_path: Path, colorizer: Colorizer) -> None:
    source, target = film(tmp_path / "in.mkv", size=(256, 128)), tmp_path / "out.mov"
    colored(source, target, colorizer, "editing", encoder="dnxhd")
    with av.open(str(target)) as written:
        context = written.streams.video[0].codec_context
        assert (context.name, context.profile, context.pix_fmt) == ("dnxhd", "DNXHR HQX", "yuv422p10le")


@pytest.mark.parametrize(
    ("pix_fmt", "told"), [("yuv422p", ""), ("yuv420p10le", "10 bits became 8, with its luma rounded")]
)
def test_a_film_to_share_is_h264_that_everything_plays(
    tmp_path: Path, colorizer: Colorizer, pix_fmt: str, told: str
) -> None:
    source, target = film(tmp_path / "in.mkv", pix_fmt, audio=1), tmp_path / "out.mp4"
    assert colored(source, target, colorizer, "sharing").recoded == told
    with av.open(str(target)) as written:
        context = written.streams.video[0].codec_context
        assert (context.name, context.pix_fmt) == ("h264", "yuv420p")
    assert boxes(target)[:2] == ["ftyp", "moov"]  # the index in front
    assert packets(source, 1) == packets(target, 1)
    shift = 2 if told else 0
    for one, other in zip(decode(source), decode(target), strict=True):
        assert one.time == other.time
        assert np.abs((one.planes[0].astype(int) >> shift) - other.planes[0]).mean() < 4


def boxes(path: Path) -> list[str]:
    data, place, found = path.read_bytes(), 0, []
    while place + 8 <= len(data):
        size, kind = struct.unpack_from(">I4s", data, place)
        found.append(kind.decode())
        place += size or len(data)
    return found


def test_odd_sides_to_share_keep_all_their_pixels(tmp_path: Path, colorizer: Colorizer) -> None:
    colored(film(tmp_path / "in.mkv", size=(65, 49)), tmp_path / "out.mp4", colorizer, "sharing")
    assert decode(tmp_path / "out.mp4")[0].planes[0].shape == (49, 65)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"purpose": "archive", "encoder": "libx264"}, "--encoder libx264 and --for archive contradict each other"),
        ({"purpose": "editing", "encoder": "ffv1"}, "--encoder ffv1 and --for editing contradict each other"),
        ({"purpose": "sharing", "encoder": "ffv1"}, "--encoder ffv1 and --for sharing contradict each other"),
    ],
)
def test_an_encoder_that_does_not_serve_the_purpose_is_wrong_usage(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadOption) as caught:
        make_plan([film(tmp_path / "in.mkv")], None, overwrite=False, memory=Memory(ColorizeOptions(**options)))
    assert caught.value.what == said
    assert caught.value.why
    assert "--encoder" in caught.value.hint


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"encoder_option": ("tune",)}, "bad value for encoder_option: 'tune'"),
        ({"encoder_option": ("=film",)}, "bad value for encoder_option: '=film'"),
        ({"encoder_option": ("g=1", "g=2")}, "--encoder-option g=1 and another --encoder-option contradict"),
        ({"encoder_option": ("crf=1",), "crf": 2}, "--encoder-option crf=1 and --crf contradict each other"),
        ({"chroma_only": True, "crf": 2}, "--crf 2 and --chroma-only contradict each other"),
        ({"chroma_only": True, "purpose": "sharing"}, "--for sharing and --chroma-only contradict each other"),
        ({"chroma_only": True, "image_sequence": 24}, "--image-sequence and --chroma-only contradict each other"),
    ],
)
def test_what_cannot_be_true_together_is_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(BadOption) as caught:
        ColorizeOptions(**options)
    assert said in caught.value.what
    assert caught.value.why
    assert caught.value.hint


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p10le"])
def test_the_colours_alone_and_the_original_luma_are_the_coloured_picture(
    tmp_path: Path, colorizer: Colorizer, pix_fmt: str
) -> None:
    """Exactly: of the same picture with a chroma for each pixel, the coloured film has the original's luma and these."""
    frames = grey_frames(3, pix_fmt=pix_fmt)
    source = make_video(tmp_path / "in.mkv", codec="ffv1", pix_fmt=pix_fmt, frames=frames, color=TAGS, pts=[0, 2, 3])
    whole = "yuv444p" + pix_fmt[7:]
    same = make_video(
        tmp_path / "same.mkv", codec="ffv1", pix_fmt=whole, frames=[as_444(one, whole) for one in frames],
        color=TAGS, pts=[0, 2, 3],
    )  # fmt: skip
    done = colored(source, tmp_path / "chroma.mkv", colorizer, None, chroma_only=True)
    assert done.record is not None
    assert done.record["settings"]["chroma_only"] is True
    colored(same, tmp_path / "colored.mkv", colorizer, "archive")
    wanted, found = decode(tmp_path / "colored.mkv"), decode(tmp_path / "chroma.mkv")
    for original, coloured, chroma in zip(decode(source), wanted, found, strict=True):
        assert np.array_equal(original.planes[0], coloured.planes[0])
        assert chroma.frame.format.name == whole
        assert np.unique(chroma.planes[0]).tolist() == [1 << (7 if whole == "yuv444p" else 9)]
        for one, other in zip(coloured.planes[1:], chroma.planes[1:], strict=True):
            assert np.array_equal(one, other)
            assert np.ptp(one.astype(int)) > 0
        assert original.time == chroma.time
        assert (chroma.frame.color_primaries, chroma.frame.colorspace) == (1, 1)


def as_444(frame: av.VideoFrame, pix_fmt: str) -> av.VideoFrame:
    """The same luma with no chroma, in full resolution."""
    made = av.VideoFrame(frame.width, frame.height, pix_fmt)
    deep = made.format.components[0].bits > 8
    luma = np.frombuffer(frame.planes[0], np.uint8).reshape(frame.height, -1)
    grey = np.full(made.width * made.height, 512, "<u2") if deep else np.full(made.width * made.height, 128, np.uint8)
    rows = luma[:, : frame.width * (2 if deep else 1)].tobytes()
    for plane, data in zip(made.planes, (rows, grey.tobytes(), grey.tobytes()), strict=True):
        line = frame.width * (2 if deep else 1)
        padded = np.zeros((plane.height, plane.line_size), np.uint8)
        padded[:, :line] = np.frombuffer(data, np.uint8).reshape(plane.height, line)
        plane.update(padded.tobytes())
    return made


def test_there_are_no_colours_alone_of_photographs(tmp_path: Path) -> None:
    Image.new("L", (32, 32), 90).save(tmp_path / "photo.png")
    film(tmp_path / "film.mp4")
    memory = Memory(ColorizeOptions(chroma_only=True))
    found = {item.source.name: item for item in make_plan([tmp_path], None, overwrite=False, memory=memory)}
    failure = found["photo.png"].failure
    assert failure is not None
    assert (found["photo.png"].action, failure.why) == ("fail", "--chroma-only is for films")
    assert "blend mode Color" in failure.hint
    assert found["film.mp4"].target == tmp_path.with_name(f"{tmp_path.name}-color") / "film.mp4.chroma.mkv"
    (alone,) = make_plan([tmp_path / "film.mp4"], None, overwrite=False, memory=memory)
    assert alone.target == tmp_path / "film.chroma.mkv"
    with pytest.raises(BadOption, match="the output's name and --chroma-only contradict each other"):
        make_plan([tmp_path / "film.mp4"], tmp_path / "out.mov", overwrite=False, memory=memory)


def test_constant_quality_and_films_without_loss_contradict_each_other() -> None:
    with pytest.raises(BadOption, match="--crf 18 and --for archive contradict"):
        ColorizeOptions(purpose="archive", crf=18)
    with pytest.raises(BadOption, match="purpose"):
        ColorizeOptions(purpose="fun")  # type: ignore[arg-type]


def test_names_follow_the_purpose(tmp_path: Path) -> None:
    source = film(tmp_path / "in.mov")

    def target(purpose: Purpose, output: Path | None, of: Path = source) -> str:
        memory = Memory(ColorizeOptions(purpose=purpose))
        (planned,) = make_plan([of], output, overwrite=False, memory=memory)
        assert planned.target is not None
        return planned.target.name

    names: tuple[Purpose, ...] = ("archive", "editing", "sharing")
    assert [target(name, None) for name in names] == ["in.color.mkv", "in.color.mov", "in.color.mp4"]
    folder = tmp_path / "out"
    assert [target(name, folder) for name in names] == ["in.mov.mkv", "in.mov", "in.mov.mp4"]
    assert target("sharing", folder, tmp_path) == "in.mov.mp4"
    with pytest.raises(BadOption) as caught:
        target("archive", tmp_path / "my film.mp4")
    assert str(caught.value) == (
        f"the output's name and --for archive contradict each other: {tmp_path / 'my film.mp4'}: "
        "such a film is a .mkv, not a .mp4 (name it my film.mkv, or leave --for archive out)"
    )
