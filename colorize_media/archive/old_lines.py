"""What a manifest's line says that was written before lines had values for it: read from the sentence in it.

Nobody else reads a sentence. Such lines are told apart by the lack of ``what``.
"""

from __future__ import annotations

import re

from colorize_media.events import What

_HEADS: dict[str, What] = {
    "neutral": "neutral",
    "toned": "toned",
    "mixed": "mixed",
    "color": "color",
    "already in colour": "color",
    "a document": "document",
}

_OF_PAGES = re.compile(r"page \d+ of \d+ is ")


def what_it_was(reason: str) -> What | None:
    """What the file was found to be; None where the sentence does not say: an unknown one, several pages, a failure."""
    return _HEADS.get(reason.partition(": ")[0])


def had_parts(reason: str) -> bool:
    """Whether shots or pages were coloured or left for themselves, by why it was coloured; with --force or not is unknown."""
    return what_it_was(reason) == "mixed" or _OF_PAGES.match(reason) is not None
