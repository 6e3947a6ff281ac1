# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of an overlay after its host changed: toy(8)'s table, row by row, and what follows from it."""

import pytest
from tables import COPY, DIRECTORY, FILE, OPAQUE, WHITEOUT, World, file, labels

from toy.headers.header import NOT_INSTALLED, REPLACED, QuotedName
from toy.reconcile.planner import is_due, plan
from toy.reconcile.retired import Retired


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


FILES = {
    "a generated file is made anew": (
        World(after=[A_1], upper={"/etc/ld.so.cache": FILE}, files={A_1: ["/etc/ld.so.cache"]}),
        {"drop": ["/etc/ld.so.cache"], "anew": ["/etc/ld.so.cache"]},
    ),
    "one that a package of the overlay owns is left": (
        World(after=["b-1"], own=[A_1], upper={"/etc/ld.so.cache": FILE}, files={A_1: ["/etc/ld.so.cache"]}),
        {"own": [A_1]},
    ),
    "one that a package of the overlay owns, but did not bring, is made anew": (
        World(after=["b-1"], own=[A_1], upper={"/etc/ld.so.cache": FILE}, files={A_1: ["/etc/ld.so.cache?"]}),
        {"own": [A_1], "anew": ["/etc/ld.so.cache"]},
    ),
    "one that a retired package owned, but did not bring, is made anew, and no such file is removed": (
        World(
            after=[A_2],
            own=[A_1],
            upper={"/usr/share/mime/mime.cache": FILE, "/usr/share/mime/globs": FILE},
            files={
                A_1: [
                    "/usr/share/mime/mime.cache?",
                    "/usr/share/mime/globs?",
                    "/usr/share/mime/text/x.xml?",
                    "/etc/x?",
                ],
                A_2: ["/usr/share/mime/mime.cache?"],
            },
        ),
        {
            "remove": ["/etc/x"],
            "show": ["/etc/x", "/usr/share/mime/globs", "/usr/share/mime/mime.cache", "/usr/share/mime/text/x.xml"],
            "drop": ["/usr/share/mime/mime.cache"],
            "anew": ["/usr/share/mime/mime.cache"],
            "events": ["retired: a 1-1 (host has 2-1)"],
        },
    ),
    "a link before one that no package has brought is not named": (
        World(after=[A_1], upper={"/etc/a": FILE}, files={A_1: ["/etc/a->b?"]}),
        {},
    ),
    "a copy of a link that no package has brought is left": (
        World(before=[A_1], upper={"/etc/a": COPY}, files={A_1: ["/etc/a->b?"]}),
        {},
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
    "a generated file that the host has not is made anew, and stays until then": (
        World(after=[A_1], upper={"/etc/ld.so.cache": FILE}),
        {"anew": ["/etc/ld.so.cache"]},
    ),
    "one before what no package has brought is not named": (
        World(after=[A_1], upper={"/etc/a": FILE}, files={A_1: ["/etc/a?"]}),
        {},
    ),
    "one before a file that did not change is not named": (
        World(before=[A_1], after=[A_2], upper={"/etc/a": FILE}, files={A_1: ["/etc/a"], A_2: ["/etc/a"]}),
        {},
    ),
    "one before a file that changed is named": (
        World(before=[A_1], after=[A_2], upper={"/etc/a": FILE}, files={A_1: ["/etc/a=1"], A_2: ["/etc/a=2"]}),
        {"events": ["shadowed: /etc/a (the host has another one; the overlay keeps its own)"]},
    ),
    "several are named in order": (
        World(after=[A_1], upper=dict.fromkeys(("/c", "/a", "/d", "/b"), FILE), files={A_1: ["/d", "/c", "/b", "/a"]}),
        {"events": [f"shadowed: /{name} (the host has another one; the overlay keeps its own)" for name in ("abcd")]},
    ),
    "that of a package of the overlay's that both have is not named": (
        World(after=["b-1"], own=[A_1], upper={"/etc/a": FILE}, files={A_1: ["/etc/a"], "b-1": ["/etc/a"]}),
        {"own": [A_1]},
    ),
    "that of a package of the overlay's that has not brought it is not named": (
        World(after=["b-1"], own=[A_1], upper={"/etc/a": FILE}, files={A_1: ["/etc/a?"], "b-1": ["/etc/a"]}),
        {"own": [A_1]},
    ),
    "what is in the way of a package that did not change is left": (
        World(before=[A_1], after=[A_1, "b-1"], upper={"/usr/bin/a": DIRECTORY}),
        {},
    ),
    "what another package has in the place of one that did not change is left": (
        World(before=[A_1], after=[A_1, "b-1"], own=["c-1"], files={"c-1": ["/usr/bin/a=c"]}),
        {"own": ["c-1"]},
    ),
    "that of a package that gives way is not named": (
        World(after=[A_2], own=[A_1], upper={"/usr/bin/a": FILE}),
        {"remove": ["/usr/bin/a"], "show": ["/usr/bin/a"], "events": ["retired: a 1-1 (host has 2-1)"]},
    ),
    "that of a conflict is not named in addition, nor that of a package's before a directory": (
        World(
            after=["b-1"],
            own=[A_1],
            upper={"/usr/bin/a": FILE, "/opt/a": FILE},
            files={A_1: ["/usr/bin/a=1", "/opt/a"], "b-1": ["/usr/bin/a=2", "/opt/a/", "/opt/a/b"]},
        ),
        {
            "own": [A_1, "b-1-1.noarch (stand-in)"],
            "hidden": ["b-1"],
            "events": [
                f"conflict: {path} is a 1-1's in the overlay (b 1-1 of the host has it too)"
                for path in ("/usr/bin/a", "/opt/a", "/opt/a/b")
            ],
        },
    ),
    "two that somebody removed: the one of no package shows": (
        World(
            before=[A_1],
            after=[A_2, "b-1"],
            upper={"/usr/bin/a": WHITEOUT, "/usr/bin/b": WHITEOUT, "/usr/bin/c": WHITEOUT, "/opt/a": WHITEOUT},
            files={A_2: ["/usr/bin/a", "/usr/bin/c"], "b-1": ["/usr/bin/b", "/opt/a/b"]},
        ),
        {"show": ["/opt/a/b", "/usr/bin/b", "/usr/bin/c"], "uncover": ["/opt/a"]},
    ),
    "what somebody removed, without a database, stays": (
        World(after=[A_1], upper={"/usr/bin/a": WHITEOUT, "/opt/a": WHITEOUT}, has_database=False),
        {},
    ),
    "a directory gets the mode that the host's has now": (
        World(before=[A_1], after=[A_2], modes={"/srv": 0o40755}, files={A_1: ["/srv/", "/x"], A_2: ["/srv/", "/x"]}),
        {"follow": ["/srv"]},
    ),
    "a directory whose mode somebody changed keeps it": (
        World(before=[A_1], after=[A_2], modes={"/srv": 0o40700}, files={A_1: ["/srv/"], A_2: ["/srv/"]}),
        {},
    ),
    "a directory that was no package's keeps its mode": (
        World(after=[A_2], modes={"/srv": 0o40755}, files={A_2: ["/srv/"]}),
        {},
    ),
    "a directory of a package of the overlay's keeps its mode": (
        World(
            before=[A_1],
            after=[A_2],
            own=["b-1"],
            modes={"/srv": 0o40755},
            files={A_1: ["/srv/"], A_2: ["/srv/"], "b-1": ["/srv/"]},
        ),
        {"own": ["b-1"]},
    ),
    "a directory of a package of the overlay's in the place of the host's new file is a conflict, and stays": (
        World(after=["b-1"], own=[A_1], upper={"/srv": DIRECTORY}, files={A_1: ["/srv/", "/srv/a"], "b-1": ["/srv"]}),
        {
            "own": [A_1, "b-1-1.noarch (stand-in)"],
            "hidden": ["b-1"],
            "events": ["conflict: /srv is a 1-1's in the overlay (b 1-1 of the host has it too)"],
        },
    ),
    "one that the overlay's package has something in, without owning it, is a conflict as well": (
        World(after=["b-1"], own=[A_1], upper={"/srv": DIRECTORY}, files={A_1: ["/srv/a"], "b-1": ["/srv"]}),
        {
            "own": [A_1, "b-1-1.noarch (stand-in)"],
            "hidden": ["b-1"],
            "events": ["conflict: /srv is a 1-1's in the overlay (b 1-1 of the host has it too)"],
        },
    ),
    "a directory in the place of the host's new file goes if it is empty": (
        World(after=[A_1], upper={"/usr/bin/a": DIRECTORY}),
        {"clear": ["/usr/bin/a"]},
    ),
}


@pytest.mark.parametrize(("world", "expected"), FILES.values(), ids=FILES)
def test_files_of_no_package(world: World, expected: dict[str, list[str]]) -> None:
    assert outcome(world) == expected


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
    world = World(after=["b-1"], own=[A_1], files=files, triggers={A_1: "/usr/share"})
    first = world.plan()
    ((label, (command,)),) = first.triggers
    assert (label, command[-1]) == ("a 1-1", "/usr/share/b")
    assert first.stand_ins
    assert world.done(first).plan_after(["b-1", "d-1"]).triggers == []
