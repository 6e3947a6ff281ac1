# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of an overlay's files after its host changed, but for those of its packages."""

import pytest
from tables import COPY, DIRECTORY, FILE, OPAQUE, WHITEOUT
from world import World, outcome

A_1, A_2, A_3 = "a-1", "a-2", "a-3"

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
    "one that moved since the host has a link stays removed, and what no package had shows": (
        World(
            before=[A_1],
            after=[A_2, "b-1"],
            upper={"/two/a": WHITEOUT, "/two/b": WHITEOUT, "/two/deep": WHITEOUT, "/two/new": WHITEOUT},
            files={A_1: ["/one/a", "/one/deep/a"], A_2: ["/two/a", "/two/deep/a"], "b-1": ["/two/b", "/two/new/b"]},
            moved={
                "/mid": {"/mid/a": "/two/a"},
                "/one": {"/one/a": "/mid/a", "/one/deep": "/two/deep", "/one/new": "/two/new"},
                "/two": {"/two/b": "/one/b", "/one/b": "/two/b"},
            },
        ),
        {"show": ["/two/b", "/two/new/b"], "uncover": ["/two/new"]},
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
