# SPDX-License-Identifier: GPL-2.0-or-later
"""Which files move along where the host turned directories into links, or links into directories."""

import pytest
from tables import DIRECTORY, FILE, OPAQUE, WHITEOUT
from world import World

from toy.reconcile.relocate import moves

FS_1, FS_2, A_1 = "fs-1", "fs-2", "a-1"

TO_LINK = {
    "fs-0": ["/usr/sbin/"],
    FS_1: ["/usr/sbin/"],
    "fs-3": ["/usr/sbin/"],
    FS_2: ["/usr/sbin->/usr/bin"],
    A_1: ["/usr/sbin/a"],
}
TO_DIRECTORY = {FS_1: ["/usr/sbin->bin"], FS_2: ["/usr/sbin/"], A_1: ["/usr/sbin/a"]}

MOVES = {
    "a directory of the overlay's packages became a link": (
        World(before=[FS_1], after=[FS_2], own=[A_1], files=TO_LINK, upper={"/usr/sbin": DIRECTORY}),
        {"/usr/sbin": "/usr/bin"},
    ),
    "a directory of the user's own files became a link": (
        World(before=[FS_1], after=[FS_2], files=TO_LINK, upper={"/usr/sbin": DIRECTORY}),
        {"/usr/sbin": "/usr/bin"},
    ),
    "the overlay has nothing in it": (
        World(before=[FS_1], after=[FS_2], own=[A_1], files=TO_LINK),
        {},
    ),
    "the package of the link is the overlay's, and newer": (
        World(before=[FS_1], after=[FS_2], own=["fs-3", A_1], files=TO_LINK, upper={"/usr/sbin": DIRECTORY}),
        {},
    ),
    "the package of the link was the overlay's, and gives way": (
        World(before=["fs-0"], after=[FS_2], own=[FS_1, A_1], files=TO_LINK, upper={"/usr/sbin": DIRECTORY}),
        {"/usr/sbin": "/usr/bin"},
    ),
    "the overlay removed the package of the link": (
        World(before=[FS_1], after=[FS_2], removed=[FS_1], files=TO_LINK, upper={"/usr/sbin": DIRECTORY}),
        {},
    ),
    "a directory that the overlay removed and made anew became a link": (
        World(before=[FS_1], after=[FS_2], own=[A_1], files=TO_LINK, upper={"/usr/sbin": OPAQUE}),
        {"/usr/sbin": "/usr/bin"},
    ),
    "its package was removed and installed anew, and gives way": (
        World(
            before=["fs-0"],
            after=[FS_2],
            removed=["fs-0"],
            own=[FS_1, A_1],
            files=TO_LINK,
            upper={"/usr/sbin": OPAQUE},
        ),
        {"/usr/sbin": "/usr/bin"},
    ),
    "its package was newer than that of the host's link, and gives way": (
        World(
            before=[FS_2],
            after=["fs-4"],
            removed=[FS_2],
            own=["fs-3", A_1],
            files={**TO_LINK, "fs-4": TO_LINK[FS_2]},
            upper={"/usr/sbin": OPAQUE},
        ),
        {"/usr/sbin": "/usr/bin"},
    ),
    "the overlay made a directory in the place of the link": (
        World(
            before=["fs-2/old"],
            after=[FS_2],
            own=[A_1],
            files={**TO_LINK, "fs-2/old": TO_LINK[FS_2]},
            upper={"/usr/sbin": OPAQUE},
        ),
        {},
    ),
    "the overlay made a directory in the place of a link that the package lists by another path now": (
        World(
            before=["fs-2/old"],
            after=[FS_2],
            files={
                "fs-2/old": ["/lib->/usr/lib", "/lib/x->/usr/bin"],
                FS_2: ["/lib->/usr/lib", "/usr/lib/x->/usr/bin"],
            },
            upper={"/usr/lib/x": OPAQUE},
        ),
        {},
    ),
    "the overlay removed the link with its package, and made a directory in its place": (
        World(
            before=["fs-2/old"],
            after=[FS_2],
            removed=["fs-2/old"],
            own=["fs-1", A_1],
            files={**TO_LINK, "fs-2/old": TO_LINK[FS_2]},
            upper={"/usr/sbin": OPAQUE},
        ),
        {},
    ),
    "a link became a directory": (
        World(before=[FS_1], after=[FS_2], own=[A_1], files=TO_DIRECTORY, upper={"/usr/bin/a": FILE}),
        {"/usr/bin/a": "/usr/sbin/a"},
    ),
    "a link became a directory, and the path is another package's as well": (
        World(
            before=[FS_1],
            after=[FS_2],
            own=[A_1, "b-1"],
            files={**TO_DIRECTORY, "b-1": ["/usr/bin/a"]},
            upper={"/usr/bin/a": FILE},
        ),
        {},
    ),
    "a link became a directory, and a copy was made of a file of the host's in it": (
        World(
            before=[FS_1, A_1],
            after=[FS_2, "a-2"],
            files={**TO_DIRECTORY, "a-2": ["/usr/sbin/a"]},
            upper={"/usr/bin/a": FILE},
        ),
        {"/usr/bin/a": "/usr/sbin/a"},
    ),
    "a link became a directory, and a copy was made of a file of a package that did not change": (
        World(
            before=[FS_1, A_1],
            after=[FS_2, A_1],
            files=TO_DIRECTORY,
            upper={"/usr/bin/a": FILE, "/usr/bin/mine": FILE},
        ),
        {"/usr/bin/a": "/usr/sbin/a"},
    ),
    "a link became a directory, and somebody removed a file behind it": (
        World(
            before=[FS_1, A_1],
            after=[FS_2, "a-2"],
            files={**TO_DIRECTORY, "a-2": ["/usr/sbin/a"]},
            upper={"/usr/bin/a": WHITEOUT, "/usr/bin/b": WHITEOUT},
        ),
        {"/usr/bin/a": "/usr/sbin/a"},
    ),
    "a link became a directory, and the path is by another link": (
        World(
            before=[FS_1, "c-1"],
            after=[FS_2, "c-1"],
            own=[A_1],
            files={**TO_DIRECTORY, "c-1": ["/sbin->/usr/sbin"], A_1: ["/sbin/a"]},
            upper={"/usr/bin/a": FILE},
        ),
        {"/usr/bin/a": "/usr/sbin/a"},
    ),
    "two links of a chain became directories": (
        World(
            before=[FS_1],
            after=[FS_2],
            own=[A_1],
            files={
                FS_1: ["/usr/sbin->lib", "/usr/lib->bin"],
                FS_2: ["/usr/sbin/", "/usr/lib/"],
                A_1: ["/usr/sbin/a"],
            },
            upper={"/usr/bin/a": FILE},
        ),
        {"/usr/bin/a": "/usr/sbin/a"},
    ),
    "a directory again, with what moved when it became a link": (
        World(before=[FS_1], after=[FS_2], files=TO_DIRECTORY, upper={"/usr/bin/mine": FILE, "/usr/bin/not": FILE}).but(
            moved={"/usr/sbin": {"/usr/sbin/mine": "/usr/bin/mine"}}
        ),
        {"/usr/bin/mine": "/usr/sbin/mine"},
    ),
    "a directory again, with files that packages of the overlay's have": (
        World(
            before=[FS_1],
            after=[FS_2],
            own=[A_1, "b-1", "c-1"],
            files={
                **TO_DIRECTORY,
                A_1: ["/usr/sbin/a", "/usr/bin/a->../sbin/a"],
                "b-1": ["/usr/bin/b"],
                "c-1": ["/sbin/c"],
                FS_2: ["/usr/sbin/", "/sbin->/usr/sbin"],
            },
            upper={"/usr/bin/a": FILE, "/usr/bin/b": FILE, "/usr/bin/c": FILE},
        ).but(moved={"/usr/sbin": {f"/usr/sbin/{name}": f"/usr/bin/{name}" for name in "abc"}}),
        {"/usr/bin/a": "/usr/sbin/a", "/usr/bin/c": "/usr/sbin/c"},
    ),
    "a directory again, with a file of which the host's packages have another at both places": (
        World(
            before=[FS_1, "a-2"],
            after=[FS_2, A_1],
            files={**TO_DIRECTORY, "a-2": ["/usr/bin/a"]},
            upper={"/usr/bin/a": FILE},
        ).but(moved={"/usr/sbin": {"/usr/sbin/a": "/usr/bin/a"}}),
        {"/usr/bin/a": "/usr/sbin/a"},
    ),
    "a directory again, with a file that is in conflict behind the link": (
        World(
            before=[FS_1, "b-1"],
            after=[FS_2],
            own=[A_1],
            stand_ins={"b-1": {"/usr/bin/a": 1}},
            files={**TO_DIRECTORY, "b-1": ["/usr/bin/a", "/usr/bin/b"]},
            upper={"/usr/bin/a": FILE},
        ).but(moved={"/usr/sbin": {"/usr/sbin/a": "/usr/bin/a"}}),
        {"/usr/bin/a": "/usr/sbin/a"},
    ),
    "a directory again after two links, one behind the other": (
        World(
            before=[FS_1],
            after=[FS_2],
            files={FS_1: ["/usr/sbin->lib", "/usr/lib->bin"], FS_2: ["/usr/sbin/", "/usr/lib/"]},
            upper={"/usr/bin/a": FILE, "/usr/bin/b": FILE, "/usr/bin/deep/c": FILE},
        ).but(
            moved={
                "/usr/sbin": {"/usr/sbin/a": "/usr/lib/a", "/usr/sbin/deep": "/usr/lib/deep"},
                "/usr/lib": {f"/usr/lib/{name}": f"/usr/bin/{name}" for name in ("a", "b", "deep/c")},
            }
        ),
        {
            "/usr/bin/a": "/usr/sbin/a",
            "/usr/bin/b": "/usr/lib/b",
            "/usr/bin/deep/c": "/usr/sbin/deep/c",
            "/usr/lib/deep": "/usr/sbin/deep",
        },
    ),
    "still a link, with what moved when it became one": (
        World(before=[FS_2], after=[FS_2, A_1], files=TO_LINK, upper={"/usr/bin/mine": FILE}).but(
            moved={"/usr/sbin": {"/usr/sbin/mine": "/usr/bin/mine"}}
        ),
        {},
    ),
    "still a link, in the place of which somebody made a directory": (
        World(
            before=[FS_2],
            after=[FS_2, A_1],
            files=TO_LINK,
            upper={"/usr/sbin": OPAQUE, "/usr/bin/mine": FILE},
        ).but(moved={"/usr/sbin": {"/usr/sbin/mine": "/usr/bin/mine"}}),
        {},
    ),
    "a link of a package that is gone": (
        World(before=[FS_1], own=[A_1], files=TO_DIRECTORY, upper={"/usr/bin/a": FILE}),
        {},
    ),
}


@pytest.mark.parametrize(("world", "expected"), MOVES.values(), ids=MOVES)
def test_what_moves(world: World, expected: dict[str, str]) -> None:
    assert dict(moves(world.state())) == expected
