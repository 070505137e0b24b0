"""Survival curves as papers print them: steps, censoring ticks, numbers at risk under the axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from survaudit.figures.style import DAYS_PER_MONTH, GROUP_STYLES, PUBLIC, GroupStyle, name_kind
from survaudit.survival.curves import KaplanMeier


def draw_curves(axis: Axes, curves: Sequence[KaplanMeier], styles: Sequence[GroupStyle]) -> None:
    """Draw Kaplan-Meier curves with censoring ticks, and numbers at risk aligned under the axis.

    Parameters
    ----------
    axis : Axes
        Where to draw.
    curves : sequence of KaplanMeier
        Their labels head the rows of numbers at risk.
    styles : sequence of GroupStyle, same length
    """
    last = max(float(curve.times[-1]) for curve in curves)
    ticks = nice_months(last / DAYS_PER_MONTH)
    for curve, style in zip(curves, styles, strict=True):
        months = np.concatenate([[0.0], curve.times / DAYS_PER_MONTH])
        survival = np.concatenate([[1.0], curve.survival])
        label = f"{curve.label} (n = {curve.n}, events {curve.n_events})"
        axis.step(months, survival, where="post", color=style.colour, linestyle=style.line, linewidth=1.8, label=label)
        censored = curve.censored > 0
        axis.plot(months[1:][censored], survival[1:][censored], "|", color=style.colour, markersize=7)
    axis.set(ylim=(-0.02, 1.02), xlim=(-0.02 * ticks[-1], None), ylabel="Survival", xlabel="Months")
    axis.set_xticks(ticks)
    axis.legend(fontsize="small", loc="best")
    _draw_at_risk(axis, curves, styles, ticks)


def draw_survival(curves: Sequence[KaplanMeier]) -> Figure:
    """Draw the curves of up to three groups of a public cohort, in the order given."""
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    draw_curves(figure.subplots(), curves, list(GROUP_STYLES.values())[: len(curves)])
    name_kind(figure, PUBLIC, "survival by group")
    return figure


def nice_months(last: float) -> list[int]:
    """Return four to seven round numbers of months from 0 to the last one shown.

    The last number may lie a day beyond the last month: curves that end within a day of 24 months reach 24.

    Examples
    --------
    >>> nice_months(23.98)
    [0, 6, 12, 18, 24]
    """
    step = next(step for step in (1, 2, 3, 6, 12, 24, 36, 60, 120, 240, 1200) if last / step <= 6)
    return list(range(0, int(last + 1 / DAYS_PER_MONTH) + 1, step))


def _draw_at_risk(
    axis: Axes, curves: Sequence[KaplanMeier], styles: Sequence[GroupStyle], ticks: Sequence[int]
) -> None:
    """Write the numbers at risk under the ticks, a row a curve, at a distance in points from the axis."""
    size = mpl.rcParams["font.size"]
    place: dict[str, Any] = {"textcoords": "offset points", "va": "top", "fontsize": "small"}
    below = -3.6 * size  # under the ticks and the axis label
    axis.annotate("At risk", (0, 0), (0, below), xycoords="axes fraction", ha="left", **place)
    for row, (curve, style) in enumerate(zip(curves, styles, strict=True), start=1):
        y = below - 1.25 * size * row
        axis.annotate(
            curve.label, (0, 0), (-1.2 * size, y), xycoords="axes fraction", ha="right", color=style.words, **place
        )
        for tick, count in zip(ticks, curve.at_risk_at(np.array(ticks) * DAYS_PER_MONTH), strict=True):
            at: dict[str, Any] = {"xycoords": axis.get_xaxis_transform(), "ha": "center", "color": style.words}
            axis.annotate(str(int(count)), (tick, 0), (0, y), **at, **place)
