# SPDX-License-Identifier: GPL-2.0-or-later
"""What a login does in a machine: which shell there is, and in which directory a command begins."""

from __future__ import annotations

import errno
import os
import stat

_PASSWD, _LONGEST = "/etc/passwd", 1 << 20
_SHELLS = ("/bin/bash", "/bin/sh")


def command(words: list[str], preferred: str, uid: int, environment: dict[str, str]) -> tuple[list[str], str]:
    """Return the words of a command and the file to execute; without words, those of a login shell."""
    if words:
        return words, words[0]
    for shell in (preferred or _shell_of(uid), *_SHELLS):
        if shell and os.access(shell, os.X_OK):
            environment["SHELL"] = shell
            return [f"-{os.path.basename(shell)}"], shell
    raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), _SHELLS[-1])


def _shell_of(uid: int) -> str:
    """Return the shell that passwd(5) in the machine has for a user, or ""."""
    try:
        fd = os.open(_PASSWD, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        content = os.read(fd, _LONGEST) if stat.S_ISREG(os.fstat(fd).st_mode) else b""
    finally:
        os.close(fd)
    for line in content.splitlines():
        fields = os.fsdecode(line).split(":")
        if len(fields) == 7 and fields[2] == str(uid) and fields[6].startswith("/"):
            return fields[6]
    return ""


def change_directory(*places: str | int) -> None:
    """Change to the first of these directories that can be had, or else to the root."""
    for place in (*places, "/"):
        try:
            os.chdir(place)
            return
        except OSError:
            continue
