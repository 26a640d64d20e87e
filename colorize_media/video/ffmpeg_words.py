"""What FFmpeg itself says of a failure: its errors alone are no more than "Invalid argument"."""

from __future__ import annotations

from types import TracebackType

import av
import av.logging


class FFmpegWords:
    """A context manager that hears FFmpeg's error messages; `reason` tells the last of them.

    Not around long work: with messages on, FFmpeg's threads wait for Python when they have something to say.
    """

    def __enter__(self) -> FFmpegWords:
        self._level, self._skipped = av.logging.get_level(), av.logging.get_skip_repeated()
        av.logging.set_level(av.logging.ERROR)
        av.logging.set_skip_repeated(False)  # a second trial may fail for the same reason
        self._capture = av.logging.Capture(local=False)  # else other threads' messages would go to standard error
        self._heard = self._capture.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._capture.__exit__(None, None, None)
        av.logging.set_skip_repeated(self._skipped)
        av.logging.set_level(self._level)

    def reason(self, error: BaseException) -> str:
        """Why this error came, in FFmpeg's words, else the error's own."""
        said = [message.strip() for level, _, message in self._heard if level <= av.logging.ERROR and message.strip()]
        return said[-1] if said else str(getattr(error, "strerror", "") or error)
