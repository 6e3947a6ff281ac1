# SPDX-License-Identifier: GPL-2.0-or-later
"""Says whether toy itself runs inside a machine, and in which one."""

import os

from .mounted import table


def machine() -> str | None:
    """Return the name of the machine that toy runs in, or None if it runs in none."""
    mounted: dict[str, str] = {}
    roots: dict[str, str] = {}
    for _, _, root, point, _, source in table():
        mounted[point], roots[point] = source, root
    if not mounted.get("/", "").startswith("toy:"):  # the source that `machine.mount_source` gives to overlays
        return None
    # A machine's /var is the directory .../NAME/var of the file system that it lies on.
    return os.path.basename(os.path.dirname(roots.get("/var", ""))) or None
