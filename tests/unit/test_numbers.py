# SPDX-License-Identifier: GPL-2.0-or-later
"""Numbers of accounts that clash between host and overlay, and which accounts get others."""

from collections.abc import Iterator, Mapping, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toy.following import numbers
from toy.following.numbers import Move, Range


@pytest.mark.parametrize(
    ("then", "now", "ours", "clashes"),
    [
        ("", "a:x:5\n", "b:x:5\n", ["number 5 belongs to a on the host, to b in the overlay"]),
        ("", "a:x:5:\n", "b:x:5:\n", ["number 5 belongs to a on the host, to b in the overlay"]),
        ("", "a:x:5\n", "a:x:6\n", ["a has number 5 on the host, 6 in the overlay"]),
        ("", "a:x:5\n", "a:x:5\n", []),
        ("", "a:x:5\n", "b:x:6\n", []),
        ("a:x:5\n", "a:x:5\n", "a:x:6\nb:x:5\n", []),
        ("a:x:4\n", "a:x:5\n", "a:x:4\n", ["a has number 5 on the host, 4 in the overlay"]),
        ("a:x:4\n", "a:x:5\n", "a:x:5\n", []),
        ("a:x:4\n", "a:x:5\n", "a:x:4\nb:x:5\n", [
            "a has number 5 on the host, 4 in the overlay",
            "number 5 belongs to a on the host, to b in the overlay",
        ]),
        ("", "a:x:5\nc:x:6\n", "b:x:5\nd:x:6\n", [
            "number 5 belongs to a on the host, to b in the overlay",
            "number 6 belongs to c on the host, to d in the overlay",
        ]),
        ("r:x:0\n", "r:x:0\na:x:0\n", "r:x:0\n", []),  # as on the host
        ("", "a:x::\n", "b:x::\n", []),
        ("", "a:x\n", "b:x\n", []),
        ("", "a:x:99999999999\n", "b:x:99999999999\n", []),
        ("", "+a:x:5\n", "b:x:5\n", []),
        ("", "b:x:5\na:x:4\n", "a:x:5\n", ["a has number 4 on the host, 5 in the overlay"]),
        ("", "a:x:4\nb:x:5\n", "a:x:5\n", ["a has number 4 on the host, 5 in the overlay"]),
    ],
)  # fmt: skip
def test_numbers_that_clash(then: str, now: str, ours: str, clashes: list[str]) -> None:
    found = numbers.clashes(then=then.encode(), now=now.encode(), ours=ours.encode())
    assert list(map(str, found)) == clashes


def test_names_in_another_encoding_clash_as_well() -> None:
    (found,) = numbers.clashes(then=b"", now=b"\xff:x:5\n", ours=b"b:x:5\n")
    assert str(found) == "number 5 belongs to \udcff on the host, to b in the overlay"


@pytest.mark.parametrize(
    ("then", "now", "ours", "clashes"),
    [
        ("", "a:5:3\n", "b:5:3\n", {("b", 5, 7): ("a", 5, 7)}),
        ("", "a:5:3\n", "b:7:9\n", {("b", 7, 15): ("a", 5, 7)}),
        ("", "a:5:3\n", "b:1:5\n", {("b", 1, 5): ("a", 5, 7)}),
        ("", "a:5:3\n", "b:8:9\nc:1:4\n", {}),
        ("", "a:5:3\n", "a:5:3\n", {}),
        ("", "a:5:3\n", "a:6:3\n", {}),
        ("a:5:3\n", "a:5:3\n", "a:5:3\nb:5:3\n", {}),
        ("b:5:3\n", "b:5:3\na:5:3\n", "b:5:3\n", {}),  # as on the host
        ("", "a:x:3\na:5\na:5:99999999999\n", "b:5:3\n", {}),
    ],
)
def test_ranges_that_clash(then: str, now: str, ours: str, clashes: Mapping[object, object]) -> None:
    assert numbers.clashing_ranges(then=then.encode(), now=now.encode(), ours=ours.encode()) == clashes


def test_another_range() -> None:
    one = Range("b", 5, 7)
    to = numbers.free_range(one, b"a:20:3\n", b"b:5:3\n")
    assert to == ("b", 23, 25)
    assert numbers.with_range(b"# x\nb:5:3\nb:6:3\na:5:3", one, to) == b"# x\nb:23:3\nb:6:3\na:5:3"
    assert numbers.free_range(one, b"a:600099997:1\n") == ("b", 600_099_998, 600_100_000)
    assert numbers.free_range(one, b"a:600099998:1\n") is None


@pytest.mark.parametrize(
    ("table", "known", "left"),
    [
        ("a:x:5\nb:x:6", ["a:x:7\n"], "b:x:6\n"),
        ("a:x:5\n\n+b:x:6\nc:x\n", [], "a:x:5\n"),
        ("a:x:5\nb:x:6\nc:x:7\n", ["a:x:5\n", "b:x:6\n"], "c:x:7\n"),
    ],
)
def test_accounts_of_other_names(table: str, known: list[str], left: str) -> None:
    assert numbers.of_others(table.encode(), *(each.encode() for each in known)) == left.encode()


Accounts = Mapping[str, int]


def table(accounts: Accounts) -> bytes:
    return "".join(f"{name}:x:{number}:\n" for name, number in accounts.items()).encode()


def goals(then: Accounts, now: Accounts, ours: Accounts) -> list[Move]:
    """Return the moves for these tables."""
    tables = {"then": table(then), "now": table(now), "ours": table(ours)}
    return numbers.goals(numbers.clashes(**tables), **tables)


@pytest.mark.parametrize(
    ("then", "now", "ours", "moves"),
    [
        pytest.param({}, {"b": 899, "a": 895}, {"a": 899}, [("a", 899, 895)], id="in another order"),
        pytest.param({}, {"b": 899}, {"a": 899}, [("a", 899, 898)], id="the next one"),
        pytest.param({"c": 898}, {"b": 899}, {"a": 899}, [("a", 899, 897)], id="one that the host had"),
        pytest.param({}, {"b": 101}, {"a": 101}, [("a", 101, 102)], id="none below"),
        pytest.param({}, {"b": 1000}, {"a": 1000}, [("a", 1000, 1001)], id="a regular user"),
        pytest.param({}, {"b": 60000}, {"a": 60000}, [("a", 60000, 59999)], id="the last regular one"),
        pytest.param({}, {"b": 99999}, {"a": 99999}, [("a", 99999, 60000)], id="a large number"),
        pytest.param({}, {"b": 50}, {"a": 50}, [("a", 50, 101)], id="a number that is for ever"),
        pytest.param({"b": 895}, {"a": 895}, {"b": 895, "a": 899}, [], id="taken by one that stays"),
        pytest.param({}, {"a": 895}, {"b": 895, "c": 895, "a": 899}, [], id="taken by two"),
        pytest.param({}, {"b": 899}, {"a": 899, "c": 899}, [], id="two have it"),
        pytest.param({"b": 899}, {"b": 899, "a": 898}, {"a": 899}, [], id="the host had it"),
        pytest.param({"a": 899}, {"a": 898}, {"a": 899}, [("a", 899, 898)], id="changed on the host"),
        pytest.param({"a": 899}, {"a": 898}, {"a": 897}, [("a", 897, 898)], id="changed on both"),
        pytest.param({"a": 899}, {"b": 899}, {"a": 899}, [], id="removed on the host"),
        pytest.param({"r": 0}, {"r": 5}, {"r": 0}, [], id="root"),
        pytest.param({}, {"r": 0, "a": 0}, {"r": 0, "a": 899}, [], id="to be root"),
        pytest.param({}, {"a": 895, "b": 895}, {"a": 899, "b": 898}, [], id="one number for two"),
        pytest.param({"a": 899, "b": 898}, {"a": 898, "b": 899}, {"a": 899, "b": 898},
                     [("a", 899, 898), ("b", 898, 899)], id="swapped"),
        pytest.param({"c": 1}, {"a": 897, "b": 898, "d": 1}, {"a": 898, "b": 899, "c": 897}, [("c", 897, 896),
                     ("a", 898, 897), ("b", 899, 898)], id="a chain"),
        pytest.param({"c": 897}, {"a": 897, "b": 898}, {"a": 898, "b": 899, "c": 897}, [], id="a chain that is stuck"),
    ],
)  # fmt: skip
def test_who_gets_another_number(
    then: Accounts, now: Accounts, ours: Accounts, moves: Sequence[tuple[str, int, int]]
) -> None:
    assert sorted(goals(then, now, ours)) == sorted(Move(*move) for move in moves)


def test_where_no_number_is_free() -> None:
    full = {f"u{number}": number for number in range(101, 1000)}
    assert goals({}, {"b": 899}, {**full, "u899": 899}) == []


accounts = st.dictionaries(st.sampled_from("abcde"), st.sampled_from([0, 101, 500, 501, 998, 999, 1000]))


def simulated(steps: Sequence[Sequence[Move]], files: Mapping[str, int], stops: int) -> Iterator[Mapping[str, int]]:
    """Yield the files after each step; the first `stops` files of each have been through it twice."""
    for moves in steps:
        to = {move.number: move.to for move in moves}
        half = [*files][:stops]
        files = {name: to.get(number, number) if name in half else number for name, number in files.items()}
        files = {name: to.get(number, number) for name, number in files.items()}
        yield files


@settings(deadline=None, max_examples=500)
@given(accounts, accounts, accounts, st.integers(0, 5))
def test_files_stay_their_accounts_whatever_the_numbers(
    then: Accounts, now: Accounts, ours: Accounts, stops: int
) -> None:
    moves = goals(then, now, ours)
    steps = numbers.steps(moves, {*then.values(), *now.values(), *ours.values()})
    assert len(steps) <= 2
    after = ours
    for after in simulated(steps, ours, stops):
        alone = {name for name, number in ours.items() if [*ours.values()].count(number) == 1}
        assert all([*after.values()].count(after[name]) == 1 for name in alone)
    assert after == {**ours, **{move.name: move.to for move in moves}}
    for name, number in after.items():
        was = ours[name]
        assert number == was or [*ours.values()].count(was) == 1
        assert number == was or number == now.get(name) or number not in {*then.values(), *now.values(), *ours.values()}
    # What is settled is settled: the next launch would have no other moves but for who was in the way.
    assert goals(then, now, after) == []


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
    assert numbers.renumbered(content.encode(), field, name, 5, 7).decode() == changed
