# SPDX-License-Identifier: GPL-2.0-or-later
"""Whether toy itself runs inside a machine, and which one that is."""

import os


def machine() -> str | None:
    """Return the name of the machine that we are in, or None."""
    mounted: dict[str, str] = {}
    roots: dict[str, str] = {}
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:  # proc_pid_mountinfo(5)
        for line in file:
            before, _, after = line.partition(" - ")
            _, _, _, root, point, *_ = before.split(" ")
            mounted[point], roots[point] = after.split(" ")[1], root
    if not mounted.get("/", "").startswith("toy:"):  # as `mounts` calls its overlays
        return None
    # Of the file system that it lies on, its /var is .../NAME/var.
    return os.path.basename(os.path.dirname(roots.get("/var", ""))) or None
