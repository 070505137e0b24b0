"""The panels of Supplementary Figure 1, of each kind: what is pinned down, what is compatible, one example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from survaudit.cohort.panels import PANELS, Panel
from survaudit.comparison import Comparison
from survaudit.ensemble import Compared
from survaudit.figures.curves import draw_curves, nice_months
from survaudit.figures.intervals import bounds_key, draw_bounds_of
from survaudit.figures.style import (
    DAYS_PER_MONTH,
    GROUP_STYLES,
    INK,
    KIND_COLOURS,
    QUIET,
    wear_kind,
)
from survaudit.survival import KaplanMeier

# A wide figure is shown smaller than it is drawn: its letters must be larger.
_WIDE: dict[Any, Any] = {"font.size": 13, "axes.titlesize": 14}
_PRIOR_LINES = ("-", "--", "-.", ":")
_LEVEL = 0.05


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
    figure.suptitle(
        f"{comparison.kind}: {panel.title}", color=KIND_COLOURS[comparison.kind], fontweight="bold", x=0.02, ha="left"
    )
    axis.set_title("\n".join(_statistics(comparison)), fontweight="normal", fontsize=9.5)
    return figure


def _draw_comparison(axis: Axes, comparison: Comparison) -> None:
    draw_curves(axis, comparison.curves, [GROUP_STYLES[curve.label] for curve in comparison.curves])
    wear_kind(axis, comparison.kind)


def _statistics(comparison: Comparison) -> list[str]:
    """Return what stands over a panel: the test, the ratio, the medians and the difference of means."""
    ratio, lower, upper = comparison.hazard_ratio
    hazard = "not estimable" if np.isnan(ratio) else f"{ratio:.2f} ({lower:.2f} to {upper:.2f})"
    medians = ", ".join(
        f"{curve.label} " + ("not reached" if np.isnan(curve.median) else f"{curve.median / DAYS_PER_MONTH:.1f}")
        for curve in comparison.curves
    )
    gap = comparison.difference
    estimate, lower_gap, upper_gap = (days / DAYS_PER_MONTH for days in (gap.estimate, gap.lower, gap.upper))
    means = f"{estimate:.1f} ({lower_gap:.1f} to {upper_gap:.1f}) months"
    second = comparison.curves[1].label
    return [
        f"log-rank P = {comparison.log_rank.p:.2g};  hazard ratio of {second} {hazard}",
        f"medians in months: {medians}",
        f"difference of restricted means, to month {gap.tau_days / DAYS_PER_MONTH:.0f}: {means}",
    ]


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
    figure.suptitle(f"{kind}: {title}", color=KIND_COLOURS[kind], fontweight="bold", x=0.02, ha="left")
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
    left.legend(fontsize="small", loc="upper right")
    left.set_title("Curves", fontsize=10)
    _draw_p_values(right, compared)
    figure.suptitle(
        f"COMPATIBLE: {panel.title}", color=KIND_COLOURS["COMPATIBLE"], fontweight="bold", x=0.02, ha="left"
    )
    return figure


def _draw_bands(axis: Axes, bands: pd.DataFrame) -> None:
    for group, rows in bands.groupby("group", sort=False):
        style = GROUP_STYLES[str(group)]
        months = rows["time_days"] / DAYS_PER_MONTH
        for low, high, alpha in (("q05", "q95", 0.18), ("q25", "q75", 0.3)):
            axis.fill_between(months, rows[low], rows[high], step="post", color=style.colour, alpha=alpha, linewidth=0)
        axis.step(months, rows["q50"], where="post", color=style.colour, linestyle=style.line, linewidth=1.8,
                  label=f"{group} (n = {rows['n'].iloc[0]})")  # fmt: skip
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
    axis.legend(fontsize="small", loc="lower right", title="prior", title_fontsize="small")
    axis.set_title("Tests, prior predictive", fontsize=10)
    wear_kind(axis, "COMPATIBLE")


def draw_six_identified(bounds: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the bounds of all six panels in the layout of Supplementary Figure 1.

    Parameters
    ----------
    bounds : mapping of str to pandas.DataFrame
        By letter, what ``bounds_by_group`` returns for the panel's groups.
    """
    with mpl.rc_context(_WIDE):
        figure, axes = _six("IDENTIFIED")
        edge = max(24.0, *(float(table["time_days"].max()) / DAYS_PER_MONTH for table in bounds.values()))
        for letter, axis in axes.items():
            for group in PANELS[letter].groups:
                table = bounds[letter]
                draw_bounds_of(axis, table[table["group"] == group], edge)
                axis.plot([], [], color=GROUP_STYLES[group].colour, linestyle=GROUP_STYLES[group].line, label=group)
            axis.set_ylabel("Survival")
            axis.legend(fontsize="small", loc="center right")
        figure.legend(handles=bounds_key(), loc="outside lower center", ncols=2)
    return figure


def draw_six_compatible(bands: Mapping[str, pd.DataFrame], compared: Mapping[str, Compared]) -> Figure:
    """Draw the bands of all six panels in the layout of Supplementary Figure 1.

    Parameters
    ----------
    bands : mapping of str to pandas.DataFrame
        By letter, what ``ensemble.bands`` returns for the panel's groups.
    compared : mapping of str to Compared
        By letter, the tests under the prior of the bands.
    """
    with mpl.rc_context(_WIDE):
        figure, axes = _six("COMPATIBLE")
        for letter, axis in axes.items():
            _draw_bands(axis, bands[letter])
            share = f"P < {_LEVEL} in {compared[letter].share(_LEVEL):.0%}, prior predictive"
            axis.legend(fontsize="small", loc="upper right", title=share, title_fontsize="small")
    return figure


def draw_six_curves(comparisons: Mapping[str, Comparison]) -> Figure:
    """Draw all six panels of one follow-up in the layout of Supplementary Figure 1.

    Parameters
    ----------
    comparisons : mapping of str to Comparison
        By letter.
    """
    (kind,) = {comparison.kind for comparison in comparisons.values()}
    with mpl.rc_context(_WIDE):
        figure, axes = _six(kind)
        for letter, axis in axes.items():
            _draw_comparison(axis, comparisons[letter])
            ratio = comparisons[letter].hazard_ratio[0]
            p = f"log-rank P = {comparisons[letter].log_rank.p:.2g}, hazard ratio {ratio:.2f}"
            axis.legend(fontsize="small", loc="best", title=p, title_fontsize="small")
    return figure


def _six(kind: str) -> tuple[Figure, dict[str, Axes]]:
    """Return three rows of two axes, lettered as the published figure, under a title in the kind's colour."""
    figure = Figure(figsize=(11.0, 14.0), layout="constrained")
    axes = dict(zip(PANELS, figure.subplots(3, 2).ravel(), strict=True))
    for letter, axis in axes.items():
        panel = PANELS[letter]
        axis.set_title(f"{letter}   {panel.endpoint}: {panel.groups[0]} against {panel.groups[1]}")
    figure.suptitle(f"{kind}: Supplementary Figure 1", color=KIND_COLOURS[kind], fontweight="bold", x=0.02, ha="left")
    return figure, axes
