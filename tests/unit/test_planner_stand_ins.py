# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of packages of the host's that lost files in a conflict, and of what removed packages hid."""

import pytest
from tables import COPY, FILE, file
from world import World, outcome

from toy.headers.header import NOT_INSTALLED, REPLACED
from toy.reconcile.planner import is_due, plan

A_1, A_2, A_3 = "a-1", "a-2", "a-3"

B_AND_A = {"b-1": ["/usr/bin/a=b", "/usr/bin/b"], "b-2": ["/usr/bin/a=b", "/usr/bin/b"], "b-3": ["/usr/bin/b"]}
CONFLICT = World(before=["b-1"], after=["b-1"], own=[A_1], files=B_AND_A, stand_ins={"b-1": {"/usr/bin/a": REPLACED}})
"""An overlay in which /usr/bin/a is a's, and a header says so in the place of b's."""

IN_CONFLICT = {"own": [A_1, "b-1-1.noarch (stand-in)"], "hidden": ["b-1"]}

STAND_INS = {
    "it is known, and is not said again": (CONFLICT.but(after=["b-1", "d-1"]), IN_CONFLICT),
    "with the next version it is not said again either": (
        CONFLICT.but(after=["b-2"]),
        {"own": [A_1, "b-2-1.noarch (stand-in)"], "hidden": ["b-2"]},
    ),
    "a copy that nobody changed of another file of it: the host's shows": (
        CONFLICT.but(after=["b-2"], upper={"/usr/bin/b": COPY}),
        {"own": [A_1, "b-2-1.noarch (stand-in)"], "hidden": ["b-2"], "remove": ["/usr/bin/b"], "show": ["/usr/bin/b"]},
    ),
    "the next version lacks the file: it is over": (CONFLICT.but(after=["b-3"]), {"own": [A_1]}),
    "the host's package went: it is over": (CONFLICT.but(after=[]), {"own": [A_1]}),
    "the overlay's package went: it is over, and the file shows": (CONFLICT.but(own=[]), {"show": ["/usr/bin/a"]}),
    "the overlay's package gave way: it is over, and the file shows": (
        CONFLICT.but(after=["b-1", A_2], files={**B_AND_A, A_2: ["/usr/bin/new"]}),
        {"remove": ["/usr/bin/a"], "show": ["/usr/bin/a"], "events": ["retired: a 1-1 (host has 2-1)"]},
    ),
    "another package of the overlay has another file: that is said": (
        CONFLICT.but(
            after=["b-1", "d-1"], own=[A_1, "c-1"], files={**B_AND_A, "c-1": ["/usr/bin/b=c", "/usr/bin/d=c"]}
        ),
        {
            "own": [A_1, "b-1-1.noarch (stand-in)", "c-1", "d-1-1.noarch (stand-in)"],
            "hidden": ["b-1", "d-1"],
            "events": [
                "conflict: /usr/bin/b is c 1-1's in the overlay (b 1-1 of the host has it too)",
                "conflict: /usr/bin/d is c 1-1's in the overlay (d 1-1 of the host has it too)",
            ],
        },
    ),
    "another package of the host has the file as well: that is said": (
        CONFLICT.but(after=["b-1", "d-1"], files={**B_AND_A, "d-1": ["/usr/bin/a=d"]}),
        {
            "own": [A_1, "b-1-1.noarch (stand-in)", "d-1-1.noarch (stand-in)"],
            "hidden": ["b-1", "d-1"],
            "events": ["conflict: /usr/bin/a is a 1-1's in the overlay (d 1-1 of the host has it too)"],
        },
    ),
    "a header of the host's that nobody kept, but the host has it: it is known": (
        CONFLICT.but(after=["b-1", "d-1"], forgotten=["b-1"]),
        IN_CONFLICT,
    ),
    "two are over: the files of both show": (
        CONFLICT.but(
            before=["b-1", "c-1"],
            after=["b-1", "c-1"],
            own=[],
            files={**B_AND_A, "c-1": ["/usr/bin/c=a"]},
            stand_ins={"b-1": {"/usr/bin/a": REPLACED}, "c-1": {"/usr/bin/c": REPLACED}},
        ),
        {"show": ["/usr/bin/a", "/usr/bin/c"]},
    ),
    "somebody removed the package meanwhile: it stays removed": (
        World(before=["b-1"], after=["b-1", "d-1"], removed=["b-1"], files=B_AND_A),
        {"hidden": ["b-1"], "hide": ["/usr/bin/a", "/usr/bin/b"]},
    ),
    "a file below one of the overlay's: it is known": (
        World(
            before=["b-1"],
            after=["b-1", "d-1"],
            own=[A_1],
            upper={"/opt": FILE},
            files={A_1: ["/opt"], "b-1": ["/opt/", "/opt/b"]},
            stand_ins={"b-1": {"/opt": REPLACED, "/opt/b": NOT_INSTALLED}},
        ),
        {**IN_CONFLICT, "show": ["/opt/b"]},
    ),
}


@pytest.mark.parametrize(("world", "expected"), STAND_INS.values(), ids=STAND_INS)
def test_after_a_conflict(world: World, expected: dict[str, list[str]]) -> None:
    assert outcome(world) == expected
    assert is_due(base=world.state().base, host=world.state().host, upper=world.state().upper)
    assert plan(world.done(world.plan()).state()) is None


REMOVED = {
    "the host still has it": (World(before=[A_1], after=[A_1, "b-1"], removed=[A_1]), []),
    "the machine kept its header": (World(before=[A_1], after=["b-1"], removed=[A_1]), []),
    "the host has it, and nobody kept its header": (
        World(before=[A_1], after=[A_1, "b-1"], removed=[A_1], forgotten=[A_1]),
        [],
    ),
    "nobody has its header": (World(before=[A_1], after=["b-1"], removed=[A_1], forgotten=[A_1]), ["whiteouts"]),
    "nobody has one of two headers": (
        World(before=[A_1, "c-1"], after=["b-1", "c-1"], removed=[A_1, "c-1"], forgotten=[A_1]),
        ["whiteouts"],
    ),
    "nobody has that of the same version as an own one": (
        World(before=["a-1/host"], after=["b-1"], removed=["a-1/host"], forgotten=["a-1/host"], own=["a-1/own"]),
        ["whiteouts"],
    ),
    "there is none": (World(before=[A_1], after=[A_1, "b-1"]), []),
}


@pytest.mark.parametrize(("world", "swept"), REMOVED.values(), ids=REMOVED)
def test_whiteouts_are_swept_if_nobody_knows_what_they_hid(world: World, swept: list[str]) -> None:
    assert outcome(world).get("sweep", []) == swept


def test_what_two_removed_packages_hid_shows() -> None:
    world = World(before=[A_1, "b-1"], after=[], removed=[A_1, "b-1"])
    assert outcome(world) == {"show": ["/usr/bin/a", "/usr/bin/b"]}


def test_the_headers_of_a_plan_are_those_that_nobody_has() -> None:
    world = World(after=["b-1", "d-1"], own=[A_1], files={"b-1": ["/usr/bin/a=b"], "d-1": ["/usr/bin/a=d"]})
    planned = world.plan()
    assert planned.stand_ins.keys() == planned.upper.files - {file(A_1)}
    assert len(planned.stand_ins) == 2


def test_only_what_nobody_else_of_the_host_owns_is_hidden() -> None:
    shared = {A_2: ["/usr/bin/a", "/usr/share/both"], "b-1": ["/usr/share/both"]}
    world = World(before=[A_1, "b-1"], after=[A_2, "b-1"], removed=[A_1], files=shared)
    assert outcome(world)["hide"] == ["/usr/bin/a"]


def test_what_a_retired_package_has_in_common_with_one_that_stays_is_left() -> None:
    files = {A_1: ["/usr/bin/a", "/usr/share/both"], "c-1": ["/usr/share/both"]}
    world = World(after=[A_2], own=[A_1, "c-1"], files=files)
    assert outcome(world)["remove"] == ["/usr/bin/a"]
