# SPDX-License-Identifier: GPL-2.0-or-later
"""The three-way merge of passwd(5) and its kin, entry by entry."""

import pytest

from toy.following import accounts


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
        pytest.param("passwd", "a:x:4:4\n", "a:x:5:4\n", "a:x:4:4\n", "a:x:4:4\n", id="a number goes with files"),
        pytest.param("group", "a:x:4:\n", "a:x:5:b\n", "a:x:4:\n", "a:x:4:b\n", id="a group's as well"),
        pytest.param("passwd", "a:x:4:4\n", "a:x:4:5\n", "a:x:4:4\n", "a:x:4:5\n", id="the host's group"),
        pytest.param("passwd", "a:x:4:4\n", "a:x:4:6\n", "a:x:4:4\n", "a:x:4:4\n", id="a number of two groups"),
    ],
)
def test_merge(name: str, then: str, now: str, ours: str, merged: str) -> None:
    once = accounts.merge(name, then=then.encode(), now=now.encode(), ours=ours.encode(), apart=[b"6"])
    assert once.decode() == merged
    twice = accounts.merge(name, then=then.encode(), now=now.encode(), ours=once, apart=[b"6"])
    assert twice == once
