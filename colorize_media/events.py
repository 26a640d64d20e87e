"""What happened, as plain values. Progress bars, JSON lines and callers' callbacks all read the same ones.

A job calls ``on_event(event)`` from the thread that runs the job. ``as_json`` gives the dict that ``--json`` prints.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, TypeAlias

# What a picture or film was found to be: grey; evenly toned; a film with shots in colour; in colour; text or a drawing;
# a film without a frame to judge by.
What = Literal["neutral", "toned", "mixed", "color", "document", "unknown"]


@dataclass(frozen=True, slots=True)
class Sidecar:
    """A file that goes along with an input. ``action``: copy, keep (its copy is there already) or leave, for a ``reason``.

    It is copied when the input's output is written or stands there already. ``replaces``: what stands at the target is ours.
    """

    source: Path
    target: Path
    action: Literal["copy", "keep", "leave"]
    reason: str = ""
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Planned:
    """Before any work: what will be done with one input. ``action``: colorize, skip or fail.

    ``root`` is the output folder that remembers the file, ``tree`` the input folder whose tree it mirrors, None where the
    user named a file. ``replaces``: an output that stands there is replaced. ``earlier``: it is skipped because an earlier
    run left it alone, as ``what``, or fails because it failed then. ``older``: its output, which stands, was made by older
    weights of the same network or by an older version of the program. ``failure`` is what is told of a fail, not in JSON.
    A frame of a sequence that is coloured as a film has its number, ``frame``, and the ``sequence``'s name in its folder, like
    ``scan_%06d.dpx``.
    ``sidecars`` go along with it. ``foreign``, not in JSON: what stands in the output's place is not known to be made of
    this input.
    """

    source: Path
    target: Path | None
    kind: Literal["photo", "video", "other"]
    action: Literal["colorize", "skip", "fail"]
    reason: str = ""
    root: Path | None = None
    tree: Path | None = None
    replaces: bool = False
    what: What | None = None
    earlier: bool = False
    failure: Failed | None = field(default=None, metadata={"json": False})
    sequence: str = ""
    frame: int | None = None
    sidecars: tuple[Sidecar, ...] = ()
    older: bool = False
    foreign: bool = field(default=False, metadata={"json": False})


@dataclass(frozen=True)
class Passed:
    """After the plan: what of a searched folder is no input, counted. ``found`` is how many inputs it has.

    ``files`` counts by extension what is neither a picture nor a film ("" without one), ``others`` by what it is, or why
    it is left out, all else. ``orphaned`` are outputs that earlier runs made of files which are gone from it; they stay.
    """

    source: Path
    found: int
    files: Mapping[str, int]
    others: Mapping[str, int]
    orphaned: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Expected:
    """The last event of a dry run: what a run would do. ``seconds`` is how long the ``films`` to be coloured play.

    ``photos`` and ``films`` would be coloured, ``skipped`` counts what would not, by why, ``failed`` what would fail.
    ``passed`` counts what of the searched folders is no input, as Passed does. ``quick``: no file was looked into, so what has
    colour already is still among those to be coloured.
    """

    photos: int
    films: int
    seconds: float
    skipped: Mapping[str, int]
    failed: int
    passed: Mapping[str, int]
    quick: bool = False


@dataclass(frozen=True)
class Started:
    """Work on one file begins. ``frames`` is the container's own estimate, None when unknown; 1 for a photo.

    ``note`` says why it is coloured, ``what`` what it is; None for a file of several pages, which may be different things.
    """

    source: Path
    target: Path
    kind: Literal["photo", "video"]
    frames: int | None
    note: str = ""
    what: What | None = None


@dataclass(frozen=True)
class Resumed:
    """After Started: the first ``frames`` frames, up to ``time`` in seconds, are finished since an earlier run."""

    source: Path
    frames: int
    time: Fraction


@dataclass(frozen=True)
class Advanced:
    """``frames`` frames of this file are done so far; ``time`` is the position in the source in seconds."""

    source: Path
    frames: int
    time: Fraction


@dataclass(frozen=True)
class Warned:
    """Something was not carried over or had to be guessed; the work goes on."""

    source: Path
    message: str


@dataclass(frozen=True)
class Done:
    """One output is whole and under its final name. ``seconds`` is wall time, ``damaged`` counts corrupt frames.

    ``own_frames`` in ``own_shots`` shots were in colour already and kept it. ``reason`` and ``what`` are those of Started;
    ``pages`` those of a TIFF file, each coloured or left for itself. ``record`` says how the output was made, as JSON types
    (`provenance.record.Record`). ``sidecars`` were copied beside it. ``converted`` names, with their new
    codec, the streams of a film that the output does not take as they were; ``dropped``, with the reason, those that are not
    in it. ``recoded`` says what a film's picture became that it was not: one to look at instead of
    one for editing or an archive, another bit depth.
    """

    source: Path
    target: Path
    frames: int
    seconds: float
    damaged: int = 0
    own_frames: int = 0
    own_shots: int = 0
    reason: str = ""
    what: What | None = None
    pages: int = 1
    record: dict[str, Any] | None = None
    sidecars: int = 0
    converted: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    recoded: str = ""


@dataclass(frozen=True)
class Skipped:
    """Nothing was done, on purpose. ``what`` it is, if that is why; else None, and for a file of several pages.

    ``sidecars`` of an output that is there already were new or changed, and were copied.
    """

    source: Path
    reason: str
    what: What | None = None
    sidecars: int = 0


@dataclass(frozen=True)
class Failed:
    """One file could not be coloured. No output was left.

    ``trace`` is the text of the error's traceback, ``error`` its class, a ColorizeError, where one was raised; not in JSON.
    """

    source: Path
    what: str
    why: str
    hint: str
    trace: str = field(default="", repr=False, metadata={"json": False})
    error: type[Any] | None = field(default=None, repr=False, compare=False, metadata={"json": False})


@dataclass(frozen=True)
class Summary:
    """The last event of a run. ``passed``: files of searched folders that are no inputs, as in Passed.

    ``sidecars`` were copied; ``sidecars_left`` counts those that were not, by why not. ``failed_before``: so many of those that
    failed did so in an earlier run, have not changed since and were not tried again. ``toned``: so many of those that are
    done were in an even tone, which their colours replaced; ``recoded`` counts films by what is said of them in Done.
    ``older`` and ``orphaned`` name outputs, as Planned and Passed say it. ``model`` is the network that coloured.
    """

    done: int
    skipped: int
    failed: int
    seconds: float
    passed: int = 0
    sidecars: int = 0
    sidecars_left: Mapping[str, int] = field(default_factory=dict)
    failed_before: int = 0
    toned: int = 0
    recoded: Mapping[str, int] = field(default_factory=dict)
    older: tuple[Path, ...] = ()
    orphaned: tuple[Path, ...] = ()
    model: str = ""


Event: TypeAlias = (
    Planned | Passed | Expected | Started | Resumed | Advanced | Warned | Done | Skipped | Failed | Summary
)
Result: TypeAlias = Done | Skipped  # of a job that did not fail
OnEvent: TypeAlias = Callable[[Event], None]


def ignore(event: Event) -> None:
    """The default callback."""


def as_json(event: Event) -> dict[str, Any]:
    """A dict of JSON types with the event's name under ``event``; times as seconds, paths as text.

    A file name that is not valid UTF-8 keeps its bytes as surrogate escapes, which ``json.dumps`` writes as ``\\udcXX``.
    """
    return {"event": type(event).__name__.lower(), **_json_of(event)}


def _json_of(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        shown = [item for item in dataclasses.fields(value) if item.metadata.get("json", True)]
        return {item.name: _json_of(getattr(value, item.name)) for item in shown}
    if isinstance(value, tuple):
        return [_json_of(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Path):
        return str(value)
    return float(value) if isinstance(value, Fraction) else value
