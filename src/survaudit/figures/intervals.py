"""Figures of what the tables pin down: each patient's interval, and the bounds on each group's curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from survaudit.cohort.endpoints import End, Endpoints, Interval
from survaudit.cohort.schema import GROUPS
from survaudit.figures.style import DAYS_PER_MONTH, GROUP_STYLES, HATCH, INK, KIND_COLOURS, QUIET, wear_kind


def draw_intervals(found: Endpoints) -> Figure:
    """Draw each patient's time as the tables leave it: surely free of the event, then unknown.

    Parameters
    ----------
    found : Endpoints
        The intervals of one endpoint. Filled ends are cells of the tables, hollow ends assumptions.
    """
    intervals = sorted(found.intervals, key=lambda own: (GROUPS.index(own.group), own.patient))
    last = max(own.right.day for own in intervals if np.isfinite(own.right.day)) / DAYS_PER_MONTH
    edge = 1.08 * max(last, 24.0)
    figure = Figure(figsize=(7.2, 0.24 * len(intervals) + 1.6), layout="constrained")
    axis = figure.subplots()
    for y, own in enumerate(intervals):
        _draw_interval(axis, y, own, edge)
    axis.set_yticks(range(len(intervals)), [str(own.patient) for own in intervals], fontsize=8.5)
    axis.set(ylim=(len(intervals) - 0.4, -0.6), xlim=(-0.03 * edge, 1.02 * edge), ylabel="Patient")
    axis.set_xlabel("Months since the first infusion")
    axis.set_title(f"IDENTIFIED: {found.endpoint}", color=KIND_COLOURS["IDENTIFIED"])
    figure.legend(handles=_interval_key(), loc="outside lower center", ncols=2)
    return figure


def _draw_interval(axis: Axes, y: int, own: Interval, edge: float) -> None:
    style = GROUP_STYLES[own.group]
    left, right = own.left.day / DAYS_PER_MONTH, own.right.day / DAYS_PER_MONTH
    stop = min(right, edge)
    axis.barh(y, left, height=0.55, color=style.colour)
    axis.barh(y, stop - left, left=left, height=0.55, color="none", edgecolor=style.colour, hatch="////", linewidth=0.4)
    for x, end in ((left, own.left), (right, own.right)):
        if np.isfinite(x):
            axis.plot(x, y, "o", color=INK, markerfacecolor=INK if _printed(end) else "white", markersize=5)
    if not np.isfinite(right):
        axis.plot(edge, y, ">", color=style.colour, markersize=6)


def _printed(end: End) -> bool:
    return end.tag == "table"


def _interval_key() -> list[Line2D | Patch]:
    dot = {"color": "none", "marker": "o", "markeredgecolor": INK}
    return [
        Patch(facecolor=QUIET, label="surely without the event"),
        Patch(facecolor="none", edgecolor=QUIET, hatch="////", label="nothing known"),
        Line2D([], [], markerfacecolor=INK, label="end: a cell of the tables", **dot),  # type: ignore[arg-type]
        Line2D([], [], markerfacecolor="white", label="end: an assumption", **dot),  # type: ignore[arg-type]
    ]


def draw_bounds(bounds: pd.DataFrame) -> Figure:
    """Draw, for each group, between which bounds any survival curve must run.

    Parameters
    ----------
    bounds : pandas.DataFrame
        What ``bounds_by_group`` returns, of one endpoint.
    """
    groups = [group for group in GROUPS if group in set(bounds["group"])]
    figure = Figure(figsize=(7.2, 3.3), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, len(groups), sharey=True))
    edge = max(24.0, float(bounds["time_days"].max()) / DAYS_PER_MONTH)
    for axis, group in zip(axes, groups, strict=True):
        rows, style = bounds[bounds["group"] == group], GROUP_STYLES[group]
        draw_bounds_of(axis, rows, edge)
        axis.set_title(f"{group} (n = {rows['n'].iloc[0]})", color=style.words, fontsize=10)
    axes[0].set_ylabel("Survival")
    figure.suptitle(f"IDENTIFIED: {bounds['endpoint'].iloc[0]}", color=KIND_COLOURS["IDENTIFIED"], fontweight="bold")
    figure.legend(handles=bounds_key(), loc="outside lower center", ncols=2)
    return figure


def draw_bounds_of(axis: Axes, rows: pd.DataFrame, edge: float, *, hatch: str = "////") -> None:
    """Draw the bounds of one group up to an edge in months: hatched by the tables alone, shaded with assumptions."""
    style = GROUP_STYLES[rows["group"].iloc[0]]
    months = np.append(rows["time_days"] / DAYS_PER_MONTH, edge)
    step = {name: np.append(rows[name], rows[name].iloc[-1]) for name in rows.columns[3:]}
    axis.fill_between(months, step["table_lower"], step["table_upper"], step="post", facecolor="none",
                      edgecolor=HATCH, hatch=hatch, linewidth=0)  # fmt: skip
    axis.fill_between(months, step["lower"], step["upper"], step="post", color=style.colour, alpha=0.35, linewidth=0)
    for name in ("table_lower", "table_upper"):
        axis.step(months, step[name], where="post", color=style.colour, linestyle=style.line, linewidth=1.4)
    axis.set(xlabel="Months", ylim=(-0.02, 1.02), xlim=(0, edge))
    wear_kind(axis, "IDENTIFIED")


def bounds_key() -> list[Patch]:
    """Return what hatching and shading mean."""
    return [
        Patch(facecolor="none", edgecolor=QUIET, hatch="////", label="by the tables alone"),
        Patch(facecolor=QUIET, alpha=0.35, label="with the assumptions"),
    ]
