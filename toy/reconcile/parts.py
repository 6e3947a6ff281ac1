# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts that the steps of one reconciliation work on."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from ..database.merge import Builder
from ..database.reader import Reader
from ..database.rpmdb import Database
from ..machine import Machine
from ..overlay.upper_files import Trees
from .header_sets import HeaderSets
from .journal import Journal


class Run(Protocol):
    """Runs a command in the overlay."""

    def __call__(self, command: Sequence[str], stdin: bytes = b"", lines: int = 0) -> list[str]:
        """Run a command to its end, as `limited.run` does. Raises ToyError if it fails, or takes too long."""


class Parts(NamedTuple):
    """A machine that is locked and not mounted, its host, and what reads and writes them."""

    machine: Machine
    journal: Journal
    sets: HeaderSets
    trees: Trees
    host_database: Database
    reader: Reader
    """Reads the machine's database and headers."""
    builder: Builder
    """Makes the next database of the machine."""
    run: Run

    @classmethod
    @contextlib.contextmanager
    def open(
        cls, machine: Machine, layer: Path, host_database: Database, reader: Reader, builder: Builder, run: Run
    ) -> Iterator["Parts"]:
        """Open the header sets of a machine; `layer` is the lower layer with the host's set, the others are open."""
        with HeaderSets.open(machine, layer) as sets:
            yield cls(machine, Journal(machine), sets, Trees.of(machine), host_database, reader, builder, run)
