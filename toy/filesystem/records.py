# SPDX-License-Identifier: GPL-2.0-or-later
"""Records that toy keeps of machines: JSON objects with a version and a name for each field.

A record is data, not an order: whoever reads one checks the names and paths in it against what toy may have written.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ToyError
from . import files, regular

VERSION = 1
"""Version of all records, raised if a field is removed or changes its meaning. toy reads those up to its own."""


LONGEST = 256 << 20
"""Most bytes of a record: that of what lies in /var has a line for each file there that came from the host."""

_DEEPEST = 16
"""Most levels of lists in lists: Python may have no room on its stack for a value that it had room to read."""


class Later(ValueError):
    """A record that a later version of toy wrote."""


def fields(content: bytes) -> Any:
    """Return the fields of a record as a dictionary, or other JSON, as toy stored it before records had a version.

    Raises Later for a record of a later version, and ValueError for what is no record.
    """
    try:
        stored = json.loads(content)
        if isinstance(stored, dict) and stored["version"] > VERSION:
            raise Later
    except (LookupError, MemoryError, RecursionError, TypeError) as error:
        raise ValueError(*error.args) from None
    level = [stored]
    for _ in range(_DEEPEST):
        parts = (each.values() if isinstance(each, dict) else each for each in level if isinstance(each, dict | list))
        level = [part for some in parts for part in some if isinstance(part, dict | list)]
    if level:
        raise ValueError("it is too deep")
    return stored


def text(value: object) -> str:
    """Return a value of a record that has to be text, and text that can be a path or an argument of a command.

    Raises ValueError for any other: JSON can have halves of characters, and null bytes.
    """
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("it is not text")
    os.fsencode(value)
    return value


def read(path: Path) -> Any:
    """Return the `fields` of a file, or None if it is no record. Raises ToyError for one of a later version."""
    try:
        return fields(regular.read(os.fspath(path), longest=LONGEST))
    except Later:
        raise later(path) from None
    except (OSError, ValueError):
        return None


def later(path: Path) -> ToyError:
    """Return the error for a record that a later version of toy wrote."""
    return ToyError(f"{path} was written by a later version of toy", "update toy, or use another machine: toy -n NAME")


def content(values: Mapping[str, object]) -> bytes:
    """Return a record as it is stored, with a line for each value, so that people can read it and compare two."""
    return json.dumps({"version": VERSION, **values}, indent=0).encode()


def write(path: Path, values: Mapping[str, object], *, durable: bool = False) -> None:
    """Store a record of a locked machine; with `durable`, it survives a power failure."""
    with files.directory(path.parent) as fd, files.naming(path):
        files.write(fd, os.path.basename(path), content(values), durable=durable)
