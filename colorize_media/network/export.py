"""A network as a file for other programs: ONNX, or OpenVINO's own format. Float32, any number and size of pictures.

The graph has the network and its default decoding at vividness 1 (each cell for itself: not averaged in space or time), and
says in its metadata what goes in and what comes out:

    lightness  (batch, 1, height, width)          L of CIELAB (D65), 0 to 100; sides are multiples of 32
    ab         (batch, 2, height/4, width/4)      the annealed mean times the chroma gain, ab units within ±110
    logits     (batch, 262, height/4, width/4)    over the ab bins; not in a `regression` network
    offset     (batch, 2, height/4, width/4)      ab units, added to the bins' mean; not in a `regression` network
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from colorize_media.errors import BadOption, InputIsOutput, OutputExists, OutputUnwritable
from colorize_media.machine import require
from colorize_media.models import SHIPPED, Network, bin_centres, find_weights, load_weights
from colorize_media.models.checkpoint import config_to_json
from colorize_media.network.engines import import_openvino, openvino_model, tensors
from colorize_media.network.refine import HIGHEST_OWN_GAIN, settle_colors
from colorize_media.network.tones import BLACK, WHITE
from colorize_media.options import ColorizeOptions
from colorize_media.version import __version__

Format = Literal["onnx", "openvino"]
SUFFIXES: dict[Format, str] = {"onnx": ".onnx", "openvino": ".xml"}
OPSET = 18  # the lowest that PyTorch's exporter writes, so that older runtimes read it too

_SHIPPED_TERMS = (
    "These weights were trained on photographs gathered from the web under research terms or with no stated licence: treat "
    "them as for research and private use. The network and the program that wrote this file are MIT licensed."
)
_OTHER_TERMS = (
    "Whoever trained these weights decides about them. The network and the program that wrote this file are MIT "
    "licensed."
)


def export(model: str, output: Path | None = None, form: Format | None = None, *, overwrite: bool = False) -> Path:
    """Write a model, named as for ``--model``, for other programs; returns the file.

    Without ``output`` it is named after the weights, in the current folder; without ``form`` the output's name decides,
    else it is ONNX. OpenVINO's format is two files, .xml and .bin. They are written under temporary names first.
    Raises BadOption, UnknownModel, InputIsOutput, OutputExists, LibraryMissing, WeightsDamaged, OutputUnwritable.
    """
    weights = find_weights(model)
    form, target = _form_and_target(weights, output, form)
    files = [target] if form == "onnx" else [target.with_suffix(".bin"), target]
    for file in files:
        if file.exists() and file.samefile(weights):
            raise InputIsOutput(
                "the output would replace the weights", path=file, why="both are one file", hint="name another output"
            )
        if file.exists() and not overwrite:
            raise OutputExists(
                "the output exists", path=file, why="nothing is replaced unasked", hint="add -y, or name another output"
            )
    network, record = load_weights(weights)
    about = description(network, record, shipped=weights.parent.resolve() == SHIPPED.resolve())
    _write_files(_as_onnx(network, about) if form == "onnx" else _as_openvino(network, about), files)
    return target


class ExportedNetwork(nn.Module):
    """A network with its default decoding; `names` are its outputs' names."""

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.network = network
        self.names = ("ab", "logits", "offset") if network.config.kind == "scenes" else ("ab",)
        self.eval()

    def forward(self, lightness: Tensor) -> tuple[Tensor, ...]:
        """``(B, 1, H, W)``, L in [0, 100], to what the module's text lists."""
        config = self.network.config
        distribution = self.network(lightness)
        ab = settle_colors(
            distribution,
            lightness,
            temperature=config.temperature,
            gain=config.chroma_gain,
            picture_gain=config.picture_gain,
        )
        return (ab, *tensors(distribution)) if len(self.names) > 1 else (ab,)


def description(network: Network, record: Mapping[str, Any], *, shipped: bool) -> dict[str, str]:
    """What the file says about itself, as texts by name: what goes in and comes out, config, record, terms."""
    config, size = network.config, ColorizeOptions().working_size
    about = {
        "description": (
            "Colours for the lightness of a picture. Enlarge ab to the picture's size (bicubically) and join it with the "
            "picture's own L; multiply ab for more or less colour."
        ),
        "lightness": (
            f"(batch, 1, height, width): L of CIELAB (D65), 0 to 100; sides multiples of 32, the short one best {size}; where "
            f"a picture's darkest hundredth lies above {BLACK:g} or its lightest below {WHITE:g}, stretch it to there first"
        ),
        "working_size": str(size),
        "ab": (
            "(batch, 2, height/4, width/4): a and b of CIELAB, within ±110; the mean at the config's temperature times its "
            "chroma gain and the picture's own gain, not averaged in space or time"
        ),
    }
    if config.kind == "scenes":
        about |= {
            "logits": (
                "(batch, 262, height/4, width/4): over bin_centres; ab before the gains is "
                "the sum of softmax(logits / temperature) times bin_centres, plus offset; a picture's own gain, taken to the "
                f"power picture_gain, is its mean of the sum of softmax times the centres' norms, over the mean norm of "
                f"that ab, within 1 and {HIGHEST_OWN_GAIN:g}"
            ),
            "offset": "(batch, 2, height/4, width/4): ab units",
            "bin_centres": json.dumps(bin_centres().int().tolist()),
        }
    return about | {
        "config": config_to_json(config),
        "record": json.dumps(dict(record)),
        "license": _SHIPPED_TERMS if shipped else _OTHER_TERMS,
        "made_by": f"colorize-media {__version__}",
    }


def _form_and_target(weights: Path, output: Path | None, form: Format | None) -> tuple[Format, Path]:
    if output is None:
        form = form or "onnx"
        name = weights.parent.name if weights.stem == "weights" else weights.stem  # a run's weights have all one name
        return form, Path(name + SUFFIXES[form])
    named = next((known for known, suffix in SUFFIXES.items() if suffix == output.suffix), None)
    if named is None or form not in (None, named):
        raise BadOption(
            "the output's name does not fit its format",
            path=output,
            why=f"{output.suffix or 'no extension'} is not {SUFFIXES[form] if form else ' or '.join(SUFFIXES.values())}",
            hint="name it .onnx for ONNX, .xml for OpenVINO",
        )
    return named, output


def _write_files(write: Callable[[Path], None], files: list[Path]) -> None:
    """Call ``write`` with a temporary name of the last file, then rename it and those it wrote beside it."""
    target = files[-1]
    temporary = target.with_name(f".{target.stem}.{os.getpid()}.part{target.suffix}")
    parts = [temporary.with_suffix(file.suffix) for file in files]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        write(temporary)
        if len(files) > 1:
            target.unlink(missing_ok=True)  # else a kill could leave one file's new half beside the other's old one
        for part, file in zip(parts, files, strict=True):
            os.replace(part, file)
    except (OSError, RuntimeError) as error:  # OpenVINO raises RuntimeError
        why = getattr(error, "strerror", None) or str(error)
        hint = "check the folder, its permissions and the disk's room"
        raise OutputUnwritable("cannot write the export", path=target, why=why, hint=hint) from error
    finally:
        for part in parts:
            with contextlib.suppress(OSError):  # not there, or not even a folder to be in
                part.unlink()


def _as_onnx(network: Network, about: Mapping[str, str]) -> Callable[[Path], None]:
    """The network in ONNX's terms; returns what writes it."""
    for library in ("onnxscript", "onnx"):  # PyTorch's exporter needs the first
        onnx = require(library, "ONNX export is not installed", "run: pip install onnx onnxscript")
    exported = ExportedNetwork(network)
    example = torch.full((2, 1, 64, 96), 50.0)
    batch, rows, columns = (torch.export.Dim(name) for name in ("batch", "rows", "columns"))
    sizes = {0: batch, 2: 32 * rows, 3: 32 * columns}
    program = torch.onnx.export(
        torch.export.export(exported, (example,), dynamic_shapes=(sizes,)),
        dynamo=True,
        opset_version=OPSET,
        input_names=["lightness"],
        output_names=list(exported.names),
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    _forget_sources(model.graph)
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = about[value.name]
        grid = ("height", "width") if value.name == "lightness" else ("height/4", "width/4")
        dimensions = value.type.tensor_type.shape.dim
        dimensions[0].dim_param, dimensions[2].dim_param, dimensions[3].dim_param = "batch", *grid
    model.doc_string = about["description"]
    onnx.helper.set_model_props(model, dict(about))
    onnx.checker.check_model(model, full_check=True)
    return lambda path: onnx.save_model(model, path)


def _forget_sources(graph: Any) -> None:
    """The exporter notes where in whose source each node comes from: paths of this machine, of no use elsewhere."""
    del graph.value_info[:], graph.metadata_props[:]
    for thing in (*graph.node, *graph.input, *graph.output, *graph.initializer):
        thing.doc_string = ""
        del thing.metadata_props[:]


def _as_openvino(network: Network, about: Mapping[str, str]) -> Callable[[Path], None]:
    """The network as OpenVINO's model; returns what writes its .xml and .bin."""
    openvino = import_openvino()
    exported = ExportedNetwork(network)
    model = openvino_model(exported)
    for output, name in zip(model.outputs, exported.names, strict=True):
        output.get_tensor().set_names({name})
    for name, text in about.items():
        model.set_rt_info(text, ["colorize-media", name])
    return lambda path: openvino.save_model(model, path, compress_to_fp16=False)
