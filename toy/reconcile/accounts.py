# SPDX-License-Identifier: GPL-2.0-or-later
"""Merges the host's accounts into an overlay that has accounts of its own.

Once something in the overlay has written /etc/passwd or a file of its kind, the overlay's copy hides what the host
adds. So each entry gets a three-way merge: of the host's file at the last launch, the host's now, and the overlay's.
"""

import os
from collections.abc import Mapping
from pathlib import Path, PurePath

from ..filesystem import files
from ..machine import ACCOUNTS, Machine
from . import numbers
from .events import Event
from .numbers import Clash

_ETC = PurePath("etc")

_MEMBERS: Mapping[str, tuple[int, ...]] = {"group": (3,), "gshadow": (2, 3)}
"""The fields, from 0, that are lists of names: group(5), gshadow(5)."""

_NUMBERED = ("passwd", "group")
"""Files of accounts that have numbers."""

_BY_LINE = frozenset({"subuid", "subgid"})
"""Files in which one name may have several entries: subuid(5)."""

PATHS = frozenset(f"/{_ETC}/{name}{suffix}" for name in ACCOUNTS for suffix in ("", "-"))
"""The paths of account files, and of the copies that useradd(8) and the like keep of them."""


def follow(machine: Machine) -> list[Event]:
    """Merge changes of the host's account files into those of a machine's upper, which is not mounted.

    `Machine.accounts` has copies of the host's files as they were the last time; they are updated. Returns an event for
    each clash of numbers.
    """
    upper, lower, saved = map(Path, (machine.overlay, machine.root, machine.accounts))
    saved.mkdir(mode=0o700, exist_ok=True)
    then = {name: files.content(saved, PurePath(name)) for name in ACCOUNTS}
    now = {name: files.content(lower, _ETC / name) for name in ACCOUNTS}
    changed = [name for name in ACCOUNTS if now[name] is not None and now[name] != then[name]]
    if not changed:
        return []
    ours = {name: content for name in ACCOUNTS if (content := files.content(upper, _ETC / name)) is not None}
    happened = []
    for name in _NUMBERED:
        if name in changed and name in ours:
            host = {"then": then[name] or b"", "now": now[name] or b""}
            happened += _settle(machine, name, ours, **host)
    for name in changed:
        if name in ours:
            merged = merge(name, then=then[name] or b"", now=now[name] or b"", ours=ours[name])
            _write(upper, name, ours, merged)
    with files.directory(saved) as fd:
        for name in changed:
            with files.naming(saved / name):
                files.write(fd, name, now[name] or b"")
    return happened


def _settle(machine: Machine, name: str, ours: dict[str, bytes], *, then: bytes, now: bytes) -> list[Event]:
    """Give accounts of the overlay other numbers where theirs clash, and return an event for each clash.

    That is done one by one: the files of an account, then passwd and group, so that whoever interrupts it leaves
    something from which it can go on. Where accounts have each other's numbers, one gets a third number meanwhile.
    """
    found = {clash.name: clash for clash in clashes(name, then=then, now=now, ours=ours[name])}
    done: dict[str, tuple[int, int]] = {}
    waiting = dict(found)
    while waiting:
        steps = {who: step for who, clash in waiting.items() if (step := numbers.step(ours[name], clash, then, now))}
        ready = {who: step for who, step in steps.items() if not step.is_detour}
        if not steps:
            break
        who, step = next(iter((ready or steps).items()))
        count = numbers.give(machine, name, step)
        for other, content in numbers.renumbered_files(name, ours, step).items():
            _write(Path(machine.overlay), other, ours, content)
        if step.is_detour:
            waiting[who] = waiting[who]._replace(number=step.to)
        else:
            done[who] = step.to, count
            del waiting[who]
    events = []
    for who, clash in found.items():
        more = ""
        if who in done:
            to, count = done[who]
            more = f"; it is {to} there now, as of its files in the overlay: {count}"
        events.append(Event("clash", f"{clash} (/{_ETC / name}{more})"))
    return events


def _write(upper: Path, name: str, ours: dict[str, bytes], content: bytes) -> None:
    if content != ours[name]:
        with files.directory(upper, _ETC) as fd, files.naming(upper / _ETC / name):
            files.rewrite(fd, name, content)
        ours[name] = content


def merge(name: str, *, then: bytes, now: bytes, ours: bytes) -> bytes:
    """Return `ours`, the overlay's file `name`, with what the host changed in its own between `then` and `now`.

    Entries that the host added are added. A field that the host changed is changed, unless the overlay changed it as
    well. Names that the host added to a list of names, or removed from it, are added and removed. Entries that the host
    removed stay, since files in the overlay may belong to them. Every other byte is as it was.
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
    return b"".join(lines)


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


def clashes(name: str, *, then: bytes, now: bytes, ours: bytes) -> list[Clash]:
    """Return a clash for each new entry of the host's whose number another has in the overlay, or whose number differs.

    Of one account of the overlay's, there is one at most.
    """
    before, after, mine = (_entries(name, content) for content in (then, now, ours))

    holders = {numbers.of_entry(line): key for key, line in mine.items()}
    found: dict[bytes, Clash] = {}
    for key, line in after.items():
        theirs = numbers.of_entry(line)
        ours_of_name = numbers.of_entry(mine.get(key, line))
        if key in before or theirs is None or ours_of_name is None:
            continue
        if ours_of_name != theirs:
            found[key] = Clash(os.fsdecode(key), ours_of_name, to=theirs, other=None)
        if (holder := holders.get(theirs, key)) != key:
            found.setdefault(holder, Clash(os.fsdecode(holder), theirs, to=None, other=os.fsdecode(key)))
    return list(found.values())
