"""The one answer to "is this coloured, and why": by its colours, by ``--skip-documents``, by ``--force``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colorize_media.events import What
from colorize_media.judge.documents import DocumentVerdict, judge_document
from colorize_media.judge.monochrome import Verdict, decide
from colorize_media.judge.negative import NEGATIVE, is_color_negative
from colorize_media.judge.survey import Survey
from colorize_media.options import ColorizeOptions

_LEFT: dict[What, str] = {
    "color": "already in colour",
    "document": "a document",
}  # how a person is told why nothing was done
_TWO_TONES = (
    "it has black and white only and no tone between (1 bit), where no colour can stand; scan it in greys instead"
)
_IN_DOUBT = "; a close verdict: if it is black and white, --force colours it"
_NUMBERS = " (`colorize-media inspect` shows the numbers)"


@dataclass(frozen=True)
class Decision:
    """About one picture or film.

    what      what it is; mixed (a film with shots in colour) and unknown (no frame to judge by) are films only
    colorize  whether it is to be coloured
    reason    one clause for people
    negative  whether it looks like a colour negative, which is told whatever comes of it (`NEGATIVE`)
    verdict   the numbers behind it, and of a picture that was asked whether it is one, those of a document
    """

    what: What
    colorize: bool
    reason: str
    verdict: Verdict | None = None
    document: DocumentVerdict | None = None
    negative: bool = False

    @property
    def is_close(self) -> bool:
        """Whether it is left alone, and by so little that a person may see it otherwise."""
        return not self.colorize and self.what == "color" and self.verdict is not None and self.verdict.close

    @property
    def doubted(self) -> str:
        """The reason, and what to do where the verdict is close: what inspection says."""
        return f"{self.reason}{_IN_DOUBT if self.is_close else ''}"

    @property
    def told(self) -> str:
        """The reason with what it is in front, for people: what notes and skips say."""
        if not self.colorize:
            return f"{_LEFT[self.what]}: {self.doubted}{_NUMBERS if self.is_close else ''}"
        known = self.what == "unknown" or self.reason.startswith(f"{self.what}: ")
        return self.reason if known else f"{self.what}: {self.reason}"


def decide_photo(
    preview: NDArray[np.uint8], luma: NDArray[Any], options: ColorizeOptions, document: DocumentVerdict | None = None
) -> Decision:
    """About a photograph by its small ``preview (h, w, 3)`` R'G'B' and its whole ``luma (H, W)`` in codes.

    ``document`` is judged here if it matters and is not given. Where each pixel is black or white no colour can stand,
    whatever was asked for: such a picture counts as a document.
    """
    verdict = decide([preview])
    negative = verdict.kind != "neutral" and is_color_negative(preview)
    if _has_two_tones(luma):
        return Decision("document", False, _TWO_TONES, verdict, document)
    if not verdict.is_monochrome and not options.force:
        reason = f"{verdict.reason}; {NEGATIVE}" if negative else verdict.reason
        return Decision("color", False, reason, verdict, document, negative)
    if options.skip_documents:
        document = document or judge_document(luma)
        if document.is_document:
            return Decision("document", False, document.reason, verdict, document)
    return Decision(verdict.kind, True, verdict.reason, verdict, document, negative)


def _has_two_tones(luma: NDArray[Any]) -> bool:
    """Whether each code is the least or the largest, as in line art, fax and halftones of 1 bit."""
    largest = np.iinfo(luma.dtype).max
    some = luma[:: max(1, luma.shape[0] // 16)]
    return all(bool(((rows == 0) | (rows == largest)).all()) for rows in (some, luma))


def decide_film(found: Survey | None, options: ColorizeOptions) -> Decision:
    """``found`` is what the film's samples say, None if there were none."""
    if found is None:
        return Decision("unknown", True, "no frame to judge by")
    if found.kind == "color":
        return Decision("color", options.force, found.reason, found.verdict)
    what: What = "mixed" if found.kind == "mixed" else found.verdict.kind
    return Decision(what, True, found.reason, found.verdict)
