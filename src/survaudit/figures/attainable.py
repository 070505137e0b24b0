"""How far the test of a panel can go."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from survaudit.figures.style import ALERT, GROUP_STYLES, INK, KIND_COLOURS, QUIET, name_kind, wear_kind


def draw_ranges(extremes: pd.DataFrame, critical: float) -> Figure:
    """Draw the range of each panel's chi-square, with the side that it favours.

    Parameters
    ----------
    extremes : pandas.DataFrame
        ``panel``, ``signed`` (the chi-square, negative where it favours the first group), ``first`` and
        ``second`` (the groups), two or more rows a panel.
    critical : float
        The chi-square of the usual level.
    """
    panels = list(dict.fromkeys(extremes["panel"]))
    figure = Figure(figsize=(7.2, 0.75 * len(panels) + 1.5), layout="constrained")
    axis = figure.subplots()
    reach = 1.12 * float(extremes["signed"].abs().max())
    for y, letter in enumerate(panels):
        rows = extremes[extremes["panel"] == letter]
        axis.plot([rows["signed"].min(), rows["signed"].max()], [y, y], color=KIND_COLOURS["COMPATIBLE"], linewidth=5,
                  solid_capstyle="butt", alpha=0.55)  # fmt: skip
        axis.plot(rows["signed"], [y] * len(rows), "o", color=INK, markersize=5)
        for column, side, x in (("first", "left", -reach), ("second", "right", reach)):
            group = str(rows[column].iloc[0])
            axis.text(x, y - 0.28, group, ha=side, va="center", color=GROUP_STYLES[group].words, fontsize=9)
    for value in (-critical, critical):
        axis.axvline(value, color=ALERT, linewidth=1, linestyle="--")
    axis.axvline(0, color=QUIET, linewidth=0.8)
    axis.set_yticks(range(len(panels)), [f"Panel {letter}" for letter in panels])
    axis.set(ylim=(len(panels) - 0.5, -0.6), xlim=(-1.02 * reach, 1.02 * reach))
    axis.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axis.set_xlabel("Log-rank chi-square, on the side of the group that it favours")
    name_kind(figure, "COMPATIBLE", "how far each test can go")
    wear_kind(axis, "COMPATIBLE")
    return figure
