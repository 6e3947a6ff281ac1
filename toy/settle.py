# SPDX-License-Identifier: GPL-2.0-or-later
"""What lies between two launches: one machine's header set, database and files are brought in line with the host."""

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePath
from typing import NamedTuple

from . import header, host, plan, reconcile, rpmdb, sync, var
from .errors import DamagedHeader, ToyError
from .headerset import HeaderSet
from .machine import Machine
from .package import Package, PackageFile
from .reconcile import Operations
from .rpmdb import Database
from .upper import UpperTree

_HIDDEN = PurePath("hidden")
"""In a machine's directory: the headers of the host's packages that the overlay hides. The host may drop them."""


class Sets(NamedTuple):
    """The open header sets of one machine."""

    host: HeaderSet
    host_files: frozenset[str]
    """Listed once: nobody changes the host's set while it is locked."""
    upper: HeaderSet
    hidden: HeaderSet

    @classmethod
    @contextlib.contextmanager
    def open(cls, machine: Machine, layer: Path) -> Iterator["Sets"]:
        """Open the sets; `layer` is the lower layer with the host's."""
        with (
            HeaderSet.open(layer) as host_set,
            HeaderSet.open_upper(machine.overlay) as upper,
            HeaderSet.open(machine.directory, _HIDDEN, create=True) as hidden,
        ):
            yield cls(host_set, host_set.check().files, upper, hidden)


class Intent(NamedTuple):
    """A reconciliation that was decided on."""

    host: frozenset[str]
    """The host's set that it is for: the base, once it is done."""
    upper: plan.Upper
    operations: Operations

    def to_json(self) -> bytes:
        """Return the intent as it is stored."""
        upper = [sorted(names) for names in self.upper]
        return json.dumps([sorted(self.host), upper, self.operations]).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Intent":
        """Read a stored intent. Raises ValueError if it is not one."""
        try:
            names, (files, whiteouts), (remove, show, merge, hide) = json.loads(content)
            operations = Operations([PackageFile(*file) for file in remove], list(show), list(merge), list(hide))
            return cls(frozenset(names), plan.Upper(frozenset(files), frozenset(whiteouts)), operations)
        except TypeError as error:
            raise ValueError(*error.args) from None


def keep(machine: Machine, layer: Path) -> None:
    """After a launch: put into the machine's set what was changed in its database.

    Raises ToyError if that cannot be done; the next `settle` does it then.
    """
    with Sets.open(machine, layer) as sets:
        _keep(machine, sets)


def _keep(machine: Machine, sets: Sets) -> tuple[AbstractSet[str] | None, AbstractSet[str]]:
    """Return the files of the database's headers, None where there is no database yet, and those of its base."""
    if not machine.has_rpmdb:
        return None, frozenset()
    base = machine.base()
    with open_database(machine) as database:
        if base is None:  # lost: what both have was the host's, and what the overlay hides
            base = sets.host_files & (sync.files_of(database).keys() | sets.upper.check().whiteouts)
        merged = sync.preserve(database, sets.upper, base=base)
    _remember(sets, base - merged)
    return merged, base


def _remember(sets: Sets, hidden: AbstractSet[str]) -> None:
    """Keep the headers of the host's packages that the overlay hides, as far as the host has them still."""
    known = sets.hidden.check().files
    for file in sorted((hidden - known) & sets.host_files):
        sets.hidden.write(file, sets.host.read_blob(file))
    for file in sorted(known - hidden):
        sets.hidden.remove(file)


def settle(machine: Machine, layer: Path, *, say: Callable[[str], None]) -> None:
    """Before a launch: carry over to the host's set what the overlay changed, and make database and files follow.

    Raises DamagedHeader for a header file that is needed and is not what its name says, ToyError for whatever else
    cannot be read or written; nothing is lost then.
    """
    with Sets.open(machine, layer) as sets:
        merged, base = _keep(machine, sets)
        host_files = sets.host_files
        listing = sets.upper.check()
        wanted = plan.Upper(listing.files, listing.whiteouts)
        stored = machine.intent()
        tree = UpperTree(machine.overlay, machine.var, host.ROOT)
        if merged is not None and stored is not None:
            intent = _read(machine, stored)
            _carry_out(tree, sets, intent, say)
            wanted, base = intent.upper, intent.host
        if merged is not None and base != host_files:
            intent = _decide(sets, base=base, merged=wanted.over(base), say=say)
            machine.intend(intent.to_json())
            _carry_out(tree, sets, intent, say)
            wanted = intent.upper
        _merge(machine, sets, wanted, unchanged=wanted.over(host_files) == merged)
        _remember(sets, wanted.whiteouts)


def _read(machine: Machine, stored: bytes) -> Intent:
    try:
        return Intent.from_json(stored)
    except ValueError:
        path = machine.directory / "intent"
        raise ToyError(
            f"{path} is damaged, so what it was about is not finished", "move it away, then see: toy -- rpm -Va"
        ) from None


def _decide(sets: Sets, *, base: AbstractSet[str], merged: AbstractSet[str], say: Callable[[str], None]) -> Intent:
    listing, host_files = sets.upper.check(), sets.host_files
    packages: dict[str, Package] = {}

    def load(file: str) -> Package:
        if file not in packages:
            source = sets.upper if file in listing.files else sets.host if file in host_files else sets.hidden
            packages[file] = rpmdb.parse(source.read_blob(file))
        return packages[file]

    multiversion = host.multiversion()
    several = {
        header.package_of(file)
        for file in (merged - base) | (host_files - base)
        if multiversion & ({load(file).name} | {f"provides:{name}" for name in load(file).provides})
    }
    decision = reconcile.decide(
        base=base,
        host=host_files,
        merged=merged,
        is_newer=lambda one, other: rpmdb.is_newer(load(one), load(other)),
        several=several,
    )
    for line in reconcile.describe(load, decision, host_files):
        say(line)
    with Database.open(rpmdb.dbpath()) as database:

        def is_visible(path: str) -> bool:
            owners = header.file_names(database.owners(path))
            return any(file not in decision.upper.whiteouts for file, _ in owners)

        operations = reconcile.operations(
            retired=map(load, sorted(decision.retired)),
            kept=map(load, sorted(decision.upper.files)),
            was_hidden=map(load, sorted(sets.hidden.check().files)),
            hidden=map(load, sorted(decision.upper.whiteouts)),
            is_visible=is_visible,
        )
    return Intent(frozenset(host_files), decision.upper, operations)


def _carry_out(tree: UpperTree, sets: Sets, intent: Intent, say: Callable[[str], None]) -> None:
    for path in tree.apply(intent.operations):
        say(f"kept: {path} (changed in the overlay)")
    sync.arrange(sets.upper, intent.upper)


def _merge(machine: Machine, sets: Sets, wanted: plan.Upper, *, unchanged: bool) -> None:
    host_files = sets.host_files
    if not unchanged:
        new = machine.new_rpmdb()
        merged = wanted.over(host_files)
        sync.merge(new, {file: sets.upper if file in wanted.files else sets.host for file in merged})
        # libsolv knows solvables by hdrNum, and these are new.
        var.forget_installed(machine.var)
    if machine.base() != host_files:
        with open_database(machine) if unchanged else Database.open(new) as database:
            owned = database.paths_below("/var")
            of_host = database.paths_below("/var", without=wanted.files)
            var.seed(machine.var, of_host, ours=owned - of_host, record=machine.seeded)
    if unchanged:
        machine.rebase(host_files)
    else:
        machine.commit(host_files)
    with open_database(machine) as database:
        sets.upper.stamp = database.stamp()


@contextlib.contextmanager
def open_database(machine: Machine) -> Iterator[Database]:
    """Open the merged database: root in the overlay can put anything in its place."""
    with os.scandir(machine.rpmdb) as entries:
        for entry in entries:
            if not entry.is_file(follow_symlinks=False):
                raise ToyError(f"{entry.path} is not a regular file", "move it away and try again")
    try:
        with Database.open(machine.rpmdb) as database:
            yield database
    except rpmdb.Unusable as error:
        mend = f"to have it made anew from the header set: mv {machine.rpmdb} {machine.rpmdb}.damaged"
        raise ToyError(error.what, mend) from error


def mend(machine: Machine, damaged: DamagedHeader) -> list[str]:
    """Write a header file of the overlay anew, if its database still has the header. Returns the files written."""
    if not machine.has_rpmdb:
        return []
    with HeaderSet.open_upper(machine.overlay) as upper, open_database(machine) as database:
        number = sync.files_of(database).get(damaged.file)
        if number is None or damaged.file not in upper.list().files:
            return []
        for found in database.headers([number]):
            upper.write(damaged.file, found.blob)
    return [damaged.file]
