# SPDX-License-Identifier: GPL-2.0-or-later
"""What a machine cannot show as the host has it: what of it is said, and the record; paths as words of a line."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toy.filesystem.fields import escaped, unescaped
from toy.launch.limits import MISSING, READ_ONLY, Limits, is_said, recorded
from toy.machine import Machine


@pytest.mark.parametrize("point", ["/usr", "/usr/local", "/etc", "/etc/a/b", "/opt", "/opt/deep"])
def test_where_packages_lie_it_is_said(point: str) -> None:
    assert is_said(point)


@pytest.mark.parametrize("point", ["/", "/usrlocal", "/srv", "/srv/usr", "/home/etc", "/optional"])
def test_elsewhere_it_is_not(point: str) -> None:
    assert not is_said(point)


def machine_with(directory: Path, record: bytes | None) -> Machine:
    """Return a machine whose last launch left a record."""
    machine = Machine("m")
    machine.limits = f"{directory}/limits"
    if record is not None:
        Path(machine.limits).write_bytes(record)
    return machine


RECORDS = {
    "none": (None, [], []),
    "empty": (b"", [], []),
    "some": (b" read-only:/opt/a missing:/opt/b read-only:/etc/c\n", ["/opt/a", "/etc/c"], ["/opt/b"]),
    "only its first line": (b" missing:/opt/a\n missing:/opt/b\n", [], ["/opt/a"]),
    "escaped": (rb" missing:/opt/a\040b\134c", [], ["/opt/a b\\c"]),
    "what is no path": (b" missing:opt missing: missing:/a", [], ["/a"]),
    "what is no escape": (rb" missing:/a\9 missing:/b\ missing:/c", [], ["/c"]),
    "what is no word": (b" /opt missing/:/x readonly:/y xmissing:/z missing:/b", [], ["/b"]),
    "another encoding": (b" missing:/\xff", [], ["/\udcff"]),
}


@pytest.mark.parametrize(("record", "read_only", "missing"), RECORDS.values(), ids=RECORDS)
def test_what_is_on_record(tmp_path: Path, record: bytes | None, read_only: list[str], missing: list[str]) -> None:
    machine = machine_with(tmp_path, record)
    assert recorded(machine, "read-only") == recorded(machine, READ_ONLY) == read_only
    assert recorded(machine, "missing") == recorded(machine, MISSING) == missing


def test_what_the_first_launch_begins_with(tmp_path: Path) -> None:
    limits = Limits(machine_with(tmp_path, None), hidden=[])
    assert (limits.before, limits.known) == ("", "")


def test_what_a_launch_begins_with(tmp_path: Path) -> None:
    machine = machine_with(tmp_path, b" missing:/opt/a\nx\n")
    limits = Limits(machine, hidden=["/opt/a b", "/srv", "/usr/local"])
    assert (limits.machine, limits.record, limits.before) == ("m", machine.limits, " missing:/opt/a")
    assert limits.known == r" missing:/opt/a\040b missing:/usr/local"


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/usr/local", "/usr/local"),
        ("/é:,#", "/é:,#"),
        ("/a b", r"/a\040b"),
        ("/a\tb\nc", r"/a\011b\012c"),
        ("/a\\040", r"/a\134040"),
        ("/\udcff", r"/\377"),
        ("/a\u2028b", r"/a\342\200\250b"),
        ("/\x1b é", r"/\033\040é"),
    ],
)
def test_a_path_as_a_word(path: str, field: str) -> None:
    assert escaped(path) == field
    assert unescaped(field) == path


@given(st.binary().map(os.fsdecode))
def test_any_path_is_a_word(path: str) -> None:
    assert unescaped(escaped(path)) == path
    assert escaped(path).isprintable() and " " not in escaped(path)


@pytest.mark.parametrize("field", ["\\", "/a\\", r"/a\9", r"/a\x41", r"/a\0x4", r"/a\777"])
def test_what_is_no_word_is_a_value_error(field: str) -> None:
    with pytest.raises(ValueError):
        unescaped(field)
