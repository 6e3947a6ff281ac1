# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts and overlays written as tables: what `planner` asks of a real one, answered from dictionaries."""

import fnmatch
import hashlib
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from toy.headers import header
from toy.headers.changes import UpperSet
from toy.headers.header import Header, HeaderFile
from toy.headers.package import Package, PackageFile
from toy.reconcile.plan import Plan
from toy.reconcile.planner import plan
from toy.reconcile.state import State

WHITEOUT, OPAQUE, DIRECTORY, FILE = "whiteout", "opaque", "directory", "file"
"""What an upper may have at a path; a file there is never what the lower has."""


def file(label: str) -> HeaderFile:
    """Return the name of the header file of NAME-VERSION; after a slash follows what tells two builds apart."""
    name, _, version = label.partition("/")[0].rpartition("-")
    return HeaderFile(f"{name}-{version}-1.noarch.{hashlib.sha256(label.encode()).hexdigest()}.hdr")


def package_file(path: str, content: str = "") -> PackageFile:
    """Return a file of a package; a path that ends with a slash is a directory's."""
    if path.endswith("/"):
        return PackageFile(path.rstrip("/"), stat.S_IFDIR | 0o755, "", "", False, "root:root")
    return PackageFile(path, stat.S_IFREG | 0o644, f"sha256:{content or 'content'}", "", False, "root:root")


@dataclass(frozen=True)
class World:
    """A host before and after it changed, with an overlay. Packages are NAME-VERSION, their files paths."""

    before: Sequence[str] = ()
    after: Sequence[str] = ()
    own: Sequence[str] = ()
    """The overlay's own packages."""
    removed: Sequence[str] = ()
    """Packages in `before` that the overlay removed."""
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Paths by package; a package that is not here has /usr/bin/NAME, with NAME-VERSION as content."""
    upper: Mapping[str, str] = field(default_factory=dict)
    """What the overlay has, WHITEOUT or one of its kin, by path."""
    missing: Sequence[str] = ()
    """Paths of the host's packages that are not there."""
    multiversion: Sequence[str] = ()
    breaks: Sequence[str] = ()
    """The dependency problems that rpm reports in the overlay afterwards."""

    def package(self, label: str) -> Package:
        """Return the package of this label."""
        name, _, version = label.partition("/")[0].rpartition("-")
        content = label if label not in self.files else "content"
        paths = self.files.get(label, [f"/usr/bin/{name}"])
        files = tuple(package_file(path, content) for path in paths)
        return Package(name, "noarch", ("0", version, "1"), frozenset([name]), files, frozenset(), label)

    def labels(self) -> dict[HeaderFile, str]:
        """Return NAME-VERSION of each header file."""
        return {file(label): label for label in (*self.before, *self.after, *self.own)}

    def state(self) -> State:
        """Return the state that a launch would read from this world."""
        base, removed, own = (frozenset(map(file, labels)) for labels in (self.before, self.removed, self.own))
        return State(
            machine="toy",
            recorded=base,
            base=base,
            host=frozenset(map(file, self.after)),
            upper=UpperSet(own, removed),
            hidden=removed,
            installed=UpperSet(own, removed).over(base),
            facts=Facts(self),
        )

    def plan(self) -> Plan:
        """Return the plan for this world, which must not be None."""
        planned = plan(self.state())
        assert planned is not None
        return planned

    def but(self, **changes: object) -> "World":
        """Return this world with other values of some fields."""
        return replace(self, **changes)  # type: ignore[arg-type]


class Facts:
    """The facts of a world, for `state.Facts`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._labels = world.labels()
        self.tree = Tree(world)
        self.multiversion = frozenset(world.multiversion)

    def package(self, file: HeaderFile) -> Package:
        return self._world.package(self._labels[file])

    def amended(self, file: HeaderFile, states: Mapping[str, int]) -> Header:
        package = self.package(file)
        blob = f"{package.label} without {' '.join(f'{path}={state}' for path, state in sorted(states.items()))}"
        return Header(package.name, package.evr[1], package.evr[2], package.arch, blob.encode())

    def is_newer(self, one: Package, other: Package) -> bool:
        return one.evr > other.evr

    def owners_on_host(self, path: str) -> set[HeaderFile]:
        return {file(label) for label in self._world.after if path in _paths(self._world.package(label))}

    def files_at(self, path: str) -> list[PackageFile]:
        installed = [label for label in self._world.before if label not in self._world.removed]
        packages = map(self._world.package, (*installed, *self._world.own))
        return [each for package in packages for each in package.files if each.path == path]

    def is_owned(self, path: str) -> bool:
        return bool(self.files_at(path))

    def has_below(self, directory: str) -> bool:
        installed = [label for label in self._world.before if label not in self._world.removed]
        paths = {path for label in (*installed, *self._world.own) for path in _paths(self._world.package(label))}
        return any(f"{path}/".startswith(f"{directory}/") for path in paths)

    def broken(self, *, gone: object, come: object, stand_ins: object) -> list[str]:
        return list(self._world.breaks)


class Tree:
    """The files of a world, for `state.Tree`."""

    def __init__(self, world: World) -> None:
        self._upper = world.upper
        self._lower: dict[str, str] = {}
        for label in world.after:
            for each in world.package(label).files:
                self._lower[each.path] = DIRECTORY if each.is_directory else FILE
        for path in world.missing:
            del self._lower[path]
        self._missing = world.missing

    def touches(self, path: str) -> bool:
        return True

    def find(self, pattern: str) -> list[str]:
        return [path for path, kind in self._upper.items() if kind == FILE and fnmatch.fnmatchcase(path, pattern)]

    def is_in_lower(self, path: str) -> bool:
        return path in self._lower

    def is_other_kind(self, path: str) -> bool:
        ours, theirs = self._upper.get(path), self._lower.get(path)
        return None not in (ours, theirs) and (ours in (DIRECTORY, OPAQUE)) != (theirs == DIRECTORY)

    def is_whiteout(self, path: str) -> bool:
        return self._upper.get(path) == WHITEOUT

    def hidden_by(self, path: str) -> str | None:
        if path in self._upper:
            return path if self._upper[path] == WHITEOUT else None
        while (path := os.path.dirname(path)) != "/":
            if path in self._upper:
                return path if self._upper[path] in (WHITEOUT, OPAQUE) else None
        return None

    def shadowed_by(self, path: str) -> str | None:
        while path != "/":
            if path in self._upper:
                return path if self._upper[path] == FILE or self.is_other_kind(path) else None
            path = os.path.dirname(path)
        return None

    def other_mode(self, path: str) -> int | None:
        return None

    def missing(self, files_of_package: Iterable[PackageFile]) -> list[str]:
        return [each.path for each in files_of_package if each.path in self._missing]


def _paths(package: Package) -> set[str]:
    return {each.path for each in package.files}


def labels(world: World, files: Iterable[HeaderFile]) -> list[str]:
    """Return NAME-VERSION of header files of a world, or the label in the name of others."""
    known = world.labels()
    return sorted(known.get(each, f"{header.label(each)} (stand-in)") for each in files)
