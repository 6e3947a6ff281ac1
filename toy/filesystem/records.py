# SPDX-License-Identifier: GPL-2.0-or-later
"""Records that toy keeps of machines: JSON objects with a version and a name for each field.

Who reads a record holds the names and paths in it against what toy could have written: a record is data, not an
order.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import ToyError
from . import files

VERSION = 1
"""Of all records: another one if a field goes or comes to mean something else. toy reads those up to its own."""


class Later(ValueError):
    """A record that a later version of toy wrote."""


def fields(content: bytes) -> Any:
    """Return what a record says: its fields, or what toy stored before records had a version.

    Raises ValueError for what is no record, Later among those.
    """
    try:
        stored = json.loads(content)
        if isinstance(stored, dict) and stored["version"] > VERSION:
            raise Later
    except (LookupError, RecursionError, TypeError) as error:
        raise ValueError(*error.args) from None
    return stored


def read(path: Path) -> Any:
    """Return what `fields` does of a file, or None if it cannot be read. Raises ToyError for one of a later version."""
    try:
        return fields(path.read_bytes())
    except Later:
        raise later(path) from None
    except (OSError, ValueError):
        return None


def later(path: Path) -> ToyError:
    """Return the error for a record that a later version of toy wrote."""
    return ToyError(f"{path} is of a later version of toy", "use that one, or another machine: toy -n NAME")


def content(values: Mapping[str, object]) -> bytes:
    """Return a record as it is stored: a line for each value, so that people can read it and compare two."""
    return json.dumps({"version": VERSION, **values}, indent=0).encode()


def write(path: Path, values: Mapping[str, object], *, durable: bool = False) -> None:
    """Store a record; with `durable`, it survives a power failure. The machine is locked."""
    with files.directory(path.parent) as fd, files.naming(path):
        files.write(fd, os.path.basename(path), content(values), durable=durable)
