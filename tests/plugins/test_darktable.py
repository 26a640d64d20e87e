"""The plugin for darktable in the real darktable: without a window by Lua, and with one by the keys of its export button.

A scenario runs inside the event of an export that darktable-cli does, because there its Lua is waited for.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pytest
from PIL import Image
from skimage import data
from skimage.io import imread

import colorize_media
from colorize_media.cli.main import run
from tests.made.pictures import save_grey
from tests.plugins.screen import unseen_screen

PLUGIN = Path(colorize_media.__file__).parent / "plugins" / "darktable" / "colorize.lua"
LIMIT = 280  # seconds
START = 60  # seconds; a darktable with a window tells of itself after 5 on a quiet machine, within 30 on a busy one
STARTS = 4  # on a busy machine one of five hung

if shutil.which("darktable-cli") is None:
    pytest.skip("darktable is not installed: scripts/install-hosts darktable", allow_module_level=True)

SCENARIO = """
local dt = require "darktable"
local out = io.open({told}, "wb")
local function tell(...)
  local words = {{...}}
  for number = 1, select("#", ...) do words[number] = tostring(words[number]) end
  out:write(table.concat(words, "\\t"), "\\n")
  out:flush()
end
local function import(name) return dt.database.import({folder} .. "/" .. name) end
local function progress(cancel_at)
  local steps, cancelled, stop = 0, false, nil
  local self = {{}}
  function self.cancelled() return cancelled end
  function self.on_cancel(action) stop = action end
  function self.finish() end
  function self.step()
    steps = steps + 1
    if steps == cancel_at then cancelled = true if stop then stop() end end
  end
  return self
end
local plugin = dofile({plugin})
dt.preferences.write("colorize", "command", "file", {command})
local begun = false
dt.register_event("scenario", "intermediate-export-image", function()
  if begun then return end
  begun = true
  local good, problem = xpcall(function() {body} end, debug.traceback)
  tell(good and "END" or "ERROR", problem)
  out:close()
end)
"""

Rows: TypeAlias = list[list[str]]


@pytest.fixture
def library(tmp_path: Path) -> Path:
    """A folder of pictures whose name needs care."""
    folder = tmp_path / "Großmutter's pictures"
    folder.mkdir()
    return folder


@pytest.fixture
def noting(tmp_path: Path) -> Path:
    """The real colorizer, which notes each of its starts."""
    path = tmp_path / "bin of 'mine'" / "colorize-media"
    path.parent.mkdir()
    path.write_text(f'#!/bin/sh\necho start >> "{tmp_path}/starts"\nexec "{sys.executable}" -m colorize_media "$@"\n')
    path.chmod(0o755)
    return path


def lua(text: object) -> str:
    return '"' + str(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


@pytest.fixture
def darktable(tmp_path: Path, library: Path, noting: Path, fresh_weights: Path) -> Callable[..., Rows]:
    """Runs Lua in a darktable without a window; returns what it told."""

    def play(body: str, command: Path | str = noting, **environment: str) -> Rows:
        told, start = tmp_path / "told", save_grey(tmp_path / "start.png")
        words = {"told": told, "folder": library, "plugin": PLUGIN, "command": command}
        scenario = tmp_path / "scenario.lua"
        scenario.write_text(SCENARIO.format(body=body, **{name: lua(word) for name, word in words.items()}))
        places = {"configdir": tmp_path / "config", "cachedir": tmp_path / "cache", "library": tmp_path / "library.db"}
        result = subprocess.run(
            ["darktable-cli", str(start), str(tmp_path / "start.jpg"), "--core",
             *[word for name, place in places.items() for word in (f"--{name}", str(place))],
             "--disable-opencl", "--conf", "write_sidecar_files=TRUE", "--luacmd", f"dofile({lua(scenario)})"],
            capture_output=True, text=True, timeout=LIMIT, env=_environment(tmp_path, fresh_weights) | environment,
        )  # fmt: skip
        (tmp_path / "start.jpg").unlink(missing_ok=True)
        assert told.is_file(), result.stdout + result.stderr
        rows = [line.split("\t") for line in told.read_text(errors="surrogateescape").splitlines()]
        assert rows.pop()[0] == "END", told.read_text() + result.stdout + result.stderr
        assert list((tmp_path / "cache").glob("colorize*")) == []  # no temporary folder
        return rows

    return play


def _environment(home: Path, weights: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", "COLORIZE_MEDIA_"))}
    settings = {"MODEL": str(weights), "DEVICE": "cpu", "FAST": "1", "THREADS": "1"}
    # The threads of OpenMP wait by spinning: beside other work on the same cores that is most of what they do, and a darktable
    # with a window, 12 seconds on a quiet machine, came near the limit. Looked at in the middle, four of them spun.
    kept |= {"HOME": str(home), "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    return kept | {f"COLORIZE_MEDIA_{name}": value for name, value in settings.items()}


def images(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".xmp")


def test_thirty_pictures_in_one_start_of_the_network(
    library: Path, darktable: Callable[..., Rows], tmp_path: Path
) -> None:
    """All kinds of names; each result is beside its original, imported, tagged and grouped."""
    names = ["two words.png", "it's.png", 'a "quote".png', "Bäume ☂ 木.png", "$(touch hurt) `id`.png", "a%20b & c;.jpg"]
    names += [f"old {number}.png" for number in range(24)]
    digests = {}
    for number, name in enumerate(names):
        digests[name] = hashlib.sha256(save_grey(library / name, number).read_bytes()).digest()
    rows = darktable(
        f"""
        local images = {{}}
        for _, name in ipairs({{ {", ".join(map(lua, names))} }}) do table.insert(images, import(name)) end
        local run = plugin.colorize_images(images)
        tell(run.done, run.skipped, run.failed, run.message)
        for number, result in ipairs(run.results) do
          local tags = {{}}
          for _, tag in ipairs(dt.tags.get_tags(result)) do tags[tag.name] = true end
          tell(images[number].filename, result.filename, result.group_leader == images[number], tags.colorized,
               #images[number]:get_group_members())
        end
        """
    )
    assert rows[0] == ["30", "0", "0", "colorize: 30 coloured, 0 skipped, 0 failed"]
    assert rows[1:] == [
        [name, f"{name.rpartition('.')[0]}_colorized.jpg", "true", "true", "2"] for name in names
    ]  # in their order
    assert (tmp_path / "starts").read_text() == "start\n"
    assert images(library) == sorted([*names, *(row[1] for row in rows[1:])])
    for name in names:
        assert hashlib.sha256((library / name).read_bytes()).digest() == digests[name]
        with Image.open(library / f"{name.rpartition('.')[0]}_colorized.jpg") as image:
            assert image.size == (96, 64)
            assert np.ptp(np.asarray(image).astype(int), axis=2).max() > 8


def test_answers_are_read_as_python_writes_them(darktable: Callable[..., Rows], tmp_path: Path) -> None:
    """Escapes, surrogate pairs, bytes that are no UTF-8, and what is no answer at all."""
    answer = {
        "id": 3,
        "out": 'a\\b "c" ä 木 😀 \udce9 \x7f/',
        "n": [1.5, True, None, {"x": []}],
        "t": "tab\tend",
        "z": None,
    }
    (tmp_path / "answers").write_text(json.dumps(answer) + '\n{"a": \n[1\nnonsense\n\n')
    body = """
        local lines = {}
        for line in io.lines(FILE) do table.insert(lines, line) end
        local found = plugin.json_decode(lines[1])
        tell(found.id, found.n[1], found.n[2], type(found.n[#found.n].x), found.z)
        tell((found.t:gsub("\\t", "|")))
        tell(found.out)
        for number = 2, #lines do tell(plugin.json_decode(lines[number])) end
    """.replace("FILE", lua(tmp_path / "answers"))
    numbers, tab, (out,), *bad = darktable(body)
    assert numbers == ["3", "1.5", "true", "table", "nil"]
    assert tab == ["tab|end"]
    assert out == answer["out"]
    assert bad == [["nil"]] * 4


def test_what_the_user_gave_the_original_goes_to_the_result(library: Path, darktable: Callable[..., Rows]) -> None:
    save_grey(library / "old.png")
    body = """
        local original = import("old.png")
        original.rating, original.red, original.purple, original.title = 4, true, true, "Oma"
        original.latitude, original.longitude = 47.5, 8.25
        dt.tags.attach(dt.tags.create("people|grandma"), original)
        dt.preferences.write("colorize", "suffix", "string", "/in colour")
        dt.preferences.write("colorize", "tag", "string", "made|coloured")
        for turn = 1, 2 do
          local result = plugin.colorize_images({ original }).results[1]
          local tags = {}
          for _, tag in ipairs(dt.tags.get_tags(result)) do
            if not tag.name:match("^darktable|") then table.insert(tags, tag.name) end
          end
          table.sort(tags)
          tell(result.filename, result.rating, result.red, result.green, result.purple, result.title, result.latitude,
               result.longitude, table.concat(tags, ","), result.group_leader == original)
        end
        tell(original.group_leader == original, #original:get_group_members())
    """
    first, again, group = darktable(body)
    assert first[0] == "old_in colour.jpg"
    assert first[1:8] == ["4", "true", "false", "true", "Oma", "47.5", "8.25"]
    assert set(first[8].split(",")) >= {"made|coloured", "people|grandma"}
    assert first[9] == "true"
    assert again[0] == "old_in colour_01.jpg"  # nothing is replaced
    assert group == ["true", "3"]


def test_vividness_and_format_are_what_the_preferences_say(library: Path, darktable: Callable[..., Rows]) -> None:
    save_grey(library / "old.png")
    body = """
        local original = import("old.png")
        for _, wish in ipairs({ { "png", 0.2 }, { "tiff", 2.0 } }) do
          dt.preferences.write("colorize", "format", "string", wish[1])  -- "enum" only if registered
          dt.preferences.write("colorize", "vividness", "float", wish[2])
          tell(plugin.colorize_images({ original }).results[1].filename)
        end
    """
    (pale,), (vivid,) = darktable(body)
    assert (Path(pale).suffix, Path(vivid).suffix) in {(".png", ".tif"), (".png", ".tiff")}
    pixels = {name: imread(library / name).astype(int) for name in (pale, vivid)}
    assert pixels[vivid].shape == pixels[pale].shape == (64, 96, 3)
    chroma = {name: np.ptp(image, axis=2).mean() for name, image in pixels.items()}
    assert 0 < 2 * chroma[pale] < chroma[vivid]


def test_skipped_and_failed_pictures_are_told_in_one_message_and_not_imported(
    library: Path, darktable: Callable[..., Rows]
) -> None:
    save_grey(library / "old.png")
    save_grey(library / "large.png", size=(600, 400))
    Image.fromarray(data.astronaut()).resize((96, 96)).save(library / "now.png")
    save_grey(library / "gone.png")
    body = """
        local chosen = { import("old.png"), import("large.png"), import("now.png"), import("gone.png") }
        os.remove(chosen[4].path .. "/gone.png")
        local before = #dt.database
        local run = plugin.colorize_images(chosen)
        tell(run.done, run.skipped, run.failed, #dt.database - before)
        tell((run.message:gsub("\\n", "|")))
    """
    counts, (message,) = darktable(body, COLORIZE_MEDIA_MAX_PIXELS="100000")
    assert counts == ["1", "1", "2", "1"]
    told = message.split("|")
    assert told[0] == "colorize: 1 coloured, 1 skipped, 2 failed"
    assert any(line.startswith("now.png: already in colour") for line in told)
    assert any(line.startswith("large.png: the picture is too large") for line in told), told
    assert "gone.png: darktable could not export it" in told
    assert images(library) == ["large.png", "now.png", "old.png", "old_colorized.jpg"]


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("/nowhere/colorize-media", "/nowhere/colorize-media is not there"),
        ("no-such-program-anywhere", "not found"),
        ("{folder}/silent", "the colorizer ended"),
        ("{folder}/broken", "ModuleNotFoundError"),
    ],
)
def test_a_colorizer_that_is_missing_or_broken_is_told_and_nothing_is_imported(
    library: Path, darktable: Callable[..., Rows], tmp_path: Path, command: str, reason: str
) -> None:
    save_grey(library / "old.png")
    for name, text in (("silent", "exit 0"), ("broken", f"exec {sys.executable} -c 'import nothing_of_the_kind'")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    body = """
        local image = import("old.png")
        local before = #dt.database
        local run = plugin.colorize_images({ image })
        tell(run.done, run.failed, #dt.database - before, (run.message:gsub("\\n", "|")))
    """
    ((done, failed, more, message),) = darktable(body, command.replace("{folder}", str(tmp_path)))
    assert (done, failed, more) == ("0", "1", "0")
    assert reason in message
    assert images(library) == ["old.png"]


def test_cancelled_in_the_midst_the_finished_results_stay_and_the_process_ends(
    library: Path, darktable: Callable[..., Rows], tmp_path: Path
) -> None:
    """Steps 1 to 6 are the exports, 7 is the first result."""
    for number in range(6):
        save_grey(library / f"old {number}.png", number)
    slow = tmp_path / "slow"  # the real colorizer would be through before it is ended
    slow.write_text(
        f"""#!{sys.executable}
import json, os, shutil, sys, time
print(json.dumps({{"ready": "1", "pid": os.getpid()}}), flush=True)
open({str(tmp_path / "pid")!r}, "w").write(str(os.getpid()))
for number, line in enumerate(sys.stdin):
    if number:
        time.sleep(600)
    request = json.loads(line)
    shutil.copy(request["in"], request["out"])
    print(json.dumps({{"id": request["id"], "status": "done"}}), flush=True)
"""
    )
    slow.chmod(0o755)
    body = """
        local chosen = {}
        for number = 0, 5 do table.insert(chosen, import("old " .. number .. ".png")) end
        local before = #dt.database
        for _, at in ipairs({ 7, 2 }) do
          local run = plugin.colorize_images(chosen, progress(at))
          tell(run.done, run.failed, run.cancelled, #dt.database - before, run.message)
        end
    """
    rows = darktable(body, slow)
    assert rows == [
        ["1", "0", "5", "1", "colorize: 1 coloured, 0 skipped, 0 failed, 5 cancelled"],
        ["0", "0", "6", "1", "colorize: 0 coloured, 0 skipped, 0 failed, 6 cancelled"],
    ]
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert images(library) == sorted([*(f"old {number}.png" for number in range(6)), "old 0_colorized.jpg"])


WINDOW = """
local dt = require "darktable"
local function say(...)
  local out = io.open({told}, "ab")
  out:write(table.concat({{...}}, "\\t"), "\\n")
  out:close()
end
local function works() return os.execute("ls " .. {cache} .. " | grep -q ^colorize") end
local function press(keys, count)
  for _ = 1, 10 do  -- what is pressed before the window is ready is lost
    os.execute("xdotool search --onlyvisible --class darktable windowfocus key --clearmodifiers " .. keys)
    for _ = 1, 20 do
      dt.control.sleep(200)
      if works() or #dt.database >= count then
        while works() do dt.control.sleep(200) end
        return
      end
    end
  end
end
say("BEGUN")
local good, problem = xpcall(function()
  while not os.execute("xdotool search --onlyvisible --class darktable >/dev/null") do dt.control.sleep(200) end
  local old = dt.database.import({folder} .. "/old.png")
  local now = dt.database.import({folder} .. "/now.png")
  dt.gui.selection({{ old, now }})
  press("ctrl+e", 3)  -- the export button's
  press("ctrl+F9", 4)  -- lua/colorize's, see shortcutsrc
  for _, image in ipairs(dt.database) do
    say(image.filename, tostring(image.group_leader == image), #image:get_group_members())
  end
end, debug.traceback)
say(good and "END" or "ERROR", tostring(problem))
os.execute("xdotool search --onlyvisible --class darktable windowfocus key ctrl+q")
"""


@pytest.fixture
def display() -> Iterator[str]:
    with unseen_screen() as name:
        yield name


def _end_of_program(command: list[str], environment: dict[str, str], told: Path) -> tuple[int, str]:
    """Exit code and log. It is killed if its Lua tells nothing in the time that a start takes, or after the limit."""

    def kill_unless_begun() -> None:
        if not told.is_file():
            program.kill()

    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment
    ) as program:
        timers = [threading.Timer(START, kill_unless_begun), threading.Timer(LIMIT, program.kill)]
        for timer in timers:
            timer.start()
        log, _ = program.communicate()
        for timer in timers:
            timer.cancel()
    return program.returncode, log


@pytest.mark.slow
def test_the_export_button_and_the_shortcut_of_a_darktable_with_a_window(
    library: Path, tmp_path: Path, display: str, fresh_weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The plugin is the installed one, which calls the command beside this Python.

    darktable 4.2.1 sometimes hangs at its start, also without the plugin (docs/darktable.md): then it is started again.
    """
    save_grey(library / "old.png")
    Image.fromarray(data.astronaut()).resize((96, 96)).save(library / "now.png")
    places = {"configdir": tmp_path / "config", "cachedir": tmp_path / "cache", "library": tmp_path / "library.db"}
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "shortcutsrc").write_text(
        "F9;ctrl=lua/colorize\ne;ctrl=lib/export/export\nq;ctrl=global/quit\n"
    )
    assert run(["plugin", "install", "darktable", "--folder", str(tmp_path / "config")]) == 0
    told, scenario = tmp_path / "told", tmp_path / "scenario.lua"
    words = {"told": told, "folder": library, "cache": tmp_path / "cache"}
    scenario.write_text(WINDOW.format(**{name: lua(word) for name, word in words.items()}))
    settings = {"storage_name": "module_colorize", "format_name": "jpeg"}
    command = [
        "darktable", *[word for name, place in places.items() for word in (f"--{name}", str(place))], "--disable-opencl",
        *[word for name, value in settings.items() for word in ("--conf", f"plugins/lighttable/export/{name}={value}")],
        "--luacmd", f"dofile({lua(scenario)})",
    ]  # fmt: skip
    environment = _environment(tmp_path, fresh_weights) | {"DISPLAY": display}
    for _ in range(STARTS):
        code, log = _end_of_program(command, environment, told)
        if told.is_file():
            break
    assert told.is_file(), log
    begun, *rows, last = (line.split("\t") for line in told.read_text().splitlines())
    assert last[0] == "END", (begun, last, log)
    assert code == 0, log  # it has not crashed
    assert sorted(rows) == [
        ["now.png", "true", "1"],
        ["old.png", "true", "3"],
        ["old_colorized.jpg", "false", "3"],
        ["old_colorized_01.jpg", "false", "3"],
    ]
    assert [name for name in images(library) if name.endswith(".jpg")] == ["old_colorized.jpg", "old_colorized_01.jpg"]
