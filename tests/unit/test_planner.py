# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of an overlay after its host changed: README's table, row by row, and what follows from it."""

import pytest
from tables import DIRECTORY, FILE, OPAQUE, WHITEOUT, World, file, labels

from toy.reconcile.planner import is_due, plan


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
        "events": events,
    }
    return {what: values for what, values in found.items() if values}


A_1, A_2, A_3 = "a-1", "a-2", "a-3"

OUTCOMES = {
    "a newer one of the overlay's: the host's counts": (
        World(before=[], after=[A_2], own=[A_1]),
        {"remove": ["/usr/bin/a"], "show": ["/usr/bin/a"], "events": ["retired: a 1-1 (host has 2-1)"]},
    ),
    "the same one as the overlay's: the host's counts": (
        World(after=["a-1/host"], own=["a-1/own"]),
        {"remove": ["/usr/bin/a"], "show": ["/usr/bin/a"], "events": ["retired: a 1-1 (host has 1-1)"]},
    ),
    "an older one: the overlay's stays, the host's is hidden": (
        World(after=[A_1], own=[A_2], files={A_1: ["/usr/bin/a", "/usr/bin/old"]}),
        {"own": [A_2], "hidden": [A_1], "hide": ["/usr/bin/old"]},
    ),
    "another version of what the overlay removed: it stays removed": (
        World(before=[A_1], after=[A_2], removed=[A_1], files={A_2: ["/usr/bin/a", "/usr/bin/new"]}),
        {"hidden": [A_2], "hide": ["/usr/bin/a", "/usr/bin/new"]},
    ),
    "no longer what the overlay removed: nothing is hidden any more": (
        World(before=[A_1], after=[], removed=[A_1]),
        {"show": ["/usr/bin/a"]},
    ),
    "no longer a package that the overlay never touched: it is gone": (
        World(before=[A_1, "b-1"], after=["b-1"]),
        {},
    ),
    "a new package that the overlay never touched: it is there": (
        World(before=["b-1"], after=["b-1", A_1]),
        {},
    ),
    "another version of what the overlay updated, but not as new: hidden again": (
        World(before=[A_1], after=[A_2], own=[A_3], removed=[A_1]),
        {"own": [A_3], "hidden": [A_2]},
    ),
    "another version of what the overlay updated, newer: retired": (
        World(before=[A_1], after=[A_3], own=[A_2], removed=[A_1]),
        {"remove": ["/usr/bin/a"], "show": ["/usr/bin/a"], "events": ["retired: a 2-1 (host has 3-1)"]},
    ),
    "a new package with a file of a package of the overlay: a conflict": (
        World(after=["b-1"], own=[A_1], files={"b-1": ["/usr/bin/a", "/usr/bin/b"]}),
        {
            "own": [A_1, "b-1-1.noarch (stand-in)"],
            "hidden": ["b-1"],
            "events": ["conflict: /usr/bin/a is a 1-1's in the overlay (b 1-1 of the host has it too)"],
        },
    ),
    "a new package with the same file as one of the overlay: no conflict": (
        World(after=["b-1"], own=[A_1], files={"b-1": ["/usr/bin/a"], A_1: ["/usr/bin/a"]}),
        {"own": [A_1]},
    ),
    "another version of what may be installed several times: both": (
        World(
            before=["kernel-1"],
            after=["kernel-2"],
            own=["kernel-3"],
            files={f"kernel-{number}": [f"/boot/{number}"] for number in (1, 2, 3)},
            multiversion=["provides:kernel"],
        ),
        {"own": ["kernel-3"]},
    ),
    "another key: both": (
        World(before=[], after=["gpg-pubkey-2"], own=["gpg-pubkey-1"], files={"gpg-pubkey-1": [], "gpg-pubkey-2": []}),
        {"own": ["gpg-pubkey-1"]},
    ),
    "a newer one whose files are not there: the overlay's stays": (
        World(after=[A_2], own=[A_1], missing=["/usr/bin/a"]),
        {
            "own": [A_1],
            "hidden": [A_2],
            "events": ["kept: the overlay's a: not all files of the host's 2-1 are there (see on the host: rpm -V a)"],
        },
    ),
    "what breaks a dependency: it is named": (
        World(before=["b-1"], after=[], own=[A_1], breaks=["b is needed by a-1"]),
        {"own": [A_1], "events": ["broken: b is needed by a-1 (mend it: toy -n toy -- zypper verify)"]},
    ),
}


@pytest.mark.parametrize(("world", "expected"), OUTCOMES.values(), ids=OUTCOMES)
def test_after_the_host_changed(world: World, expected: dict[str, list[str]]) -> None:
    assert outcome(world) == expected


FILES = {
    "a generated file is made anew": (
        World(after=[A_1], upper={"/etc/ld.so.cache": FILE}, files={A_1: ["/etc/ld.so.cache"]}),
        {"drop": ["/etc/ld.so.cache"]},
    ),
    "one that a package of the overlay owns is left": (
        World(after=["b-1"], own=[A_1], upper={"/etc/ld.so.cache": FILE}, files={A_1: ["/etc/ld.so.cache"]}),
        {"own": [A_1]},
    ),
    "another file before the host's new one is named": (
        World(after=[A_1], upper={"/usr/bin/a": FILE}),
        {"events": ["shadowed: /usr/bin/a (the host has another one; the overlay keeps its own)"]},
    ),
    "one before what the host has in a directory is named": (
        World(after=[A_1], upper={"/usr/bin": FILE}, files={A_1: ["/usr/bin/a", "/usr/bin/b"]}),
        {"events": ["shadowed: /usr/bin (the host has another one; the overlay keeps its own)"]},
    ),
    "what somebody removed when no package had it shows": (
        World(after=[A_1], upper={"/usr/bin/a": WHITEOUT}),
        {"show": ["/usr/bin/a"]},
    ),
    "what somebody removed of a package stays removed": (
        World(before=[A_1], after=[A_2], upper={"/usr/bin/a": WHITEOUT}),
        {},
    ),
    "in a directory that somebody removed, what is new shows": (
        World(after=[A_1], upper={"/opt/a": WHITEOUT}, files={A_1: ["/opt/a/new"]}),
        {"show": ["/opt/a/new"], "uncover": ["/opt/a"]},
    ),
    "in one that somebody made anew, what is new shows": (
        World(after=[A_1], upper={"/opt/a": OPAQUE}, files={A_1: ["/opt/a/new"]}),
        {"show": ["/opt/a/new"]},
    ),
    "one that packages had something in stays removed": (
        World(before=[A_1], after=[A_2], upper={"/opt/a": WHITEOUT}, files={A_1: ["/opt/a/x"], A_2: ["/opt/a/y"]}),
        {},
    ),
    "a directory in the place of the host's new file goes if it is empty": (
        World(after=[A_1], upper={"/usr/bin/a": DIRECTORY}),
        {"clear": ["/usr/bin/a"]},
    ),
}


@pytest.mark.parametrize(("world", "expected"), FILES.values(), ids=FILES)
def test_files_of_no_package(world: World, expected: dict[str, list[str]]) -> None:
    assert outcome(world) == expected


def test_only_what_nobody_else_of_the_host_owns_is_hidden() -> None:
    shared = {A_2: ["/usr/bin/a", "/usr/share/both"], "b-1": ["/usr/share/both"]}
    world = World(before=[A_1, "b-1"], after=[A_2, "b-1"], removed=[A_1], files=shared)
    assert outcome(world)["hide"] == ["/usr/bin/a"]


def test_what_a_retired_package_has_in_common_with_one_that_stays_is_left() -> None:
    files = {A_1: ["/usr/bin/a", "/usr/share/both"], "c-1": ["/usr/share/both"]}
    world = World(after=[A_2], own=[A_1, "c-1"], files=files)
    assert outcome(world)["remove"] == ["/usr/bin/a"]


@pytest.mark.parametrize(
    "world",
    [
        World(before=[A_1], after=[A_1]),
        World(before=[A_1], after=[A_1], own=["b-1"]),
        World(before=[A_1], after=[A_1], own=[A_2], removed=[A_1]),
    ],
)
def test_nothing_is_planned_if_the_host_did_not_change(world: World) -> None:
    assert plan(world.state()) is None
    assert not is_due(base=world.state().base, host=world.state().host, upper=world.state().upper)


def test_a_plan_is_for_one_base_and_one_host() -> None:
    planned = World(before=[A_1], after=[A_2], own=["b-1"]).plan()
    assert planned.base == frozenset([file(A_1)])
    assert planned.host == frozenset([file(A_2)])
    assert str(planned.events[-1]) == "followed: the host (packages that came: 1, that went: 1)"
