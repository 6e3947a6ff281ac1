# SPDX-License-Identifier: GPL-2.0-or-later
"""The keeper of a machine: the process that has it locked, runs systemd-nspawn, and knows who is in.

The first toy to enter a machine forks it. It outlives that one and has no terminal: it lives as long as anybody is
in: each toy has a connection to it, which ends with that toy, also if it is killed. When the last one leaves, the
keeper ends the machine, puts what changed into the header set, and tells that toy. If the keeper is killed, the kernel
ends the machine (`mounts`), and the next launch adopts what changed.

Messages are fields of text, with NULs between. A toy sends "enter", its PID, the root that it wants, the name of its
user, its terminal, and its command, with descriptors of its stderr and, if it has one, of its terminal; or "list".
When its command has ended, it sends "done". It gets "in", the PID of the machine's first process, the names of the
administrator's settings and a note for the user, with a pidfd; or "failed" and the two parts of an error, the second of
which may be empty; and in the end "left". To "list" the answer is "who" and whether the machine is "up" or "coming up",
with a descriptor of a file that says who is in (`who`).
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import select

from .. import process
from ..errors import ToyError
from ..sessions import messages
from . import door, ending, fingerprint, mounts, who
from .client import Client
from .running import Running

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _socket import socket

    from ..machine import Machine
    from .fingerprint import Fingerprint
    from .invocation import Invocation

_MOMENT = 200
"""Milliseconds without an event after which what the end of a launch needs is imported."""


def start(machine: Machine, stands: Fingerprint, entry: Invocation, listening: socket) -> None:
    """Start the keeper of a machine that is locked and prepared. It has the lock from now on."""
    process.trace(entry.command)
    process.fork(lambda: _Keeper(machine, stands, entry, listening).run())
    listening.close()
    machine.release()


class _Keeper:
    def __init__(self, machine: Machine, stands: Fingerprint, entry: Invocation, listening: socket) -> None:
        self._machine = machine
        self._stands = stands
        self._entry = entry
        self._listening = listening
        self._clients: dict[int, Client] = {}
        self._is_awaited = True
        """Whether the toy that started this is still to say that it enters."""
        self._host = fingerprint.of_packages(machine, stands.dbpath)
        self._unsaid = b""
        """What systemd-nspawn, and what mounts for it, said before anybody was there to read it."""
        self._was_killed = False
        """Whether a toy ended without "done"."""
        self._is_given_up = False
        """Whether all who waited for the machine were gone before it came up."""

    def run(self) -> None:
        """Keep the machine until the last toy has left."""
        self._detach()
        try:
            self._running = Running(self._entry)
        except (ToyError, OSError) as error:
            fingerprint.leave(self._machine)
            door.remove(self._machine)
            while not self._clients:  # the toy that started this is there, and others may be
                self._accept()
            self._refuse_all(_explained(error))
            return
        from . import host_root  # noqa: F401, it takes long to import, and systemd-nspawn is at work

        _have_room()

        bug: Exception | None = None
        try:
            self._keep()
        except Exception as error:  # the machine ends in order also then
            bug = error
        self._end(bug)

    def _detach(self) -> None:
        """Have nothing in common with the toy that forked this process: session, signals, descriptors, command line."""
        os.setsid()
        os.chdir("/")
        _signal.set_wakeup_fd(-1)
        for number in (_signal.SIGHUP, _signal.SIGINT, _signal.SIGQUIT, _signal.SIGTERM, _signal.SIGTSTP):
            _signal.signal(number, _signal.SIG_IGN)
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        for fd in range(3):
            os.dup2(null, fd)
        os.close(null)
        process.close_all_but(self._listening.fileno(), self._machine.lock_fd)
        # Closed to tell one more that there is no room.
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        process.rename(f"toy: keeper of machine {self._machine.name}", short="(keeper)")

    def _keep(self) -> None:
        """Serve toys until none is in any more, or the machine has ended."""
        running = self._running
        is_loaded = False
        while True:
            poll = select.poll()
            for fd in (self._listening.fileno(), running.pidfd, *running.fds(), *self._clients):
                poll.register(fd, select.POLLIN)
            ready = dict(poll.poll(None if is_loaded or running.leader is None else _MOMENT))
            if not ready:
                is_loaded = True
                ending.load()
            of_machine = running.fds()
            for fd in ready:
                if fd == self._listening.fileno():
                    self._accept()
                elif fd in of_machine:
                    self._act(fd)
                elif fd in self._clients:
                    self._serve(fd)
            if running.pidfd in ready:
                return
            if not self._is_awaited and not self._members():
                if running.leader is None:
                    running.kill()
                    self._is_given_up = True
                return

    def _act(self, fd: int) -> None:
        """Have the machine act, and admit those who wait for it once it is up."""
        was_up = self._running.leader is not None
        self._show(self._running.act(fd))
        if not was_up and self._running.leader is not None:
            for client in self._clients.values():
                if client.fields:
                    self._admit(client)

    def _accept(self) -> None:
        try:
            connection = door.accept(self._listening)
        except OSError:  # it has as many files open as it can, of which this is one
            os.close(self._spare)
            connection = door.accept(self._listening)
            if connection is not None:
                name = self._machine.name
                Client(connection).send("failed", f"machine {name} cannot hold more", "see who is in: toy list")
                connection.close()
            self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
            return
        if connection is not None:
            self._clients[connection.fileno()] = Client(connection)

    def _serve(self, fd: int) -> None:
        client = self._clients[fd]
        try:
            data, fds = messages.receive(client.connection)
        except OSError:
            data, fds = b"", []
        if fds:
            client.take(fds)
        match os.fsdecode(data).split("\0"):
            case ["enter", *fields] if len(fields) > 3 and fields[0].isdecimal():
                client.fields = fields
                self._is_awaited = False
                self._show(b"")
                self._admit(client)
            case ["done"]:
                client.is_done = True
            case ["list"]:
                self._tell_who_is_in(client)
                self._drop(fd)  # so the last to leave does not wait for it
            case _:
                self._is_awaited = False
                self._was_killed |= client.is_in
                self._drop(fd)
        if self._members():  # others are in: who is done need not wait for the machine's end
            for fd in [fd for fd, other in self._clients.items() if other.is_done]:
                self._clients[fd].send("left")
                self._drop(fd)

    def _drop(self, fd: int) -> None:
        self._clients.pop(fd).close()

    def _members(self) -> list[Client]:
        """Return those who are in, or wait for the machine to come up."""
        return [client for client in self._clients.values() if client.fields and not client.is_done]

    def _tell_who_is_in(self, client: Client) -> None:
        rows: list[who.Row] = []
        for member in self._members():
            pid, _root, user, terminal, *command = member.fields
            rows.append((int(pid), user, terminal, int(member.since), command))
        try:
            fd = who.file_of(rows)
        except OSError:
            return  # that is no reason to end the machine
        client.send("who", who.COMING_UP if self._running.leader is None else who.UP, fd=fd)
        os.close(fd)

    def _admit(self, client: Client) -> None:
        root, leader = client.fields[1], self._running.leader
        if root != self._machine.root:
            client.send(
                "failed", f"machine {self._machine.name} is in use, over {self._machine.root}", "leave it first"
            )
            client.fields = []
        elif leader is not None and not client.is_in:
            client.is_in = True
            pid, pidfd = leader
            note = self._running.note or self._news()
            client.send("in", f"{pid}", " ".join(self._entry.settings), note, fd=pidfd)

    def _news(self) -> str:
        """Return a note for who joins, if the host's packages changed since the machine came up."""
        if fingerprint.of_packages(self._machine, self._stands.dbpath) == self._host:
            return ""
        return (
            f"the host's packages changed since machine {self._machine.name} was entered; it follows once all have left"
        )

    def _show(self, some: bytes) -> None:
        """Print what systemd-nspawn and what mounts for it said, to the first who is there."""
        self._unsaid = (self._unsaid + some)[-messages.LONGEST :]
        for client in self._clients.values() if self._unsaid else ():
            if client.stderr is not None:
                client.show(self._unsaid)
                self._unsaid = b""
                return

    def _end(self, bug: Exception | None) -> None:
        """End the machine, have its header set follow, and tell those who wait for that, also of a bug of ours."""
        door.remove(self._machine)
        self._listening.close()
        status, said = self._running.end()
        self._show(said)
        waiting = [client for client in self._clients.values() if client.stderr is not None]
        if self._running.leader is None:
            fingerprint.leave(self._machine)  # no command was started
            if not self._is_given_up:  # who came just now makes it anew
                self._refuse_all(self._why(status))
            return
        if waiting:
            os.dup2(waiting[-1].stderr or 0, 2)
        if bug is not None:
            from .. import failure

            failure.report(bug)
        ending.finish(self._machine, self._stands, was_killed=self._was_killed)
        self._machine.release()
        for client in waiting:
            client.send("left")

    def _why(self, status: int) -> ToyError:
        if status == mounts.MOUNT_FAILED:
            return mounts.failure(self._machine.name, self._machine.overlay)
        from ..filesystem import room

        lack = room.lacking(self._machine.work, mounts.LEAST)
        if lack is not None:
            return lack
        return ToyError(f"systemd-nspawn did not start machine {self._machine.name} (status {status})", "")

    def _refuse_all(self, error: ToyError) -> None:
        self._machine.release()
        for client in self._clients.values():
            client.send("failed", error.what, error.next_step)


def _explained(error: ToyError | OSError) -> ToyError:
    from .. import failure

    return failure.explained(error)


def _have_room() -> None:
    """Raise our limit on open files, which is that of the first who entered: many may follow."""
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
