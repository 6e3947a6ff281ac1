# SPDX-License-Identifier: GPL-2.0-or-later
"""The stamp of a header set: what its rpm database looked like when the set was made from it.

A set whose stamp does not match the database is brought up to date before anything trusts it.
"""

import hashlib
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

_LONGEST = 4 << 20
"""Most bytes of a stamp's text: 10,000 packages in as many transactions make 0.2 MB; an overlay may bring anything."""


_MOST = 1_000_000
"""Most packages in a stamp: an overlay may claim any number, and `transactions` has each of them."""


class Stamp(NamedTuple):
    """One state of a database, as `rpmdb.Database.stamp` sees it without reading a header.

    rpm's own cookie is made of names and hdrNums. So it stays the same if, in a database that was rebuilt or put back,
    a hdrNum belongs to another version. The transaction that installed that is another one, though.
    """

    names: str
    """A digest of the package names, with their hdrNums."""
    runs: tuple[tuple[int, int, int], ...]
    """(first hdrNum, last hdrNum, id of the transaction that installed them), ascending."""

    @classmethod
    def of(cls, packages: Mapping[str, Sequence[int]], transactions: Mapping[int, int]) -> "Stamp":
        """Make the stamp of a database from the hdrNums of each name and the transaction id of each hdrNum."""
        runs: list[tuple[int, int, int]] = []
        for number, tid in sorted(transactions.items()):
            if runs and runs[-1][1:] == (number - 1, tid):
                runs[-1] = (runs[-1][0], number, tid)
            else:
                runs.append((number, number, tid))
        return cls(hashlib.sha256(repr(sorted(packages.items())).encode()).hexdigest(), tuple(runs))

    @property
    def transactions(self) -> dict[int, int]:
        """The transaction id of each hdrNum."""
        return {number: tid for first, last, tid in self.runs for number in range(first, last + 1)}

    def added_since(self, earlier: "Stamp") -> list[int] | None:
        """Return the hdrNums that were added since, or None if this database does not continue the earlier one.

        rpm counts upwards: in a database that was not renumbered, replaced or put back, every hdrNum up to the
        earlier one's last is either gone or what it was.
        """
        known = earlier.transactions
        last = max(known, default=0)
        added = []
        for number, tid in self.transactions.items():
            if number > last:
                added.append(number)
            elif known.get(number) != tid:
                return None
        return added

    def to_bytes(self) -> bytes:
        """Return the stamp as it is stored. It is small, since it is written with each change of a set.

        It is compressed text: a line with the digest, then one for each run, as differences from the run before.
        """
        before = (0, 0, 0)
        lines = [self.names]
        for run in self.runs:
            lines.append(f"{run[0] - before[1]} {run[1] - run[0]} {run[2] - before[2]}")
            before = run
        return zlib.compress("\n".join(lines).encode())

    @classmethod
    def from_bytes(cls, content: bytes) -> "Stamp":
        """Read a stored stamp. Raises ValueError if it is not one."""
        engine = zlib.decompressobj()
        try:
            names, *lines = engine.decompress(content, _LONGEST).decode().split("\n")
        except zlib.error as error:
            raise ValueError(*error.args) from None
        if not engine.eof:
            raise ValueError("it has no end")
        runs: list[tuple[int, int, int]] = []
        last = tid = 0
        for line in lines:
            gap, length, step = map(int, line.split())
            last += gap + length
            tid += step
            runs.append((last - length, last, tid))
        return cls.checked(names, runs)

    @classmethod
    def checked(cls, names: str, runs: Sequence[tuple[int, int, int]]) -> "Stamp":
        """Return a stamp made of untrusted values. Raises ValueError if no database can have it."""
        before = count = 0
        for first, last, _ in runs:
            count += last - first + 1
            if not before < first <= last or count > _MOST:
                raise ValueError("no database is like that")
            before = last
        return cls(names, tuple(runs))
