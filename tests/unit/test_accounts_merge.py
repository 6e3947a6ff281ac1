# SPDX-License-Identifier: GPL-2.0-or-later
"""The three-way merge of passwd(5) and its kin, entry by entry."""

import pytest

from toy.reconcile import accounts
from toy.reconcile.numbers import renumbered


@pytest.mark.parametrize(
    ("name", "then", "now", "ours", "merged"),
    [
        pytest.param("passwd", "r:x:0\n", "r:x:0\na:x:1\n", "r:x:0\nb:x:2\n", "r:x:0\nb:x:2\na:x:1\n", id="both added"),
        pytest.param("passwd", "a:x:1\n", "a:x:1\n", "a:x:1\n", "a:x:1\n", id="nothing"),
        pytest.param("passwd", "a:x:1\n", "", "a:x:1\n", "a:x:1\n", id="the host removed it"),
        pytest.param("passwd", "a:x:1\n", "a:y:1\n", "", "", id="the overlay removed it"),
        pytest.param("passwd", "a:x:1\n", "a:x:1\nb:x:2\n", "a:x:1", "a:x:1\nb:x:2\n", id="no newline at the end"),
        pytest.param("passwd", "", "a:x:1\n", "r:x:0\n+::\n", "r:x:0\na:x:1\n+::\n", id="elsewhere"),
        pytest.param("passwd", "", "a:x:1\n", "# x\n\nbad\n", "# x\n\nbad\na:x:1\n", id="what is no entry stays"),
        pytest.param("passwd", "a:x:1:sh\n", "a:x:1:zsh\n", "a:x:1:sh\n", "a:x:1:zsh\n", id="shell"),
        pytest.param("shadow", "a:!:1:\n", "a:new:1:\n", "a:own:1:\n", "a:own:1:\n", id="both changed the password"),
        pytest.param("shadow", "a:!:1:\n", "a:!:1:9\n", "a:own:1:\n", "a:own:1:9\n", id="different fields"),
        pytest.param("group", "g:x:1:a,b\n", "g:x:1:b,c\n", "g:x:1:a,b,d\n", "g:x:1:b,d,c\n", id="members"),
        pytest.param("group", "", "g:x:1:a\n", "g:x:2:b\n", "g:x:2:b,a\n", id="both made the group"),
        pytest.param("group", "", "g:x:1:a\n", "g::1:\n", "g::1:a\n", id="what is empty is the overlay's choice"),
        pytest.param("group", "g:x:1:\n", "g:x:1:a\n", "g:x:1:\n", "g:x:1:a\n", id="the first member"),
        pytest.param("group", "g:x:1:a\n", "g:x:1:\n", "g:x:1:a,b\n", "g:x:1:b\n", id="the last member"),
        pytest.param("group", "g:x:1:a\n", "g:x:1:\n", "g:x:1:a\n", "g:x:1:\n", id="the only member"),
        pytest.param("group", "g:x:1:a\n", "g:x:1:a,b\n", "g:x:1:b\n", "g:x:1:b\n", id="a member of both"),
        pytest.param("group", "g:x:1:a\n", "g:x:1:a,b\n", "g:x:1:\n", "g:x:1:b\n", id="a member that left stays away"),
        pytest.param("gshadow", "g:!:a:b\n", "g:!:a,c:b,d\n", "g:!:f:e\n", "g:!:f,c:e,d\n", id="members and masters"),
        pytest.param("passwd", "", "+@x:1\n-y:1\n#z:1\nbad\n\n", "r:x:0\n", "r:x:0\n", id="no entries of the host's"),
        pytest.param("passwd", "", "a:x:1\n", "r:x:0\n-y\n+z\n", "r:x:0\na:x:1\n-y\n+z\n", id="before the first"),
        pytest.param("passwd", "", "a:x:1\n", "+z\n", "a:x:1\n+z\n", id="nothing but elsewhere"),
        pytest.param("passwd", "", "a:x:1\nb:x:2\n", "", "a:x:1\nb:x:2\n", id="in the host's order"),
        pytest.param("passwd", "a:x\n", "a:y\n", "a:x:1\n", "a:x:1\n", id="another number of fields"),
        pytest.param("passwd", "a:x:1\n", "a:y\n", "a:x:1\n", "a:x:1\n", id="another number of fields now"),
        pytest.param("passwd", "a:x\n", "a:y:1\n", "a:x:1\n", "a:x:1\n", id="another number of fields then"),
        pytest.param(
            "passwd", "a:x:1\n", "a:y:1\n", "r:x:0\na:x:1", "r:x:0\na:y:1", id="the last line, without an end"
        ),
        pytest.param("passwd", "", "b:x:2\n", "r:x:0\na:x:1", "r:x:0\na:x:1\nb:x:2\n", id="after the last line"),
        pytest.param("subuid", "a:1:9\n", "a:1:9\nb:2:9\n", "", "b:2:9\n", id="a range that the overlay removed"),
        pytest.param("subgid", "", "a:1:9\n", "a:1:9 \n", "a:1:9 \na:1:9\n", id="ranges by the letter"),
        pytest.param("subuid", "a:1:9\n", "a:1:9\na:20:9\n", "a:1:9\nb:50:9\n", "a:1:9\nb:50:9\na:20:9\n", id="ranges"),
    ],
)
def test_merge(name: str, then: str, now: str, ours: str, merged: str) -> None:
    once = accounts.merge(name, then=then.encode(), now=now.encode(), ours=ours.encode())
    assert once.decode() == merged
    twice = accounts.merge(name, then=then.encode(), now=now.encode(), ours=once)
    assert twice == once


@pytest.mark.parametrize(
    ("name", "then", "now", "ours", "clashes"),
    [
        ("passwd", "", "a:x:5\n", "b:x:5\n", ["number 5 belongs to a on the host, to b in the overlay"]),
        ("group", "", "a:x:5:\n", "b:x:5:\n", ["number 5 belongs to a on the host, to b in the overlay"]),
        ("passwd", "", "a:x:5\n", "a:x:6\n", ["a has number 5 on the host, 6 in the overlay"]),
        ("passwd", "", "a:x:5\n", "a:x:5\n", []),
        ("passwd", "", "a:x:5\n", "b:x:6\n", []),
        ("passwd", "a:x:5\n", "a:x:5\n", "a:x:6\nb:x:5\n", []),
        ("passwd", "a:x:4\n", "a:x:5\n", "a:x:4\nb:x:5\n", []),
        ("passwd", "", "a:x:5\nc:x:6\n", "b:x:5\nd:x:6\n", [
            "number 5 belongs to a on the host, to b in the overlay",
            "number 6 belongs to c on the host, to d in the overlay",
        ]),
        ("passwd", "", "a:x::\n", "b:x::\n", []),
        ("passwd", "", "a:x\n", "b:x\n", []),
        ("passwd", "", "a:x:99999999999\n", "b:x:99999999999\n", []),
        ("passwd", "", "b:x:5\na:x:4\n", "a:x:5\n", ["a has number 4 on the host, 5 in the overlay"]),
        ("passwd", "", "a:x:4\nb:x:5\n", "a:x:5\n", ["a has number 4 on the host, 5 in the overlay"]),
    ],
)  # fmt: skip
def test_numbers_that_clash(name: str, then: str, now: str, ours: str, clashes: list[str]) -> None:
    found = accounts.clashes(name, then=then.encode(), now=now.encode(), ours=ours.encode())
    assert list(map(str, found)) == clashes


def test_names_in_another_encoding_clash_as_well() -> None:
    (found,) = accounts.clashes("passwd", then=b"", now=b"\xff:x:5\n", ours=b"b:x:5\n")
    assert str(found) == "number 5 belongs to \udcff on the host, to b in the overlay"


@pytest.mark.parametrize(
    ("field", "name", "content", "changed"),
    [
        pytest.param(2, "a", "a:x:5:5:\nb:x:5:5:\n", "a:x:7:5:\nb:x:5:5:\n", id="a user of two with this number"),
        pytest.param(3, None, "a:x:5:5:\nb:x:6:5:\n", "a:x:5:7:\nb:x:6:7:\n", id="the group of all"),
        pytest.param(2, "a", "a:x:6:5:\n", "a:x:6:5:\n", id="another number"),
        pytest.param(2, "a", "a:x\n#a:x:5\n", "a:x\n#a:x:5\n", id="no entry"),
    ],
)
def test_another_number(field: int, name: str | None, content: str, changed: str) -> None:
    assert renumbered(content.encode(), field, name, 5, 7).decode() == changed
