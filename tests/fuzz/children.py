"""A process of its own for what may crash, hang or take all memory. It is forked, so what the parent has loaded is there."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60.0
"""Longest life of a child: an input takes a tenth of a second, on a busy machine ten times that."""
CPU_SECONDS = 20
MEMORY = 3 << 30
"""Bytes of addresses beyond the parent's own. Threads of codecs reserve much more than they ever use."""

_STREAMS = ("stdout", "stderr")


@dataclass(frozen=True)
class Ended:
    """How a child ended. ``code`` is its exit code, or minus the signal; ``killed`` why we ended it, else empty."""

    code: int
    killed: str
    seconds: float
    peak: int  # bytes, the parent's own included
    told: str  # on its standard output
    said: str  # on its standard error

    @property
    def crash(self) -> str:
        """The signal's name, unless it was ours."""
        return signal.Signals(-self.code).name if self.code < 0 and not self.killed else ""


def in_child(work: Callable[[], int], folder: Path, *, seconds: float = SECONDS, memory: int = MEMORY) -> Ended:
    """Do it there; its standard output and error go to files in the folder. ``work`` returns the exit code."""
    pid = begin_child(work, folder, memory)
    begun, killed = time.monotonic(), ""
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG)
        if done:
            break
        if time.monotonic() - begun > seconds and not killed:
            killed = f"not done in {seconds:.0f} s"
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.002)
    with contextlib.suppress(ProcessLookupError):  # what it started and left running
        os.killpg(pid, signal.SIGKILL)
    code = -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
    if code == -signal.SIGXCPU:
        killed = f"not done in {CPU_SECONDS} s of CPU"
    told, said = ((folder / name).read_text("utf-8", "replace") for name in _STREAMS)
    return Ended(code, killed, time.monotonic() - begun, usage.ru_maxrss * 1024, told, said)


def begin_child(work: Callable[[], int], folder: Path, memory: int = MEMORY) -> int:
    """Its process number; it leads a group of its own. Only while one thread runs here: no other is there after a fork."""
    if (threads := _threads()) > 1:
        raise RuntimeError(f"{threads} threads run: what they hold would be held for ever in a child")
    for name in _STREAMS:
        (folder / name).write_bytes(b"")
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):  # whoever comes first does it
            os.setpgid(pid, pid)
        return pid
    code = 99
    try:
        os.setpgid(0, 0)
        for number, name in enumerate(_STREAMS, start=1):
            os.dup2(os.open(folder / name, os.O_WRONLY | os.O_APPEND), number)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS + 5))
        resource.setrlimit(resource.RLIMIT_AS, (_addresses() + memory,) * 2)
        code = work()
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _addresses() -> int:
    """Bytes of addresses that this process has."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))
