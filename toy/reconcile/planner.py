# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans what becomes of an overlay after its host changed: of its header set, its database and its files.

This only decides, and reads nothing but the `State` that it is given. The rules for packages are in `rules`, which
`decisions` asks, those for files of two packages at one path in `conflicts`.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from ..events import FOLLOWED, Event
from ..headers import header
from ..headers.changes import UpperSet
from ..headers.header import HeaderFile
from ..headers.package import Package, PackageFile
from ..overlay.operations import Operations, operations
from . import decisions, generated, losses, rules, triggers
from .conflicts import Conflict, find_conflicts
from .plan import Plan
from .state import Facts, State, Tree


def is_due(*, base: AbstractSet[HeaderFile], host: AbstractSet[HeaderFile], upper: UpperSet) -> bool:
    """Say whether there may be anything to plan: the host changed, or stand-ins may have lost their reason."""
    return base != host or bool(rules.perhaps_standing_in(upper))


def plan(state: State, covering: Iterable[str] = ()) -> Plan | None:
    """Plan what becomes of an overlay, or return None if nothing is to be done.

    At the paths `covering`, the overlay's files are in front of others of the host's since they moved. Raises
    DamagedHeader for a header that is needed and cannot be read.
    """
    facts, tree, host = state.facts, state.facts.tree, state.host
    merged = state.upper.over(state.base)
    own, removed = merged - state.base, state.base - merged
    stand_ins = rules.amended(own, removed & (host | state.hidden), facts.package)
    plain = merged - stand_ins.keys() | set(stand_ins.values())
    decision = decisions.decide(state, stand_ins)
    visible = host - decision.upper.whiteouts
    new = visible - plain
    arrived = sorted(new | visible & set(stand_ins.values()))
    touched = [owned for file in arrived for owned in facts.package(file).files if tree.touches(owned.path)]
    kept = [facts.package(file) for file in sorted(decision.upper.files)]
    meeting = sorted({*arrived, *_meeting(facts, kept) & visible})
    conflicts = find_conflicts(kept, {file: facts.package(file) for file in meeting}, tree.is_other_kind, tree.lead)
    own_paths = {owned.path for package in kept for owned in package.files}
    brought = {owned.path for package in kept for owned in package.files if not owned.is_ghost}
    stale = [cache for cache in generated.in_upper(tree.find) if cache[0] not in brought]
    conflicting = {path for paths in conflicts.values() for path in paths}
    theirs = [old for old in facts.files_of(state.base - host) if old.path not in own_paths | conflicting]
    copies = [old for old in theirs if _is_mere_copy(old, tree)]
    by_hand, uncover = _hidden_by_hand(state, touched)
    todo = operations(
        retired=map(facts.package, sorted(decision.retired)),
        kept=kept,
        freed=_freed(facts, state.hidden, stand_ins) | by_hand | {old.path for old in copies},
        uncover=uncover,
        hidden=map(facts.package, sorted(decision.upper.whiteouts)),
        arrived=touched,
        follow=_follow(facts, touched) - own_paths,
        is_visible=lambda path: bool(facts.owners_on_host(path) - decision.upper.whiteouts),
        is_other_kind=lambda path: path not in conflicting and tree.is_other_kind(path),
        sweep=not removed <= host | state.hidden,
        drop=[path for path, _ in stale if tree.is_in_lower(path)],
    )
    todo = todo._replace(remove=[file for file in (*todo.remove, *copies) if not generated.is_made(file)])
    stand_in = _standing_in(facts, conflicts)
    upper = UpperSet(decision.upper.files | stand_in.keys(), decision.upper.whiteouts | conflicts.keys())
    if state.base == host and upper == state.upper:
        return None
    ours = decision.upper.files
    due = triggers.due(state, before=plain, after=visible | ours, own=own - stand_ins.keys(), kept=ours)
    known, lost = losses.follow(state, decision, before=merged, now=upper.over(host), visible=visible)
    events = [
        *decisions.events(state, decision),
        *lost,
        *_conflicts(facts, conflicts, stand_ins.keys()),
        *_shadowed(facts, touched, covering, known=own_paths | conflicting, todo=todo),
        *triggers.stale(state, due),
        *_broken(state, upper.over(host), stand_in),
        Event(
            FOLLOWED,
            f"the host (packages that came: {len(host - state.base)}, that went: {len(state.base - host)})",
        ),
    ]
    runs = [one.run for one in due if one.problem is None]
    return Plan(state.recorded, host, upper, stand_in, todo, stale, runs, events, known)


def _meeting(facts: Facts, kept: Iterable[Package]) -> set[HeaderFile]:
    """Return the host's header files with files where a link of the host's leads those of the overlay's packages."""
    found: set[HeaderFile] = set()
    for path in (owned.path for package in kept for owned in package.files):
        folder, name = os.path.split(path)
        lead = facts.tree.lead(folder)
        if lead != folder:
            found |= facts.owners_on_host(os.path.join(lead, name))
    return found


def _is_mere_copy(file: PackageFile, tree: Tree) -> bool:
    """Say whether the upper's copy of a file that the host had is nobody's change, or may be a directory left over."""
    if file.is_directory:
        return not tree.is_in_lower(file.path)
    return not file.is_ghost and tree.is_as_installed(file)


def _standing_in(facts: Facts, conflicts: Mapping[HeaderFile, Mapping[str, Conflict]]) -> dict[HeaderFile, bytes]:
    """Return the blobs of the stand-ins, by header file, for the host's packages that lose a file in a conflict."""
    found: dict[HeaderFile, bytes] = {}
    for file, paths in conflicts.items():
        amended = facts.amended(file, {path: conflict.state for path, conflict in paths.items()})
        found |= {stand_in: amended.blob for stand_in, _ in header.file_names([amended])}
    return found


def _broken(state: State, now: AbstractSet[HeaderFile], stand_in: Mapping[HeaderFile, bytes]) -> Iterator[Event]:
    """Yield an event for each dependency that breaks in the overlay once its database holds the header files `now`."""
    if state.installed is not None:
        gone, come = state.installed - now, now - state.installed
        for problem in state.facts.broken(gone=gone, come=come, stand_ins=stand_in):
            yield Event("broken", f"{problem} (mend it: toy -n {state.machine} -- zypper verify)")


def _conflicts(
    facts: Facts, conflicts: Mapping[HeaderFile, Mapping[str, Conflict]], stand_ins: AbstractSet[HeaderFile]
) -> Iterator[Event]:
    """Yield an event for each conflict that is new: those of the last launch are recorded in `stand_ins`."""
    known = {(facts.package(file).name, path) for file in stand_ins for path in facts.package(file).absent}
    for file, paths in conflicts.items():
        for path, conflict in paths.items():
            if (facts.package(file).name, path) not in known:
                theirs = facts.package(file).label
                yield Event(
                    "conflict", f"{path} is {conflict.owner.label}'s in the overlay ({theirs} of the host has it too)"
                )


def _freed(facts: Facts, hidden: AbstractSet[HeaderFile], stand_ins: Mapping[HeaderFile, HeaderFile]) -> set[str]:
    """Return the paths that were hidden because the host's packages `hidden` own them.

    Of a package with a stand-in, these are the files that it lost in a conflict.
    """
    amended = {other: file for file, other in stand_ins.items()}
    paths: set[str] = set()
    for file in hidden:
        if file in amended:
            paths |= facts.package(amended[file]).absent - facts.package(file).absent
        else:
            paths |= {owned.path for owned in facts.package(file).files}
    return paths


def _hidden_by_hand(state: State, arrived: Iterable[PackageFile]) -> tuple[set[str], set[str]]:
    """Return the paths of new host files that the user hid by hand, not by removing a package; and directories.

    No package in the overlay's database owns such a path or, if it is hidden by a whiteout above it, anything at or
    below the whiteout, nor where that was before it moved. The directories are those with such whiteouts, which the
    user removed.
    """
    facts, tree = state.facts, state.facts.tree
    paths: set[str] = set()
    removed: set[str] = set()
    if state.installed is None:
        return paths, removed
    was = {now: path for moved in state.moved.paths.values() for path, now in moved.items()}
    for path in {owned.path for owned in arrived}:
        by = tree.hidden_by(path)
        if by is None:
            continue
        places = [by]
        while (before := was.get(places[-1], by)) not in places:
            places.append(before)
        if any(facts.is_owned(f"{place}{path.removeprefix(by)}") for place in places):
            continue
        if by != path and tree.is_whiteout(by):
            if any(map(facts.has_below, places)):
                continue
            removed.add(by)
        paths.add(path)
    return paths, removed


def _follow(facts: Facts, arrived: Iterable[PackageFile]) -> set[str]:
    """Return the host's directories that the upper has with the mode that a package in the overlay's database says."""
    found = {owned.path for owned in arrived if owned.is_directory}
    return {
        path
        for path in found
        if (mode := facts.tree.other_mode(path)) is not None and any(old.mode == mode for old in facts.files_at(path))
    }


def _shadowed(
    facts: Facts,
    arrived: Iterable[PackageFile],
    covering: Iterable[str],
    *,
    known: AbstractSet[str],
    todo: Operations,
) -> Iterator[Event]:
    """Yield an event for each file of the overlay that hides one of the host's, except at the paths `known`.

    It is new there, or the overlay's is, at the paths `covering`.
    """
    goes = [owned.path for owned in todo.remove]
    led = (os.path.join(facts.tree.lead(os.path.dirname(path)), os.path.basename(path)) for path in goes)
    known = known | {*todo.drop, *todo.clear, *goes, *led}
    found = {*covering} - known
    for owned in arrived:
        by = None if owned.path in known or owned.is_ghost else facts.tree.shadowed_by(owned.path)
        if by is not None and by not in known and not any(map(owned.is_same, facts.files_at(owned.path))):
            found.add(by)
    for path in sorted(found):
        yield Event("shadowed", f"{path} (the host has another one; the overlay keeps its own)")
