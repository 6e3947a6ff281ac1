# SPDX-License-Identifier: GPL-2.0-or-later
"""Relays between the caller and a session: what is typed and shown on the terminal, signals, stops, and the end.

A command's terminal is the machine's own, so the caller's one is in raw mode while the command has it: each key goes to
the command's, which makes signals of some. Where the caller's terminal is not all that the command has, as in
`toy -- rpm -qa | less`, or toy is in the background, the command begins in the background of its terminal: another
program may want what is typed. Once the command wants it, the kernel stops it, and it is continued in the foreground.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import select
import time

from ..errors import ToyError
from ..streams import say
from .messages import receive
from .order import BACKGROUND, FOREGROUND, refused
from .signals import stop_job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

    from .keyboard import Keyboard
    from .order import Order
    from .signals import Signals
    from .terminal import Terminal

_GRACE = 10.0
"""Seconds that a command has to end after SIGTERM before it is killed, as with podman-stop(1): interactive shells, say,
ignore the signal."""

_TICK = 50.0
"""Milliseconds between two attempts to deliver what was typed, if nothing tells that it can be."""

_MOST = 1 << 16
"""Bytes that are kept at most for who does not read."""


class Relay:
    """A session that runs, and what its toy has to do for it."""

    def __init__(self, order: Order, messages: socket, signals: Signals, here: Terminal | None, keeper: int) -> None:
        self._order = order
        self._messages = messages
        self._signals = signals
        self._here = here
        self._keeper = keeper
        """A descriptor of the connection to the keeper."""
        self._master: int | None = None
        """The other end of the command's terminal."""
        self._is_typing = False
        """Whether what is typed is for the command."""
        self._is_continuing = False
        """Whether the command is still to be continued: a ^Z before that would be undone."""
        self._keyboard: Keyboard | None = None
        self._shown = b""
        self._status: int | None = None
        self._end = 0.0

    def run(self) -> int:
        """Relay until the session's end, and return its exit status; 128 + N if signal N ended it.

        Raises ToyError or OSError if the session cannot be had.
        """
        if self._here is not None and self._order.where == FOREGROUND:
            self._take_terminal()
        while self._status is None:
            self._wait()
        self._take_rest()
        self._show_rest()
        if self._keyboard is not None:
            if self._is_typing:
                self._keyboard.give_back(unread=True)
            self._keyboard.close()
        return self._status

    def _wait(self) -> None:
        poll = select.poll()
        poll.register(self._messages.fileno(), select.POLLIN)
        poll.register(self._signals.fileno(), select.POLLIN)
        poll.register(self._keeper, select.POLLIN)
        outer = self._here.fd if self._here is not None else -1
        if self._master is not None and len(self._shown) < _MOST:
            poll.register(self._master, select.POLLIN)
        if self._keyboard is not None:
            poll.register(self._keyboard.fileno(), select.POLLIN)
        if self._here is not None:
            reads = self._is_typing and self._keyboard is not None and not self._keyboard.is_full()
            wanted = (select.POLLIN if reads else 0) | (select.POLLOUT if self._shown else 0)
            if wanted:
                poll.register(outer, wanted)
        ready = dict(poll.poll(self._patience()))
        if self._end and time.monotonic() >= self._end:
            say(f"the command did not end in {_GRACE:.0f} s after SIGTERM, so it is killed")
            self._send(f"signal {_signal.SIGKILL}")
            self._end = 0.0
        if self._signals.fileno() in ready:
            for number in self._signals.read():
                self._hand_on(number)
        if self._master in ready:
            self._hear_command()
        if outer in ready:
            self._exchange_with_caller(ready[outer])
        if self._keyboard is not None and not self._is_continuing:
            self._keyboard.deliver()
        if self._messages.fileno() in ready:
            self._hear()
        elif self._keeper in ready:
            self._status = 128 + _signal.SIGKILL  # the keeper was killed, and so is all in the machine

    def _left(self) -> float | None:
        """Return the milliseconds that are left after SIGTERM, if that came."""
        return max(0.0, self._end - time.monotonic()) * 1000 if self._end else None

    def _patience(self) -> float | None:
        """Return the milliseconds until there is something to do, whatever happens."""
        is_waiting = self._keyboard is not None and self._keyboard.is_waiting()
        return min(_TICK, self._left() or _TICK) if is_waiting else self._left()

    def _hear_command(self) -> bool:
        """Take what the command printed on its terminal, and say whether there was any."""
        assert self._master is not None
        assert self._here is not None
        some = self._here.printed(self._master)
        if some == b"":
            os.close(self._master)  # nobody has the terminal open any more
            self._master = None
        self._shown += some or b""
        return bool(some)

    def _exchange_with_caller(self, events: int) -> None:
        if events & select.POLLOUT and self._shown:
            self._show()
        if events & (select.POLLIN | select.POLLHUP | select.POLLERR) and self._is_typing:
            assert self._keyboard is not None
            if not self._keyboard.take() or events & select.POLLERR:
                self._is_typing = False  # it went away; SIGHUP says what that means
        elif events & (select.POLLHUP | select.POLLERR):
            self._shown = b""

    def _show(self) -> None:
        assert self._here is not None
        if not self._is_typing:
            self._is_resized()  # who is in the background gets no SIGWINCH
        try:
            self._shown = self._shown[os.write(self._here.fd, self._shown[:4096]) :]
        except BlockingIOError:
            pass
        except OSError:
            self._shown = b""  # it went away

    def _take_rest(self) -> None:
        """Take what the command had written to its terminal when it stopped or ended: others may write on and on."""
        left = _MOST
        while left > 0 and self._master is not None:
            before = len(self._shown)
            if not self._hear_command():
                return
            left -= len(self._shown) - before

    def _show_rest(self) -> None:
        """Show what is left when the command has ended, unless a signal comes while the terminal has no room."""
        while self._here is not None and self._shown:
            poll = select.poll()
            poll.register(self._here.fd, select.POLLOUT)
            poll.register(self._signals.fileno(), select.POLLIN)
            ready = dict(poll.poll(self._left()))
            if not ready or (self._signals.fileno() in ready and self._signals.is_asked_to_end()):
                return
            self._show()

    def _hear(self) -> None:
        """Act on a message of the monitor."""
        data, fds = receive(self._messages)
        word, _, rest = data.decode(errors="replace").partition(" ")
        match word:
            case "terminal":
                assert self._here is not None
                self._master, slave = fds
                os.set_blocking(self._master, False)
                from .keyboard import Keyboard

                self._keyboard = Keyboard(self._here, self._master, slave)
                os.close(slave)
                if self._order.typed:
                    self._keyboard.deliver_first(self._order.typed)
                    self._order.typed = b""
                    self._send("typed")
            case "continued":
                self._is_continuing = False
            case "stopped":
                self._stop(int(rest))
            case "ended":
                status = os.waitstatus_to_exitcode(int(rest))
                self._status = 128 - status if status < 0 else status
            case "failed":
                self._status = refused(self._order, int(rest))
            case "broken":
                number, _, what = rest.partition(" ")
                raise OSError(int(number) or None, what)
            case "refused":
                what, _, next_step = rest.partition("\0")
                raise ToyError(what, next_step)
            case "":
                self._status = 128 + _signal.SIGKILL  # with the machine

    def _hand_on(self, number: int) -> None:
        """Act on a signal that we got."""
        if number == _signal.SIGWINCH and self._is_resized():
            return
        if number == _signal.SIGCONT:
            self._continue()
            return
        if number == _signal.SIGTERM and not self._end:
            self._end = time.monotonic() + _GRACE
        self._send(f"signal {number}")

    def _is_resized(self) -> bool:
        """Give the size of the caller's terminal to the command's, and say whether that is another one."""
        return self._here is not None and self._master is not None and self._here.resize(self._master)

    def _stop(self, number: int) -> None:
        """Stop as the command did; but if it stopped since it wants the terminal, and we have that, it gets it."""
        wants = number in (_signal.SIGTTIN, _signal.SIGTTOU)
        is_foreground = self._is_foreground()
        if wants and is_foreground and not self._is_typing:
            self._continue()
            return
        self._take_rest()
        if self._shown:
            self._show()  # as far as there is room; the rest once it goes on
        if self._keyboard is not None and self._is_typing:
            self._keyboard.give_back(unread=False)
        if self._here is not None:
            self._here.restore()
        self._is_typing = False
        number = number if wants else _signal.SIGTSTP
        stop_job(number, is_continued=lambda: not is_foreground and self._is_foreground())
        for each in self._signals.read():
            if each != _signal.SIGCONT:  # to continue the command twice might undo the next ^Z
                self._hand_on(each)
        self._continue()

    def _is_foreground(self) -> bool:
        return self._here is not None and self._here.is_foreground()

    def _continue(self) -> None:
        is_foreground = self._is_foreground()
        if is_foreground:
            self._take_terminal()
        self._is_continuing = True
        self._send(f"continue {FOREGROUND if is_foreground else BACKGROUND}")

    def _take_terminal(self) -> None:
        assert self._here is not None
        self._here.make_raw()
        self._is_typing = True
        if self._is_resized():
            self._send(f"signal {_signal.SIGWINCH}")  # the kernel's own went to who was in the foreground there

    def _send(self, text: str) -> None:
        try:
            self._messages.send(text.encode())
        except OSError:
            pass  # the monitor has ended, which `_hear` notices
