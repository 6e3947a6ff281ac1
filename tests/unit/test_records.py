# SPDX-License-Identifier: GPL-2.0-or-later
"""Records: what was stored is read, whoever stored it; what is no record is none."""

from pathlib import Path

import pytest

from toy.errors import ToyError
from toy.filesystem import records


def test_what_was_stored_is_read(tmp_path: Path) -> None:
    records.write(tmp_path / "record", {"names": ["a"]})
    assert records.read(tmp_path / "record") == {"version": 1, "names": ["a"]}
    assert [path.name for path in tmp_path.iterdir()] == ["record"]


@pytest.mark.parametrize(
    ("content", "stored"),
    [
        ('["a"]', ["a"]),  # before records had a version
        ("{}", None),
        ('{"version": "1"}', None),
        ('{"version": null}', None),
        ("[" * 100_000, None),
        ("", None),
        ("x", None),
    ],
)
def test_what_is_a_record(tmp_path: Path, content: str, stored: object) -> None:
    (tmp_path / "record").write_text(content)
    assert records.read(tmp_path / "record") == stored


def test_none_where_there_is_none(tmp_path: Path) -> None:
    assert records.read(tmp_path / "record") is None
    (tmp_path / "record").mkdir()
    assert records.read(tmp_path / "record") is None


def test_a_later_one_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "record").write_text('{"version": 2}')
    with pytest.raises(
        ToyError, match=r"^\S+/record was written by a later version of toy; update toy, or use another machine: "
    ):
        records.read(tmp_path / "record")
