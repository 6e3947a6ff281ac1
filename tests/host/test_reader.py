# SPDX-License-Identifier: GPL-2.0-or-later
"""What a confined process says is held against what it should be, and its end is an error in one line."""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from toy.confined import confinement
from toy.confined.confinement import UID, Place
from toy.database import answers, reader
from toy.database.reader import Reader
from toy.errors import ToyError

FILE = f"x-1-1.noarch.{64 * '0'}.hdr"


@pytest.mark.parametrize(
    ("convert", "value"),
    [
        (answers.to_texts, [1]),
        (answers.to_texts, None),
        (answers.to_header, ["n", "1", "1", "noarch", "no bytes"]),
        (answers.to_header, ["n", "1", "1", b""]),
        (answers.to_packages, [["n", ["x"]]]),
        (answers.to_files, [["/CANARY", 1]]),
        (answers.to_files, [[f"../{FILE}", 1]]),
        (answers.to_paths, [1]),
        (answers.to_stamp, ["", [[1, 10**12, 1]]]),
        (answers.to_stamp, ["", [[2, 1, 1]]]),
        (answers.to_package, []),
    ],
)
def test_what_makes_no_sense_is_no_answer(convert: Callable[[Any], object], value: object) -> None:
    with pytest.raises((AttributeError, TypeError, ValueError)):
        convert(value)


def test_what_makes_sense_is_one() -> None:
    assert answers.to_files([[FILE, 7]]) == {FILE: 7}
    assert answers.to_stamp(["", [[1, 3, 9]]]).transactions == {1: 9, 2: 9, 3: 9}


def test_a_reader_that_dies_is_a_line_and_the_next_question_has_another_one() -> None:
    with Reader() as one:
        one.begin()
        assert one.pid is not None
        os.kill(one.pid, signal.SIGKILL)
        with pytest.raises(ToyError, match=r"^rpm crashed, reading a header of the overlay's; "):
            one.package(b"")
        with pytest.raises(ToyError, match=r"^rpm cannot read a header: "):
            one.package(b"")
        with pytest.raises(ToyError, match=r"^rpm cannot read header file /set/x.hdr: .*; move it away: mv .* /set.x"):
            one.package(b"", file="/set/x.hdr")


def confined_processes() -> set[str]:
    """Return the processes that belong to no account."""
    found = set()
    for process in filter(str.isdecimal, os.listdir("/proc")):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if os.stat(f"/proc/{process}").st_uid == UID:
                found.add(process)
    return found


def test_when_one_is_stopped_none_of_its_processes_is_at_work_any_more() -> None:
    before = confined_processes()
    for _ in range(20):
        with Reader() as one:
            with pytest.raises(ToyError, match=r"^rpm cannot read a header: "):
                one.package(b"")
            assert confined_processes() - before
        assert confined_processes() <= before


def test_a_reader_that_hangs_is_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "_PATIENCE", 1)
    before = confined_processes()
    with Reader() as one:
        with pytest.raises(ToyError, match=r"^rpm cannot read a header: "):
            one.package(b"")
        for process in confined_processes() - before:
            os.kill(int(process), signal.SIGSTOP)
        with pytest.raises(ToyError, match=r"^rpm did not get done in 1 s, reading a header of the overlay's; "):
            one.package(b"")
        assert confined_processes() <= before


def test_a_kernel_that_cannot_confine_is_a_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(confinement, "_MOUNT_SETATTR", 0xFFFFFF)  # no kernel has that many
    with (
        Reader(Place(writable=str(tmp_path))) as one,
        pytest.raises(ToyError, match=r"^cannot confine the process that reads rpm databases: "),
    ):
        one.import_headers(tmp_path, [bytes(1 << 20)])  # more than fits in a pipe that nobody reads


def test_one_that_dies_with_questions_open_is_a_line() -> None:
    with Reader() as one:
        one.ask_ahead("package", b"")
        assert one.pid is not None
        os.kill(one.pid, signal.SIGKILL)
        os.waitid(os.P_PID, one.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ToyError, match=r"^rpm crashed, reading a header of the overlay's; "):
            one.ask_ahead("package", b"")


def test_answers_of_other_questions_are_left_out() -> None:
    with Reader() as one:
        one.ask_ahead("open", "/nowhere")
        with pytest.raises(ToyError, match=r"^rpm cannot read a header: "):
            one.package(b"")
