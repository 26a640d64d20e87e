"""Small films with sound of any codec that can be encoded here, and what came of that sound in another film."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec import Codec, codecs_available
from numpy.typing import NDArray

from colorize_media.errors import StreamNotKept
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.reader import Reader
from colorize_media.video.writer import Writer
from tests.made.films import picture

CONTAINERS = ("mkv", "mp4", "mov", "webm")
_MADE_IN = ("matroska", "mov", "nut", "avi", "vob", "mpegts", "flv", "asf")
_RATES = (48000, 44100, 32000, 16000, 8000, 22050)
_TELEPHONE = ("libopencore_amrnb", "g723_1", "real_144")
_PICTURES = 3
_CODED = {"nut": "mpeg4", "flv": "flv1", "vob": "mpeg2video", "mpegts": "mpeg2video"}
_CODED_AT = {"g723_1": 6300, "wmav1": 128000, "wmav2": 128000}  # bits a second; these have no default


def encodable() -> list[str]:
    """Names of all encoders of sound here, but for those that take no sound of ours."""
    found = []
    for name in sorted(codecs_available):
        try:
            codec = Codec(name, "w")
        except ValueError:
            continue
        if codec.type == "audio" and name not in ("anull", "comfortnoise", "opus"):
            found.append(name)
    return found


def film_with_sound(folder: Path, codec: str) -> Path | None:
    """A film of three pictures with a third of a second of sound; None where no container holds both."""
    for number, container in enumerate(_MADE_IN):
        for channels in (2, 1):
            for rate in (8000,) if codec in _TELEPHONE else _RATES:
                path = folder / f"{codec}-{number}.{container}"
                try:
                    write_film(path, codec, container=container, rate=rate, channels=channels, seconds=0.36)
                    with av.open(str(path)) as back:
                        if next(back.decode(audio=0), None) is not None:
                            return path
                except (av.error.FFmpegError, ValueError, IndexError, OSError):
                    pass
                path.unlink(missing_ok=True)
    return None


def write_film(
    path: Path,
    codec: str,
    *,
    container: str,
    rate: int = 48000,
    channels: int = 2,
    seconds: float = 1.0,
    pictures: range = range(_PICTURES),
    begin: int = 0,
    without: range = range(0),
) -> Path:
    """A film of 25 ``pictures`` a second and a tone from sample ``begin`` on, ``without`` these packets of it."""
    layout = {1: "mono", 2: "stereo"}[channels]
    options = {"mpegts": {"mpegts_copyts": "1"}}.get(container, {})
    options.update({"mpegts_m2ts_mode": "1"} if codec == "pcm_bluray" else {})
    with av.open(str(path), "w", format=container, container_options=options) as file:
        film: Any = file.add_stream(_CODED.get(container, "mpeg4"), rate=25)
        film.width, film.height, film.pix_fmt = 64, 48, "yuv420p"
        track: Any = file.add_stream(codec, rate=rate, options={"strict": "experimental"})
        track.codec_context.layout = layout
        if codec in _CODED_AT:
            track.codec_context.bit_rate = _CODED_AT[codec]
        track.codec_context.open()
        packets = []
        for index in pictures:
            frame = picture(64, 48, "yuv420p", index - pictures.start)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            packets += film.encode(frame)
        packets += film.encode(None)
        sound = []
        for piece in tone(rate, channels, seconds, begin):
            for ready in av.AudioResampler(track.codec_context.format.name, layout, rate).resample(piece):
                sound += track.encode(ready)
        sound += track.encode(None)
        packets += [packet for number, packet in enumerate(sound) if number not in without]
        # What an encoder gives at its end may have no time.
        for packet in sorted(packets, key=lambda one: math.inf if one.dts is None else one.dts * one.time_base):
            file.mux(packet)
    return path


def tone(rate: int, channels: int, seconds: float, start: int = 0) -> Iterator[av.AudioFrame]:
    """A rising tone, another one in each channel, in frames of 1024 samples; never silent, nowhere the same."""
    count = round(rate * seconds) // 1024 * 1024
    at = np.arange(count) / rate
    wave = np.stack([0.4 * np.sin((300 + 200 * c) * at * 2 * np.pi * (1 + at)) for c in range(channels)])
    for first in range(0, count, 1024):
        frame = av.AudioFrame.from_ndarray(
            wave[:, first : first + 1024].astype(np.float32),
            format="fltp",
            layout="stereo" if channels == 2 else "mono",
        )
        frame.sample_rate, frame.pts, frame.time_base = rate, start + first, Fraction(1, rate)
        yield frame


@dataclass(frozen=True)
class Heard:
    """The sound of a film: ``codec``, ``samples`` ``(n, channels)`` as decoded, their ``rate``, the ``begin`` after that of
    the picture and the ``start`` in the file, in seconds, and the ``packets``' bytes."""

    codec: str
    samples: NDArray[Any]
    rate: int
    begin: Fraction
    start: Fraction
    packets: bytes

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def heard(path: Path, track: int = 0) -> Heard:
    """The sound of a file, read without the project's code. 8-bit samples are shown as 16-bit ones."""
    with av.open(str(path)) as file:
        film = next(frame for frame in file.decode(video=0))
        shown = (film.pts or 0) * film.time_base
    with av.open(str(path)) as file:
        stream = file.streams.audio[track]
        pieces, payload, begin, rate = [], [], None, 0
        for packet in file.demux(stream):
            payload.append(bytes(packet))
            try:
                frames = stream.decode(packet)
            except av.error.FFmpegError:
                continue
            for frame in frames:
                if begin is None:
                    begin, rate = (frame.pts or 0) * stream.time_base, frame.sample_rate
                pieces.append(_packed(frame))
        if begin is None:
            return Heard(stream.codec_context.name, np.empty((0, 0)), 1, Fraction(0), Fraction(0), b"".join(payload))
        return Heard(stream.codec_context.name, np.concatenate(pieces), rate, begin - shown, begin, b"".join(payload))


def _packed(frame: av.AudioFrame) -> NDArray[Any]:
    kind = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}[frame.format.packed.name]
    channels = frame.layout.nb_channels
    if frame.format.is_planar:
        samples = np.stack([np.frombuffer(plane, kind, frame.samples) for plane in frame.planes[:channels]], axis=1)
    else:
        samples = np.frombuffer(frame.planes[0], kind, frame.samples * channels).reshape(-1, channels)
    return (samples.astype(np.int16) - 128) << 8 if kind == "u1" else samples.copy()


def fault(source: Path, target: Path) -> str:
    """What is wrong with the sound of ``target``, empty if it is that of ``source``: to the sample, and in time."""
    before, after = heard(source), heard(target)
    begin = before.begin
    if after.packets == before.packets:  # copied: the same sound, whatever a decoder leaves out at its ends
        left_out = Fraction(len(before.samples) - len(after.samples), before.rate)
        begin = min(begin, begin + left_out, key=lambda time: abs(time - after.begin))
    else:
        early = len(before.samples) - len(after.samples)
        if early and not 0 < early <= (Fraction(1, 1000) - before.start) * before.rate:  # MP4 plays nothing before zero
            return f"{after.samples.shape} samples instead of {before.samples.shape}"
        if not np.array_equal(before.samples[early:], after.samples):
            return "other samples"
        begin += Fraction(early, before.rate)
    if abs(after.begin - begin) > Fraction(1, 1000):
        return f"it begins {float(after.begin - begin):.4f} s later"
    return ""


def shared_films() -> list[Path]:
    """Films with odd sound among the media that are not part of the project; none where they are absent."""
    folder = Path(__file__).resolve().parents[3] / "shared" / "media" / "reported"
    return [path for name in ("A01", "A03", "A04", "A07", "A08", "C01") for path in sorted(folder.glob(f"{name}.*"))]


def verdict(source: Path, suffix: str) -> str:
    """What becomes of a film's sound in another container: copied, the codec of what is converted, refused, or a fault."""
    target = source.with_name(f"{source.stem}.out.{suffix}")
    try:
        with Reader(source) as reader:
            chroma = np.full((reader.geometry.chroma_height, reader.geometry.chroma_width, 2), 128, np.uint8)
            settings = EncoderSettings(preset="" if suffix == "webm" else "ultrafast")
            with Writer(target, reader, settings) as writer:
                for frame in reader:
                    writer.write(frame, chroma)
    except StreamNotKept:
        return "refused"
    wrong = fault(source, target)
    target.unlink()
    if wrong:
        return f"WRONG: {wrong}"
    return writer.converted[0].rpartition(" ")[2] if writer.converted else "copied"
