"""Figures of how far a panel can go: the range of its test, and the relapses that would tip it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from survaudit.figures.style import ALERT, GROUP_STYLES, INK, KIND_COLOURS, QUIET, ink_on, name_kind, wear_kind
from survaudit.follow_up.tipping import Tipping


def draw_ranges(extremes: pd.DataFrame, critical: float) -> Figure:
    """Draw the attained range of each panel's chi-square, with the side that it favours.

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


def draw_tipping(found: Sequence[Tipping]) -> Figure:
    """Draw in what share of follow-ups the advantage holds, by how many relapse and how late, a map a panel.

    Parameters
    ----------
    found : sequence of Tipping
    """
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axes = figure.subplots(1, len(found), sharey=True)
    grid: dict[str, Any] = {"cmap": "Greys", "vmin": 0, "vmax": 1.25, "aspect": "auto", "origin": "lower"}
    for axis, own in zip(axes, found, strict=True):
        image = axis.imshow(own.significant, **grid)
        for (k, delay), share in np.ndenumerate(own.significant):
            ink = ink_on(image.to_rgba(share)[:3])
            axis.text(delay, k, f"{100 * share:.0f}", ha="center", va="center", color=ink, fontsize=8)
        axis.set_xticks(range(len(own.delays)), [str(day) for day in own.delays])
        axis.set(xlabel="Days from transplantation to relapse", title=f"Panel {own.panel}")
        axis.set_yticks(range(own.n[1] + 1))
        wear_kind(axis, "COMPATIBLE")
    axes[0].set_ylabel("Relapses among the transplanted")
    name_kind(figure, "COMPATIBLE", "% of follow-ups with an advantage, P < 0.05")
    return figure
