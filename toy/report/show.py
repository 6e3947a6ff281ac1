# SPDX-License-Identifier: GPL-2.0-or-later
"""The verbs `status` and `diff`: what they print on stdout."""

import json
import os
from collections.abc import Iterable, Iterator

from ..database import connection, parse
from ..database.rpmdb import Database
from ..errors import Attempt, ToyError, printable, quoted
from ..events import Event
from ..headers.package import Package
from ..host import inside
from ..machine import DEFAULT, Machine
from ..reconcile import generated
from ..reconcile.journal import Journal
from ..reconcile.merged_database import open_database, reader_of
from ..streams import show
from . import differences, examine
from .status import BEHIND, IN_USE, INSIDE, LOST, NOT_ENTERED, Conflict, Status, Versions

_VERSION = 1
"""Version of the output of `toy status --json`: another one if a field goes or comes to mean something else."""


def status(name: str | None, *, as_json: bool) -> None:
    """Print the status of a machine; without a name, of the one that we are in, or on the host of the default one."""
    here = inside.machine()
    if here is None:
        machine = Machine(DEFAULT if name is None else name)
        with Attempt(f"tell how machine {machine.name} stands"):
            stands = examine.status(machine)
    elif name in (None, here):
        stands = examine.inside_of(here)
    else:
        raise ToyError(f"this is inside machine {here}, which knows of no other", f"on the host: toy status {name}")
    show([json.dumps(fields(stands), indent=2)] if as_json else map(printable, lines(stands)))


def lines(status: Status) -> Iterator[str]:
    """Yield the lines of a status for people, each beginning with a word that says what it is about."""
    name = status.machine
    more = {
        IN_USE: "; who is in: toy list",
        BEHIND: ", the host changed since",
        INSIDE: f"; the host knows more: toy status {name}",
        NOT_ENTERED: f"; to enter it: toy -n {name}",
        LOST: f"; to have it made anew: toy -n {name} -- true",
    }
    yield f"machine: {name}"
    yield f"state: {status.state}{more.get(status.state, '')}"
    for package in status.added or ():
        instead = f" (host has {package.host})" if package.host else ""
        yield f"added: {package.name} {package.overlay}{instead}"
    for package in status.removed or ():
        yield f"removed: {package.name} (host has {package.host})"
    for conflict in status.conflicts or ():
        here = f"{conflict.overlay}'s here" if conflict.overlay else "missing here"
        yield f"conflict: {conflict.path} of the host's {conflict.host} is {here}"
    for path in status.shadowed or ():
        mend = generated.anew(path, name)
        yield f"shadowed: {path} (changed later on the host{f'; make it anew: {mend}' if mend else ''})"
    yield from (f"read-only: {path} (the kernel mounts no overlay over it)" for path in status.read_only or ())
    yield from (f"missing: {path} (toy cannot show what is mounted there on the host)" for path in status.missing or ())
    for path in status.lacking or ():
        there = f"{Machine(name).directory}{os.path.dirname(path)}/"
        yield f"lacking: {path} (in the machine's own /var; to copy the host's: cp -a {quoted(path)} {quoted(there)})"
    for path in status.differing or ():
        ours = f"{Machine(name).directory}{path}"
        instead = f"mv {quoted(ours)} {quoted(f'{ours}.away')}; cp -a {quoted(path)} {quoted(ours)}"
        yield f"differing: {path} (a directory on one side only; to have what the host has in /var: {instead})"
    yield from (f"broken: {problem}" for problem in status.broken or ())
    if status.broken:
        yield f"mend: toy -n {name} -- zypper verify"
    yield from (f"foreign: {each}" for each in status.foreign)
    if status.history:
        yield f"reconciled: {status.history.time}"
        yield from map(str, status.history.events)


def fields(status: Status) -> dict[str, object]:
    """Return the fields of `toy status --json`, for json.dumps."""
    history = status.history
    return {
        "version": _VERSION,
        "machine": status.machine,
        "state": status.state,
        "in_use": status.state in (IN_USE, INSIDE),
        "current": status.current,
        "added": _plain(status.added),
        "removed": _plain(status.removed),
        "conflicts": _plain(status.conflicts),
        "shadowed": status.shadowed,
        "broken": status.broken,
        "reconciled": history.time if history else None,
        "retired": [event.text for event in history.events if event.kind == "retired"] if history else [],
        "events": _plain(history.events) if history else [],
        "read_only": status.read_only,
        "missing": status.missing,
        "lacking": status.lacking,
        "differing": status.differing,
        "foreign": list(status.foreign),
    }


def _plain(values: Iterable[Versions | Conflict | Event] | None) -> list[dict[str, object]] | None:
    return None if values is None else [value._asdict() for value in values]


def diff(name: str | None, *, as_json: bool) -> None:
    """Print the files that differ from the host's, with the packages that own them."""
    machine = _machine(name)
    with (
        Attempt(f"compare machine {machine.name} with the host"),
        reader_of(machine) as reader,
        open_database(machine, reader) as ours,
        Database.open(connection.dbpath()) as theirs,
    ):
        found = [
            # The owners of a file that was removed are the host's packages.
            (change, path, _owners(_packages(theirs, path) if change == "removed" else ours.owners(path), path))
            for change, path, _ in differences.differences(machine)
        ]
    if as_json:
        content = [{"change": change, "path": path, "packages": owners} for change, path, owners in found]
        show([json.dumps(content, indent=2)])
    else:
        show(printable(f"{what:7}  {path}  {', '.join(owners) or 'not owned'}") for what, path, owners in found)


def _packages(database: Database, path: str) -> Iterator[Package]:
    return (parse.package(owner.blob) for owner in database.owners(path))


def _owners(packages: Iterable[Package], path: str) -> list[str]:
    """Return the packages that own a file, as NAME VERSION-RELEASE, but for those whose file another one replaced."""
    return sorted(package.label for package in packages if path not in package.absent)


def _machine(name: str | None) -> Machine:
    """Return the machine to compare. Raises ToyError if it has no database, or if we are inside a machine."""
    here = inside.machine()
    if here is not None:
        raise ToyError(
            f"this is inside machine {here}, where the host's files do not show",
            f"on the host: toy diff {name or here}",
        )
    machine = Machine(DEFAULT if name is None else name)
    if not Journal(machine).has_database():
        if examine.status(machine).state == LOST:
            raise ToyError(f"machine {machine.name} is {LOST}", f"to have it made anew: toy -n {machine.name} -- true")
        raise ToyError(f"there is no machine {machine.name}", f"to make it: toy -n {machine.name}")
    return machine
