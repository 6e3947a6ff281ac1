# SPDX-License-Identifier: GPL-2.0-or-later
"""What a session is to run, and how; and what the user is told if it cannot be run."""

from __future__ import annotations

import errno
import os

from ..errors import quoted
from ..streams import say
from . import environment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .terminal import Modes
    from .user import User

FOREGROUND, BACKGROUND = "foreground", "background"
"""Where on the machine's terminal a command is started, or continued."""

NOT_EXECUTABLE, NOT_FOUND = 126, 127
"""Exit statuses of a shell for commands that cannot be executed, and that there are not."""


class Order:
    """What a session is to run, and how."""

    def __init__(self, command: list[str], environment: dict[str, str], directory: str) -> None:
        self.command = command
        """Empty for a login shell."""
        self.environment = environment
        """Variables of the caller's; the administrator's count."""
        self.directory = directory
        """The caller's directory, which the command gets if the machine has it; "" if it is gone."""
        self.streams: list[int] = []
        """Those of the descriptors 0, 1 and 2 that are to be the machine's terminal; the others are the caller's."""
        self.modes: Modes = []
        """The modes of that terminal; empty if the command is to have none."""
        self.size = b""
        self.where = FOREGROUND
        self.with_host = False
        """Whether it is to see the host: see `host_view`."""
        self.user: User | None = None
        """As whom it runs, else as the machine's first process: root, if the administrator has no settings."""
        self.typed = b""
        """What was typed before, which is in the queue of that terminal before the command begins."""


def refused(order: Order, number: int) -> int:
    """Say why a command could not be executed, and return the exit status that a shell has for that."""
    word = order.command[0] if order.command else "/bin/sh"
    there = f"toy -n {order.environment[environment.NAME]} --"
    is_missing = number in (errno.ENOENT, errno.ENOTDIR)
    if "/" in word:
        say(f"{word}: {os.strerror(number)}; see what it is: {there} ls -l {quoted(word)}")
    elif is_missing:
        say(f"{word}: command not found; find its package: cnf {quoted(word)}")
    else:
        say(f"{word}: {os.strerror(number)}; see where it is: {there} which -a {quoted(word)}")
    return NOT_FOUND if is_missing else NOT_EXECUTABLE
