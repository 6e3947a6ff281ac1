# SPDX-License-Identifier: GPL-2.0-or-later
"""Stable storage: what survives a power failure."""

import os
from collections.abc import Iterable

from .. import process


def synchronize(paths: Iterable[str | os.PathLike[str]]) -> None:
    """Have all that was written to the file systems of these paths on stable storage. Raises ToyError.

    An fsync of one file is no barrier for others: so this comes before a record that says that all is done.
    """
    process.run(["sync", "--file-system", *(os.fspath(path) for path in paths)])
