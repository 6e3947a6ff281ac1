# SPDX-License-Identifier: GPL-2.0-or-later
"""Gives accounts of the overlay other numbers, where the host has given theirs away, or has others for them.

The files of such an account get its new number. That is safe if nobody else has had the old one: then all files in the
upper and in the machine's /var that have it are the account's. Otherwise the clash is only named.
"""

import os
import stat
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from ..filesystem import attributes, files
from ..filesystem.walk import walk
from ..machine import Machine

_NUMBER, _GROUP = 2, 3
"""The fields, from 0, of an account's number: passwd(5), group(5); and of a user's group: passwd(5)."""

_SYSTEM, _REGULAR = range(999, 100, -1), range(1000, 60000)
"""Numbers for new accounts, in the order in which useradd(8) tries them."""


_MOST = 2**32 - 2


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


class Step(NamedTuple):
    """A change of one account's number in the overlay."""

    name: str
    number: int
    to: int
    is_detour: bool
    """Whether another account has to leave the number that it should have first."""


def step(ours: bytes, clash: Clash, then: bytes, now: bytes) -> Step | None:
    """Return the next step to settle a clash, or None if there is none that is safe.

    `ours` is passwd or group in the overlay, `then` and `now` the host's.
    """
    mine = _numbers(ours)
    free = _free(clash.number, {*mine, *_numbers(now)})
    to = free if clash.to is None else clash.to
    if to is None or free is None or clash.number in _numbers(then) or mine.count(clash.number) > 1:
        return None
    return Step(clash.name, clash.number, free if to in mine else to, is_detour=to in mine)


def give(machine: Machine, table: str, step: Step) -> int:
    """Give an account's files its new number, and return how many there are. To repeat it is safe."""
    trees = map(Path, (machine.overlay, machine.var))
    return sum(_give(tree, step.number, step.to, is_user=table == "passwd") for tree in trees)


def renumbered_files(table: str, ours: Mapping[str, bytes], step: Step) -> dict[str, bytes]:
    """Return the contents of passwd and group, as far as they change with a step."""
    changed = {table: renumbered(ours[table], _NUMBER, step.name, step.number, step.to)}
    if table == "group" and "passwd" in ours:
        changed["passwd"] = renumbered(ours["passwd"], _GROUP, None, step.number, step.to)
    return changed


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


def of_entry(line: bytes) -> int | None:
    """Return the number of an account, from its line in passwd or group; None if it has none that the kernel takes."""
    fields = line.split(b":")
    field = fields[_NUMBER] if len(fields) > _NUMBER else b""
    return int(field) if field.isdigit() and len(field) <= len(str(_MOST)) and int(field) <= _MOST else None


def _numbers(content: bytes) -> list[int]:
    return [number for line in content.splitlines() if (number := of_entry(line)) is not None]


def _free(number: int, taken: AbstractSet[int]) -> int | None:
    return next((free for free in (_SYSTEM if number < _REGULAR.start else _REGULAR) if free not in taken), None)


def _give(tree: Path, number: int, to: int, *, is_user: bool) -> int:
    """Give the files of one user or group in a tree of the machine to another, and return how many there are."""
    count = 0
    for here, fd in walk(tree):
        with files.within(tree / here):
            for name in os.listdir(fd):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
                if number == (status.st_uid if is_user else status.st_gid):
                    _change(fd, name, status, (to, -1) if is_user else (-1, to))
                    count += 1
                if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                    with files.opened(fd, name) as file:
                        attributes.renumber_acls(file, number, to, of_users=is_user)
    return count


def _change(dir_fd: int, name: str, status: os.stat_result, owner: tuple[int, int]) -> None:
    """Change the owner of a file, but not its mode and capabilities, as the kernel would."""
    if not stat.S_ISREG(status.st_mode):
        os.chown(name, *owner, dir_fd=dir_fd, follow_symlinks=False)
        return
    with files.opened(dir_fd, name) as fd:
        named = attributes.extended(fd)
        os.fchown(fd, *owner)
        os.fchmod(fd, stat.S_IMODE(status.st_mode))
        for attribute, value in named.items() - attributes.extended(fd).items():
            os.setxattr(fd, attribute, value)
