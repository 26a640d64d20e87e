"""``colorize-media immich`` against a strict stand-in for the server, and that stand-in against Immich's own clients.

No real server was asked yet. The official ``@immich/sdk`` of both versions and ``@immich/cli`` of the later one are
used where ``scripts/install-hosts immich`` has put them; else those tests say loudly that they did not run.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from PIL import Image
from skimage import data

from colorize_media.cli.main import run
from colorize_media.errors import BadOption, ServerProblem, ServerRefused
from colorize_media.immich.api import ImmichServer
from colorize_media.immich.job import KEY as KEY_NAME
from colorize_media.immich.plan import file_name
from colorize_media.immich.state import State
from tests.immich.immich_stub import KEY, Library, serve
from tests.told import outcomes

TREE = {"description": "Aunt Anna", "rating": 4, "latitude": 52.5, "longitude": 13.4, "dateTimeOriginal": None}


def picture(color: bool = False, turn: int = 0, suffix: str = "JPEG") -> bytes:
    image = Image.fromarray(data.coffee()).resize((120, 80))
    out = io.BytesIO()
    (image if color else image.convert("L")).rotate(turn).save(out, suffix)
    return out.getvalue()


@pytest.fixture
def library() -> Library:
    """Two grey pictures in an album, one in colour, one in the waste, a broken one."""
    found = Library()
    found.add("anna.jpg", picture(), isFavorite=True, exifInfo=TREE)
    found.add('sub/"odd" ä.png', picture(turn=90, suffix="PNG"))
    found.add("colour.jpg", picture(color=True))
    found.add("waste.jpg", picture(turn=180), isTrashed=True)
    found.add("broken.jpg", b"\xff\xd8\xff broken")
    names = list(found.assets)
    found.albums["album-1"] = ("Family", [names[0], names[1], names[2]])
    found.albums["album-2"] = ("Anna", [names[0]])
    found.tags["tag-1"] = ("trips/1954", [names[1]])
    return found


@pytest.fixture
def url(library: Library) -> Iterator[str]:
    server = serve(library)
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture(autouse=True)
def _key_and_no_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_NAME, KEY)
    monkeypatch.setattr("colorize_media.immich.api.FIRST_PAUSE", 0.001)


def do(url: str, weights: Path, state: Path, *arguments: str) -> int:
    job = [
        "--url",
        url,
        "--state",
        str(state),
        "--json",
        "--model",
        str(weights),
        "--device",
        "cpu",
        "--working-size",
        "64",
    ]
    return run(["immich", *job, *arguments])


@pytest.mark.parametrize("major", [2, 3])
def test_an_album_in_colour(
    library: Library, url: str, tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str], major: int
) -> None:
    library.major = major
    before = dict(library.files)
    assert do(url, fresh_weights, tmp_path / "state", "--album", "Family") == 0
    told = capsys.readouterr()
    assert outcomes(told.out) == {"anna.jpg": "done", '"odd" ä.png': "done", "colour.jpg": "skipped"}
    assert KEY not in told.out + told.err + (tmp_path / "state").read_text()
    anna, odd, colour, *_ = before
    made, second = [name for name in library.assets if name not in before]
    assert library.assets[made]["originalFileName"] == "anna_colorized.jpg"
    assert library.assets[made]["fileCreatedAt"] == library.assets[anna]["fileCreatedAt"]
    assert library.albums["album-1"][1] == [anna, odd, colour, made, second]
    assert library.albums["album-2"][1] == [anna, made]
    assert library.stacks == [[anna, made], [odd, second]]
    (tag,) = [members for value, members in library.tags.values() if value == "colorized"]
    assert tag == [made, second]
    given = {name: value for name, value in TREE.items() if value is not None}
    assert library.assets[made]["updated"] == {**given, "isFavorite": True}
    assert "updated" not in library.assets[second]
    assert before.items() <= library.files.items()  # originals stay as they were
    with Image.open(io.BytesIO(library.files[made])) as result:
        assert result.mode == "RGB"
    # Again: nothing is done twice, and nothing of ours is taken for an original.
    assert do(url, fresh_weights, tmp_path / "state", "--album", "Family") == 0
    assert set(outcomes(capsys.readouterr().out).values()) == {"skipped"}
    assert len(library.assets) == len(before) + 2


def test_all_that_is_black_and_white(
    library: Library, url: str, tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert do(url, fresh_weights, tmp_path / "state", "--all-monochrome", "-n") == 0
    told = capsys.readouterr().out
    assert (told.count("it would be coloured"), told.count("its preview says nothing")) == (2, 1)
    assert (len(library.assets), len(library.tags), (tmp_path / "state").exists()) == (5, 1, False)
    assert do(url, fresh_weights, tmp_path / "state", "--all-monochrome") == 1  # one is broken
    found = outcomes(capsys.readouterr().out)
    assert found.pop("broken.jpg") == "failed"
    assert sorted(found) == ['"odd" ä.png', "anna.jpg", "colour.jpg"]  # not what is in the waste
    library.asked.clear()
    assert do(url, fresh_weights, tmp_path / "state", "--all-monochrome") == 4
    assert "earlier run" in capsys.readouterr().out
    assert not [path for _, path in library.asked if path.endswith("/original")]


def test_a_run_that_was_stopped_between_upload_and_stack_goes_on(
    library: Library, url: str, tmp_path: Path, fresh_weights: Path
) -> None:
    library.faults.append(lambda method, path: 401 if path == "/api/stacks" else None)
    assert do(url, fresh_weights, tmp_path / "state", "--tag", "trips/1954") == 3
    assert (len(library.forms), library.stacks) == (1, [])
    library.faults.clear()
    library.asked.clear()
    with (tmp_path / "state").open("a") as file:
        file.write('{"asset": "torn')
    assert do(url, fresh_weights, tmp_path / "state", "--tag", "trips/1954") == 0
    assert len(library.stacks) == len(library.forms) == 1
    assert not [path for _, path in library.asked if path.endswith(("/original", "/thumbnail"))]
    assert State(tmp_path / "state").entries[library.stacks[0][0]].status == "done"


def test_the_network_may_fail_now_and_then(
    library: Library, url: str, tmp_path: Path, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every kind of request fails once: half an answer, or a server that is busy."""
    seen: set[str] = set()

    def fault(method: str, path: str) -> int | None:
        kind = f"{method} {path.split('/')[2]} {path.rpartition('/')[2]}"
        if kind in seen:
            return None
        seen.add(kind)
        return 0 if len(seen) % 2 else 503

    library.faults.append(fault)
    assert do(url, fresh_weights, tmp_path / "state", "--tag", "trips/1954") == 0
    assert "done" in outcomes(capsys.readouterr().out).values()
    assert len(library.stacks) == 1
    assert len([name for name in library.assets.values() if "colorized" in name["originalFileName"]]) == 1
    assert len(seen) > 8


def ask(url: str) -> ImmichServer:
    return ImmichServer(url, KEY, sleep=lambda seconds: None)


def test_what_the_server_does_not_know_or_allow(library: Library, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    server = ask(url)
    with pytest.raises(BadOption, match="Family"):
        server.album_ids(["Famly"])
    with pytest.raises(ServerRefused, match="400"):
        server.stack(["nobody", "nothing"])
    with ImmichServer(url, "wrong") as stranger, pytest.raises(ServerProblem, match="401"):
        stranger.album_ids(["Family"])
    library.major = 4
    with pytest.raises(ServerProblem, match=r"is 4\.1\.2"):
        server.ask_version()
    library.faults.append(lambda method, path: 302)
    library.redirect = "http://elsewhere.example.org/"
    with pytest.raises(ServerProblem, match="elsewhere"):
        server.album_ids(["Family"])
    library.faults[:] = [lambda method, path: 503]
    library.asked.clear()
    with pytest.raises(ServerProblem, match="503"):
        server.album_ids(["Family"])
    assert len(library.asked) == 5
    server.close()
    with ask("http://127.0.0.1:9") as nobody, pytest.raises(ServerProblem, match=r"127\.0\.0\.1:9"):
        nobody.ask_version()
    for bad in ("photos.example.org", "ftp://a", "https://", "https://me:secret@host"):
        with pytest.raises(BadOption):
            ImmichServer(bad, KEY)


def test_pauses_grow(library: Library, url: str) -> None:
    pauses: list[float] = []
    library.faults.append(lambda method, path: 503)
    with ImmichServer(url, KEY, sleep=pauses.append) as server, pytest.raises(ServerProblem):
        server.ask_version()
    assert pauses == [0.001, 0.002, 0.004, 0.008]


def test_usage(url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["immich", "--url", url]) == 2
    assert run(["immich", "--url", url, "--all-monochrome", "--album", "Family"]) == 2
    assert "--all-monochrome" in capsys.readouterr().err
    monkeypatch.delenv(KEY_NAME)
    assert run(["immich", "--url", url, "--all-monochrome"]) == 3
    assert KEY_NAME in capsys.readouterr().err
    assert run(["immich", "--url", url, "--all-monochrome", "--key", "x"]) == 2  # a key in argv is seen by everybody


@pytest.mark.parametrize(
    ("name", "expected"),
    [("../../etc/x.jpg", "x.jpg"), ("a\\b\\c.png", "c.png"), ("", "picture"), ("ä" * 300 + ".jpg", "ä" * 90 + ".jpg")],
)
def test_names_from_the_server_are_only_names(name: str, expected: str) -> None:
    assert file_name(name) == expected


# --- Immich's own clients


WANTED = Path(__file__).parent


@pytest.fixture
def node_modules() -> Path:
    """Of the versions that are pinned in tests/immich, whatever else may lie there."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "colorize-media-tests" / "immich"
    locks = [folder / "package-lock.json" for folder in (WANTED, cache)]
    if shutil.which("node") is None or not locks[1].is_file() or locks[0].read_bytes() != locks[1].read_bytes():
        pytest.skip(
            "Immich's own clients are not installed: the stand-in was NOT checked: scripts/install-hosts immich"
        )
    return cache / "node_modules"


SDK = """
const { File } = await import("node:buffer");
const sdk = await import(process.argv[2]);
const [base, key, file, major] = process.argv.slice(3);
sdk.init({ baseUrl: base + "/api", apiKey: key });
const { readFileSync } = await import("node:fs");
const out = {};
out.version = await sdk.getServerVersion();
const metadataSearchDto = { type: "IMAGE", size: 250, page: 1, withExif: true, withStacked: true, albumIds: ["album-1"] };
out.search = await sdk.searchAssets({ metadataSearchDto });
const first = out.search.assets.items[0];
out.preview = (await sdk.viewAsset({ id: first.id, size: "preview" })).size;
out.original = (await sdk.downloadAsset({ id: first.id })).size;
out.albums = await sdk.getAllAlbums({ assetId: first.id });
const assetMediaCreateDto = { assetData: new File([readFileSync(file)], "new.jpg"), filename: "new.jpg",
  fileCreatedAt: first.fileCreatedAt, fileModifiedAt: first.fileModifiedAt };
if (major < 3) Object.assign(assetMediaCreateDto, { deviceAssetId: "new.jpg-1", deviceId: "a test" });
out.made = await sdk.uploadAsset({ assetMediaCreateDto });
out.again = await sdk.uploadAsset({ assetMediaCreateDto });
out.member = await sdk.addAssetsToAlbum({ id: "album-1", bulkIdsDto: { ids: [out.made.id] } });
out.stack = await sdk.createStack({ stackCreateDto: { assetIds: [first.id, out.made.id] } });
out.tags = await sdk.upsertTags({ tagUpsertDto: { tags: ["colorized"] } });
out.all = await sdk.getAllTags();
out.tagged = await sdk.tagAssets({ id: out.tags[0].id, bulkIdsDto: { ids: [out.made.id] } });
await sdk.updateAsset({ id: out.made.id, updateAssetDto: { description: "d", rating: 3, latitude: 1.5, longitude: 2,
  isFavorite: true } });
console.log(JSON.stringify(out));
"""


@pytest.mark.parametrize(("major", "package"), [(2, "immich-sdk-2"), (3, "@immich/sdk")])
def test_the_stand_in_understands_the_official_library(
    library: Library, url: str, node_modules: Path, tmp_path: Path, major: int, package: str
) -> None:
    """Every request that we make, made by Immich's own client library: the same paths, fields and answers."""
    library.major = major
    (tmp_path / "new.jpg").write_bytes(picture(turn=45))
    (tmp_path / "sdk.mjs").write_text(SDK)
    entry = node_modules / package / "build" / "index.js"
    command = ["node", "sdk.mjs", entry.as_uri(), url, KEY, "new.jpg", str(major)]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr
    found = json.loads(result.stdout)
    theirs = set(library.asked)
    assert (found["made"]["status"], found["again"]["status"]) == ("created", "duplicate")
    assert found["original"] == len(picture())
    assert found["member"][0]["success"]
    # The same by our own client: no request of another form.
    library.asked.clear()
    server = ask(url)
    server.ask_version()
    asset = next(server.search(albums=server.album_ids(["Family"])))
    server.preview(asset)
    server.download(asset, tmp_path / "original.jpg")
    assert (tmp_path / "original.jpg").read_bytes() == picture()
    assert server.upload(tmp_path / "new.jpg", asset) == found["made"]["id"]
    assert server.albums_of(asset) == [album["id"] for album in found["albums"]]
    assert server.add_to_album("album-1", found["made"]["id"]) == ""
    server.stack([asset.id, found["made"]["id"]])
    assert server.make_tag("colorized") == server.find_tag("colorized") == found["tags"][0]["id"]
    server.tag(found["tags"][0]["id"], found["made"]["id"])
    server.update(found["made"]["id"], {"description": "d"})
    server.close()
    assert set(library.asked) == theirs


def test_the_stand_in_understands_the_official_command_line(
    library: Library, url: str, node_modules: Path, tmp_path: Path
) -> None:
    program = node_modules / "@immich" / "cli" / "dist" / "index.js"
    (tmp_path / "new.jpg").write_bytes(picture(turn=45))
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    # The program asks for Node 22, of which it needs one function; and Debian's Node 18 keeps File in a module.
    shim = """import { File } from "node:buffer"; globalThis.File ??= File;
Object.getPrototypeOf(Object.getPrototypeOf([].values())).toArray = function () { return [...this]; }"""
    older = ["--import", f"data:text/javascript,{quote(shim)}"] if int(version.lstrip("v").split(".")[0]) < 22 else []
    environment = {
        **os.environ,
        "IMMICH_INSTANCE_URL": f"{url}/api",
        "IMMICH_API_KEY": KEY,
        "IMMICH_CONFIG_DIR": str(tmp_path),
    }
    result = subprocess.run(
        ["node", *older, program, "upload", "new.jpg"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert len(library.forms) == 1, result.stdout + result.stderr
    assert library.asked[-1] == ("POST", "/api/assets")
