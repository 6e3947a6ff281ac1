# SPDX-License-Identifier: GPL-2.0-or-later
"""Says whether toy itself runs inside a machine, and in which one."""

import os

from .mounted import table


def machine() -> str | None:
    """Return the name of the machine that we are in, or None."""
    mounted: dict[str, str] = {}
    roots: dict[str, str] = {}
    for _, _, root, point, _, source in table():
        mounted[point], roots[point] = source, root
    if not mounted.get("/", "").startswith("toy:"):  # as `mounts` calls its overlays
        return None
    # Of the file system that it lies on, its /var is .../NAME/var.
    return os.path.basename(os.path.dirname(roots.get("/var", ""))) or None
