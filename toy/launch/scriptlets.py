# SPDX-License-Identifier: GPL-2.0-or-later
"""Makes scriptlets of packages cope without a running systemd, by a macro file that rpm in a machine reads.

A launch with nothing to do imports this module, so what takes time to import is imported where it is used.
"""

from __future__ import annotations

import os

MACROS = "macros.d/macros.toy-machine"
"""The macro file, below a directory of rpm's configuration. No package owns it: rpm cannot replace a mount point."""

_CONFIGURATION = "/usr/lib/rpm"


def mounts() -> list[tuple[str, str]]:
    """Return pairs of the macro file and a path in the machine to mount it on, read-only; none without the file."""
    source = os.path.normpath(f"{os.path.realpath(__file__)}/../../../macros.machine")
    if not os.path.exists(source):
        return []
    vendors = dict.fromkeys((_CONFIGURATION, os.environ.get("RPM_CONFIGDIR", _CONFIGURATION)))
    return [(source, f"{vendor}/{MACROS}") for vendor in vendors]
