# SPDX-License-Identifier: GPL-2.0-or-later
"""What a launch costs over the number of packages, as a picture."""

from collections.abc import Mapping
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
from matplotlib import pyplot

SERIES = {
    "every header imported, as the first toy did": ("#b03030", "s"),
    "toy, first launch of a machine": ("#c08020", "^"),
    "toy, after an update of the host": ("#3060b0", "v"),
    "toy, nothing changed": ("#207040", "o"),
    "systemd-nspawn alone": ("#808080", "x"),
}


def draw(path: Path, costs: Mapping[str, Mapping[str, float]], *, title: str) -> None:
    """Draw seconds by series and number of packages into an SVG file."""
    mpl.rcParams |= {"svg.hashsalt": "toy", "svg.fonttype": "none", "font.size": 10}
    figure, axes = pyplot.subplots(figsize=(7.5, 4.2), layout="constrained")
    for label, (color, marker) in SERIES.items():
        counts = sorted(map(int, costs[label]))
        axes.plot(counts, [costs[label][str(count)] for count in counts], color=color, marker=marker, label=label)
    axes.set(xscale="log", yscale="log", xlabel="packages on the host", ylabel="seconds", title=title)
    axes.set_xticks(counts, map(str, counts))
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)
    figure.savefig(path, metadata={"Date": None})
