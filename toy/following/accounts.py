# SPDX-License-Identifier: GPL-2.0-or-later
"""Merges the host's accounts into an overlay that has accounts of its own.

Once something in the overlay has written /etc/passwd or a file of its kind, the overlay's copy hides what the host
adds. So each entry gets a three-way merge: of the host's file at the last launch, the host's now, and the overlay's.
"""

from collections.abc import Collection, Mapping
from pathlib import Path, PurePath
from typing import NamedTuple

from ..events import FOLLOWED, Event
from ..filesystem import files
from ..machine import ACCOUNTS, Machine
from . import numbers, renumber
from .numbers import Clash, Move
from .renumber import Renumbering, Step, Tell

_ETC = PurePath("etc")

_MEMBERS: Mapping[str, tuple[int, ...]] = {"group": (3,), "gshadow": (2, 3)}
"""The fields, from 0, that are lists of names: group(5), gshadow(5)."""

_TABLE_OF = {"subuid": "passwd", "subgid": "group"}
"""Files in which one name may have several entries, subuid(5), and those that have other numbers of their kind."""

_GONE = ".gone"
"""The end of names in `Machine.accounts`: files with accounts that the host has no longer. An overlay without accounts
of its own does not keep them, and may have files of theirs."""

PATHS = frozenset(f"/{_ETC}/{name}{suffix}" for name in ACCOUNTS for suffix in ("", "-"))
"""The paths of account files, and of the copies that useradd(8) and the like keep of them."""


def follow(machine: Machine, tell: Tell) -> list[Event]:
    """Merge changes of the host's account files into those of a machine's upper, which is not mounted.

    `Machine.accounts` has copies of the host's files as they were the last time; they are updated. Returns an event for
    each clash of numbers, and for each number that files followed, after `tell` kept them.
    """
    happened = renumber.finish(machine, tell)  # what an interrupted launch began
    upper, lower, saved = map(Path, (machine.overlay, machine.root, machine.accounts))
    saved.mkdir(mode=0o700, exist_ok=True)
    then = {name: files.content(saved, PurePath(name)) or b"" for name in ACCOUNTS}
    now = {name: content for name in ACCOUNTS if (content := files.content(lower, _ETC / name)) is not None}
    changed = [name for name in now if now[name] != then[name]]
    if not changed:
        return happened
    own = {name: files.content(upper, _ETC / name) for name in changed}
    gone = {name: files.content(saved, PurePath(name + _GONE)) or b"" for name in renumber.TABLES}
    settled = [
        _settle(machine, name, then=then[name], now=now[name], own=own[name], gone=gone[name])
        for name in renumber.TABLES
        if name in changed
    ]
    events = [event for each in settled for event in each.events]
    if events:
        renumber.begin(machine, Renumbering([step for each in settled for step in each.steps], events))
        happened += renumber.finish(machine, tell)
    apart = {b"%d" % number for each in settled for number in each.apart}
    for name in changed:
        ours = files.content(upper, _ETC / name)
        if ours is not None:
            mine = ours
            if name in _TABLE_OF:
                mine, ranges = _settle_ranges(machine, name, then=then[name], now=now[name], ours=ours)
                if ranges:
                    tell(ranges)
                    happened += ranges
            merged = merge(name, then=then[name], now=now[name], ours=mine, apart=apart)
            if merged != ours:
                with files.directory(upper, _ETC) as fd, files.naming(upper / _ETC / name):
                    files.rewrite(fd, name, merged)
    with files.directory(saved) as fd, files.within(saved):
        for name in gone.keys() & changed:
            before = b"\n".join((gone[name], then[name]))
            files.write(fd, name + _GONE, numbers.of_others(before, now[name], own[name] or b""))
        for name in changed:
            files.write(fd, name, now[name])
    return happened


class _Settled(NamedTuple):
    """What becomes of the numbers in one file of accounts."""

    steps: list[Step]
    events: list[Event]
    apart: set[int]
    """Numbers that stay those of different groups, on the host and in the overlay."""


def _settle(machine: Machine, table: str, *, then: bytes, now: bytes, own: bytes | None, gone: bytes) -> _Settled:
    """Decide which accounts get other numbers; `own` is the overlay's passwd or group, None if it has the host's.

    `gone` are accounts that the host had before, and that the overlay did not keep.
    """
    gone = numbers.of_others(gone, then, own or b"")
    then = b"\n".join((then, gone))
    theirs = then if own is None else gone
    ours = b"\n".join((own or b"", theirs))
    found = numbers.clashes(then=then, now=now, ours=ours)
    if found and theirs:  # only those accounts matter that have files in the overlay
        ours = b"\n".join((own or b"", numbers.of_these(theirs, renumber.used(machine, table))))
        found = numbers.clashes(then=then, now=now, ours=ours)
    moves = {move.name: move for move in numbers.goals(found, then=then, now=now, ours=ours)}
    before = numbers.in_use(then)
    steps = numbers.steps(moves.values(), before | numbers.in_use(now, ours))
    stay = [clash for clash in found if clash.name not in moves] if table == "group" else []
    return _Settled(
        [Step(table, some) for some in steps],
        [_event(table, clash, moves.get(clash.name), before) for clash in found],
        {number for clash in stay for number in (clash.number, clash.to) if number is not None},
    )


def _settle_ranges(machine: Machine, name: str, *, then: bytes, now: bytes, ours: bytes) -> tuple[bytes, list[Event]]:
    """Return the overlay's subuid or subgid in which no range has numbers of one that is new on the host.

    A range in which files have numbers stays.
    """
    events = []
    found = numbers.clashing_ranges(then=then, now=now, ours=ours)
    used = renumber.used(machine, _TABLE_OF[name], everywhere=True) if found else set()
    for one, other in found.items():
        to = numbers.free_range(one, now, ours)
        if to is None or any(one.first <= number <= one.last for number in used):
            text = f"{one} belong to {one.name} in the overlay, {other} to {other.name} on the host (/{_ETC / name})"
            events.append(Event("clash", text))
        else:
            ours = numbers.with_range(ours, one, to)
            events.append(Event(FOLLOWED, f"the host (/{_ETC / name}: {one.name} has {to}; it was {one})"))
    return ours, events


def _event(table: str, clash: Clash, move: Move | None, before: Collection[int]) -> Event:
    """Return the event for a clash, and the move that settles it, if any; `before` are the host's numbers until now."""
    path = f"/{_ETC / table}"
    if move is None:
        return Event("clash", f"{clash} ({path})")
    name, number, to = move
    if number in before:  # it had that on the host as well, else it would stay
        return Event(FOLLOWED, f"the host ({path}: {name} is {to}, and so are its files; it was {number})")
    return Event("clash", f"{clash} ({path}; {name} is {to} there now, and so are its files)")


def merge(name: str, *, then: bytes, now: bytes, ours: bytes, apart: Collection[bytes] = ()) -> bytes:
    """Return `ours`, the overlay's file `name`, with what the host changed in its own between `then` and `now`.

    Entries that the host added are added. A field that the host changed is changed, unless the overlay changed it as
    well. Names that the host added to a list of names, or removed from it, are added and removed. Entries that the host
    removed stay, since files in the overlay may belong to them. So do numbers, which go with files (`numbers`), and a
    user's group where the host's has one in `apart`, which is another group's here. Every other byte is as it was.
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
            lines[present[key]] = _merged(name, before.get(key), line, mine, apart) + end
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
    return line if name in _TABLE_OF else line.partition(b":")[0]


def _entries(name: str, content: bytes) -> dict[bytes, bytes]:
    lines = [line for line in content.splitlines() if b":" in line and line[:1] not in (b"+", b"-", b"#")]
    return {_key(name, line): line for line in lines}


def _merged(name: str, then: bytes | None, now: bytes, ours: bytes, apart: Collection[bytes]) -> bytes:
    """Return an entry of the overlay's with what the host changed in it, field by field."""
    new, fields = now.split(b":"), ours.split(b":")
    old = [b""] * len(new) if then is None else then.split(b":")
    if not len(old) == len(new) == len(fields):
        return ours
    for index, field in enumerate(fields):
        is_number = name in renumber.TABLES and index == numbers.NUMBER
        is_apart = name == "passwd" and index == numbers.GROUP and new[index] in apart
        if index in _MEMBERS.get(name, ()):
            fields[index] = _merged_names(old[index], new[index], field)
        elif field == old[index] and then is not None and not is_number and not is_apart:
            fields[index] = new[index]
    return b":".join(fields)


def _merged_names(then: bytes, now: bytes, ours: bytes) -> bytes:
    before, after = then.split(b","), now.split(b",")
    kept = [name for name in ours.split(b",") if name and (name in after or name not in before)]
    return b",".join(kept + [name for name in after if name and name not in before and name not in kept])
