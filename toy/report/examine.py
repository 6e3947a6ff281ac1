# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds out the status of a machine: how it differs from the host, and what needs attention."""

import contextlib
import os
import stat
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePath

from .. import events
from ..database import connection, parse, rpmdb
from ..database.rpmdb import Database
from ..errors import ToyError, printable
from ..events import Event, Reconciliation
from ..filesystem import files
from ..headers import contents, header
from ..headers.changes import UpperSet
from ..headers.header import HeaderFile
from ..headers.headerset import DIRECTORY, HeaderSet
from ..headers.package import Package, folders
from ..host.mounted import Mounted
from ..launch import limits
from ..machine import OWN_BASE, Machine
from ..reconcile import host_set, made_in_var, rules
from ..reconcile.header_sets import hidden_of
from ..reconcile.journal import Journal, read_base
from ..reconcile.merged_database import open_database, reader_of
from . import differences
from .status import BEHIND, CURRENT, IN_USE, INSIDE, LOST, NOT_ENTERED, Conflict, Status
from .versions import versions, versions_by_names


def status(machine: Machine) -> Status:
    """Return the status of a machine, which may be in use; nothing is changed. Raises ToyError if it cannot be read."""
    record = Journal(machine)
    if not record.has_database():
        return _without_database(machine)
    base = record.base()
    if base is None:
        raise ToyError(
            f"{machine.base} cannot be read, so it is unknown which packages are the machine's own",
            f"have a launch guess them: toy -n {machine.name} -- true",
        )
    record.pending()  # raises ToyError for a damaged plan, with which no launch gets any further
    with reader_of(machine) as reader, open_database(machine, reader) as database:
        merged = contents.files_of(database)
        own, removed = merged.keys() - base, base - merged.keys()
        packages = _read(machine, removed)
        for file in sorted(own):
            (found,) = database.headers([merged[file]])
            packages[file] = reader.package(found.blob, file=file)
        broken = host_set.unknown(rpmdb.broken(database), Path(machine.root))
    stand_ins = rules.amended(own, removed & packages.keys(), packages.__getitem__)
    own, removed = own - stand_ins.keys(), removed - set(stand_ins.values())
    added, gone = versions(own, removed, packages)
    own_packages = [packages[file] for file in sorted(own)]
    owned = {file.path for package in own_packages for file in package.files}
    shadowed = [path for path in differences.shadowing(machine) if path not in owned]
    shadowed += made_in_var.outdated(Path(machine.var))
    current = host_set.peek(machine) == base
    lacking, differing = _in_var(machine, merged.keys() & base)
    return Status(
        machine=machine.name,
        state=IN_USE if machine.is_in_use() else CURRENT if current else BEHIND,
        current=current,
        added=added,
        removed=gone,
        conflicts=[
            Conflict(path, packages[other].label, _owner(path, own_packages))
            for file, other in sorted(stand_ins.items())
            for path in sorted(packages[file].absent - packages[other].absent)
        ],
        shadowed=shadowed,
        lacking=lacking,
        differing=differing,
        broken=broken,
        read_only=limits.recorded(machine, limits.READ_ONLY),
        missing=_missing(machine),
        foreign=_foreign(machine),
        history=_untold(machine, shadowed),
    )


def _without_database(machine: Machine) -> Status:
    """Return the status of a machine that has no database, as far as its header set says it."""
    in_use = os.path.isdir(machine.directory) and machine.is_in_use()
    upper = UpperSet(frozenset(), frozenset())
    with contextlib.suppress(FileNotFoundError), HeaderSet.open(Path(machine.overlay)) as headers:
        upper = headers.list().upper_set()
    if not os.path.exists(machine.base) and not any(upper):
        return Status(
            machine.name, IN_USE if in_use else NOT_ENTERED, added=(), removed=(), conflicts=(), shadowed=(), broken=()
        )
    added, gone = versions_by_names(upper)
    return Status(
        machine.name,
        IN_USE if in_use else LOST,
        current=host_set.peek(machine) == Journal(machine).base(),
        added=added,
        removed=gone,
        history=events.last(Path(machine.log)),
    )


def inside_of(name: str) -> Status:
    """Return the status of the machine that we are in: all that can be known is which packages differ."""
    base = read_base(Path(OWN_BASE))
    if base is None:
        return Status(name, INSIDE)
    with Database.open(connection.dbpath()) as database:
        merged = contents.files_of(database).keys()
    added, gone = versions_by_names(UpperSet(merged - base, base - merged))
    return Status(name, INSIDE, added=added, removed=gone)


def _untold(machine: Machine, shadowed: Iterable[str]) -> Reconciliation | None:
    """Return the last reconciliation in the log, without what the status lists itself.

    That is events of broken dependencies and conflicts, and those of the files `shadowed`.
    """
    last = events.last(Path(machine.log))
    told = [f"{printable(path)} (" for path in shadowed]

    def is_told(event: Event) -> bool:
        return event.kind in ("broken", "conflict") or (
            event.kind == "shadowed" and any(map(event.text.startswith, told))
        )

    return last and last._replace(events=[event for event in last.events if not is_told(event)])


_PASSING = frozenset({"cache", "lock", "log", "run", "tmp"})
"""Directories of /var in which a machine is expected to have other files than the host."""


def _in_var(machine: Machine, shown: AbstractSet[HeaderFile]) -> tuple[list[str], list[str]]:
    """Return the paths in /var of the host's packages `shown` that the host has, of two kinds.

    The machine lacks the first; of the others, one of host and machine has a directory, and the other has not.
    Of %ghosts, these are directories, which scripts make. A file may be what a program keeps of one machine, such as
    a random seed or an identity, of which there must be no copy.
    """
    with Database.open(connection.dbpath(Path(machine.root))) as database:
        found = (each for file, each in header.file_names(database.around("/var")) if file in shown)
        every = (file for each in found for file in parse.package(each.blob).files if file.path.startswith("/var/"))
        owned = {PurePath(file.path) for file in every if file.is_directory or not file.is_ghost}
    lacking: set[PurePath] = set()
    differing: list[str] = []
    for path in sorted(owned):
        is_told = path.parts[2] in _PASSING or not lacking.isdisjoint(path.parents)
        if is_told or not os.path.lexists(path):
            continue
        try:
            with files.directory(Path(machine.var), path.relative_to("/var").parent) as fd:
                status = os.stat(path.name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            lacking.add(path)
        except files.NotADirectory:
            pass  # something on the way is no directory: that is somebody's
        else:
            if stat.S_ISDIR(status.st_mode) != files.is_directory(Path(path)):
                differing.append(os.fspath(path))
    return sorted(map(os.fspath, lacking)), differing


def _missing(machine: Machine) -> list[str]:
    hidden = Mounted(without=os.path.realpath(connection.dbpath())).hidden
    return sorted({*hidden, *limits.recorded(machine, limits.MISSING)})


def _foreign(machine: Machine) -> list[str]:
    """Return a line for each entry in the header sets of host and machine that is no header file."""
    found: list[str] = []
    for top in (machine.root, machine.host_layer, machine.overlay):
        with contextlib.suppress(FileNotFoundError), HeaderSet.open(Path(top)) as headers:
            found += headers.foreign()
    return found


def _read(machine: Machine, wanted: AbstractSet[HeaderFile]) -> dict[HeaderFile, Package]:
    """Return the packages of the host's header files `wanted`, as far as they can be read."""
    found: dict[HeaderFile, Package] = {}
    for place in (hidden_of(machine), (Path(machine.host_layer), DIRECTORY), (Path(machine.root), DIRECTORY)):
        with contextlib.suppress(FileNotFoundError), HeaderSet.open(*place) as headers:
            for file in sorted(wanted & headers.list().files - found.keys()):
                with contextlib.suppress(ToyError):
                    found[file] = parse.package(headers.read_blob(file))
    return found


def _owner(path: str, packages: Iterable[Package]) -> str | None:
    """Return the label of the package that has a file at a path, below it, or in the place of a directory above it."""
    above = {path, *folders(path)}
    for package in packages:
        for file in package.files:
            if file.path == path or (file.path in above and not file.is_directory) or path in folders(file.path):
                return package.label
    return None
