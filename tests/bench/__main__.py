# SPDX-License-Identifier: GPL-2.0-or-later
"""make bench: what toy costs, next to the real command that it should be measured against.

Writes results.json and launch.svg beside this file, and prints the table. To be run in a mount namespace of its own.
"""

import dataclasses
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE)]

import headers  # noqa: E402
import image  # noqa: E402
import picture  # noqa: E402
import rows  # noqa: E402
from host import Host  # noqa: E402
from packages import build  # noqa: E402
from rows import Row, row  # noqa: E402
from stage import FILE_SYSTEMS, Stage, file_system  # noqa: E402

SIZES = (500, 2000, 5000, 10000)
Costs = dict[str, dict[str, float]]


class Bench:
    """All that is measured, with what it needs."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._like = image.make(directory / "image")
        self._models = headers.models(self._like, directory / "models")
        self._rpms = directory / "rpms"
        self._rpms.mkdir()
        with Host(directory / "build", like=self._like, binds={self._rpms: "/srv/bench"}) as host:
            build(host, rows.PACKAGES, "/srv/bench")

    def stage(self, root: Path, count: int, name: str = "stage") -> Stage:
        """Make a host on a file system."""
        return Stage(root / name, like=self._like, models=self._models, count=count, rpms=self._rpms)

    def launches(self, kind: str, factor: int) -> Iterator[Row]:
        """Measure launches at 2,000 packages on one kind of file system."""
        with file_system(kind, self._directory) as root, self.stage(root, 2000) as stage:
            yield row(
                "`toy -- true`, nothing changed", "the same nspawn, mounted already", "≤ 1.4", stage,
                partial(rows.warm, stage), stage.bare, file_system=kind, runs=21,
            )  # fmt: skip
            with rows.Entered(stage) as entered:
                yield row(
                    "`toy -- true` joins a machine", "the same nspawn, mounted already", "≤ 0.3", stage,
                    entered.join, stage.bare, file_system=kind, runs=21,
                )  # fmt: skip
                yield row(
                    "1 GiB through `toy -- cat`", "through `cat`", "≤ 1.2", stage,
                    partial(entered.pipe, "toy", "--"), entered.pipe, file_system=kind,
                )  # fmt: skip
            yield row(
                "first launch of a machine", "`rpmdb --importdb` of all", f"≥ {factor}", stage,
                partial(rows.first, stage), partial(rows.imported, stage), file_system=kind,
            )  # fmt: skip
            updates = rows.Updates(stage)
            yield row(
                "launch after an update of 20, overlay of 10", "`rpmdb --importdb` of all", f"≥ {factor}", stage,
                updates, partial(rows.imported, stage), file_system=kind,
            )  # fmt: skip
            yield row(
                "the launch that follows at once", "`toy -- true`, nothing changed", "≤ 1.3", stage,
                updates.again, partial(rows.warm, stage), file_system=kind,
            )  # fmt: skip

    def packages(self) -> Iterator[Row]:
        """Measure what installing costs at 2,000 packages."""
        kind = "ext4"
        with file_system(kind, self._directory) as root, self.stage(root, 2000) as stage:
            dumps = rows.Dumps(stage)
            yield row(
                "written by a dump after one package changed", "its header file", "≤ 4", stage,
                dumps.written, dumps.header, file_system=kind, unit="B",
            )  # fmt: skip
            yield row(
                "`zypper in hello` in the overlay with the plugin", "without it", "≤ 1.05", stage,
                partial(rows.zypper, stage, plugin=""), partial(rows.zypper, stage, plugin=None),
                file_system=kind, runs=61,
            )  # fmt: skip
            yield row(
                "the same", "with a plugin that only answers", "≤ 1.02", stage,
                partial(rows.zypper, stage, plugin=""), partial(rows.zypper, stage, plugin=rows.IDLE_PLUGIN),
                file_system=kind, runs=61,
            )  # fmt: skip
            with self.stage(root, 2000, "without") as without:
                without.run(*without.rpm, "--erase", "--nodeps", "toy")
                with_toy, without_toy = rows.Upgrades(stage), rows.Upgrades(without)
                yield row(
                    "`rpm -U` of 100 packages with toy installed", "without", "≤ 1.15", stage,
                    with_toy, without_toy, file_system=kind,
                )  # fmt: skip

    def sizes(self, costs: Costs) -> Iterator[Row]:
        """Measure what should not grow with the number of packages; `costs` gets what the picture shows."""
        kind = "ext4"
        with file_system(kind, self._directory) as root:
            small = self.stage(root, SIZES[0], "small")
            for count in SIZES:
                with self.stage(root, count, f"{count}") as stage:
                    self._cost(stage, costs)
                    if count in (2000, 10000):
                        yield row(
                            "`%filetriggerin` once", "`python3 -c 'import rpm'`", "≤ 2", stage,
                            partial(rows.trigger, stage), partial(rows.import_rpm, stage),
                            file_system=kind,
                        )  # fmt: skip
                    if count == SIZES[-1]:
                        with small:
                            yield row(
                                "`toy -- true`, nothing changed", f"the same with {SIZES[0]}", "≤ 1.2", stage,
                                partial(rows.warm, stage), partial(rows.warm, small),
                                file_system=kind, runs=21,
                            )  # fmt: skip

    def memory(self) -> Iterator[Row]:
        """Measure how much memory toy takes with few and with many packages."""
        kind = "ext4"
        with (
            file_system(kind, self._directory) as root,
            self.stage(root, SIZES[0], "small") as small,
            self.stage(root, SIZES[-1], "large") as large,
        ):
            yield row(
                "peak memory of a process of toy's", f"the same with {SIZES[0]}", "≤ 1.5", large,
                partial(rows.memory, large), partial(rows.memory, small),
                file_system=kind, unit="MiB", runs=1,
            )  # fmt: skip

    def _cost(self, stage: Stage, costs: Costs) -> None:
        imported, first, updated, warm, bare = picture.SERIES
        self._note(stage, costs, imported, partial(rows.imported, stage))
        self._note(stage, costs, first, partial(rows.first, stage))
        self._note(stage, costs, updated, rows.Updates(stage))
        self._note(stage, costs, warm, partial(rows.warm, stage))
        self._note(stage, costs, bare, stage.bare)

    @staticmethod
    def _note(stage: Stage, costs: Costs, label: str, measure: Callable[[], float]) -> None:
        runs = [measure() for _ in range(3)]
        costs.setdefault(label, {})[str(stage.packages)] = statistics.median(runs)


def table(measured: list[Row]) -> str:
    """Return the rows as Markdown."""
    lines = ["| what | against | packages, file system | ours | theirs | ratio | goal |", "|" + 7 * "---|"]
    for each in measured:
        digits = 3 if each.unit == "s" else 0
        ours, theirs = (f"{value:,.{digits}f} {each.unit}" for value in (each.ours, each.theirs))
        missed = "" if each.reached else " (missed)"
        lines.append(
            f"| {each.what} | {each.against} | {each.packages:,}, {each.file_system} | {ours} | {theirs} |"
            f" {each.ratio:.{2 if each.ratio < 10 else 0}f} | {each.goal}{missed} |"
        )
    return "\n".join(lines)


def machine() -> str:
    """Return what all this was run on."""
    systemd, rpm = (
        subprocess.run([tool, "--version"], capture_output=True, text=True, check=True).stdout.split()
        for tool in ("systemd-nspawn", "rpm")
    )
    return (
        f"{os.cpu_count()} CPUs, Linux {platform.release()}, Python {platform.python_version()}, rpm {rpm[-1]} with"
        f" sqlite, systemd {systemd[1]}, file systems on loop devices"
    )


def main() -> None:
    """Measure everything, or the groups that are named; results of the others stay."""
    wanted = sys.argv[1:] or [*FILE_SYSTEMS, "packages", "sizes", "memory"]
    stored = HERE / "results.json"
    results = json.loads(stored.read_text()) if stored.exists() else {"rows": {}, "launches": {}}
    with tempfile.TemporaryDirectory(prefix="toy-bench.", dir="/var/tmp") as directory:
        bench = Bench(Path(directory))
        groups = {kind: bench.launches(kind, 10 if kind == "ext4" else 20) for kind in FILE_SYSTEMS}
        costs: Costs = {}
        groups |= {"packages": bench.packages(), "sizes": bench.sizes(costs), "memory": bench.memory()}
        for name in wanted:
            results["rows"][name] = []
            for each in groups[name]:
                print(table([each]).splitlines()[-1], flush=True)
                results["rows"][name].append(dataclasses.asdict(each))
    results["machine"] = machine()
    results["launches"] = costs or results["launches"]
    stored.write_text(json.dumps(results, indent=1) + "\n")
    picture.draw(
        HERE / "launch.svg", results["launches"], title="What a launch takes (ext4, 10 packages in the overlay)"
    )
    measured = [Row(**each) for name in groups for each in results["rows"].get(name, [])]
    print(f"\n{table(measured)}\n\n{machine()}")
    if not all(each.reached for each in measured):
        sys.exit("not all goals were reached")


if __name__ == "__main__":
    main()
