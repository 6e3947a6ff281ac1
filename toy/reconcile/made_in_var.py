# SPDX-License-Identifier: GPL-2.0-or-later
"""Generated files in a machine's own /var that were made there before the host's were made anew: certificates, say.

Once somebody makes them in the overlay, with a certificate of his own, they do not follow the host's any more
(`following.var`), and lack what those get: on the host it is systemd that makes them anew (ca-certificates.path).
"""

import contextlib
import os
import stat
from pathlib import Path, PurePath

from ..events import Event
from ..filesystem import compare
from ..filesystem.walk import walk
from . import generated
from .in_overlay import Command, run_each
from .parts import Parts

_HOST = Path("/var")


def outdated(var: Path) -> list[str]:
    """Return the directories in which a generated file of a machine's is older than the host's, and differs."""
    return [folder for folder in generated.IN_VAR if _is_outdated(var, PurePath(folder).relative_to(_HOST))]


def _is_outdated(var: Path, folder: PurePath) -> bool:
    for here, fd in walk(var, folder):
        for name in os.listdir(fd):
            theirs = _HOST / here / name
            with contextlib.suppress(OSError):  # the machine may be in use
                ours = os.stat(name, dir_fd=fd, follow_symlinks=False)
                is_newer = theirs.lstat().st_ctime_ns > ours.st_ctime_ns
                if stat.S_ISREG(ours.st_mode) and is_newer and not compare.same(fd, name, theirs):
                    return True
    return False


def make_anew(parts: Parts) -> list[Event]:
    """Have what is outdated after /var has followed the host's made anew. Returns an event for what still is then."""
    commands = [Command(generated.IN_VAR[folder]) for folder in outdated(parts.trees.var)]
    run_each(parts.run, commands, "making generated files in /var anew")
    return [
        Event("stale", f"{folder} (the host's is newer; make it anew: {generated.anew(folder, parts.machine.name)})")
        for folder in outdated(parts.trees.var)
    ]
