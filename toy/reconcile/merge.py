# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes the next rpm database of a machine, beside the one that it has: `database.merge` does it."""

from pathlib import Path

from ..database import connection
from ..headers.changes import UpperSet
from ..headers.contents import Content
from .parts import Parts


def merge(parts: Parts, before: Content | None, upper: UpperSet) -> Content | None:
    """Make a database that holds what `upper` over the host's set shows; return None if the one `before` does."""
    sets = parts.sets
    wanted = upper.over(sets.host_files)
    if before is not None and before.files == wanted:
        return None
    contents = {file: sets.upper if file in upper.files else sets.host for file in wanted}
    host = Content(connection.dbpath(Path(parts.machine.root)), sets.host_files, sets.host.read_stamp())
    return parts.builder.merge(contents, starts=[host, *([before] if before else [])])
