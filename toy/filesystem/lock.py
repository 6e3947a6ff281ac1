# SPDX-License-Identifier: GPL-2.0-or-later
"""Locks: flock(2) of an open directory. A lock leaves nothing on disk, and ends with its process."""

import fcntl


class Locked:
    """The exclusive lock of an open directory, held as a context.

    Entering it waits for the lock or, if `wait` is false, raises BlockingIOError if somebody else has it.
    """

    def __init__(self, dir_fd: int, *, wait: bool = True) -> None:
        self._fd = dir_fd
        self._operation = fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB

    def __enter__(self) -> None:
        fcntl.flock(self._fd, self._operation)

    def __exit__(self, *_: object) -> None:
        fcntl.flock(self._fd, fcntl.LOCK_UN)
