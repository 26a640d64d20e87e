"""A tint as light: what it makes of grey, of colours, and of what it has nothing in common with."""

from __future__ import annotations

import numpy as np
import torch

from colorize_media.color.light import TONES, curve_through, tint_at, under_light
from colorize_media.color.spaces import lab_to_rgb

AMBER = np.stack([np.linspace(0, 8, TONES), np.linspace(0, 45, TONES)], axis=1).astype(np.float32)
LUMA = np.tile(np.linspace(0.05, 0.9, 24, dtype=np.float32), (3, 1))


def test_grey_under_a_light_has_the_lights_own_tone() -> None:
    tint = tint_at(AMBER, LUMA)
    assert np.abs(under_light(np.zeros_like(tint), LUMA, tint) - tint).max() < 0.05
    assert np.abs(tint[0, -1] - (7.2, 40.5)).max() < 0.1


def test_without_a_light_colours_stay_as_they_are() -> None:
    ab = np.random.default_rng(3).uniform(-25, 25, (3, 24, 2)).astype(np.float32)
    inside = under_light(ab, LUMA, np.zeros_like(ab))
    bright = LUMA > 0.4  # darker ones cannot all be displayed, and come back displayable
    assert np.abs(inside - ab)[bright].max() < 0.1


def test_amber_light_keeps_what_is_red_red_and_takes_the_blue_out_of_blue() -> None:
    luma = np.full((1, 3), 0.5, np.float32)
    scene = np.array([[(40.0, 25.0), (0.0, 0.0), (10.0, -40.0)]], np.float32)  # red, grey, blue
    red, grey, blue = under_light(scene, luma, tint_at(AMBER, luma))[0]
    assert red[0] > grey[0] + 25
    assert abs(blue[1]) < 20 < grey[1]  # neither blue nor amber: a grey of its own
    assert (lab_to_rgb(torch.tensor([[[50.0]], [[float(blue[0])]], [[float(blue[1])]]]), clip=False) > -0.02).all()


def test_a_curve_has_no_colour_at_black_and_ends_as_its_last_tone() -> None:
    curve = curve_through(np.array([0.25, 0.5]), np.array([(2.0, 10.0), (4.0, 20.0)]))
    assert curve.shape == (TONES, 2)
    assert np.allclose(curve[[0, 2, 8, 16]], [(0, 0), (1, 5), (4, 20), (4, 20)])
