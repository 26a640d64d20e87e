"""How one output was made, as one value: photographs, films and the manifest say the same, each in its own form."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

from colorize_media.version import __version__

PROGRAM = "colorize-media"
SHORT_DIGEST = (
    12  # hexadecimal digits of a weights file's SHA-256 where a person reads them: 48 bits tell all files apart
)


class _Named(Protocol):
    @property
    def name(self) -> str: ...


class Network(Protocol):
    """What of a `network.colorizer.Colorizer` is told: which weights, and what computes them how exactly."""

    @property
    def weights(self) -> Path: ...
    @property
    def weights_digest(self) -> str: ...
    @property
    def engine(self) -> _Named: ...
    @property
    def dtype(self) -> object: ...


@dataclass(frozen=True)
class Record:
    """What an output says about its making. The same input and options give the same record, but for the date.

    model      the network's name, never the folder that it lies in;  weights  SHA-256 of its file, hexadecimal
    engine     what computed it;  precision  in which numbers
    options    those that change colours or decide what is coloured and are not at their default, as JSON types by name
    date       when it was coloured, UTC, ISO 8601 to the second
    source     the source's file name without its folder, which is private; empty where it is not to be named
    source_sha256  of the source's bytes, hexadecimal, by which the original is found again; empty where it is not known
    source_stamp   its size in bytes and its modification time in nanoseconds, which the output has too; None as above
    settings       other options that change the output and are not at their default: encoder, quality …; never of signing
    made_under     digest of all options and weights that the output depends on, by which the same job is known again
    decided_under  digest of those that decide about its parts, shots or pages
    """

    version: str
    model: str
    weights: str
    engine: str
    precision: str
    options: Mapping[str, Any]
    date: str
    source: str = ""
    program: str = PROGRAM
    source_sha256: str = ""
    source_stamp: tuple[int, int] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    made_under: str = ""
    decided_under: str = ""

    @property
    def tool(self) -> str:
        """``colorize-media 0.1.0``."""
        return f"{self.program} {self.version}"

    @property
    def system(self) -> str:
        """What IPTC calls the AI system: the program and its network."""
        return f"{self.program} (network {self.model})"

    @property
    def system_version(self) -> str:
        """Of the program and of the weights, these in short."""
        return f"{self.version} (weights sha256 {self.weights[:SHORT_DIGEST]})"

    @property
    def parameters(self) -> str:
        """All that decided about the colours, and what was coloured, in one line."""
        options = "".join(f"; {name.replace('_', ' ')} {value}" for name, value in sorted(self.options.items()))
        how = f"by the network {self.model} (weights sha256 {self.weights}), {self.engine} {self.precision}"
        original = f"; of the original with sha256 {self.source_sha256}" if self.source_sha256 else ""
        return f"colour added {how}{options}{original}"

    def anonymous(self) -> Record:
        """The same without anything that leads to the source."""
        return replace(self, source="", source_sha256="", source_stamp=None)

    @property
    def sentence(self) -> str:
        """For people who read a file's comment."""
        by = f"Coloured by {self.tool} on {self.date[:10]}"
        return f"{by} with the network {self.model} (weights sha256 {self.weights[:SHORT_DIGEST]})."

    def as_json(self) -> dict[str, Any]:
        """A dict of JSON types."""
        stamp = None if self.source_stamp is None else list(self.source_stamp)
        return {**vars(self), "options": dict(self.options), "settings": dict(self.settings), "source_stamp": stamp}


def record_of(
    network: Network,
    options: Mapping[str, Any],
    source: Path,
    content: Path | None = None,
    *,
    settings: Mapping[str, Any] = MappingProxyType({}),
    made_under: str = "",
    decided_under: str = "",
) -> Record:
    """How an output is made that is made now; ``options`` and what follows the star as `options.what_made_it` has them.

    ``content`` is the file that is read, where that is a copy of the ``source`` that people know. It is read to its end.
    """
    read = content or source
    return Record(
        version=__version__,
        model=name_of_weights(network.weights),
        weights=network.weights_digest,
        engine=network.engine.name,
        precision=str(network.dtype).removeprefix("torch."),
        options=options,
        date=now(),
        source=source.name,
        source_sha256=sha256_of(read),
        source_stamp=_stamp_of(read),
        settings=settings,
        made_under=made_under,
        decided_under=decided_under,
    )


def now() -> str:
    """This moment, or the one that SOURCE_DATE_EPOCH names (reproducible-builds.org): then equal work gives equal bytes."""
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    moment = (
        datetime.fromtimestamp(int(fixed), timezone.utc)
        if fixed.isascii() and fixed.isdigit() and len(fixed) <= _MOST_DIGITS
        else datetime.now(timezone.utc)
    )
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


_PIECE = 1 << 20  # bytes
_MOST_DIGITS = 11  # of seconds since 1970, up to the year 5138


def sha256_of(path: Path) -> str:
    """Of a file's bytes, hexadecimal; empty where it cannot be read: whoever reads it for its pictures says so."""
    digest = hashlib.sha256()
    try:
        with path.open("rb", buffering=0) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
    except OSError:
        return ""
    return digest.hexdigest()


def _stamp_of(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def name_of_weights(weights: Path) -> str:
    """``scenes`` of a shipped file, a run's folder for what lies in one as weights.safetensors."""
    return weights.resolve().parent.name if weights.name == "weights.safetensors" else weights.stem
