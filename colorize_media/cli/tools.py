"""``colorize-media models``, ``export`` and ``doctor``: what is installed here, and the networks for other programs."""

from __future__ import annotations

import json
from typing import Any

import click

from colorize_media.cli.group import cli
from colorize_media.cli.parameters import DEFAULTS, PATH, option
from colorize_media.cli.terminal import say


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def models(as_json: bool) -> int:
    """List the shipped networks: what they are and what they scored."""
    import dataclasses

    from colorize_media.models import SHIPPED, read_description

    found = {}
    for file in sorted(SHIPPED.glob("*.safetensors")):
        config, record = read_description(file)
        found[file.stem] = {
            "config": dataclasses.asdict(config),
            "megabytes": round(file.stat().st_size / 1e6, 1),
            **record,
        }
    if as_json:
        say(json.dumps(found, indent=2))
        return 0
    for name, facts in found.items():
        scores = facts.get("scores", {})
        told = ", ".join(f"{key} {value:.4g}" for key, value in scores.items() if isinstance(value, (int, float)))
        say(f"{name}: {facts['megabytes']} MB; {told or 'no scores recorded'}")
    return 0


@cli.command()
@option("--model", default=DEFAULTS.model, show_default=True, help="A shipped model, a weights file or a run folder.")
@option("-o", "--output", type=PATH, help="File to write; default: MODEL.onnx or MODEL.xml in the current folder.")
@option("--format", "form", type=click.Choice(("onnx", "openvino")), help="Default: by the output's name, else onnx.")
@option("-y", "--overwrite", is_flag=True, help="Replace an output that is already there.")
def export(model: str, **settings: Any) -> int:
    """Write a network for other programs, as ONNX or for OpenVINO."""
    from colorize_media.network.export import export as export_model

    written = export_model(model, **settings)
    say(f"wrote {written}", err=True)
    return 0


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
def doctor(as_json: bool) -> int:
    """Check this installation: libraries, devices, weights, codecs."""
    from colorize_media.cli.doctor import examine

    facts, problems = examine()
    if as_json:
        say(json.dumps({"facts": facts, "problems": problems}, indent=2))
    else:
        width = max(map(len, facts))
        say("\n".join(f"{name:<{width}}  {value}" for name, value in facts.items()))
        say("\n".join(f"problem: {text}" for text in problems) if problems else "all is well")
    return 3 if problems else 0
