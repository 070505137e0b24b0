"""Figures of what the tables pin down: each patient's interval, and the bounds on each group's curve."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from survaudit.cohort.endpoints import End, Endpoints, Interval
from survaudit.cohort.panels import ENDPOINT_WORDS, PANELS
from survaudit.cohort.schema import GROUPS
from survaudit.figures.curves import nice_months
from survaudit.figures.style import (
    DAYS_PER_MONTH,
    GROUP_STYLES,
    HATCH,
    INK,
    QUIET,
    name_kind,
    place_patients,
    wear_kind,
)

# All bounds run on one axis, so that panels compare. The last of them moves when the paper appeared; the axis goes on
# beyond that, for a step under its frame would not be seen.
_MONTHS = 70.0
_BEYOND = 1.05


def draw_intervals(found: Endpoints) -> Figure:
    """Draw each patient's time as the tables and the assumptions leave it: free of the event, then unknown.

    Parameters
    ----------
    found : Endpoints
        The intervals of one endpoint. Filled ends are cells of the tables, hollow ends assumptions.
    """
    intervals = sorted(found.intervals, key=lambda own: (GROUPS.index(own.group), own.patient))
    last = max(own.right.day for own in intervals if np.isfinite(own.right.day)) / DAYS_PER_MONTH
    edge = 1.08 * max(last, 24.0)
    figure = Figure(figsize=(7.2, 0.24 * len(intervals) + 2.3), layout="constrained")
    axis = figure.subplots()
    rows = place_patients(axis, {own.patient: own.group for own in intervals})
    for own in intervals:
        _draw_interval(axis, rows[own.patient], own, edge)
    axis.set(xlim=(-0.03 * edge, 1.02 * edge), xlabel="Months since the first infusion")
    name_kind(figure, "IDENTIFIED", ENDPOINT_WORDS[found.endpoint])
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
        Patch(facecolor=QUIET, label="without the event"),
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
    edge = bounds_edge(bounds)
    for axis, group in zip(axes, groups, strict=True):
        rows, style = bounds[bounds["group"] == group], GROUP_STYLES[group]
        draw_bounds_of(axis, rows, edge)
        axis.set_title(f"{group} (n = {rows['n'].iloc[0]})", color=style.words, fontsize=10)
    axes[0].set_ylabel("Survival")
    endpoint = bounds["endpoint"].iloc[0]
    panels = [panel.title for panel in PANELS.values() if (panel.endpoint, [*panel.groups]) == (endpoint, groups)]
    if panels:
        name_kind(figure, "IDENTIFIED", panels[0], ", panel ")
    else:
        name_kind(figure, "IDENTIFIED", ENDPOINT_WORDS[endpoint])
    figure.legend(handles=bounds_key(), loc="outside lower center", ncols=2)
    return figure


def bounds_edge(*bounds: pd.DataFrame) -> float:
    """Return the month up to which bounds are drawn: the same for all, and beyond the last step of each."""
    return max(_MONTHS, *(_BEYOND * float(table["time_days"].max()) / DAYS_PER_MONTH for table in bounds))


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
    # Room between the bounds at 0 and 1 and the frame, which is nearly of the colour of CART1.
    axis.set(xlabel="Months", ylim=(-0.06, 1.06), xlim=(0, edge), xticks=nice_months(edge))
    wear_kind(axis, "IDENTIFIED")


def bounds_key() -> list[Patch]:
    """Return what hatching and shading mean."""
    return [
        Patch(facecolor="none", edgecolor=QUIET, hatch="////", label="by the tables alone"),
        Patch(facecolor=QUIET, alpha=0.35, label="with the assumptions"),
    ]
