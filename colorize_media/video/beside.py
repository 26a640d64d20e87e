"""The streams beside the picture, described; and which of a file's texts are in no encoding that they should be in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from av.container import InputContainer
from av.stream import Discard, Stream

from colorize_media.video.tags import decoded


@dataclass(frozen=True)
class OtherStream:
    """A stream that is not the picture. ``kind``: video, audio, subtitle, data or attachment."""

    index: int
    kind: str
    codec: str
    language: str
    title: str

    def __str__(self) -> str:
        extra = ", ".join(part for part in (self.codec, self.language, self.title) if part)
        return f"{self.kind} stream {self.index}" + (f" ({extra})" if extra else "")


def other_streams(container: InputContainer, picture: int) -> list[OtherStream]:
    """All but the ``picture``, the index of that one, and but the text track that MP4 keeps chapters in."""
    return [_describe(one) for one in container.streams if one.index != picture and one.discard != Discard.all]


def _describe(stream: Stream) -> OtherStream:
    return OtherStream(
        index=stream.index,
        kind=str(stream.type),
        codec=stream.codec_context.name if stream.codec_context is not None else "",
        language=stream.language or "",
        title=decoded(stream.metadata.get("title", "")),
    )


def guessed_texts(container: InputContainer) -> list[str]:
    """Names of all tags that are not UTF-8, so that `tags.decoded` has to guess."""
    found = _guessed("", container.metadata)
    for stream in container.streams:
        found += _guessed(f"stream {stream.index}'s ", stream.metadata)
    titles = any(_guessed("", chapter["metadata"]) for chapter in container.chapters())
    return [*found, "titles of chapters"] if titles else found


def _guessed(whose: str, tags: Mapping[str, str]) -> list[str]:
    return [f"{whose}{decoded(name)}" for name, text in tags.items() if decoded(text) != text or decoded(name) != name]
