"""colorize_video(): open a film, decide, colour its frames into the output, tell the result."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from colorize_media.events import Done, OnEvent, Result, Skipped, Started, Warned, ignore
from colorize_media.judge.decision import decide_film
from colorize_media.network.colorizer import Colorizer
from colorize_media.options import ColorizeOptions, that_change, that_decide, values_of, what_made_it
from colorize_media.provenance.record import record_of
from colorize_media.provenance.signing import signer_for
from colorize_media.version import __version__
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.opening import open_video, survey_of
from colorize_media.video.pipeline import LIMITS, Limits, color_frames
from colorize_media.video.purposes import check_encoder, purpose_of
from colorize_media.video.writer import Writer

_ALL_OWN = (
    "already in colour: each of its {} frames, looked at shot by shot; a close verdict: if it is black and white, --force "
    "colours it (`colorize-media inspect` shows the numbers)"
)


def colorize_video(
    source: Path,
    target: Path,
    colorizer: Colorizer,
    options: ColorizeOptions,
    on_event: OnEvent = ignore,
    limits: Limits = LIMITS,
) -> Result:
    """Colour one film; returns Done, or Skipped if all its frames have colour already (unless ``options.force``).

    In a film that is partly in colour the shots that are keep their own chroma (unless ``options.force``). Every frame
    keeps its Y plane and its time; other streams are kept. What a run that was stopped has finished is gone on with.
    Raises a FileProblem or EnvironmentProblem; then there is no output. ``on_event`` gets Started, Resumed, Advanced and
    Warned; telling the result is the caller's. ``limits``: see `pipeline.Limits`.
    """
    begun = time.monotonic()
    check_encoder(options)
    signer = signer_for(target, options.sign_cert, options.sign_key)
    with open_video(source, options) as reader:
        found = survey_of(reader)
        decision = decide_film(found, options)
        if not decision.colorize:
            return Skipped(source, decision.told, decision.what)
        record = record_of(colorizer, source=source, **what_made_it(options, "video", colorizer.weights_digest))
        told = record if options.provenance else None
        job = what_colors_depend_on(colorizer, options)
        writer = Writer(
            target,
            reader,
            _settings(options),
            job,
            told,
            signer,
            drop_streams=options.drop_streams,
            audio=options.audio,
        )
        try:
            with writer:
                on_event(Started(source, target, "video", reader.frames_estimate, decision.told, decision.what))
                count = color_frames(reader, writer, colorizer, options, found, on_event, limits)
                if count.frames and count.own_frames == count.frames:
                    writer.abort()  # an output would say that it was coloured
                    return Skipped(source, _ALL_OWN.format(count.frames), "color")
        except BaseException:
            if writer.kept is not None:
                on_event(Warned(source, f"the same command goes on from what is finished, which is in {writer.kept}"))
            raise
        for message in (*reader.warnings, *writer.warnings):
            on_event(Warned(source, message))
        if reader.damaged:
            on_event(Warned(source, f"{reader.damaged} damaged frames or packets"))
        return Done(
            source,
            target,
            count.frames,
            seconds=time.monotonic() - begun,
            damaged=reader.damaged,
            own_frames=count.own_frames,
            own_shots=count.own_shots,
            reason=decision.told,
            what=decision.what,
            record=record.as_json(),
            converted=writer.converted,
            dropped=writer.dropped,
            recoded=writer.recoded,
        )


def _settings(options: ColorizeOptions) -> EncoderSettings:
    own = tuple((name, value) for name, _, value in (one.partition("=") for one in options.encoder_option))
    purpose = purpose_of(options)
    return EncoderSettings(
        options.encoder, options.crf, options.preset, purpose=purpose, own=own, grey_luma=options.chroma_only
    )


def what_colors_depend_on(colorizer: Colorizer, options: ColorizeOptions) -> dict[str, Any]:
    """What a film's colours depend on besides the film itself, as JSON types by names for people."""
    values = values_of(options, that_change("video colors") | that_decide("video"))
    return {
        **{name.replace("_", " "): value for name, value in sorted(values.items())},
        "start": str(options.start),
        "duration": str(options.duration),
        "model": colorizer.weights_digest,
        "device": f"{colorizer.device} {colorizer.dtype}",
        "engine": colorizer.engine.name,
        "batch size": colorizer.batch_size,
        "version": __version__,
    }
