# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs a session on our stdin, stdout and stderr, from its start to its end."""

from __future__ import annotations

import os

from . import session
from .order import BACKGROUND, FOREGROUND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .like import Leader
    from .order import Order
    from .signals import Signals
    from .terminal import Terminal


def run(order: Order, leader: Leader, signals: Signals) -> int:
    """Run a session on our stdin, stdout and stderr, and return its exit status; 128 + N if signal N ended it.

    Raises ToyError or OSError if the session cannot be had.
    """
    here = None
    if _has_terminal():
        from . import terminal  # which takes 0.4 ms

        here = terminal.find()
    if here is None:
        return _relayed(order, leader, signals, None)
    order.streams = here.streams
    order.modes, order.size = here.modes(), here.size()
    has_all = 0 in here.streams and 1 in here.streams
    order.where = FOREGROUND if has_all and here.is_foreground() else BACKGROUND
    try:
        if order.where == FOREGROUND:
            order.typed = here.begin()
        return _relayed(order, leader, signals, here)
    finally:
        here.give_back(order.typed)  # if there was no session for it
        here.close()


def _has_terminal() -> bool:
    """Say whether there is a terminal: of our streams, or of our session."""
    if any(map(os.isatty, range(3))):
        return True
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
        return True
    except OSError:
        return False


def _relayed(order: Order, leader: Leader, signals: Signals, here: Terminal | None) -> int:
    pid, messages = session.start(order, leader)
    try:
        from .relay import Relay  # in 0.3 ms, while the session begins

        return Relay(order, messages, signals, here, leader.connection).run()
    finally:
        messages.close()
        os.waitpid(pid, 0)
