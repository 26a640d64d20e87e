"""The installer: foreign bytes stay, own edits are kept, a second time changes nothing, and all can be taken out again."""

from __future__ import annotations

import ast
import configparser
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from skimage import data

from colorize_media.cli.main import run
from colorize_media.errors import InputUnreadable
from colorize_media.plugins.hosts import HOSTS, PICTURE_TYPES, Folders, find_command
from colorize_media.plugins.installer import find, state
from colorize_media.plugins.parts import MARK, Element, Line, OwnFile, exec_word, lua_string, shell_word, xml_text

COMMAND = "/home/eve/my tools/venv/bin/colorize-media"
LUARC = b'-- mine\nrequire "tools/script_manager"\n'
# As digiKam 7 and 8 write it.
QUEUE = """<!DOCTYPE XMLQueueList>
<queuelist version="2.0" client="digikam" encoding="UTF-8">
    <queue>
        <queuetitle value="Für Oma &amp; Opa"/>
        <queuedesc value="Colorize it? No: &quot;web&quot;"/>
        <renamingparser value="[file]-web.[ext]"/>
        <useoriginalalbum value="0"/>
        <workingurl value="/home/eve/Bilder/web/"/>
        <rawdecodingsettings>
            <sixteenbitsimage value="1"/>
        </rawdecodingsettings>
        <tool>
            <toolname value="Resize"/>
            <toolgroup value="4"/>
            <index value="0"/>
            <version value="1"/>
            <parameter value="1024" type="int" name="LengthCustom"/>
        </tool>
    </queue>
</queuelist>
""".encode()
UCA = b"""<?xml version="1.0" encoding="UTF-8"?>
<actions>
<action>
\t<icon>utilities-terminal</icon>
\t<name>Open Terminal Here</name>
\t<submenu></submenu>
\t<unique-id>1390732800-1</unique-id>
\t<command>exo-open --working-directory %f --launch TerminalEmulator</command>
\t<description>Colorize nothing</description>
\t<range></range>
\t<patterns>*</patterns>
\t<startup-notify/>
\t<directories/>
</action>
</actions>
"""
BASES = {
    "darktable": ".config/darktable",
    "digikam": ".local/share/digikam",
    "nautilus": ".local/share/nautilus",
    "dolphin": ".local/share/dolphin",
    "nemo": ".local/share/nemo",
    "thunar": ".config/Thunar",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user who has started every host, in a home whose name needs quoting."""
    path = tmp_path / "Eve's $HOME & <100 %>"
    for base in BASES.values():
        (path / base).mkdir(parents=True)
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    (path / ".config/darktable/luarc").write_bytes(LUARC)
    (path / ".local/share/digikam/queue.xml").write_bytes(QUEUE)
    (path / ".config/Thunar/uca.xml").write_bytes(UCA)
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# --- every host alike


@pytest.mark.parametrize("host", [host.name for host in HOSTS])
def test_in_and_out_again_leaves_everything_as_it_was(
    host: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files(home)
    assert run(["plugin", "install", host, "-n"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("would ")
    assert files(home) == before
    assert run(["plugin", "install", host]) == 0
    during = files(home)
    changed = {name for name in during if during[name] != before.get(name)}
    assert changed
    assert all(str(home / name) in told for name in changed)  # the dry run named them all
    assert all(during[name] == text for name, text in before.items() if name not in changed)
    capsys.readouterr()
    assert run(["plugin", "install", host]) == 0
    assert "installed already" in capsys.readouterr().out
    assert files(home) == during
    assert run(["plugin", "status", "--json"]) == 0
    states = {row["host"]: row["state"] for row in json.loads(capsys.readouterr().out)["hosts"]}
    assert states.pop(host) == "installed"
    assert set(states.values()) == {"not installed"}
    assert run(["plugin", "remove", host]) == 0
    assert files(home) == before
    assert run(["plugin", "remove", host]) == 0
    assert "not there" in capsys.readouterr().out


def test_all_hosts_at_once_do_not_touch_each_other(home: Path) -> None:
    before = files(home)
    for host in HOSTS:
        assert run(["plugin", "install", host.name]) == 0
    for host in HOSTS:
        assert run(["plugin", "remove", host.name]) == 0
    assert files(home) == before


def test_a_host_that_is_not_there_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", "")
    for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert run(["plugin", "install", "darktable"]) == 3
    assert f"--folder (usually {tmp_path / '.config' / 'darktable'})" in capsys.readouterr().err
    assert run(["plugin", "install", "lightroom"]) == 2
    assert "known are darktable" in capsys.readouterr().err
    assert run(["plugin", "status"]) == 0
    assert "the program is not found" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_the_list_names_every_host(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugin", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [host.name for host in HOSTS]


SANDBOXES = [
    (
        "darktable",
        "luarc",
        ".var/app/org.darktable.Darktable/config/darktable",
        "snap/darktable/current/.config/darktable",
    ),
    ("digikam", "queue.xml", ".var/app/org.kde.digikam/data/digikam", "snap/digikam/current/.local/share/digikam"),
]


@pytest.mark.parametrize(("host", "name", "flatpak", "snap"), SANDBOXES)
def test_flatpak_and_snap_have_their_own_folders(
    host: str, name: str, flatpak: str, snap: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / flatpak).mkdir(parents=True)
    (home / snap).mkdir(parents=True)
    (home / snap / name).write_bytes((home / BASES[host] / name).read_bytes())
    before = files(home)
    assert run(["plugin", "install", host]) == 0
    told = capsys.readouterr()
    for folder in (BASES[host], flatpak, snap):
        content = (home / folder / name).read_bytes()
        assert (b"contrib/colorize" if host == "darktable" else b'"Colorize"') in content
        assert content.startswith(before.get(f"{folder}/{name}", b"")[:60])
    assert "Flatpak" in told.err
    assert "Snap" in told.err
    assert run(["plugin", "status", "--json"]) == 0
    rows = [row for row in json.loads(capsys.readouterr().out)["hosts"] if row["host"] == host]
    assert [row["state"] for row in rows] == ["installed"] * 3
    assert run(["plugin", "remove", host]) == 0
    after = files(home)
    if host == "digikam":  # an empty list of workflows
        assert b"<queue>" not in after.pop(f"{flatpak}/{name}")
    assert after == before


@pytest.mark.parametrize(("host", "name", "flatpak", "snap"), SANDBOXES)
@pytest.mark.parametrize("only", ["flatpak", "snap"])
def test_where_only_a_sandbox_has_the_host_nothing_else_is_made(
    host: str, name: str, flatpak: str, snap: str, only: str, home: Path
) -> None:
    shutil.rmtree(home / BASES[host])
    folder = home / (flatpak if only == "flatpak" else snap)
    folder.mkdir(parents=True)
    assert run(["plugin", "install", host]) == 0
    assert (folder / name).is_file()
    assert not (home / BASES[host]).exists()


def test_xdg_folders_are_respected(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "elsewhere"))
    (tmp_path / "elsewhere" / "darktable").mkdir(parents=True)
    assert run(["plugin", "install", "darktable"]) == 0
    assert (tmp_path / "elsewhere/darktable/lua/contrib/colorize.lua").is_file()
    assert (home / ".config/darktable/luarc").read_bytes() == LUARC


def test_the_command_is_the_one_beside_this_python() -> None:
    command = Path(find_command())
    assert command.is_absolute()
    assert command.parent == Path(sys.executable).parent


def test_a_file_that_the_user_has_edited_is_kept_beside(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugin", "install", "darktable"]) == 0
    plugin = home / ".config/darktable/lua/contrib/colorize.lua"
    edited = plugin.read_bytes().replace(b"MOST_REASONS = 5", b"MOST_REASONS = 9")
    plugin.write_bytes(edited)
    found = find(HOSTS[0], Folders.of(os.environ), find_command())
    assert state(found[0]) == "edited"
    capsys.readouterr()
    assert run(["plugin", "install", "darktable"]) == 0
    assert "keep what you changed" in capsys.readouterr().out
    assert plugin.with_name("colorize.lua.backup-1").read_bytes() == edited
    assert b"MOST_REASONS = 5" in plugin.read_bytes()
    plugin.write_bytes(edited)
    assert run(["plugin", "remove", "darktable"]) == 0
    assert plugin.with_name("colorize.lua.backup-2").read_bytes() == edited
    assert not plugin.exists()


def test_a_plugin_of_an_older_version_is_replaced_without_ado(home: Path) -> None:
    plugin = home / ".config/darktable/lua/contrib/colorize.lua"
    old = OwnFile(plugin, "-- an older version\n", "--")
    plugin.parent.mkdir(parents=True)
    plugin.write_bytes(old.installed(None))
    assert run(["plugin", "install", "darktable"]) == 0
    assert b"host-batch" in plugin.read_bytes()
    assert [path.name for path in plugin.parent.iterdir()] == ["colorize.lua"]


def test_links_and_modes_of_the_users_files_stay(home: Path) -> None:
    """Many keep their luarc in a repository."""
    luarc, real = home / ".config/darktable/luarc", home / "dotfiles" / "luarc"
    real.parent.mkdir()
    luarc.rename(real)
    luarc.symlink_to(real)
    real.chmod(0o600)
    assert run(["plugin", "install", "darktable"]) == 0
    assert luarc.is_symlink()
    assert real.stat().st_mode & 0o777 == 0o600
    assert real.read_bytes().startswith(LUARC)


@pytest.mark.parametrize("text", [b"<queuelist><queue>", b"no xml", b"<html></html>"])
def test_a_foreign_file_that_is_not_understood_is_not_touched(
    text: bytes, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = home / ".local/share/digikam/queue.xml"
    queue.write_bytes(text)
    for action in ("install", "remove"):
        assert run(["plugin", action, "digikam"]) == 1
        assert "it was not touched" in capsys.readouterr().err
    assert queue.read_bytes() == text
    assert run(["plugin", "status"]) == 0
    assert "not readable" in capsys.readouterr().out


# --- parts


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, b'require "x" -- colorize-media plugin\n'),
        (b"", b'require "x" -- colorize-media plugin\n'),
        (b"a\r\n", b'a\r\nrequire "x" -- colorize-media plugin\r\n'),
        (b"no newline", b'no newline\nrequire "x" -- colorize-media plugin\n'),
        (b'  require "x"\n', b'  require "x"\n'),  # by hand
        (b'-- require "x"\n', b'-- require "x"\nrequire "x" -- colorize-media plugin\n'),
        (b"\xff latin\n", b'\xff latin\nrequire "x" -- colorize-media plugin\n'),
    ],
)
def test_a_line_goes_behind_the_others_once(old: bytes | None, new: bytes) -> None:
    part = Line(Path("luarc"), 'require "x"', "--")
    assert part.installed(old) == new
    assert part.installed(new) == new
    assert (part.removed(new) or b"").rstrip(b"\r\n") == (old or b"").rstrip(b"\r\n")


@pytest.mark.parametrize(
    "old", [b"<list>\n<a>1</a>\n</list>\n", b"<list></list>", b"<!-- <list> --><list><a>ours</a></list>\n"]
)
def test_an_element_comes_and_goes(old: bytes) -> None:
    part = Element(Path("x.xml"), "list", "item", "ours", "<item>ours</item>", b"<list>\n</list>\n")
    new = part.installed(old)
    assert [child.text for child in ElementTree.fromstring(new).findall("item")] == ["ours"]
    assert part.installed(new) == new
    assert part.removed(new) == old


def test_an_element_in_a_list_of_one_tag_or_none() -> None:
    part = Element(Path("x.xml"), "list", "item", "ours", "<item>ours</item>", b"<list>\n</list>\n")
    for old in (b'<list version="2"/>', b"", None):
        assert ElementTree.fromstring(part.installed(old)).findtext("item") == "ours"
    with pytest.raises(InputUnreadable, match="no XML"):
        part.installed(b"<list>")


def test_an_element_that_the_host_or_the_user_rewrote_is_left_as_it_is() -> None:
    part = Element(Path("x.xml"), "list", "item", "ours", "<item>ours</item>", b"<list>\n</list>\n")
    old = b'<list>\n  <item mine="yes">\n ours </item>\n</list>\n'
    assert part.installed(old) == old
    assert ElementTree.fromstring(part.removed(old) or b"").find("item") is None


@pytest.mark.skipif(shutil.which("sh") is None, reason="no sh")
@pytest.mark.parametrize("text", ["plain", "it's", 'a "b" $HOME `id` \\', "100 %f & <x>"])
def test_words_are_quoted_for_each_host(text: str) -> None:
    said = subprocess.run(["sh", "-c", f"printf %s {shell_word(text)}"], capture_output=True, text=True, check=True)
    assert said.stdout == text
    assert shell_word(text)[0] == shell_word(text)[-1] == "'"  # always: digiKam's workflow is known again by them
    assert ElementTree.fromstring(f'<a b="{xml_text(text)}">{xml_text(text)}</a>').attrib["b"] == text
    if shutil.which("lua5.3"):
        lua = subprocess.run(
            ["lua5.3", "-e", f"io.write({lua_string(text)})"], capture_output=True, text=True, check=True
        )
        assert lua.stdout == text


def test_a_word_of_a_desktop_file() -> None:
    """The specification's own rules, undone: escapes of the value, then quotes, then field codes."""
    assert exec_word('/a b/$x"100%') == r'"/a b/\\$x\\"100%%"'


# --- darktable of other versions than the one that test_darktable.py runs


@pytest.fixture
def lua() -> str:
    """darktable's own language, of its version."""
    found = shutil.which("lua5.4") or shutil.which("lua5.3")
    if found is None:
        pytest.skip("no Lua, so other versions of darktable were NOT tried: scripts/install-hosts darktable")
    return found


def in_darktable(lua: str, version: str, home: Path, *more: str, **settings: str) -> list[str]:
    """What the stand-in for darktable's interface tells."""
    assert run(["plugin", "install", "darktable"]) == 0
    plugin, stub = home / ".config/darktable/lua/contrib/colorize.lua", Path(__file__).with_name("darktable_stub.lua")
    command = [lua, str(stub), str(plugin), version, str(home), str(home / "old one.png"), *more]
    result = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout.splitlines()


@pytest.mark.parametrize(
    ("version", "gone"), [("9.0.0", []), ("9.6.0", ["publisher"]), ("9.99.1", ["notes"]), ("10.0.0", [])]
)
def test_the_plugin_runs_on_later_versions_of_darktables_interface(
    version: str, gone: list[str], lua: str, home: Path, fresh_weights: Path
) -> None:
    """Also where an image has lost a property that is copied; and it leaves nothing behind when it is taken out."""
    Image.fromarray(data.camera()).resize((96, 64)).save(home / "old one.png")
    settings = {"COLORIZE_MEDIA_MODEL": str(fresh_weights), "COLORIZE_MEDIA_FAST": "1", "COLORIZE_MEDIA_DEVICE": "cpu"}
    told = in_darktable(lua, version, home, *gone, **settings)
    assert told == [
        "registered: action colorize, event exit colorize, event shortcut colorize, storage module_colorize",
        "attached: people|grandma to old one_colorized.png",
        "attached: colorized to old one_colorized.png",
        "colorize: 1 coloured, 0 skipped, 0 failed",
        "result: old one_colorized.png 4",
        "registered: ",
    ]
    with Image.open(home / "old one_colorized.png") as image:
        assert image.mode == "RGB"


def test_the_plugin_says_that_an_earlier_darktable_is_too_old(lua: str, home: Path) -> None:
    (told,) = in_darktable(lua, "8.0.0", home)
    assert told.startswith("refused: ")
    assert "needs darktable 4.2 (Lua API 9.0) or later, this is API 8.0.0" in told


# --- digiKam


def test_the_workflow_stands_beside_the_users_and_calls_the_command(home: Path, tmp_path: Path) -> None:
    assert run(["plugin", "install", "digikam"]) == 0
    queue = home / ".local/share/digikam/queue.xml"
    root = ElementTree.fromstring(queue.read_bytes())
    titles = [node.attrib["value"] for node in root.iter("queuetitle")]
    assert titles == ["Für Oma & Opa", "Colorize"]
    tool = root.findall("queue")[1].find("tool")
    assert tool is not None
    script = {node.attrib["name"]: node.attrib["value"] for node in tool.findall("parameter")}["Script"]
    assert find_command() in script


def test_a_moved_command_is_renewed_in_a_workflow_that_the_user_changed(home: Path) -> None:
    assert run(["plugin", "install", "digikam"]) == 0
    queue = home / ".local/share/digikam/queue.xml"
    mine = queue.read_text().replace("[file]_colorized", "[file]_mine").replace("-q -y", "-q -y --vividness 1.3")
    command = shell_word(find_command())
    assert command in mine
    for old in ("'/old/venv/bin/colorize-media'", shell_word("/eve's/bin/colorize-media")):
        queue.write_text(mine.replace(command, old))
        assert run(["plugin", "install", "digikam"]) == 0
        assert queue.read_text() == mine


@pytest.mark.parametrize(("kind", "code"), [("grey", 0), ("color", 127), ("broken", 127)])
def test_digikams_shell_gets_a_picture_or_an_error(
    kind: str, code: int, home: Path, tmp_path: Path, fresh_weights: Path
) -> None:
    """As digiKam 7 does: names put in for $INPUT and $OUTPUT with quotes, an empty output there, other codes than 127 good."""
    assert run(["plugin", "install", "digikam"]) == 0
    root = ElementTree.parse(home / ".local/share/digikam/queue.xml")
    script = next(node.attrib["value"] for node in root.iter("parameter") if node.attrib["name"] == "Script")
    old, new = tmp_path / "two words.jpg", tmp_path / "Batch-x.digikamtempfile.jpg"
    picture = Image.fromarray(data.camera() if kind == "grey" else data.astronaut()).resize((96, 64))
    picture.save(old) if kind != "broken" else old.write_text("no picture")
    new.touch()
    script = script.replace("$INPUT", f'"{old}"').replace("$OUTPUT", f'"{new}"')
    settings = {"COLORIZE_MEDIA_MODEL": str(fresh_weights), "COLORIZE_MEDIA_FAST": "1", "COLORIZE_MEDIA_DEVICE": "cpu"}
    result = subprocess.run(["/bin/sh", "-c", script], env=os.environ | settings, capture_output=True, text=True)
    assert result.returncode == code, result.stderr
    assert (new.stat().st_size > 0) == (code == 0)


def test_digikams_shell_ends_before_digikam_kills_it(home: Path, tmp_path: Path) -> None:
    """Else the command would go on and leave a file in the album."""
    if shutil.which("timeout") is None:
        pytest.skip("there is no timeout command here, and the script goes on without")
    assert run(["plugin", "install", "digikam"]) == 0
    root = ElementTree.parse(home / ".local/share/digikam/queue.xml")
    script = next(node.attrib["value"] for node in root.iter("parameter") if node.attrib["name"] == "Script")
    slow = fake_command(tmp_path / "slow", f"echo $$ > '{tmp_path}/pid'; exec sleep 100")
    script = script.replace("echo 55", "echo 1").replace(shell_word(find_command()), shell_word(str(slow)))
    assert subprocess.run(["/bin/sh", "-c", script], timeout=30).returncode == 127
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


# --- file managers


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A notify-send that writes down what it is told; with $PRESS it is one whose button is pressed."""
    tool = tmp_path / "tools" / "notify-send"
    tool.parent.mkdir()
    tool.write_text(
        f"""#!/bin/sh
case "$*" in
    *--wait*) echo $$ >> "{tmp_path}/buttons"; if [ -n "$PRESS" ]; then sleep 1; echo cancel; else exec sleep 600; fi ;;
    *) printf '%s|' "$@" >> "{tmp_path}/notes"; echo >> "{tmp_path}/notes" ;;
esac
"""
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "notes"


def fake_command(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def runner(home: Path) -> Path:
    assert run(["plugin", "install", "nemo"]) == 0
    return home / ".local/share/colorize-media/nemo.sh"


def with_command(script: Path, command: Path) -> None:
    script.write_text(script.read_text().replace(shell_word(find_command()), shell_word(str(command))))


def test_the_runner_colours_and_tells_the_end(home: Path, desktop: Path, fresh_weights: Path) -> None:
    old = home / "two words.png"
    Image.fromarray(data.camera()).resize((96, 64)).save(old)
    Image.fromarray(data.astronaut()).resize((96, 96)).save(home / "-now.png")
    settings = {"COLORIZE_MEDIA_MODEL": str(fresh_weights), "COLORIZE_MEDIA_FAST": "1", "COLORIZE_MEDIA_DEVICE": "cpu"}
    result = subprocess.run([runner(home), old, "-now.png"], cwd=home, env=os.environ | settings, timeout=300)
    assert result.returncode == 0
    assert (home / "two words.color.png").is_file()
    assert not (home / "-now.color.png").exists()
    told = desktop.read_text()
    assert "Colouring is done" in told
    assert "already in colour" in told


@pytest.mark.parametrize(
    ("text", "code", "told"),
    [
        ("echo 'error: it rains' >&2; exit 1", 1, ("Not everything could be coloured", "error: it rains")),
        (None, 127, ("colorize-media is not there", "plugin install")),
    ],
)
def test_the_runner_tells_failures(
    text: str | None, code: int, told: tuple[str, str], home: Path, tmp_path: Path, desktop: Path
) -> None:
    script = runner(home)
    with_command(script, fake_command(tmp_path / "fake", text) if text else tmp_path / "none")
    assert subprocess.run([script, "a.png"], timeout=60).returncode == code
    assert all(word in desktop.read_text() for word in told)


@pytest.mark.parametrize("way", ["button", "signal"])
def test_the_runner_can_be_cancelled(way: str, home: Path, tmp_path: Path, desktop: Path) -> None:
    script = runner(home)
    fake = f'trap \'echo ended > "{tmp_path}/ended"; exit 130\' TERM\necho > "{tmp_path}/begun"\nwhile :; do sleep 0.1; done'
    with_command(script, fake_command(tmp_path / "fake", fake))
    with subprocess.Popen([script, "a.png"], env=os.environ | ({"PRESS": "1"} if way == "button" else {})) as process:
        while not ((tmp_path / "begun").exists() and (tmp_path / "buttons").exists()):
            time.sleep(0.05)
        if way == "signal":
            process.terminate()
        assert process.wait(60) == 130
    assert (tmp_path / "ended").is_file()
    assert_none_is_left(tmp_path / "buttons")
    assert "cancelled" in desktop.read_text()


def assert_none_is_left(buttons: Path) -> None:
    """Every notify-send that waited for its button has ended."""
    until = time.monotonic() + 30
    for pid in buttons.read_text().split() if buttons.exists() else []:
        while Path(f"/proc/{pid}").exists():
            assert time.monotonic() < until, "a notification outlives the work"
            time.sleep(0.1)


def test_no_notification_outlives_work_that_ends_at_once(home: Path, tmp_path: Path, desktop: Path) -> None:
    """The end of the work reaches the notification at any moment of its beginning; it was missed in one of fifteen before."""
    script = runner(home)
    with_command(script, fake_command(tmp_path / "fake", "exit 0"))
    for _ in range(60):
        assert subprocess.run([script, "a.png"], timeout=60).returncode == 0
    assert_none_is_left(tmp_path / "buttons")


@pytest.mark.parametrize("host", ["dolphin", "nemo"])
def test_menu_files_are_well_formed(host: str, home: Path) -> None:
    assert run(["plugin", "install", host]) == 0
    path = (
        home
        / ".local/share"
        / (
            "kio/servicemenus/colorize-media.desktop"
            if host == "dolphin"
            else "nemo/actions/colorize-media.nemo_action"
        )
    )
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(path.read_text())
    action = parser["Desktop Action colorize" if host == "dolphin" else "Nemo Action"]
    assert action["Name"] == "Colorize"
    assert action["Exec"] == f"{exec_word(str(home / '.local/share/colorize-media' / f'{host}.sh'))} %F"
    types = parser["Desktop Entry"]["MimeType"] if host == "dolphin" else action["Mimetypes"]
    assert {"image/jpeg", "video/*", "inode/directory"} <= set(types.split(";"))
    assert os.access(home / f".local/share/colorize-media/{host}.sh", os.X_OK)
    assert os.access(path, os.X_OK) == (host == "dolphin")


def test_dolphins_file_is_a_valid_desktop_entry(home: Path) -> None:
    if shutil.which("desktop-file-validate") is None:
        pytest.skip("desktop-file-validate is not installed: scripts/install-hosts nautilus")
    assert run(["plugin", "install", "dolphin"]) == 0
    path = home / ".local/share/kio/servicemenus/colorize-media.desktop"
    result = subprocess.run(["desktop-file-validate", str(path)], capture_output=True, text=True)
    problems = [line for line in result.stdout.splitlines() if "error" in line and "Service" not in line]
    assert problems == [], result.stdout


def test_thunars_action_stands_beside_the_users(home: Path) -> None:
    assert run(["plugin", "install", "thunar"]) == 0
    root = ElementTree.parse(home / ".config/Thunar/uca.xml").getroot()
    assert [node.findtext("name") for node in root] == ["Open Terminal Here", "Colorize"]
    command = root[1].findtext("command")
    path = shell_word(str(home / ".local/share/colorize-media/thunar.sh"))
    assert command == path.replace("%", "%%") + " %F"


def test_thunars_first_file_begins_as_the_systems(
    home: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (home / ".config/Thunar/uca.xml").unlink()
    system = tmp_path / "xdg" / "Thunar" / "uca.xml"
    system.parent.mkdir(parents=True)
    system.write_bytes(UCA)
    assert run(["plugin", "install", "thunar"]) == 0
    told = capsys.readouterr().out
    assert "uca.xml (begun as the host begins it)" in told
    assert "  + \t<name>Colorize</name>" in told.splitlines()
    assert "Open Terminal Here" not in told  # what is not ours is not listed
    root = ElementTree.parse(home / ".config/Thunar/uca.xml").getroot()
    assert [node.findtext("name") for node in root] == ["Open Terminal Here", "Colorize"]


NAUTILUS = """
import importlib.util, json, sys, time
import gi
gi.require_version("Nautilus", "4.0")
from gi.repository import Gio
spec = importlib.util.spec_from_file_location("extension", sys.argv[1])
extension = importlib.util.module_from_spec(spec)
spec.loader.exec_module(extension)


class File:
    def __init__(self, path, kind, scheme="file"):
        self.path, self.kind, self.scheme = path, kind, scheme
    def get_mime_type(self): return self.kind
    def get_uri_scheme(self): return self.scheme
    def is_directory(self): return self.kind == "inode/directory"
    def get_location(self): return Gio.File.new_for_path(self.path)


menu = extension.ColorizeMenu()
picture, film = File("/p/two words.jpg", "image/jpeg"), File("/p/film.mkv", "video/x-matroska")
folder, text = File("/p", "inode/directory"), File("/p/a.txt", "text/plain")
far = File("/p/b.jpg", "image/jpeg", "sftp")
counts = [len(menu.get_file_items(*files)) for files in
          ([[picture]], [[picture, film, folder]], [[text]], [[picture, text]], [[far]], [[]], ["window", [picture]])]
(item,) = menu.get_file_items([picture, folder])
item.emit("activate")
print(json.dumps([counts, item.props.label, menu.get_background_items(folder)]))
time.sleep(1)
"""


def test_the_extension_of_nautilus(home: Path, tmp_path: Path) -> None:
    """With the system's Python, whose gi Nautilus uses too."""
    python = "/usr/bin/python3"
    check = "import gi; gi.require_version('Nautilus', '4.0'); from gi.repository import Nautilus"
    if not Path(python).exists() or subprocess.run([python, "-c", check], capture_output=True).returncode:
        pytest.skip("python3-gi and gir1.2-nautilus-4.0 are not installed: scripts/install-hosts nautilus")
    assert run(["plugin", "install", "nautilus"]) == 0
    script = home / ".local/share/colorize-media/nautilus.sh"
    with_command(script, fake_command(tmp_path / "fake", f"printf '%s\\n' \"$@\" > '{tmp_path}/called'"))
    extension = home / ".local/share/nautilus-python/extensions/colorize_media.py"
    result = subprocess.run([python, "-c", NAUTILUS, extension], capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == [[1, 1, 0, 0, 0, 0, 1], "Colorize", []]
    assert (tmp_path / "called").read_text().splitlines() == ["--", "/p/two words.jpg", "/p"]


def test_nautilus_knows_the_pictures_that_the_others_know(home: Path) -> None:
    """Its extension cannot import the package: the installer writes them in."""
    assert run(["plugin", "install", "nautilus"]) == 0
    text = (home / ".local/share/nautilus-python/extensions/colorize_media.py").read_text()
    (known,) = [
        node.value
        for node in ast.parse(text).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "PICTURES"
    ]
    assert ast.literal_eval(known) == PICTURE_TYPES


def test_every_own_file_is_signed(home: Path) -> None:
    for host in HOSTS:
        for found in find(host, Folders.of(os.environ), COMMAND):
            for part in found.parts:
                if isinstance(part, OwnFile):
                    assert MARK.encode() in part.installed(None).splitlines()[-1]
                    assert not part.holds_edits(part.installed(None))
