# SPDX-License-Identifier: GPL-2.0-or-later
"""Gives accounts of the overlay other numbers, with their files in the upper and in the machine's /var.

What is to be done is recorded before, and what is left of it after each step, so that a launch which was interrupted is
finished by the next one, whatever the host is like by then.
"""

import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePath
from typing import NamedTuple

from ..errors import ToyError, moved_away
from ..events import Event
from ..filesystem import attributes, files, records, stable
from ..filesystem.walk import walk
from ..machine import Machine
from . import numbers, seeded
from .numbers import Move

TABLES = ("passwd", "group")
"""Files of accounts that have numbers."""

_OTHER_SYSTEMS = ("containerd", "containers", "docker", "machines", "portables")
"""Directories in /var/lib whose files have the numbers of other systems' accounts."""

Tell = Callable[[Sequence[Event]], None]
"""Keeps events until they are logged and said, see `events.keep`."""


class Step(NamedTuple):
    """Moves of accounts in passwd or group that are done at once."""

    table: str
    moves: Sequence[Move]


class Renumbering(NamedTuple):
    """What a launch is going to do to numbers of accounts."""

    steps: Sequence[Step]
    events: Sequence[Event]
    """What there is to tell once that is done."""


def begin(machine: Machine, renumbering: Renumbering) -> None:
    """Record what is to be done; `finish` does it."""
    steps = [[table, list(map(list, moves))] for table, moves in renumbering.steps]
    fields = {"steps": steps, "events": list(map(list, renumbering.events))}
    records.write(Path(machine.renumbering), fields, durable=True)


def finish(machine: Machine, tell: Tell) -> list[Event]:
    """Do what is recorded, if anything is, and return the events, which are kept by then.

    Raises ToyError if the record cannot be read, OSError and ToyError for files that cannot be changed.
    """
    record = Path(machine.renumbering)
    if not os.path.lexists(record):
        return []
    todo = recorded(machine)
    while todo.steps:
        table, moves = todo.steps[0]
        to = {move.number: move.to for move in moves}
        _give(machine, table, to)
        _rewrite(machine, table, moves)
        seeded.renumber(Path(machine.seeded), to, of_users=table == "passwd")
        # Else the next record may be on stable storage before all that.
        stable.synchronize([machine.overlay, machine.var])
        todo = todo._replace(steps=todo.steps[1:])
        begin(machine, todo)
    tell(todo.events)
    record.unlink()
    return list(todo.events)


def used(machine: Machine, table: str, *, everywhere: bool = False) -> set[int]:
    """Return the numbers of users or groups that files of a machine have, for `table` passwd or group.

    With `everywhere`, those of other systems count as well: a user's containers have his subordinate numbers.
    """
    is_user = table == "passwd"
    found: set[int] = set()
    for tree, others in _trees(machine):
        some = _files(tree, None if everywhere else others)
        found |= {status.st_uid if is_user else status.st_gid for _, _, status in some}
    return found


def recorded(machine: Machine) -> Renumbering:
    """Return what is recorded. Raises ToyError if that cannot be read."""
    try:
        stored = records.read(Path(machine.renumbering))
        steps = [Step(table, [_move(*move) for move in moves]) for table, moves in stored["steps"]]
        if all(step.table in TABLES for step in steps):
            return Renumbering(
                steps, [Event(records.text(kind), records.text(text)) for kind, text in stored["events"]]
            )
    except (LookupError, TypeError, ValueError):
        pass
    raise ToyError(
        f"the record {machine.renumbering} is damaged, so new numbers of accounts cannot be finished",
        f"see whose files are whose, and {moved_away(machine.renumbering)}",
    )


def _move(name: object, number: object, to: object) -> Move:
    for each in (number, to):
        if not isinstance(each, int) or not 0 < each <= numbers.MOST:
            raise ValueError("it is no number that a launch takes or gives")
    assert isinstance(number, int) and isinstance(to, int)
    return Move(records.text(name), number, to)


def _rewrite(machine: Machine, table: str, moves: Sequence[Move]) -> None:
    """Give accounts their new numbers in passwd or group, and groups theirs in passwd as well.

    That is in the overlay's files, and in the copies of the host's at the last launch: an overlay without files of its
    own goes by those.
    """
    for name in TABLES if table == "group" else (table,):
        for root, path in ((Path(machine.overlay), PurePath("etc", name)), (Path(machine.accounts), PurePath(name))):
            content = files.content(root, path)
            if content is None:
                continue
            new = content
            for move in moves:
                field, whose = (numbers.NUMBER, move.name) if name == table else (numbers.GROUP, None)
                new = numbers.renumbered(new, field, whose, move.number, move.to)
            if new != content:
                with files.directory(root, path.parent) as fd, files.naming(root / path):
                    files.rewrite(fd, path.name, new)


def _trees(machine: Machine) -> Iterator[tuple[Path, set[PurePath]]]:
    """Yield the trees of a machine's files, each with what of it other systems have."""
    for tree, lib in ((machine.overlay, PurePath("var/lib")), (machine.var, PurePath("lib"))):
        yield Path(tree), {lib / name for name in _OTHER_SYSTEMS}


def _files(tree: Path, others: set[PurePath] | None) -> Iterator[tuple[Path, int, os.stat_result]]:
    """Yield each file of a tree: its path, its directory's descriptor, and its status.

    What lies in `others`, or is the root of another system, is left out, unless that is None.
    """
    for here, fd in walk(tree, skip=others or set()):
        if others is not None and here.name and _is_root(fd):
            others.add(here)
            continue
        for name in os.listdir(fd):
            path = tree / here / name
            with files.naming(path):
                status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            yield path, fd, status


def _is_root(fd: int) -> bool:
    """Say whether a directory is the root of a system, as os-release(5) has it."""
    try:
        with files.opened(fd, "etc") as etc:
            return files.exists(etc, "os-release")
    except OSError:  # there is no etc, or it is a link, say
        return False


def _give(machine: Machine, table: str, to: Mapping[int, int]) -> None:
    """Give the files of users or groups of a machine to others, by their numbers."""
    is_user = table == "passwd"
    for tree in _trees(machine):
        for path, fd, status in _files(*tree):
            new = to.get(status.st_uid if is_user else status.st_gid)
            with files.naming(path):
                if new is not None:
                    _change(fd, path.name, status, (new, -1) if is_user else (-1, new))
                if stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode):
                    with files.opened(fd, path.name) as file:
                        attributes.renumber_acls(file, to, of_users=is_user)


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
