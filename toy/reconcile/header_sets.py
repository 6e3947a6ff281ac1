# SPDX-License-Identifier: GPL-2.0-or-later
"""The three header sets of one machine, open together: the host's, the upper's, and the hidden packages'."""

import contextlib
import os
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from pathlib import Path, PurePath
from typing import NamedTuple

from ..headers.header import HeaderFile
from ..headers.headerset import HeaderSet
from ..machine import Machine


class HeaderSets(NamedTuple):
    """The open header sets of one machine."""

    host: HeaderSet
    host_files: frozenset[HeaderFile]
    """The host's header files, listed once: nobody changes the host's set while it is locked."""
    upper: HeaderSet
    hidden: HeaderSet
    """The headers of the host's packages that the overlay hides: the host may drop them."""

    @classmethod
    @contextlib.contextmanager
    def open(cls, machine: Machine, layer: Path) -> Iterator["HeaderSets"]:
        """Open the sets; `layer` is the lower layer with the host's set."""
        with (
            HeaderSet.open_of_root(layer) as host_set,
            HeaderSet.open_upper(Path(machine.overlay), Path(machine.root)) as upper,
            HeaderSet.open(*hidden_of(machine), create=True) as hidden,
        ):
            yield cls(host_set, host_set.list().files, upper, hidden)

    def keep_hidden(self, hidden: AbstractSet[HeaderFile]) -> None:
        """Keep copies of the host's header files `hidden`, which the overlay hides: the host may drop them."""
        known = self.hidden.list().files
        for file in sorted(hidden & self.host_files):
            if file not in known or not self.hidden.is_whole(file):
                self.hidden.write(file, self.host.read_blob(file), durable=True)

    def forget_hidden(self, hidden: AbstractSet[HeaderFile]) -> None:
        """Remove the copies of all others."""
        for file in sorted(self.hidden.list().files - hidden):
            self.hidden.remove(file)


def hidden_of(machine: Machine) -> tuple[Path, PurePath]:
    """Return where the set of the headers that a machine hides lies: a trusted directory, and the place in it."""
    return Path(machine.directory), PurePath(os.path.basename(machine.hidden))
