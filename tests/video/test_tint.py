"""--keep-tint: tinted films keep their light, shot by shot, without flicker and with the source's own luma."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from numpy.typing import NDArray

from colorize_media.color.light import TONES, tint_at
from colorize_media.color.spaces import rgb_to_lab, ycbcr_to_rgb
from colorize_media.events import Done
from colorize_media.judge.tone import tone_curve
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions
from colorize_media.video.colorize import colorize_video
from colorize_media.video.pipeline import Limits
from colorize_media.video.tint import ShotTint
from tests.made.films import Decoded, decode, grey_frames, make_video

AMBER, BLUE = (0.85, 0.55, 0.15), (0.25, 0.45, 0.9)  # what a dye lets through of red, green and blue


def tinted(frames: list[av.VideoFrame], dye: tuple[float, float, float], noise: float = 0.0) -> list[av.VideoFrame]:
    """The frames through a dye of which the density may flicker."""
    made = []
    for number, frame in enumerate(frames):
        grey = frame.to_ndarray(format="gray").astype(np.float64)
        grey = np.clip((grey - 16) / 219, 0, 1) ** 2.2
        density = 1 + noise * np.random.default_rng(number).standard_normal()
        rgb = (grey[..., None] * np.array(dye) ** density) ** (1 / 2.2)
        picture = av.VideoFrame.from_ndarray(np.rint(255 * rgb).astype(np.uint8), format="rgb24")
        made.append(picture.reformat(format="yuv444p", dst_colorspace="ITU601", dst_color_range="MPEG"))
    return made


def film(path: Path, frames: list[av.VideoFrame]) -> Path:
    return make_video(
        path, codec="ffv1", pix_fmt="yuv444p", frames=frames, size=(96, 64), color={"colorspace": 6, "color_range": 1}
    )


def colored(source: Path, target: Path, colorizer: Colorizer, **more: Any) -> list[Decoded]:
    options = ColorizeOptions(encoder="ffv1", working_size=64, **more)
    done = colorize_video(source, target, colorizer, options, limits=Limits(least_segment=4, most_segment=8))
    assert isinstance(done, Done)
    for one, other in zip(before := decode(source), after := decode(target), strict=True):
        assert np.array_equal(one.planes[0], other.planes[0])
    assert len(before) == len(after)
    return after


def ab_of(frame: Decoded) -> NDArray[np.float32]:
    y, cb, cr = (torch.from_numpy(plane.astype(np.float32)) for plane in frame.planes)
    ycbcr = torch.stack(((y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224))
    return rgb_to_lab(ycbcr_to_rgb(ycbcr, "bt601").clamp(0, 1))[1:].permute(1, 2, 0).numpy()


def test_a_grey_scene_under_its_own_light_is_the_source_again(tmp_path: Path, colorizer: Colorizer) -> None:
    source = film(tmp_path / "in.mkv", tinted(grey_frames(6, (96, 64)), AMBER))
    plain = colored(source, tmp_path / "plain.mkv", colorizer, vividness=0.0)
    kept = colored(source, tmp_path / "kept.mkv", colorizer, vividness=0.0, keep_tint=True)
    for original, dropped, light in zip(decode(source), plain, kept, strict=True):
        assert np.abs(ab_of(dropped)).max() < 1
        assert np.median(np.abs(ab_of(light) - ab_of(original))) < 1
        assert np.median(ab_of(light)[..., 1]) > 15


def test_each_shot_has_its_own_light_at_once_and_a_killed_film_goes_on_with_it(
    tmp_path: Path, colorizer: Colorizer
) -> None:
    """Amber night, grey day, blue morning. In segments of 4 to 8 frames: the state is taken along each time."""
    scenes = [grey_frames(7, (96, 64)), [mirrored(one) for one in grey_frames(7, (96, 64))]]
    frames = tinted(scenes[0], AMBER) + tinted(scenes[1], (1.0, 1.0, 1.0)) + tinted(scenes[0], BLUE)
    source = film(tmp_path / "in.mkv", frames)
    kept = colored(source, tmp_path / "kept.mkv", colorizer, vividness=0.0, keep_tint=True)
    b = [float(np.median(ab_of(frame)[..., 1])) for frame in kept]
    assert min(b[:7]) > 15
    assert max(map(abs, b[7:14])) < 1
    assert max(b[14:]) < -8


def mirrored(frame: av.VideoFrame) -> av.VideoFrame:
    grey = 251 - frame.to_ndarray(format="gray")[::-1, ::-1]
    made = av.VideoFrame.from_ndarray(np.ascontiguousarray(grey), format="gray")
    return made.reformat(format="yuv420p", src_color_range="MPEG", dst_color_range="MPEG")


def test_a_flickering_dye_gives_a_steady_light(tmp_path: Path, colorizer: Colorizer) -> None:
    """Told at one luma: that flickers with the dye, and is the source's own."""
    still = [grey_frames(1, (96, 64))[0] for _ in range(24)]
    source = film(tmp_path / "in.mkv", tinted(still, AMBER, noise=0.25))
    kept = colored(source, tmp_path / "kept.mkv", colorizer, vividness=0.0, keep_tint=True)
    before, after = ([b_at_half(frame) for frame in frames] for frames in (decode(source), kept))
    steps = [float(np.abs(np.diff(one[8:])).mean()) for one in (before, after)]
    assert steps[0] > 2
    assert steps[1] < 0.2 * steps[0]
    assert abs(np.mean(after) - np.mean(before)) < 5


def b_at_half(frame: Decoded) -> float:
    y, cb, cr = (torch.from_numpy(plane.astype(np.float32)) for plane in frame.planes)
    rgb = ycbcr_to_rgb(torch.stack(((y - 16) / 219, (cb - 128) / 224, (cr - 128) / 224)), "bt601").clamp(0, 1)
    picture = rgb.mul(255).round().to(torch.uint8).permute(1, 2, 0).contiguous().numpy()
    return float(tone_curve(picture, "bt601")[TONES // 2, 1])


def test_colours_are_seen_under_the_light(tmp_path: Path, colorizer: Colorizer) -> None:
    source = film(tmp_path / "in.mkv", tinted(grey_frames(3, (96, 64)), AMBER))
    plain = colored(source, tmp_path / "plain.mkv", colorizer, smoothing="off")
    kept = colored(source, tmp_path / "kept.mkv", colorizer, smoothing="off", keep_tint=True, force=True)
    light = ab_of(kept[0]) - ab_of(plain[0])
    assert np.median(light[..., 1]) > 10
    assert ab_of(kept[0]).reshape(-1, 2).std(axis=0).max() > 1


def test_another_dye_within_a_scene_is_another_light_at_once() -> None:
    tint, scene = ShotTint("bt601"), grey_frames(1, (96, 64))
    amber, blue = (tinted(scene, dye)[0].to_ndarray(format="rgb24") for dye in (AMBER, BLUE))
    lights = [tint.push(picture, cut=False, mixing=False)[TONES // 2, 1] for picture in (*[amber] * 9, blue)]
    assert min(lights[:9]) > 20
    assert lights[9] < -10


def test_the_mean_goes_on_from_a_state() -> None:
    pictures = np.random.default_rng(1).integers(0, 255, (6, 40, 60, 3), np.uint8)
    whole, first, second = ShotTint("bt601"), ShotTint("bt601"), ShotTint("bt601")
    wanted = [whole.push(picture, cut=n == 4, mixing=n == 3) for n, picture in enumerate(pictures)]
    for n in range(3):
        first.push(pictures[n], cut=False, mixing=False)
    second.restore(first.state())
    found = [second.push(pictures[n], cut=n == 4, mixing=n == 3) for n in range(3, 6)]
    assert all(np.array_equal(one, other) for one, other in zip(wanted[3:], found, strict=True))
    assert tint_at(wanted[0], np.zeros((1, 1))).shape == (1, 1, 2)
    assert wanted[0].shape == (TONES, 2)
