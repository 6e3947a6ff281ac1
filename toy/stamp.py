# SPDX-License-Identifier: GPL-2.0-or-later
"""The stamp of a database: what it looked like when its header set was brought in line."""

import json
from typing import NamedTuple


class Stamp(NamedTuple):
    """One state of a database, as `rpmdb.Database.stamp` sees it without reading a header.

    rpm's cookie is made of names and hdrNums: another version under a known hdrNum, in a database that was
    rebuilt or put back, has the same one. The transaction that installed it is another one, though.
    """

    cookie: str
    runs: tuple[tuple[int, int, int], ...]
    """(first hdrNum, last hdrNum, id of the transaction that installed them), ascending."""

    @classmethod
    def of(cls, cookie: str, transactions: dict[int, int]) -> "Stamp":
        """Make the stamp of a database from its cookie and the transaction id of each hdrNum."""
        runs: list[tuple[int, int, int]] = []
        for number, tid in sorted(transactions.items()):
            if runs and runs[-1][1:] == (number - 1, tid):
                runs[-1] = (runs[-1][0], number, tid)
            else:
                runs.append((number, number, tid))
        return cls(cookie, tuple(runs))

    @property
    def transactions(self) -> dict[int, int]:
        """The transaction id of each hdrNum."""
        return {number: tid for first, last, tid in self.runs for number in range(first, last + 1)}

    def added_since(self, earlier: "Stamp") -> list[int] | None:
        """Return the hdrNums that came since, or None if this database does not continue the earlier one.

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

    def to_json(self) -> bytes:
        """Return the stamp as it is stored."""
        return json.dumps(self, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, content: bytes) -> "Stamp":
        """Read a stored stamp. Raises ValueError if it is not one."""
        try:
            cookie, runs = json.loads(content)
            return cls(str(cookie), tuple((int(first), int(last), int(tid)) for first, last, tid in runs))
        except TypeError as error:
            raise ValueError(*error.args) from None
