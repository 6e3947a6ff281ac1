# SPDX-License-Identifier: GPL-2.0-or-later
"""After the host changed: what becomes of the overlay, in its header set, its database and its files."""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from ..database import parse
from ..database.reader import ForeignDatabase, Reader
from ..database.rpmdb import Database
from ..errors import DamagedHeader
from ..headers import changes, contents, header
from ..headers.header import Header
from ..headers.package import Package, PackageFile
from ..overlay.operations import Operations, operations
from ..overlay.upper import UpperView
from . import generated, host_set, rules
from .conflicts import Clash, conflicts
from .events import FOLLOWED, Event
from .plan import Intent
from .rules import Decision
from .sets import Sets


class _Packages:
    """The packages of header files, wherever these lie, with those of their files that lie in the overlay.

    Each is read once. What is the host's own, as in homes, no package has brought there, and none takes it away.
    """

    def __init__(self, sets: Sets, tree: UpperView, reader: Reader) -> None:
        self._sets = sets
        self._tree = tree
        self._reader = reader
        self._in_upper = sets.upper.list().files
        self._known: dict[str, Package] = {}

    def blob(self, file: str) -> bytes:
        """Return the blob. Raises DamagedHeader."""
        sets = self._sets
        source = sets.upper if file in self._in_upper else sets.host if file in sets.host_files else sets.hidden
        return source.read_blob(file)

    def __call__(self, file: str) -> Package:
        if file not in self._known:
            is_foreign = file in self._in_upper
            found = (self._reader.package if is_foreign else parse.package)(self.blob(file))
            ours = tuple(owned for owned in found.files if not self._tree.is_elsewhere(owned.path))
            self._known[file] = found._replace(files=ours)
        return self._known[file]

    def with_file_states(self, file: str, states: Mapping[str, int]) -> Header:
        """Return the header as `parse.with_file_states` does."""
        is_foreign = file in self._in_upper
        return (self._reader if is_foreign else parse).with_file_states(self.blob(file), states)


def decide(
    sets: Sets,
    tree: UpperView,
    host_database: Database,
    reader: Reader,
    database: ForeignDatabase | None,
    *,
    recorded: frozenset[str] | None,
    base: AbstractSet[str],
    merged: AbstractSet[str],
    installed: AbstractSet[str],
    mend: str,
) -> Intent:
    """Decide what becomes of an overlay, now that the host's set is no longer `base`.

    `host_database` is the host's, as it is now. `reader` reads headers of the overlay's. `merged` is what the overlay
    made of it; `installed` are the headers in its database, if it has one, which has not followed an earlier intent
    yet; `recorded` is the base on record. `mend` is the command that mends broken dependencies.
    Raises DamagedHeader for a header that is needed and cannot be read, or that the host's database does not have.
    """
    load = _Packages(sets, tree, reader)
    host_files = sets.host_files
    own, removed = merged - base, base - merged
    hidden = sets.hidden.check().files
    stand_ins = rules.amended(own, removed & (host_files | hidden), load)
    plain = merged - stand_ins.keys() | set(stand_ins.values())
    _check(sets, host_database, base ^ host_files)
    decision = _decide(load, tree, base=base, now=host_files, merged=plain)
    visible = host_files - decision.upper.whiteouts
    arrived = sorted(visible - plain | visible & set(stand_ins.values()))
    touched = [file for name in arrived for file in load(name).files if tree.touches(file.path)]
    kept = [load(file) for file in sorted(decision.upper.files)]
    clashes = conflicts(kept, {file: load(file) for file in arrived}, tree.is_other_kind)

    def is_visible(path: str) -> bool:
        owners = header.file_names(host_database.owners(path))
        return any(file not in decision.upper.whiteouts for file, _ in owners)

    owned = {file.path for package in kept for file in package.files}
    stale = [cache for cache in generated.in_upper(tree.find) if cache[0] not in owned]
    clashed = {path for paths in clashes.values() for path in paths}
    new, uncover = _new(tree, database, touched)
    todo = operations(
        retired=map(load, sorted(decision.retired)),
        kept=kept,
        freed=_freed(load, hidden, stand_ins) | new,
        uncover=uncover,
        hidden=map(load, sorted(decision.upper.whiteouts)),
        arrived=touched,
        follow=_follow(tree, database, touched) - owned,
        is_visible=is_visible,
        is_other_kind=lambda path: path not in clashed and tree.is_other_kind(path),
        sweep=not removed <= host_files | hidden,
        drop=[path for path, _ in stale if tree.is_in_lower(path)],
    )
    stand_in = _standing_in(load, clashes)
    upper = changes.Upper(decision.upper.files | stand_in.keys(), decision.upper.whiteouts | clashes.keys())
    now = upper.over(host_files)
    broken = _broken(database, load, stand_in, installed=installed, gone=installed - now, come=now - installed)
    events = [
        *_retired(load, decision, host_files),
        *_conflicts(load, clashes, stand_ins.keys()),
        *_shadowed(tree, database, touched, known=owned | clashed, todo=todo),
        *(Event("broken", f"{problem} (mend it: {mend})") for problem in host_set.unknown(broken, tree.lower)),
        Event(
            FOLLOWED, f"the host (packages that came: {len(host_files - base)}, that went: {len(base - host_files)})"
        ),
    ]
    return Intent(recorded, host_files, upper, stand_in, todo, stale, events)


def _standing_in(load: _Packages, clashes: Mapping[str, Mapping[str, Clash]]) -> dict[str, bytes]:
    """Return the headers that stand for those of the host's packages with files that are not theirs in the overlay."""
    found: dict[str, bytes] = {}
    for file, paths in clashes.items():
        amended = load.with_file_states(file, {path: clash.state for path, clash in paths.items()})
        found |= {name: amended.blob for name, _ in header.file_names([amended])}
    return found


def _broken(
    database: ForeignDatabase | None,
    load: _Packages,
    stand_in: Mapping[str, bytes],
    *,
    installed: AbstractSet[str],
    gone: AbstractSet[str],
    come: AbstractSet[str],
) -> list[str]:
    """Return the dependencies that break in the overlay's database once these packages are gone and those have come."""
    if database is None:
        return []
    numbers = contents.numbers_of(database, gone & installed, among=installed)
    blobs = (stand_in[file] if file in stand_in else load.blob(file) for file in sorted(come))
    return database.broken_by(erase=numbers, install=blobs)


def _conflicts(
    load: _Packages, clashes: Mapping[str, Mapping[str, Clash]], stand_ins: AbstractSet[str]
) -> Iterator[Event]:
    """Yield the conflicts that were none at the last launch, of which `stand_ins` tell."""
    known = {(load(file).name, path) for file in stand_ins for path in load(file).absent}
    for file, paths in clashes.items():
        for path, clash in paths.items():
            if (load(file).name, path) not in known:
                theirs = load(file).label
                yield Event(
                    "conflict", f"{path} is {clash.owner.label}'s in the overlay ({theirs} of the host has it too)"
                )


def _check(sets: Sets, database: Database, changed: AbstractSet[str]) -> None:
    """Hold the host's set against its database, as to the packages that changed."""
    names = set(map(header.package_of, changed))
    in_set = {file for file in sets.host_files if header.package_of(file) in names}
    for file in sorted(in_set ^ contents.files_of(database, names).keys()):
        raise DamagedHeader(sets.host.path / file, "the host's set is not what its rpm database is")


def _decide(
    load: _Packages, tree: UpperView, *, base: AbstractSet[str], now: AbstractSet[str], merged: AbstractSet[str]
) -> Decision:
    multiversion = host_set.multiversion(tree.lower)
    touched = set(map(header.package_of, base ^ now))
    known = {file for file in now if header.package_of(file) in touched} | merged - base
    several = {
        header.package_of(file)
        for file in known
        if multiversion & ({load(file).name} | {f"provides:{name}" for name in load(file).provides})
    }
    return rules.decide(
        base=base,
        host=now,
        merged=merged,
        is_newer=lambda one, other: parse.is_newer(load(one), load(other)),
        is_sound=lambda file: not tree.missing(load(file).files),
        several=several,
    )


def _freed(load: _Packages, hidden: AbstractSet[str], stand_ins: Mapping[str, str]) -> set[str]:
    """Return the paths that the host's hidden packages were the reason to hide."""
    amended = {other: file for file, other in stand_ins.items()}
    paths: set[str] = set()
    for file in hidden:
        if file in amended:
            paths |= load(amended[file]).absent - load(file).absent
        else:
            paths |= {owned.path for owned in load(file).files}
    return paths


def _new(
    tree: UpperView, database: ForeignDatabase | None, arrived: Iterable[PackageFile]
) -> tuple[set[str], set[str]]:
    """Return the paths, of these files of the host's packages, that are hidden, but not on their account.

    They, or where a directory was removed what was in it, were no package's when somebody hid them. Returned as well
    are the directories that were removed.
    """
    paths: set[str] = set()
    removed: set[str] = set()
    if database is None:
        return paths, removed
    for path in {file.path for file in arrived}:
        by = tree.hidden_by(path)
        if by is None or database.is_owned(path):
            continue
        if by != path and tree.is_whiteout(by):
            if database.has_below(by):
                continue
            removed.add(by)
        paths.add(path)
    return paths, removed


def _follow(tree: UpperView, database: ForeignDatabase | None, arrived: Iterable[PackageFile]) -> set[str]:
    """Return those of the host's directories that the upper has as an earlier version of theirs had them."""
    found = {file.path for file in arrived if file.is_directory}
    return {
        path
        for path in found
        if (mode := tree.other_mode(path)) is not None and any(old.mode == mode for old in _files_at(database, path))
    }


def _files_at(database: ForeignDatabase | None, path: str) -> Iterator[PackageFile]:
    """Yield what the packages of the overlay, as it was, have at a path."""
    for owner in [] if database is None else database.owners(path):
        yield from (file for file in owner.files if file.path == path)


def _shadowed(
    tree: UpperView,
    database: ForeignDatabase | None,
    arrived: Iterable[PackageFile],
    *,
    known: AbstractSet[str],
    todo: Operations,
) -> Iterator[Event]:
    """Yield what of the host's new files has another file, at no path that is known, before it."""
    known = known | {*todo.drop, *todo.clear, *(file.path for file in todo.remove)}
    found = set()
    for file in arrived:
        by = None if file.path in known or file.is_ghost else tree.shadowed_by(file.path)
        if by is not None and by not in known and not any(map(file.is_same, _files_at(database, file.path))):
            found.add(by)
    for path in sorted(found):
        yield Event("shadowed", f"{path} (the host has another one; the overlay keeps its own)")


def _retired(load: _Packages, decision: Decision, host: AbstractSet[str]) -> Iterator[Event]:
    for file in sorted(decision.retired):
        yield Event("retired", f"{load(file).label} (host has {_versions(load, file, host)})")
    for file in sorted(decision.unsound):
        yield Event(
            "kept",
            f"the overlay's {load(file).name}: not all files of the host's {load(file).version} are there"
            f" (see on the host: rpm -V {load(file).name})",
        )


def _versions(load: _Packages, file: str, host: AbstractSet[str]) -> str:
    """Return the versions that the host has of the package of a header file."""
    name = header.package_of(file)
    return ", ".join(load(other).version for other in sorted(host) if header.package_of(other) == name)
