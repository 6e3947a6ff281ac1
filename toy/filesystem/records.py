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
from . import files

VERSION = 1
"""Version of all records, raised if a field is removed or changes its meaning. toy reads those up to its own."""


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
    except (LookupError, RecursionError, TypeError) as error:
        raise ValueError(*error.args) from None
    return stored


def read(path: Path) -> Any:
    """Return the `fields` of a file, or None if it is no record. Raises ToyError for one of a later version."""
    try:
        return fields(path.read_bytes())
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
