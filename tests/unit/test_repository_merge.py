# SPDX-License-Identifier: GPL-2.0-or-later
"""What becomes of repositories and locks that host and overlay both changed."""

from pathlib import PurePath
from typing import NamedTuple

import pytest

from toy.following.repositories import merge, renamed


class Case(NamedTuple):
    """A file of the host's then and now, the overlay's, and the overlay's afterwards; None if it needs none."""

    then: str
    now: str
    ours: str
    merged: str | None


ON = "[a]\nenabled=1\nbaseurl=http://one\n"
OFF = ON.replace("enabled=1", "enabled=0")
MOVED = ON.replace("one", "two")
OFF_AND_MOVED = OFF.replace("one", "two")
NAMED = ON + "name=A\n"

REPOSITORIES = {
    "the overlay changed one key, the host another": Case(ON, MOVED, OFF, OFF_AND_MOVED),
    "the host alone changed something": Case(ON, MOVED, ON, None),
    "both changed the same": Case(ON, MOVED, MOVED, None),
    "both changed one key, differently": Case(ON, MOVED, ON.replace("one", "three"), ON.replace("one", "three")),
    "the host changed it to what the overlay has": Case(ON, OFF, OFF, None),
    "the host added a key": Case(ON, NAMED, OFF, OFF + "name=A\n"),
    "the host removed a key": Case(NAMED, ON, OFF + "name=A\n", OFF),
    "the host removed a key that the overlay changed": Case(NAMED, ON, ON + "name=B\n", ON + "name=B\n"),
    "the overlay removed a key": Case(NAMED, MOVED + "name=A\n", ON, MOVED),
    "only the form is another": Case(ON, MOVED, "[a]\nbaseurl = http://one\nenabled = 1\n", None),
    "the host added a repository": Case(ON, ON + "[b]\nenabled=1\n", OFF, OFF + "[b]\nenabled=1\n"),
    "the host removed a repository": Case(ON + "[b]\nenabled=1\n", ON, OFF + "[b]\nenabled=1\n", OFF),
    "the host removed the file": Case(ON, "", ON, None),
    "the overlay removed it, the host changed it": Case(ON, MOVED, "", ""),
    "the overlay removed it, the host added another": Case(ON, ON + "[b]\nenabled=1\n", "", "[b]\nenabled=1\n"),
    "both removed it": Case(ON, "", "", None),
    "the host made it anew after both had removed it": Case("", ON, "", None),
    "the host removed the file, the overlay changed it": Case(ON, "", OFF, OFF),
    "both made one of this name": Case("", ON, "[a]\nenabled=0\n", OFF),
    "both made one of this name, with other URLs": Case("", MOVED + "gpgcheck=0\n", ON, ON),
    "keys are as they are written": Case(ON, ON + "Key=%1\n", OFF, OFF + "Key=%1\n"),
    "the overlay's makes no sense": Case(ON, MOVED, "enabled=0\n", "enabled=0\n"),
    "the host's makes no sense": Case(ON, "enabled=0\n", OFF, OFF),
    "several lines": Case(ON, ON + "gpgkey=one\n\ttwo\n", OFF, OFF + "gpgkey=one\n\ttwo\n"),
    "several URLs with queries": Case(ON, ON + "  http://two?a=b\n", OFF, OFF + "  http://two?a=b\n"),
    "a URL fewer": Case(ON + "http://two\n", ON, OFF + "http://two\n", OFF),
    "one key twice": Case(ON, MOVED, OFF + "baseurl=http://two\n", OFF + "baseurl=http://two\n"),
    "comments, lines that make no sense and order stay": Case(
        ON,
        MOVED,
        f"no sense\n# mine\n{OFF}; too\nx=1\n# end\n",
        f"no sense\n# mine\n{OFF_AND_MOVED}; too\nx=1\n# end\n",
    ),
    "a comment of the overlay's alone": Case(ON, MOVED, f"# mine\n{ON}", f"# mine\n{MOVED}"),
    "a comment that the host dropped": Case(f"# old\n{ON}", MOVED, f"# old\n{ON}", None),
    "a comment in what the host removed": Case(
        ON + "[b]\nenabled=1\n", ON, OFF + "[b]\n# mine\nenabled=1\n", OFF + "# mine\n"
    ),
    "the host added a key to the first of two": Case(
        ON + "\n[b]\nenabled=1\n",
        NAMED + "\n[b]\nenabled=1\n",
        OFF + "\n[b]\nenabled=1\n",
        OFF + "name=A\n\n[b]\nenabled=1\n",
    ),
    "the host renamed what the overlay changed": Case(
        ON, ON.replace("[a]", "[b]"), f"# mine\n{OFF}", f"# mine\n{OFF}".replace("[a]", "[b]")
    ),
    "the overlay renamed what the host changed": Case(ON, MOVED, ON.replace("[a]", "[b]"), MOVED.replace("[a]", "[b]")),
    "the host renamed what the overlay removed": Case(ON, ON.replace("[a]", "[b]"), "[c]\n", "[c]\n"),
    "the host removed what the overlay renamed": Case(ON, "", ON.replace("[a]", "[b]"), ON.replace("[a]", "[b]")),
    "both renamed it": Case(ON, MOVED, ON.replace("[a]", "[b]"), MOVED.replace("[a]", "[b]")),
    "the host renamed one and added another": Case(
        ON, ON.replace("[a]", "[b]") + "[c]\nbaseurl=x\n", OFF, OFF.replace("[a]", "[b]") + "[c]\nbaseurl=x\n"
    ),
    "one section twice: each by itself": Case(
        ON + "# two\n" + OFF,
        MOVED + "# two\n" + OFF_AND_MOVED,
        OFF + "# two\n" + OFF,
        OFF_AND_MOVED + "# two\n" + OFF_AND_MOVED,
    ),
    "no end of the last line": Case(ON, NAMED, OFF.rstrip(), OFF + "name=A\n"),
    "a blank for each step of an expression with two loops": Case(
        ON, MOVED, f"{OFF}k{' ' * 10**6}x\n", f"{OFF}k{' ' * 10**6}x\n"
    ),
    "many sections": Case(ON, NAMED, OFF + "[]\n" * 10**5, OFF + "name=A\n" + "[]\n" * 10**5),
}

ONE, TWO, THREE = (f"\ntype: package\nsolvable_name: {name}\n" for name in ("one", "two", "three"))

LOCKS = {
    "both added one": Case(ONE, ONE + TWO, ONE + THREE, ONE + THREE + TWO),
    "the host added one": Case("", ONE, "", None),
    "the host removed one": Case(ONE + TWO, ONE, ONE + TWO + THREE, ONE + THREE),
    "the overlay removed one": Case(ONE + TWO, ONE + TWO + THREE, ONE, ONE + THREE),
    "both added the same": Case(ONE, ONE + TWO, TWO + ONE, None),
    "the host removed all": Case(ONE, "", ONE, None),
    "the overlay removed all": Case(ONE, ONE + TWO, "", TWO),
    "the overlay removed all, and the host others": Case(ONE + TWO, ONE, "", ""),
    "both removed all": Case(ONE, "", "", None),
}

WHOLE = {
    "the host changed it": Case("a\n", "b\n", "a\n", None),
    "the host removed it": Case("a\n", "", "a\n", None),
    "the host added it": Case("", "a\n", "", None),
    "both changed it": Case("a\n", "b\n", "c\n", "c\n"),
    "both made the same of it": Case("a\n", "b\n", "b\n", None),
    "the overlay removed it": Case("a\n", "b\n", "", ""),
    "both removed it": Case("a\n", "", "", None),
}
"""Credentials and variables."""


@pytest.mark.parametrize("case", REPOSITORIES.values(), ids=REPOSITORIES)
def test_repositories(case: Case) -> None:
    check("repos.d/a.repo", case)


@pytest.mark.parametrize("case", LOCKS.values(), ids=LOCKS)
def test_locks(case: Case) -> None:
    check("locks", case)


@pytest.mark.parametrize("folder", ["credentials.d", "vars.d"])
@pytest.mark.parametrize("case", WHOLE.values(), ids=WHOLE)
def test_files_that_are_merged_as_a_whole(case: Case, folder: str) -> None:
    check(f"{folder}/a", case)


RENAMED = {
    "another name": ({"repos.d/a.repo": ON}, {"repos.d/b.repo": MOVED}, {"repos.d/a.repo": "repos.d/b.repo"}),
    "another repository": ({"repos.d/a.repo": ON}, {"repos.d/b.repo": "[b]\n"}, {}),
    "one more repository": ({"repos.d/a.repo": ON}, {"repos.d/b.repo": ON + "[b]\n"}, {}),
    "still there": ({"repos.d/a.repo": ON}, {"repos.d/a.repo": ON, "repos.d/b.repo": ON}, {}),
    "there before": ({"repos.d/a.repo": ON, "repos.d/b.repo": ON}, {"repos.d/b.repo": ON}, {}),
    "no repository": ({"repos.d/a.repo": ""}, {"repos.d/b.repo": ""}, {}),
    "a service": ({"repos.d/a.repo": ON}, {"services.d/a.service": ON}, {}),
    "no sections": ({"vars.d/a": ON}, {"vars.d/b": ON}, {}),
    "twice": (
        {"repos.d/a.repo": ON},
        {"repos.d/b.repo": ON, "repos.d/c.repo": ON},
        {"repos.d/a.repo": "repos.d/b.repo"},
    ),
    "two at once": (
        {"repos.d/a.repo": ON, "repos.d/b.repo": "[b]\n"},
        {"repos.d/c.repo": "[b]\n", "repos.d/d.repo": ON},
        {"repos.d/a.repo": "repos.d/d.repo", "repos.d/b.repo": "repos.d/c.repo"},
    ),
}


@pytest.mark.parametrize(("before", "after", "found"), RENAMED.values(), ids=RENAMED)
def test_files_that_the_host_gave_other_names(
    before: dict[str, str], after: dict[str, str], found: dict[str, str]
) -> None:
    paths = sorted({*before, *after})
    then, now = (
        {PurePath(path): some[path].encode() if path in some else None for path in paths} for some in (before, after)
    )
    assert renamed(then, now) == {PurePath(old): PurePath(new) for old, new in found.items()}


def test_bytes_of_no_encoding() -> None:
    ours = OFF.encode() + b"name=\xff\0\n"
    path = PurePath("repos.d/a.repo")
    assert merge(path, then=ON.encode(), now=MOVED.encode(), ours=ours) == ours.replace(b"one", b"two")


def check(path: str, case: Case) -> None:
    merged = merge(PurePath(path), then=case.then.encode(), now=case.now.encode(), ours=case.ours.encode())
    assert (None if merged is None else merged.decode().strip()) == (case.merged and case.merged.strip())
    if merged is not None:
        again = merge(PurePath(path), then=case.then.encode(), now=case.now.encode(), ours=merged)
        assert again == merged
