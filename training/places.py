"""The Places205 test tarball: where it is, and a download that goes on where it was cut off.

41,000 pictures of 256 × 256 px without labels. Its publishers give no checksum; its length is known from many downloads,
and gzip's own checksum is verified when it is read.
"""

from __future__ import annotations

import hashlib
import http.client
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

from colorize_media.errors import OutputUnwritable, TrainingProblem

URL = "http://data.csail.mit.edu/places/places205/testSetPlaces205_resize.tar.gz"
NAME = "testSetPlaces205_resize.tar.gz"
SIZE = 2_341_250_899  # bytes

PIECE = 2**20  # bytes read at a time
TIMEOUT = 60.0  # seconds without any byte
ATTEMPTS = 6  # in a row that bring nothing
LONGEST_PAUSE = 60.0  # seconds
TELL_EVERY = 5.0  # seconds
TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})  # HTTP answers after which it is worth asking again

Tell = Callable[[str], None]


def fetch(url: str, target: Path, tell: Tell, *, size: int = 0, sha256: str = "", pause: float = 1.0) -> None:
    """Download ``url`` to ``target``, which appears only when whole; until then its bytes are in ``target``.part.

    A part that is there is gone on with. A cut connection, a silent one and a busy server are tried again after ``pause``
    seconds, then twice as long, up to a minute, until `ATTEMPTS` in a row brought nothing. ``size`` (bytes; 0 is unknown)
    and ``sha256`` (hex) are what the file must have; a given ``sha256`` decides alone.

    Raises TrainingProblem (no network, another file) or OutputUnwritable.
    """
    part = target.with_name(target.name + ".part")
    failures = 0
    while True:
        before = _size(part)
        try:
            if _fetch_rest(url, part, tell, 0 if sha256 else size):
                break
            problem = "the connection was cut"
        except urllib.error.HTTPError as error:
            problem = f"the server answers {error.code} {error.reason}"
            if error.code == 416:  # there is no rest: all is here, or it is a part of another file
                if error.headers.get("Content-Range") == f"bytes */{before}":
                    break
                part.unlink(missing_ok=True)
            elif error.code not in TEMPORARY:
                raise _cannot(url, problem) from error
        except (OSError, http.client.HTTPException) as error:
            problem = str(error) or type(error).__name__
        failures = 0 if _size(part) > before else failures + 1
        if failures == ATTEMPTS:
            raise _cannot(url, problem)
        wait = min(pause * 2**failures, LONGEST_PAUSE)
        tell(f"{target.name}: {problem}; again in {wait:.0f} s")
        time.sleep(wait)
    if sha256:
        try:
            verify(part, sha256)
        except TrainingProblem:
            part.unlink()  # complete and wrong: going on with it cannot mend it
            raise
    part.replace(target)


def verify(path: Path, sha256: str) -> None:
    """Raises TrainingProblem unless the file has this digest (hex)."""
    found = digest(path)
    if found != sha256.lower():
        raise TrainingProblem(
            "the file is not the expected one",
            path=path,
            why=f"its SHA-256 is {found}, not {sha256.lower()}",
            hint="fetch it again, or give the digest of the file that you trust",
        )


def digest(path: Path) -> str:
    """SHA-256 in hex."""
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            found.update(piece)
    return found.hexdigest()


def _fetch_rest(url: str, part: Path, tell: Tell, size: int) -> bool:
    """Ask for what is missing and append it. True if the file is whole now."""
    have = _size(part)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        if answer.status != 206 and have:  # the server knows no ranges and sends everything
            have = 0
        total = _total(answer, have) or size
        if size and total != size:
            raise _cannot(url, f"the server has {total} bytes under this name, {size} are expected")
        told = float("-inf")
        with _open(part, "ab" if have else "wb") as file:
            while piece := answer.read(PIECE):
                try:
                    file.write(piece)
                    file.flush()
                except OSError as error:
                    raise _unwritable(part, error) from error
                have += len(piece)
                if time.monotonic() - told > TELL_EVERY:
                    told = time.monotonic()
                    tell(f"{part.stem}: {have / 1e6:,.0f} of {total / 1e6:,.0f} MB")
    return have == total or not total


def _total(answer: http.client.HTTPResponse, have: int) -> int:
    """Length of the whole file as the server says it, 0 if it does not. Raises HTTPException for an answer out of place."""
    if answer.status != 206:
        return int(answer.headers.get("Content-Length") or 0)
    span = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range") or "")
    if span is None or int(span[1]) != have:
        raise http.client.HTTPException("the server sent another range than it was asked for")
    return int(span[2])


def _open(part: Path, mode: str) -> IO[bytes]:
    try:
        return part.open(mode)
    except OSError as error:
        raise _unwritable(part, error) from error


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _cannot(url: str, why: str) -> TrainingProblem:
    return TrainingProblem(
        f"cannot download {url}",
        why=why,
        hint="the same command goes on where it was; or fetch the file by other means and give its path",
    )


def _unwritable(path: Path, error: OSError) -> OutputUnwritable:
    return OutputUnwritable(
        "cannot write the download", path=path, why=error.strerror or str(error), hint="check space and permissions"
    )
