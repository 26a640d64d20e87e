"""Content credentials (C2PA): an output signed with the person's own certificate, as the last writer of its bytes.

The library c2pa-python (an extra) does it, offline: no time stamp is asked for, nothing is fetched, whatever a file says. The
source is the parent ingredient, with its own credentials if it has any. Keys are read here and nowhere else, and never shown.

Source: C2PA technical specification 2.2 (actions, ingredients, digital source types).
"""

from __future__ import annotations

import json
import mimetypes
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, BinaryIO

from colorize_media.errors import BadOption, LibraryMissing, OutputUnwritable
from colorize_media.provenance.packet import DIGITAL_SOURCE_TYPE
from colorize_media.provenance.record import Record

PASSPHRASE = "COLORIZE_MEDIA_SIGN_PASSPHRASE"
"""The environment's variable with an encrypted key's passphrase: an argument could be read by everybody on the machine."""

_MIME = {
    **dict.fromkeys((".jpg", ".jpeg", ".jpe", ".jfif"), "image/jpeg"),
    ".png": "image/png",
    **dict.fromkeys((".tif", ".tiff"), "image/tiff"),
    ".webp": "image/webp",
    ".avif": "image/avif",
    **dict.fromkeys((".mp4", ".m4v"), "video/mp4"),
    ".mov": "video/quicktime",
}
_OTHER = "application/octet-stream"
_CURVES = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_MOST_PEM = 1 << 20  # bytes of a certificate chain or key; real ones have some thousand
_SETTINGS = {
    "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": False},
    "core": {"allowed_network_hosts": []},
    "builder": {"thumbnail": {"enabled": False}},  # a third of a small photograph's bytes, and of a film there is none
}
# One grey pixel as PNG: signed when the key is read, so that what is wrong with it is known before any work.
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55"
    "0000000a4944415478da6368000000820081da45083b0000000049454e44ae426082"
)


def signer_for(target: Path, certificate: str, key: str) -> Signer | None:
    """What signs an output; None where no certificate is named. Raises as `load_signer`, and OutputUnwritable.

    OutputUnwritable: the output's format has no place for a signature.
    """
    if not certificate:
        return None
    if not can_be_signed(target):
        raise no_place(target)
    return load_signer(certificate, key)


def can_be_signed(target: Path) -> bool:
    """Whether the output's format has a place for a signature."""
    return target.suffix.lower() in _MIME


def no_place(target: Path) -> OutputUnwritable:
    """The error of an output whose format cannot be signed."""
    why = f"there is no place for a signature in {target.suffix or 'a file without extension'}"
    hint = "name the output .jpg, .png, .tif, .webp, .avif, .mp4 or .mov, or leave --sign-cert out"
    return cannot_be_signed(target, why, hint)


def cannot_be_signed(target: Path, why: str, hint: str) -> OutputUnwritable:
    """An output that could be written, but not signed."""
    return OutputUnwritable("the output cannot be signed", path=target, why=why, hint=hint)


@lru_cache(maxsize=1)
def load_signer(certificate: str, key: str) -> Signer:
    """The certificate chain and its private key, both PEM files, tried out. Raises BadOption, LibraryMissing."""
    c2pa, serialization, x509 = (
        _require(name) for name in ("c2pa", "cryptography.hazmat.primitives.serialization", "cryptography.x509")
    )
    chain, secret = _read(certificate, "certificate"), _read(key, "key")
    try:
        leaf = x509.load_pem_x509_certificates(chain)[0].public_key()
    except Exception:  # several kinds, of what is no certificate and of keys that nobody knows
        raise _bad(certificate, "certificate", "it holds no certificate in PEM", "give the signer's first") from None
    private = _private_key(serialization, secret, key)
    public = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if leaf.public_bytes(*public) != private.public_key().public_bytes(*public):
        why = "it belongs to another certificate than the first one of the chain"
        raise _bad(key, "key", why, "put the signer's certificate first, its issuer's after it")
    plain = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    signer = Signer(c2pa, _algorithm(private, key), chain, plain)
    try:
        signer.try_out()
    except c2pa.C2paError as error:
        hint = "C2PA wants a valid one for digital signatures, with an extended use such as e-mail protection, and its chain"
        raise _bad(certificate, "certificate", _words(error), hint) from None
    return signer


class Signer:
    """Signs finished outputs. Safe from several threads: each output has its own of what the library keeps."""

    def __init__(self, c2pa: Any, algorithm: str, chain: bytes, key: bytes) -> None:
        self._c2pa, self._algorithm, self._chain, self._key = c2pa, algorithm, chain, key

    def try_out(self) -> None:
        """Sign one pixel. Raises the library's error."""
        made = {"action": "c2pa.created", "digitalSourceType": DIGITAL_SOURCE_TYPE}
        self._sign(BytesIO(_PIXEL), BytesIO(), "image/png", _claim("trial", [made]), None)

    def sign(
        self, unsigned: BinaryIO, signed: BinaryIO, target: Path, record: Record, source: Path, *, private: bool = False
    ) -> tuple[str, ...]:
        """Write ``unsigned`` with its credentials to ``signed``, which can be read too; returns warnings.

        ``target`` is what the output will be called, ``source`` the file that it was made of: the parent ingredient, whose
        own credentials are kept, but not where the output is to be ``private``. Raises OutputUnwritable, OSError.
        """
        ingredient = {"relationship": "parentOf", "label": "source", "title": _json_text(record.source) or "source"}
        try:
            with BytesIO() if private else source.open("rb") as content:
                parent = (ingredient, _OTHER if private else _mime_of(source), content)
                self._sign(unsigned, signed, _MIME[target.suffix.lower()], _manifest(record, target), parent)
        except self._c2pa.C2paError as error:
            if private:
                raise cannot_be_signed(target, _words(error), "leave --sign-cert out") from error
            # It may be the source that cannot be read: without its credentials it is still what this was made of.
            for stream in (unsigned, signed):
                stream.seek(0)
            signed.truncate()
            self.sign(unsigned, signed, target, record, source, private=True)
            return (f"the source's own content credentials cannot be carried over: {_words(error)}",)
        return ()

    def _sign(
        self,
        unsigned: BinaryIO,
        signed: BinaryIO,
        mime: str,
        manifest: dict[str, Any],
        parent: tuple[dict[str, str], str, BinaryIO] | None,
    ) -> None:
        """``parent`` is an ingredient as JSON types, its MIME type, and its bytes."""
        c2pa = self._c2pa
        context = c2pa.Context.from_dict(_SETTINGS)
        # Without an address of a time stamp authority none is asked.
        signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(self._algorithm.encode(), self._chain, self._key, None))
        builder = c2pa.Builder.from_json(json.dumps(manifest), context=context)
        if parent is not None:
            ingredient, source_mime, content = parent
            builder.add_ingredient(json.dumps(ingredient), source_mime, content)
        builder.sign(signer, mime, unsigned, signed)


def _mime_of(source: Path) -> str:
    return _MIME.get(source.suffix.lower()) or mimetypes.guess_type(source.name)[0] or _OTHER


@contextmanager
def signed(
    file: BinaryIO, signer: Signer, target: Path, record: Record, source: Path
) -> Iterator[tuple[BinaryIO, list[str]]]:
    """A file to be filled, which is then written to ``file`` with its credentials; and warnings. Raises as `Signer.sign`.

    A source that the record does not name is private. Both copies lie on the disk, nameless where the system can.
    """
    with TemporaryFile(dir=target.parent) as unsigned, TemporaryFile(dir=target.parent) as whole:
        warnings: list[str] = []
        yield unsigned, warnings
        unsigned.seek(0)
        warnings += signer.sign(unsigned, whole, target, record, source, private=not record.source)
        whole.seek(0)
        shutil.copyfileobj(whole, file)


def _manifest(record: Record, target: Path) -> dict[str, Any]:
    edited = {
        "action": "c2pa.edited",
        "when": record.date,
        "softwareAgent": {"name": record.program, "version": record.version},
        "digitalSourceType": DIGITAL_SOURCE_TYPE,
        "parameters": {"description": record.parameters},
    }
    opened = {"action": "c2pa.opened", "parameters": {"ingredientIds": ["source"]}}
    claim = _claim(record.program, [opened, edited], version=record.version)
    # The output's name is mostly made of the source's, and would outlast a renaming.
    return {**claim, "title": _json_text(target.name)} if record.source else claim


def _claim(program: str, actions: list[dict[str, Any]], **said: str) -> dict[str, Any]:
    """What a program claims to have done."""
    return {
        "claim_generator_info": [{"name": program, **said}],
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}],
    }


def _json_text(name: str) -> str:
    """A file's name as JSON can hold it, whatever bytes it has."""
    return name.encode("utf-8", "replace").decode()


def _private_key(serialization: Any, secret: bytes, path: str) -> Any:
    passphrase = os.environ.get(PASSPHRASE, "")
    for password in (None, passphrase.encode("utf-8", "surrogateescape")):
        try:
            return serialization.load_pem_private_key(secret, password)
        except TypeError:  # it is encrypted, and no passphrase is given
            if not passphrase:
                why = "it is encrypted"
                raise _bad(path, "key", why, f"put its passphrase into the environment as {PASSPHRASE}") from None
        except Exception:  # what OpenSSL says of a key goes nowhere
            break
    why = "it holds no private key in PEM, or the passphrase is another"
    raise _bad(path, "key", why, f"check the file, and {PASSPHRASE} in the environment") from None


def _algorithm(private: Any, path: str) -> str:
    """C2PA's name of the signature that a private key makes."""
    kind = type(private).__name__
    if "Ed25519" in kind:
        return "ed25519"
    if "RSA" in kind and private.key_size >= 2048:
        return "ps256"
    curve = getattr(getattr(private, "curve", None), "name", "")
    if curve in _CURVES:
        return _CURVES[curve]
    why = "C2PA does not sign with this kind of key"
    raise _bad(path, "key", why, "use one of P-256, P-384, P-521, Ed25519, or RSA of 2048 bits or more")


def _read(path: str, what: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(_MOST_PEM + 1)
    except (OSError, ValueError) as error:
        why = getattr(error, "strerror", "") or str(error)
        raise _bad(path, what, why, f"name the signer's {what}, a PEM file") from None
    if len(content) > _MOST_PEM:
        raise _bad(path, what, f"it is larger than {_MOST_PEM >> 20} MB", f"name the signer's {what}, a PEM file")
    return content


def _bad(path: str, what: str, why: str, hint: str) -> BadOption:
    return BadOption(f"cannot sign with this {what}", path=path, why=why, hint=hint)


def _require(library: str) -> Any:
    try:
        return import_module(library)
    except (ImportError, OSError) as error:
        raise LibraryMissing(
            "signing is not installed",
            why=str(error),
            hint="run: pip install c2pa-python cryptography; or leave --sign-cert out",
        ) from error


def _words(error: Exception) -> str:
    """The library's, on one line, without the name of its class."""
    return " ".join(str(error).split()) or type(error).__name__
