"""Line plots as SVG files, the same bytes for the same figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "hegui", "svg.fonttype": "none", "font.size": 9})

from matplotlib import pyplot as plt  # noqa: E402 - after the choice of the backend

Points = Sequence[tuple[float, float]]


def plot(
    file: Path,
    title: str,
    across: str,
    up: str,
    lines: Mapping[str, Points],
    *,
    log_x: bool = False,
    log_y: bool = False,
) -> None:
    """Write one plot: name of a line to its points."""
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    for name, points in lines.items():
        axes.plot([x for x, _ in points], [y for _, y in points], marker="o", markersize=3, label=name)
    axes.set(title=title, xlabel=across, ylabel=up)
    if log_x:
        axes.set_xscale("log")
    if log_y:
        axes.set_yscale("log")
    else:
        axes.set_ylim(bottom=0)
    axes.grid(visible=True, alpha=0.3)
    if len(lines) > 1:
        axes.legend()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
