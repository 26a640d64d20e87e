"""Every option of a colouring job: one frozen dataclass with defaults and ranges, each of which says what it changes.

The command line, the environment, the config file and the Python API all build this same object. Whoever needs to know
which options matter to something asks the functions at the end; nobody keeps a list of names.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any, Literal, TypeVar

from colorize_media.errors import BadOption

Smoothing = Literal["off", "fast", "best"]
SMOOTHING: tuple[Smoothing, ...] = ("off", "fast", "best")
EngineName = Literal["auto", "torch", "openvino"]
AudioForm = Literal["lossless", "opus"]
AUDIO_FORMS: tuple[AudioForm, ...] = ("lossless", "opus")
Purpose = Literal["archive", "editing", "sharing"]
PURPOSES: tuple[Purpose, ...] = ("archive", "editing", "sharing")
ENGINES: tuple[EngineName, ...] = ("auto", "torch", "openvino")

# Photographs are looked at twice, a little larger and a little smaller than the working size, and mirrored each time.
# Measured on validation pictures, see docs/design-notes.md. The larger one gives the grid.
_STILL_SIZES = (7 / 6, 5 / 6)


def still_sizes(working_size: int) -> tuple[int, ...]:
    """Short sides in px, multiples of 32, at which a photograph is looked at, the largest first."""
    sizes = (max(32, round(working_size * share / 32) * 32) for share in _STILL_SIZES)
    return tuple(dict.fromkeys(sizes))


Kind = Literal["photo", "video"]
Status = Literal["done", "left", "failed"]  # what came of a file: coloured, left alone on purpose, the file's own fault
Aspect = Literal[
    "photo colors",
    "video colors",
    "photo encoding",  # how its pixels are stored
    "video encoding",
    "photo metadata",  # what its file says beside the pixels
    "video metadata",
    "photo decision",  # whether it is coloured or left alone; a page of several too
    "video decision",  # the same of a film, and of its shots
    "limit",  # what is refused
    "network",  # which one, and where and how it is computed
]
T = TypeVar("T")


def _changes(*aspects: Aspect, later: bool | Kind = False) -> dict[str, frozenset[Aspect] | bool | Kind]:
    """A field's metadata: all that its value changes; nothing for what makes another output altogether.

    ``later``: outputs were remembered before there was this option, or before it changed anything of this kind. At its
    default it is left out of what is remembered (`values_of`), or all that was ever made would be made anew.
    """
    return {"changes": frozenset(aspects), "later": later}


def each_says_what_it_changes(options: type[T]) -> type[T]:
    """Decorates a dataclass of options. Raises TypeError, when it is imported, for a field that does not say."""
    if silent := [item.name for item in fields(options) if "changes" not in item.metadata]:  # type: ignore[arg-type]
        raise TypeError(f"{options.__name__}.{silent[0]} does not say what it changes: give it metadata=_changes(...)")
    return options


@each_says_what_it_changes
@dataclass(frozen=True)
class ColorizeOptions:
    """How to colour. Raises BadOption for a value out of range.

    model       a shipped model's name, a .safetensors file, or a training run's folder
    device      auto, cpu, cuda, cuda:N or mps
    engine      what computes the network: torch, openvino (on a CPU; an extra), or auto
    vividness   chroma gain; 1 is the calibrated default, 0 grey, 2 the most
    refine      how much neighbouring cells agree on a colour, 0 is off; None is the model's own default
    keep_tint   the tone of toned photographs and tinted films stays, as a light over the colours
    smoothing   colours over time in videos: off (each frame alone), fast (from the past) or best (also from
                the next frames, with a shot's colours held)
    every       the network sees every Nth frame of a film, and those that cannot be followed from there; 1 is all
    batch_size  frames that go through the network together; 0 lets the device decide
    working_size  short side, in pixels, of the picture the network sees
    fast        look at a photograph once, as at a film's frames; default: at two sizes, mirrored too
    image_sequence  numbered pictures of a folder are frames of a film of so many a second, coloured and kept steady as one;
                None takes them for photographs
    force       colour inputs, and shots of films, that already have colour
    preview     of films, write a strip of frames before and after instead
    start       of films, in seconds from their beginning: what is before is left out
    duration    of films, in seconds: what is after is left out; None is up to the end
    skip_documents  leave photographs of text and line drawings alone
    quality     of JPEG, WebP and AVIF photographs, 1 to 100
    purpose     what a film is made for: archive (FFV1, Matroska), editing (ProRes 422 HQ, MOV) or sharing (H.264, MP4);
                None goes by the output's name
    encoder     FFmpeg's name of the video encoder; empty chooses by purpose, container and bit depth
    crf         the encoder's constant quality, smaller is better; None is the encoder's default below
    preset      the encoder's speed preset; empty is the encoder's own default
    encoder_option  further options of the encoder's own, each as key=value
    chroma_only  of films, write the colours alone, over a luma that is grey everywhere: FFV1, 4:4:4, Matroska
    audio       how sound of films is encoded that the output cannot hold as it is: lossless (FLAC or PCM), or opus
    drop_streams  of films: go on without sound, subtitles or other streams that the output cannot hold
    provenance  write into an output that it was coloured, by what and from which file
    sidecars    copy what other programs keep beside an input (.xmp, .srt, Takeout's .json …) beside its output
    strip_metadata  leave out all else that a photograph says beside its pixels, but for its colour profile
    sign_cert   sign outputs as C2PA has it: a PEM file, the signer's certificate and its chain; empty signs nothing
    sign_key    its private key, a PEM file
    max_pixels  larger photographs and frames are refused
    """

    model: str = field(default="scenes", metadata=_changes("network"))
    device: str = field(default="auto", metadata=_changes("network"))
    engine: EngineName = field(default="auto", metadata=_changes("network"))
    vividness: float = field(default=1.0, metadata=_changes("photo colors", "video colors"))
    refine: float | None = field(default=None, metadata=_changes("photo colors", "video colors"))
    keep_tint: bool = field(default=False, metadata=_changes("photo colors", "video colors", later=True))
    smoothing: Smoothing = field(default="best", metadata=_changes("video colors"))
    every: int = field(default=1, metadata=_changes("video colors"))
    batch_size: int = field(default=0, metadata=_changes("network"))
    working_size: int = field(default=192, metadata=_changes("photo colors", "video colors"))
    fast: bool = field(default=False, metadata=_changes("photo colors"))
    preview: bool = field(default=False, metadata=_changes())
    start: Fraction = field(default=Fraction(0), metadata=_changes("video colors"))
    duration: Fraction | None = field(default=None, metadata=_changes("video colors"))
    image_sequence: Fraction | None = field(default=None, metadata=_changes("photo colors", later=True))
    force: bool = field(default=False, metadata=_changes("photo decision", "video decision"))
    skip_documents: bool = field(default=False, metadata=_changes("photo decision"))
    quality: int = field(default=95, metadata=_changes("photo encoding"))
    purpose: Purpose | None = field(default=None, metadata=_changes("video encoding", later=True))
    encoder: str = field(default="", metadata=_changes("video encoding"))
    crf: int | None = field(default=None, metadata=_changes("video encoding"))
    preset: str = field(default="", metadata=_changes("video encoding"))
    encoder_option: tuple[str, ...] = field(default=(), metadata=_changes("video encoding", later=True))
    chroma_only: bool = field(default=False, metadata=_changes("video encoding", later=True))
    audio: AudioForm = field(default="lossless", metadata=_changes("video encoding", later=True))
    drop_streams: bool = field(default=False, metadata=_changes("limit", later=True))
    provenance: bool = field(default=True, metadata=_changes("photo metadata", "video metadata", later="video"))
    strip_metadata: bool = field(default=False, metadata=_changes("photo metadata"))
    sign_cert: str = field(default="", metadata=_changes("photo metadata", "video metadata", later=True))
    sign_key: str = field(default="", repr=False, metadata=_changes())  # another key of the same certificate cannot be
    sidecars: bool = field(default=True, metadata=_changes(later=True))
    max_pixels: int = field(default=500_000_000, metadata=_changes("limit"))

    def __post_init__(self) -> None:
        self._require("vividness", 0.0 <= self.vividness <= 2.0, "0 to 2")
        self._require("refine", self.refine is None or 0.0 <= self.refine <= 10.0, "0 to 10")
        self._require("engine", self.engine in ENGINES, " or ".join(ENGINES))
        self._require("smoothing", self.smoothing in SMOOTHING, " or ".join(SMOOTHING))
        self._require("audio", self.audio in AUDIO_FORMS, " or ".join(AUDIO_FORMS))
        self._require("every", 1 <= self.every <= 30, "1 to 30 frames")
        self._require("batch_size", 0 <= self.batch_size <= 1024, "0 (automatic) to 1024")
        self._require("working_size", 64 <= self.working_size <= 1024, "64 to 1024 pixels")
        for name in ("start", "duration", "image_sequence"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else Fraction(value))
        self._require("start", self.start >= 0, "0 seconds or more")
        self._require("duration", self.duration is None or self.duration > 0, "more than 0 seconds")
        rate = self.image_sequence
        self._require("image_sequence", rate is None or 0 < rate <= 1000, "frames a second, up to 1000")
        if rate is not None and (self.start or self.duration is not None):
            raise BadOption(
                "start and duration are of films in one file",
                why="numbered frames are a film here",
                hint="choose frames by their names, with --include or --exclude",
            )
        self._require("quality", 1 <= self.quality <= 100, "1 to 100")
        self._require("crf", self.crf is None or 0 <= self.crf <= 63, "0 to 63")
        self._require("purpose", self.purpose in (None, *PURPOSES), " or ".join(PURPOSES))
        self._check_encoding()
        self._require("max_pixels", self.max_pixels > 0, "positive")
        self._check_signing()

    def _check_encoding(self) -> None:
        """That what is said of a film's encoding can be true together."""
        object.__setattr__(self, "encoder_option", tuple(self.encoder_option))
        names = [one.partition("=")[0] for one in self.encoder_option]
        for one, name in zip(self.encoder_option, names, strict=True):
            if not re.fullmatch(r"[A-Za-z0-9_.:-]+=.+", one, re.ASCII):
                raise BadOption(
                    f"bad value for encoder_option: {one!r}",
                    why="it is not key=value",
                    hint="give --encoder-option key=value, such as --encoder-option tune=film",
                )
            twice = names.count(name) > 1
            if twice or (name == "crf" and self.crf is not None) or (name == "preset" and self.preset):
                other = "another --encoder-option" if twice else f"--{name}"
                raise BadOption(
                    f"--encoder-option {one} and {other} contradict each other",
                    why=f"both say {name}",
                    hint="leave one of them out",
                )
        without_loss = "chroma-only" if self.chroma_only else f"for {self.purpose}"
        wrong = {
            f"--crf {self.crf}": self.crf is not None and (self.chroma_only or self.purpose in ("archive", "editing")),
            f"--for {self.purpose}": self.chroma_only and self.purpose in ("editing", "sharing"),
            "--image-sequence": self.chroma_only and self.image_sequence is not None,
        }
        for words in (words for words, is_wrong in wrong.items() if is_wrong):
            raise BadOption(
                f"{words} and --{without_loss} contradict each other",
                why="colours alone are a film without loss"
                if self.chroma_only
                else "such a film is not to lose anything",
                hint="leave one of them out",
            )

    def _check_signing(self) -> None:
        what = "bad values for sign_cert and sign_key"
        if bool(self.sign_cert) != bool(self.sign_key):
            only = "sign_cert" if self.sign_cert else "sign_key"
            raise BadOption(what, why=f"only {only} is given", hint="give both --sign-cert and --sign-key")
        if self.sign_cert and not self.provenance:
            why = "a signature tells how an output was made, and provenance is off"
            raise BadOption(what, why=why, hint="leave out --no-provenance, or do not sign")

    def _require(self, name: str, holds: bool, allowed: str) -> None:
        if not holds:
            raise BadOption(
                f"bad value for {name}",
                why=f"{_shown(getattr(self, name))} is not {allowed}",
                hint=f"give {name} as {allowed}",
            )


def _shown(value: object) -> str:
    return f"{float(value):g}" if isinstance(value, Fraction) else repr(value)


def that_change(*aspects: Aspect) -> frozenset[str]:
    """Names of the options that change any of these."""
    return frozenset(item.name for item in fields(ColorizeOptions) if item.metadata["changes"] & set(aspects))


def values_of(options: ColorizeOptions, names: frozenset[str], kind: Kind | None = None) -> dict[str, Any]:
    """By name, what is to be remembered of these options, for a ``kind``: a later one only if it is not at its default."""
    chosen = [item for item in fields(options) if item.name in names]
    set_ones = not_at_default(options, names)
    later = {item.name for item in chosen if item.metadata["later"] in (True, kind)}
    return {
        item.name: getattr(options, item.name) for item in chosen if item.name not in later or item.name in set_ones
    }


def not_at_default(options: ColorizeOptions, names: frozenset[str]) -> dict[str, Any]:
    """By name, those of these options that somebody has set to something else than their default."""
    chosen = ((item, getattr(options, item.name)) for item in fields(options) if item.name in names)
    return {item.name: value for item, value in chosen if value != item.default}


def what_changed_colors(options: ColorizeOptions, kind: Kind) -> dict[str, Any]:
    """By name, as JSON types: what somebody has set of all that changes colours or decides what is coloured."""
    colors: Aspect = "photo colors" if kind == "photo" else "video colors"
    return _as_json(not_at_default(options, that_change(colors) | that_decide(kind)))


def _as_json(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, Fraction) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
    }


def that_change_the_output(kind: Kind) -> frozenset[str]:
    """Names of those that change anything in the output of what is coloured as one whole, but for the network."""
    if kind == "photo":
        return that_change("photo colors", "photo encoding", "photo metadata")
    return that_change("video colors", "video encoding", "video metadata")


def that_decide(kind: Kind) -> frozenset[str]:
    """Names of those by which it is decided whether it is coloured or left alone: as a whole, by shots or by pages."""
    return that_change("photo decision") if kind == "photo" else that_change("video decision")


def of_the_network() -> frozenset[str]:
    """Names of those that say which network it is, and where and how it is computed: it is loaded once for a whole run."""
    return that_change("network")


def digest(options: ColorizeOptions, kind: Kind, status: Status, weights: str, version: str) -> str:
    """The options under which a result holds. ``weights`` identifies the network, ``version`` the program.

    An output depends on all options that change it; what was left alone, on how that is decided; a failure may end with
    another version or limit. Manifests are full of these, so what is digested never changes its form.
    """
    values: dict[str, Any]
    frames = {"image_sequence": True} if kind == "photo" and options.image_sequence is not None else {}
    if status == "done":
        values = values_of(options, that_change_the_output(kind), kind) | {"weights": weights}
        if frames:  # at whatever rate: that is in no frame
            values |= values_of(options, that_change("video colors")) | frames
    elif status == "left":
        # Once films were asked for all that decides: what does not decide them is there, with its default.
        other = that_decide("photo") | that_decide("video")
        values = values_of(ColorizeOptions(), other) | values_of(options, that_decide(kind)) | frames
    else:
        values = values_of(options, that_change("limit")) | {"version": version}
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:16]


def what_made_it(options: ColorizeOptions, kind: Kind, weights: str) -> dict[str, Any]:
    """What an output says of the options, by the names of `provenance.record.Record`'s fields.

    Two of them are digests, by which the next run knows whether it would make the same: of all that changes the output, and
    of what decides about its parts.
    """
    colors = what_changed_colors(options, kind)
    beside = not_at_default(options, that_change_the_output(kind) | that_change("limit") | {"preview"}).items()
    return {
        "options": colors,
        "settings": {name: value for name, value in beside if name not in colors and not name.startswith("sign_")},
        "made_under": digest(options, kind, "done", weights, ""),
        "decided_under": digest(options, kind, "left", "", ""),
    }
