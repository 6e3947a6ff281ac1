# SPDX-License-Identifier: GPL-2.0-or-later
"""The three-way merge of sets, and the stamp's look at a database's history, for any sets and histories."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy.headers import changes
from toy.headers.header import HeaderFile
from toy.headers.stamp import Stamp

names = st.frozensets(st.sampled_from("abcdefgh").map(HeaderFile))


@given(base=names, merged=names)
def test_what_an_overlay_made_of_its_base_is_what_shows(
    base: frozenset[HeaderFile], merged: frozenset[HeaderFile]
) -> None:
    upper = changes.own_part(base=base, merged=merged)
    assert upper.over(base) == merged
    assert not upper.files & base
    assert upper.whiteouts <= base


@given(have=names, want=names)
def test_difference(have: frozenset[HeaderFile], want: frozenset[HeaderFile]) -> None:
    difference = changes.difference(have=have, want=want)
    assert (have - set(difference.remove)) | set(difference.add) == want
    assert bool(difference) == (have != want)
    assert (difference.add, difference.remove) == (sorted(difference.add), sorted(difference.remove))


databases = st.dictionaries(st.integers(1, 40), st.integers(1, 3))


@given(databases)
def test_a_stamp_keeps_every_transaction(transactions: dict[int, int]) -> None:
    stamp = Stamp.of({"package": sorted(transactions)}, transactions)
    assert stamp.transactions == transactions
    assert Stamp.from_bytes(stamp.to_bytes()) == stamp


@given(earlier=databases, erased=st.sets(st.integers(1, 40)), added=st.integers(0, 5))
def test_what_came_since(earlier: dict[int, int], erased: set[int], added: int) -> None:
    last = max(earlier, default=0)
    new = {last + offset: 9 for offset in range(1, added + 1)}
    now = {number: tid for number, tid in earlier.items() if number not in erased} | new
    assert Stamp.of({}, now).added_since(Stamp.of({}, earlier)) == list(new)


@pytest.mark.parametrize(
    ("earlier", "now"),
    [
        ({1: 5, 2: 5, 4: 6}, {1: 5, 2: 5, 3: 6}),  # rpmdb --rebuilddb closes gaps
        ({1: 5, 2: 6}, {1: 5, 2: 7}),  # another history under the same numbers
        ({2: 5}, {1: 5, 2: 5}),  # an older state was put back
    ],
)
def test_another_history_is_noticed(earlier: dict[int, int], now: dict[int, int]) -> None:
    assert Stamp.of({}, now).added_since(Stamp.of({}, earlier)) is None


def test_another_name_is_another_stamp() -> None:
    assert Stamp.of({"one": [1]}, {1: 5}) != Stamp.of({"other": [1]}, {1: 5})


def test_a_stamp_is_small_even_if_each_package_came_by_itself() -> None:
    stamp = Stamp.of({}, {number: 1_700_000_000 + 7 * number for number in range(10_000)})
    assert len(stamp.to_bytes()) < 10_000


@pytest.mark.parametrize(
    "content", [b"a\n", b"a\n1", b"a\n1 2", b"a\n1 2 3 4", b"a\nx 1 1", b"a\n1 1 1\n", b"\xff", b"a\n[]"]
)
def test_a_damaged_stamp_is_a_value_error(content: bytes) -> None:
    for stored in (content, zlib.compress(content)):
        with pytest.raises(ValueError):
            Stamp.from_bytes(stored)


@pytest.mark.parametrize("cut", [0, 1, 5, -1])
def test_a_stamp_that_is_cut_short_is_a_value_error(cut: int) -> None:
    stored = Stamp.of({"package": [1, 2]}, {1: 5, 2: 6}).to_bytes()
    with pytest.raises(ValueError):
        Stamp.from_bytes(stored[:cut])


def test_a_stamp_of_any_size_is_a_value_error() -> None:
    with pytest.raises(ValueError):
        Stamp.from_bytes(zlib.compress(b"1" * (1 << 26)))


def test_packages_of_one_transaction_are_one_run() -> None:
    assert Stamp.of({}, {1: 5, 2: 5, 3: 5, 5: 5, 6: 7, 7: 7}).runs == ((1, 3, 5), (5, 5, 5), (6, 7, 7))


def test_a_stamp_does_not_depend_on_the_order_in_which_rpm_tells() -> None:
    one = Stamp.of({"a": [1], "b": [2], "\udcff": [3]}, {1: 5, 2: 6})
    assert one == Stamp.of({"\udcff": [3], "b": [2], "a": [1]}, {2: 6, 1: 5})


@pytest.mark.parametrize("runs", [[], [(1, 1, 5)], [(1, 2, 5), (3, 3, 0)], [(1, 600_000, 5), (600_001, 1_000_000, 6)]])
def test_what_a_database_may_be_like(runs: list[tuple[int, int, int]]) -> None:
    assert Stamp.checked("names", runs) == Stamp("names", tuple(runs))


@pytest.mark.parametrize(
    "runs",
    [
        [(0, 0, 5)],
        [(-1, 3, 5)],
        [(2, 1, 5)],
        [(1, 2, 5), (2, 3, 6)],
        [(3, 4, 5), (1, 2, 6)],
        [(1, 1_000_001, 5)],
        [(1, 600_000, 5), (600_001, 1_000_001, 6)],
        [(1, 10**12, 5)],
    ],
)
def test_no_database_is_like_that(runs: list[tuple[int, int, int]]) -> None:
    with pytest.raises(ValueError):
        Stamp.checked("names", runs)
    with pytest.raises(ValueError):
        Stamp.from_bytes(Stamp("names", tuple(runs)).to_bytes())
