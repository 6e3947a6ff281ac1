# SPDX-License-Identifier: GPL-2.0-or-later
"""Files that packages of the host and of the overlay both own: which of them are conflicts, and with whom."""

from collections.abc import Sequence
from typing import NamedTuple

import pytest
from tables import file, package

from toy.headers import header
from toy.reconcile.conflicts import find_conflicts

REPLACED, NOT_INSTALLED = header.REPLACED, header.NOT_INSTALLED


class Case(NamedTuple):
    """Files as `tables.package_file` has them: those of the overlay's package own, and of the host's package its."""

    own: Sequence[str]
    its: Sequence[str]
    other_kind: Sequence[str] = ()
    """Where one of upper and lower has a directory, and the other one something else."""
    found: dict[str, int] = {}  # noqa: RUF012
    """Paths of the host's, and the states that they come to be in."""


CASES = {
    "nothing in common": Case(["/a"], ["/b", "/x/a"]),
    "other content": Case(["/a=1"], ["/a=2"], found={"/a": REPLACED}),
    "the same content": Case(["/a=1"], ["/a=1"]),
    "some of many": Case(["/b=1", "/d=1"], ["/a", "/b=2", "/c", "/d=2"], found={"/b": REPLACED, "/d": REPLACED}),
    "nothing that the host's has brought": Case(["/a=1"], ["/a?"]),
    "no link that either has brought": Case(["/a->b?"], ["/a->c?"]),
    "no link that the overlay's has brought": Case(["/a->b?"], ["/a=1"]),
    "nothing that the host's has brought, though its digest is known": Case(["/a=1"], ["/a=2?"]),
    "a directory that the overlay's has not brought, a file of the host's": Case(
        ["/a/?"], ["/a"], ["/a"], {"/a": REPLACED}
    ),
    "nothing that the overlay's has brought": Case(["/a?"], ["/a=1"]),
    "nothing that the overlay's has brought, in a directory of the host's": Case(["/a/b?"], ["/a"], ["/a"]),
    "a directory of both": Case(["/a/", "/a/b"], ["/a/", "/a/c"]),
    "a directory of the overlay's, a file of the host's": Case(["/a/"], ["/a"], ["/a"], {"/a": REPLACED}),
    "a directory of the host's, a file of the overlay's": Case(["/a"], ["/a/"], ["/a"], {"/a": REPLACED}),
    "a file in a directory of the overlay's": Case(["/a/"], ["/a/b", "/a/b/c/d"], ["/a"]),
    "a file in the place of a directory that is nobody's": Case(["/a/b"], ["/a"], ["/a"], {"/a": REPLACED}),
    "a file in the place of one further up": Case(["/a/b/c/d"], ["/a"], ["/a"], {"/a": REPLACED}),
    "a file in the place of one in between": Case(["/a/b/c/d"], ["/a/b"], ["/a/b"], {"/a/b": REPLACED}),
    "a file in the place of one that has several": Case(["/a/b", "/a/c", "/d/e"], ["/d"], ["/d"], {"/d": REPLACED}),
    "a link to a directory in the place of one": Case(["/a/b"], ["/a"], []),
    "a directory in the place of one": Case(["/a/b"], ["/a/"], []),
    "a directory in the place of one, and yet not": Case(["/a/b"], ["/a/"], ["/a"]),
    "what no package has in the way": Case(["/x"], ["/a"], ["/a"]),
    "a file below one": Case(["/a"], ["/a/b"], ["/a"], {"/a/b": NOT_INSTALLED}),
    "files further below one": Case(
        ["/a"], ["/x", "/a/b/c", "/a/b/c/d/e"], ["/a"], {"/a/b/c": NOT_INSTALLED, "/a/b/c/d/e": NOT_INSTALLED}
    ),
    "a directory below one": Case(["/a/b"], ["/a/b/c/"], ["/a/b"], {"/a/b/c": NOT_INSTALLED}),
    "a file below a link to a directory": Case(["/a"], ["/a/b"], []),
    "nothing that the host's has brought, below one": Case(["/a"], ["/a/b?"], ["/a"]),
    "a file below a directory of the overlay's, and that below a file": Case(
        ["/a", "/x/"], ["/x/b", "/a/b"], ["/a", "/x"], {"/a/b": NOT_INSTALLED}
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_which_files_conflict(case: Case) -> None:
    own, its = package("own-1", *case.own), package("its-1", *case.its)
    found = find_conflicts([own], {file("its-1"): its}, set(case.other_kind).__contains__, str)
    conflicts = found.get(file("its-1"), {})
    assert {path: conflict.state for path, conflict in conflicts.items()} == case.found
    assert all(conflict.owner == own for conflict in conflicts.values())
    assert found.keys() == ({file("its-1")} if case.found else set())


def test_the_users_files_are_compared_like_others() -> None:
    own, its = package("own-1", "/a=1", "/b=1"), package("its-1", "/a=1", "/b=2")
    configuration = own._replace(files=tuple(each._replace(kept=True) for each in own.files))
    found = find_conflicts([configuration], {file("its-1"): its}, lambda _: False, str)
    assert {name: set(paths) for name, paths in found.items()} == {file("its-1"): {"/b"}}


def test_directories_of_other_modes_are_no_conflict() -> None:
    own, its = package("own-1", "/a/"), package("its-1", "/a/")
    private = its._replace(files=tuple(each._replace(mode=0o40700) for each in its.files))
    assert find_conflicts([own], {file("its-1"): private}, lambda _: False, str) == {}


def test_each_conflict_names_its_owner() -> None:
    kept = [package("a-1", "/a=1", "/x/y"), package("b-1", "/b=1", "/x/z", "/c")]
    others = {
        file("d-1"): package("d-1", "/a=2", "/nothing"),
        file("e-1"): package("e-1", "/nothing"),
        file("f-1"): package("f-1", "/b=2", "/c/d", "/x"),
    }
    found = find_conflicts(kept, others, {"/x", "/c"}.__contains__, str)
    owners = {name: {path: each.owner.name for path, each in paths.items()} for name, paths in found.items()}
    assert owners == {file("d-1"): {"/a": "a"}, file("f-1"): {"/b": "b", "/c/d": "b", "/x": "a"}}


@pytest.mark.parametrize(
    ("own", "its", "found"),
    [
        pytest.param("/usr/sbin/a=1", "/usr/bin/a=2", {"/usr/bin/a"}, id="the overlay's by the link"),
        pytest.param("/usr/bin/a=1", "/usr/sbin/a=2", {"/usr/sbin/a"}, id="the host's by the link"),
        pytest.param("/usr/sbin/a=1", "/usr/bin/a=1", set(), id="the same content"),
        pytest.param("/usr/sbin/a=1", "/usr/bin/b=2", set(), id="another name"),
    ],
)
def test_one_directory_by_two_names(own: str, its: str, found: set[str]) -> None:
    packages = [package("own-1", own)], {file("its-1"): package("its-1", its)}
    conflicts = find_conflicts(*packages, lambda _: False, lambda folder: folder.replace("sbin", "bin"))
    assert conflicts.get(file("its-1"), {}).keys() == found
