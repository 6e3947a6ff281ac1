# SPDX-License-Identifier: GPL-2.0-or-later
"""Events: in which order they are said, how many of them, and what of them the log keeps."""

import datetime
import re
from pathlib import Path

import pytest

from toy import events
from toy.events import Event

IN_ORDER = ["guessed", "broken", "conflict", "retired", "kept", "clash", "stale", "shadowed", "followed", "unknown"]


def test_what_matters_most_comes_first() -> None:
    mixed = [Event(kind, "x") for kind in sorted(IN_ORDER)]
    assert [event.kind for event in events.in_order(mixed)] == IN_ORDER
    assert [event.kind for event in events.in_order(reversed(mixed))] == IN_ORDER


def test_of_one_kind_they_stay_in_order() -> None:
    found = events.in_order([Event("kept", "b"), Event("broken", "c"), Event("kept", "a")])
    assert [event.text for event in found] == ["c", "b", "a"]


FIVE = ["kept: 1", "kept: 2", "kept: 3", "kept: 4", "kept: 5"]


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, []),
        (1, FIVE[:1]),
        (5, FIVE),
        (6, [*FIVE[:4], "and 2 more events; see: toy status m"]),
        (20, [*FIVE[:4], "and 16 more events; see: toy status m"]),
    ],
)
def test_only_the_first_few_are_said(number: int, said: list[str]) -> None:
    lines: list[str] = []
    followed = Event("followed", "the host")
    happened = [followed, *(Event("kept", str(index + 1)) for index in range(number)), followed]
    events.say(happened, lines.append, more="toy status m")
    assert lines == said


def test_the_log_keeps_them_with_their_time(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("2026-01-01T00:00:00.000+00:00 kept: the first time\n")
    events.record(log, [Event("kept", "/a: b c"), Event("followed", "x")])
    last = events.last(log)
    assert last is not None
    assert last.events == [Event("kept", "/a: b c"), Event("followed", "x")]
    time = datetime.datetime.fromisoformat(last.time)
    assert time.utcoffset() is not None
    assert re.fullmatch(r"\S+T\d\d:\d\d:\d\d\.\d{3}[+-]\d\d:\d\d", last.time)
    assert abs(datetime.datetime.now(datetime.UTC) - time) < datetime.timedelta(hours=1)
    assert log.read_text().count("\n") == 3


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("/a\nb", r"/a\nb"),
        ("/a\x1b[0m", r"/a\x1b[0m"),
        ("/é", "/é"),
        ("/\udcff", r"/\udcff"),
        ("/a\u2028b", r"/a\u2028b"),
    ],
)
def test_an_event_is_one_line_whatever_a_path_holds(tmp_path: Path, text: str, kept: str) -> None:
    events.record(tmp_path / "log", [Event("kept", text)])
    last = events.last(tmp_path / "log")
    assert last is not None and last.events == [Event("kept", kept)]


def test_a_line_that_a_killed_launch_cut_off_spoils_no_other(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("1 kept: a\n1 kept: b")
    events.record(log, [Event("kept", "c")], "2")
    assert log.read_text() == "1 kept: a\n1 kept: b\n2 kept: c\n"


def test_a_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(IsADirectoryError) as raised:
        events.record(tmp_path, [Event("kept", "x")])
    assert str(raised.value.filename) == str(tmp_path)


@pytest.mark.parametrize("line", ["1 no colon here", "1 kept:", "", "1"])
def test_what_is_no_line_of_the_log_is_none(tmp_path: Path, line: str) -> None:
    (tmp_path / "log").write_bytes(f"1 kept: a\n{line}\n1 kept: b \xe9 c\n".encode("latin-1"))
    last = events.last(tmp_path / "log")
    assert last is not None
    assert last.events == [Event("kept", "a"), Event("kept", r"b \xe9 c")]


def test_what_nobody_was_told_of_is_kept_once(tmp_path: Path) -> None:
    record = tmp_path / "untold"
    assert events.untold(record) == []
    events.keep(record, [])
    assert not record.exists()
    followed = Event(events.FOLLOWED, "the host")
    for text in ("a", "b", "a"):
        events.keep(record, [Event("kept", text), followed])
    assert events.untold(record) == [Event("kept", "a"), followed, Event("kept", "b")]
    record.write_text("[")
    assert events.untold(record) == []
