# SPDX-License-Identifier: GPL-2.0-or-later
"""How a list of machines reads, and what a keeper writes of who is in, without a machine."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from toy.launch import who
from toy.report import listing
from toy.report.members import COMING_UP, ENDING, IN_USE, NOT_IN_USE, SILENT, Entry, Member

AWKWARD = ["sh", "-c", "a\tb\n9\t9\x1b[2J", "", "\udcff", "é"]
THERE = Member(17, "geeko", "/dev/pts/3", 1_000_000_000, ["strace", "-p", "1"])
SHELL = Member(23456, "root", "", 1_000_000_060, [])


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Have a time zone that is not UTC."""
    monkeypatch.setenv("TZ", "CEST-2")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def as_json(*entries: Entry) -> Any:
    return json.loads(json.dumps(listing.fields(entries)))


def table(*entries: Entry, width: int = 132) -> list[str]:
    return list(listing.lines(entries, width=width))


def test_a_table() -> None:
    machines = (Entry("debug", IN_USE, [THERE, SHELL]), Entry("toy", NOT_IN_USE))
    assert table(*machines) == [
        "MACHINE  PID    USER   TERMINAL  SINCE                COMMAND",
        "debug    17     geeko  pts/3     2001-09-09 03:46:40  strace -p 1",
        "debug    23456  root   -         2001-09-09 03:47:40  (a shell)",
        "toy      -      -      -         -                    -",
    ]


def test_no_machine() -> None:
    assert table() == ["MACHINE  PID  USER  TERMINAL  SINCE  COMMAND"]
    assert as_json() == {"version": 1, "machines": []}


@pytest.mark.parametrize(
    ("entry", "last"),
    [
        (Entry("m", NOT_IN_USE), "-"),
        (Entry("m", COMING_UP, None), "(coming up)"),
        (Entry("m", COMING_UP), "(coming up)"),
        (Entry("m", COMING_UP, [THERE]), "strace -p 1"),
        (Entry("m", ENDING), "(ending)"),
        (Entry("m", SILENT, None), "(not answering)"),
    ],
)
def test_each_state(entry: Entry, last: str) -> None:
    (row,) = table(entry)[1:]
    assert row.endswith(f"  {last}")
    assert as_json(entry)["machines"][0]["state"] == entry.state


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (["a b", "c'd"], """'a b' 'c'"'"'d'"""),
        (AWKWARD, "sh -c 'a\\tb\\n9\\t9\\x1b[2J' '' '\\udcff' 'é'"),
        (["x" * 80], "x" * 80),
        (["x" * 81], "x" * 77 + "..."),
        (["\n" * 1000], "'" + "\\n" * 38 + "..."),
    ],
)
def test_commands(command: list[str], shown: str) -> None:
    row = table(Entry("m", IN_USE, [THERE._replace(command=command)]))[1]
    assert row == f"m        17   geeko  pts/3     2001-09-09 03:46:40  {shown}"
    found = as_json(Entry("m", IN_USE, [THERE._replace(command=command)]))
    assert found["machines"][0]["in"][0]["command"] == command


@pytest.mark.parametrize(("width", "room"), [(132, 80), (80, 28), (73, 21), (72, 20), (20, 20), (0, 20)])
def test_a_row_fits_the_terminal(width: int, room: int) -> None:
    row = table(Entry("m", IN_USE, [THERE._replace(command=["x" * 1000])]), width=width)[1]
    assert len(row.rpartition("  ")[2]) == room
    assert len(row) == max(width, 72)


def test_names_that_would_write_on_the_terminal_or_make_other_columns() -> None:
    named = THERE._replace(user="a\tb\n\x1b[2J", terminal="/dev/\x07" + "t" * 100)
    row = table(Entry("m", IN_USE, [named]))[1]
    assert row.startswith("m        17   a\\tb\\n\\x1b[2J  \\x07" + "t" * 25 + "...  2001-")


def test_json() -> None:
    assert as_json(Entry("a", IN_USE, [THERE, SHELL]), Entry("b", SILENT, None)) == {
        "version": 1,
        "machines": [
            {
                "machine": "a",
                "state": "in use",
                "in": [
                    {
                        "pid": 17,
                        "user": "geeko",
                        "terminal": "/dev/pts/3",
                        "since": "2001-09-09T01:46:40+00:00",
                        "command": ["strace", "-p", "1"],
                    },
                    {
                        "pid": 23456,
                        "user": "root",
                        "terminal": None,
                        "since": "2001-09-09T01:47:40+00:00",
                        "command": [],
                    },
                ],
            },
            {"machine": "b", "state": "not answering", "in": None},
        ],
    }


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [(1, "", "", 0, [])],
        [(1, "root", "/dev/pts/0", 5, AWKWARD), (2, "a\tb\n", "", 6, ["", "", ""]), (3, "", "", 7, [])],
        [(1, "root", "", 5, ["1", "root", "", "5", "0"])],
    ],
)
def test_what_a_keeper_writes_is_read(rows: list[who.Row]) -> None:
    assert who.read(who.written(rows)) == rows


@pytest.mark.parametrize(
    "data", ["x", "|", "1|root||5|1|", "1|root||5|-1|", "1|root||x|0|", "1|root||5|0|x", "1|root||5|0|1|"]
)
def test_what_is_no_keepers_is_refused(data: str) -> None:
    with pytest.raises(ValueError):
        who.read(data.replace("|", "\0").encode())
