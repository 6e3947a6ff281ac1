# SPDX-License-Identifier: GPL-2.0-or-later
"""The three header sets of one machine, open together: the host's, the upper's, and the hidden packages'."""

import contextlib
import os
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePath
from typing import NamedTuple

from ..headers.headerset import HeaderSet
from ..machine import Machine


class HeaderSets(NamedTuple):
    """The open header sets of one machine."""

    host: HeaderSet
    host_files: frozenset[str]
    """Listed once: nobody changes the host's set while it is locked."""
    upper: HeaderSet
    hidden: HeaderSet
    """The headers of the host's packages that the overlay hides: the host may drop them."""

    @classmethod
    @contextlib.contextmanager
    def open(cls, machine: Machine, layer: Path) -> Iterator["HeaderSets"]:
        """Open the sets; `layer` is the lower layer with the host's."""
        with (
            HeaderSet.open_of_root(layer) as host_set,
            HeaderSet.open_upper(Path(machine.overlay), Path(machine.root)) as upper,
            HeaderSet.open(*hidden_of(machine), create=True) as hidden,
        ):
            yield cls(host_set, host_set.check().files, upper, hidden)

    def remember(self, hidden: AbstractSet[str]) -> None:
        """Keep the headers of the host's packages that the overlay hides, as far as the host has them still."""
        known = self.hidden.check().files
        for file in sorted((hidden - known) & self.host_files):
            self.hidden.write(file, self.host.read_blob(file))
        for file in sorted(known - hidden):
            self.hidden.remove(file)


def hidden_of(machine: Machine) -> tuple[Path, PurePath]:
    """Return where a machine's set of the headers lies that it hides: a trusted directory, and the place in it."""
    return Path(machine.directory), PurePath(os.path.basename(machine.hidden))
