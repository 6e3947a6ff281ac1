# SPDX-License-Identifier: GPL-2.0-or-later
"""The three-way merge of passwd(5) and its kin, entry by entry."""

import pytest

from toy.reconcile import accounts


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
        pytest.param("subuid", "a:1:9\n", "a:1:9\na:20:9\n", "a:1:9\nb:50:9\n", "a:1:9\nb:50:9\na:20:9\n", id="ranges"),
    ],
)
def test_merge(name: str, then: str, now: str, ours: str, merged: str) -> None:
    once, _ = accounts.merge(name, then=then.encode(), now=now.encode(), ours=ours.encode())
    assert once.decode() == merged
    twice, _ = accounts.merge(name, then=then.encode(), now=now.encode(), ours=once)
    assert twice == once
