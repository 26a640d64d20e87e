"""Content credentials: signed with a certificate made here, read back valid (nobody trusts it), and tampering is found."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import sys
import threading
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import c2pa
import numpy as np
import pytest
from PIL import Image

from colorize_media.cli.main import run
from colorize_media.errors import BadOption, LibraryMissing, OutputUnwritable
from colorize_media.options import ColorizeOptions
from colorize_media.photo.pages import read_photo
from colorize_media.photo.write import write_photo
from colorize_media.provenance.packet import DIGITAL_SOURCE_TYPE
from colorize_media.provenance.signing import PASSPHRASE, Signer, load_signer, signer_for
from colorize_media.video.encoder import EncoderSettings
from colorize_media.video.reader import Reader
from colorize_media.video.writer import Writer
from tests.made.certificates import Credentials, make_credentials
from tests.made.films import grey_frames, make_video
from tests.made.photos import brown, grey_picture, save
from tests.made.records import made_record

LIMIT = 1_000_000  # pixels
MIME = {".jpg": "image/jpeg", ".png": "image/png", ".tif": "image/tiff", ".webp": "image/webp", ".avif": "image/avif"}
MIME |= {".mp4": "video/mp4", ".m4v": "video/mp4", ".mov": "video/quicktime"}
SMALL = ["--device", "cpu", "--working-size", "64"]


@pytest.fixture(scope="module")
def credentials(tmp_path_factory: pytest.TempPathFactory) -> Credentials:
    return make_credentials(tmp_path_factory.mktemp("credentials"))


@pytest.fixture
def signer(credentials: Credentials) -> Signer:
    return load_signer(str(credentials.certificate), str(credentials.key))


def said(path: Path) -> tuple[str, dict[str, Any]]:
    """What the library finds in a file: the state (Valid: all but the trust in the signer), and the manifest."""
    with path.open("rb") as file, c2pa.Reader(MIME[path.suffix], file) as reader:
        manifest = reader.get_active_manifest()
        return reader.get_validation_state() or "", manifest or {}


def photo_of(source: Path, target: Path, signer: Signer | None, **record: Any) -> tuple[str, ...]:
    photo = read_photo(source, max_pixels=LIMIT)
    by = made_record(source=source.name, **record)
    return write_photo(photo, brown(photo), target, quality=95, provenance=by, signer=signer)


def film_of(source: Path, target: Path, signer: Signer | None) -> list[str]:
    # libx264 gives the same packets again only with this preset (docs/design-notes.md)
    settings = EncoderSettings(preset="ultrafast")
    by = made_record(source=source.name)
    with (
        Reader(source) as reader,
        Writer(target, reader, settings, record=by, signer=signer) as writer,
    ):
        shape = (reader.geometry.chroma_height, reader.geometry.chroma_width, 2)
        for frame in reader:
            writer.write(frame, np.full(shape, 120))
    return writer.warnings


def check_manifest(manifest: dict[str, Any], source: str) -> None:
    (parent,) = manifest["ingredients"]
    assert (parent["relationship"], parent["title"]) == ("parentOf", source)
    (actions,) = (assertion["data"] for assertion in manifest["assertions"] if "actions" in assertion["label"])
    opened, edited = actions["actions"]
    assert opened["action"] == "c2pa.opened"
    assert len(opened["parameters"]["ingredients"]) == 1
    assert edited["action"] == "c2pa.edited"
    assert edited["digitalSourceType"] == DIGITAL_SOURCE_TYPE
    assert edited["softwareAgent"] == {"name": "colorize-media", "version": "0.test"}
    assert edited["when"] == "2026-05-04T10:00:00Z"
    assert edited["parameters"]["description"] == made_record().parameters


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_a_photograph_is_signed_and_keeps_pixels_and_metadata(tmp_path: Path, signer: Signer, suffix: str) -> None:
    source = save(tmp_path / "in.jpg", grey_picture())
    plain, target = tmp_path / f"plain{suffix}", tmp_path / f"out{suffix}"
    assert photo_of(source, plain, None) == photo_of(source, target, signer) == ()
    state, manifest = said(target)
    assert state == "Valid"
    check_manifest(manifest, "in.jpg")
    before, after = (read_photo(path, max_pixels=LIMIT) for path in (plain, target))
    assert np.array_equal(before.luma, after.luma)
    assert before.metadata.xmp == after.metadata.xmp
    assert before.metadata.icc == after.metadata.icc
    assert after.pages == 1
    with Image.open(plain) as one, Image.open(target) as two:
        assert np.array_equal(np.asarray(one.convert("RGB")), np.asarray(two.convert("RGB")))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted({"in.jpg", plain.name, target.name})


@pytest.mark.parametrize("suffix", [".mp4", ".m4v", ".mov"])
def test_a_film_is_signed_and_keeps_frames_sound_and_tags(tmp_path: Path, signer: Signer, suffix: str) -> None:
    source = make_video(
        tmp_path / "in.mkv", frames=grey_frames(5), audio=1, tags={"comment": "1921"}, chapters=[(0, 100, "one")]
    )
    plain, target = tmp_path / f"plain{suffix}", tmp_path / f"out{suffix}"
    assert film_of(source, plain, None) == film_of(source, target, signer)
    state, manifest = said(target)
    assert state == "Valid"
    check_manifest(manifest, "in.mkv")
    with av.open(str(plain)) as before, av.open(str(target)) as after:
        assert before.metadata == after.metadata
        assert before.chapters() == after.chapters()
        packets = [
            [(p.stream_index, p.pts, p.dts, bytes(p)) for p in film.demux() if p.size] for film in (before, after)
        ]
        assert packets[0] == packets[1]
        assert {index for index, *_ in packets[0]} >= {0, 1}
    assert not list(tmp_path.glob(".*"))


def _changed(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".mp4", ".mov"])
def test_tampering_is_found(tmp_path: Path, signer: Signer, suffix: str) -> None:
    target = tmp_path / f"out{suffix}"
    if suffix in (".mp4", ".mov"):
        film_of(make_video(tmp_path / "in.mkv", frames=grey_frames(5)), target, signer)
    else:
        photo_of(save(tmp_path / "in.png", grey_picture()), target, signer)
    whole = target.read_bytes()
    marks = {".jpg": b"\xff\xda", ".png": b"IDAT", ".tif": b"II*\0", ".mp4": b"mdat", ".mov": b"mdat"}
    target.write_bytes(_changed(whole, whole.rindex(marks[suffix]) + 60))
    assert said(target)[0] == "Invalid"
    target.write_bytes(whole)
    assert said(target)[0] == "Valid"


def test_what_the_manifest_says_cannot_be_changed(tmp_path: Path, signer: Signer) -> None:
    target = tmp_path / "out.jpg"
    photo_of(save(tmp_path / "in.png", grey_picture()), target, signer)
    whole = target.read_bytes()
    assert b"c2pa.edited" in whole
    target.write_bytes(whole.replace(b"c2pa.edited", b"c2pa.drawing"[:11]))
    assert said(target)[0] == "Invalid"


def test_credentials_of_the_source_are_kept_as_its_own(tmp_path: Path, signer: Signer) -> None:
    photo_of(save(tmp_path / "in.png", grey_picture()), tmp_path / "once.jpg", signer)
    photo_of(tmp_path / "once.jpg", tmp_path / "twice.jpg", signer)
    with (tmp_path / "twice.jpg").open("rb") as file, c2pa.Reader("image/jpeg", file) as reader:
        store = json.loads(reader.json())
    assert len(store["manifests"]) == 2
    active = store["manifests"][store["active_manifest"]]
    assert active["ingredients"][0]["active_manifest"] in store["manifests"]


def test_credentials_that_cannot_be_read_are_left_out_and_named(tmp_path: Path, signer: Signer) -> None:
    source = tmp_path / "once.jpg"
    photo_of(save(tmp_path / "in.png", grey_picture()), source, signer)
    source.write_bytes(source.read_bytes().replace(b"jumd", b"jumx"))
    (warning,) = photo_of(source, tmp_path / "out.jpg", signer)
    assert warning.startswith("the source's own content credentials cannot be carried over: ")
    state, manifest = said(tmp_path / "out.jpg")
    assert state == "Valid"
    check_manifest(manifest, "once.jpg")


def test_a_manifest_that_lies_elsewhere_is_not_fetched(
    tmp_path: Path, credentials: Credentials, signer: Signer
) -> None:
    asked: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with contextlib.suppress(OSError):
                asked.append(server.accept())

        threading.Thread(target=answer, daemon=True).start()
        source = save(tmp_path / "in.jpg", grey_picture())
        keys = (credentials.certificate.read_bytes(), credentials.key.read_bytes())
        by = c2pa.Signer.from_info(c2pa.C2paSignerInfo(b"es256", *keys, None))
        actions = [{"action": "c2pa.created", "digitalSourceType": DIGITAL_SOURCE_TYPE}]
        claim = {"assertions": [{"label": "c2pa.actions.v2", "data": {"actions": actions}}]}
        builder = c2pa.Builder.from_json(json.dumps(claim | {"claim_generator_info": [{"name": "elsewhere"}]}))
        builder.set_no_embed()
        builder.set_remote_url(f"http://127.0.0.1:{server.getsockname()[1]}/a.c2pa")
        with source.open("rb") as unsigned, (tmp_path / "remote.jpg").open("w+b") as file:
            builder.sign(by, "image/jpeg", unsigned, file)
        assert b"http://127.0.0.1" in (tmp_path / "remote.jpg").read_bytes()
        photo_of(tmp_path / "remote.jpg", tmp_path / "out.jpg", signer)
        assert said(tmp_path / "out.jpg")[0] == "Valid"
        assert asked == []


def test_a_source_that_is_not_to_be_named_leaves_nothing_of_it(tmp_path: Path, signer: Signer) -> None:
    photo_of(save(tmp_path / "aunt Grete.png", grey_picture()), tmp_path / "aunt Grete.jpg", signer)
    photo = read_photo(tmp_path / "aunt Grete.jpg", max_pixels=LIMIT).stripped()
    by = made_record(source="")
    target = tmp_path / "aunt Grete.color.jpg"
    write_photo(photo, brown(photo), target, quality=95, provenance=by, signer=signer)
    assert said(target)[0] == "Valid"
    assert b"Grete" not in target.read_bytes()


def test_nothing_of_the_key_comes_out(tmp_path: Path, credentials: Credentials, signer: Signer) -> None:
    photo_of(save(tmp_path / "in.png", grey_picture()), tmp_path / "out.jpg", signer)
    secret = credentials.key.read_text().splitlines()[1]
    options = ColorizeOptions(sign_cert=str(credentials.certificate), sign_key=str(credentials.key))
    assert str(credentials.key) not in repr(options)
    assert secret not in repr(signer)
    assert secret.encode() not in (tmp_path / "out.jpg").read_bytes()


@pytest.mark.parametrize("kind", ["P-384", "P-521", "RSA", "Ed25519"])
def test_every_kind_of_key_that_c2pa_knows(tmp_path: Path, kind: str) -> None:
    made = make_credentials(tmp_path / "c", kind=kind)
    signer = load_signer(str(made.certificate), str(made.key))
    photo_of(save(tmp_path / "in.png", grey_picture()), tmp_path / "out.jpg", signer)
    assert said(tmp_path / "out.jpg")[0] == "Valid"


def test_a_passphrase_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make_credentials(tmp_path / "c", passphrase=b"geheim")
    paths = str(made.certificate), str(made.key)
    with pytest.raises(BadOption, match=f"it is encrypted .*{PASSPHRASE}"):
        load_signer(*paths)
    monkeypatch.setenv(PASSPHRASE, "falsch")
    with pytest.raises(BadOption, match="the passphrase is another") as caught:
        load_signer(*paths)
    assert "falsch" not in str(caught.value)
    monkeypatch.setenv(PASSPHRASE, "geheim")
    photo_of(save(tmp_path / "in.png", grey_picture()), tmp_path / "out.jpg", load_signer(*paths))
    assert said(tmp_path / "out.jpg")[0] == "Valid"


def _spoilt(folder: Path, fault: str) -> Credentials:
    made = make_credentials(
        folder,
        kind="K-256" if fault == "curve" else "P-256",
        expired=fault == "expired",
        for_signing=fault != "use",
    )
    if fault == "missing":
        made.certificate.unlink()
    if fault == "no certificate":
        made.certificate.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")
    if fault == "no key":
        shutil.copy(made.certificate, made.key)
    if fault == "large":
        with made.key.open("wb") as file:
            file.truncate(2**21)
    if fault == "another key":
        shutil.copy(make_credentials(folder / "other").key, made.key)
    return made


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("missing", "cannot sign with this certificate: .*chain.pem: No such file"),
        ("no certificate", r"cannot sign with this certificate: .*no certificate in PEM \(give the signer's first\)"),
        ("expired", "cannot sign with this certificate: .*not valid at time of signing"),
        ("use", r"cannot sign with this certificate: .*invalid \(C2PA wants a valid one for digital signatures"),
        ("no key", "cannot sign with this key: .*key.pem: it holds no private key in PEM"),
        ("large", "cannot sign with this key: .*larger than 1 MB"),
        ("another key", "cannot sign with this key: .*belongs to another certificate"),
        ("curve", r"cannot sign with this key: .*does not sign with this kind of key \(use one of P-256"),
    ],
)
def test_what_is_wrong_with_certificate_or_key_is_told_before_any_work(
    tmp_path: Path, fault: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = _spoilt(tmp_path / "c", fault)
    with pytest.raises(BadOption, match=told):
        load_signer(str(made.certificate), str(made.key))
    source = save(tmp_path / "in.png", grey_picture())
    assert run([str(source), "-o", str(tmp_path / "out.png"), *made.options, *SMALL]) == 2
    assert "cannot sign with this" in capsys.readouterr().err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("lacking", ["c2pa", "cryptography.x509"])
def test_without_the_extra_it_says_how_to_install_it(
    credentials: Credentials, lacking: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, lacking, None)
    load_signer.cache_clear()
    with pytest.raises(LibraryMissing, match=r"signing is not installed: .*pip install c2pa-python cryptography"):
        load_signer(str(credentials.certificate), str(credentials.key))


def test_only_one_of_them_or_a_silent_signature_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(BadOption, match=r"only sign_cert is given .give both --sign-cert and --sign-key"):
        ColorizeOptions(sign_cert="a.pem")
    with pytest.raises(BadOption, match="only sign_key is given"):
        ColorizeOptions(sign_key="a.pem")
    with pytest.raises(BadOption, match=r"provenance is off .leave out --no-provenance, or do not sign"):
        ColorizeOptions(sign_cert="a.pem", sign_key="b.pem", provenance=False)
    assert run(["x.png", "--sign-cert", "a.pem"]) == 2
    assert "give both" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["out.mkv", "out.webm", "out.bmp", "out.jp2", "out.ppm"])
def test_formats_without_a_place_are_refused_before_any_work(
    tmp_path: Path, credentials: Credentials, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        OutputUnwritable, match=r"cannot be signed: .*no place for a signature in \.\w+ .name the output .jpg"
    ):
        signer_for(tmp_path / name, str(credentials.certificate), str(credentials.key))
    film = name.endswith((".mkv", ".webm"))
    source = make_video(tmp_path / "in.mp4") if film else save(tmp_path / "in.png", grey_picture())
    words = [str(source), "-o", str(tmp_path / name), *credentials.options, *SMALL]
    assert run([*words, "--dry-run"]) == 0
    assert "no place for a signature" in capsys.readouterr().out
    assert run(words) == 1
    assert "no place for a signature" in capsys.readouterr().err
    assert not (tmp_path / name).exists()


def test_several_pages_are_refused(
    tmp_path: Path, credentials: Credentials, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = [Image.fromarray(grey_picture()) for _ in range(2)]
    pages[0].save(tmp_path / "in.tif", save_all=True, append_images=pages[1:])
    words = [str(tmp_path / "in.tif"), "-o", str(tmp_path / "out.tif"), *credentials.options, *SMALL]
    assert run(words) == 1
    assert "several pages" in capsys.readouterr().err
    assert not (tmp_path / "out.tif").exists()


def test_a_folder_is_signed_and_the_same_command_again_changes_nothing(
    tmp_path: Path, credentials: Credentials, fresh_regression: Path
) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    save(folder / "anna.jpg", grey_picture())
    make_video(folder / "street.mp4", frames=grey_frames(3))
    words = [str(folder), "-o", str(out), "--model", str(fresh_regression), *SMALL]
    assert run([*words, *credentials.options]) == 0
    made = [out / "anna.jpg", out / "street.mp4"]
    assert [said(path)[0] for path in made] == ["Valid", "Valid"]
    times = [os.stat(path).st_mtime_ns for path in made]
    before = [path.read_bytes() for path in made]
    assert run([*words, *credentials.options]) == 0
    assert [path.read_bytes() for path in made] == before
    assert [os.stat(path).st_mtime_ns for path in made] == times
    assert run(words) == 0, "without a signature they are made anew"
    with pytest.raises(c2pa.C2paError, match="ManifestNotFound"), made[0].open("rb") as file:
        c2pa.Reader("image/jpeg", BytesIO(file.read()))
