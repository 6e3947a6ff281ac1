# SPDX-License-Identifier: GPL-2.0-or-later
"""Plans what becomes of an overlay after its host changed: of its header set, its database and its files.

This only decides, and reads nothing but the `State` that it is given. The rules for packages are in `rules`, those
for files of two packages at one path in `conflicts`.
"""

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet

from ..headers import header
from ..headers.changes import UpperSet
from ..headers.package import PackageFile
from ..overlay.operations import Operations, operations
from . import generated, rules
from .conflicts import Conflict, find_conflicts
from .events import FOLLOWED, Event
from .plan import Plan
from .rules import Decision
from .state import Facts, State


def is_due(*, base: AbstractSet[str], host: AbstractSet[str], upper: UpperSet) -> bool:
    """Say whether there may be anything to plan: the host changed, or stand-ins may have lost their reason."""
    return base != host or bool(rules.perhaps_standing_in(upper))


def plan(state: State) -> Plan | None:
    """Plan what becomes of an overlay, or return None if nothing is to be done.

    Raises DamagedHeader for a header that is needed and cannot be read.
    """
    facts, tree, host = state.facts, state.facts.tree, state.host
    merged = state.upper.over(state.base)
    own, removed = merged - state.base, state.base - merged
    stand_ins = rules.amended(own, removed & (host | state.hidden), facts.package)
    plain = merged - stand_ins.keys() | set(stand_ins.values())
    decision = _apply_rules(facts, base=state.base, host=host, merged=plain)
    visible = host - decision.upper.whiteouts
    arrived = sorted(visible - plain | visible & set(stand_ins.values()))
    touched = [file for name in arrived for file in facts.package(name).files if tree.touches(file.path)]
    kept = [facts.package(file) for file in sorted(decision.upper.files)]
    conflicts = find_conflicts(kept, {file: facts.package(file) for file in arrived}, tree.is_other_kind)
    owned = {file.path for package in kept for file in package.files}
    stale = [cache for cache in generated.in_upper(tree.find) if cache[0] not in owned]
    conflicting = {path for paths in conflicts.values() for path in paths}
    by_hand, uncover = _hidden_by_hand(state, touched)
    todo = operations(
        retired=map(facts.package, sorted(decision.retired)),
        kept=kept,
        freed=_freed(facts, state.hidden, stand_ins) | by_hand,
        uncover=uncover,
        hidden=map(facts.package, sorted(decision.upper.whiteouts)),
        arrived=touched,
        follow=_follow(facts, touched) - owned,
        is_visible=lambda path: bool(facts.owners_on_host(path) - decision.upper.whiteouts),
        is_other_kind=lambda path: path not in conflicting and tree.is_other_kind(path),
        sweep=not removed <= host | state.hidden,
        drop=[path for path, _ in stale if tree.is_in_lower(path)],
    )
    stand_in = _standing_in(facts, conflicts)
    upper = UpperSet(decision.upper.files | stand_in.keys(), decision.upper.whiteouts | conflicts.keys())
    if state.base == host and upper == state.upper:
        return None
    events = [
        *_retired(facts, decision, host),
        *_conflicts(facts, conflicts, stand_ins.keys()),
        *_shadowed(facts, touched, known=owned | conflicting, todo=todo),
        *_broken(state, upper.over(host), stand_in),
        Event(
            FOLLOWED,
            f"the host (packages that came: {len(host - state.base)}, that went: {len(state.base - host)})",
        ),
    ]
    return Plan(state.recorded, host, upper, stand_in, todo, stale, events)


def _standing_in(facts: Facts, conflicts: Mapping[str, Mapping[str, Conflict]]) -> dict[str, bytes]:
    """Return the headers that stand for those of the host's packages with files that are not theirs in the overlay."""
    found: dict[str, bytes] = {}
    for file, paths in conflicts.items():
        amended = facts.amended(file, {path: conflict.state for path, conflict in paths.items()})
        found |= {name: amended.blob for name, _ in header.file_names([amended])}
    return found


def _broken(state: State, now: AbstractSet[str], stand_in: Mapping[str, bytes]) -> Iterator[Event]:
    """Yield the dependencies that break in the overlay once its database holds `now`."""
    if state.installed is not None:
        gone, come = state.installed - now, now - state.installed
        for problem in state.facts.broken(gone=gone, come=come, stand_ins=stand_in):
            yield Event("broken", f"{problem} (mend it: toy -n {state.machine} -- zypper verify)")


def _conflicts(
    facts: Facts, conflicts: Mapping[str, Mapping[str, Conflict]], stand_ins: AbstractSet[str]
) -> Iterator[Event]:
    """Yield the conflicts that were none at the last launch, of which `stand_ins` tell."""
    known = {(facts.package(file).name, path) for file in stand_ins for path in facts.package(file).absent}
    for file, paths in conflicts.items():
        for path, conflict in paths.items():
            if (facts.package(file).name, path) not in known:
                theirs = facts.package(file).label
                yield Event(
                    "conflict", f"{path} is {conflict.owner.label}'s in the overlay ({theirs} of the host has it too)"
                )


def _apply_rules(facts: Facts, *, base: AbstractSet[str], host: AbstractSet[str], merged: AbstractSet[str]) -> Decision:
    """Apply the rules, with what they have to know of the packages."""
    touched = set(map(header.package_of, base ^ host))
    known = {file for file in host if header.package_of(file) in touched} | merged - base
    several = {header.package_of(file) for file in known if facts.multiversion & _names(facts, file)}
    return rules.decide(
        base=base,
        host=host,
        merged=merged,
        is_newer=lambda one, other: facts.is_newer(facts.package(one), facts.package(other)),
        is_sound=lambda file: not facts.tree.missing(facts.package(file).files),
        several=several,
    )


def _names(facts: Facts, file: str) -> set[str]:
    """Return what `multiversion` may call the package of a header file."""
    package = facts.package(file)
    return {package.name} | {f"provides:{name}" for name in package.provides}


def _freed(facts: Facts, hidden: AbstractSet[str], stand_ins: Mapping[str, str]) -> set[str]:
    """Return the paths that the host's hidden packages were the reason to hide."""
    amended = {other: file for file, other in stand_ins.items()}
    paths: set[str] = set()
    for file in hidden:
        if file in amended:
            paths |= facts.package(amended[file]).absent - facts.package(file).absent
        else:
            paths |= {owned.path for owned in facts.package(file).files}
    return paths


def _hidden_by_hand(state: State, arrived: Iterable[PackageFile]) -> tuple[set[str], set[str]]:
    """Return the paths, of these files of the host's packages, that are hidden by the user rather than by a removal.

    They, or where a directory was removed what was in it, were no package's when somebody hid them. Returned as well
    are the directories that were removed.
    """
    facts, tree = state.facts, state.facts.tree
    paths: set[str] = set()
    removed: set[str] = set()
    if state.installed is None:
        return paths, removed
    for path in {file.path for file in arrived}:
        by = tree.hidden_by(path)
        if by is None or facts.is_owned(path):
            continue
        if by != path and tree.is_whiteout(by):
            if facts.has_below(by):
                continue
            removed.add(by)
        paths.add(path)
    return paths, removed


def _follow(facts: Facts, arrived: Iterable[PackageFile]) -> set[str]:
    """Return those of the host's directories that the upper has as an earlier version of theirs had them."""
    found = {file.path for file in arrived if file.is_directory}
    return {
        path
        for path in found
        if (mode := facts.tree.other_mode(path)) is not None and any(old.mode == mode for old in facts.files_at(path))
    }


def _shadowed(
    facts: Facts,
    arrived: Iterable[PackageFile],
    *,
    known: AbstractSet[str],
    todo: Operations,
) -> Iterator[Event]:
    """Yield what of the host's new files has another file, at no path that is known, before it."""
    known = known | {*todo.drop, *todo.clear, *(file.path for file in todo.remove)}
    found = set()
    for file in arrived:
        by = None if file.path in known or file.is_ghost else facts.tree.shadowed_by(file.path)
        if by is not None and by not in known and not any(map(file.is_same, facts.files_at(file.path))):
            found.add(by)
    for path in sorted(found):
        yield Event("shadowed", f"{path} (the host has another one; the overlay keeps its own)")


def _retired(facts: Facts, decision: Decision, host: AbstractSet[str]) -> Iterator[Event]:
    for file in sorted(decision.retired):
        yield Event("retired", f"{facts.package(file).label} (host has {_versions(facts, file, host)})")
    for file in sorted(decision.unsound):
        package = facts.package(file)
        yield Event(
            "kept",
            f"the overlay's {package.name}: not all files of the host's {package.version} are there"
            f" (see on the host: rpm -V {package.name})",
        )


def _versions(facts: Facts, file: str, host: AbstractSet[str]) -> str:
    """Return the versions that the host has of the package of a header file."""
    name = header.package_of(file)
    return ", ".join(facts.package(other).version for other in sorted(host) if header.package_of(other) == name)
