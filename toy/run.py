# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes: the only module that starts any."""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from .errors import ToyError

_PACKAGES = {
    "mount": "util-linux",
    "rpmdb": "rpm",
    "setpriv": "util-linux",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
}


def missing(tool: str) -> ToyError:
    """Return the error for a tool that is not installed."""
    return ToyError(f"{tool} is not installed", f"install the package {_PACKAGES.get(tool, 'it is in')}")


def require(*tools: str) -> None:
    """Raise ToyError for the first tool that is not to be found in PATH."""
    for tool in tools:
        if not any(os.access(os.path.join(folder, tool), os.X_OK) for folder in os.get_exec_path()):
            raise missing(tool)


def run(
    command: Sequence[str], *, pass_fds: Sequence[int] = (), environment: Mapping[str, str] = MappingProxyType({})
) -> None:
    """Run a command to its end. Raises ToyError, with the last line of its stderr, if it fails."""
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=pass_fds,
            env={**os.environ, **environment},
        )
    except FileNotFoundError:
        raise missing(command[0]) from None
    if done.returncode:
        raise _failed(command, done.returncode, _last_line(done.stderr))


def feed(command: Sequence[str], chunks: Iterable[bytes]) -> str:
    """Run a command with the chunks on its stdin, and return its last word on stderr. Raises ToyError if it fails."""
    with tempfile.TemporaryFile() as stderr:
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=stderr)
        except FileNotFoundError:
            raise missing(command[0]) from None
        with process:
            assert process.stdin is not None
            try:
                with contextlib.suppress(BrokenPipeError):
                    for chunk in chunks:
                        process.stdin.write(chunk)
                with contextlib.suppress(BrokenPipeError):  # what the buffer still had
                    process.stdin.close()
            except BaseException:
                process.kill()
                raise
        stderr.seek(0)
        said = _last_line(stderr.read())
    if process.returncode:
        raise _failed(command, process.returncode, said)
    return said


def _last_line(stderr: bytes) -> str:
    return stderr.decode(errors="replace").strip().rpartition("\n")[2]


def _failed(command: Sequence[str], status: int, said: str) -> ToyError:
    return ToyError(f"{command[0]} failed: {said or f'status {status}'}", f"try it by hand: {shlex.join(command)}")


class Outcome(NamedTuple):
    """How a supervised command ended."""

    status: int
    """Its exit status, 128 + N if signal N killed it."""
    ready: bool
    """Whether it ever said that it was up."""


def supervised(command: Sequence[str], *, environment: Mapping[str, str]) -> Outcome:
    """Run systemd-nspawn, somewhere in `command`, on our stdin, stdout and stderr.

    Without a terminal of its own, its payload would not get the signals that we get: they are handed on to the
    payload's process group. Readiness is what sd_notify(3) says.
    """
    terminal = os.isatty(0) and os.isatty(1)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications, contextlib.ExitStack() as stack:
        notifications.bind("")  # an address of the kernel's choice, which is gone with us
        address = notifications.getsockname().decode().replace("\0", "@")
        notifications.setblocking(False)
        process: subprocess.Popen[bytes] | None = None

        def hand_on(number: int, _frame: object) -> None:
            if process is None:
                return
            payload = _payload(process.pid)
            if payload is None:  # not started yet
                process.kill()
            else:
                os.killpg(payload, number)

        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
            stack.callback(signal.signal, number, signal.signal(number, hand_on))
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment, "NOTIFY_SOCKET": address},
            # nspawn takes a ^C for itself; on a terminal it sets that to raw mode, and there is none.
            process_group=None if terminal else 0,
        )
        status = process.wait()
        ready = False
        with contextlib.suppress(BlockingIOError):
            while not ready:
                ready = b"READY=1" in notifications.recv(4096).splitlines()
    return Outcome(128 - status if status < 0 else status, ready)


def _payload(ancestor: int) -> int | None:
    """Find what `systemd-nspawn --as-pid2` runs: number 2 of the inner one of the two process namespaces."""
    own_depth = len(_namespace_pids(os.getpid()))
    candidates = [ancestor]
    while candidates:
        pid = candidates.pop()
        try:
            numbers = _namespace_pids(pid)
            if len(numbers) == own_depth + 2 and numbers[-1] == "2":
                return pid
            with open(f"/proc/{pid}/task/{pid}/children") as children:
                candidates.extend(map(int, children.read().split()))
        except OSError:
            continue  # it ended meanwhile
    return None


def _namespace_pids(pid: int) -> list[str]:
    with open(f"/proc/{pid}/status") as status:
        return next(line for line in status if line.startswith("NSpid:")).split()[1:]
