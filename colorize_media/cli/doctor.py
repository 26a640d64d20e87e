"""Facts about this installation, and what is wrong with it."""

from __future__ import annotations

from importlib import metadata

from colorize_media.errors import ColorizeError, LibraryMissing
from colorize_media.version import __version__

LIBRARIES = ("av", "numpy", "opencv-python-headless", "pillow", "safetensors")
EXTRAS = {"HEIC": "pi-heif", "camera raw": "rawpy", "signing": "c2pa-python"}
ENCODERS = ("libx264", "libx265", "libvpx-vp9", "libsvtav1", "ffv1")


def examine() -> tuple[dict[str, str], list[str]]:
    """(facts by name, problems). A problem is something that makes a default job fail."""
    import av.codec
    import torch

    from colorize_media.models import SHIPPED
    from colorize_media.network.colorizer import Colorizer
    from colorize_media.network.device import machine_facts

    facts = {"colorize-media": __version__} | machine_facts()
    facts |= {name: metadata.version(name) for name in LIBRARIES}
    encoders = [name for name in ENCODERS if name in av.codec.codecs_available and av.codec.Codec(name, "w")]
    facts["video encoders"] = ", ".join(encoders)
    problems = [] if "libx264" in encoders else ["FFmpeg inside PyAV has no libx264: films cannot be written as MP4"]
    for name in ("scenes", "regression"):
        try:
            colorizer = Colorizer(name, "cpu")
            colors = colorizer.colors(torch.full((1, 1, 64, 64), 50.0))
            facts[f"model {name}"] = f"{(SHIPPED / name).name}, answers {colors.shape[1]}×{colors.shape[2]}"
        except ColorizeError as error:
            facts[f"model {name}"] = "not usable"
            problems.append(str(error))
    facts["engine openvino"] = _openvino()
    facts |= {kind: _extra(library) for kind, library in EXTRAS.items()}
    return facts, problems


def _extra(library: str) -> str:
    try:
        return f"{library} {metadata.version(library)}"
    except metadata.PackageNotFoundError:
        return f"not installed (optional: pip install {library})"


def _openvino() -> str:
    """Whether the optional engine works; nothing needs it, so its absence is no problem."""
    import torch

    from colorize_media.network.colorizer import Colorizer

    try:
        colors = Colorizer("scenes", "cpu", engine="openvino").colors(torch.full((1, 1, 64, 64), 50.0))
    except LibraryMissing:
        return "not installed (optional: pip install openvino)"
    except (ColorizeError, RuntimeError) as error:
        return f"not usable: {str(error).splitlines()[0]}"
    return f"{metadata.version('openvino')}, answers {colors.shape[1]}×{colors.shape[2]}"
