# SPDX-License-Identifier: GPL-2.0-or-later
"""Merges the host's accounts into an overlay that has accounts of its own.

Once something in the overlay has written /etc/passwd or a file of its kind, the overlay's copy hides what the host
adds. So each entry gets a three-way merge: of the host's file at the last launch, the host's now, and the overlay's.
"""

import os
from collections.abc import Mapping
from pathlib import Path, PurePath

from ..filesystem import files
from ..machine import ACCOUNTS
from .events import Event

_ETC = PurePath("etc")

_MEMBERS: Mapping[str, tuple[int, ...]] = {"group": (3,), "gshadow": (2, 3)}
"""The fields, from 0, that are lists of names: group(5), gshadow(5)."""

_NUMBER: Mapping[str, int] = {"passwd": 2, "group": 2}
"""The field, from 0, of the user's or group's number: passwd(5), group(5)."""

_BY_LINE = frozenset({"subuid", "subgid"})
"""Files in which one name may have several entries: subuid(5)."""

PATHS = frozenset(f"/{_ETC}/{name}{suffix}" for name in ACCOUNTS for suffix in ("", "-"))
"""The paths of account files, and of the copies that useradd(8) and the like keep of them."""


def follow(upper: Path, lower: Path, saved: Path) -> list[Event]:
    """Merge changes of the lower's account files into those of an upper that is not mounted.

    `saved` is the directory with copies of the host's files as they were the last time; they are updated. Returns an
    event for each clash of numbers.
    """
    happened = []
    saved.mkdir(mode=0o700, exist_ok=True)
    with files.directory(saved) as saved_fd:
        for name in ACCOUNTS:
            now, then = files.content(lower, _ETC / name), files.content(saved, PurePath(name))
            if now is None or now == then:
                continue
            ours = files.content(upper, _ETC / name)
            if ours is not None:
                merged, clashes = merge(name, then=then or b"", now=now, ours=ours)
                if merged != ours:
                    with files.directory(upper, _ETC) as fd, files.naming(upper / _ETC / name):
                        files.rewrite(fd, name, merged)
                happened += [Event("clash", f"{clash} (/{_ETC / name})") for clash in clashes]
            with files.naming(saved / name):
                files.write(saved_fd, name, now)
    return happened


def merge(name: str, *, then: bytes, now: bytes, ours: bytes) -> tuple[bytes, list[str]]:
    """Return `ours`, the overlay's file `name`, with what the host changed in its own between `then` and `now`.

    Entries that the host added are added. A field that the host changed is changed, unless the overlay changed it as
    well. Names that the host added to a list of names, or removed from it, are added and removed. Entries that the host
    removed stay, since files in the overlay may belong to them. Every other byte is as it was. Returned as well are the
    clashes of numbers, in words.
    """
    before, after = _entries(name, then), _entries(name, now)
    lines = ours.splitlines(keepends=True)
    present = {_key(name, line): index for index, line in enumerate(lines)}
    added = []
    for key, line in after.items():
        if before.get(key) == line:
            continue
        if key in present:
            mine = lines[present[key]].rstrip(b"\n")
            end = lines[present[key]][len(mine) :]
            lines[present[key]] = _merged(name, before.get(key), line, mine) + end
        elif key not in before:
            added.append(line + b"\n")
    # What begins with + or - stands for entries from elsewhere, and comes last (nsswitch.conf(5), "compat").
    end_of_own = next((index for index, line in enumerate(lines) if line[:1] in (b"+", b"-")), len(lines))
    if added and end_of_own and not lines[end_of_own - 1].endswith(b"\n"):
        lines[end_of_own - 1] += b"\n"
    lines[end_of_own:end_of_own] = added
    new = {key: line for key, line in after.items() if key not in before}
    return b"".join(lines), _clashes(name, new, _entries(name, ours))


def _key(name: str, line: bytes) -> bytes:
    line = line.rstrip(b"\n")
    return line if name in _BY_LINE else line.partition(b":")[0]


def _entries(name: str, content: bytes) -> dict[bytes, bytes]:
    lines = [line for line in content.splitlines() if b":" in line and line[:1] not in (b"+", b"-", b"#")]
    return {_key(name, line): line for line in lines}


def _merged(name: str, then: bytes | None, now: bytes, ours: bytes) -> bytes:
    """Return an entry of the overlay's with what the host changed in it, field by field."""
    new, fields = now.split(b":"), ours.split(b":")
    old = [b""] * len(new) if then is None else then.split(b":")
    if not len(old) == len(new) == len(fields):
        return ours
    for index, field in enumerate(fields):
        if index in _MEMBERS.get(name, ()):
            fields[index] = _merged_names(old[index], new[index], field)
        elif field == old[index] and then is not None:
            fields[index] = new[index]
    return b":".join(fields)


def _merged_names(then: bytes, now: bytes, ours: bytes) -> bytes:
    before, after = then.split(b","), now.split(b",")
    kept = [name for name in ours.split(b",") if name and (name in after or name not in before)]
    return b",".join(kept + [name for name in after if name and name not in before and name not in kept])


def _clashes(name: str, new: Mapping[bytes, bytes], ours: Mapping[bytes, bytes]) -> list[str]:
    """Describe each new entry of the host's whose number another entry has in the overlay, or whose number differs."""
    if name not in _NUMBER:
        return []

    def number(line: bytes) -> bytes:
        return line.split(b":")[_NUMBER[name]] if line.count(b":") >= _NUMBER[name] else b""

    holders = {number(line): key for key, line in ours.items()}
    found = []
    for key, line in new.items():
        theirs = number(line)
        if key in ours and number(ours[key]) != theirs:
            who, one, other = map(os.fsdecode, (key, theirs, number(ours[key])))
            found.append(f"{who} has number {one} on the host, {other} in the overlay")
        elif theirs and holders.get(theirs, key) != key:
            shared, one, other = map(os.fsdecode, (theirs, key, holders[theirs]))
            found.append(f"number {shared} belongs to {one} on the host, to {other} in the overlay")
    return found
