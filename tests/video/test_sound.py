"""No film loses its sound: whatever codec it has, in every container it is kept to the sample, or the film is refused."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.made.sounds import CONTAINERS, encodable, film_with_sound, shared_films, verdict

CONVERTED = frozenset({"flac", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le"})
IN_WEBM = frozenset({"libopus", "vorbis"})


@pytest.mark.parametrize("codec", encodable())
def test_every_codec_is_copied_or_converted_without_loss(tmp_path: Path, codec: str) -> None:
    film = film_with_sound(tmp_path, codec)
    if film is None:
        pytest.skip(f"no container here holds {codec} beside a picture")
    for container in CONTAINERS:
        found = verdict(film, container)
        if container == "webm":
            assert found == ("copied" if codec in IN_WEBM else "refused"), container
        elif not codec.startswith("pcm_s64"):  # 64-bit integers have no place in MP4
            assert found in CONVERTED | {"copied"}, container


@pytest.mark.parametrize("name", ["A01.vob", "A03.wmv", "A04.avi", "A07.3gp", "A08.ts", "C01.avi"])
def test_films_that_people_reported(tmp_path: Path, name: str) -> None:
    films = [path for path in shared_films() if path.name == name]
    if not films:
        pytest.skip(f"{name} is not among this machine's media")
    film = Path(shutil.copy(films[0], tmp_path))
    for container in ("mkv", "mp4", "mov"):
        assert verdict(film, container) in CONVERTED | {"copied"}, container
    assert verdict(film, "webm") == "refused"
