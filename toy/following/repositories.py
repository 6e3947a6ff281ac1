# SPDX-License-Identifier: GPL-2.0-or-later
"""Merges the host's repositories, services, locks, credentials and variables into those of an overlay that has its own.

Once zypper in the overlay has changed such a file (zypper modifyrepo, addlock), the overlay's copy hides what the host
changes in its own; once it has removed one (removerepo), a whiteout does, and stands for an empty file here. So each
gets a three-way merge, as accounts do: of the host's file at the last launch, the host's now, and the overlay's.
"""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePath

from ..events import FOLLOWED, Event
from ..filesystem import files, whiteout
from . import ini

_ZYPP = PurePath("etc/zypp")
_FOLDERS: Mapping[str, str] = {"repos.d": ".repo", "services.d": ".service", "credentials.d": "", "vars.d": ""}
"""Directories of files, and how their names end."""
_WHOLE = frozenset({"credentials.d", "vars.d"})
"""Those of files that mean one thing each; the others have INI files."""
_LOCKS = PurePath("locks")

_LONGEST = 1 << 20
"""Most bytes of a file of the overlay's that is merged: to do so takes a hundred times its size of memory, and a
repository has some hundred bytes."""


def follow(upper: Path, lower: Path, saved: Path, keep: Callable[[list[Event]], None]) -> list[Event]:
    """Merge what the host changed in its files into those of an upper that is not mounted.

    `saved` is the directory with copies of the host's files as they were the last time; they are updated. Returns an
    event for each file that changed; `keep` gets what there is to tell before it cannot be seen any more.
    """
    happened = []
    paths = sorted({*_names(lower / _ZYPP), *_names(saved)})
    before = {path: files.content(saved, path) for path in paths}
    after = {path: files.content(lower, _ZYPP / path) for path in paths}
    for old, new in renamed(before, after).items():
        _rename(upper / _ZYPP, old, new)
        _save(saved, new, before[old])  # before the old one goes: else an interrupted launch loses both
        _save(saved, old, None)
        before[old], before[new] = None, before[old]
    for path in paths:
        then, now = before[path], after[path]
        if now == then:
            continue
        is_hidden = _is_hidden(upper, _ZYPP / path)
        ours = b"" if is_hidden else files.content(upper, _ZYPP / path, longest=_LONGEST)
        if ours is not None:
            merged = merge(path, then=then or b"", now=now or b"", ours=ours)
            with files.directory(upper, _ZYPP / path.parent) as fd, files.naming(upper / _ZYPP / path):
                if merged is None:
                    os.unlink(path.name, dir_fd=fd)
                elif merged != ours:
                    if is_hidden:
                        files.write(fd, path.name, merged, shared=True)
                    else:
                        files.rewrite(fd, path.name, merged)
            if merged != ours:
                happened.append(Event(FOLLOWED, f"the host (/{_ZYPP / path})"))
            elif ours and path.parent.name in _WHOLE:
                what = f"/{_ZYPP / path} (the host has another one; the overlay keeps its own)"
                happened.append(Event("shadowed", what))
                keep(happened)
        _save(saved, path, now)
    return happened


def _names(folder: Path) -> Iterator[PurePath]:
    """Yield the paths, below `folder`, of the files that are merged."""
    for name, suffix in _FOLDERS.items():
        with contextlib.suppress(OSError):
            yield from (PurePath(name, each) for each in os.listdir(folder / name) if each.endswith(suffix))
    yield _LOCKS


def renamed(
    before: Mapping[PurePath, bytes | None], after: Mapping[PurePath, bytes | None]
) -> dict[PurePath, PurePath]:
    """Return the new paths of the host's files that went while another one came with the same sections.

    `before` and `after` have the same paths, and None for a file that is not there.
    """
    went = [path for path in before if after[path] is None and path.parent.name not in _WHOLE]
    found: dict[PurePath, PurePath] = {}
    for new in (path for path in after if before[path] is None):
        sections = ini.names(after[new] or b"")
        alike = (
            old
            for old in went
            if (old.parent, old.suffix) == (new.parent, new.suffix) and ini.names(before[old] or b"") == sections
        )
        old = next(alike, None)
        if old is not None and sections:
            went.remove(old)
            found[old] = new
    return found


def _rename(folder: Path, old: PurePath, new: PurePath) -> None:
    """Give a file or whiteout of an upper another name, unless something has it."""
    with contextlib.suppress(FileNotFoundError, files.NotADirectory), files.directory(folder, old.parent) as fd:
        if not files.exists(fd, new.name):
            os.rename(old.name, new.name, src_dir_fd=fd, dst_dir_fd=fd)


def _is_hidden(upper: Path, path: PurePath) -> bool:
    """Say whether the upper has a whiteout at a path."""
    with contextlib.suppress(FileNotFoundError, files.NotADirectory), files.directory(upper, path.parent) as fd:
        return whiteout.is_whiteout(os.stat(path.name, dir_fd=fd, follow_symlinks=False))
    return False


def _save(saved: Path, path: PurePath, content: bytes | None) -> None:
    saved.mkdir(mode=0o700, exist_ok=True)
    with files.directory(saved, path.parent, create=True) as fd, files.naming(saved / path):
        if content is None:
            files.remove(fd, path.name)
        else:
            files.write(fd, path.name, content)


def merge(path: PurePath, *, then: bytes, now: bytes, ours: bytes) -> bytes | None:
    """Return the overlay's file `ours` with what the host changed between `then` and `now`; b"" stands for no file.

    It is None if the overlay needs no file of its own, since that would say what the host's says. What both changed is
    as the overlay has it. A file that makes no sense stays as it is. `path` is that below /etc/zypp.
    """
    if path == _LOCKS:
        return _merged_locks(then, now, ours)
    if path.parent.name in _WHOLE:
        return None if ours in (then, now) else ours
    return ini.merge(then=then, now=now, ours=ours)


def _merged_locks(then: bytes, now: bytes, ours: bytes) -> bytes | None:
    """Merge files of locks (zypper(8), addlock): paragraphs of lines, whose order does not matter."""
    old, new, mine = ([part for part in content.split(b"\n\n") if part.strip()] for content in (then, now, ours))
    old, new, mine = ([part.strip(b"\n") for part in parts] for parts in (old, new, mine))
    merged = [part for part in mine if part in new or part not in old]
    merged += [part for part in new if part not in old and part not in merged]
    if sorted(merged) == sorted(new):
        return None
    return ours if merged == mine else b"".join(b"\n%b\n" % part for part in merged)
