"""The panels of Supplementary Figure 1, of each kind: what is pinned down, what is compatible, one example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from survaudit.cohort.panels import Panel
from survaudit.figures.curves import draw_curves, nice_months
from survaudit.figures.style import DAYS_PER_MONTH, GROUP_STYLES, INK, ON_DATA, QUIET, name_kind, wear_kind
from survaudit.follow_up.comparison import Comparison
from survaudit.follow_up.ensemble import Compared
from survaudit.survival.curves import KaplanMeier

_PRIOR_LINES = ("-", "--", "-.", ":")
_LEVEL = 0.05
# A median lies in bands of its own colour: without a white edge it would be lost in them.
_HALO = [withStroke(linewidth=3.6, foreground="white")]
# Where a legend lies over an axis, and so over no data.
_OVER: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (0, 1), "borderaxespad": 0.5, "borderpad": 0}


def draw_panel(comparison: Comparison, panel: Panel) -> Figure:
    """Draw one panel as papers print it, marked with its kind.

    Parameters
    ----------
    comparison : Comparison
        Of the two groups of the panel.
    panel : Panel
    """
    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    axis = figure.subplots()
    _draw_comparison(axis, comparison)
    name_kind(figure, comparison.kind, panel.title, ", panel ")
    axis.set_title("\n".join(_statistics(comparison)), fontweight="normal", fontsize=9.5)
    return figure


def _draw_comparison(axis: Axes, comparison: Comparison) -> None:
    draw_curves(axis, comparison.curves, [GROUP_STYLES[curve.label] for curve in comparison.curves])
    wear_kind(axis, comparison.kind)


def _statistics(comparison: Comparison) -> list[str]:
    """Return what stands over a panel: the test, the ratio, the medians and the difference of means."""
    first, second = (curve.label for curve in comparison.curves)
    ratio, *limits = comparison.hazard_ratio
    hazard = "not estimable"
    if comparison.hazards is not None and not np.isnan(ratio):
        hazard = f"{ratio:.2f} ({_interval(comparison.hazards.level, limits, 2)})"
    medians = ", ".join(
        f"{curve.label} " + ("not reached" if np.isnan(curve.median) else f"{curve.median / DAYS_PER_MONTH:.1f}")
        for curve in comparison.curves
    )
    gap = comparison.difference
    estimate, *limits = (days / DAYS_PER_MONTH for days in (gap.estimate, gap.lower, gap.upper))
    means = f"{estimate:.1f} months ({_interval(gap.level, limits, 1)})"
    lines = [
        f"log-rank P = {comparison.log_rank.p:.2g};  hazard ratio of {second} to {first} {hazard}",
        f"medians in months: {medians}",
        f"restricted means to month {gap.tau_days / DAYS_PER_MONTH:.0f}, {second} less {first}: {means}",
    ]
    return [line.replace(" -", " \N{MINUS SIGN}") for line in lines]


def _interval(level: float, limits: Sequence[float], digits: int) -> str:
    """Return an interval with its level, as papers print it."""
    lower, upper = (f"{limit:.{digits}f}" for limit in limits)
    return f"{100 * level:g}% CI {lower} to {upper}"


def draw_groups(curves: Sequence[KaplanMeier], kind: str, title: str) -> Figure:
    """Draw the curves of any number of groups, marked with their kind, without a test.

    Parameters
    ----------
    curves : sequence of KaplanMeier
        Labelled with their groups.
    kind, title : str
        What kind of follow-up it is, and what is drawn.
    """
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axis = figure.subplots()
    draw_curves(axis, curves, [GROUP_STYLES[curve.label] for curve in curves])
    wear_kind(axis, kind)
    name_kind(figure, kind, title)
    return figure


def draw_compatible(bands: pd.DataFrame, compared: Mapping[str, Compared], panel: Panel) -> Figure:
    """Draw between where most compatible curves run, and how the log-rank P falls out under each prior.

    Parameters
    ----------
    bands : pandas.DataFrame
        What ``ensemble.bands`` returns for the two groups.
    compared : mapping of str to Compared
        By prior.
    panel : Panel
    """
    figure = Figure(figsize=(7.2, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_bands(left, bands)
    left.legend(fontsize="small", labelspacing=0.3, **_OVER)
    left.set_title("Curves", fontsize=10, pad=32)
    _draw_p_values(right, compared)
    name_kind(figure, "COMPATIBLE", panel.title, ", panel ")
    return figure


def _draw_bands(axis: Axes, bands: pd.DataFrame) -> None:
    for group, rows in bands.groupby("group", sort=False):
        style = GROUP_STYLES[str(group)]
        months = rows["time_days"] / DAYS_PER_MONTH
        for low, high, alpha in (("q05", "q95", 0.18), ("q25", "q75", 0.3)):
            axis.fill_between(months, rows[low], rows[high], step="post", color=style.colour, alpha=alpha, linewidth=0)
        axis.step(months, rows["q50"], where="post", color=style.colour, linestyle=style.line, linewidth=1.8,
                  label=f"{group} (n = {rows['n'].iloc[0]})", path_effects=_HALO)  # fmt: skip
    axis.set_xticks(nice_months(float(bands["time_days"].max()) / DAYS_PER_MONTH))
    axis.set(xlabel="Months", ylabel="Survival", ylim=(-0.02, 1.02))
    wear_kind(axis, "COMPATIBLE")


def _draw_p_values(axis: Axes, compared: Mapping[str, Compared]) -> None:
    for (prior, result), line in zip(compared.items(), _PRIOR_LINES, strict=True):
        label = f"{prior}: {result.share(_LEVEL):.0%} below {_LEVEL}"
        ordered = np.sort(result.p)
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        axis.plot(ordered, share, line, color=INK, linewidth=1.5, label=label)
    axis.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8)
    axis.axvline(_LEVEL, color=QUIET, linewidth=0.8)
    axis.set(xlabel="Log-rank P", ylabel="Share of follow-ups with a smaller P", xlim=(0, 1), ylim=(0, 1.02))
    axis.legend(fontsize="small", loc="lower right", title="prior", title_fontsize="small", **ON_DATA)
    axis.set_title("Tests, prior predictive", fontsize=10)
    wear_kind(axis, "COMPATIBLE")
