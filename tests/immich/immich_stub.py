"""A stand-in for an Immich server, strict about what it is asked: unknown fields, wrong types and missing ones are refused.

It holds a small library in memory and speaks versions 2 and 3. What it accepts is checked with Immich's own client library
and command line in test_immich.py, where those are installed.
"""

from __future__ import annotations

import base64
import email.parser
import email.policy
import hashlib
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

KEY = "secret-key-of-the-test"
ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")

# Types of the fields that a request may have, as in Immich's OpenAPI description; those with ! must be there.
SEARCH = {
    "albumIds": list,
    "tagIds": list,
    "type": str,
    "size": int,
    "page": int,
    "withExif": bool,
    "withStacked": bool,
}
UPDATE = {
    "dateTimeOriginal": str,
    "description": str,
    "isFavorite": bool,
    "latitude": float,
    "longitude": float,
    "rating": int,
}
FORM = {"fileCreatedAt", "fileModifiedAt"}
FORM_OPTIONAL = {"filename", "isFavorite", "duration", "visibility", "metadata", "fileSize"}  # the last by @immich/cli
FORM_OLD = {"deviceAssetId", "deviceId"}


class Refused(Exception):
    """What is asked is wrong."""


@dataclass
class Library:
    """What the server holds. ``faults`` are called with method and path before a request; a status is answered."""

    major: int = 3
    assets: dict[str, dict[str, Any]] = field(default_factory=dict)
    files: dict[str, bytes] = field(default_factory=dict)
    albums: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    tags: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    stacks: list[list[str]] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    faults: list[Callable[[str, str], int | None]] = field(default_factory=list)
    page: int = 2  # assets on a page, whatever is asked, so that paging is tried
    redirect: str = ""

    def add(self, name: str, content: bytes, **more: Any) -> str:
        """An asset; returns its id."""
        number = f"{len(self.assets) + 1:08d}-0000-4000-8000-000000000000"
        self.files[number] = content
        self.assets[number] = {
            "id": number, "type": "IMAGE", "originalFileName": name, "originalPath": f"/data/{name}",
            "checksum": base64.b64encode(hashlib.sha1(content).digest()).decode(),
            "fileCreatedAt": "1954-05-06T07:08:09.000Z", "fileModifiedAt": "1990-01-02T03:04:05.000Z",
            "isFavorite": False, "isTrashed": False, "isOffline": False, "livePhotoVideoId": None,
            "exifInfo": {"description": "", "rating": None, "latitude": None, "longitude": None, "dateTimeOriginal": None},
            **more,
        }  # fmt: skip
        return number


def serve(library: Library) -> ThreadingHTTPServer:
    """A running server; ``shutdown`` and ``server_close`` end it."""

    class Handler(_Handler):
        pass

    Handler.library = library
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def check(body: Any, fields: dict[str, type], *required: str) -> dict[str, Any]:
    """The body, if it is an object of known fields."""
    if not isinstance(body, dict):
        raise Refused("no object")
    for name, value in body.items():
        if name not in fields:
            raise Refused(f"property {name} should not exist")
        kinds = (int, float) if fields[name] is float else (fields[name],)
        if not isinstance(value, kinds) or (isinstance(value, bool) and fields[name] is not bool):
            raise Refused(f"{name} must be {fields[name].__name__}")
    for name in required:
        if name not in body:
            raise Refused(f"{name} is missing")
    return body


class _Handler(BaseHTTPRequestHandler):
    library: Library
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Silence."""

    def do_GET(self) -> None:
        """All methods alike."""
        self._serve()

    do_POST = do_PUT = do_GET

    def _serve(self) -> None:
        library, path = self.library, urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = self._chunks()
        library.asked.append((self.command, path.path))
        for fault in library.faults:
            status = fault(self.command, path.path)
            if status == 0:  # hang up in the middle of an answer
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"half")
                self.close_connection = True
                return
            if status:
                self._answer(status, {"message": "a fault of the test"}, {"Location": library.redirect})
                return
        public = path.path in ("/api/server/version", "/api/server/ping")
        if not public and self.headers.get("x-api-key") != KEY:
            self._answer(401, {"message": "Invalid API key"})
            return
        try:
            status, answer = self._route(path.path.removeprefix("/api"), parse_qs(path.query), body)
        except Refused as problem:
            self._answer(400, {"message": [str(problem)], "error": "Bad Request", "statusCode": 400})
            return
        except (KeyError, ValueError) as problem:
            self._answer(400, {"message": f"Not found or no access: {problem}"})
            return
        self._answer(status, answer)

    def _chunks(self) -> bytes:
        out = b""
        while size := int(self.rfile.readline(), 16):
            out += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return out

    def _answer(self, status: int, answer: Any, headers: dict[str, str] | None = None) -> None:
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        kind = "application/octet-stream" if isinstance(answer, bytes) else "application/json"
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _route(self, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        library, asked = self.library, (self.command, path)
        parts = path.strip("/").split("/")
        if asked == ("GET", "/server/version"):
            return 200, {"major": library.major, "minor": 1, "patch": 2, "prerelease": None}
        if asked == ("GET", "/server/ping"):
            return 200, {"res": "pong"}
        if asked == ("GET", "/server/media-types"):
            return 200, {"image": [".jpg", ".png"], "video": [], "sidecar": [".xmp"]}
        if asked == ("GET", "/api-keys/me"):
            return 200, {"id": "key", "name": "test", "permissions": ["all"]}
        if asked == ("GET", "/users/me"):
            return 200, {"id": "me", "email": "me@example.org", "name": "me"}
        if asked == ("POST", "/search/metadata"):
            return 200, self._search(check(json.loads(body), SEARCH))
        if asked == ("GET", "/albums"):
            return 200, self._albums(query)
        if asked == ("GET", "/tags"):
            return 200, [self._tag(tag) for tag in library.tags]
        if asked == ("PUT", "/tags"):
            names = check(json.loads(body), {"tags": list}, "tags")["tags"]
            for name in names:
                if name not in [value for value, _ in library.tags.values()]:
                    library.tags[f"tag-new-{len(library.tags)}"] = (name, [])
            return 200, [self._tag(tag) for tag, (value, _) in library.tags.items() if value in names]
        if asked == ("POST", "/stacks"):
            ids = check(json.loads(body), {"assetIds": list}, "assetIds")["assetIds"]
            if len(ids) < 2 or not set(ids) <= library.assets.keys():
                raise Refused("assetIds")
            library.stacks.append(ids)
            return 201, {"id": "stack", "primaryAssetId": ids[0], "assets": [library.assets[one] for one in ids]}
        if asked == ("POST", "/assets/bulk-upload-check"):
            rows = json.loads(body)["assets"]
            return 200, {"results": [{"id": row["id"], "action": "accept"} for row in rows]}
        if asked == ("POST", "/assets"):
            return self._upload(body)
        if self.command == "PUT" and parts[0] in ("albums", "tags") and parts[2:] == ["assets"]:
            ids = check(json.loads(body), {"ids": list}, "ids")["ids"]
            members = (library.albums if parts[0] == "albums" else library.tags)[parts[1]][1]
            answer = [
                {"id": one, "success": one not in members, **({"error": "duplicate"} if one in members else {})}
                for one in ids
            ]
            members += [one for one in ids if one not in members]
            return 200, answer
        asset = library.assets[parts[1]] if parts[0] == "assets" and len(parts) > 1 else None
        if asset is not None and (self.command, parts[2:]) == ("GET", ["thumbnail"]):
            if query.get("size") not in (["preview"], ["thumbnail"], ["fullsize"], None):
                raise Refused("size")
            return 200, library.files[asset["id"]]
        if asset is not None and (self.command, parts[2:]) == ("GET", ["original"]):
            return 200, library.files[asset["id"]]
        if asset is not None and (self.command, parts[2:]) == ("PUT", []):
            asset["updated"] = check(json.loads(body), UPDATE)
            return 200, asset
        return 404, {"message": f"Cannot {self.command} {path}"}

    def _search(self, wanted: dict[str, Any]) -> dict[str, Any]:
        library, found = self.library, list(self.library.assets.values())
        if albums := wanted.get("albumIds"):
            found = [asset for asset in found if any(asset["id"] in library.albums[album][1] for album in albums)]
        if tags := wanted.get("tagIds"):
            found = [asset for asset in found if all(asset["id"] in library.tags[tag][1] for tag in tags)]
        if kind := wanted.get("type"):
            found = [asset for asset in found if asset["type"] == kind]
        size, page = min(wanted.get("size", 250), library.page), wanted.get("page", 1)
        items = found[size * (page - 1) : size * page]
        following = str(page + 1) if size * page < len(found) else None
        assets = {"total": len(found), "count": len(items), "items": items, "facets": [], "nextPage": following}
        return {"assets": assets, "albums": {"total": 0, "count": 0, "items": [], "facets": []}}

    def _albums(self, query: dict[str, list[str]]) -> list[dict[str, Any]]:
        wanted = query.get("assetId", [""])[0]
        return [
            {"id": album, "albumName": name, "assetCount": len(members)}
            for album, (name, members) in self.library.albums.items()
            if not wanted or wanted in members
        ]

    def _tag(self, tag: str) -> dict[str, Any]:
        value = self.library.tags[tag][0]
        return {"id": tag, "value": value, "name": value.rpartition("/")[2]}

    def _upload(self, body: bytes) -> tuple[int, Any]:
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        fields: dict[str, str] = {}
        content, name = None, ""
        for part in form.iter_parts():
            key = str(part.get_param("name", header="content-disposition"))
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            if key == "assetData":
                content, name = data, str(part.get_filename())
            else:
                fields[key] = data.decode()
        needed = FORM | (FORM_OLD if self.library.major < 3 else set())
        if content is None or not needed <= fields.keys():
            raise Refused(f"missing: {needed - fields.keys()}")
        if extra := fields.keys() - needed - FORM_OPTIONAL:
            raise Refused(f"should not exist: {extra}")
        if not all(ISO.fullmatch(fields[key]) for key in FORM):
            raise Refused("dates")
        digest = hashlib.sha1(content)
        if (told := self.headers.get("x-immich-checksum")) and told != digest.hexdigest():
            raise Refused("checksum")
        self.library.forms.append(fields)
        checksum = base64.b64encode(digest.digest()).decode()
        for asset in self.library.assets.values():
            if asset["checksum"] == checksum:
                return 200, {"id": asset["id"], "status": "duplicate"}
        dates = {key: fields[key] for key in FORM}
        return 201, {"id": self.library.add(name, content, **dates), "status": "created"}
