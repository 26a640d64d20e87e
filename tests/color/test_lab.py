"""The quick CIELAB of small pictures is that of `spaces`."""

from __future__ import annotations

import numpy as np
import torch

from colorize_media.color.lab import lab_of_picture
from colorize_media.color.spaces import rgb_to_lab


def test_it_is_that_of_spaces_for_codes_and_shares() -> None:
    codes = np.random.default_rng(1).integers(0, 256, (40, 60, 3)).astype(np.uint8)
    codes[:10] //= 16  # the line near black
    codes[0, 0], codes[0, 1] = 0, 255
    shares = codes.astype(np.float32) / 255
    wanted = rgb_to_lab(torch.from_numpy(shares).permute(2, 0, 1)).permute(1, 2, 0).numpy()
    for picture in (codes, shares):
        found = lab_of_picture(picture)
        assert found.dtype == np.float32
        assert np.abs(found - wanted).max() < 0.002
