"""Immich's HTTP interface, as far as colouring needs it: versions 2 and 3, with Python's own HTTP client.

Only the given URL is spoken to: redirects are refused, so that the key goes nowhere else. The key is sent in a header and
stands in no message. What fails by the network or the server's mood is tried again, with growing pauses; every call here
may be repeated without harm (an upload that has arrived already is answered as a duplicate, by its checksum).
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote, urlencode, urlsplit

from colorize_media.errors import BadOption, ServerProblem, ServerRefused
from colorize_media.version import __version__

VERSIONS = (2, 3)  # of the server
PAGE = 250  # assets asked for at once; the server gives 1000 at most
TRIES = 5
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0  # seconds
TIMEOUT = 120.0  # seconds without a byte
LARGEST_ANSWER = 64 << 20  # bytes of JSON or of a preview
_FACTS = ("fileCreatedAt", "fileModifiedAt", "isFavorite", "isTrashed", "isOffline", "livePhotoVideoId")
_EXIF = ("description", "rating", "latitude", "longitude", "dateTimeOriginal")
_BLOCK = 1 << 20  # bytes of a file sent or received at once
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Asset:
    """A picture of the library. ``facts`` is what of the server's answer about it is needed (`_FACTS`, `_EXIF`)."""

    id: str
    name: str
    checksum: str
    facts: Mapping[str, Any]


class ImmichServer:
    """One server, one key. Raises BadOption for a URL that is none.

    All calls raise ServerProblem when the server cannot be reached, refuses the key or answers in a way that is unknown,
    and ServerRefused when it refuses what is asked about one picture.
    """

    def __init__(self, url: str, key: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.username:
            raise BadOption("bad URL of the server", why=f"{url!r}", hint="give it like https://photos.example.org")
        self.url = url.rstrip("/").removesuffix("/api")
        self._secure, self._host = parts.scheme == "https", parts.netloc
        self._base = parts.path.rstrip("/").removesuffix("/api") + "/api"
        self._key = key
        self._sleep = sleep
        self._connection: http.client.HTTPConnection | None = None
        self.major = 0

    def __enter__(self) -> ImmichServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # --- what can be asked

    def ask_version(self) -> str:
        """``3.0.1``; to be called first. Raises ServerProblem for a version that this program does not know."""
        found = self._json("GET", "/server/version")
        try:
            self.major = int(found["major"])
            text = f"{self.major}.{int(found['minor'])}.{int(found['patch'])}"
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange("/server/version", error) from error
        if self.major not in VERSIONS:
            known = " and ".join(map(str, VERSIONS))
            raise ServerProblem("unknown version of Immich", why=f"{self.url} is {text}", hint=f"known are {known}")
        return text

    def album_ids(self, names: Sequence[str]) -> list[str]:
        """Of albums by name or id. Raises BadOption for one that is not there."""
        return _chosen("album", names, self._list("GET", "/albums"), ("id", "albumName"))

    def tag_ids(self, names: Sequence[str]) -> list[str]:
        """Of tags by whole name (``trips/1969``) or id. Raises BadOption for one that is not there."""
        return _chosen("tag", names, self._list("GET", "/tags"), ("id", "value", "name"))

    def find_tag(self, name: str) -> str | None:
        """Its id, None if there is none."""
        return next((str(row["id"]) for row in self._list("GET", "/tags") if row.get("value") == name), None)

    def albums_of(self, asset: Asset) -> list[str]:
        """Ids of the albums that a picture is in."""
        return [str(album["id"]) for album in self._list("GET", f"/albums?{urlencode({'assetId': asset.id})}")]

    def search(self, *, albums: Sequence[str] = (), tags: Sequence[str] = ()) -> Iterator[Asset]:
        """All pictures (no films), those of any of the albums, or those with all of the tags."""
        wanted: dict[str, Any] = {"type": "IMAGE", "size": PAGE, "withExif": True, "withStacked": True}
        wanted |= {name: list(ids) for name, ids in (("albumIds", albums), ("tagIds", tags)) if ids}
        page: int | None = 1
        while page is not None:
            answer = self._json("POST", "/search/metadata", {**wanted, "page": page})
            try:
                found = answer["assets"]
                yield from [_asset(facts) for facts in found["items"]]
                following = int(found["nextPage"]) if found["nextPage"] else None
            except (KeyError, TypeError, ValueError) as error:
                raise self._strange("/search/metadata", error) from error
            page = following if following is None or following > page else None

    def preview(self, asset: Asset) -> bytes:
        """A JPEG or WebP of moderate size."""
        return self._call("GET", f"/assets/{quote(asset.id, safe='')}/thumbnail?size=preview")

    def download(self, asset: Asset, target: Path) -> None:
        """The file as it was uploaded. Raises OSError for the target; its checksum is checked where the server tells one."""
        digest = hashlib.sha1(usedforsecurity=False)

        def save(answer: http.client.HTTPResponse) -> bytes:
            nonlocal digest
            digest = hashlib.sha1(usedforsecurity=False)
            with target.open("wb") as file:
                for block in _blocks(answer):
                    file.write(block)
                    digest.update(block)
            return b""

        self._call("GET", f"/assets/{quote(asset.id, safe='')}/original", receive=save)
        if asset.checksum and asset.checksum not in (digest.hexdigest(), _base64(digest.digest())):
            raise ServerRefused(
                "the download is not the picture", path=asset.name, why="its checksum differs", hint="try again"
            )

    def upload(self, path: Path, asset: Asset) -> str:
        """The picture as a new asset with the dates of another; returns its id, also if it is there already."""
        digest = hashlib.sha1(usedforsecurity=False)
        with path.open("rb") as file:
            for block in _blocks(file):
                digest.update(block)
        fields = {name: str(asset.facts[name]) for name in ("fileCreatedAt", "fileModifiedAt")}
        fields["filename"] = path.name
        if self.major < 3:
            fields |= {"deviceAssetId": f"colorize-media-{digest.hexdigest()}", "deviceId": "colorize-media"}
        boundary = secrets.token_hex(16)
        head, tail = _form(fields, path.name, boundary)
        headers = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(len(head) + path.stat().st_size + len(tail)),
            "x-immich-checksum": digest.hexdigest(),
        }
        answer = self._call("POST", "/assets", headers=headers, body=lambda: _pieces(head, path, tail))
        try:
            return str(json.loads(answer)["id"])
        except (KeyError, TypeError, ValueError) as error:
            raise self._strange("/assets", error) from error

    def add_to_album(self, album: str, asset_id: str) -> str:
        """Returns why it could not be, or nothing."""
        answer = self._list("PUT", f"/albums/{quote(album, safe='')}/assets", {"ids": [asset_id]})
        errors = [str(row.get("error")) for row in answer if not row.get("success") and row.get("error") != "duplicate"]
        return ", ".join(errors)

    def stack(self, asset_ids: Sequence[str]) -> None:
        """Under the first one."""
        self._json("POST", "/stacks", {"assetIds": list(asset_ids)})

    def make_tag(self, name: str) -> str:
        """The tag's id, whether it was there or not."""
        tags = self._list("PUT", "/tags", {"tags": [name]})
        if not tags:
            raise self._strange("/tags", ValueError("no tag"))
        return str(tags[-1]["id"])

    def tag(self, tag: str, asset_id: str) -> None:
        """Tag one picture."""
        self._list("PUT", f"/tags/{quote(tag, safe='')}/assets", {"ids": [asset_id]})

    def update(self, asset_id: str, values: Mapping[str, Any]) -> None:
        """Description, rating, place …; see Immich's UpdateAssetDto."""
        self._json("PUT", f"/assets/{quote(asset_id, safe='')}", dict(values))

    # --- how it is asked

    def _json(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        return self._parsed(method, path, body, dict)

    def _list(self, method: str, path: str, body: Any = None) -> list[dict[str, Any]]:
        rows = self._parsed(method, path, body, list)
        if not all(isinstance(row, dict) for row in rows):
            raise self._strange(path, TypeError("a list of something else"))
        return rows

    def _parsed(self, method: str, path: str, body: Any, kind: type) -> Any:
        text = b"" if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"} if text else {}
        answer = self._call(method, path, headers=headers, body=(lambda: text) if text else None)
        try:
            found = json.loads(answer)
        except ValueError as error:
            raise self._strange(path, error) from error
        if not isinstance(found, kind):
            raise self._strange(path, TypeError(f"not a {kind.__name__}"))
        return found

    def _call(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Any] | None = None,
        receive: Callable[[http.client.HTTPResponse], bytes] | None = None,
    ) -> bytes:
        pause = FIRST_PAUSE
        for turn in range(TRIES):
            status, answer, wait = self._once(method, path, headers or {}, body, receive)
            if status and status < 300:
                return answer
            if status and status not in _AGAIN:
                raise self._refusal(status, answer, path)
            if turn < TRIES - 1:
                self._sleep(min(max(pause, wait), LONGEST_PAUSE))
                pause *= 2
        why = answer.decode("utf-8", "replace")[:300] if not status else f"it answers {status}"
        raise ServerProblem(
            "the server cannot be used", path=None, why=f"{self.url}: {why}", hint="the same command goes on later"
        )

    def _once(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Callable[[], Any] | None,
        receive: Callable[[http.client.HTTPResponse], bytes] | None,
    ) -> tuple[int, bytes, float]:
        """Status, answer, and seconds to wait; status 0 with the reason where there was no whole answer."""
        if self._connection is None:
            kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
            self._connection = kind(self._host, timeout=TIMEOUT)
        own = {"x-api-key": self._key, "Accept": "*/*", "User-Agent": f"colorize-media/{__version__}", **headers}
        try:
            self._connection.request(method, self._base + path, body() if body else None, own)
            answer = self._connection.getresponse()
            if receive is not None and answer.status < 300:
                try:
                    content = receive(answer)
                except OSError as error:
                    if isinstance(error, (ConnectionError, TimeoutError)):
                        raise
                    raise _OwnDisk from error
            else:
                content = answer.read(LARGEST_ANSWER)
            if answer.length:  # http.client says nothing when the connection ends too early
                raise http.client.IncompleteRead(b"", answer.length)
            wait = answer.headers.get("Retry-After", "")
            if answer.will_close or not answer.isclosed():
                self.close()
            return answer.status, content, float(wait) if wait.isdigit() else 0.0
        except _OwnDisk as problem:
            self.close()
            raise problem.__cause__ or problem from None
        except (OSError, http.client.HTTPException) as error:
            self.close()
            return 0, (str(error) or type(error).__name__).encode(), 0.0

    def _refusal(self, status: int, answer: bytes, path: str) -> ServerProblem | ServerRefused:
        told = ""
        with contextlib.suppress(ValueError, AttributeError):
            found = json.loads(answer).get("message", "")
            told = "; ".join(map(str, found)) if isinstance(found, list) else str(found)
        if status in (401, 403):
            return ServerProblem(
                "the server refuses the key",
                why=f"{self.url} answers {status}{': ' + told if told else ''}",
                hint="docs/immich.md says what the key must allow",
            )
        if 300 <= status < 400:
            return ServerProblem(
                "the server sends us elsewhere",
                why=f"{self.url} answers {status}, and the key is for no other address",
                hint="give the address that it ends at",
            )
        why = f"{status} for {path.partition('?')[0]}{': ' + told if told else ''}"
        return ServerRefused("the server refuses", why=why, hint="try again, or look into the server's log")

    def _strange(self, path: str, error: Exception) -> ServerProblem:
        return ServerProblem(
            "the server's answer is not understood",
            why=f"{self.url}{path.partition('?')[0]}: {type(error).__name__}: {error}",
            hint="check that the URL is that of Immich",
        )


class _OwnDisk(Exception):
    """Writing what was received failed: not the server's fault."""


def _asset(facts: Mapping[str, Any]) -> Asset:
    kept = {name: facts.get(name) for name in _FACTS}
    kept["exifInfo"] = {name: (facts.get("exifInfo") or {}).get(name) for name in _EXIF}
    return Asset(str(facts["id"]), str(facts["originalFileName"]), str(facts.get("checksum") or ""), kept)


def _chosen(what: str, names: Sequence[str], rows: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[str]:
    """Ids of the rows that have the names; all of them where several have one."""
    ids: list[str] = []
    for name in names:
        found = [str(row["id"]) for row in rows if name in [row.get(key) for key in keys]]
        if not found:
            there = ", ".join(sorted(str(row.get(keys[1])) for row in rows)[:20]) or "none"
            raise BadOption(f"unknown {what}", why=f"{name!r} is not on the server", hint=f"there: {there}")
        ids += found
    return ids


def _form(fields: Mapping[str, str], name: str, boundary: str) -> tuple[bytes, bytes]:
    """What stands before and after the file in a multipart form (RFC 7578); quotes and breaks in names as browsers do."""
    out = []
    for key, value in fields.items():
        out.append(f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n')
    safe = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
    out.append(
        f'--{boundary}\r\nContent-Disposition: form-data; name="assetData"; filename="{safe}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return "".join(out).encode("utf-8", "replace"), f"\r\n--{boundary}--\r\n".encode()


def _pieces(head: bytes, path: Path, tail: bytes) -> Iterator[bytes]:
    yield head
    with path.open("rb") as file:
        yield from _blocks(file)
    yield tail


def _blocks(file: BinaryIO | http.client.HTTPResponse) -> Iterator[bytes]:
    while block := file.read(_BLOCK):
        yield block


def _base64(digest: bytes) -> str:
    import base64

    return base64.b64encode(digest).decode()
