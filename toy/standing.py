# SPDX-License-Identifier: GPL-2.0-or-later
"""How a machine stands: what is in it that is not on the host, what became of that, and what needs a look."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import NamedTuple

from . import accounts, differences, events, header, homes, host, limits, parse, reconcile, rpmdb, sync
from .errors import ToyError
from .headerset import DIRECTORY, HeaderSet
from .machine import Machine
from .merged import Merged
from .mounted import Mounted
from .package import Package, folders
from .sets import hidden_of
from .settle import open_database, reader_of


class Versions(NamedTuple):
    """A package that the overlay has otherwise than the host; versions are [EPOCH:]VERSION-RELEASE."""

    name: str
    arch: str
    overlay: str | None
    """None if the overlay removed it."""
    host: str | None
    """None if the host has none, or another one is no obstacle (kernels)."""


class Conflict(NamedTuple):
    """A path of a package of the host's, where the overlay has another file."""

    path: str
    host: str
    """The host's package: NAME VERSION-RELEASE."""
    overlay: str | None
    """The overlay's package with that file, or None if it is gone."""


class Status(NamedTuple):
    """How a machine stands."""

    machine: str
    in_use: bool
    current: bool
    """Whether no package came or went on the host since the machine was last entered."""
    added: list[Versions]
    """The overlay's own."""
    removed: list[Versions]
    """The host's that the overlay removed."""
    reconciled: str | None
    """When the overlay last had to follow the host, as in ISO 8601."""
    retired: list[str]
    """Packages of the overlay's own that gave way to the host's then."""
    events: list[events.Event]
    """All that happened then."""
    conflicts: list[Conflict]
    shadowed: list[str]
    """Files of the overlay, of no package of its own, in front of files that were changed later on the host."""
    broken: list[str]
    """What rpm says of dependencies."""
    read_only: list[str]
    """Mount points of the host over which the last launch could mount no overlay."""
    missing: list[str]
    """Mount points of the host of which nothing is seen in the overlay."""

    @property
    def lines(self) -> Iterator[str]:
        """What people want to read of it, each line beginning with a word that says what it is about."""
        yield f"machine: {self.machine}"
        yield f"state: {'in use' if self.in_use else 'current' if self.current else 'behind, the host changed since'}"
        for package in self.added:
            instead = f" (host has {package.host})" if package.host else ""
            yield f"added: {package.name} {package.overlay}{instead}"
        for package in self.removed:
            yield f"removed: {package.name} (host has {package.host})"
        for conflict in self.conflicts:
            yield f"conflict: {conflict.path} of the host's {conflict.host} is {conflict.overlay or 'nobody'}'s here"
        yield from (f"shadowed: {path} (changed later on the host)" for path in self.shadowed)
        yield from (f"broken: {problem}" for problem in self.broken)
        yield from (f"read-only: {path} (the kernel mounts no overlay over it)" for path in self.read_only)
        yield from (f"missing: {path} (something is mounted there on the host)" for path in self.missing)
        if self.reconciled:
            yield f"reconciled: {self.reconciled}"
            yield from map(str, self.events)

    def to_json(self) -> dict[str, object]:
        """Return what json.dumps takes."""
        return {
            name: [item._asdict() if isinstance(item, Versions | Conflict | events.Event) else item for item in value]
            if isinstance(value, list)
            else value
            for name, value in self._asdict().items()
        }


def status(machine: Machine) -> Status:
    """Find out how a machine stands; nothing is changed, and it may be in use. Raises ToyError if it cannot be read."""
    base = Merged(machine).base()
    if base is None:
        raise ToyError(f"{machine.base} cannot be read", f"enter the machine: toy -n {machine.name}")
    with reader_of(machine) as reader, open_database(machine, reader) as database:
        merged = sync.files_of(database)
        own, removed = merged.keys() - base, base - merged.keys()
        packages = _read(machine, removed)
        for file in sorted(own):
            (found,) = database.headers([merged[file]])
            packages[file] = reader.package(found.blob)
        stand_ins = reconcile.amended(own, removed & packages.keys(), packages.__getitem__)
        own, removed = own - stand_ins.keys(), removed - set(stand_ins.values())
        ours, theirs = _by_name(own, packages), _by_name(removed, packages)
        own_packages = [packages[file] for file in sorted(own)]
        owned = {file.path for package in own_packages for file in package.files}
        last = events.last(Path(machine.log))
        happened = last.events if last else []
        return Status(
            machine=machine.name,
            in_use=machine.is_in_use,
            current=host.peek(machine) == base,
            added=[Versions(*key, version, theirs.get(key)) for key, version in ours.items()],
            removed=[Versions(*key, None, version) for key, version in theirs.items() if key not in ours],
            reconciled=last.time if last else None,
            retired=[event.text for event in happened if event.kind == "retired"],
            events=happened,
            conflicts=[
                Conflict(path, packages[other].label, _owner(path, own_packages))
                for file, other in sorted(stand_ins.items())
                for path in sorted(packages[file].absent - packages[other].absent)
            ],
            shadowed=[
                found.path
                for found in differences.differences(Path(machine.overlay), Path(machine.root), homes.names())
                if found.change == "changed" and found.host_is_newer and found.path not in owned | accounts.FOLLOWED
            ],
            broken=database.broken(),
            read_only=limits.recorded(machine, limits.READ_ONLY),
            missing=_missing(machine),
        )


def _missing(machine: Machine) -> list[str]:
    hidden = Mounted(without=os.path.realpath(rpmdb.dbpath())).hidden
    return sorted({*hidden, *limits.recorded(machine, limits.MISSING)})


def _read(machine: Machine, wanted: AbstractSet[str]) -> dict[str, Package]:
    """Return the packages of the host's header files, as far as they can be read."""
    found: dict[str, Package] = {}
    for place in (hidden_of(machine), (Path(machine.host_layer), DIRECTORY), (Path(machine.root), DIRECTORY)):
        with contextlib.suppress(FileNotFoundError), HeaderSet.open(*place) as headers:
            for file in sorted(wanted & headers.list().files - found.keys()):
                with contextlib.suppress(ToyError):
                    found[file] = parse.package(headers.read_blob(file))
    return found


def _owner(path: str, packages: Iterable[Package]) -> str | None:
    """Return the package with the file that is at a path, or that the path leads through, or that lies below it."""
    above = {path, *folders(path)}
    for package in packages:
        for file in package.files:
            if file.path == path or (file.path in above and not file.is_directory) or path in folders(file.path):
                return package.label
    return None


def _by_name(files: AbstractSet[str], packages: Mapping[str, Package]) -> dict[tuple[str, str], str]:
    """Return versions by name and architecture; what a header file's name says where the header cannot be read."""
    versions: dict[tuple[str, str], list[str]] = {}
    for file in sorted(files):
        if file in packages:
            package = packages[file]
            versions.setdefault((package.name, package.arch), []).append(package.version)
        else:
            name = header.package_of(file)
            versions.setdefault((name, ""), []).append(header.label(file).removeprefix(f"{name}-"))
    return {key: ", ".join(several) for key, several in versions.items()}
