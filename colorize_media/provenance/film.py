"""A film's mark: what its tags and its XMP packet say, put there in the two moments when a file can still be written."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from colorize_media.provenance.film_boxes import embed_film_xmp, read_film_xmp
from colorize_media.provenance.film_tags import told_tags
from colorize_media.provenance.mark import mark_in_tags
from colorize_media.provenance.packet import film_packet
from colorize_media.provenance.record import Record

_HOLD_XMP = frozenset({"mp4", "mov", "ipod", "3gp", "3g2", "psp", "f4v", "ismv"})  # FFmpeg's names


class FilmMark:
    """What one output says of its making: `tags` before the file is begun, `embed` when it is finished, `check` at the end.

    ``container`` is FFmpeg's name of the output's format, ``suffix`` what people call it. Without a ``record`` nothing is
    said, but an XMP packet of the source is kept. ``warnings`` name what the output cannot hold.
    """

    def __init__(self, source: Path, container: str, suffix: str, record: Record | None) -> None:
        self.warnings: list[str] = []
        self._record, self._suffix = record, suffix
        self._quicktime, self._has_xmp = container == "mov", container in _HOLD_XMP
        self._packet = self._packet_of(source)

    def tags(self, tags: Mapping[str, str]) -> dict[str, str]:
        """The file's tags, which are the source's, with what this output says."""
        return dict(tags) if self._record is None else told_tags(tags, self._record, has_xmp=self._has_xmp)

    def embed(self, path: Path) -> None:
        """Give the finished file its XMP packet. Raises OSError."""
        if self._packet and not embed_film_xmp(path, self._packet, quicktime=self._quicktime):
            self._packet = b""
            self.warnings.append(f"{self._suffix} has no place for the XMP packet")

    def check(self, written: Mapping[str, str]) -> None:
        """Whether the mark came through, by the tags as they are read back."""
        if self._record is not None and not self._packet and mark_in_tags(written) is None:
            self.warnings.append(f"{self._suffix} cannot hold the note that this film was coloured by a program")

    def _packet_of(self, source: Path) -> bytes:
        """What the output gets; nothing where it holds none."""
        packet = b""
        try:
            packet = read_film_xmp(source)
            if self._has_xmp and self._record is not None:
                return film_packet(packet, self._record)
        except ValueError as problem:
            self.warnings.append(f"the source's XMP packet cannot be used ({problem}) and is not carried over")
            return film_packet(b"", self._record) if self._has_xmp and self._record is not None else b""
        if packet and not self._has_xmp:
            self.warnings.append(f"{self._suffix} cannot hold the source's XMP packet")
            return b""
        return packet
