"""The only colour arithmetic of the project: Y'CbCr ↔ R'G'B' ↔ XYZ ↔ CIELAB, as pure torch functions.

Conventions, everywhere: channels are dimension −3, so a picture is ``(..., 3, H, W)`` and a plane ``(..., 1, H, W)``.
R'G'B' and luma Y' are gamma-encoded (sRGB transfer, IEC 61966-2-1) in [0, 1]; linear RGB and XYZ (D65, 2° observer)
have white Y = 1; L is in [0, 100], a and b in about [−110, 110]; Cb and Cr are in [−0.5, 0.5].
Inputs are floating point; results have the input's dtype and device. float32 agrees with scikit-image within 1e-3.

A grey value has one number, its luma Y'. `chroma_of_luma` finds the colour that has *that* luma and the wanted a, b, and
gives up chroma, never luma, where the display cannot show it: joined with the source's own Y plane it changes no lightness.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Matrix = Literal["bt601", "bt709", "bt2020"]

# Luma coefficients (K_R, K_B): ITU-R BT.601-7, BT.709-6, BT.2020-2 (non-constant luminance).
_LUMA: dict[str, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}

# sRGB primaries to XYZ and the D65 white with the digits scikit-image uses, so that both agree to float precision.
XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
WHITE = (0.95047, 1.0, 1.08883)

EPSILON = 0.008856  # CIE 15: below this XYZ ratio the cube root is replaced by a line
KAPPA_SLOPE = 7.787
OFFSET = 16.0 / 116.0


@dataclass(frozen=True)
class YCbCrSpec:
    """How integer Y'CbCr codes are meant: the matrix, the range and the bit depth (8 to 16).

    Limited range puts luma in 16…235 and chroma in 16…240, scaled by 2^(bits−8) (BT.709 §4); full range uses all codes,
    with chroma centred on 2^(bits−1) as in JFIF.
    """

    matrix: Matrix = "bt709"
    full_range: bool = False
    bits: int = 8

    def __post_init__(self) -> None:
        if self.matrix not in _LUMA:
            raise ValueError(f"unknown matrix {self.matrix!r}: one of {', '.join(_LUMA)}")
        if not 8 <= self.bits <= 16:
            raise ValueError(f"bits must be 8 to 16, not {self.bits}")

    @property
    def max_code(self) -> int:
        """The largest integer code."""
        return (1 << self.bits) - 1

    @property
    def luma_offset(self) -> int:
        """The code of black."""
        return 0 if self.full_range else 16 << (self.bits - 8)

    @property
    def luma_scale(self) -> int:
        """Codes between black and white."""
        return self.max_code if self.full_range else 219 << (self.bits - 8)

    @property
    def chroma_mid(self) -> int:
        """The code of no chroma."""
        return 1 << (self.bits - 1)

    @property
    def chroma_scale(self) -> int:
        """Codes between chroma −0.5 and +0.5."""
        return self.max_code if self.full_range else 224 << (self.bits - 8)

    @property
    def chroma_limits(self) -> tuple[int, int]:
        """The smallest and the largest legal code of a chroma plane."""
        return (0, self.max_code) if self.full_range else (16 << (self.bits - 8), 240 << (self.bits - 8))

    def luma_from_codes(self, codes: Tensor) -> Tensor:
        """Luma in [0, 1] of integer or float codes; below black and above white are clipped."""
        return ((codes - self.luma_offset) / self.luma_scale).clamp(0.0, 1.0)

    def luma_to_codes(self, luma: Tensor) -> Tensor:
        """Float codes (not rounded) of luma in [0, 1]."""
        return luma * self.luma_scale + self.luma_offset

    def chroma_from_codes(self, codes: Tensor) -> Tensor:
        """Cb or Cr in [−0.5, 0.5] of integer or float codes."""
        return (codes - self.chroma_mid) / self.chroma_scale

    def chroma_to_codes(self, chroma: Tensor) -> Tensor:
        """Rounded codes of Cb or Cr, clipped to the plane's legal codes, still floating point."""
        return (chroma * self.chroma_scale + self.chroma_mid).round().clamp(*self.chroma_limits)


def srgb_to_linear(encoded: Tensor) -> Tensor:
    """Undo the sRGB transfer function; the line near black continues below 0, so out-of-gamut values survive."""
    curve = ((encoded.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4
    return torch.where(encoded > 0.04045, curve, encoded / 12.92)


def linear_to_srgb(linear: Tensor) -> Tensor:
    """Apply the sRGB transfer function; the line near black continues below 0, so out-of-gamut values survive."""
    curve = 1.055 * linear.clamp(min=0.0031308) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, curve, linear * 12.92)


def rgb_to_xyz(rgb: Tensor) -> Tensor:
    """R'G'B' ``(..., 3, H, W)`` in [0, 1] to XYZ of the same shape."""
    return xyz_of_linear_rgb(srgb_to_linear(rgb))


def xyz_of_linear_rgb(linear: Tensor) -> Tensor:
    """Linear RGB ``(..., 3, H, W)`` to XYZ."""
    return _mix(linear, linear.new_tensor(XYZ_FROM_RGB))


def xyz_to_rgb(xyz: Tensor) -> Tensor:
    """XYZ to R'G'B'; colours the display cannot show lie outside [0, 1]."""
    return linear_to_srgb(linear_rgb_of_xyz(xyz))


def linear_rgb_of_xyz(xyz: Tensor) -> Tensor:
    """XYZ to linear RGB; colours the display cannot show lie outside [0, 1]."""
    inverse = torch.linalg.inv(torch.tensor(XYZ_FROM_RGB, dtype=torch.float64))
    return _mix(xyz, inverse.to(xyz))


def xyz_to_lab(xyz: Tensor) -> Tensor:
    """XYZ to CIELAB (CIE 15:2004), D65."""
    ratio = xyz / xyz.new_tensor(WHITE).view(3, 1, 1)
    f = torch.where(ratio > EPSILON, ratio.clamp(min=EPSILON) ** (1 / 3), KAPPA_SLOPE * ratio + OFFSET)
    fx, fy, fz = f.unbind(-3)
    return torch.stack((116.0 * fy - 16.0, 500.0 * (fx - fy), 200.0 * (fy - fz)), dim=-3)


def lab_to_xyz(lab: Tensor) -> Tensor:
    """CIELAB to XYZ. A negative Z, which no light has, is set to 0 as scikit-image does."""
    lightness, a, b = lab.unbind(-3)
    fy = (lightness + 16.0) / 116.0
    f = torch.stack((fy + a / 500.0, fy, (fy - b / 200.0).clamp(min=0.0)), dim=-3)
    ratio = torch.where(f > 0.2068966, f**3, (f - OFFSET) / KAPPA_SLOPE)
    return ratio * lab.new_tensor(WHITE).view(3, 1, 1)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """R'G'B' ``(..., 3, H, W)`` in [0, 1] to Lab of the same shape."""
    return xyz_to_lab(rgb_to_xyz(rgb))


def lab_to_rgb(lab: Tensor, *, clip: bool = True) -> Tensor:
    """Lab to R'G'B'. ``clip`` cuts each channel to [0, 1] (changing lightness); without it the values are unbounded."""
    rgb = xyz_to_rgb(lab_to_xyz(lab))
    return rgb.clamp(0.0, 1.0) if clip else rgb


def fit_to_gamut(lab: Tensor, *, steps: int = 14) -> Tensor:
    """Lower chroma at constant L and hue until the colour lies in the sRGB cube. L is returned unchanged.

    Bisection, for the pixels outside only, along the line to the grey of the same L, which is inside; 14 steps leave less
    than 0.02 units of chroma.
    """
    slack = 3e-5  # R'G'B' units; float32 noise of the round trip must not shrink colours that are inside
    rgb = lab_to_rgb(lab, clip=False)
    outside = ((rgb < -slack) | (rgb > 1.0 + slack)).any(dim=-3)
    if not outside.any():
        return lab
    pixels = lab.movedim(-3, 0)[:, outside].unsqueeze(-1)  # (3, N, 1): a picture of one column
    low, high = torch.zeros_like(pixels[:1]), torch.ones_like(pixels[:1])
    for _ in range(steps):
        middle = (low + high) / 2
        rgb = lab_to_rgb(torch.cat((pixels[:1], pixels[1:] * middle)), clip=False)
        fits = ((rgb >= -slack) & (rgb <= 1.0 + slack)).all(dim=-3, keepdim=True)
        low = torch.where(fits, middle, low)
        high = torch.where(fits, high, middle)
    fitted = lab.movedim(-3, 0).clone()
    fitted[1:, outside] = (pixels[1:] * low).squeeze(-1)
    return fitted.movedim(0, -3)


def luma_of_rgb(rgb: Tensor, matrix: Matrix) -> Tensor:
    """Luma ``(..., 1, H, W)`` of R'G'B'."""
    red, blue = _LUMA[matrix]
    r, g, b = rgb.unbind(-3)
    return (red * r + (1.0 - red - blue) * g + blue * b).unsqueeze(-3)


def rgb_to_ycbcr(rgb: Tensor, matrix: Matrix) -> Tensor:
    """R'G'B' to Y'CbCr ``(..., 3, H, W)``, Y' in [0, 1], Cb and Cr in [−0.5, 0.5]."""
    red, blue = _LUMA[matrix]
    luma = luma_of_rgb(rgb, matrix)
    cb = (rgb[..., 2:3, :, :] - luma) / (2.0 * (1.0 - blue))
    cr = (rgb[..., 0:1, :, :] - luma) / (2.0 * (1.0 - red))
    return torch.cat((luma, cb, cr), dim=-3)


def ycbcr_to_rgb(ycbcr: Tensor, matrix: Matrix) -> Tensor:
    """Y'CbCr to R'G'B', not clipped: undisplayable combinations lie outside [0, 1]."""
    red, blue = _LUMA[matrix]
    luma, cb, cr = ycbcr.unbind(-3)
    r = luma + 2.0 * (1.0 - red) * cr
    b = luma + 2.0 * (1.0 - blue) * cb
    g = (luma - red * r - blue * b) / (1.0 - red - blue)
    return torch.stack((r, g, b), dim=-3)


def lightness_of_luma(luma: Tensor) -> Tensor:
    """L in [0, 100] of the grey whose R' = G' = B' = Y' (same shape)."""
    linear = srgb_to_linear(luma)
    f = torch.where(linear > EPSILON, linear.clamp(min=EPSILON) ** (1 / 3), KAPPA_SLOPE * linear + OFFSET)
    return 116.0 * f - 16.0


def chroma_of_luma(luma: Tensor, ab: Tensor, matrix: Matrix) -> Tensor:
    """Cb and Cr ``(..., 2, H, W)`` that give a picture of exactly this luma the colours ``ab``.

    ``luma`` is ``(..., 1, H, W)`` in [0, 1], ``ab`` is ``(..., 2, H, W)``. Luma and L differ for saturated colours, so the
    L whose colour (L, a, b) has this luma is found by bisection (luma grows with L). Where that colour leaves the R'G'B'
    cube, Cb and Cr shrink together until it touches the cube's face: Y' + s·d stays in [0, 1] for each channel, which has
    a closed form because Y' is fixed. Exact and slow; `ChromaTable` is the fast form for planes.
    """
    low = torch.zeros_like(luma)
    high = torch.full_like(luma, 100.0)
    for _ in range(18):  # 100 / 2^18 = 0.0004 L
        middle = (low + high) / 2
        rgb = lab_to_rgb(torch.cat((middle, ab), dim=-3), clip=False)
        dark = luma_of_rgb(rgb, matrix) < luma
        low = torch.where(dark, middle, low)
        high = torch.where(dark, high, middle)
    return chroma_at((low + high) / 2, luma, ab, matrix)


def chroma_at(lightness: Tensor, luma: Tensor, ab: Tensor, matrix: Matrix) -> Tensor:
    """`chroma_of_luma` once L is known."""
    rgb = lab_to_rgb(torch.cat((lightness, ab), dim=-3), clip=False)
    difference = rgb - luma_of_rgb(rgb, matrix)
    tiny = torch.finfo(luma.dtype).tiny
    room = torch.where(difference > 0, 1.0 - luma, luma) / difference.abs().clamp(min=tiny)
    difference = difference * room.amin(dim=-3, keepdim=True).clamp(max=1.0)
    red, blue = _LUMA[matrix]
    cb = difference[..., 2:3, :, :] / (2.0 * (1.0 - blue))
    cr = difference[..., 0:1, :, :] / (2.0 * (1.0 - red))
    return torch.cat((cb, cr), dim=-3)


def lightness_of_lumas(lumas: Tensor, ab: Tensor, matrix: Matrix, levels: int = 401) -> Tensor:
    """The L at which each colour of ``ab (2, h, w)`` has each of ``lumas (N,)``: ``(N, h, w)``, as bisection finds it.

    Read off the luma of each colour at ``levels`` L, between which it is nearly straight: with 401, L is at most 0.005 off
    where the colour can be displayed, in a sixth of the time.
    """
    height, width = ab.shape[-2:]
    lightness = torch.linspace(0.0, 100.0, levels)
    colors = torch.cat((lightness.view(-1, 1, 1, 1).expand(-1, 1, height, width), ab.expand(levels, -1, -1, -1)), dim=1)
    known = luma_of_rgb(lab_to_rgb(colors, clip=False), matrix).view(levels, -1).T.contiguous()  # (h·w, levels)
    wanted = lumas.expand(len(known), -1).contiguous()
    above = torch.searchsorted(known, wanted).clamp(1, levels - 1)
    below_luma, above_luma = known.gather(1, above - 1), known.gather(1, above)
    share = ((wanted - below_luma) / (above_luma - below_luma)).clamp(0.0, 1.0)
    return ((above - 1 + share) * (100.0 / (levels - 1))).T.reshape(-1, height, width)


def colorfulness(rgb: Tensor) -> Tensor:
    """Hasler-Süsstrunk colourfulness (2003) of R'G'B' ``(..., 3, H, W)`` in [0, 1]; on the usual 0…255 scale, shape (...)."""
    r, g, b = (255.0 * rgb).unbind(-3)
    red_green, yellow_blue = r - g, 0.5 * (r + g) - b
    spread = (red_green.var((-2, -1), correction=0) + yellow_blue.var((-2, -1), correction=0)).sqrt()
    mean = (red_green.mean((-2, -1)) ** 2 + yellow_blue.mean((-2, -1)) ** 2).sqrt()
    return spread + 0.3 * mean


def _mix(picture: Tensor, matrix: Tensor) -> Tensor:
    """Multiply each pixel's three channels by a 3×3 matrix."""
    return torch.einsum("ij,...jhw->...ihw", matrix, picture)
