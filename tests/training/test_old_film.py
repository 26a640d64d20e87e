"""Old photographs as their material made them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from skimage import data

from colorize_media.training.old_film import _AMOUNTS, EMULSIONS, Material, old_print

NEVER = 0.999  # a chance at which what is there sometimes is not


def material(count: int = 1, **chances: float) -> Material:
    """The same of all: no effect but those that are named, grade, negative and exposure in the middle, no grain."""
    plain = dict.fromkeys(_AMOUNTS, NEVER) | {
        "grade": 0.5,
        "negative": 0.5,
        "exposure": 0.5,
        "black": 1.0,
        "grain": 0.0,
    }
    values = plain | {"emulsion": 0.9} | chances
    return Material({name: np.full(count, value) for name, value in values.items()}, np.arange(count))


def kind(number: int) -> float:
    """The chance that draws this emulsion."""
    shares = [share for _, share in EMULSIONS]
    return sum(shares[:number]) + shares[number] / 2


def tones(**chances: float) -> dict[str, float]:
    """What becomes of skin, sky and leaves."""
    colors = {
        "red": (0.8, 0.1, 0.1),
        "sky": (0.45, 0.65, 0.95),
        "leaves": (0.25, 0.45, 0.15),
        "skin": (0.85, 0.65, 0.55),
    }
    picture = (
        torch.tensor(list(colors.values())).T.reshape(3, 1, -1).repeat_interleave(16, dim=-1).repeat(1, 32, 1)[None]
    )
    luma = old_print(picture, material(**chances))[0, 0]
    return {name: float(luma[16, 16 * place + 8]) for place, name in enumerate(colors)}


def test_emulsions_see_what_they_saw() -> None:
    """On ordinary and orthochromatic plates red is black and the sky white; on panchromatic ones red is a grey."""
    assert sum(share for _, share in EMULSIONS) == pytest.approx(1.0)
    assert all(sum(mix) == pytest.approx(1.0) for mix, _ in EMULSIONS)
    ordinary, ortho, pan, rich_in_red = (tones(emulsion=kind(number)) for number in (0, 1, 3, 4))
    assert ordinary["red"] < 0.15
    assert ortho["red"] < 0.25
    assert ordinary["sky"] - ordinary["skin"] > ortho["sky"] - ortho["skin"] > pan["sky"] - pan["skin"]
    assert rich_in_red["red"] > pan["red"] > ortho["red"]
    filtered = tones(emulsion=kind(3), filter=0.0)
    assert filtered["sky"] < pan["sky"]


def test_hard_paper_has_more_contrast_than_soft() -> None:
    grey = torch.linspace(0.05, 0.95, 64).view(1, 1, 1, 64).expand(1, 3, 64, 64)
    soft, middle, hard = (old_print(grey, material(grade=grade))[0, 0, 32] for grade in (0.0, 0.5, 1.0))
    for curve in (soft, middle, hard):
        assert (curve.diff() >= 0).all()
        assert curve.min() >= 0
        assert curve.max() <= 1
    slopes = [float(curve[40] - curve[24]) for curve in (soft, middle, hard)]
    assert slopes == sorted(slopes)
    # Toe and shoulder: flat ends.
    assert float(hard[4] - hard[0]) < 0.2 * float(hard[34] - hard[30])


@pytest.mark.parametrize(
    "effect",
    [
        "corner",
        "softness",
        "halation",
        "fading",
        "stain",
        "scratches",
        "dust",
        "halftone",
        "resolution",
        "halo",
        "levels",
    ],
)
def test_each_effect_changes_the_print(effect: str) -> None:
    picture = torch.from_numpy(data.astronaut()[:128, 100:228].copy()).movedim(-1, 0)[None] / 255.0
    plain = old_print(picture, material())
    changed = old_print(picture, material(**{effect: 0.02}))
    assert not torch.allclose(plain, changed, atol=1e-3)
    assert float(changed.min()) >= 0.0
    assert float(changed.max()) <= 1.0


def test_grain_grows_with_density() -> None:
    dark_and_light = torch.cat((torch.full((1, 3, 64, 64), 0.2), torch.full((1, 3, 64, 64), 0.85)), dim=-1)
    plain, grainy = (old_print(dark_and_light, material(grain=grain)) for grain in (0.0, 1.0))
    density = [-torch.log10(luma.clamp(min=1e-3) ** 2.2) for luma in (plain, grainy)]
    noise = (density[1] - density[0])[0, 0]
    assert float(noise[:, 8:56].std()) > 1.3 * float(noise[:, 72:120].std()) > 0


def test_a_place_in_the_batch_has_its_own_material() -> None:
    whole, part = Material.of(1, 5, range(8)), Material.of(1, 5, range(3, 6))
    for name in _AMOUNTS:
        assert np.array_equal(whole.chances[name][3:6], part.chances[name])
    assert np.array_equal(whole.seeds[3:6], part.seeds)
    pictures = torch.rand(8, 3, 32, 32)
    torch.testing.assert_close(old_print(pictures, whole)[3:6], old_print(pictures[3:6], part), atol=1e-5, rtol=0)


def test_extreme_pictures_stay_within_bounds() -> None:
    for level in (0.0, 1.0):
        luma = old_print(torch.full((16, 3, 32, 32), level), Material.of(0, 0, range(16)))
        assert torch.isfinite(luma).all()
        assert 0 <= float(luma.min()) <= float(luma.max()) <= 1
