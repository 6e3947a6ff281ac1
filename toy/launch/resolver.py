# SPDX-License-Identifier: GPL-2.0-or-later
"""Has a machine that is up follow the host's /etc/resolv.conf when that is replaced.

overlayfs keeps a name that it has looked up, with the file that it stood for then: a file that is renamed over it, as
programs that configure a network do it, would show only once the machine is entered again. If /etc/resolv.conf is a
link into /run, the directory that it leads to is the host's own (`invocation`), and shows what is there.
"""

from __future__ import annotations

import os

from ..sessions import kernel

_DIRECTORY, _NAME = "/etc", b"resolv.conf"
_LONGEST = 1 << 16


class Watch:
    """Notices when the host's /etc/resolv.conf is replaced."""

    def __init__(self) -> None:
        try:
            self._events: int | None = kernel.watch(_DIRECTORY)
        except OSError:  # too many users of inotify: DNS is not worth the launch
            self._events = None

    def fileno(self) -> int:
        """Return a descriptor that is readable when there may be something to follow, or -1."""
        return -1 if self._events is None else self._events

    def follow(self, pid: int) -> None:
        """Have the machine with this first process see the file that is there now, if it is another one."""
        assert self._events is not None
        if _NAME not in os.read(self._events, _LONGEST):
            return
        for path in (_DIRECTORY, "/."):
            try:
                kernel.forget_names(f"/proc/{pid}/root{path}")
                return
            except OSError:
                continue  # it is no mount point; or the kernel is older than 5.2
