# SPDX-License-Identifier: GPL-2.0-or-later
"""Somebody who is in a machine, and stays there."""

import signal
import subprocess
from collections.abc import Callable
from typing import Self

from host import Host

SET = "/var/lib/toy/toy/overlay/usr/lib/sysimage/rpm-headers"


class Somebody:
    """Somebody who is in a machine, with a shell there that does what it is told."""

    def __init__(self, host: Host, *command: str) -> None:
        self._process = subprocess.Popen(
            host.command(*(command or ("toy",)), "--", "sh"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.__exit__(None, None, None)

    def does(self, script: str) -> str:
        """Run a script in the machine, and return what it printed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{script}\necho =\n")
        self._process.stdin.flush()
        lines = list(iter(self._process.stdout.readline, "=\n"))
        assert "" not in lines, self._process.communicate()
        return "".join(lines)

    def leaves(self) -> tuple[int, str]:
        """End the shell, and return the status of toy and what it said."""
        _, stderr = self._process.communicate()
        return self._process.returncode, stderr

    def ends(self) -> tuple[int, str]:
        """Wait for toy, which ends by itself, and return its status and what it said."""
        assert self._process.stderr is not None
        return self._process.wait(), self._process.stderr.read()

    def is_killed(self, number: int = signal.SIGKILL) -> None:
        """Kill toy."""
        self._process.send_signal(number)
        self._process.communicate()


Enter = Callable[..., Somebody]
"""Lets somebody into a machine; the words are those of toy's command line, if it is not the default one."""


def last_change(host: Host) -> str:
    """Return the shell command that erases a package, of which nobody tells the header set."""
    return f"{' '.join(host.rpm)} -e --notriggers legacy 2>&1"


def is_noted(host: Host) -> bool:
    """Say whether the header set has followed `last_change`."""
    return "legacy" in host.sh(f"ls {SET}")
