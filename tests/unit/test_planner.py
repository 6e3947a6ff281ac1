# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of an overlay after its host changed: toy(8)'s table, row by row."""

import pytest
from tables import COPY, file, trigger
from world import World, outcome

from toy.headers.header import QuotedName
from toy.reconcile.planner import is_due, plan
from toy.reconcile.retired import Retired

A_1, A_2, A_3 = "a-1", "a-2", "a-3"

GAVE_WAY = {"a": Retired("a 1-1", (QuotedName("a"),))}
"""What is known after a-1 gave way to the host's."""

KERNEL = Retired("kernel 2-1", (QuotedName("kernel-2-1.noarch"),))
KERNELS = {f"kernel-{number}": [f"/boot/{number}"] for number in (1, 2, 3)}

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
    "a new package that replaces one of the overlay's by another name: retired": (
        World(after=["b-2"], own=[A_1], files={"b-2": ["/usr/bin/a"], A_1: ["/usr/bin/a"]}, obsoletes={"b-2": [A_1]}),
        {"remove": ["/usr/bin/a"], "show": ["/usr/bin/a"], "events": ["retired: a 1-1 (host has b 2-1)"]},
    ),
    "another name of what the overlay removed: it stays removed": (
        World(before=[A_1], after=["b-2"], removed=[A_1], obsoletes={"b-2": [A_1]}),
        {"hidden": ["b-2"], "hide": ["/usr/bin/b"], "show": ["/usr/bin/a"]},
    ),
    "a copy that nobody changed of a file that changed: the host's shows": (
        World(before=[A_1], after=[A_2], upper={"/usr/bin/a": COPY}),
        {"remove": ["/usr/bin/a"], "show": ["/usr/bin/a"]},
    ),
    "a copy that nobody changed of a file that is gone: so is the copy": (
        World(before=[A_1], upper={"/usr/bin/a": COPY}),
        {"remove": ["/usr/bin/a"], "show": ["/usr/bin/a"]},
    ),
    "a copy that nobody changed of a file that is a package's of the overlay by now: it stays": (
        World(before=[A_1], own=["b-1"], files={"b-1": ["/usr/bin/a"]}, upper={"/usr/bin/a": COPY}),
        {"own": ["b-1"]},
    ),
    "a copy of a file of a package that did not change: it stays": (
        World(before=[A_1], after=[A_1, "b-1"], upper={"/usr/bin/a": COPY}),
        {},
    ),
    "a package of the host's is gone that one of the overlay's gave way to: that is said": (
        World(before=[A_2], retired=GAVE_WAY),
        {
            "events": [
                "gone: a 1-1 (it was retired since the host had it, and the host has it no longer; "
                "bring it back: toy -n toy -- zypper in a)"
            ]
        },
    ),
    "a package of the host's has another version that one of the overlay's gave way to": (
        World(before=[A_2], after=[A_3], retired=GAVE_WAY),
        {},
    ),
    "a package is gone that the overlay removed after its own gave way to it": (
        World(before=[A_2], removed=[A_2], retired=GAVE_WAY),
        {"show": ["/usr/bin/a"]},
    ),
    "a package is gone that the overlay has anew": (
        World(before=[A_2], own=["a-2/own"], removed=[A_2], retired=GAVE_WAY),
        {"own": ["a-2/own"]},
    ),
    "an older version comes back than what gave way: that is said": (
        World(before=[A_3], after=[A_1], retired={"a": Retired("a 2-1", (QuotedName("a"),))}),
        {
            "events": [
                "gone: a 2-1 (it was retired since the host had it, and the host has 1-1 now; "
                "bring it back: toy -n toy -- zypper in a)"
            ]
        },
    ),
    "the version that gave way comes back": (
        World(before=[A_3], after=[A_1], retired=GAVE_WAY),
        {},
    ),
    "an older version comes back, but the overlay has its own": (
        World(
            before=[A_3],
            after=[A_1],
            own=["a-2/own"],
            removed=[A_3],
            retired={"a": Retired("a 2-1", (QuotedName("a"),))},
        ),
        {"own": ["a-2/own"], "hidden": [A_1]},
    ),
    "an older version comes back, but the overlay removed it": (
        World(before=[A_3], after=[A_1], removed=[A_3], retired={"a": Retired("a 2-1", (QuotedName("a"),))}),
        {"hidden": [A_1], "hide": ["/usr/bin/a"]},
    ),
    "one of several versions goes that the overlay's gave way to: that is said": (
        World(
            before=["kernel-1", "kernel-2"],
            after=["kernel-1"],
            files=KERNELS,
            multiversion=["kernel"],
            retired={"kernel-2-1.noarch": KERNEL},
        ),
        {
            "events": [
                "gone: kernel 2-1 (it was retired since the host had it, and the host has it no longer; "
                "bring it back: toy -n toy -- zypper in --oldpackage kernel=2-1)"
            ]
        },
    ),
    "another one of several versions goes": (
        World(
            before=["kernel-1", "kernel-2"],
            after=["kernel-2"],
            files=KERNELS,
            multiversion=["kernel"],
            retired={"kernel-2-1.noarch": KERNEL},
        ),
        {},
    ),
    "a key goes that the overlay's gave way to: that is said": (
        World(
            before=["gpg-pubkey-1", "gpg-pubkey-2"],
            after=["gpg-pubkey-1"],
            files={"gpg-pubkey-1": [], "gpg-pubkey-2": []},
            retired={"gpg-pubkey-2-1.noarch": Retired("gpg-pubkey 2-1", (QuotedName("gpg-pubkey-2-1.noarch"),))},
        ),
        {
            "events": [
                "gone: gpg-pubkey 2-1 (it was retired since the host had it, and the host has it no longer; "
                "bring it back: toy -n toy -- rpm --import FILE)"
            ]
        },
    ),
    "the older name comes back of what the overlay removed: it stays removed": (
        World(before=["b-2"], after=[A_1], removed=["b-2"], obsoletes={"b-2": [A_1]}),
        {"hidden": [A_1], "hide": ["/usr/bin/a"], "show": ["/usr/bin/b"]},
    ),
    "two become one again of which the overlay removed one: it shows, which is said": (
        World(before=["b-2", "c-2"], after=[A_1], removed=["b-2"], obsoletes={"b-2": [A_1], "c-2": [A_1]}),
        {
            "show": ["/usr/bin/b"],
            "events": [
                "back: b 2-1 (removed here, and a part of the host's a 1-1; to do without: toy -n toy -- zypper rm a)"
            ],
        },
    ),
    "what the overlay removed became a part of what it has: that is said": (
        World(before=["b-1", "c-1"], after=["c-2"], removed=["b-1"], obsoletes={"c-2": ["b-1"]}),
        {
            "show": ["/usr/bin/b"],
            "events": ["back: b 1-1 (removed here, and a part of the host's c 2-1)"],
        },
    ),
    "two become one of which the overlay removed one: it shows, which is said": (
        World(before=[A_1, "c-1"], after=["b-2"], removed=[A_1], obsoletes={"b-2": [A_1, "c-1"]}),
        {
            "show": ["/usr/bin/a"],
            "events": [
                "back: a 1-1 (removed here, and a part of the host's b 2-1; to do without: toy -n toy -- zypper rm b)"
            ],
        },
    ),
    "an older name comes back, but the overlay had only updated the new one": (
        World(before=["b-2"], after=[A_1], own=["b-3"], removed=["b-2"], obsoletes={"b-2": [A_1]}),
        {"own": ["b-3"]},
    ),
    "an older name of what the overlay has: hidden": (
        World(after=["b-1"], own=[A_2], obsoletes={A_2: ["b-1"]}),
        {"own": [A_2], "hidden": ["b-1"], "hide": ["/usr/bin/b"]},
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
            "events": [
                "kept: the overlay's a, although the host has 2-1: some files of 2-1 are missing on the host"
                " (see there: rpm -V a)"
            ],
        },
    ),
    "another version of what the overlay removed, of which several can be installed: that one is there": (
        World(
            before=["kernel-1"],
            after=["kernel-1", "kernel-2"],
            removed=["kernel-1"],
            files={f"kernel-{number}": [f"/boot/{number}"] for number in (1, 2)},
            multiversion=["kernel"],
        ),
        {"hidden": ["kernel-1"], "hide": ["/boot/1"]},
    ),
    "another version in the place of what the overlay removed, of which several can be installed: it is there": (
        World(before=["kernel-1"], after=["kernel-2"], removed=["kernel-1"], multiversion=["kernel"]),
        {"show": ["/usr/bin/kernel"]},
    ),
    "a newer one, and of another one several can be installed: the host's counts": (
        World(after=[A_2], own=[A_1], multiversion=["kernel", "provides:kernel"]),
        {"remove": ["/usr/bin/a"], "show": ["/usr/bin/a"], "events": ["retired: a 1-1 (host has 2-1)"]},
    ),
    "two newer ones: both are named, and no other package's": (
        World(after=[A_2, A_3, "b-4"], own=[A_1], files={A_3: ["/usr/bin/a-3"]}),
        {"remove": ["/usr/bin/a"], "show": ["/usr/bin/a"], "events": ["retired: a 1-1 (host has 2-1, 3-1)"]},
    ),
    "newer ones of two packages: each is named": (
        World(after=["b-2", A_2], own=["b-1", A_1], files={"b-1": [], A_1: []}),
        {"events": ["retired: a 1-1 (host has 2-1)", "retired: b 1-1 (host has 2-1)"]},
    ),
    "newer ones of two packages whose files are not there: each is named": (
        World(after=["b-2", A_2], own=["b-1", A_1], missing=["/usr/bin/a", "/usr/bin/b"]),
        {
            "own": [A_1, "b-1"],
            "hidden": [A_2, "b-2"],
            "events": [
                "kept: the overlay's a, although the host has 2-1: "
                "some files of 2-1 are missing on the host (see there: rpm -V a)",
                "kept: the overlay's b, although the host has 2-1: "
                "some files of 2-1 are missing on the host (see there: rpm -V b)",
            ],
        },
    ),
    "what breaks no dependency: nothing is said": (
        World(before=["b-1", "c-1"], after=["b-1", "d-1"], own=[A_1], needs={A_1: "b", "c-1": "e", "d-1": "b"}),
        {"own": [A_1]},
    ),
    "a conflict with what is needed: it is there": (
        World(after=["b-1"], own=[A_1], files={"b-1": ["/usr/bin/a"]}, needs={A_1: "b"}),
        {
            "own": [A_1, "b-1-1.noarch (stand-in)"],
            "hidden": ["b-1"],
            "events": ["conflict: /usr/bin/a is a 1-1's in the overlay (b 1-1 of the host has it too)"],
        },
    ),
    "what would break a dependency, without a database: nobody knows": (
        World(before=["b-1"], after=[], own=[A_1], needs={A_1: "b"}, has_database=False),
        {"own": [A_1]},
    ),
    "what breaks a dependency: it is named": (
        World(before=["b-1"], after=[], own=[A_1], needs={A_1: "b"}),
        {"own": [A_1], "events": ["broken: b is needed by a-1 (mend it: toy -n toy -- zypper verify)"]},
    ),
}


@pytest.mark.parametrize(("world", "expected"), OUTCOMES.values(), ids=OUTCOMES)
def test_after_the_host_changed(world: World, expected: dict[str, list[str]]) -> None:
    assert outcome(world) == expected


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
    planned = World(before=[A_1, "c-1", "d-1"], after=[A_2, "c-1", "e-1", "f-1"], own=["b-1"]).plan()
    assert planned.base == frozenset(map(file, [A_1, "c-1", "d-1"]))
    assert planned.host == frozenset(map(file, [A_2, "c-1", "e-1", "f-1"]))
    assert str(planned.events[-1]) == "followed: the host (packages that came: 3, that went: 2)"


def test_it_is_due_if_the_host_changed() -> None:
    state = World(before=[A_1], after=[A_2]).state()
    assert is_due(base=state.base, host=state.host, upper=state.upper)


@pytest.mark.parametrize(("auto_installed", "known"), [([], ["a"]), (["a"], []), (["b"], ["a"])])
def test_what_gave_way_is_known_from_then_on_if_somebody_asked_for_it(
    auto_installed: list[str], known: list[str]
) -> None:
    world = World(before=["b-1"], after=[A_2, "b-1"], own=[A_1], auto_installed=auto_installed)
    after = world.done(world.plan())
    assert list(after.plan_after(["b-1", A_2, "c-1"]).retired) == known
    assert not after.plan_after(["b-1"]).retired


def test_what_gave_way_to_another_name_is_known_while_the_host_has_its_own_name() -> None:
    world = World(after=["b-2"], own=[A_1], obsoletes={"b-2": [A_1]})
    back = world.done(world.plan()).but(after=[A_1])
    assert list(back.plan().retired) == ["a"]
    (event, _) = back.done(back.plan()).plan_after([]).events
    assert str(event).startswith("gone: a 1-1 (it was retired since the host had it, and the host has it no longer;")


def test_of_several_versions_that_gave_way_each_is_known() -> None:
    world = World(
        after=["kernel-1/host", "kernel-2/host", "kernel-3"],
        own=["kernel-1/own", "kernel-2/own"],
        files={f"{label}/{of}": paths for label, paths in KERNELS.items() for of in ("host", "own")},
        multiversion=["kernel"],
    )
    known = world.plan().retired
    assert sorted(known) == ["kernel-1-1.noarch", "kernel-2-1.noarch"]
    assert known["kernel-2-1.noarch"] == KERNEL
    events = [event.text for event in world.done(world.plan()).plan_after(["kernel-1/host", "kernel-3"]).events]
    assert events[0].startswith("kernel 2-1 (it was retired since the host had it")


def test_a_trigger_runs_once_for_a_package_that_came_and_has_a_stand_in() -> None:
    files = {A_1: ["/usr/bin/a"], "b-1": ["/usr/bin/a=b", "/usr/share/b"]}
    world = World(after=["b-1"], own=[A_1], files=files, triggers={A_1: [trigger("filetriggerin", "/usr/share")]})
    first = world.plan()
    (run,) = first.triggers
    assert (run.package, run.paths) == ("a 1-1", ["/usr/share/b"])
    assert first.stand_ins
    assert world.done(first).plan_after(["b-1", "d-1"]).triggers == []
