# SPDX-License-Identifier: GPL-2.0-or-later
"""Finds the packages of the overlay that gave way to the host's, and that the host has lost since: the user is told.

Nobody has their files by then, so they do not come back by themselves.
"""

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet

from ..errors import quoted
from ..events import Event
from ..headers import header
from ..headers.header import HeaderFile, QuotedName
from . import rules
from .retired import Retired
from .rules import Decision
from .state import Facts, State


def follow(
    state: State,
    decision: Decision,
    *,
    before: AbstractSet[HeaderFile],
    now: AbstractSet[HeaderFile],
    visible: AbstractSet[HeaderFile],
) -> tuple[dict[str, Retired], list[Event]]:
    """Return the packages to remember, as `State.retired`, and an event for each that the host has lost.

    `before` and `now` are the header files of the overlay's database before and after, `visible` the host's in it now.
    """
    earlier = _renamed(state.retired, _new_names(state.facts, visible - state.base))
    gave_way = _gave_way(state.facts, decision)
    names = {header.package(one.name) for one in {**earlier, **gave_way}.values()}
    had, has, theirs = (_identities(files, names) for files in (before, now, visible))
    known: dict[str, Retired] = {}
    events = []
    for key, one in sorted({**earlier, **gave_way}.items()):
        if has.isdisjoint({*one.to, key}) and not had.isdisjoint(one.to):
            events.append(_event(state.machine, key, one, "it no longer"))
        elif key not in gave_way and (older := _only_older(state.facts, key, one, visible)) is not None:
            events.append(_event(state.machine, key, one, f"{older} now"))
        elif key in theirs and key not in one.to:  # instead of another name that it gave way to
            known[key] = one._replace(to=(*one.to, QuotedName(key)))
        elif not has.isdisjoint(one.to):
            known[key] = one
    return known, events


def _gave_way(facts: Facts, decision: Decision) -> dict[str, Retired]:
    """Return the packages that give way, but for those that were there only since others needed them."""
    found: dict[str, Retired] = {}
    for file, theirs in decision.retired.items():
        package = facts.package(file)
        if package.name not in facts.auto_installed:
            is_one_of_several = package.name == rules.KEY or rules.is_multiversion(package, facts.multiversion)
            identity = header.label if is_one_of_several else header.package_of
            to = tuple(sorted(QuotedName(identity(other)) for other in theirs))
            found[identity(file)] = Retired(package.label, to)
    return found


def _identities(files: Iterable[HeaderFile], names: AbstractSet[QuotedName]) -> set[str]:
    """Return the package names of header files, and of the packages `names` what tells several versions apart."""
    packages = {file: header.package_of(file) for file in files}
    return {*packages.values(), *(header.label(file) for file, package in packages.items() if package in names)}


def _new_names(facts: Facts, arrived: Iterable[HeaderFile]) -> dict[QuotedName, QuotedName]:
    """Return the names of the host's new packages by those of what they obsolete."""
    return {
        header.package(name): header.package_of(file)
        for file in sorted(arrived)
        for name, _, _ in facts.package(file).obsoletes
    }


def _renamed(known: Mapping[str, Retired], names: Mapping[QuotedName, QuotedName]) -> dict[str, Retired]:
    """Return them with the new names of packages that they gave way to; `names` has those by the old ones."""
    return {
        key: one._replace(to=tuple(dict.fromkeys([*one.to, *(names[old] for old in one.to if old in names)])))
        for key, one in known.items()
    }


def _only_older(facts: Facts, key: str, one: Retired, visible: AbstractSet[HeaderFile]) -> str | None:
    """Return the version of the host's package if all that are to be seen are older than the one that gave way."""
    theirs = [facts.package(file) for file in sorted(visible) if header.package_of(file) == key]
    if theirs and all(facts.is_newer(package._replace(evr=one.evr), package) for package in theirs):
        return ", ".join(package.version for package in theirs)
    return None


def _event(machine: str, key: str, one: Retired, has: str) -> Event:
    if key == header.package(one.name):
        command = f"zypper in {quoted(one.name)}"
    elif one.name == rules.KEY:
        command = "rpm --import FILE"
    else:
        command = f"zypper in --oldpackage {quoted('='.join(one.label.rsplit(' ', 1)))}"
    return Event(
        "gone",
        f"{one.label} (it was retired since the host had it, and the host has {has};"
        f" bring it back: toy -n {machine} -- {command})",
    )
