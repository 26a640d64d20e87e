"""Films made of pieces of real clips, for `decisions.py`: black and white joined to colour, overlays and noise over films.

Each film is encoded (H.264) and judged as a run judges it: `survey_of` by its samples, then `ColorShots` frame by frame.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from overlaid import Maker, Picture, Random, clock, logo, rainbow, sticker, subtitle, tape

from colorize_media.motion.shots import CutDetector
from colorize_media.network.seen import luma_bytes, working_luma, working_shape
from colorize_media.options import ColorizeOptions
from colorize_media.video.opening import open_video, survey_of
from colorize_media.video.own_color import LOOK_AHEAD, SIDE, ColorShots

SIZE = (320, 180)  # pixels, width and height of all films
PIECE = 40  # frames taken of each shot
LEAST_PIECE = 20
READ = 400  # frames of a clip
TITLES = {"wmv_35s_vfr.wmv": 60}  # frames at the beginning that are letters on black in a colour film
FILM_PIECE = 12  # frames of each of two shots in films with overlays and noise
PAIRS = 28
DISSOLVE, FADE, BLACK = 16, 12, 4  # frames

Frames = list[Picture]


def pieces(folder: Path) -> dict[str, Frames]:
    """Of each clip in the folder the first frames of every shot, by ``name:first frame``."""
    found: dict[str, Frames] = {}
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        detector, shot, first = CutDetector(), Frames(), 0
        for number, frame in enumerate(_decoded(path)):
            if number < TITLES.get(path.name, 0):
                continue
            if detector.is_cut(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)):
                if len(shot) >= LEAST_PIECE:
                    found[f"{path.name}:{first}"] = shot
                shot, first = [], number
            if len(shot) < PIECE:
                shot.append(frame)
        if len(shot) >= LEAST_PIECE:
            found[f"{path.name}:{first}"] = shot
    return found


def _decoded(path: Path) -> Iterator[Picture]:
    with av.open(str(path)) as container:
        for number, frame in enumerate(container.decode(container.streams.video[0])):
            if number >= READ:
                return
            yield cv2.resize(frame.to_ndarray(format="rgb24"), SIZE, interpolation=cv2.INTER_AREA).astype(np.uint8)


def grey(frames: Frames) -> Frames:
    """Their luma alone."""
    return [np.repeat(cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2) for frame in frames]


def sepia(frames: Frames) -> Frames:
    """Evenly toned."""
    return [np.clip(frame * [1.0, 0.88, 0.7] + [8, 4, 0], 0, 255).astype(np.uint8) for frame in grey(frames)]


def cut(one: Frames, other: Frames) -> tuple[Frames, int, int]:
    """Joined, with the first and last frame at which the decision may change."""
    return one + other, len(one), len(one)


def dissolve(one: Frames, other: Frames) -> tuple[Frames, int, int]:
    """The one over the other; as `cut`."""
    share = np.linspace(0, 1, DISSOLVE + 2)[1:-1]
    both = zip(share, one[-DISSOLVE:], other[:DISSOLVE], strict=True)
    middle = [((1 - s) * a + s * b).astype(np.uint8) for s, a, b in both]
    start = len(one) - DISSOLVE
    return one[:start] + middle + other[DISSOLVE:], start, start + DISSOLVE + LOOK_AHEAD


def fade(one: Frames, other: Frames) -> tuple[Frames, int, int]:
    """Through black; as `cut`."""
    down = [(f * s).astype(np.uint8) for f, s in zip(one[-FADE:], np.linspace(1, 0, FADE), strict=True)]
    up = [(f * s).astype(np.uint8) for f, s in zip(other[:FADE], np.linspace(0, 1, FADE), strict=True)]
    frames = one[:-FADE] + down + [np.zeros_like(one[0])] * BLACK + up + other[FADE:]
    return frames, len(one) - 2, len(one) + BLACK + FADE


JOINTS = {"hard cut": cut, "dissolve of 16 frames": dissolve, "fades of 12 frames": fade}


def grain(picture: Picture, random: Random) -> Picture:
    """Film grain in three dyes."""
    noise = cv2.GaussianBlur(random.normal(0, 1, picture.shape), (0, 0), random.uniform(0.7, 1.5))
    return np.clip(picture + random.uniform(6, 12) * noise / noise.std(), 0, 255).astype(np.uint8)


def worn_tape(picture: Picture, random: Random) -> Picture:
    """Chroma noise of an old tape: 6 to 12 codes."""
    return (
        tape(tape(picture, random), random)
        if random.random() < 0.5
        else tape(tape(tape(picture, random), random), random)
    )


# What is laid over films, and whether it is another for each frame (noise), shot (words) or film (what stands).
OVER_FILMS: dict[str, tuple[Maker, str]] = {
    "nothing": (lambda picture, random: picture, "film"),
    "subtitles": (subtitle, "shot"),
    "logos": (logo, "film"),
    "clocks and dates": (clock, "film"),
    "stickers": (sticker, "film"),
    "tape noise": (tape, "frame"),
    "worn tape": (worn_tape, "frame"),
    "rainbow": (rainbow, "frame"),
    "grain": (grain, "frame"),
}


def over(film: Sequence[Frames], make: Maker, changes: str, seed: int) -> Frames:
    """A film of shots with the maker's overlay or noise over it."""
    out: Frames = []
    for shot, frames in enumerate(film):
        for frame in frames:
            key = {"film": [seed], "shot": [seed, shot], "frame": [seed, shot, len(out)]}[changes]
            out.append(make(frame, np.random.default_rng(key)))
    return out


@dataclass(frozen=True)
class Judged:
    """``kind`` of the whole film; ``own``: of each frame, whether it is left in its own colours."""

    kind: str
    own: list[bool]

    @property
    def is_colored(self) -> bool:
        """Every frame of it."""
        return not any(self.own)

    @property
    def is_left(self) -> bool:
        """Every frame of it."""
        return all(self.own)


def judge(frames: Frames, crf: int = 20) -> Judged:
    """As a run does it."""
    with tempfile.TemporaryDirectory() as folder:
        path = _encoded(frames, Path(folder) / "film.mkv", crf)
        with open_video(path, ColorizeOptions()) as reader:
            found = survey_of(reader)
            assert found is not None
            if found.kind != "mixed":
                return Judged(found.kind, [found.kind == "color"] * len(frames))
            geometry = reader.geometry
            shots: ColorShots[int] = ColorShots(True)
            own: list[bool] = []
            lying = geometry.lying_size(working_shape(*geometry.upright_size, 256))
            for number, frame in enumerate(reader):
                luma = luma_bytes(geometry.upright(working_luma(frame.luma, lying)), geometry.spec)
                own += [shown.own for shown in shots.push(number, luma, reader.small_picture(frame, SIDE))]
            return Judged("mixed", own + [shown.own for shown in shots.flush()])


def _encoded(frames: Frames, path: Path, crf: int) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": str(crf), "preset": "veryfast", "g": "12"})
        stream.width, stream.height = SIZE
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", Fraction(1, 25)
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path


def pairs(black: dict[str, Frames], color: dict[str, Frames], count: int = PAIRS) -> list[tuple[str, str]]:
    """Each colour piece with another black-and-white one, round and round."""
    names, others = list(color), list(black)
    return [(names[n % len(names)], others[(n + n // len(others)) % len(others)]) for n in range(count)]


def change(own: list[bool], first: bool) -> int | None:
    """The frame at which the decision changes from ``first``, if it does once and for good."""
    changes = [n for n in range(1, len(own)) if own[n] != own[n - 1]]
    return changes[0] if len(changes) == 1 and own[0] == first else None


def joined_rows(black: dict[str, Frames], color: dict[str, Frames], listed: int) -> None:
    """Print how many joins are right, by joint and noise, and the wrong ones."""
    print(f"\n| {PAIRS} joins | right: from colour | exact | to colour | exact |\n|---|---|---|---|---|", flush=True)
    wrong: list[str] = []
    kinds = [(joint, "nothing") for joint in JOINTS] + [("hard cut", "tape noise")]
    for joint, noise in kinds:
        cells = []
        for from_color in (True, False):
            right = exact = 0
            for seed, (one, other) in enumerate(pairs(black, color)):
                shots = (color[one], black[other]) if from_color else (black[other], color[one])
                make, changes = OVER_FILMS[noise]
                frames, first, last = JOINTS[joint](*(over([shot], make, changes, seed) for shot in shots))
                own = judge(frames).own
                at = change(own, from_color)
                good = at is not None and first <= at <= last + LOOK_AHEAD
                right, exact = right + good, exact + (at == first)
                if not good:
                    names = (one, other) if from_color else (other, one)
                    wrong.append(f"{joint}, {noise}: {' to '.join(names)}: {_changes(own)}, not {first}")
            cells.append(f"{right} of {PAIRS} | {exact}")
        print(f"| {joint}{'' if noise == 'nothing' else ', ' + noise} | {' | '.join(cells)} |", flush=True)
    for line in wrong[:listed]:
        print(line)


def _changes(own: list[bool]) -> str:
    begun = [n for n in range(len(own)) if n == 0 or own[n] != own[n - 1]]
    return " ".join(f"{n}{'c' if own[n] else 'g'}" for n in begun)


def overlaid_film_rows(black: dict[str, Frames], color: dict[str, Frames], listed: int) -> None:
    """Print how many films of two shots are not coloured (in colour: not left alone) as a whole."""
    groups = {
        "black and white": black,
        "made grey": {name: grey(frames) for name, frames in list(color.items())[::4]},
        "made sepia": {name: sepia(frames) for name, frames in list(black.items())[::2]},
        "in colour": dict(list(color.items())[::3]),
    }
    print(f"\n| over films | {' | '.join(f'{name}: wrong of' for name in groups)} |\n|---|{'---|' * len(groups)}")
    wrong: list[str] = []
    for name, (make, changes) in OVER_FILMS.items():
        cells = []
        for title, group in groups.items():
            names, count = list(group), 0
            for seed, first in enumerate(names):
                second = names[(seed + len(names) // 2) % len(names)]
                found = judge(over([group[first][:FILM_PIECE], group[second][:FILM_PIECE]], make, changes, seed))
                good = found.is_left if title == "in colour" else found.is_colored
                count += not good
                if not good:
                    wrong.append(f"{name}, {title}: {first} + {second}: {found.kind}: {_changes(found.own)}")
            cells.append(f"{count} of {len(names)}")
        print(f"| {name} | {' | '.join(cells)} |", flush=True)
    for line in wrong[:listed]:
        print(line)
