"""Sound that the film's container does not take as it is: decoded, and encoded again without losing a sample.

What a decoder gives as integers becomes FLAC, or PCM where the container has no FLAC; what it gives as floating point
becomes PCM of the same numbers, bit by bit. Only where it is asked for all of it becomes Opus, which loses something.
Samples are counted on from the first one's time. Only where the source's times leave that count by `TOLERANCE` for two
frames in a row there is a gap, filled with silence, or an overlap, cut: so a timestamp that is rounded or wrong harms
nothing, and the sound keeps to the picture.

Memory: two decoded frames, a second of silence and what the encoder holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.error import FFmpegError
from numpy.typing import NDArray

from colorize_media.options import AudioForm
from colorize_media.video.clip import Clip
from colorize_media.video.copying import known_layout
from colorize_media.video.tags import stream_tags

TOLERANCE = Fraction(1, 10)
"""Seconds that a frame's time may be off the count of samples: what FFmpeg's resampler takes for jitter (min_hard_comp)."""
LONGEST_OVERLAP = Fraction(1)  # seconds; what steps back further is no overlap: times have started again
LONGEST_GAP = Fraction(3600)  # seconds; what jumps further ahead, or further than the file is long, is no gap either

Samples = NDArray[Any]  # (n, channels)
_TYPES = {"u8": "u1", "s16": "i2", "s32": "i4", "s64": "i8", "flt": "f4", "dbl": "f8"}
_PCM = {"s16": "pcm_s16le", "s32": "pcm_s32le", "s64": "pcm_s64le", "flt": "pcm_f32le", "dbl": "pcm_f64le"}
_OPUS, _OPUS_RATE = "libopus", 48000  # the only rate that Opus itself has
_OPUS_BITS = 96_000  # a second and channel: more than listeners tell from the source, since a restored film is kept
_OPUS_LAYOUTS = {
    1: "mono",
    2: "stereo",
    3: "3.0",
    4: "quad",
    5: "5.0",
    6: "5.1",
    7: "6.1",
    8: "7.1",
}  # RFC 7845, 5.1.1.2
_FLAC = frozenset({"matroska", "mp4"})  # where players look for it
# Decoders whose 32-bit integers have at most 24 bits that count. Others may have all 32, which FLAC would cut.
_AT_MOST_24 = frozenset(
    {"pcm_s24le", "pcm_s24be", "pcm_u24le", "pcm_u24be", "pcm_s24le_planar", "pcm_s24daud", "pcm_lxf"}
    | {"pcm_dvd", "pcm_bluray", "s302m", "dca", "truehd", "mlp"}
)


@dataclass(frozen=True)
class SoundForm:
    """How a stream's samples are encoded.

    ``encoder``  FFmpeg's name;  ``sample_format``  that it is given
    ``decoded``  the packed sample format of what comes from the decoder;  ``layout``  of both
    ``rate``     samples a second
    """

    encoder: str
    sample_format: str
    decoded: str
    layout: str
    rate: int

    @property
    def name(self) -> str:
        """For people."""
        return "Opus, which loses a little" if self.encoder == _OPUS else self.encoder


def forms_for(container: str, codec: str, frame: AudioFrame | None, audio: AudioForm = "lossless") -> list[SoundForm]:
    """Ways to keep every sample of what ``codec`` decodes to, the best first; ``container`` is FFmpeg's name.

    Before them Opus, if ``audio`` asks for it.
    """
    if frame is None:
        return []
    decoded = frame.format.packed.name
    kept = "s16" if decoded == "u8" else decoded
    encoders = [_PCM[kept]]
    if kept == "s32" and codec in _AT_MOST_24:
        encoders.insert(0, "pcm_s24le")
    if container in _FLAC and (kept == "s16" or len(encoders) > 1):
        encoders.insert(0, "flac")
    layout = known_layout(frame.layout).name
    if audio == "opus" and frame.layout.nb_channels in _OPUS_LAYOUTS:
        encoders.insert(0, _OPUS)
    return [SoundForm(encoder, kept, decoded, layout, frame.sample_rate) for encoder in encoders]


class Sound:
    """Push and flush: `take` packets of the source's stream, `end`; both give packets for ``stream``.

    Packets have the clip's times, and may begin before it: what is outside is cut off, to the sample.
    """

    def __init__(self, container: OutputContainer, source: AudioStream, form: SoundForm, clip: Clip) -> None:
        self.stream = _stream_for(container, form)
        self.stream.metadata.update(stream_tags(source.metadata, container.format.name))
        self.stream.disposition = source.disposition
        self._form = form
        self._begin = None if clip.whole else 0
        self._end = None if clip.duration is None else round(clip.duration * form.rate)
        self._decoder = source
        self._time_base = source.time_base or Fraction(1, av.time_base)
        length = Fraction(getattr(source.container, "duration", None) or 0, av.time_base)
        self._longest_gap = min(LONGEST_GAP, length) if length else LONGEST_GAP
        self._fit = _Fit(form)
        self._next: int | None = None  # the next sample's number, counted from time zero
        self._offset = 0  # samples by which the source's times started again
        self._waiting: list[Samples] = []  # of a frame whose time is off, until the next one says whether it is right
        self._off = 0  # by so many samples
        self._skip = 0  # samples of an overlap that are still to be cut
        self._lost = self._filled = self._cut = 0  # packets; samples

    def take(self, packet: av.Packet) -> list[av.Packet]:
        """What is ready after one more packet. One that cannot be decoded is left out (`warnings`)."""
        self._decoder = packet.stream
        self._time_base = packet.time_base
        try:
            frames = self._decoder.decode(packet)
        except FFmpegError:
            self._lost += 1
            return []
        return [ready for frame in frames for ready in self._put(frame)]

    def end(self) -> list[av.Packet]:
        """The last packets."""
        try:
            frames = self._decoder.decode(None)
        except FFmpegError:
            frames = []
        out = [ready for frame in frames for ready in self._put(frame)]
        for samples, _ in self._fit.end():
            out += self._write(samples)
        out += self._go_on(0)
        return out + self.stream.encode(None)

    def warnings(self) -> list[str]:
        """What became of sound that was damaged, or whose times were."""
        rate = self._form.rate
        told = []
        if self._lost:
            told.append(f"{self._lost} packets could not be decoded")
        if self._filled:
            told.append(f"gaps of {self._filled / rate:.2f} s are silent")
        if self._cut:
            told.append(f"{self._cut / rate:.2f} s that were there twice were cut")
        if self._fit.changes:
            told.append(f"it changes {self._fit.changes} times and was fitted to its beginning")
        return told

    def _put(self, frame: AudioFrame) -> list[av.Packet]:
        out = []
        for samples, pts in self._fit.take(frame, self._time_base):
            out += self._place(samples, pts)
        return out

    def _place(self, samples: Samples, start: int | None) -> list[av.Packet]:
        """The samples, at the place where they belong; ``start`` is the number that the source's time gives the first."""
        if self._next is None:
            self._next = start or 0
        expected = self._next - self._skip + sum(map(len, self._waiting))
        off = 0 if start is None else start - self._offset - expected
        if start is None and self._waiting:
            self._waiting.append(samples)
            return []
        if abs(off) < TOLERANCE * self._form.rate:
            return self._go_on(0) + self._follow(samples)
        if self._waiting and (off > 0) == (self._off > 0):
            return self._go_on(self._off) + self._follow(samples)
        out = self._go_on(0)
        self._waiting, self._off = [samples], off
        return out

    def _go_on(self, off: int) -> list[av.Packet]:
        """Write what waits, ``off`` samples later than it follows."""
        waiting, self._waiting = self._waiting, []
        out = []
        if off > self._longest_gap * self._form.rate or -off > LONGEST_OVERLAP * self._form.rate:
            self._offset += off
        elif off > 0:
            out += self._silence(off)
        else:
            self._skip -= off
        for samples in waiting:
            out += self._follow(samples)
        return out

    def _follow(self, samples: Samples) -> list[av.Packet]:
        """Write what follows, but for what is to be cut of it."""
        skip = min(self._skip, len(samples))
        self._skip -= skip
        self._cut += skip
        return self._write(samples[skip:])

    def _silence(self, count: int) -> list[av.Packet]:
        self._filled += count
        out = []
        channels = av.AudioLayout(self._form.layout).nb_channels
        while count:
            piece = min(count, self._form.rate)
            out += self._write(np.zeros((piece, channels), _TYPES[self._form.sample_format]))
            count -= piece
        return out

    def _write(self, samples: Samples) -> list[av.Packet]:
        """Encode samples at the next place; those before the clip's beginning or behind its end are left out."""
        start = self._next or 0
        self._next = stop = start + len(samples)
        first = start if self._begin is None else max(start, self._begin)
        last = stop if self._end is None else min(stop, self._end)
        if first >= last:
            return []
        samples = samples[first - start : last - start]
        frame = AudioFrame(self._form.sample_format, self._form.layout, len(samples))
        frame.planes[0].update(np.ascontiguousarray(samples).tobytes())
        frame.sample_rate, frame.time_base, frame.pts = self._form.rate, Fraction(1, self._form.rate), first
        return self.stream.encode(frame)


def _stream_for(container: OutputContainer, form: SoundForm) -> AudioStream:
    """PyAV converts what the stream is given to its rate, format and layout, if they differ: for Opus alone."""
    opus = form.encoder == _OPUS
    stream: AudioStream = container.add_stream(form.encoder, rate=_OPUS_RATE if opus else form.rate)  # type: ignore[assignment]
    context = stream.codec_context
    if opus:
        channels = av.AudioLayout(form.layout).nb_channels
        context.format, context.layout = "flt", _OPUS_LAYOUTS[channels]
        context.bit_rate = _OPUS_BITS * channels
    else:
        context.format, context.layout = form.sample_format, form.layout
    return stream


class _Fit:
    """Decoded frames as samples of one form; those that come in another one, as broadcasts change it, are resampled."""

    def __init__(self, form: SoundForm) -> None:
        self._form = form
        self._own = (form.decoded, form.layout, form.rate)
        self._before = self._own
        self._resampler: AudioResampler | None = None
        self.changes = 0

    def take(self, frame: AudioFrame, time_base: Fraction) -> list[tuple[Samples, int | None]]:
        """Samples, and the number that the first has by its time."""
        now = (frame.format.packed.name, known_layout(frame.layout).name, frame.sample_rate)
        out = []
        if now != self._before:
            self.changes += 1
            self._before = now
            out = self.end()
        if now == self._own:
            pts = None if frame.pts is None else round(frame.pts * time_base * self._form.rate)
            return [*out, (_as(_samples_of(frame), self._form.sample_format), pts)]
        if self._resampler is None:
            self._resampler = AudioResampler(self._form.sample_format, self._form.layout, self._form.rate)
        frame.time_base = time_base
        return out + [self._resampled(ready) for ready in self._resampler.resample(frame)]

    def end(self) -> list[tuple[Samples, int | None]]:
        """What a resampler still holds."""
        resampler, self._resampler = self._resampler, None
        return [] if resampler is None else [self._resampled(ready) for ready in resampler.resample(None)]

    def _resampled(self, frame: AudioFrame) -> tuple[Samples, int | None]:
        time = None if frame.pts is None or not frame.time_base else frame.pts * frame.time_base
        return _samples_of(frame), None if time is None else round(time * self._form.rate)


def _samples_of(frame: AudioFrame) -> Samples:
    kind, channels = _TYPES[frame.format.packed.name], frame.layout.nb_channels
    if frame.format.is_planar:
        planes = frame.planes[:channels]
        return np.stack([np.frombuffer(plane, kind, count=frame.samples) for plane in planes], axis=1)  # type: ignore[call-overload]
    return np.frombuffer(frame.planes[0], kind, count=frame.samples * channels).reshape(-1, channels)  # type: ignore[call-overload]


def _as(samples: Samples, sample_format: str) -> Samples:
    """Eight bits become sixteen; nothing else needs to change."""
    if samples.dtype == np.uint8 and sample_format == "s16":
        return (samples.astype(np.int16) - 128) << 8
    return samples
