"""What a plugin puts on the disk: files of its own, a line in a foreign file, an element in a foreign XML file.

Each part turns the present content of a file into the one with the plugin in it or without it; None is "no file". Both
leave foreign bytes as they are and change nothing when they are applied again.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from colorize_media.errors import InputUnreadable

MARK = "colorize-media plugin"


class Part(Protocol):
    """A file that has something to do with the plugin. ``executable``: its host runs it."""

    @property
    def path(self) -> Path: ...

    @property
    def executable(self) -> bool: ...

    def installed(self, old: bytes | None) -> bytes:
        """The content with the plugin. Raises InputUnreadable for a foreign file that is not what it should be."""
        ...

    def removed(self, old: bytes | None) -> bytes | None:
        """The content without the plugin. Raises as `installed`."""
        ...

    def holds_edits(self, old: bytes | None) -> bool:
        """Whether something that a person wrote would be lost."""
        ...


@dataclass(frozen=True)
class OwnFile:
    """A file of the plugin alone. Its last line tells whether somebody has edited it."""

    path: Path
    text: str
    comment: str  # what begins a comment in its language
    executable: bool = False

    def installed(self, old: bytes | None) -> bytes:
        """Our text, signed."""
        body = self.text.encode()
        return body + f"{self.comment} {MARK} {_digest(body)}\n".encode()

    def removed(self, old: bytes | None) -> bytes | None:
        """No file; but a foreign one of the same name stays."""
        return old if old is not None and _signature(old) is None else None

    def holds_edits(self, old: bytes | None) -> bool:
        """Whether the text is not the one that was signed."""
        if old is None or old == self.installed(None):
            return False
        signature = _signature(old)
        return signature is None or signature[1] != _digest(signature[0])


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def _signature(content: bytes) -> tuple[bytes, str] | None:
    """The text before the last of our signatures, and what it says; None if it was never ours."""
    every = list(re.finditer(rb"^[^\n]* " + MARK.encode() + rb" ([0-9a-f]{16})\r?\n?", content, re.MULTILINE))
    if not every:
        return None
    last = every[-1]
    return content[: last.start()] + content[last.end() :], last[1].decode()


@dataclass(frozen=True)
class Line:
    """One line in a file of the user's: ``code`` and a mark behind ``comment``."""

    path: Path
    code: str
    comment: str
    executable: bool = False

    def installed(self, old: bytes | None) -> bytes:
        """The line at the end, unless the user has the same one, with or without the mark."""
        content = old or b""
        if any(line.split(self.comment.encode())[0].strip() == self.code.encode() for line in content.splitlines()):
            return content
        newline = b"\r\n" if b"\r\n" in content else b"\n"
        gap = newline if content and not content.endswith(b"\n") else b""
        return content + gap + f"{self.code} {self.comment} {MARK}".encode() + newline

    def removed(self, old: bytes | None) -> bytes | None:
        """Without our marked line; nothing is left of a file that held nothing else."""
        if old is None:
            return None
        ours = f"{self.code} {self.comment} {MARK}".encode()
        kept = b"".join(line for line in old.splitlines(keepends=True) if line.strip() != ours)
        return kept if kept or not old else None

    def holds_edits(self, old: bytes | None) -> bool:
        """Never: other lines stay."""
        return False


@dataclass(frozen=True)
class Element:
    """One element in a list in a foreign XML file, known by one of its children; all other bytes stay.

    ``start`` is the file's content where there is none yet. The host writes the file itself, so comments would not last, and
    the element need not stay as it was written: then it is the user's, and stays as long as the plugin is there, but for what
    the expression ``renewed`` finds in it and in ``text``: our command's path.
    """

    path: Path
    root: str
    name: str
    known_by: str  # regular expression in the element's text
    text: str
    start: bytes
    renewed: str = "(?!)"
    executable: bool = False

    def installed(self, old: bytes | None) -> bytes:
        """The element before the end of the list, unless it is there."""
        content = self._checked(old if old is not None and old.strip() else self.start)
        if found := self._found(content):
            return self._checked(self._renewed(content, found[-1]))
        # A list without anything in it may be written as one tag.
        content = re.sub(rf"<({self.root})\b([^<>]*)/>\s*$".encode(), rb"<\1\2>\n</\1>\n", content)
        head, tail, rest = content.rpartition(f"</{self.root}>".encode())
        return self._checked(head + self.text.encode() + b"\n" + tail + rest)

    def removed(self, old: bytes | None) -> bytes | None:
        """Without the element; the list stays, even if it is empty: it may be the user's wish to have it so."""
        if old is None or not old.strip():
            return old
        content = self._checked(old)
        for found in reversed(self._found(content)):
            end = found.end() + (content[found.end() : found.end() + 1] == b"\n")
            content = content[: found.start()] + content[end:]
        return self._checked(content)

    def holds_edits(self, old: bytes | None) -> bool:
        """Never: other elements stay."""
        return False

    def _renewed(self, content: bytes, found: re.Match[bytes]) -> bytes:
        now = re.search(self.renewed.encode(), self.text.encode())
        if now is None or now[0] in found[0]:
            return content
        new = re.sub(self.renewed.encode(), lambda _: now[0], found[0], count=1)
        return content[: found.start()] + new + content[found.end() :]

    def _found(self, content: bytes) -> list[re.Match[bytes]]:
        every = re.finditer(rf"<{self.name}\b[^<>]*>.*?</{self.name}>".encode(), content, re.DOTALL)
        return [found for found in every if re.search(self.known_by.encode(), found[0])]

    def _checked(self, content: bytes) -> bytes:
        try:
            root = ElementTree.fromstring(content)
            why = "" if root.tag == self.root else f"it is a <{root.tag}>, not a <{self.root}>"
        except ElementTree.ParseError as error:
            why = f"it is no XML: {error}"
        if why:
            raise InputUnreadable(
                "cannot add to the host's file",
                path=self.path,
                why=why,
                hint="repair it or move it away; it was not touched",
            )
        return content


def xml_text(text: str) -> str:
    """For an element or an attribute in double quotes."""
    return escape(text, {'"': "&quot;", "\n": "&#xa;"})


def shell_word(text: str) -> str:
    """For sh, in single quotes. shlex.quote leaves plain words bare, and by these quotes digiKam's workflow is known again."""
    return "'" + text.replace("'", "'\\''") + "'"


def exec_word(text: str) -> str:
    """For the Exec key of a desktop file: quoted, escaped once more as a string value, per cent signs doubled."""
    quoted = '"' + re.sub(r'(["`$\\])', r"\\\1", text).replace("%", "%%") + '"'
    return quoted.replace("\\", "\\\\")


def lua_string(text: str) -> str:
    """A Lua literal."""
    return '"' + re.sub(r'(["\\])', r"\\\1", text).replace("\n", "\\n") + '"'
