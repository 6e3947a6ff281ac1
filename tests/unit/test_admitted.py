# SPDX-License-Identifier: GPL-2.0-or-later
"""What a keeper that ends tells those who are about to join its machine."""

from pathlib import Path
from socket import AF_UNIX, SOCK_SEQPACKET, socket

import pytest

from toy.launch import launch
from toy.machine import Machine


@pytest.mark.parametrize("is_accepted", [True, False])
def test_who_comes_as_it_ends_is_not_refused(tmp_path: Path, is_accepted: bool) -> None:
    with socket(AF_UNIX, SOCK_SEQPACKET) as listening, socket(AF_UNIX, SOCK_SEQPACKET) as connection:
        listening.bind(f"{tmp_path}/socket")
        listening.listen()
        connection.connect(f"{tmp_path}/socket")
        if is_accepted:
            listening.accept()[0].close()
        listening.close()
        waiting = launch._Waiting(Machine("toy"), print)
        launch._ask_for_admission(connection, Machine("toy"), [])
        assert launch._admitted(connection, waiting, print) is None
