# SPDX-License-Identifier: GPL-2.0-or-later
"""One launch of a machine: make it, or join it, and run one session there.

A launch with nothing to do should cost no more than systemd-nspawn does. So the modules that every launch imports do
without those of the standard library that take a millisecond or more to import, such as contextlib, pathlib, re or
typing (tests/host/test_warm.py has the list). If something has changed, `cold` imports the rest.

What that saves: signal takes 4.6 ms, socket 6.4 ms and typing 10 ms, while `_signal` and `_socket` take 0.2 ms at most,
and TYPE_CHECKING = False nothing (python3 -ISBs -c 'import NAME', least of 80 runs in turns, Python 3.11). There,
`toy -- true` takes 48 ms if it makes the machine, and 14 ms if it joins it (least of 30 runs).
"""

from __future__ import annotations

import gc
import os
import time

from .. import process
from ..errors import ToyError, typed
from ..machine import HOST, Machine
from ..sessions import environment, messages
from . import door

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket
    from collections.abc import Callable, Sequence

    from ..sessions.like import Leader
    from ..sessions.signals import Signals
    from .fingerprint import Fingerprint

_CONTAINERS = ("/run/host/container-manager", f"{HOST}/usr")
"""Paths of which a container of systemd-nspawn's has the first (https://systemd.io/CONTAINER_INTERFACE), and a machine
the second."""

_TICK = 0.005
"""Seconds between two attempts to have a machine that is about to come up, or to end."""

_LONGEST_NAME = 256
"""Most characters of the name of a user that the keeper is told: it comes from the environment."""

_PATIENCE = 3.0
"""Seconds after which the user is told that somebody else's launch is to be waited for."""


def launch(
    name: str,
    command: list[str],
    *,
    say: Callable[[str], None],
    with_host: bool = False,
    as_user: bool = False,
    root: str = "/",
    etc: Sequence[str] = (),
) -> int:
    """Run `command`, or a shell if it is empty, in the machine `name` over a root, and return its exit status.

    `with_host` and `as_user` are for `toy --host` and `toy --user`.
    `etc` are the layers of the root's /etc, if that is more than a directory in it. `say` takes a line for the user.
    Raises ToyError if the command could not be started. An error in adopting what it changed is only printed, so that
    its status is not lost: the next launch finds the changes in the machine's rpm database.
    """
    machine = Machine(name, root, etc)
    if any(map(os.path.exists, _CONTAINERS)):
        raise ToyError("this is inside a machine or a container already", "leave it first")
    user = None
    if as_user:
        from ..sessions.user import caller

        user = caller()
    waiting = _Waiting(machine, say)
    while True:
        connection = door.connect(machine)
        is_ours = connection is None and _locked(machine)
        if is_ours:
            connection = _make(machine, say)
        if connection is not None:
            _ask_for_admission(connection, machine, command)
            # They take longer to import than the others: a new machine comes up, or the keeper answers, meanwhile.
            from ..sessions import signals
            from ..sessions.order import Order
            from ..sessions.run import run

            leader = _admitted(connection, waiting, say)
            if leader is not None:
                break
            connection.close()
            if is_ours:
                raise ToyError(f"machine {name} ended while it came up", f"see why: TOY_DEBUG=1 {typed()}")
        waiting.tick()
    order = Order(command, environment.of_caller(os.environ) | {environment.NAME: name}, _directory())
    order.with_host = with_host
    order.user = user
    with signals.Signals() as caught:
        status = run(order, leader, caught)
        _leave(connection, caught)
    connection.close()  # else Python warns of it, for which it imports something
    return status


class _Waiting:
    """Waits for a machine that is about to end, or to come up, and says so if that takes long."""

    def __init__(self, machine: Machine, say: Callable[[str], None]) -> None:
        self._machine = machine
        self._say = say
        self._late = time.monotonic() + _PATIENCE

    def tick(self) -> None:
        """Wait for a moment."""
        if self._late and time.monotonic() > self._late:
            self._say(f"waiting for machine {self._machine.name}, which is about to end")
            self._late = 0.0
        time.sleep(_TICK)

    def for_answer(self, connection: socket) -> None:
        """Wait until the machine's keeper answers, or ends."""
        import select

        poll = select.poll()
        poll.register(connection.fileno(), select.POLLIN)
        if not poll.poll(_PATIENCE * 1000):
            self._say(f"waiting for machine {self._machine.name}, which does not answer; see who is in: toy list")
            poll.poll()


def _locked(machine: Machine) -> bool:
    """Lock a machine, unless somebody else has, and say whether we did. Raises ToyError if a tool is not installed."""
    from . import mounts  # who joins does without

    process.require("systemd-nspawn", "rpmdb", *mounts.TOOLS)
    return machine.lock()


def _make(machine: Machine, say: Callable[[str], None]) -> socket | None:
    """Prepare a machine that is locked, start its keeper, and return a connection to that."""
    from . import fingerprint, invocation, keeper, tmpfiles

    try:
        listening = door.open_for(machine)
        connection = door.connect(machine)  # before others wait there, and before there is a keeper: it may end
        stands = _prepared(machine, say)
        tmpfiles.follow(machine, stands, say=say)
        entry = invocation.Invocation(machine, stands, None)
        entry.write()
        fingerprint.enter(machine)
        keeper.start(machine, stands, entry, listening)
        return connection
    except BaseException:
        door.remove(machine)
        machine.release()
        raise


def _prepared(machine: Machine, say: Callable[[str], None]) -> Fingerprint:
    from . import fingerprint

    stands = fingerprint.recall(machine)
    if stands is None:
        from ..overlay import mount_holders

        mount_holders.wait_until_unused(machine.overlay)
        gc.disable()  # this process does not live long enough for garbage collection to pay
        from . import cold

        stands = cold.prepare(machine, say=say)
        stands.remember(machine)
    return stands


def _ask_for_admission(connection: socket, machine: Machine, command: list[str]) -> None:
    terminals = [fd for fd in range(3) if os.isatty(fd)][:1]
    fields = ["enter", f"{os.getpid()}", machine.root, _user()[:_LONGEST_NAME], _name(terminals), *command]
    message = os.fsencode("\0".join(fields))[: messages.LONGEST]  # of the command, which is only to be listed
    try:
        messages.send(connection, message, 2, *terminals)
    except ConnectionError:  # which it is depends on whether it came to accept us
        pass  # it may have said why it ended


def _admitted(connection: socket, waiting: _Waiting, say: Callable[[str], None]) -> Leader | None:
    """Return the first process of a machine, or None if its keeper is gone. Raises ToyError if that refuses us."""
    waiting.for_answer(connection)
    data, fds = messages.receive(connection)
    match os.fsdecode(data).split("\0"):
        case ["in", pid, settings, note]:
            if note:
                say(note)
            from ..sessions.like import Leader

            return Leader(int(pid), fds[0], settings.split(), connection.fileno())
        case ["failed", what, next_step]:
            raise ToyError(what, next_step or f"see what it said above, or: TOY_DEBUG=1 {typed()}")
        case _:
            return None


def _leave(connection: socket, caught: Signals) -> None:
    """Tell the keeper that our command has ended, and wait for what there is to do if we were the last."""
    import select

    try:
        connection.send(b"done")
    except OSError:
        return
    poll = select.poll()
    poll.register(connection.fileno(), select.POLLIN)
    poll.register(caught.fileno(), select.POLLIN)
    while connection.fileno() not in dict(poll.poll()):
        if caught.is_asked_to_end():
            return  # the keeper goes on


def _directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        return ""


def _user() -> str:
    """Return the name of the user who called sudo or its like, or else ours."""
    for name in ("SUDO_USER", "USER", "LOGNAME"):
        if os.environ.get(name):
            return os.environ[name]
    return "root"


def _name(terminals: list[int]) -> str:
    """Return the name of the first of these terminals, or "" if there is none."""
    try:
        return os.ttyname(terminals[0]) if terminals else ""
    except OSError:
        return "?"
