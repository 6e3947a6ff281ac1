# SPDX-License-Identifier: GPL-2.0-or-later
"""Signals that a command in a machine is to get in toy's place, and what stops toy as its command has stopped."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_HANDED_ON = (
    *(_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM, _signal.SIGUSR1, _signal.SIGUSR2),
    *(_signal.SIGALRM, _signal.SIGWINCH, _signal.SIGCONT, _signal.SIGTSTP),
)


class Signals:
    """The signals that a command is to get: while this is entered, they are only kept for `read`."""

    def __enter__(self) -> Signals:  # noqa: PYI034, typing takes time
        self._there, self._here = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        _signal.set_wakeup_fd(self._here, warn_on_full_buffer=False)
        for number in _HANDED_ON:
            if _signal.getsignal(number) != _signal.SIG_IGN:  # as nohup(1) has it
                _signal.signal(number, _ignore)
        _signal.signal(_signal.SIGTTOU, _signal.SIG_IGN)
        return self

    def __exit__(self, *_: object) -> None:
        _signal.set_wakeup_fd(-1)
        os.close(self._there)
        os.close(self._here)

    def fileno(self) -> int:
        """Return a descriptor that is readable when a signal came."""
        return self._there

    def read(self) -> bytes:
        """Return the numbers of the signals that came since the last call."""
        try:
            return os.read(self._there, 4096)
        except BlockingIOError:
            return b""

    def is_asked_to_end(self) -> bool:
        """Read what came, and say whether that is to end what we do: a window's size and going on are not."""
        return bool(self.read().strip(bytes([_signal.SIGWINCH, _signal.SIGCONT])))


def stop_job(number: int, *, is_continued: Callable[[], bool]) -> None:
    """Stop the job that the caller's shell has made of us, by a signal, until it is continued.

    Where no shell could continue it, nothing stops. The shell may continue it before it has stopped: that is not lost
    either, as SIGCONT undoes a stop that was asked for before, and `is_continued` says whether it came before that.
    """
    before = _signal.signal(number, _signal.SIG_DFL)
    mask = _signal.pthread_sigmask(_signal.SIG_BLOCK, {number})
    os.killpg(os.getpgrp(), number)
    if is_continued():
        _signal.signal(number, _signal.SIG_IGN)  # so it is not on the way any more
        os.killpg(os.getpgrp(), _signal.SIGCONT)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)
    _signal.signal(number, before)


def _ignore(_number: int, _frame: object) -> None:
    pass
