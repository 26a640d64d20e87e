"""What can go wrong, as a tree. Libraries raise these; only the command line renders them and exits.

    ColorizeError
    ├── UsageProblem        exit 2   the command was wrong; no work was done
    │   ├── InputIsOutput
    │   ├── OutputCollision
    │   ├── OutputExists
    │   ├── UnknownModel
    │   ├── BadOption
    │   └── BadPicture
    ├── EnvironmentProblem  exit 3   this machine lacks something
    │   ├── DeviceMissing
    │   ├── CodecMissing
    │   ├── LibraryMissing
    │   ├── ServerProblem
    │   └── WeightsDamaged
    ├── FileProblem         exit 1   one file could not be coloured; the others go on
    │   ├── InputMissing
    │   ├── InputUnreadable
    │   ├── NoFile
    │   ├── EmptyFile
    │   ├── NoPicture
    │   ├── Encrypted
    │   ├── DamagedMedia
    │   ├── UnsupportedMedia
    │   ├── StreamNotKept
    │   ├── NoRecord
    │   ├── ServerRefused
    │   └── OutputUnwritable
    └── TrainingProblem     exit 1   training cannot go on (data, non-finite loss)

Every error has four parts: *what* happened, to *which file*, *why*, and what to do about it (the *hint*).
"""

from __future__ import annotations

from pathlib import Path


class ColorizeError(Exception):
    """Base of all errors that this package raises on purpose.

    Parameters: ``what`` one short clause without a full stop; ``path`` the file it is about, or None;
    ``why`` the reason, as far as known; ``hint`` what the user can do.
    """

    exit_code = 1
    lasting = False  # whether it is the file's own fault, so that trying again is in vain; a full disk is not

    def __init__(self, what: str, *, path: Path | str | None = None, why: str = "", hint: str = "") -> None:
        self.what = what
        self.path = None if path is None else Path(path)
        self.why = why
        self.hint = hint
        super().__init__(what, path, why, hint)

    def __str__(self) -> str:
        """One line: ``what: file: why (hint)``."""
        head = ": ".join(part for part in (self.what, "" if self.path is None else str(self.path), self.why) if part)
        return f"{head} ({self.hint})" if self.hint else head

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.what, self.path, self.why, self.hint))


def _rebuild(kind: type[ColorizeError], what: str, path: Path | None, why: str, hint: str) -> ColorizeError:
    """Unpickle an error that crossed a process boundary (keyword-only arguments need this)."""
    return kind(what, path=path, why=why, hint=hint)


class UsageProblem(ColorizeError):
    """The command was wrong; nothing was done."""

    exit_code = 2


class InputIsOutput(UsageProblem):
    """The output would replace an original."""


class OutputCollision(UsageProblem):
    """Two inputs would write the same output."""


class OutputExists(UsageProblem):
    """A file stands where the output would be, and may not be replaced."""


class UnknownModel(UsageProblem):
    """--model names neither a shipped model nor a file or run folder."""


class BadOption(UsageProblem):
    """An option's value is out of its range."""


class BadPicture(UsageProblem):
    """What Python code gave to be coloured is no picture: its type, its shape or its values."""


class EnvironmentProblem(ColorizeError):
    """This machine lacks something that the command needs."""

    exit_code = 3


class DeviceMissing(EnvironmentProblem):
    """A named device is not there. Never replaced silently by the CPU."""


class CodecMissing(EnvironmentProblem):
    """The FFmpeg inside PyAV has no such encoder, or cannot open it here."""


class LibraryMissing(EnvironmentProblem):
    """An optional library that the command needs is not installed."""


class ServerProblem(EnvironmentProblem):
    """A photo library's server cannot be reached, refuses the key, or speaks another version."""


class WeightsDamaged(EnvironmentProblem):
    """A weights file is missing, cut, of another format, or does not fit its own config."""


class FileProblem(ColorizeError):
    """One file could not be coloured."""


class InputMissing(FileProblem):
    """There is no such file or folder."""

    lasting = True  # of a link that leads nowhere


class InputUnreadable(FileProblem):
    """The operating system refuses to let us read it."""


class NoFile(InputUnreadable):
    """A folder, a pipe, a socket or a device stands where a file should be."""

    lasting = True


class EmptyFile(FileProblem):
    """The file has no bytes."""

    lasting = True


class NoPicture(FileProblem):
    """Nothing in the file can be decoded as a picture or video: audio only, text, or an unknown format."""

    lasting = True


class Encrypted(FileProblem):
    """The picture stream is encrypted."""

    lasting = True


class DamagedMedia(FileProblem):
    """The file begins like media but too much of it cannot be decoded."""

    lasting = True


class UnsupportedMedia(FileProblem):
    """A known kind of media that this version refuses rather than harms."""

    lasting = True


class StreamNotKept(FileProblem):
    """A film would lose its sound, its subtitles or other streams, and that is not allowed (``drop_streams``)."""

    lasting = True


class NoRecord(FileProblem):
    """Neither the file nor anybody else says how it was made."""


class ServerRefused(FileProblem):
    """A photo library's server does not do what is asked for one picture."""


class OutputUnwritable(FileProblem):
    """The output cannot be written: permissions, a full disk, a folder in its place."""


class TrainingProblem(ColorizeError):
    """Training or evaluation cannot go on."""
