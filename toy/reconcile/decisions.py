# SPDX-License-Identifier: GPL-2.0-or-later
"""Decides what becomes of packages, by `rules`, and says it.

This finds what the rules ask for in the `State` of a machine and its host, and reads nothing else.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet

from ..errors import quoted
from ..events import Event
from ..headers import header
from ..headers.header import HeaderFile, QuotedName
from ..headers.package import Package
from . import rules
from .rules import Decision
from .state import Facts, State


def decide(state: State, stand_ins: Mapping[HeaderFile, HeaderFile]) -> Decision:
    """Return the decision of the rules for packages; `stand_ins` is what `rules.amended` returned."""
    facts, base, host = state.facts, state.base, state.host
    merged = state.upper.over(base) - stand_ins.keys() | set(stand_ins.values())
    own, removed = merged - base, base - merged
    touched = set(map(header.package_of, base ^ host))
    known = {file for file in host if header.package_of(file) in touched} | own
    several = {
        header.package_of(file) for file in known if rules.is_multiversion(facts.package(file), facts.multiversion)
    }
    obsoleted = _obsoleted(
        facts, by=(host - base) | own | (removed - host) & state.hidden, among=base ^ host | own | removed
    )
    again = {new for old in removed - host for new in obsoleted.get(old, ())} & (host - base)
    if again and state.installed is not None:  # of what else were they made?
        names = set(map(header.package_of, host))
        went = {file for file in base - host - removed if header.package_of(file) not in names}
        obsoleted |= _obsoleted(facts, by=went & state.installed, among=again)
    return rules.decide(
        base=base,
        host=host,
        merged=merged,
        is_newer=lambda one, other: facts.is_newer(facts.package(one), facts.package(other)),
        is_sound=lambda file: not facts.tree.missing(facts.package(file).files),
        several=several,
        obsoleted=obsoleted,
    )


def _obsoleted(
    facts: Facts, *, by: AbstractSet[HeaderFile], among: AbstractSet[HeaderFile]
) -> dict[HeaderFile, set[HeaderFile]]:
    """Return which of the header files `among` are obsolete once that of the key is installed, for each in `by`."""
    by_name: dict[QuotedName, set[HeaderFile]] = {}
    for file in among:
        by_name.setdefault(header.package_of(file), set()).add(file)
    found: dict[HeaderFile, set[HeaderFile]] = {}
    for file in by:
        for name, _, _ in facts.package(file).obsoletes:
            others = {other for other in by_name.get(header.package(name), ()) if facts.obsoletes(file, other)}
            found.setdefault(file, set()).update(others)
    return found


def events(state: State, decision: Decision) -> Iterator[Event]:
    """Yield an event for each package of which somebody should know what was decided."""
    facts = state.facts
    for file, theirs in sorted(decision.retired.items()):
        package = facts.package(file)
        versions = ", ".join(_version(facts.package(other), package.name) for other in sorted(theirs))
        yield Event("retired", f"{package.label} (host has {versions})")
    for file, ours in sorted(decision.unsound.items()):
        package = facts.package(file)
        for name in sorted({facts.package(own).name for own in ours}):
            version = _version(package, name)
            yield Event(
                "kept",
                f"the overlay's {name}, although the host has {version}: some files of {version}"
                f" are missing on the host (see there: rpm -V {package.name})",
            )
    shown = set(map(header.package_of, state.upper.over(state.base)))
    for file, older in sorted(decision.returned.items()):
        package = facts.package(file)
        labels = ", ".join(" ".join(header.name_and_evr(old)) for old in sorted(older))
        what = f"removed here, and a part of the host's {package.label}"
        if header.package_of(file) not in shown:  # else it was there before, and is wanted
            what += f"; to do without: toy -n {state.machine} -- zypper rm {quoted(package.name)}"
        yield Event("back", f"{labels} ({what})")


def _version(package: Package, name: str) -> str:
    """Return the version of a package, with its name unless that is `name`."""
    return package.version if package.name == name else package.label
