# SPDX-License-Identifier: GPL-2.0-or-later
"""A plan: what a launch is going to do to a machine after its host changed, as a value and as it is stored.

`planner` makes it, `journal` stores it before anything of it is done, `reconcile` carries it out. A stored plan is
data, not an order: it is checked against what `planner` could have written.
"""

import binascii
import itertools
from typing import Any, NamedTuple

from ..events import Event
from ..filesystem import records
from ..headers import header
from ..headers.changes import UpperSet
from ..headers.header import HeaderFile
from ..headers.package import PackageFile, is_plain
from ..overlay.operations import Operations
from . import generated, retired
from .generated import Cache
from .retired import Retired
from .triggers import Run


class Plan(NamedTuple):
    """What a launch is going to do to a machine. All of it is safe to repeat."""

    base: frozenset[HeaderFile] | None
    """The base that was on record, if any. If another one is on record now, the plan is done or obsolete."""
    host: frozenset[HeaderFile]
    """The host's set that the plan is for, which becomes the base once the plan is done."""
    upper: UpperSet
    """The overlay's part of the header set, over `host`."""
    stand_ins: dict[HeaderFile, bytes]
    """The blobs of the stand-ins that are new, by their files in `upper`."""
    operations: Operations
    """Operations on the overlay's files."""
    caches: list[Cache]
    """Generated files to make anew in the overlay."""
    triggers: list[Run]
    """Triggers to run in the overlay, once the database is in place."""
    events: list[Event]
    """Events to print and to log."""
    retired: dict[str, Retired]
    """The packages that gave way to the host's so far, as `State.retired`."""

    def to_json(self) -> bytes:
        """Return the plan as it is stored: a record with a member for each field."""
        # Only the difference: base and host have ten thousand names, most of them in both.
        since = None
        if self.base is not None:
            since = {"added": sorted(self.host - self.base), "removed": sorted(self.base - self.host)}
        return records.content(
            {
                "host": sorted(self.host),
                "since_base": since,
                "upper": {name: sorted(files) for name, files in self.upper._asdict().items()},
                "stand_ins": {
                    file: binascii.b2a_base64(blob, newline=False).decode() for file, blob in self.stand_ins.items()
                },
                "operations": {
                    **self.operations._asdict(),
                    "remove": [file._asdict() for file in self.operations.remove],
                },
                "caches": [{"path": path, "command": command} for path, command in self.caches],
                "triggers": [run._asdict() for run in self.triggers],
                "events": [event._asdict() for event in self.events],
                "retired": retired.to_fields(self.retired),
            }
        )

    @classmethod
    def from_json(cls, content: bytes) -> "Plan":
        """Read a stored plan, also one without a version. Raises ValueError for a bad one, as `records.fields` does."""
        try:
            stored = records.fields(content)
            plan = cls._from_fields(_named(stored) if isinstance(stored, list) else stored)
            plan._check()
        except (AttributeError, LookupError, TypeError) as error:
            raise ValueError(*error.args) from None
        return plan

    @classmethod
    def _from_fields(cls, stored: dict[str, Any]) -> "Plan":
        host, since = frozenset(stored["host"]), stored["since_base"]
        operations = {
            **stored["operations"],
            "remove": [PackageFile(**file) for file in stored["operations"]["remove"]],
        }
        return cls(
            base=None if since is None else host.difference(since["added"]).union(since["removed"]),
            host=host,
            upper=UpperSet(frozenset(stored["upper"]["files"]), frozenset(stored["upper"]["whiteouts"])),
            stand_ins={file: binascii.a2b_base64(blob) for file, blob in stored["stand_ins"].items()},
            operations=Operations(**operations),
            caches=[(cache["path"], list(cache["command"])) for cache in stored["caches"]],
            # toy did not always store them
            triggers=[run for one in stored.get("triggers", []) for run in _runs(one)],
            retired=retired.from_fields(stored.get("retired", {})),
            events=[Event(**{name: records.text(text) for name, text in event.items()}) for event in stored["events"]],
        )

    def _check(self) -> None:
        """Raise ValueError for a name that is no header file's, a path that is not plain, or an unknown command."""
        names = {*self.host, *(self.base or ()), *self.upper.files, *self.upper.whiteouts, *self.stand_ins}
        *lists, sweep, drop = self.operations[1:]
        if not isinstance(sweep, bool) or not all(isinstance(value, list) for value in (*lists, drop)):
            raise ValueError("it is no list of operations")
        paths = {*(file.path for file in self.operations.remove), *itertools.chain(*lists, drop)}
        if not all(map(header.is_file_name, names)) or not all(map(is_plain, paths)):
            raise ValueError("it names what no launch does")
        if not all(generated.is_known(cache) for cache in self.caches):
            raise ValueError("it runs what no launch does")
        if any(header.problem(file, header.MAGIC + blob) for file, blob in self.stand_ins.items()):
            raise ValueError("a header is not what its name says")
        if not all(map(_is_file, self.operations.remove)):
            raise ValueError("it is no list of files")


def _is_file(file: PackageFile) -> bool:
    """Say whether the fields of a file have the types that they should have. Raises ValueError for some if not."""
    for text in (file.digest, file.target, file.owner):
        records.text(text)
    are_flags = isinstance(file.kept, bool) and isinstance(file.is_ghost, bool)
    return are_flags and isinstance(file.mode, int) and 0 <= file.mode < 1 << 16


def _runs(stored: dict[str, Any]) -> list[Run]:
    """Return the runs in a record. They are done in the overlay, with no other rights than it has.

    toy stored several commands for each trigger once, with the paths in them.
    """
    package = records.text(stored["package"])
    again = records.text(stored.get("again", package.partition(" ")[0]))
    commands = stored["commands"] if "commands" in stored else [stored["command"]]
    paths = list(map(records.text, stored.get("paths", [])))
    runs = [Run(package, list(map(records.text, words)), paths, again) for words in commands]
    if not all(run.command for run in runs):
        raise ValueError("there is nothing to run")
    return runs


def _named(stored: list[Any]) -> dict[str, Any]:
    """Return, by name, the fields of a plan as toy stored it before there was a version: as a list."""
    host, since, upper, stand_ins, (remove, *others), caches, events = stored
    to_remove = [PackageFile(*file)._asdict() for file in remove]
    return {
        "host": host,
        "since_base": None if since is None else dict(zip(("added", "removed"), since, strict=True)),
        "upper": dict(zip(UpperSet._fields, upper, strict=True)),
        "stand_ins": stand_ins,
        "operations": dict(zip(Operations._fields, [to_remove, *others], strict=True)),
        "caches": [{"path": path, "command": command} for path, command in caches],
        "events": [Event(*event)._asdict() for event in events],
    }
