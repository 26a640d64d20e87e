"""A tint kept as coloured light: what a film's dye or a print's tone does to grey, done to colours.

A tint is a *tone curve*: the ab that the source has at each luma, at `TONES` lumas from black to white, ``(TONES, 2)``. Light
multiplies: a dye lets through a share g of each of red, green and blue, whatever the scene's colour is. So with the linear
R, G, B of the scene's colour and of the tint at the same luma, both of one luminance Y,

    g = tint / Y        lit = scene · g, then scaled back to the luminance Y

and lit's ab is shown with the source's own luma. A grey scene under its own light is the source's picture again; what has
no colour in common with the light gets darker in life, and here, where the luma stays, loses its own hue.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from colorize_media.color.spaces import lab_to_xyz, lightness_of_luma, linear_rgb_of_xyz, xyz_of_linear_rgb, xyz_to_lab

TONES = 17
_LUMAS = np.linspace(0.0, 1.0, TONES, dtype=np.float32)
_LEAST = 1e-4  # of white: below it nothing is seen, and shares have no meaning


def tint_at(curve: NDArray[np.float32], luma: NDArray[Any]) -> NDArray[np.float32]:
    """The tint's ab ``(h, w, 2)`` at each luma ``(h, w)`` in [0, 1]."""
    found = [np.interp(luma, _LUMAS, curve[:, channel]) for channel in (0, 1)]
    return np.stack(found, axis=-1).astype(np.float32)


def curve_through(lumas: NDArray[Any], ab: NDArray[Any]) -> NDArray[np.float32]:
    """The tone curve through ab ``(n, 2)`` at rising lumas ``(n,)``: none at black, from the last one on as that one."""
    known = np.concatenate(([0.0], lumas))
    columns = [np.interp(_LUMAS, known, np.concatenate(([0.0], ab[:, channel]))) for channel in (0, 1)]
    return np.stack(columns, axis=-1).astype(np.float32)


def under_light(ab: NDArray[np.float32], luma: NDArray[Any], tint: NDArray[np.float32]) -> NDArray[np.float32]:
    """Colours ``ab (h, w, 2)`` of a scene under a light that gives grey the ab ``tint (h, w, 2)``; ``luma`` in [0, 1]."""
    lightness = lightness_of_luma(torch.from_numpy(np.asarray(luma, np.float32)))
    scene, light = (_linear(lightness, one) for one in (ab, tint))
    luminance = lab_to_xyz(torch.stack((lightness, *torch.zeros(2, *lightness.shape))))[1].clamp(min=_LEAST)
    xyz = xyz_of_linear_rgb(scene * light / luminance)
    xyz = xyz * (luminance / xyz[1].clamp(min=_LEAST))
    lit: NDArray[np.float32] = xyz_to_lab(xyz)[1:].permute(1, 2, 0).contiguous().numpy()
    return lit


def _linear(lightness: torch.Tensor, ab: NDArray[np.float32]) -> torch.Tensor:
    """Linear R, G, B ``(3, h, w)``; not below black, where no light is."""
    a, b = torch.from_numpy(np.ascontiguousarray(ab, np.float32)).unbind(-1)
    return linear_rgb_of_xyz(lab_to_xyz(torch.stack((lightness, a, b)))).clamp(min=0.0)
