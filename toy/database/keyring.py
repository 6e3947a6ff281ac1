# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys that rpm keeps in files beside its database, and how a machine's follow the host's.

With `%_keyring fs` there is one file per key in KEYS, with `openpgp` one in a directory below that (rpm,
docs/man/rpm-config.5, lib/rpmkeystore.cc). With `rpmdb` keys are packages, and follow as all packages do.
"""

import contextlib
import hashlib
import itertools
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath

from ..filesystem import files, records
from ..machine import KEYS

_LARGEST = 1 << 20
"""Most bytes of a key: an overlay may bring anything, and larger files are left out."""

_MOST = 10_000
"""Most entries that are read of a directory, for the same reason."""

Keys = Mapping[PurePath, str]
"""The digest of each key file, by its path below that of the database."""


def follow(target: Path, *, own: Path, host: Path, then: Keys) -> Keys:
    """Merge the keys of a machine (`own`) and of its host into `target`: `version_that_counts` of each key.

    These three are directories of databases; `target` may be `own`, and nobody else uses the two. `then` are the
    host's keys when the machine last followed them. Returns the host's keys now; the merged ones are on
    stable storage by then. No link is followed out of any directory. Raises OSError if a key cannot be written.
    """
    ours, theirs, present = _keys(own), _keys(host), _keys(target)
    for path in sorted(ours.keys() | theirs.keys() | present.keys()):
        wanted = version_that_counts(ours.get(path), theirs.get(path), then.get(path))
        if wanted == present.get(path):
            continue
        # If the overlay has something else in the place of a key or of a directory for keys, that stays.
        with (
            contextlib.suppress(files.NotADirectory, IsADirectoryError),
            files.directory(target, path.parent, create=True) as fd,
            files.naming(target / path),
        ):
            if wanted is None:
                os.unlink(path.name, dir_fd=fd)
                os.fsync(fd)
            else:
                content = _content(host if wanted == theirs.get(path) else own, path)
                files.write(fd, path.name, content, durable=True)
                _sync(target, path.parents[1:])
    return theirs


def version_that_counts(ours: str | None, theirs: str | None, then: str | None) -> str | None:
    """Return which version of a key counts: `ours`, the overlay's, or `theirs`, the host's, which was `then`.

    Each is a digest, or None for no such key. If only one side changed the key, that side counts. If both changed it,
    the host counts; if one changed it and the other removed it, the overlay does.
    """
    if ours == then:
        return theirs
    if theirs == then or ours is None or theirs is None:
        return ours
    return theirs


def recall(record: Path) -> Keys:
    """Return the keys that `remember` recorded; none if that cannot be read: then `follow` removes no keys."""
    try:
        return {PurePath(path): str(digest) for path, digest in records.read(record)["keys"].items()}
    except (AttributeError, KeyError, TypeError):
        return {}


def remember(record: Path, keys: Keys) -> None:
    """Record the host's keys, after a machine's keys followed them."""
    if keys != recall(record):
        names = {os.fspath(path): digest for path, digest in sorted(keys.items())}
        records.write(record, {"keys": names}, durable=True)


def _sync(database: Path, folders: Iterable[PurePath]) -> None:
    """Write to stable storage which entries these directories have."""
    for folder in folders:
        with files.directory(database, folder) as fd:
            os.fsync(fd)


def _keys(database: Path) -> dict[PurePath, str]:
    found: dict[PurePath, str] = {}
    top = PurePath(KEYS)
    inside = [top / name for name, is_directory in _entries(database, top) if is_directory]
    for folder in (top, *inside):
        for name, is_directory in _entries(database, folder):
            with contextlib.suppress(OSError, files.NotADirectory):
                if not is_directory:
                    found[folder / name] = hashlib.sha256(_content(database, folder / name)).hexdigest()
    return found


def _entries(database: Path, folder: PurePath) -> Iterator[tuple[str, bool]]:
    """Yield the name of each file and directory in a directory, and whether it is a directory."""
    with (
        contextlib.suppress(FileNotFoundError, files.NotADirectory),
        files.directory(database, folder) as fd,
        files.scan(fd) as entries,
    ):
        for entry in itertools.islice(entries, _MOST):
            if entry.is_dir(follow_symlinks=False) or entry.is_file(follow_symlinks=False):
                yield entry.name, entry.is_dir(follow_symlinks=False)


def _content(database: Path, path: PurePath) -> bytes:
    """Return the content of a key file. Raises OSError if it is no regular file, or too large for a key."""
    with files.directory(database, path.parent) as folder, files.opened(folder, path.name) as fd:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError("not a regular file")
        with open(fd, "rb", closefd=False) as file:
            content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise OSError("too large for a key")
    return content
