"""The door for host programs (photo libraries, file managers): one JSON line per picture in, one per picture out.

The host starts ``colorize-media --host-batch`` once and writes a request per line; the network is loaded at the first
picture that needs it and kept. docs/host-batch.md describes the lines. Nothing is asked, and nothing but answers comes on
standard output.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import select
import signal
import threading
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from colorize_media.archive.memory import Memory
from colorize_media.archive.outcomes import unexpected
from colorize_media.archive.plan import make_plan
from colorize_media.archive.run import run_plan
from colorize_media.archive.running import Running
from colorize_media.errors import BadOption, ColorizeError, UsageProblem
from colorize_media.events import Done, Event, Failed, Skipped, Warned
from colorize_media.options import ColorizeOptions, of_the_network
from colorize_media.version import __version__

PROTOCOL = 1  # of the lines; a larger one may add names but not change the meaning of these
LONGEST_REQUEST = 1 << 20  # bytes; the longest path that an operating system takes is 1/32 of it
WATCH_EVERY = 1.0  # seconds between looks at whether the host is still there

_REQUEST = frozenset({"in", "out", "options", "id"})
_KINDS = typing.get_type_hints(ColorizeOptions)


@dataclasses.dataclass(frozen=True)
class Request:
    """One picture or film to colour. ``output`` None is the usual name beside the input."""

    source: Path
    output: Path | None
    options: ColorizeOptions
    overwrite: bool


def serve(
    requests: BinaryIO,
    answers: TextIO,
    running: Running,
    *,
    overwrite: bool = False,
) -> int:
    """Answer all requests in their order; returns the exit code as `archive.run_plan` does.

    ``running.options`` and ``overwrite`` hold where a request says nothing, but sidecars are only copied on request. Ends
    at the end of the requests. Raises BrokenPipeError when nobody reads the answers, and KeyboardInterrupt when interrupted
    or when the host is gone; what was finished is answered before.
    """

    def tell(answer: Mapping[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    defaults = dataclasses.replace(running.options, sidecars=False)  # hosts keep files of their own beside pictures
    code = 0
    with _interrupted_when_the_host_is_gone(answers):
        tell({"ready": __version__, "protocol": PROTOCOL, "pid": os.getpid()})
        for line in _lines(requests):
            answer = _Answer()
            try:
                with contextlib.ExitStack() as finished:
                    finished.callback(answer.tell, tell)
                    request = answer.read(line, defaults, overwrite)
                    code = max(code, answer.color(request, running))
            except ColorizeError as error:
                code = max(code, error.exit_code if error.exit_code == 3 else 1)
    return code


class _Answer:
    """What is known of one request, until it is told."""

    def __init__(self) -> None:
        self._known: dict[str, Any] = {"in": None, "out": None}
        self._warnings: list[str] = []
        self._result: dict[str, Any] = {}

    def read(self, line: bytes, defaults: ColorizeOptions, overwrite: bool) -> Request:
        """The request of a line. Raises BadOption; then the answer says so."""
        try:
            return self._read(line, defaults, overwrite)
        except ColorizeError as error:
            self._fail(error)
            raise

    def color(self, request: Request, running: Running) -> int:
        """Do it; returns the exit code for it alone. Raises what stops it before it begins; then the answer says so."""
        try:
            if request.source.is_dir():
                raise BadOption(
                    "a folder is no picture",
                    path=request.source,
                    why="a host names its pictures one by one",
                    hint="give its pictures, or colour the folder with the plain command",
                )
            plan = make_plan(
                [request.source],
                request.output,
                overwrite=request.overwrite,
                preview=request.options.preview,
                memory=Memory(request.options),
            )
            self._known["out"] = None if plan[0].target is None else str(plan[0].target)

            def on_event(event: Event) -> None:
                running.on_event(event)
                self._hear(event)

            return run_plan(plan, dataclasses.replace(running, options=request.options, on_event=on_event))
        except Exception as error:  # of the network, or a bug of ours: the next line is answered all the same
            wrapped = unexpected(request.source, error)
            self._fail(wrapped)
            raise wrapped from error

    def tell(self, write: Callable[[Mapping[str, Any]], None]) -> None:
        """Write the answer, if there is one: there is none for what an interrupt ended."""
        if self._result:
            write({**self._known, **self._result, "warnings": self._warnings})

    def _read(self, line: bytes, defaults: ColorizeOptions, overwrite: bool) -> Request:
        try:
            # A name need not be UTF-8: its bytes come through, and go back as json writes surrogate escapes.
            found = json.loads(line.decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError) as error:
            why = f"longer than {LONGEST_REQUEST} bytes" if len(line) > LONGEST_REQUEST else str(error)
            raise _bad_request(f"it is no JSON: {why}") from error
        if not isinstance(found, dict):
            raise _bad_request("it is no JSON object")
        if "id" in found:
            self._known["id"] = found["id"]
        source, output, options = found.get("in"), found.get("out"), found.get("options") or {}
        self._known |= {name: value for name in ("in", "out") if isinstance(value := found.get(name), str)}
        if unknown := sorted(found.keys() - _REQUEST):
            raise _bad_request(f"unknown name {unknown[0]!r}")
        if not isinstance(source, str) or not source:
            raise _bad_request("'in' must be a path")
        if not (output is None or (isinstance(output, str) and output)):
            raise _bad_request("'out' must be a path, or left out")
        if not isinstance(options, dict):
            raise _bad_request("'options' must be a JSON object")
        options = dict(options)
        replaces = options.pop("overwrite", overwrite)
        if not isinstance(replaces, bool):
            raise _bad_option("overwrite", replaces, "true or false")
        values = {name: _checked(name, value) for name, value in options.items()}
        target = None if output is None else Path(output)
        return Request(Path(source), target, dataclasses.replace(defaults, **values), replaces)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Warned):
            self._warnings.append(event.message)
        elif isinstance(event, Done):
            self._result = {"status": "done", "reason": "", "hint": "", "seconds": round(event.seconds, 3)}
        elif isinstance(event, Skipped):
            self._result = {"status": "skipped", "reason": event.reason, "hint": ""}
        elif isinstance(event, Failed):
            reason = ": ".join(part for part in (event.what, event.why) if part)
            self._result = {"status": "failed", "reason": reason, "hint": event.hint}

    def _fail(self, error: ColorizeError) -> None:
        reason = ": ".join(part for part in (error.what, error.why) if part)
        self._result = {"status": "failed", "reason": reason, "hint": error.hint}


def _lines(requests: BinaryIO) -> Iterator[bytes]:
    """Lines with something in them; of one that is too long, its beginning."""
    while line := requests.readline(LONGEST_REQUEST + 1):
        rest = line
        while len(rest) > LONGEST_REQUEST and not rest.endswith(b"\n"):
            rest = requests.readline(LONGEST_REQUEST + 1)
        if line.strip():
            yield line


def _checked(name: str, value: object) -> Any:
    """An option's value as `ColorizeOptions` wants it. Raises BadOption for a name or type that it has not."""
    if name in of_the_network():
        raise BadOption(
            f"{name} holds for the whole run",
            why="the network is loaded once",
            hint=f"give --{name.replace('_', '-')} to colorize-media --host-batch",
        )
    kind = _KINDS.get(name)
    if kind is None:
        raise BadOption("unknown option", why=name, hint="docs/host-batch.md lists the options")
    kinds = typing.get_args(kind) if typing.get_origin(kind) in (types.UnionType, typing.Union) else (kind,)
    if value is None and types.NoneType in kinds:
        return None
    wanted = kinds[0]
    if wanted is bool:
        if isinstance(value, bool):
            return value
        raise _bad_option(name, value, "true or false")
    if wanted in (int, float, Fraction):
        try:
            if isinstance(value, (int, float)) and not isinstance(value, bool) and wanted(value) == value:
                return wanted(value)
        except (ValueError, OverflowError):
            pass  # JSON as Python reads it has NaN and Infinity
        raise _bad_option(name, value, "a whole number" if wanted is int else "a number")
    if typing.get_origin(wanted) is tuple:
        if isinstance(value, list) and all(isinstance(one, str) for one in value):
            return tuple(value)
        raise _bad_option(name, value, "a list of texts")
    if isinstance(value, str):
        return value
    raise _bad_option(name, value, "text")


def _bad_option(name: str, value: object, allowed: str) -> BadOption:
    return BadOption(f"bad value for {name}", why=f"{value!r} is not {allowed}", hint=f"give {name} as {allowed}")


def _bad_request(why: str) -> UsageProblem:
    return UsageProblem(
        "cannot understand the request",
        why=why,
        hint='write one line of JSON: {"in": path, "out": path, "options": {}}',
    )


@contextlib.contextmanager
def _interrupted_when_the_host_is_gone(answers: TextIO) -> Iterator[None]:
    """Ends the work as SIGTERM does when the process that started this one ends, or nobody can read the answers any more.

    Otherwise a long film would be coloured for nobody. Only where a thread can interrupt another (POSIX) and in the main
    thread; elsewhere the end of the requests and the next answer tell.
    """
    main = threading.main_thread()
    if not hasattr(signal, "pthread_kill") or threading.current_thread() is not main or main.ident is None:
        yield
        return
    ended, parent, reader = threading.Event(), os.getppid(), select.poll()
    with contextlib.suppress(OSError, ValueError):  # answers that are no file, as in tests
        reader.register(answers.fileno(), 0)  # errors are always reported

    def watch(thread: int) -> None:
        while not ended.wait(WATCH_EVERY):
            if os.getppid() != parent or reader.poll(0):
                signal.pthread_kill(thread, signal.SIGTERM)
                return

    watcher = threading.Thread(target=watch, args=(main.ident,), name="host-watch", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()
