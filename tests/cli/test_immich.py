"""Which options the command for Immich has: see tests/immich for what it does."""

from __future__ import annotations

from colorize_media.cli.immich import immich
from colorize_media.options import that_change


def test_it_has_what_photographs_heed_and_nothing_of_films_alone() -> None:
    given = {parameter.name for parameter in immich.params}
    assert {"force", "skip_documents", "model", "vividness", "fast", "quality", "max_pixels", "retry_failed"} <= given
    of_photographs = that_change(
        "photo colors", "photo encoding", "photo decision", "photo metadata", "limit", "network"
    )
    of_films = that_change("video colors", "video encoding", "video decision")
    assert given & (of_films - of_photographs) == set()
