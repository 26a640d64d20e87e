"""When a DV camera recorded a picture."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from pathlib import Path

import av
import pytest

from colorize_media.video.dv import recording_date
from colorize_media.video.reader import Reader
from tests.made.films import make_video
from tests.video.rewriting import FAST, recolor

DATE = (0x62, 0xFF, 0x14, 0x07, 0x03)  # 14 July 2003, in decimal digits of 4 bits; the upper bits are flags
TIME = (0x63, 0xFF, 0xC9, 0xC5, 0xD8)  # 18:45:49


def stamped(data: bytes, *packs: tuple[int, ...], frame: int = 144_000) -> bytes:
    """DV of 25 frames a second in which these packs stand among those about the picture, in each sequence."""
    stamped = bytearray(data)
    for start in range(0, len(data) - frame + 1, frame):
        for sequence in range(start, start + frame, 12_000):
            for block in (3, 4, 5):
                stamped[sequence + block * 80 + 3 : sequence + block * 80 + 78] = bytes([255] * 75)
            for place, pack in enumerate(packs):
                at = sequence + 3 * 80 + 3 + 5 * (place + 6)
                stamped[at : at + 5] = bytes(pack)
    return bytes(stamped)


@pytest.mark.parametrize(
    ("packs", "date"),
    [
        ((DATE, TIME), datetime(2003, 7, 14, 18, 45, 49)),
        (((0x62, 0xFF, 0xF1, 0xF2, 0x98), TIME), datetime(1998, 12, 31, 18, 45, 49)),
        ((DATE,), None),
        (((0x62, 0xFF, 0x3F, 0x1F, 0xFF), TIME), None),  # "no information"
        (((0x62, 0xFF, 0x31, 0x02, 0x03), TIME), None),
        (((0x62, 0xFF, 0x01, 0x01, 0x70), TIME), None),  # FFmpeg's encoder
        ((), None),
    ],
)
def test_the_cameras_clock_is_read_or_nothing_is_made_up(packs: tuple[tuple[int, ...], ...], date: object) -> None:
    assert recording_date(stamped(bytes([255] * 144_000), *packs)) == date
    assert recording_date(stamped(bytes([255] * 144_000), *packs)[:11_000]) is None


@pytest.mark.parametrize("suffix", [".dv", ".avi", ".mov"])
def test_the_recording_date_becomes_the_films_own_where_it_has_none(tmp_path: Path, suffix: str) -> None:
    plain = make_video(tmp_path / "plain.dv", codec="dvvideo", size=(720, 576), frames=2, interlaced=True)
    raw = tmp_path / "in.dv"
    raw.write_bytes(stamped(plain.read_bytes(), DATE, TIME))
    source = tmp_path / f"source{suffix}"
    with av.open(str(raw)) as tape, av.open(str(source), "w", format="rawvideo" if suffix == ".dv" else None) as file:
        copy = file.add_stream_from_template(tape.streams.video[0], opaque=True)
        for packet in tape.demux(video=0):
            if packet.size:
                packet.stream = copy
                file.mux(packet)
    for target in ("out.mkv", "out.mov"):
        recolor(source, tmp_path / target, FAST)
        with av.open(str(tmp_path / target)) as file:
            assert file.metadata["creation_time"][:19] == "2003-07-14T18:45:49"


def test_a_date_that_the_file_says_itself_stays(tmp_path: Path) -> None:
    raw = make_video(
        tmp_path / "in.mov", codec="dvvideo", size=(720, 576), frames=1, interlaced=True, rate=Fraction(25),
        tags={"creation_time": "2020-01-02T03:04:05Z"},
    )  # fmt: skip
    raw.write_bytes(raw.read_bytes())
    with Reader(raw) as reader:
        assert reader.tags["creation_time"].startswith("2020-01-02T03:04:05")
