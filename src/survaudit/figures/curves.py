"""Survival curves as papers print them: steps, censoring ticks, numbers at risk under the axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from survaudit.figures.style import INK, GroupStyle
from survaudit.survival import KaplanMeier

DAYS_PER_MONTH = 30.4375


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


def nice_months(last: float) -> list[int]:
    """Return four to seven round numbers of months from 0 to the last one shown."""
    step = next(step for step in (1, 2, 3, 6, 12, 24, 36, 60, 120, 240, 1200) if last / step <= 6)
    return list(range(0, int(last) + 1, step))


def _draw_at_risk(
    axis: Axes, curves: Sequence[KaplanMeier], styles: Sequence[GroupStyle], ticks: Sequence[int]
) -> None:
    """Write the numbers at risk under the ticks, a row a curve, in the axis' own coordinates."""
    transform = axis.get_xaxis_transform()
    axis.text(0, -0.27, "At risk", color=INK, ha="left", va="top", transform=transform, fontsize="small")
    for row, (curve, style) in enumerate(zip(curves, styles, strict=True)):
        y = -0.34 - 0.07 * row
        for tick, count in zip(ticks, curve.at_risk_at(np.array(ticks) * DAYS_PER_MONTH), strict=True):
            axis.text(
                tick,
                y,
                str(int(count)),
                color=style.colour,
                ha="center",
                va="top",
                transform=transform,
                fontsize="small",
            )
