# SPDX-License-Identifier: GPL-2.0-or-later
"""Hosts and overlays written as tables: a world says which packages and files there are, before and after."""

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tables import COPY, FILE, OPAQUE, WHITEOUT, file, package
from world_facts import Facts

from toy.headers import header
from toy.headers.changes import UpperSet
from toy.headers.header import Header, HeaderFile
from toy.headers.package import Package, Trigger
from toy.reconcile.moved import NOTHING, Paths
from toy.reconcile.plan import Plan
from toy.reconcile.planner import plan
from toy.reconcile.retired import Retired
from toy.reconcile.state import State


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
    moved: Paths = field(default_factory=dict)
    """What moved when the host got links, by link, old and new path."""
    auto_installed: Sequence[str] = ()
    """Names of packages that others needed, and that nobody asked for."""
    obsoletes: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The packages that are obsolete once one is installed, by that."""
    triggers: Mapping[str, Sequence[Trigger]] = field(default_factory=dict)
    """The triggers of packages."""
    needs: Mapping[str, str] = field(default_factory=dict)
    """The name that a package requires, by package."""
    has_database: bool = True

    def package(self, label: str) -> Package:
        """Return the package of this label."""
        name = label.partition("/")[0].rpartition("-")[0]
        found = package(label, *self.files.get(label, [f"/usr/bin/{name}={label}"]))
        obsoleted = {other.rpartition("-")[0] for other in self.obsoletes.get(label, ())}
        triggers = tuple(self.triggers.get(label, ()))
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
            moved=NOTHING._replace(paths=self.moved),
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


def labels(world: World, files: Iterable[HeaderFile]) -> list[str]:
    """Return NAME-VERSION of header files of a world, or the label in the name of others."""
    known = world.labels()
    return sorted(known.get(each, f"{header.label(each)} (stand-in)") for each in files)


def outcome(world: World) -> dict[str, list[str]]:
    """Return what is planned for a world: packages, paths and events, without what is empty."""
    planned = world.plan()
    events = [str(event) for event in planned.events if event.kind != "followed"]
    found = {
        "own": labels(world, planned.upper.files),
        "hidden": labels(world, planned.upper.whiteouts),
        "remove": sorted(each.path for each in planned.operations.remove),
        "hide": planned.operations.hide,
        "show": planned.operations.show,
        "drop": planned.operations.drop,
        "uncover": planned.operations.uncover,
        "clear": planned.operations.clear,
        "follow": planned.operations.follow,
        "sweep": ["whiteouts"] if planned.operations.sweep else [],
        "anew": [path for path, _ in planned.caches],
        "events": events,
    }
    return {what: values for what, values in found.items() if values}
