# SPDX-License-Identifier: GPL-2.0-or-later
"""Answers the questions of the planner on a real host, from header sets, databases and files. Writes nothing.

`state.Facts` says what each question means.
"""

import contextlib
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from pathlib import Path

from ..database import parse
from ..database.reader import ForeignDatabase
from ..database.rpmdb import Database
from ..errors import DamagedHeader, typed
from ..following import var
from ..headers import contents, header
from ..headers.changes import UpperSet
from ..headers.contents import Content
from ..headers.header import Header, HeaderFile
from ..headers.headerset import HeaderSet
from ..headers.package import Condition, Outline, Package, PackageFile
from ..overlay.view import UpperView
from . import host_set, moved, retired, rules
from .header_sets import HeaderSets
from .merged_database import open_database
from .parts import Parts
from .state import State


class ReadFacts:
    """Facts read from header sets, databases and trees."""

    def __init__(
        self, parts: Parts, overlay_database: ForeignDatabase | None, installed: AbstractSet[HeaderFile]
    ) -> None:
        """Take what to read; `overlay_database` is the overlay's, if it has one, and `installed` its header files."""
        self._trees = parts.trees
        self.tree = UpperView(parts.trees)
        self.multiversion = host_set.multiversion(self.tree.lower)
        self.auto_installed = var.auto_installed(parts.trees.var)
        self._sets = parts.sets
        self._host_database = parts.host_database
        self._reader = parts.reader
        self._overlay_database = overlay_database
        self._installed = installed
        self._in_upper = parts.sets.upper.list().files
        self._stored = (self._in_upper, parts.sets.host_files, parts.sets.hidden.list().files)
        self._packages: dict[HeaderFile, Package] = {}
        self._outlines: dict[frozenset[HeaderFile], Outline] = {}
        self._has_below: dict[str, bool] = {}

    def _source(self, file: HeaderFile) -> HeaderSet:
        sets = self._sets
        return sets.upper if file in self._in_upper else sets.host if file in sets.host_files else sets.hidden

    def _blob(self, file: HeaderFile) -> bytes:
        return self._source(file).read_blob(file)

    def package(self, file: HeaderFile) -> Package:
        """See `Facts`. Files at paths that are not in the overlay, such as homes, are left out."""
        if file not in self._packages:
            found = self._read(file)
            ours = tuple(owned for owned in found.files if not self.tree.is_elsewhere(owned.path))
            self._packages[file] = found._replace(files=ours)
        return self._packages[file]

    def _read(self, file: HeaderFile) -> Package:
        # Root in the overlay may have made what is in the upper or in its database: a confined process parses it.
        database = self._overlay_database
        if database is not None and not any(file in some for some in self._stored):
            (one,) = database.headers(self._numbers(database, {file}))
            return self._reader.package(one.blob, file=file)
        parser = self._reader if file in self._in_upper else parse
        return parser.package(self._blob(file), file=f"{self._source(file).path / file}")

    def amended(self, file: HeaderFile, states: Mapping[str, int]) -> Header:
        """See `Facts`."""
        parser = self._reader if file in self._in_upper else parse
        return parser.with_file_states(self._blob(file), states, file=f"{self._source(file).path / file}")

    def is_newer(self, one: Package, other: Package) -> bool:
        """See `Facts`."""
        return parse.is_newer(one, other)

    def obsoletes(self, one: HeaderFile, other: HeaderFile) -> bool:
        """See `Facts`."""
        return parse.obsoletes(self.package(one), *header.name_and_evr(other))

    def owners_on_host(self, path: str) -> AbstractSet[HeaderFile]:
        """See `Facts`."""
        return {file for file, _ in header.file_names(self._host_database.owners(path))}

    def is_owned(self, path: str) -> bool:
        """See `Facts`."""
        return self._overlay_database is not None and self._overlay_database.is_owned(path)

    def has_below(self, directory: str) -> bool:
        """See `Facts`."""
        if directory not in self._has_below:  # rpm goes through its index of all directories
            database = self._overlay_database
            self._has_below[directory] = database is not None and database.has_below(directory)
        return self._has_below[directory]

    def files_at(self, path: str) -> list[PackageFile]:
        """See `Facts`."""
        owners = [] if self._overlay_database is None else self._overlay_database.owners(path)
        return [file for owner in owners for file in owner.files if file.path == path]

    def look_again(self) -> None:
        """See `Facts`."""
        self.tree = UpperView(self._trees)

    def _numbers(self, database: ForeignDatabase, files: AbstractSet[HeaderFile]) -> list[int]:
        return contents.numbers_of(database, files & self._installed, among=self._installed)

    def _with_stand_ins(self, gone: AbstractSet[HeaderFile]) -> AbstractSet[HeaderFile]:
        """Return header files of the host's, and the stand-ins that the overlay's database has for some of them."""
        known = (gone - self._installed) & (self._sets.host_files | self._sets.hidden.list().files)
        return gone | rules.amended(self._in_upper & self._installed, known, self.package).keys()

    def outline(self, gone: AbstractSet[HeaderFile]) -> Outline:
        """See `Facts`."""
        database, files = self._overlay_database, frozenset(gone)
        if database is None:
            return Outline(frozenset(), {})
        if files not in self._outlines:
            self._outlines[files] = database.outline(self._numbers(database, self._with_stand_ins(files)))
        return self._outlines[files]

    def paths_of(self, gone: AbstractSet[HeaderFile], prefixes: AbstractSet[str]) -> list[str]:
        """See `Facts`. Paths that are not in the overlay, such as homes, are left out."""
        database = self._overlay_database
        if database is None or not gone:
            return []
        paths = database.paths_beginning(self._numbers(database, self._with_stand_ins(gone)), prefixes)
        return [path for path in paths if not self.tree.is_elsewhere(path)]

    def with_file_triggers(self) -> AbstractSet[HeaderFile]:
        """See `Facts`."""
        return {file for file, _ in header.file_names(self._host_database.with_file_triggers())}

    def meets(self, file: HeaderFile, condition: Condition) -> bool:
        """See `Facts`."""
        return parse.meets(*header.name_and_evr(file), condition)

    def files_of(self, gone: AbstractSet[HeaderFile]) -> list[PackageFile]:
        """See `Facts`."""
        database = self._overlay_database
        # Most packages have no file in a directory that the upper has, and their files need not be read.
        folders = {folder for folder in self.outline(gone).folders if self.tree.has_folder(folder)}
        if database is None or not folders:
            return []
        return database.files_in(self._numbers(database, self._with_stand_ins(gone)), folders)

    def broken(
        self, *, gone: AbstractSet[HeaderFile], come: AbstractSet[HeaderFile], stand_ins: Mapping[HeaderFile, bytes]
    ) -> list[str]:
        """See `Facts`."""
        database = self._overlay_database
        if database is None:
            return []
        numbers = self._numbers(database, gone)
        blobs = (stand_ins[file] if file in stand_ins else self._blob(file) for file in sorted(come))
        return host_set.unknown(database.broken_by(erase=numbers, install=blobs), Path(self.tree.lower))


@contextlib.contextmanager
def read_state(
    parts: Parts,
    database: Content | None,
    *,
    recorded: frozenset[HeaderFile] | None,
    base: AbstractSet[HeaderFile],
    upper: UpperSet,
) -> Iterator[State]:
    """Yield the state of a machine and its host, whose facts are read when they are asked for.

    `database` is the content of the machine's database, None if it has none. Raises DamagedHeader if the host's header
    set and database do not agree.
    """
    sets = parts.sets
    _require_true(sets, parts.host_database, base ^ sets.host_files)
    with contextlib.ExitStack() as stack:
        opened = None if database is None else stack.enter_context(open_database(parts.machine, parts.reader))
        installed = None if database is None else database.files
        yield State(
            machine=parts.machine.name,
            recorded=recorded,
            base=base,
            host=sets.host_files,
            upper=upper,
            hidden=sets.hidden.list().files,
            retired=retired.read(Path(parts.machine.retired)),
            moved=moved.read(Path(parts.machine.moved)),
            installed=installed,
            facts=ReadFacts(parts, opened, installed or frozenset()),
        )


def _require_true(sets: HeaderSets, database: Database, changed: AbstractSet[HeaderFile]) -> None:
    """Compare the host's set with the host's database, in the packages of the header files `changed`.

    Raises DamagedHeader for a header file that only one of them has.
    """
    packages = set(map(header.package_of, changed))
    in_set = {file for file in sets.host_files if header.package_of(file) in packages}
    for file in sorted(in_set ^ contents.files_of(database, packages).keys()):
        only = "the host's header set has it" if file in in_set else "the host's rpm database has it"
        # For the user only if somebody changes the host's packages at this moment: a launch makes the set anew first.
        again = f"wait until no rpm or zypper is at work on the host, then run it again: {typed()}"
        raise DamagedHeader(sets.host.path / file, f"only {only}", again)
