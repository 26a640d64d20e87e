"""Decoded frames in, frames with colours out, in their order: own colours, network and smoothing as one stage.

A frame goes through `ColorShots` (is its shot in colour already?), `Coloring` (the network) and the smoother. Frames of
shots in colour go around both, in their order: such a shot's border ends the batch and the smoother's shot. Each of the
three holds frames back; what waits for the smoother's look-ahead is bounded by `HELD_BYTES`.

A film is written in segments. One ends where no frame waits for the network, with a cut if there is one in time; those
that wait for their shot's decision or in the smoother are pushed again when the film is taken up behind it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from colorize_media.color.light import TONES
from colorize_media.color.spaces import YCbCrSpec
from colorize_media.motion.averaging import AB
from colorize_media.motion.keyframes import Colored, Coloring, EveryFrame, Keyframes
from colorize_media.motion.smoothing import SmoothingInput, make_smoother
from colorize_media.motion.state import State, Stateful, joined_state, restore_joined
from colorize_media.network.colorizer import Colorizer
from colorize_media.network.seen import lightness_batch, luma_bytes
from colorize_media.options import ColorizeOptions
from colorize_media.video.geometry import VideoGeometry
from colorize_media.video.own_color import ColorShots, ShotFrame
from colorize_media.video.tint import ShotTint

HELD_BYTES = 384 * 2**20  # decoded frames that wait for the smoother's look-ahead; it shrinks for 4K and more
# A segment costs a key frame (encoders set one in 250 frames anyway) and, killed, at most its own work. Counted in frames,
# because work is: a second of film can be one frame or sixty, and take a minute or none.
LEAST_SEGMENT = 250  # frames; then it ends with the next cut
MOST_SEGMENT = 500  # frames; then without one

Light: TypeAlias = NDArray[np.float32]
F = TypeVar("F")  # what a frame is to the caller
C = TypeVar("C")  # what colours are: ab, or those of several smoothers


@dataclass(frozen=True)
class DecodedFrame(Generic[F]):
    """A frame on its way in.

    frame    the caller's own; it comes out again
    small    ``(h, w)`` float32, its upright working luma in codes
    picture  ``(h, w, 3)`` R′G′B′ of its own colours; None only if nothing is judged, nor a tint kept
    """

    frame: F
    small: NDArray[np.float32]
    picture: NDArray[np.uint8] | None


@dataclass(frozen=True)
class ColoredFrame(Generic[F, C]):
    """A frame on its way out. ``colors`` as the smoother gives them, upright, on the coarse grid; None: it has its own.

    ``light`` is the tint that is to stay over them, as `color.light` has it; None: none is asked for.
    """

    frame: F
    colors: C | None
    light: Light | None = None


class Steadying(Stateful, Protocol[C]):
    """A smoother as `motion.smoothing.Smoother` is one, whatever its colours are."""

    def push(self, item: SmoothingInput) -> list[C]: ...

    def end_shot(self) -> list[C]: ...

    def flush(self) -> list[C]: ...


class ColorStage(Generic[F, C]):
    """Push / flush; what comes out has the order of what went in.

    Look-ahead and memory: those of the three stages together.

    pushed       frames of the film that have gone into the smoother, or around it
    given        those of them that have come out
    own_frames   those that had colour already and kept it
    own_shots    the shots that they make up
    segment_due  True if a segment may, and should, end behind the last one given
    """

    def __init__(
        self,
        shots: ColorShots[DecodedFrame[F]],
        coloring: Coloring[ShotFrame[DecodedFrame[F]]],
        smoother: Steadying[C],
        spec: YCbCrSpec,
        tint: ShotTint | None = None,
        *,
        least_segment: int = LEAST_SEGMENT,
        most_segment: int = MOST_SEGMENT,
    ) -> None:
        self.pushed = self.given = self.own_frames = self.own_shots = 0
        self.segment_due = False
        self._shots, self._coloring, self._smoother = shots, coloring, smoother
        self._stages: dict[str, Stateful] = {"shots": shots, "coloring": coloring, "smoother": smoother}
        self._tint = tint
        if tint is not None:
            self._stages["tint"] = tint
        self._spec = spec
        self._least_segment, self._most_segment = least_segment, most_segment
        self._segment_begun = 0  # frames given before it
        self._cut_since = False  # since no frame waited for the network
        self._lights: deque[Light | None] = deque()  # of frames that wait for the network
        self._in_smoother: deque[tuple[F, Light | None]] = deque()  # frames whose colours it still keeps
        self._again = 0  # frames to come that are in the smoother already

    def push(self, item: DecodedFrame[F]) -> list[ColoredFrame[F, C]]:
        """The next frame; gives those that are ready."""
        if self._again:
            self._again -= 1
            self._in_smoother.append((item.frame, self._lights.popleft() if self._tint is not None else None))
            return []
        ready = self._take(self._shots.push(item, luma_bytes(item.small, self._spec), item.picture))
        length = self.given - self._segment_begun
        idle = self._coloring.idle
        self.segment_due = idle and length >= (self._least_segment if self._cut_since else self._most_segment)
        self._cut_since &= not idle
        return ready

    def flush(self) -> list[ColoredFrame[F, C]]:
        """The rest: the film ends."""
        ready = self._take(self._shots.flush())
        ready += self._smooth(self._coloring.end_shot())
        return ready + self._with_frames(self._smoother.flush())

    def end_segment(self) -> dict[str, NDArray[Any]]:
        """A segment ends behind the last frame given: what `restore` goes on from. Only when ``segment_due``."""
        self._segment_begun, self.segment_due = self.given, False
        return self.state()

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything that the frames so far have left behind, as arrays by name. Only when no frame waits for the network."""
        counts = np.array([self.pushed, self.own_frames, self.own_shots], np.int64)
        lights = [light for _, light in self._in_smoother if light is not None]
        held = {"lights": np.array(lights, np.float32).reshape(-1, TONES, 2)} if self._tint is not None else {}
        return {"frames": counts, **held, **joined_state(self._stages)}

    def restore(self, state: State, given: int) -> None:
        """Go on, in a fresh stage of the same settings, from a `state` behind ``given`` frames.

        All frames from the first that had not come out are to be pushed again, as before.
        """
        self.pushed, self.own_frames, self.own_shots = (int(count) for count in state["frames"])
        self.given = self._segment_begun = given
        self._again = self.pushed - given
        self._lights = deque(state.get("lights", ()))
        restore_joined(self._stages, state)

    def _take(self, ready: list[ShotFrame[DecodedFrame[F]]]) -> list[ColoredFrame[F, C]]:
        """Frames whose shot is decided."""
        out: list[ColoredFrame[F, C]] = []
        for shown in ready:
            self._cut_since |= shown.cut
            if shown.own:
                out += self._around(shown)
            else:
                self._lights.append(self._light_of(shown))
                out += self._smooth(self._coloring.push(shown, shown.luma, cut=shown.cut))
        return out

    def _light_of(self, shown: ShotFrame[DecodedFrame[F]]) -> Light | None:
        if self._tint is None:
            return None
        picture = shown.item.picture
        if picture is None:
            raise ValueError("a frame whose tint is to stay needs its picture")
        return self._tint.push(picture, cut=shown.cut, mixing=shown.mixing)

    def _around(self, shown: ShotFrame[DecodedFrame[F]]) -> list[ColoredFrame[F, C]]:
        """All before it, and a frame that keeps its own colour."""
        out = self._smooth(self._coloring.end_shot())
        out += self._with_frames(self._smoother.end_shot())
        self.pushed += 1
        self.given += 1
        self.own_shots += shown.cut or not self.own_frames
        self.own_frames += 1
        return [*out, ColoredFrame(shown.item.frame, None)]

    def _smooth(self, ready: list[Colored[ShotFrame[DecodedFrame[F]]]]) -> list[ColoredFrame[F, C]]:
        """Frames that the network has coloured."""
        out: list[ColoredFrame[F, C]] = []
        for colored in ready:
            shown = colored.item
            self._in_smoother.append((shown.item.frame, self._lights.popleft()))
            self.pushed += 1
            item = SmoothingInput(colored.ab, shown.luma, shown.cut, shown.mixing, colored.motions)
            out += self._with_frames(self._smoother.push(item))
        return out

    def _with_frames(self, colors: list[C]) -> list[ColoredFrame[F, C]]:
        """What the smoother gives, with the frames that it belongs to."""
        self.given += len(colors)
        return [ColoredFrame(frame, one, light) for one in colors for frame, light in (self._in_smoother.popleft(),)]


def network_on(
    colorizer: Colorizer, spec: YCbCrSpec, options: ColorizeOptions
) -> Callable[[Sequence[ShotFrame[DecodedFrame[Any]]]], list[AB]]:
    """The network as `Coloring` asks it: frames of a film in, the ab ``(h, w, 2)`` of each out."""

    def colors(frames: Sequence[ShotFrame[DecodedFrame[Any]]]) -> list[AB]:
        lightness = lightness_batch([frame.item.small for frame in frames], spec)
        return list(colorizer.colors(lightness, vividness=options.vividness, refine=options.refine))

    return colors


def make_color_stage(
    colorizer: Colorizer,
    geometry: VideoGeometry,
    options: ColorizeOptions,
    among_color: bool | None,
    *,
    least_segment: int = LEAST_SEGMENT,
    most_segment: int = MOST_SEGMENT,
) -> ColorStage[Any, AB]:
    """The stage that the options ask for; ``among_color`` as in `ColorShots`."""
    network = network_on(colorizer, geometry.spec, options)
    shots: ColorShots[DecodedFrame[Any]] = ColorShots(among_color)
    coloring: Coloring[ShotFrame[DecodedFrame[Any]]] = EveryFrame(network, colorizer.batch_size)
    most_held = HELD_BYTES // geometry.frame_bytes - shots.look_ahead
    if options.every > 1:
        coloring = Keyframes(network, options.every)
        most_held -= coloring.look_ahead
    smoother = make_smoother(options.smoothing, most_held)
    tint = ShotTint(geometry.spec.matrix) if options.keep_tint else None
    return ColorStage(
        shots, coloring, smoother, geometry.spec, tint, least_segment=least_segment, most_segment=most_segment
    )
