# SPDX-License-Identifier: GPL-2.0-or-later
"""Who is in which machine: a value, and what finds it out by asking the keepers. `listing` prints it."""

import os
import select
import time
from _socket import AF_UNIX, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_SEQPACKET, socket
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..errors import ToyError
from ..launch import who
from ..machine import STATE, Machine
from ..sessions import messages

NOT_IN_USE = "not in use"
COMING_UP = "coming up"
IN_USE = "in use"
ENDING = "ending"
"""All have left, and what they changed is put into the header set."""
SILENT = "not answering"
"""Its keeper was stopped, say."""

_PATIENCE = 2.0
"""Seconds that all keepers together have to answer."""


class Member(NamedTuple):
    """A toy that is in a machine, or waits for it to come up."""

    pid: int
    user: str
    terminal: str
    """Its path, or "" if there is none."""
    since: int
    """Seconds since 1970."""
    command: Sequence[str]
    """The words of the command, none for a login shell; of more than 64 KiB only the beginning."""


class Entry(NamedTuple):
    """A machine, and who is in."""

    machine: str
    state: str
    """One of the constants above."""
    members: Sequence[Member] | None = ()
    """None if it cannot be known."""


def entries() -> list[Entry]:
    """Return all machines, by name, and who is in each."""
    asked = [(machine, _ask(machine)) for machine in _machines()]
    _wait(connection for _, connection in asked if connection is not None)
    return [_entry(machine, connection) for machine, connection in asked]


def _machines() -> Iterator[Machine]:
    for name in sorted(os.listdir(STATE)) if os.path.isdir(STATE) else ():
        try:
            machine = Machine(name)
        except ToyError:
            continue  # no machine can have this name
        if not os.path.islink(machine.directory) and os.path.isdir(machine.overlay):
            yield machine


def _ask(machine: Machine) -> socket | None:
    """Ask a machine's keeper who is in, and return the connection, or None if there is no keeper."""
    if not os.path.isdir(machine.entered):
        return None  # if it is about to come up, its keeper is still to be started, and would find us waiting
    connection = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK)
    try:
        connection.connect(machine.socket)
        connection.send(b"list")
    except BlockingIOError:
        pass  # there wait as many as can: `_answer` finds that it is not connected
    except (FileNotFoundError, ConnectionError):
        connection.close()
        return None
    return connection


def _wait(connections: Iterable[socket]) -> None:
    """Wait until all connections can be read, but not for long."""
    poll = select.poll()
    waiting = {connection.fileno() for connection in connections}
    for fd in waiting:
        poll.register(fd, select.POLLIN)
    end = time.monotonic() + _PATIENCE
    while waiting and (ready := poll.poll(max(0.0, end - time.monotonic()) * 1000)):
        for fd, _ in ready:
            poll.unregister(fd)
            waiting.remove(fd)


def _entry(machine: Machine, connection: socket | None) -> Entry:
    state = COMING_UP
    if connection is not None:
        try:
            return _answer(machine, connection)
        except ConnectionError:
            pass  # that keeper has ended
        except (OSError, ValueError):
            state = SILENT
        finally:
            connection.close()
    is_entered, has_socket = os.path.isdir(machine.entered), os.path.exists(machine.socket)
    if not (is_entered or has_socket) or not _is_in_use(machine):
        return Entry(machine.name, NOT_IN_USE)  # and if there is something in /run, its keeper was killed
    return Entry(machine.name, state, None) if has_socket else Entry(machine.name, ENDING)


def _answer(machine: Machine, connection: socket) -> Entry:
    """Return what a keeper answers.

    Raises ConnectionError if it has ended, another OSError if it does not answer, and ValueError for an answer that is
    another toy's.
    """
    data, fds = messages.receive(connection)
    if not fds:
        raise ConnectionResetError
    with open(fds[0], "rb") as file:
        file.seek(0)
        members = [Member(*row) for row in who.read(file.read())]
    match os.fsdecode(data).split("\0"):
        case ["who", who.UP]:
            return Entry(machine.name, IN_USE if members else ENDING, members)
        case ["who", who.COMING_UP]:
            return Entry(machine.name, COMING_UP, members)
    raise ValueError(data)


def _is_in_use(machine: Machine) -> bool:
    try:
        return machine.is_in_use()
    except FileNotFoundError:
        return False  # it was a throwaway one
