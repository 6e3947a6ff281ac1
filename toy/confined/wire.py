# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages between toy and a confined process, over a pair of pipes.

The process may have been taken over by what it read, so toy believes nothing that comes from it: sizes are limited
here, and `database.answers` checks types.

A message is two numbers of eight bytes, big-endian: the sizes of its text and of its blobs; then the text, which is
JSON; then the blobs. In the text, {"bytes": N} stands for the next N bytes of the blobs. Tuples and sets become
lists.
"""

import json
import os
import select
import time
from typing import Any

_LONGEST_TEXT = 32 << 20
"""Most bytes of a message's text: what a header says of 100,000 files takes 20 MiB."""

_MOST_TEXT = 256 << 20
"""Most bytes of text of all messages: in memory it takes a multiple of that, and the receiver may keep it all."""

_LONGEST_BLOBS = 512 << 20
"""Most bytes of a message's blobs: rpm takes headers of 256 MiB (rpm, lib/header.c: HEADER_DATA_MAX)."""


class Closed(Exception):
    """Nobody is at the other end any more, or what came from there is no message."""


class Late(Exception):
    """The other end did not take a message, or send one, in time."""


class Channel:
    """One end of a pair of pipes."""

    def __init__(self, receiving: int, sending: int) -> None:
        self.fds = (receiving, sending)
        self._receiving, self._sending = self.fds
        self._received = 0
        for fd in self.fds:
            os.set_blocking(fd, False)

    def close(self) -> None:
        """Close this end."""
        for fd in self.fds:
            os.close(fd)

    def send(self, value: object, *, seconds: float | None = None) -> None:
        """Send a message. Raises Closed, or Late if the other end does not take it within `seconds`."""
        deadline = _deadline(seconds)
        blobs: list[bytes] = []

        def other(each: object) -> object:
            if isinstance(each, bytes):
                blobs.append(each)
                return {"bytes": len(each)}
            if isinstance(each, set | frozenset):
                return sorted(each)
            raise TypeError(f"no message can hold {each!r}")

        text = json.dumps(value, default=other).encode()
        sizes = (len(text), sum(map(len, blobs)))
        for part in (b"".join(size.to_bytes(8, "big") for size in sizes), text, *blobs):
            rest = memoryview(part)
            while rest:
                try:
                    rest = rest[os.write(self._sending, rest) :]
                except BlockingIOError:
                    _wait(self._sending, select.POLLOUT, deadline)
                except BrokenPipeError:
                    raise Closed from None

    def receive(self, *, seconds: float | None = None) -> Any:
        """Return the next message: lists, dictionaries, text, bytes, numbers. Raises Closed, or Late as `send` does."""
        deadline = _deadline(seconds)
        sizes = self._read(16, deadline)
        size, size_of_blobs = int.from_bytes(sizes[:8], "big"), int.from_bytes(sizes[8:], "big")
        self._received += size
        if size > _LONGEST_TEXT or self._received > _MOST_TEXT or size_of_blobs > _LONGEST_BLOBS:
            raise Closed
        text, blobs = self._read(size, deadline), self._read(size_of_blobs, deadline)
        used = 0

        def filled(each: dict[str, Any]) -> Any:
            nonlocal used
            if each.keys() != {"bytes"}:
                return each
            blob = blobs[used : used + int(each["bytes"])]
            used += len(blob)
            return blob

        try:
            return json.loads(text, object_hook=filled)
        except (ArithmeticError, RecursionError, TypeError, ValueError):
            raise Closed from None

    def _read(self, size: int, deadline: float | None) -> bytes:
        read = bytearray()
        while len(read) < size:
            try:
                chunk = os.read(self._receiving, min(size - len(read), 1 << 20))
            except BlockingIOError:
                _wait(self._receiving, select.POLLIN, deadline)
                continue
            if not chunk:
                raise Closed
            read += chunk
        return bytes(read)


def _deadline(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds


def _wait(fd: int, event: int, deadline: float | None) -> None:
    poll = select.poll()
    poll.register(fd, event)
    if not poll.poll(None if deadline is None else max(0, deadline - time.monotonic()) * 1000):
        raise Late
