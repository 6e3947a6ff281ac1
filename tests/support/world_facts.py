# SPDX-License-Identifier: GPL-2.0-or-later
"""What `planner` asks of a real host and overlay, answered from the tables of a world."""

import fnmatch
import itertools
import json
import os
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from tables import COPY, DIRECTORY, FILE, OPAQUE, WHITEOUT, file

from toy.headers import header
from toy.headers.header import Header, HeaderFile
from toy.headers.package import Condition, Outline, Package, PackageFile

if TYPE_CHECKING:
    from world import World


class Facts:
    """The facts of a world, for `state.Facts`."""

    def __init__(self, world: "World", installed: AbstractSet[HeaderFile]) -> None:
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

    def paths_of(self, gone: AbstractSet[HeaderFile], prefixes: AbstractSet[str]) -> list[str]:
        paths = (path for each in sorted(gone) for path in sorted(_paths(self._packages[each])))
        return [path for path in paths if path.startswith(tuple(prefixes))]

    def with_file_triggers(self) -> set[HeaderFile]:
        return {
            file(label)
            for label in self._world.after
            if any(each.is_for_files for each in self._world.package(label).triggers)
        }

    def meets(self, file: HeaderFile, condition: Condition) -> bool:
        return self._packages[file].name == condition[0]

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

    def __init__(self, world: "World") -> None:
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

    def is_link(self, path: str) -> bool:
        return path in self._links

    def lead(self, folder: str) -> str:
        return folder if self._upper.get(folder) in (DIRECTORY, OPAQUE) else self._links.get(folder, folder)

    def has(self, path: str) -> bool:
        return self._upper.get(path) in (FILE, COPY)

    def has_folder(self, folder: str) -> bool:
        return any(path.startswith(f"{folder}/") for path in self._upper)

    def turned_into_links(self, new: AbstractSet[str]) -> dict[str, str]:
        kinds = {path: (DIRECTORY, OPAQUE) if path in new else (DIRECTORY,) for path in self._links}
        return {path: target for path, target in self._links.items() if self._upper.get(path) in kinds[path]}

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
