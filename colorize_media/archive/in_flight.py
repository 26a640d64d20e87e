"""Which files are in a decoder or encoder at this moment: known on the disk, so that the next run knows what killed this one.

A decoder that crashes ends the process, and nothing can be said any more. So the output folder holds, for each run, a file
of JSON lines: begun, passed, ended. It is removed with the run; if it is there and its process is not, what had begun and
not ended is under suspicion, unless the machine itself was started anew. It is tried in a process of its own first (`trial`),
so a run that was merely killed costs an innocent file some seconds and no more.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from colorize_media.archive.output_folders import OutputFolders
from colorize_media.archive.trial import try_apart
from colorize_media.errors import DamagedMedia
from colorize_media.events import Planned
from colorize_media.files.own import open_own, read_own
from colorize_media.files.whole import host_mark, was_left_by_dead_run
from colorize_media.options import ColorizeOptions

_NAME = re.compile(r"\.colorize-media-([0-9a-f]{8})-(\d+)\.begun")
LONGEST = 1 << 20  # bytes of the file before it is written anew
MOST_DEATHS = 3
"""Runs that end over a picture which passes its trials until it is left alone: one or two may have been killed by chance."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")  # another one each time that the machine starts


class InFlight:
    """What a run is working on, in all its output folders. Safe from several threads; `close` at the end.

    Where nothing can be written, nothing is known; that is no error. A file longer than ``longest`` bytes is written anew.
    """

    def __init__(self, plan: Sequence[Planned], folders: OutputFolders, *, longest: int = LONGEST) -> None:
        self._longest = longest
        self._lock = threading.Lock()
        self._files: dict[Path, int] = {}  # handles
        self._open: dict[Path, dict[str, int]] = {}  # names that have begun → how many trials they have passed
        self._suspects: set[tuple[Path, str]] = set()
        self._passed_before: dict[tuple[Path, str], int] = {}  # trials, each of a run that ended over it all the same
        planned = {key for item in plan if item.action == "colorize" and (key := _key(item)) is not None}
        for item in {item.root: item for item in plan if item.root is not None}.values():
            assert item.root is not None
            left, named, stale = _left_behind(item.root)
            with contextlib.suppress(OSError):
                folders.make_root(item)
                self._begin_file(item.root)
                for name, passed in left.items():
                    if (item.root, name) in planned:
                        self._suspects.add((item.root, name))
                        self._write(item.root, name, "begun")
                        for _ in range(passed):
                            self._write(item.root, name, "passed")
                        self._passed_before[item.root, name] = passed
                for name in named - left.keys():
                    if (item.root, name) in planned:  # until this run remembers its output, it is not forgotten
                        self._write(item.root, name, "begun")
                        self._write(item.root, name, "ended")
                for path in stale:
                    if path != _path(item.root):  # in a container each run may have the same number
                        path.unlink(missing_ok=True)

    def is_suspect(self, item: Planned) -> bool:
        """Whether an earlier run ended while it worked on the file."""
        return _key(item) in self._suspects

    def examine(self, item: Planned, options: ColorizeOptions) -> None:
        """Try a suspect apart; nothing for any other file. Raises DamagedMedia for one that does not pass."""
        key = _key(item)
        if key is None or key not in self._suspects:
            return
        why = ""
        if item.kind == "photo" and self._passed_before.get(key, 0) >= MOST_DEATHS - 1:
            why = f"{MOST_DEATHS} runs ended while they worked on it, though a process of its own gets through"
        why = why or try_apart(item, options)
        self._suspects.discard(key)
        if why:
            raise DamagedMedia(
                "the file brings the program down",
                path=item.source,
                why=why,
                hint="--retry-failed, another version or any change of the file tries again; or convert it",
            )
        self._write(*key, "passed")

    @contextmanager
    def working_on(self, item: Planned) -> Iterator[None]:
        """Around all that could bring the process down over a file."""
        key = _key(item)
        if key is None:
            yield
            return
        self._write(*key, "begun")
        try:
            yield
        finally:
            self._write(*key, "ended")

    def close(self) -> None:
        """Forget all but what is still being worked on: in a decoder that hangs, or not yet looked at.

        A run that comes this far was not ended by a file, so this is no death over one that had passed its trial.
        """
        with self._lock:
            for root, handle in self._files.items():
                with contextlib.suppress(OSError):
                    for name, passed in self._open[root].items():
                        if passed > self._passed_before.get((root, name), 0):
                            os.write(handle, _line(name, "spared"))
                    os.close(handle)
                    if not self._open[root]:
                        _path(root).unlink(missing_ok=True)
            self._files.clear()

    def _begin_file(self, root: Path) -> None:
        self._files[root] = open_own(_path(root), os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_APPEND)
        self._open[root] = {}
        with contextlib.suppress(OSError):
            os.write(self._files[root], _line(_boot(), "boot"))

    def _write(self, root: Path, name: str, what: str) -> None:
        with self._lock:
            if (handle := self._files.get(root)) is None:
                return
            names = self._open[root]
            if what == "ended":
                names.pop(name, None)
            else:
                names[name] = names.get(name, 0) + (what == "passed")
            with contextlib.suppress(OSError):  # a full disk: then nothing is known
                if os.fstat(handle).st_size > self._longest:
                    os.ftruncate(handle, 0)
                    os.write(handle, _line(_boot(), "boot"))
                    for other, passed in names.items():
                        os.write(handle, _line(other, "begun") + _line(other, "passed") * passed)
                    if what != "ended":  # it is among these
                        return
                os.write(handle, _line(name, what))


def _boot() -> str:
    """What stands for the time since the machine was started; "" where it is not known."""
    try:
        return _BOOT.read_text("ascii").strip()
    except OSError:
        return ""


def _key(item: Planned) -> tuple[Path, str] | None:
    if item.root is None or item.target is None:
        return None
    return item.root, item.target.relative_to(item.root).as_posix()


def _path(root: Path) -> Path:
    return root / f".colorize-media-{host_mark()}-{os.getpid()}.begun"


def _line(name: str, what: str) -> bytes:
    return json.dumps([what, name]).encode("ascii") + b"\n"


def worked_on(root: Path) -> frozenset[str]:
    """Names of the outputs that dead runs began in this folder, whether they ended them or not."""
    return frozenset(_left_behind(root)[1])


def _left_behind(root: Path) -> tuple[dict[str, int], set[str], list[Path]]:
    """What dead runs had begun and not ended, with how many trials it had passed; all that they had begun; their files."""
    names: dict[str, int] = {}
    named: set[str] = set()
    stale: list[Path] = []
    with contextlib.suppress(OSError):
        with os.scandir(root) as entries:  # of perhaps many thousands of outputs: no more than a name is made of each
            found = sorted((entry.name, match) for entry in entries if (match := _NAME.fullmatch(entry.name)))
        for name, match in found:
            path = root / name
            if not (path == _path(root) or was_left_by_dead_run(path, *match.groups())):
                continue
            stale.append(path)
            unfinished, begun = _begun(path)
            named |= begun
            for name, passed in unfinished.items():
                names[name] = max(passed, names.get(name, 0))
    return names, named, stale


def _begun(path: Path) -> tuple[dict[str, int], set[str]]:
    """What one such file says has begun and not ended, and all that has begun; nothing where it cannot be read.

    Where the machine was started since, no file is to blame.
    """
    names: dict[str, int] = {}
    boot = ""
    named: set[str] = set()
    with contextlib.suppress(OSError):
        for line in read_own(path, 2 * LONGEST).splitlines():
            with contextlib.suppress(ValueError, TypeError, RecursionError):
                what, name = json.loads(line)
                if what == "boot":
                    boot = str(name)
                elif what == "ended":
                    names.pop(name, None)
                elif isinstance(name, str):
                    names[name] = names.get(name, 0) + {"passed": 1, "spared": -1}.get(what, 0)
                    named.add(name)
    return ({} if boot and boot != _boot() else names), named
