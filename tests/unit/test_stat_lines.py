# SPDX-License-Identifier: GPL-2.0-or-later
"""When a file looks as if it had not changed, and when it cannot be known."""

import os
from pathlib import Path

import pytest

from toy.database.copies import fresh_for
from toy.filesystem.stat_lines import may_change_unseen, names, stat_lines

SECOND = 1_000_000_000
NOW = 1_700_000_000 * SECOND + 500_000_000


@pytest.mark.parametrize(
    ("changed", "may"),
    [
        pytest.param(NOW - 10_000_000 + 1, True, id="fine times, 10 ms ago"),
        pytest.param(NOW - 20_000_000 + 1, True, id="fine times, not quite 20 ms ago"),
        pytest.param(NOW - 20_000_000, False, id="fine times, 20 ms ago"),
        pytest.param(NOW - SECOND + 1, False, id="fine times, a second ago"),
        pytest.param(NOW - 500_000_000, True, id="whole seconds, half a second ago"),
        pytest.param(NOW - 1_500_000_000, True, id="whole seconds, a second and a half ago"),
        pytest.param(NOW - 2_500_000_000, False, id="whole seconds, two seconds and a half ago"),
        pytest.param(NOW + SECOND + 1, True, id="a clock that was put back"),
    ],
)
def test_what_changed_just_now_may_change_unseen(changed: int, may: bool) -> None:
    assert may_change_unseen(changed, now=NOW) == may


@pytest.mark.parametrize(
    ("changed", "nanoseconds"),
    [
        pytest.param([], 0, id="no file"),
        pytest.param([NOW - 5_000_000], 15_000_000, id="fine times, 5 ms ago"),
        pytest.param([NOW - 20_000_000], 0, id="fine times, 20 ms ago"),
        pytest.param([NOW], 20_000_000, id="fine times, now"),
        pytest.param([NOW - 500_000_000], 1_500_000_000, id="whole seconds, half a second ago"),
        pytest.param([NOW - 2_500_000_000], 0, id="whole seconds, two seconds and a half ago"),
        pytest.param([NOW + 1], 0, id="a clock that was put back"),
        pytest.param([NOW - 5_000_000, NOW - SECOND + 1, NOW - 3_000_000], 17_000_000, id="the last of several counts"),
    ],
)
def test_how_long_a_database_may_still_change_unseen(changed: list[int], nanoseconds: int) -> None:
    assert fresh_for(changed, NOW) == nanoseconds


LONG_AGO = 1_600_000_000 * SECOND + 5


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    """A file, a directory, and a write-ahead log, all of long ago but for the times of their inodes."""
    (tmp_path / "file").write_text("x")
    (tmp_path / "directory").mkdir()
    (tmp_path / "rpmdb.sqlite-wal").touch()
    paths = [str(tmp_path / name) for name in ("file", "directory", "rpmdb.sqlite-wal")]
    for path in paths:
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    return paths


def test_a_line_for_each(files: list[str]) -> None:
    missing = f"{files[0]}/none"
    file, directory, wal, none, last = stat_lines([*files, missing, files[0]]).split("\n")
    status, times = os.stat(files[0]), [os.stat(path).st_ctime_ns for path in files]
    assert file == last == f"{status.st_ino} {status.st_mode:o} 1 {LONG_AGO} {times[0]} {files[0]}"
    status = os.stat(files[1])
    assert directory == f"0 {status.st_mode:o} {status.st_size} {LONG_AGO} {times[1]} {files[1]}"
    status = os.stat(files[2])
    assert wal == f"{status.st_ino} {status.st_mode:o} 0 {LONG_AGO} {LONG_AGO} {files[2]}"
    assert none == f"20 {missing}"
    assert stat_lines([]) == ""


def test_what_changed_just_now_looks_different_each_time(files: list[str]) -> None:
    far = 4_000_000_000 * SECOND
    assert stat_lines(files[2:], settled=True) == stat_lines(files[2:])
    os.utime(files[2], ns=(far, far))
    assert stat_lines(files[2:]) == stat_lines(files[2:])
    one, other = stat_lines(files[2:], settled=True), stat_lines(files[2:], settled=True)
    assert one != other
    assert one.partition(" ")[2] == other.partition(" ")[2] == stat_lines(files[2:])


def test_names_in_a_directory(tmp_path: Path) -> None:
    for name in ("b", "d", "a", "c"):
        (tmp_path / name).touch()
    assert names(str(tmp_path)) == ["a", "b", "c", "d"]
    assert names(str(tmp_path / "a")) == names(str(tmp_path / "none")) == []
