# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever comes from libzypp: a frame is a command or the end, nothing is raised, and little is kept of it."""

import importlib.machinery
import importlib.util
import os
from pathlib import Path
from typing import Any

from fuzz import fuzzed, mutated, unhurried
from hypothesis import given
from hypothesis import strategies as st

PLUGIN = Path(__file__).parents[2] / "zypp-plugin/toy"
pytestmark = unhurried

_PIPE = 1 << 16


def _load() -> Any:
    loader = importlib.machinery.SourceFileLoader("plugin", os.fspath(PLUGIN))
    spec = importlib.util.spec_from_loader("plugin", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


plugin = _load()

FRAMES = b'PLUGINBEGIN\nuserdata:\n\n\0COMMITEND\ncontent-length:9\n\n{"a": "\0"}\0PLUGINEND\n\n[]\0'


def commands(content: bytes) -> list[str]:
    """Return the commands of the frames in a stream that ends after them."""
    reading, writing = os.pipe()
    try:
        os.write(writing, content[:_PIPE])
        os.close(writing)
        requests = plugin.Requests(reading)
        found = []
        while (command := requests.command()) is not None:
            found.append(command)
        return found
    finally:
        os.close(reading)


def test_frames_as_they_should_be() -> None:
    assert commands(FRAMES) == ["PLUGINBEGIN", "COMMITEND", "PLUGINEND"]


PIECES = (
    *(b"\n", b"\0", b"\n\n", b":", b"content-length:", b"9" * 4301, b"1" + b"0" * 15, b"-1", b"\xff", b"COMMITEND"),
    *(b" ", b"\r", b"A" * 20_000, b"\x0b", "\u0663".encode()),
)
pieces = st.sampled_from(PIECES)


@fuzzed
@given(mutated(FRAMES) | st.lists(pieces, max_size=12).map(b"".join))
def test_any_stream(content: bytes) -> None:
    found = commands(content)
    assert len(found) <= content.count(b"\0")
    assert all(len(command) <= 1024 and "\n" not in command and "\0" not in command for command in found)


@fuzzed
@given(st.lists(st.tuples(st.from_regex(r"[A-Z_]{1,20}", fullmatch=True), st.binary(max_size=50), st.booleans())))
def test_any_frames(frames: list[tuple[str, bytes, bool]]) -> None:
    stream = b""
    for command, body, has_length in frames:
        body = body if has_length else body.replace(b"\0", b"0")
        length = b"content-length:%d\n" % len(body) if has_length else b""
        stream += command.encode() + b"\n" + length + b"\n" + body + b"\0"
    assert commands(stream) == [command for command, _, _ in frames]
