"""Folders and buckets, through fsspec, and only those that the operator allows."""

import posixpath
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, BinaryIO, cast

import fsspec

from alliance.accrual.commands import Seen
from alliance.accrual.errors import FeedOutOfBounds, FileChanged

UNFINISHED = (".part", ".partial", ".tmp", ".filepart", ".crdownload")
"""How names of files end that somebody is still writing."""

DONE = ".done"
"""`sales.csv` is written whole once there is `sales.csv.done`."""

BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Sources:
    """What may be read: URLs of folders, all that lies in them included; nothing if there are none.

    `options` are what fsspec is told by kind of storage: secrets of buckets come from settings and nowhere else.
    A file is written whole when it has not changed for `settle`.
    """

    roots: tuple[str, ...] = ()
    settle: timedelta = timedelta(seconds=30)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)

    def seen(self, url: str, pattern: str) -> list[Seen]:
        """The files of a folder that match, but for links and for what is still written.

        Raises FeedOutOfBounds, OSError.
        """
        folder, files = self._path(url), self._system(url)
        files.invalidate_cache()
        found = {posixpath.basename(one["name"]): one for one in files.ls(folder, detail=True) if one["type"] == "file"}
        return [
            Seen(name, int(info["size"]), _stamp(info), name + DONE in found)
            for name, info in sorted(found.items())
            if fnmatchcase(name, pattern) and not name.startswith(".") and not name.endswith((*UNFINISHED, DONE))
        ]

    def stamp(self, url: str, name: str) -> str:
        """What a file is now. Raises FeedOutOfBounds, FileChanged if it is gone, OSError."""
        path, files = self._path(url, name), self._system(url)
        files.invalidate_cache()
        try:
            return _stamp(files.info(path))
        except FileNotFoundError:
            raise FileChanged(path=(name,)) from None

    @contextmanager
    def opened(self, url: str, name: str, stamp: str) -> Iterator[BinaryIO]:
        """A file, as long as it is what it was. Raises FeedOutOfBounds, FileChanged, OSError."""
        if self.stamp(url, name) != stamp:
            raise FileChanged(path=(name,))
        try:
            file = self._system(url).open(self._path(url, name), "rb")
        except FileNotFoundError:
            raise FileChanged(path=(name,)) from None
        with file:
            yield cast(BinaryIO, file)

    def _system(self, url: str) -> Any:
        scheme = url.partition("://")[0]
        return fsspec.filesystem(scheme, **self.options.get(scheme, {}))

    def _path(self, url: str, name: str = "") -> str:
        """The path in its storage. Raises FeedOutOfBounds where it, or what a link in it leads to, is not allowed."""
        whole = f"{url}/{name}" if name else url
        if "/" in name or not any(_within(whole, root) for root in self.roots):
            raise FeedOutOfBounds(url=whole, path=("url",))
        return whole.partition("://")[2]


def _within(url: str, root: str) -> bool:
    scheme, _, path = url.partition("://")
    its, _, top = root.partition("://")
    if scheme != its:
        return False
    if scheme == "file":
        return Path(path).resolve().is_relative_to(Path(top).resolve())
    path, top = posixpath.normpath(path), posixpath.normpath(top)
    return path == top or path.startswith(top.rstrip("/") + "/")


def _stamp(info: Mapping[str, Any]) -> str:
    """Its size, with the tag or the date by which its storage tells one content from another."""
    for name in ("ETag", "mtime", "LastModified", "created"):
        if (value := info.get(name)) is not None:
            return f"{info['size']}-{value.timestamp() if isinstance(value, datetime) else value}"
    return str(info["size"])
