"""Output folders: made when they are needed, at the end like the folders they mirror."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
from pathlib import Path

from colorize_media.errors import OutputUnwritable
from colorize_media.events import Planned
from colorize_media.files.whole import remove_stale_parts


class OutputFolders:
    """Makes output folders, and gives those that mirror a tree their models' modes and times at the end.

    Safe from several threads. A folder of one's own stays writable by its owner, whatever the model's mode: the next run
    may have to add to it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ready: set[Path] = set()
        self._mirrors: dict[Path, tuple[Path, bool]] = {}  # output folder → its model, and whether we made it

    def make(self, item: Planned) -> None:
        """The folder of a planned output, cleared of what killed runs left. Raises OutputUnwritable."""
        assert item.target is not None
        folder = item.target.parent
        with self._lock:
            if folder in self._ready:
                return
            try:
                missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
                folder.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputUnwritable(
                    "cannot make the output folder",
                    path=folder,
                    why=error.strerror or str(error),
                    hint="check -o and permissions",
                ) from error
            remove_stale_parts(folder)
            self._ready.add(folder)
            if item.root is not None and item.tree is not None:
                inside = folder.relative_to(item.root)
                for place in (inside, *inside.parents):
                    own = item.root / place
                    made = self._mirrors.get(own, (own, False))[1] or own in missing
                    self._mirrors[own] = item.tree / place, made

    def make_root(self, item: Planned) -> None:
        """The output folder as a whole, before there is any output. Raises OSError."""
        assert item.root is not None
        with self._lock:
            missing = not item.root.exists()
            item.root.mkdir(parents=True, exist_ok=True)
            if item.tree is not None:
                self._mirrors[item.root] = item.tree, missing

    def close(self) -> None:
        """Modes and times, deepest folders first; what a file system refuses (FAT) is left as it is."""
        for own, (model, made) in sorted(self._mirrors.items(), key=lambda pair: -len(pair[0].parts)):
            with contextlib.suppress(OSError):
                found = model.stat()
                if made:  # what is set for the group comes from the model, or from the folder above on this disk
                    group = (found.st_mode | own.stat().st_mode) & stat.S_ISGID
                    os.chmod(own, stat.S_IMODE(found.st_mode) & 0o777 | stat.S_IRWXU | group)
                os.utime(own, ns=(found.st_atime_ns, found.st_mtime_ns))
