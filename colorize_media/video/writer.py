"""Write the coloured film: frames with new chroma in, the finished file out, in segments that survive a killed process.

Pictures are encoded into segments in a work folder beside the output. At the end they are joined, without encoding
again, with the packets of all other streams, read from the source a second time: so a film that was interrupted becomes
the same file as one that was not. The output gets its name when it is whole.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Any

import av
from av.error import FFmpegError
from numpy.typing import NDArray

from colorize_media.errors import FileProblem, InputIsOutput, OutputUnwritable, UnsupportedMedia
from colorize_media.files.whole import close_durably, sync_folder
from colorize_media.motion.state import State
from colorize_media.options import AudioForm
from colorize_media.provenance.record import Record
from colorize_media.provenance.signing import Signer
from colorize_media.video.container import VideoFile, container_format, write_problem
from colorize_media.video.demuxing import other_packets
from colorize_media.video.encoder import EncoderSettings, PictureEncoder, plan_encoding, what_changed
from colorize_media.video.ffmpeg_words import FFmpegWords
from colorize_media.video.reader import Frame, Reader
from colorize_media.video.room import check_room
from colorize_media.video.segments import SegmentWriter, decoding_times
from colorize_media.video.streams import first_of_all, plan_streams
from colorize_media.video.work_folder import WorkFolder


class Writer:
    """Encodes frames into ``target``; copies all other streams of the reader's file.

    Use as a context manager: leaving the block joins the segments, and the file appears under its name. After an
    exception no file does; finished segments stay in the work folder unless the film itself is to blame, and then
    ``kept`` names that folder. ``write``, ``end_segment`` and leaving may happen in different threads, not at once.

    ``job`` says what the frames' colours depend on, as JSON types by names for people; a later Writer with the same
    target, source, settings and job goes on where this one was stopped: ``frames`` have been written, up to ``position``
    (seconds), and `state` is what `end_segment` was given. Without a job it begins anew. ``record`` is what the film says of
    its making; ``signer`` signs it.

    Raises CodecMissing, BadOption (settings that the encoder does not know), OutputUnwritable, UnsupportedMedia (a
    container that cannot hold film), InputIsOutput, StreamNotKept unless ``drop_streams`` allows that streams are lost.
    ``audio`` as in `ColorizeOptions`.

    ``warnings`` names what could not be carried over or gone on with: tags and the like only after `close`. ``converted``
    and ``dropped`` say of streams what became of them.
    """

    def __init__(
        self,
        target: Path,
        reader: Reader,
        settings: EncoderSettings | None = None,
        job: Mapping[str, Any] | None = None,
        record: Record | None = None,
        signer: Signer | None = None,
        *,
        drop_streams: bool = False,
        audio: AudioForm = "lossless",
    ) -> None:
        self.target = Path(target)
        self.kept: Path | None = None
        self._reader = reader
        self._record, self._signer = record, signer
        self._finished = False
        self._encoder: PictureEncoder | None = None
        self._segment: SegmentWriter | None = None
        _check_target(self.target, reader.path)
        self._encoding, self.warnings = plan_encoding(
            container_format(self.target), reader, settings or EncoderSettings(), self.target
        )
        self._streams = plan_streams(reader, self._encoding.container, self.target, drop=drop_streams, audio=audio)
        self.converted, self.dropped = self._streams.converted, self._streams.dropped
        self.warnings += self._streams.warnings
        self.warnings += [f"left out, as --drop-streams allows: {one}" for one in self.dropped]
        if job is not None:
            job = {**job, **_source(reader.path), **self._encoding.describe()}
        try:
            self._work = WorkFolder(self.target, job)
        except OSError as error:
            raise write_problem(error, self.target) from error
        self.warnings += self._work.warnings
        try:
            check_room(reader, self._encoding, self.target, self._work.finished_bytes)
            self._try_out()
        except BaseException as error:
            self.abort(error)
            raise
        self.frames = sum(segment.pictures for segment in self._work.segments)
        last = max((segment.last for segment in self._work.segments), default=0)
        self.position: Fraction = last * self._encoding.time_base

    @property
    def recoded(self) -> str:
        """See `encoder.what_changed`."""
        return what_changed(self._reader.codec, self._encoding)

    @property
    def encoder(self) -> str:
        """The encoder in use, FFmpeg's name."""
        return self._encoding.encoder

    def state(self) -> dict[str, NDArray[Any]]:
        """What the last `end_segment` was given, by an earlier Writer; empty when there was none."""
        return self._work.state()

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self.close()
        else:
            self.abort(error)

    def write(self, frame: Frame, chroma: NDArray[Any]) -> None:
        """Encode one frame. Frames come in the order of their times; ``frame.source`` is used up.

        ``chroma`` ``(chroma_height, chroma_width, 2)``: Cb and Cr codes of the geometry's depth, whole-valued, any
        numeric type. Raises ValueError for another shape, OutputUnwritable.
        """
        try:
            if self._encoder is None or self._segment is None:
                self._encoder, self._segment = PictureEncoder(self._encoding), self._work.begin()
            self._segment.add(self._encoder.encode(frame, chroma))
        except (FFmpegError, OSError) as error:
            raise write_problem(error, self.target) from error

    def end_segment(self, state: State) -> None:
        """Finish what was written since the last segment's end; a killed job goes on from here. Raises OutputUnwritable.

        ``state``: arrays by name. Where no frame was written since, it does nothing.
        """
        if self._encoder is None or self._segment is None:
            return
        try:
            self._segment.add(self._encoder.finish())
            self._work.finish(self._segment, self._encoder.extradata, state)
        except (FFmpegError, OSError) as error:
            raise write_problem(error, self.target) from error
        self._encoder = self._segment = None
        # PyAV's containers and streams hold each other. Left to itself Python looks for such rings so seldom, once PyTorch's
        # objects are there, that a long film would keep every segment's encoder, with its threads and its pictures.
        gc.collect()

    def close(self) -> None:
        """Join everything and give the file its name. Again: does nothing."""
        if self._finished:
            return
        try:
            self.end_segment({})
            file = self._begin_file()
            try:
                self._join(file)
                file.close()
                path = self._signed(file.path)
                close_durably(path.open("rb+"))
                os.replace(path, self.target)
                sync_folder(self.target.parent)
            except BaseException:
                file.abort()
                raise
            self.warnings += file.warnings
        except (FFmpegError, OSError) as error:
            problem = write_problem(error, self.target)
            self.abort(problem)
            raise problem from error
        except BaseException as error:
            self.abort(error)
            raise
        self._finished = True
        self._work.close(keep=False)

    def abort(self, error: BaseException | None = None) -> None:
        """Leave nothing behind but, unless ``error`` is the film's own fault, finished segments. After `close` nothing."""
        if self._finished:
            return
        self._finished = True
        if self._segment is not None:
            self._segment.abort()
        of_the_film = isinstance(error, FileProblem) and not isinstance(error, OutputUnwritable)
        keep = bool(self._work.segments) and error is not None and not of_the_film
        self.kept = self._work.path if keep else None
        self._work.close(keep=keep)

    def _begin_file(self, name: str = "film") -> VideoFile:
        path = self._work.path / f"{name}{self.target.suffix}"
        return VideoFile(path, self.target, self._reader, self._encoding, self._streams, self._record)

    def _try_out(self) -> None:
        """Write a film of one picture and each stream's first packets: what cannot be written is told now, not after hours."""
        with FFmpegWords() as words:
            try:
                file = self._begin_file("trial")
                try:
                    encoder = PictureEncoder(self._encoding)
                    for picture in encoder.blank():
                        picture.dts = picture.pts
                        file.picture(picture)
                    self._check_header(encoder.extradata, file, "its first picture")
                    for packet in first_of_all(self._reader, self._streams):
                        file.take(packet)
                    file.end_streams()
                    file.close()
                finally:
                    file.abort()
            except (FFmpegError, OSError, ValueError) as error:
                raise write_problem(error, self.target, words.reason(error)) from error

    def _signed(self, path: Path) -> Path:
        """The finished file, signed if it is to be; in the work folder, as all that is not finished."""
        if self._signer is None or self._record is None:
            return path
        signed = path.with_name(f"film.signed{path.suffix}")
        with path.open("rb") as unsigned, signed.open("w+b") as file:
            self.warnings += self._signer.sign(unsigned, file, self.target, self._record, self._reader.path)
        return signed

    def _join(self, file: VideoFile) -> None:
        """All packets in the order of their decoding times."""
        pictures = self._pictures(file)
        picture = next(pictures, None)
        reader = self._reader
        for packet in other_packets(
            reader.path, reader.picture_index, reader.clip, self._streams.decoded, reader.probe
        ):
            if packet is None:
                file.end_streams()
                break
            time = _decoding_time(packet)
            while picture is not None and time is not None and (_decoding_time(picture) or 0) <= time:
                file.picture(picture)
                picture = next(pictures, None)
            file.take(packet)
        while picture is not None:
            file.picture(picture)
            picture = next(pictures, None)

    def _check_header(self, extradata: bytes, file: VideoFile, part: str) -> None:
        """Raises UnsupportedMedia if the ``part`` of the film stands under another description than the film."""
        if extradata != file.extradata:
            raise UnsupportedMedia(
                "the encoder describes its parts differently",
                path=self.target,
                why=f"{self.encoder} gave another header for {part}",
                hint="choose another encoder with --encoder",
            )

    def _pictures(self, file: VideoFile) -> Iterator[av.Packet[Any]]:
        segments = self._work.segments
        delay = max((segment.delay for segment in segments), default=0)
        times = decoding_times((segment.times() for segment in segments), delay)
        for segment in segments:
            self._check_header(bytes.fromhex(segment.extradata), file, segment.name)
            for packet in segment.packets(self._encoding.time_base):
                packet.dts = next(times)
                yield packet


def _decoding_time(packet: av.Packet[Any]) -> Fraction | None:
    """In seconds."""
    ticks = packet.pts if packet.dts is None else packet.dts
    return None if ticks is None or not packet.time_base else ticks * packet.time_base


def _source(path: Path) -> dict[str, Any]:
    status = path.stat()
    return {"source": str(path.resolve()), "source's size": status.st_size, "source's date": status.st_mtime_ns}


def _check_target(target: Path, source: Path) -> None:
    if target.exists() and os.path.samefile(target, source):
        raise InputIsOutput(
            "the output is the input",
            path=target,
            why="originals are never changed",
            hint="give another name or folder with -o",
        )
    if target.is_dir():
        raise OutputUnwritable(
            "cannot write the film", path=target, why="a folder has this name", hint="give another name with -o"
        )
    folder = target.parent
    if not folder.is_dir():
        raise OutputUnwritable(
            "cannot write the film", path=target, why=f"there is no folder {folder}", hint="make the folder first"
        )
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputUnwritable(
            "cannot write the film",
            path=target,
            why=f"no permission to write in {folder}",
            hint="check the folder's permissions, or choose another one with -o",
        )
