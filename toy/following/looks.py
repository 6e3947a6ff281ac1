# SPDX-License-Identifier: GPL-2.0-or-later
"""Says in a line of text how a file in a /var looks, so that a record can hold it (`seeded`)."""

import os
import re
import stat
from pathlib import Path, PurePath

from ..filesystem import compare, files

DIRECTORY = "directory"
"""How each directory looks."""


def of(var: Path, path: PurePath) -> str | None:
    """Return text that differs if the file at a path is another or a changed one, or None if there is no file."""
    try:
        with files.directory(var, path.parent) as fd:
            status = os.stat(path.name, dir_fd=fd, follow_symlinks=False)
            if stat.S_ISDIR(status.st_mode):
                return DIRECTORY
            if stat.S_ISLNK(status.st_mode):
                return f"-> {os.readlink(path.name, dir_fd=fd)}"
            # Size and time are not enough: reproducible builds give versions the same times.
            digest = compare.digest(fd, path.name, "sha256") if stat.S_ISREG(status.st_mode) else "-"
            return f"{status.st_mode:o} {status.st_uid}:{status.st_gid} {status.st_mtime_ns} {digest}"
    except (FileNotFoundError, files.NotADirectory):
        return None


def without_content(look: str) -> str:
    """Return mode, owner and time of a regular file, out of the text for it; that for anything else as it is."""
    found = re.match(r"\d+ \d+:\d+ \d+ ", look)
    return look if found is None else found[0]
