"""The page of a report: one HTML file that fetches nothing and runs only its own script.

Rows and thumbnails lie in it as data: rows as one JSON text, thumbnails in blocks of lines, which the script takes apart
when it shows them. Everything that comes from files is text there; what is written here as HTML is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from itertools import islice
from typing import Any, NamedTuple

from colorize_media.version import __version__

GENERATOR = f"colorize-media {__version__}"
MARK = b'<meta name="generator" content="colorize-media '  # by what a page of ours is known
BLOCK = 100  # rows whose thumbnails lie in one block
OPENED_FAILURES = 12  # more are folded

STATUSES = {"done": "Coloured", "left": "Left alone", "present": "Already there", "failed": "Failed"}
DECISIONS = {
    "neutral": "Black and white",
    "toned": "Toned, like sepia",
    "mixed": "Films partly in colour",
    "color": "In colour",
    "document": "Documents",
    "": "Not judged",
}


_PAIR = re.compile(rb"(?P<key>[0-9a-f]{16}),(?P<before>[0-9A-Za-z+/]*={0,2}),(?P<after>[0-9A-Za-z+/]*={0,2})\n?")


class Pair(NamedTuple):
    """A row's thumbnails as base64 of JPEGs, empty where there is none; ``key`` says of what state of which files."""

    key: str
    before: bytes = b""
    after: bytes = b""


def page(
    facts: Mapping[str, Any], folders: Sequence[str], rows: Sequence[Mapping[str, Any]], thumbnails: Iterable[Pair]
) -> Iterator[bytes]:
    """The page in pieces. ``facts`` as in the report's JSON; ``rows`` as report.js reads them; ``thumbnails`` one per row."""
    style, script = _asset("report.css"), _asset("report.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "img-src data: file: 'self'; base-uri 'none'; form-action 'none'"
    )
    yield (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<meta name="generator" content="{GENERATOR}">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{escape(facts['title'])}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    ).encode()
    yield "\n".join(_head(facts)).encode() + b"\n"
    yield "\n".join(_failures(rows, folders)).encode() + b"\n"
    yield _PICTURES.encode()
    pairs = iter(thumbnails)
    for start in range(0, len(rows), BLOCK):
        yield f'<script type="text/plain" id="t{start // BLOCK}">\n'.encode()
        for pair in islice(pairs, BLOCK):
            yield pair.key.encode() + b"," + pair.before + b"," + pair.after + b"\n"
        yield b"</script>\n"
    known = {"folders": folders, "chunk": BLOCK, "statuses": STATUSES, "decisions": DECISIONS}
    yield f'<script type="application/json" id="facts">{script_json(known)}</script>\n'.encode()
    yield b'<script type="application/json" id="rows">[\n'
    for number, row in enumerate(rows):
        yield (",\n" if number else "").encode() + script_json(row).encode()
    yield f']</script>\n<script type="module">{script}</script>\n</body>\n</html>\n'.encode()


def script_json(value: Any) -> str:
    """JSON that cannot end the script element it stands in, nor begin a comment there: ASCII without ``<``, ``>`` and ``&``."""
    text = json.dumps(value, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def encoded(picture: bytes) -> bytes:
    """As it stands in the page."""
    return base64.b64encode(picture)


def read_pair(line: bytes) -> Pair | None:
    """A line of an earlier page's blocks; None for any other line.

    Whoever may write into the folder may have written it: it becomes part of the new page only if it is what we write.
    """
    match = _PAIR.fullmatch(line)
    if match is None or not all(_is_picture(match[name]) for name in ("before", "after")):
        return None
    return Pair(match["key"].decode("ascii"), match["before"], match["after"])


def _is_picture(text: bytes) -> bool:
    """Base64 of a JPEG, or nothing."""
    return not text or (len(text) % 4 == 0 and base64.b64decode(text[:4]) == b"\xff\xd8\xff")


def _head(facts: Mapping[str, Any]) -> Iterator[str]:
    totals = facts["totals"]
    yield '<a class="skip" href="#list">Go to the pictures</a>'
    yield f"<header>\n<h1>{escape(facts['title'])}</h1>"
    yield f'<p class="about">{escape(facts["written"])} · {escape(facts["options"])}</p>'
    for line in facts["notes"]:
        yield f'<p class="about">{escape(line)}</p>'
    yield '<dl class="totals">'
    for status, name in STATUSES.items():
        number, earlier = totals[status], totals["earlier"][status]
        if not number and status == "present":
            continue
        small = f"<small>{earlier:,} of them earlier</small>" if earlier else ""
        yield f'<div class="{status}"><dt>{name}</dt><dd>{number:,}{small}</dd></div>'
    warned = f"<small>{totals['warned']:,} with a warning</small>" if totals["warned"] else ""
    yield f"<div><dt>Files</dt><dd>{totals['files']:,}{warned}</dd></div>"
    if facts["took"]:
        yield f"<div><dt>This run took</dt><dd>{escape(facts['took'])}</dd></div>"
    yield "</dl>\n</header>\n<main>"


def _failures(rows: Sequence[Mapping[str, Any]], folders: Sequence[str]) -> Iterator[str]:
    failed = [row for row in rows if row["status"] == "failed"]
    if not failed:
        return
    opened = " open" if len(failed) <= OPENED_FAILURES else ""
    count = f"{len(failed):,} files" if len(failed) > 1 else "1 file"
    yield f'<details class="failures"{opened}><summary>{count} could not be coloured</summary>'
    yield '<div class="wide" tabindex="0" role="region" aria-label="Failures"><table>'
    yield '<thead><tr><th scope="col">File</th><th scope="col">Why</th><th scope="col">What to do</th></tr></thead><tbody>'
    for row in failed:
        name = "/".join(part for part in (folders[row["folder"]], row["name"]) if part)
        cells = "".join(f"<td>{escape(text)}</td>" for text in (name, row["reason"], row.get("hint", "")))
        yield f"<tr>{cells}</tr>"
    yield "</tbody></table></div></details>"


_PICTURES = """<h2 id="pictures">Every file</h2>
<noscript><p>The list of all files needs JavaScript, which this page brings along and the browser keeps from running. The JSON
file beside this page has the same rows.</p></noscript>
<form class="filters" role="search" aria-label="Filter the files">
<fieldset><legend class="hidden">Outcome</legend><div id="statuses"></div></fieldset>
<label>Folder<select id="folder"><option value="">All folders</option></select></label>
<label>Taken for<select id="decision"><option value="">Anything</option></select></label>
<label>Run<select id="earlier"><option value="">Any</option><option value="this">This run</option>
<option value="earlier">Earlier runs</option></select></label>
<label>Find<input type="search" id="find" placeholder="name, reason, warning"></label>
<label>Before | after<input type="range" id="everywhere" min="0" max="100" value="50" aria-valuetext="50 % in colour"></label>
<output id="count" aria-live="polite"></output>
</form>
<div id="list" role="list" aria-label="Files" tabindex="-1"></div>
<p class="empty" id="empty" hidden>No file is like that.</p>
</main>
<footer><p>Left of the divider: as it was. Right of it: as it was coloured. The arrow keys move it, Tab goes on to the next
picture.
The colours are a network's guess.</p></footer>
<dialog id="viewer" aria-labelledby="viewer-name">
<div class="bar"><h2 id="viewer-name"></h2>
<button type="button" class="previous" title="Key p">Previous</button>
<button type="button" class="next" title="Key n">Next</button>
<button type="button" class="close" title="Key Escape">Close</button></div>
<div class="picture"></div><div class="facts"></div>
</dialog>
"""


@cache
def _asset(name: str) -> str:
    return files("colorize_media.report").joinpath(name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    """As a content security policy names an inline element."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
