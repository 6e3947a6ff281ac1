# SPDX-License-Identifier: GPL-2.0-or-later
"""What a launch is going to do to a machine after the host changed, as it is stored before it is done."""

import base64
import json
from typing import NamedTuple

from ..headers import changes, header
from ..headers.package import PackageFile, is_plain
from ..overlay.operations import Operations
from . import generated
from .events import Event
from .generated import Cache


class Intent(NamedTuple):
    """A reconciliation that was decided on."""

    base: frozenset[str] | None
    """The base that was on record, if any. With another one on record, it is done or obsolete."""
    host: frozenset[str]
    """The host's set that it is for: the base, once it is done."""
    upper: changes.Upper
    stand_ins: dict[str, bytes]
    """The blobs of those of its files that nobody has yet."""
    operations: Operations
    caches: list[Cache]
    """What is to be made anew in the overlay."""
    events: list[Event]
    """What is to be said of it."""

    def to_json(self) -> bytes:
        """Return the intent as it is stored."""
        upper = [sorted(names) for names in self.upper]
        stand_ins = {file: base64.b64encode(blob).decode() for file, blob in self.stand_ins.items()}
        # Ten thousand names, most of which are in both.
        since = None if self.base is None else [sorted(self.host - self.base), sorted(self.base - self.host)]
        return json.dumps(
            [sorted(self.host), since, upper, stand_ins, self.operations, self.caches, self.events]
        ).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Intent":
        """Read a stored intent. Raises ValueError if it is not one."""
        try:
            names, since, (files, whiteouts), stand_ins, (remove, *paths), stale, events = json.loads(content)
            host = frozenset(names)
            intent = cls(
                None if since is None else host.difference(since[0]).union(since[1]),
                host,
                changes.Upper(frozenset(files), frozenset(whiteouts)),
                {file: base64.b64decode(blob) for file, blob in stand_ins.items()},
                Operations([PackageFile(*file) for file in remove], *paths),
                [(path, list(command)) for path, command in stale],
                [Event(*event) for event in events],
            )
            intent._check()
        except (AttributeError, LookupError, RecursionError, TypeError) as error:
            raise ValueError(*error.args) from None
        return intent

    def _check(self) -> None:
        """Raise ValueError for names that are none of header files, and paths that lead elsewhere than down."""
        names = {*self.host, *(self.base or ()), *self.upper.files, *self.upper.whiteouts, *self.stand_ins}
        paths = {file.path for file in self.operations.remove}
        for value in self.operations[1:]:
            paths.update(value if isinstance(value, list) else ())
        if not all(map(header.is_file_name, names)) or not all(map(is_plain, paths)):
            raise ValueError("it names what no launch does")
        if not all(generated.is_known(cache) for cache in self.caches):
            raise ValueError("it runs what no launch does")
