# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages with descriptors, also from one who has gone."""

import os
from collections.abc import Iterator
from socket import AF_UNIX, SOCK_SEQPACKET, socket, socketpair

import pytest

from toy.sessions import messages


@pytest.fixture
def pair() -> Iterator[tuple[socket, socket]]:
    here, there = socketpair(AF_UNIX, SOCK_SEQPACKET)
    with here, there:
        yield here, there


def test_a_message_with_a_descriptor(pair: tuple[socket, socket]) -> None:
    here, there = pair
    messages.send(there, b"one", 0)
    messages.send(there, b"two")
    content, (fd,) = messages.receive(here)
    assert content == b"one"
    assert os.path.samestat(os.fstat(fd), os.fstat(0))
    assert not os.get_inheritable(fd)
    os.close(fd)
    assert messages.receive(here) == (b"two", [])


@pytest.mark.parametrize("is_read", [True, False])
def test_what_was_sent_by_one_who_has_gone(pair: tuple[socket, socket], is_read: bool) -> None:
    here, there = pair
    messages.send(here, b"never read")
    if is_read:
        messages.receive(there)
    messages.send(there, b"the last word")
    there.close()
    assert messages.receive(here) == (b"the last word", [])
    assert messages.receive(here) == (b"", [])
