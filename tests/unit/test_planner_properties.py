# SPDX-License-Identifier: GPL-2.0-or-later
"""What is true of every plan, for any packages of host and overlay and any history of the host."""

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from tables import FILE, WHITEOUT, file
from world import World

from toy.headers import header
from toy.reconcile.plan import Plan
from toy.reconcile.planner import plan

NAMES, VERSIONS, BUILDS = "abc", "123", ("host", "own")

SHARED = ("/usr/share/pool=1", "/usr/share/pool=2", "/usr/share/other", "/usr/bin/a=b")
"""Files that several packages may own, some with another content."""

hosts = st.fixed_dictionaries({name: st.sampled_from(["", *VERSIONS]) for name in NAMES}).map(
    lambda versions: [f"{name}-{version}/host" for name, version in versions.items() if version]
)
contents = st.fixed_dictionaries(
    {f"{name}-{version}": st.sets(st.sampled_from(SHARED), max_size=2) for name in NAMES for version in VERSIONS}
)


def name_of(label: str) -> str:
    return label.partition("-")[0]


def files(shared: Mapping[str, set[str]]) -> dict[str, Sequence[str]]:
    """Return what each build of a package has: one program of its own version, and what it shares."""
    return {
        f"{label}/{build}": sorted({f"/usr/bin/{name_of(label)}={label}/{build}", f"/usr/lib/{label}", *more})
        for label, more in shared.items()
        for build in BUILDS
    }


@st.composite
def overlays(draw: st.DrawFn) -> World:
    """Return a host, and an overlay that removed some of its packages and has others and other versions."""
    before = draw(hosts)
    touched = draw(st.sets(st.sampled_from(NAMES)))
    drawn = [f"{name}-{version}/{draw(st.sampled_from(BUILDS))}" for name in sorted(touched)
             if (version := draw(st.sampled_from(["", *VERSIONS])))]  # fmt: skip
    own = [label if label not in before else label.replace("/host", "/own") for label in drawn]
    removed = [label for label in before if name_of(label) in touched]
    world = World(before=before, after=before, own=own, removed=removed, files=files(draw(contents)))
    ours, theirs = paths(world, own), paths(world, (label for label in before if label not in removed))
    hidden = dict.fromkeys(paths(world, removed) - theirs, WHITEOUT)
    return world.but(upper={**hidden, **dict.fromkeys(ours, FILE)})


def paths(world: World, labels: Iterator[str] | Sequence[str]) -> set[str]:
    return {each.path for label in labels for each in world.package(label).files}


def steps(world: World, history: Sequence[Sequence[str]]) -> Iterator[tuple[World, Plan, World]]:
    """Yield each world with a change of the host, what is planned for it, and the world after that."""
    for after in history:
        world = world.but(after=after)
        planned = plan(world.state())
        if planned is not None:
            done = world.done(planned)
            yield world, planned, done
            world = done


histories = st.lists(hosts, min_size=1, max_size=3)
programs = st.sets(st.sampled_from([f"/usr/bin/{name}" for name in NAMES]))
thoroughly = settings(deadline=None, max_examples=60)


@thoroughly
@given(overlays(), histories, programs, st.sampled_from([[], ["c"], ["provides:b", "c"]]))
def test_after_a_plan_nothing_is_due(
    world: World, history: Sequence[Sequence[str]], missing: set[str], multiversion: Sequence[str]
) -> None:
    for _, planned, done in steps(world.but(missing=sorted(missing), multiversion=multiversion), history):
        assert plan(done.state()) is None
        assert done.state().upper == planned.upper
        assert Plan.from_json(planned.to_json()) == planned


@thoroughly
@given(overlays(), histories, programs)
def test_no_package_is_lost(world: World, history: Sequence[Sequence[str]], missing: set[str]) -> None:
    for before, planned, done in steps(world.but(missing=sorted(missing)), history):
        shown = planned.upper.over(planned.host)
        assert max(Counter(map(header.label, shown)).values(), default=1) == 1
        assert max(Counter(map(header.package_of, shown)).values(), default=1) == 1
        # What the overlay had stays, unless that is said; what it removed stays removed; the rest is as on the host.
        said = [str(event) for event in planned.events]
        for label in before.own:
            name = before.package(label).label
            assert file(label) in shown or any(line.startswith(f"retired: {name} (") for line in said)
        own, packages = set(map(name_of, before.own)), set(map(header.package_of, shown))
        for label in before.after:
            name = name_of(label)
            if name in own:
                assert name in packages
            elif name in set(map(name_of, before.removed)):
                assert name not in packages
            else:
                assert file(label) in shown or label in done.stand_ins


@thoroughly
@given(overlays(), histories)
def test_the_newer_one_of_both_shows(world: World, history: Sequence[Sequence[str]]) -> None:
    for before, _, done in steps(world, history):
        changed = {label for label in before.after if label not in before.before}
        for ours, theirs in itertools.product(before.own, changed):
            if name_of(ours) == name_of(theirs):
                is_newer = before.package(ours).evr > before.package(theirs).evr
                assert (ours in done.own, theirs in done.removed) == (is_newer, is_newer)


@thoroughly
@given(overlays(), histories)
def test_the_files_follow_the_packages(world: World, history: Sequence[Sequence[str]]) -> None:
    for before, planned, done in steps(world, history):
        ours = paths(done, done.own)
        theirs = paths(done, [label for label in done.before if label not in done.removed])
        removed = {each.path for each in planned.operations.remove}
        assert removed <= paths(before, before.own) - ours
        assert {path for path, kind in done.upper.items() if kind == FILE} == ours
        assert {path for path, kind in done.upper.items() if kind == WHITEOUT} >= paths(
            done, done.removed
        ) - ours - theirs
        assert not {path for path, kind in done.upper.items() if kind == WHITEOUT} & theirs


@thoroughly
@given(
    overlays(),
    histories,
    st.dictionaries(
        st.sampled_from(["/usr/bin/a", "/usr/share/pool", "/etc/x", "/etc/y"]), st.sampled_from([FILE, WHITEOUT])
    ),
)
def test_what_is_nobodys_package_is_left(
    world: World, history: Sequence[Sequence[str]], extra: Mapping[str, str]
) -> None:
    for before, planned, done in steps(world.but(upper={**world.upper, **extra}), history):
        known = paths(before, [*before.before, *before.after, *before.own])
        todo = planned.operations
        touched = {*todo.show, *todo.hide, *todo.uncover, *todo.clear, *todo.follow, *todo.merge, *todo.drop}
        assert {*touched, *(each.path for each in todo.remove)} <= known
        assert {path: kind for path, kind in done.upper.items() if path not in known} == {
            path: kind for path, kind in before.upper.items() if path not in known
        }
