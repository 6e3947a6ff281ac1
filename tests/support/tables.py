# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts and overlays written as tables: what `planner` asks of a real one, answered from dictionaries."""

import fnmatch
import hashlib
import itertools
import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace

from toy.headers import header
from toy.headers.changes import UpperSet
from toy.headers.header import Header, HeaderFile
from toy.headers.package import FileTrigger, Outline, Package, PackageFile
from toy.reconcile.moved import Moved
from toy.reconcile.plan import Plan
from toy.reconcile.planner import plan
from toy.reconcile.retired import Retired
from toy.reconcile.state import State

WHITEOUT, OPAQUE, DIRECTORY, FILE, COPY = "whiteout", "opaque", "directory", "file", "copy"
"""What an upper may have at a path; a file there is never what the lower has, a copy is what it had before."""


def file(label: str) -> HeaderFile:
    """Return the name of the header file of NAME-VERSION; after a slash follows what tells two builds apart."""
    name, _, version = label.partition("/")[0].rpartition("-")
    return HeaderFile(f"{name}-{version}-1.noarch.{hashlib.sha256(label.encode()).hexdigest()}.hdr")


def package_file(path: str, content: str = "") -> PackageFile:
    """Return a file of a package.

    A path that ends with a slash is a directory's; after an equals sign follows the file's content, after an arrow a
    link's target. With a question mark at the end, any of them is a %ghost.
    """
    if path.endswith("?"):
        owned = package_file(path.rstrip("?"))
        return owned._replace(is_ghost=True, digest=owned.digest if "=" in path else "")
    if path.endswith("/"):
        return PackageFile(path.rstrip("/"), stat.S_IFDIR | 0o755, "", "", False, "root:root")
    path, arrow, target = path.partition("->")
    if arrow:
        return PackageFile(path, stat.S_IFLNK | 0o777, "", target, False, "root:root")
    path, _, own = path.partition("=")
    return PackageFile(path, stat.S_IFREG | 0o644, f"sha256:{own or content or 'content'}", "", False, "root:root")


def package(label: str, *paths: str) -> Package:
    """Return the package NAME-VERSION with these files."""
    name, _, version = label.partition("/")[0].rpartition("-")
    files = tuple(map(package_file, paths))
    return Package(name, "noarch", ("0", version, "1"), frozenset([name]), (), files, frozenset(), label, ())


@dataclass(frozen=True)
class World:
    """A host before and after it changed, with an overlay. Packages are NAME-VERSION, their files paths."""

    before: Sequence[str] = ()
    after: Sequence[str] = ()
    own: Sequence[str] = ()
    """The overlay's own packages."""
    removed: Sequence[str] = ()
    """Packages in `before` that the overlay removed."""
    forgotten: Sequence[str] = ()
    """Packages in `removed` whose headers nobody has any more."""
    stand_ins: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Packages in `before` for which a header of the overlay's own stands: the states of their files, by path."""
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Paths by package; a package that is not here has /usr/bin/NAME, with NAME-VERSION as content."""
    upper: Mapping[str, str] = field(default_factory=dict)
    """What the overlay has, WHITEOUT or one of its kin, by path."""
    missing: Sequence[str] = ()
    """Paths of the host's packages that are not there."""
    modes: Mapping[str, int] = field(default_factory=dict)
    """The modes of the overlay's directories that differ from the lower's, by path."""
    multiversion: Sequence[str] = ()
    retired: Mapping[str, Retired] = field(default_factory=dict)
    """Packages that gave way to the host's before."""
    moved: Moved = field(default_factory=dict)
    """What moved when the host got links, by link, old and new path."""
    auto_installed: Sequence[str] = ()
    """Names of packages that others needed, and that nobody asked for."""
    obsoletes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The packages that are obsolete once one is installed, by that."""
    triggers: Mapping[str, str] = field(default_factory=dict)
    """What paths begin with for which a package has a file trigger, by package."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """The name that a package requires, by package."""
    has_database: bool = True

    def package(self, label: str) -> Package:
        """Return the package of this label."""
        name = label.partition("/")[0].rpartition("-")[0]
        found = package(label, *self.files.get(label, [f"/usr/bin/{name}={label}"]))
        obsoleted = {other.rpartition("-")[0] for other in self.obsoletes.get(label, ())}
        triggers = tuple(
            FileTrigger(False, (prefix,), "/bin/sh", "") for prefix in [self.triggers.get(label)] if prefix is not None
        )
        return found._replace(obsoletes=tuple((name, 0, "") for name in sorted(obsoleted)), triggers=triggers)

    def stand_in(self, label: str, states: Mapping[str, int]) -> Header:
        """Return a header of the package of this label in which these files are in other states."""
        one = self.package(label)
        return Header(one.name, one.evr[1], one.evr[2], one.arch, json.dumps([label, dict(states)]).encode())

    def packages(self) -> dict[HeaderFile, Package]:
        """Return the package of each header file, stand-ins among them."""
        found = {file: self.package(label) for file, label in self.labels().items()}
        for label, states in self.stand_ins.items():
            whole = self.package(label)
            rest = tuple(each for each in whole.files if each.path not in states)
            for name, _ in header.file_names([self.stand_in(label, states)]):
                found[name] = whole._replace(files=rest, absent=frozenset(states))
        return found

    def labels(self) -> dict[HeaderFile, str]:
        """Return NAME-VERSION of each header file."""
        return {file(label): label for label in (*self.before, *self.after, *self.own)}

    def state(self) -> State:
        """Return the state that a launch would read from this world."""
        base, removed, own = (frozenset(map(file, labels)) for labels in (self.before, self.removed, self.own))
        standing_in = {name for name, _ in header.file_names(itertools.starmap(self.stand_in, self.stand_ins.items()))}
        upper = UpperSet(own | standing_in, removed | set(map(file, self.stand_ins)))
        return State(
            machine="toy",
            recorded=base,
            base=base,
            host=frozenset(map(file, self.after)),
            upper=upper,
            hidden=frozenset(upper.whiteouts - set(map(file, self.forgotten))),
            retired=self.retired,
            moved=self.moved,
            installed=upper.over(base) if self.has_database else None,
            facts=Facts(self, upper.over(base) if self.has_database else frozenset()),
        )

    def plan(self) -> Plan:
        """Return the plan for this world, which must not be None."""
        planned = plan(self.state())
        assert planned is not None
        return planned

    def plan_after(self, after: Sequence[str]) -> Plan:
        """Return the plan for this world after the host changed once more."""
        return self.but(after=after).plan()

    def but(self, **changes: object) -> "World":
        """Return this world with other values of some fields."""
        return replace(self, **changes)  # type: ignore[arg-type]

    def done(self, planned: Plan) -> "World":
        """Return the world after a plan was carried out, and before the host changes again."""
        known, todo = self.labels(), planned.operations
        stand_ins = dict(json.loads(blob) for blob in planned.stand_ins.values())
        upper = {path: kind for path, kind in self.upper.items() if path not in {*todo.clear, *todo.drop}}
        for path in (each.path for each in todo.remove if upper.get(each.path) in (FILE, COPY)):
            del upper[path]
        upper |= {path: OPAQUE for path in todo.uncover if upper.get(path) == WHITEOUT}
        upper = {path: kind for path, kind in upper.items() if kind != WHITEOUT or path not in todo.show}
        upper |= {path: WHITEOUT for path in todo.hide if path not in upper}
        return self.but(
            before=self.after,
            own=sorted(known[each] for each in planned.upper.files if each not in planned.stand_ins),
            removed=sorted({known[each] for each in planned.upper.whiteouts} - stand_ins.keys()),
            forgotten=(),
            stand_ins=stand_ins,
            upper=upper,
            retired=planned.retired,
        )


class Facts:
    """The facts of a world, for `state.Facts`."""

    def __init__(self, world: World, installed: AbstractSet[HeaderFile]) -> None:
        self._world = world
        gone = set(map(file, world.forgotten)) - set(map(file, world.after))
        self._packages = {each: package for each, package in world.packages().items() if each not in gone}
        self._labels = world.labels()
        self._files = installed
        self._installed = [self._packages[each] for each in sorted(installed)]
        self.tree = Tree(world)
        self.auto_installed = frozenset(world.auto_installed)
        self.multiversion = frozenset(world.multiversion)

    def package(self, file: HeaderFile) -> Package:
        return self._packages[file]

    def amended(self, file: HeaderFile, states: Mapping[str, int]) -> Header:
        return self._world.stand_in(self._labels[file], states)

    def is_newer(self, one: Package, other: Package) -> bool:
        return one.evr > other.evr

    def obsoletes(self, one: HeaderFile, other: HeaderFile) -> bool:
        return self._labels[other] in self._world.obsoletes.get(self._labels[one], ())

    def owners_on_host(self, path: str) -> set[HeaderFile]:
        return {file(label) for label in self._world.after if path in _paths(self._world.package(label))}

    def files_at(self, path: str) -> list[PackageFile]:
        return [each for package in self._installed for each in package.files if each.path == path]

    def is_owned(self, path: str) -> bool:
        return bool(self.files_at(path))

    def has_below(self, directory: str) -> bool:
        paths = {path for package in self._installed for path in _paths(package)}
        return any(f"{path}/".startswith(f"{directory}/") for path in paths)

    def look_again(self) -> None:
        raise AssertionError("nothing moves in a table")

    def outline(self, gone: AbstractSet[HeaderFile]) -> Outline:
        files = self.files_of(gone)
        folders = {os.path.dirname(each.path) for each in files}
        return Outline(folders, {each.path: each.target for each in files if each.target})

    def files_of(self, gone: AbstractSet[HeaderFile]) -> list[PackageFile]:
        stand_ins = itertools.starmap(self._world.stand_in, self._world.stand_ins.items())
        names = (name for name, _ in header.file_names(stand_ins))
        standing = dict(zip(map(file, self._world.stand_ins), names, strict=True))
        there = {standing.get(each, each) for each in gone} & self._files
        return [each for package in sorted(there) for each in self._packages[package].files]

    def broken(
        self, *, gone: AbstractSet[HeaderFile], come: AbstractSet[HeaderFile], stand_ins: Mapping[HeaderFile, bytes]
    ) -> list[str]:
        assert gone <= self._files and not come & self._files
        stays = [self.package(each) for each in self._files - gone]
        comes = [self._of_blob(stand_ins[each]) if each in stand_ins else self.package(each) for each in sorted(come)]
        names = {package.name for package in (*stays, *comes)}
        labels = {package.installation for package in (*stays, *comes)}
        needs = [(label, name) for label, name in self._world.needs.items() if label in labels]
        return [f"{name} is needed by {label}" for label, name in needs if name not in names]

    def _of_blob(self, blob: bytes) -> Package:
        label, _ = json.loads(blob)
        return self._world.package(label)


class Tree:
    """The files of a world, for `state.Tree`."""

    def __init__(self, world: World) -> None:
        self._upper = world.upper
        self._lower: dict[str, str] = {}
        for label in world.after:
            for each in world.package(label).files:
                self._lower[each.path] = DIRECTORY if each.is_directory else FILE
        for path in world.missing:
            self._lower.pop(path, None)
        self._missing = world.missing
        self._links = {
            each.path: each.target for label in world.after for each in world.package(label).files if each.target
        }
        self._modes = world.modes

    def touches(self, path: str) -> bool:
        return True

    def find(self, pattern: str) -> list[str]:
        return [path for path, kind in self._upper.items() if kind == FILE and fnmatch.fnmatchcase(path, pattern)]

    def is_in_lower(self, path: str) -> bool:
        return path in self._lower

    def lead(self, folder: str) -> str:
        return self._links.get(folder, folder)

    def has(self, path: str) -> bool:
        return self._upper.get(path) in (FILE, COPY)

    def has_folder(self, folder: str) -> bool:
        return any(path.startswith(f"{folder}/") for path in self._upper)

    def turned_into_links(self) -> dict[str, str]:
        return {path: target for path, target in self._links.items() if self._upper.get(path) == DIRECTORY}

    def files_below(self, folder: str) -> list[str]:
        return [path for path in self._upper if path.startswith(f"{folder}/") and self.has(path)]

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
                return path if self._upper[path] in (FILE, COPY) or self.is_other_kind(path) else None
            path = os.path.dirname(path)
        return None

    def other_mode(self, path: str) -> int | None:
        return self._modes.get(path)

    def is_as_installed(self, file: PackageFile) -> bool:
        return self._upper.get(file.path) == COPY

    def missing(self, files_of_package: Iterable[PackageFile]) -> list[str]:
        return [each.path for each in files_of_package if each.path in self._missing]


def _paths(package: Package) -> set[str]:
    return {each.path for each in package.files}


def labels(world: World, files: Iterable[HeaderFile]) -> list[str]:
    """Return NAME-VERSION of header files of a world, or the label in the name of others."""
    known = world.labels()
    return sorted(known.get(each, f"{header.label(each)} (stand-in)") for each in files)
