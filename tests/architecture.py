"""What a tree of modules is held to: chapters and who may import whom, as functions that list violations.

A module's chapter is the folder below ``colorize_media`` that holds it; a module right below ``colorize_media`` is a chapter
of its own. ``models`` and ``training``, which stand beside it in the checkout, are chapters too.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "colorize_media"
BESIDE = ("models", "training")  # installed as colorize_media.models, colorize_media.training

Chapters = Mapping[str, frozenset[str]]


@dataclass(frozen=True)
class Module:
    """``name`` as it is imported; ``imports`` anywhere in it, in functions and for type checking too."""

    name: str
    file: Path
    is_package: bool
    imports: tuple[str, ...]

    @property
    def chapter(self) -> str:
        """See the module's text."""
        return chapter_of(self.name)


def chapter_of(name: str) -> str:
    """``colorize_media.video.reader`` → ``video``; the package itself is the chapter ``__init__``."""
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def modules_of(root: Path) -> list[Module]:
    """Every Python file of the package, of ``models`` and of ``training``."""
    found = []
    for folder in (PACKAGE, *BESIDE):
        for file in sorted((root / folder).rglob("*.py")):
            parts = list(file.relative_to(root).with_suffix("").parts)
            if folder in BESIDE:
                parts = [PACKAGE, *parts]
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            tree = ast.parse(file.read_text(encoding="utf-8"))
            found.append(
                Module(name, file, is_package, tuple(_imports(tree, name if is_package else name.rpartition(".")[0])))
            )
    return found


def _imports(tree: ast.Module, package: str) -> Iterator[str]:
    """Names as far as they are written: ``from a.b import c`` is ``a.b.c``; c may be a module or what it holds."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package.split(".")
            above = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
            base = ".".join(part for part in (above, node.module or "") if part)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def own_imports(module: Module, names: frozenset[str]) -> set[str]:
    """Names of the modules of this tree (``names``) that a module imports."""
    found = set()
    for wanted in module.imports:
        if wanted.split(".")[0] != PACKAGE:
            continue
        while wanted not in names and "." in wanted:
            wanted = wanted.rpartition(".")[0]
        found.add(wanted)
    return found - {module.name}


def homeless(modules: list[Module], chapters: Chapters) -> list[str]:
    """Modules in no chapter of the table, and chapters of the table without a module."""
    there = {module.chapter for module in modules} - {"__init__"}
    return [f"{name} is in no chapter" for name in sorted(there - chapters.keys())] + [
        f"the chapter {name} has no module" for name in sorted(chapters.keys() - there)
    ]


def forbidden_imports(modules: list[Module], chapters: Chapters) -> list[str]:
    """Imports that the table does not allow. The package's ``__init__`` names what it loads lazily and is not asked."""
    names = frozenset(module.name for module in modules)
    return [
        f"{module.name} imports {target}"
        for module in modules
        if module.chapter != "__init__"
        for target in sorted(own_imports(module, names))
        if chapter_of(target) not in chapters.get(module.chapter, frozenset()) | {module.chapter, "__init__"}
    ] + [
        f"{module.name} imports the package itself: name the module"
        for module in modules
        if module.chapter != "__init__" and PACKAGE in own_imports(module, names)
    ]


def circles_of_chapters(chapters: Chapters) -> list[str]:
    """A circle in the table itself, as a line."""
    return _circles({name: set(may) for name, may in chapters.items()})


def circles_within(modules: list[Module]) -> list[str]:
    """Circles of modules inside any chapter."""
    names = frozenset(module.name for module in modules)
    graph = {
        module.name: {
            target
            for target in own_imports(module, names)
            if chapter_of(target) == module.chapter and target.count(".") > 1
        }
        for module in modules
        if not module.is_package
    }
    return _circles(graph)


def floors_of(modules: list[Module]) -> dict[str, int]:
    """Chapter → its floor, by the imports as they are: 1 imports nothing of ours. For showing, not for judging."""
    names = frozenset(module.name for module in modules)
    graph: dict[str, set[str]] = {}
    for module in modules:
        if module.chapter != "__init__":
            targets = {chapter_of(target) for target in own_imports(module, names)} - {module.chapter, "__init__"}
            graph.setdefault(module.chapter, set()).update(targets)
    floors: dict[str, int] = {}

    def floor(name: str) -> int:
        if name not in floors:
            floors[name] = 1 + max((floor(target) for target in graph[name]), default=0)
        return floors[name]

    for name in graph:
        floor(name)
    return floors


def _circles(graph: Mapping[str, set[str]]) -> list[str]:
    """Every circle that a walk in depth meets, each once."""
    found: list[str] = []
    done: set[str] = set()

    def walk(name: str, way: list[str]) -> None:
        if name in way:
            found.append(" → ".join([*way[way.index(name) :], name]))
            return
        if name in done:
            return
        for target in sorted(graph.get(name, ())):
            walk(target, [*way, name])
        done.add(name)

    for name in sorted(graph):
        walk(name, [])
    return found


def talkative_packages(modules: list[Module]) -> list[str]:
    """Chapters whose ``__init__`` holds more than a docstring, or not even that: imports must stay free."""
    bad = []
    for module in modules:
        if module.is_package and module.name not in (PACKAGE, f"{PACKAGE}.models"):
            body = ast.parse(module.file.read_text(encoding="utf-8")).body
            if not (len(body) == 1 and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)):
                bad.append(f"{module.name}'s __init__ is more or less than a docstring")
    return bad


def missing_from_maps(modules: list[Module]) -> list[str]:
    """Modules that their chapter's docstring does not name at the beginning of a line, and lines that name none."""
    bad = []
    maps = {module.name: module for module in modules if module.is_package and module.name.count(".") == 1}
    for name, package in maps.items():
        if name.split(".")[1] in (*BESIDE, "plugins"):
            continue
        docstring = ast.get_docstring(ast.parse(package.file.read_text(encoding="utf-8"))) or ""
        listed = {
            line.split()[0] for line in docstring.splitlines()[1:] if "  " in line.strip() and not line[0].isspace()
        }
        there = {module.name.rpartition(".")[2] for module in modules if module.name.startswith(f"{name}.")}
        bad += [f"{name}'s docstring does not name {module}" for module in sorted(there - listed)]
        bad += [f"{name}'s docstring names {module}, which is not there" for module in sorted(listed - there)]
    return bad


def unlisted_packages(root: Path, listed: list[str]) -> list[str]:
    """Folders with an ``__init__.py`` that pyproject's list of packages lacks, and the other way round."""
    there = {module.name for module in modules_of(root) if module.is_package}
    return [f"pyproject.toml does not list {name}" for name in sorted(there - set(listed))] + [
        f"pyproject.toml lists {name}, which is no package" for name in sorted(set(listed) - there)
    ]


def libraries_out_of_place(modules: list[Module], homes: Mapping[str, frozenset[str]]) -> list[str]:
    """Imports of external libraries by others than those in ``homes``: a home is a module, or a chapter with all in it."""
    bad = []
    for module in modules:
        for wanted in module.imports:
            for library, allowed in homes.items():
                if wanted != library and not wanted.startswith(f"{library}."):
                    continue
                if not any(f"{module.name}.".startswith(f"{PACKAGE}.{home}.") for home in allowed):
                    bad.append(f"{module.name} imports {library}")
    return sorted(set(bad))
