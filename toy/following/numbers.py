# SPDX-License-Identifier: GPL-2.0-or-later
"""Decides which accounts of the overlay get other numbers, where the host has given theirs away, or changed them.

The files of such an account get its new number (`renumber`). That is safe if nobody else has had the old one: then all
files in the upper and in the machine's /var that have it are the account's. Otherwise the clash is only named.
"""

import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import NamedTuple

NUMBER, GROUP = 2, 3
"""The fields, from 0, of an account's number: passwd(5), group(5); and of a user's group: passwd(5)."""

MOST = 2**32 - 2
"""The highest number that an account can have."""

_SYSTEM, _REGULAR = range(101, 1000), range(1000, 60001)
"""Numbers that useradd(8) gives to accounts, in the widest bounds that it has without a login.defs(5)."""

_DETOURS = range(0x7000_0000, 0x7FFF_FFFF)
"""Numbers that nothing uses (https://systemd.io/UIDS-GIDS), for accounts that wait for others to leave theirs."""


_LAST_SUBORDINATE = 600_100_000
"""The last number in ranges that useradd(8) gives to accounts, without a login.defs(5)."""


class Range(NamedTuple):
    """A range of subordinate numbers, see subuid(5)."""

    name: str
    """Whose it is."""
    first: int
    last: int

    def __str__(self) -> str:
        return f"{self.first} to {self.last}"

    @property
    def line(self) -> bytes:
        """The line in subuid(5)."""
        return os.fsencode(f"{self.name}:{self.first}:{self.last - self.first + 1}")


class Clash(NamedTuple):
    """An account of the overlay, user or group, whose number is not, or not only, its own."""

    name: str
    number: int
    to: int | None
    """The number that the host's account of this name has, or None if the host has none."""
    other: str | None
    """The host's account that has this number, or None if it is the host's account of this name that has another."""

    def __str__(self) -> str:
        if self.other is None:
            return f"{self.name} has number {self.to} on the host, {self.number} in the overlay"
        return f"number {self.number} belongs to {self.other} on the host, to {self.name} in the overlay"


class Move(NamedTuple):
    """A change of one account's number in the overlay."""

    name: str
    number: int
    to: int


Numbers = Mapping[int, Collection[str]]
"""The names of the accounts that have each number; more than one with `useradd -o`."""


def clashes(*, then: bytes, now: bytes, ours: bytes) -> list[Clash]:
    """Return a clash for each number that is new on the host and that another has in the overlay, or that differs.

    `ours` is passwd or group in the overlay, `then` and `now` the host's at the last launch and now. Of one account of
    the overlay's, there is one clash at most.
    """
    before, after, mine = map(_by_name, (then, now, ours))
    holders = {number: name for name, number in mine.items()}
    found: dict[str, Clash] = {}
    for name, theirs in after.items():
        if before.get(name) == theirs:
            continue
        if mine.get(name, theirs) != theirs:
            found[name] = Clash(name, mine[name], to=theirs, other=None)
        holder = holders.get(theirs, name)
        if holder != name and after.get(holder) != theirs:  # else the host itself has two of that number
            found.setdefault(holder, Clash(holder, theirs, to=None, other=name))
    return list(found.values())


def goals(found: Iterable[Clash], *, then: bytes, now: bytes, ours: bytes) -> list[Move]:
    """Return the moves, from the first to the last number of each account, that settle clashes as far as it is safe.

    No two of them lead to one number, nor to that of an account that stays.
    """
    before, after, mine = map(_by_number, (then, now, ours))
    taken = {*before, *after, *mine}
    moves: dict[str, Move] = {}
    for clash in found:
        to = _free(clash.number, taken) if clash.to is None else clash.to
        if to is not None and _is_its_own(clash, before, mine) and set(after.get(to, [clash.name])) == {clash.name}:
            taken.add(to)
            moves[clash.name] = Move(clash.name, clash.number, to)
    while stuck := {name for name, move in moves.items() if not moves.keys() >= set(mine.get(move.to, ()))}:
        moves = {name: move for name, move in moves.items() if name not in stuck}
    return list(moves.values())


def steps(moves: Collection[Move], taken: Collection[int]) -> list[list[Move]]:
    """Return moves in two lists at most, those in each to be done at once. Each account is in each list once at most.

    `taken` are all numbers in use. A number that one account leaves and another one takes is free after the first list.
    In none is a number both left and taken, so each can be repeated, over files of which some have moved before.
    """
    wanted = {move.to for move in moves}
    free = (number for number in _DETOURS if number not in taken)
    detours = {move: next(free) for move in moves if move.number in wanted}
    first = [move._replace(to=detour) for move, detour in detours.items()]
    then = [move._replace(number=detours.get(move, move.number)) for move in moves]
    return [some for some in (first, then) if some]


def in_use(*tables: bytes) -> set[int]:
    """Return the numbers of all accounts in these files."""
    return {number for table in tables for number in _by_number(table)}


def of_these(table: bytes, used: Collection[int]) -> bytes:
    """Return the lines of passwd or group whose accounts have one of these numbers."""
    return b"".join(line for line in table.splitlines(keepends=True) if _of_entry(line) in used)


def of_others(table: bytes, *known: bytes) -> bytes:
    """Return the lines of passwd or group whose accounts have names that nobody in `known` has."""
    names = {name for content in known for name, _ in _entries(content)}
    return b"".join(line + b"\n" for line in table.splitlines() for name, _ in _entries(line) if name not in names)


def clashing_ranges(*, then: bytes, now: bytes, ours: bytes) -> dict[Range, Range]:
    """Return, by ranges of the overlay's in subuid(5) or subgid, the host's new ones that have numbers in common.

    `ours` is the overlay's file, `then` and `now` are the host's at the last launch and now.
    """
    before, after, mine = map(_ranges, (then, now, ours))
    return {
        one: other
        for one in sorted(mine - after)  # else the host itself has two of that range
        for other in sorted(after - before)
        if one.name != other.name and one.first <= other.last and other.first <= one.last
    }


def free_range(one: Range, *tables: bytes) -> Range | None:
    """Return another range for the same account, after all in these files, or None if there is no room."""
    first = max(each.last for table in tables for each in _ranges(table)) + 1
    last = first + one.last - one.first
    return Range(one.name, first, last) if last <= _LAST_SUBORDINATE else None


def with_range(content: bytes, one: Range, other: Range) -> bytes:
    """Return subuid(5) or subgid with a range in the place of another."""
    lines = content.split(b"\n")
    return b"\n".join(other.line if _ranges(line) == {one} else line for line in lines)


def _ranges(content: bytes) -> set[Range]:
    found = set()
    for line in content.splitlines():
        name, *fields = line.split(b":")
        if len(fields) == 2 and all(field.isdigit() and len(field) <= len(str(MOST)) for field in fields):
            first, count = map(int, fields)
            found.add(Range(os.fsdecode(name), first, first + count - 1))
    return found


def renumbered(content: bytes, field: int, name: str | None, number: int, to: int) -> bytes:
    """Return passwd or group with another number in a field of one account, or of all if `name` is None."""
    lines = content.split(b"\n")
    for index, line in enumerate(lines):
        fields = line.split(b":")
        is_meant = name is None or fields[0] == os.fsencode(name)
        if is_meant and len(fields) > field and fields[field] == b"%d" % number:
            fields[field] = b"%d" % to
            lines[index] = b":".join(fields)
    return b"\n".join(lines)


def _is_its_own(clash: Clash, then: Numbers, ours: Numbers) -> bool:
    """Say whether nobody else than an account can have had its number.

    The host's account of the same name may, if it has another one now: so that account's files follow it.
    """
    others = [name for name in then.get(clash.number, ()) if name != clash.name or clash.to is None]
    return clash.number != 0 and not others and set(ours[clash.number]) == {clash.name}


def _entries(content: bytes) -> Iterator[tuple[str, int]]:
    """Yield name and number of each account that has one; lines that begin with + and - stand for others elsewhere."""
    for line in content.splitlines():
        number = _of_entry(line)
        if number is not None and line[:1] not in (b"+", b"-", b"#"):
            yield os.fsdecode(line.partition(b":")[0]), number


def _by_name(content: bytes) -> dict[str, int]:
    return dict(_entries(content))


def _by_number(content: bytes) -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for name, number in _entries(content):
        found.setdefault(number, []).append(name)
    return found


def _of_entry(line: bytes) -> int | None:
    """Return the number of an account, from its line in passwd or group; None if it has none that the kernel takes."""
    fields = line.rstrip(b"\n").split(b":")
    field = fields[NUMBER] if len(fields) > NUMBER else b""
    return int(field) if field.isdigit() and len(field) <= len(str(MOST)) and int(field) <= MOST else None


def _free(number: int, taken: Collection[int]) -> int | None:
    """Return the free number nearest to another one: where that is, the distribution has accounts of its kind.

    As useradd(8) does, it goes down for system accounts and up for others, and if there is none, the other way.
    """
    kind = _SYSTEM if number < _REGULAR.start else _REGULAR
    below = [other for other in reversed(kind) if other < number]
    above = [other for other in kind if other > number]
    order = [*below, *above] if kind is _SYSTEM else [*above, *below]
    return next((free for free in order if free not in taken), None)
