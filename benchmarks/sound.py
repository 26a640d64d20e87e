"""What becomes of a film's sound: all audio codecs that can be made here, and those of the shared files, in each container.

    python -m benchmarks.sound

Copied, or the codec that it is decoded to; or refused before the first frame. Every film is written and compared with its
source: packets or samples must be equal, and the sound must begin as long after the picture within a millisecond.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from tests.made.sounds import CONTAINERS, encodable, film_with_sound, heard, shared_films, verdict


def main() -> None:
    """Print the table as Markdown."""
    print(f"| sound | film | {' | '.join(CONTAINERS)} |\n|{'---|' * (len(CONTAINERS) + 2)}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        films = [(codec, film_with_sound(folder, codec)) for codec in encodable()]
        films += [(path.name, Path(shutil.copy(path, folder))) for path in shared_films()]
        for codec, film in films:
            if film is None:
                continue
            row = [verdict(film, suffix) for suffix in CONTAINERS]
            print(f"| {codec} | {heard(film).codec} in {film.suffix[1:]} | {' | '.join(row)} |", flush=True)
    missing = [codec for codec, film in films if film is None]
    print(f"\nNo container here holds these beside a picture: {', '.join(missing)}.")


if __name__ == "__main__":
    main()
