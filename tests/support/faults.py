# SPDX-License-Identifier: GPL-2.0-or-later
"""The table of what became of all tries, and the faults that toy is known to have."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

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


KNOWN: tuple[Known, ...] = ()


@dataclass
class Row:
    """What became of all tries with one fault."""

    tried: int = 0
    survived: int = 0
    known: int = 0
    mended: Counter[str] = field(default_factory=Counter)

    def add(self, other: "Row") -> None:
        """Add another row to this one."""
        self.tried += other.tried
        self.survived += other.survived
        self.known += other.known
        self.mended += other.mended


def reason(scenario: str, fault: str, outcome: Outcome, wrong: str) -> str | None:
    """Return why this goes wrong, if that is known."""
    for each in KNOWN:
        pairs = ((each.scenario, scenario), (each.fault, fault), (each.step, str(outcome.step)), (each.wrong, wrong))
        if all(re.match(pattern, text) for pattern, text in pairs):
            return each.reason
    return None


def table(properties: Iterable[tuple[str, object]]) -> list[str]:
    """Return the lines of the table, of what tests recorded as "torture": JSON of rows by scenario and fault."""
    rows: dict[str, Row] = {}
    for name, value in properties:
        if name == "torture":
            for title, numbers in json.loads(str(value)).items():
                row = Row(numbers["tried"], numbers["survived"], numbers["known"], Counter(numbers["mended"]))
                rows.setdefault(title, Row()).add(row)
    if not rows:
        return []
    lines = ["| at | fault | points tried | survived | known to fail | what was mended by the next launch |"]
    lines.append("|---|---|---|---|---|---|")
    for title, row in sorted(rows.items()):
        mended = ", ".join(f"{part} {count}" for part, count in row.mended.most_common())
        lines.append(f"| {title} | {row.tried:,} | {row.survived:,} | {row.known:,} | {mended or 'nothing'} |")
    return lines
