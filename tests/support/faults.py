# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of what became of all tries, and the faults that toy is known to have."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import stepper
from stepper import INSIDE, TOY
from torture import Outcome


@dataclass(frozen=True)
class Known:
    """A fault that toy has now: what goes wrong, and why."""

    scenario: str
    """A pattern, as the others; all must match from the beginning."""
    fault: str
    step: str
    wrong: str
    reason: str


KNOWN = (
    Known(
        *(".*", ".*", ".*", r"said without reason: \['kept: /var/[^']*'(, 'kept: /var/[^']*')*\]$"),
        "a plan that is carried out once more, after /var was seeded, takes what came from the host for the user's",
    ),
    Known(
        "surroundings",
        ".*",
        ".*",
        r"2 paths differ: overlay/etc/alternatives/edi .*; var/lib/alternatives/edi [^;]*$",
        "update-alternatives that was killed in the overlay is not run again, only said to be stale",
    ),
)


@dataclass
class Row:
    """What became of all tries with one fault."""

    tried: int = 0
    survived: int = 0
    failed: int = 0
    """For reasons that are known."""
    known: Counter[str] = field(default_factory=Counter)
    """How often which reason was met."""
    mended: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Row") -> None:
        """Add another row to this one."""
        self.tried += other.tried
        self.survived += other.survived
        self.failed += other.failed
        self.known += other.known
        self.mended += other.mended


def reason(scenario: str, fault: str, outcome: Outcome, wrong: str) -> str | None:
    """Return why this goes wrong, if that is known."""
    for each in KNOWN:
        pairs = ((each.scenario, scenario), (each.fault, fault), (each.step, str(outcome.step)), (each.wrong, wrong))
        if all(re.match(pattern, text) for pattern, text in pairs):
            return each.reason
    return None


_TITLES = {
    (stepper.KILL_ALL, TOY): "all processes killed at once",
    (stepper.ENOSPC, TOY): "disk full (ENOSPC)",
    (stepper.EIO, TOY): "disk broken (EIO)",
    (stepper.INT, TOY): "^C (SIGINT to the process group)",
    (stepper.TERM, TOY): "SIGTERM to toy",
    (stepper.KILL, INSIDE): "process inside killed",
    (stepper.KILL_ALL, INSIDE): "all killed while one inside works",
}


def title(scenario: str, fault: str, whose: str) -> str:
    """Return the first cell of the row of a fault."""
    return _TITLES.get((fault, whose), f"process of toy killed: {scenario}")


def table(properties: Iterable[tuple[str, object]]) -> list[str]:
    """Return the lines of the table, of what tests recorded as "torture": JSON of rows by their first cell.

    Below it are the reasons for what is known to fail.
    """
    rows: dict[str, Row] = {}
    seeds = set()
    for name, value in properties:
        if name == "torture seed":
            seeds.add(str(value))
        if name == "torture":
            for cell, numbers in json.loads(str(value)).items():
                row = Row(**numbers)
                row.known, row.mended = Counter(row.known), Counter(row.mended)
                rows.setdefault(cell, Row()).add(row)
    if not rows:
        return []
    reasons: Counter[str] = Counter()
    lines = ["| fault | points tried | survived | known to fail | half done, and mended |", "|---|---|---|---|---|"]
    for cell, row in sorted(rows.items()):
        mended = ", ".join(f"{part} {count}" for part, count in row.mended.most_common())
        reasons += row.known
        lines.append(f"| {cell} | {row.tried:,} | {row.survived:,} | {row.failed:,} | {mended or 'nothing'} |")
    lines.insert(0, f"torture with seed {', '.join(seeds)}:")
    return [*lines, *(f"known: {count} × {reason}" for reason, count in reasons.most_common())]
