"""Figures of immortal time: the days that were guaranteed, what they do to a test, and curves that respect them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from survaudit.figures.curves import draw_curves, nice_months, write_at_risk
from survaudit.figures.style import ALERT, DAYS_PER_MONTH, GROUP_STYLES, INK, QUIET, figure_of, marked, place_patients
from survaudit.immortal.episodes import StateCurve
from survaudit.survival.curves import KaplanMeier

NOT_SWITCHED, SWITCHED = GROUP_STYLES["CART1"], GROUP_STYLES["CART+HSCT"]
_MARKS = {"transplanted": "^", "infused twice": "s"}
_PERMUTED: dict[str, Any] = {
    "markersize": 5.5, "markerfacecolor": "none", "markeredgewidth": 1.3, "markeredgecolor": SWITCHED.colour,
}  # fmt: skip
_TITLES = {"published": "As published", "proper": "What should be done", "failing": "What fails all the same"}


def draw_guaranteed(states: pd.DataFrame) -> Figure:
    """Draw each patient's dated days in the state in which they were lived, on the axis of the swimmer plot.

    Parameters
    ----------
    states : pandas.DataFrame
        What ``person_time`` returns.
    """
    order = states.sort_values("patient").drop_duplicates("patient")
    edge = 1.12 * float(states.loc[states["dated"], "to_days"].max()) / DAYS_PER_MONTH
    figure, axis = figure_of("IDENTIFIED", "guaranteed days", 8.4)
    rows = place_patients(axis, dict(zip(order["patient"], order["group"], strict=True)))
    for state in states.to_dict("records"):
        _draw_state(axis, rows[state["patient"]], state, edge)
    axis.set(xlim=(-0.02 * edge, edge), xlabel="Months since the first infusion")
    look: dict[str, Any] = {"markerfacecolor": INK, "markeredgecolor": "white"}
    key = [
        Patch(facecolor=QUIET, label="days in which the patient could not have died"),
        Line2D([], [], color=QUIET, linestyle=":", label="no later date published"),
        marked("transplantation, with its day", _MARKS["transplanted"], **look),
        marked("second infusion, with its day", _MARKS["infused twice"], **look),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=2)
    return figure


def _draw_state(axis: Axes, y: int, row: dict[Any, Any], edge: float) -> None:
    style = GROUP_STYLES[row["group"]]
    start, stop = row["from_days"] / DAYS_PER_MONTH, row["to_days"] / DAYS_PER_MONTH
    if row["dated"]:
        axis.barh(y, stop - start, left=start, height=0.55, color=style.colour)
        return
    axis.plot([start, edge], [y, y], color=style.colour, linewidth=1.2, linestyle=":")
    if row["state"] in _MARKS:
        axis.plot(start, y, _MARKS[row["state"]], color=INK, markersize=8, markeredgecolor="white")
        axis.annotate(f"{row['from_days']}", (start, y), (7, 5), textcoords="offset points", va="center", fontsize=8)


def draw_simon_makuch(naive: Sequence[KaplanMeier], proper: Sequence[StateCurve], names: tuple[str, str]) -> Figure:
    """Draw the curves of groups named after their future beside those of states entered as time goes on.

    Parameters
    ----------
    naive : (KaplanMeier, KaplanMeier)
        Of those who never switched and those who did.
    proper : (StateCurve, StateCurve)
        Of the not switched and the switched.
    names : (str, str)
        What these two states are called.
    """
    with mpl.rc_context({"font.size": 13, "axes.titlesize": 14, "figure.titlesize": 15}):
        figure, (left, right) = figure_of("PUBLIC DATA", "heart transplants", 5.6, 1, 2, width=10.5, sharey=True)
        draw_curves(left, naive, (NOT_SWITCHED, SWITCHED))
        left.set_title("Groups named after the future")
        _draw_states(right, proper, names)
        right.set_title("Each day in its own state")
    return figure


def _draw_states(axis: Axes, curves: Sequence[StateCurve], names: tuple[str, str]) -> None:
    ticks, rows = nice_months(max(float(curve.times[-1]) for curve in curves) / DAYS_PER_MONTH), []
    for curve, style, name in zip(curves, (NOT_SWITCHED, SWITCHED), names, strict=True):
        months = np.append(curve.landmark_day, curve.times) / DAYS_PER_MONTH
        axis.step(months, np.append(1.0, curve.survival), where="post", color=style.colour, linestyle=style.line,
                  linewidth=1.8, label=f"{name} (events {curve.n_events})")  # fmt: skip
        shown = [tick for tick in ticks if tick * DAYS_PER_MONTH > curve.landmark_day]
        at_risk = curve.at_risk_at(np.array(shown) * DAYS_PER_MONTH)
        rows.append((name, style.words, dict(zip(shown, at_risk, strict=True))))
    axis.axvline(curves[0].landmark_day / DAYS_PER_MONTH, color=QUIET, linewidth=0.8, linestyle=":")
    axis.set(ylim=(-0.02, 1.02), xlim=(-0.02 * ticks[-1], None), xlabel="Months", xticks=ticks)
    axis.legend(fontsize="small", loc="upper right")
    write_at_risk(axis, rows, shift=0, side="left")


def draw_rejections(rates: pd.DataFrame, level: float) -> Figure:
    """Draw how often each analysis finds an effect where there is none, in the base setting and over all of them.

    Parameters
    ----------
    rates : pandas.DataFrame, one row an analysis
        ``analysis``, ``kind``; ``base``, ``least``, ``most`` of the chi-square test; ``permuted``, the mean by
        permutation.
    level : float
        What the test promises.
    """
    kinds = list(pd.unique(rates["kind"]))
    heights = [int((rates["kind"] == kind).sum()) + 1 for kind in kinds]
    figure, axes = figure_of("SIMULATED", "how often an effect is found", 0.34 * sum(heights) + 1.4, len(kinds), 1,
                             sharex=True, height_ratios=heights)  # fmt: skip
    for axis, kind in zip(axes, kinds, strict=True):
        own = rates[rates["kind"] == kind].reset_index(drop=True)
        axis.hlines(own.index, own["least"], own["most"], color=QUIET, linewidth=2.5)
        axis.plot(own["base"], own.index, "o", color=INK)
        # Below the line, so that it hides no point.
        axis.plot(own["permuted"], own.index + 0.32, color="none", marker="D", **_PERMUTED)
        axis.axvline(level, color=ALERT, linewidth=1.2, linestyle="--")
        axis.set_yticks(own.index, list(own["analysis"]), fontsize=9)
        axis.set(ylim=(len(own) - 0.3, -0.6))
        axis.set_title(_TITLES[kind], fontsize=10)
        axis.grid(axis="x")
    axes[-1].set(xlim=(0, 1), xlabel="Share of cohorts in which an effect was found, and none exists")
    axes[-1].xaxis.set_major_formatter("{x:.0%}")
    key = [
        Line2D([], [], color=QUIET, linewidth=2.5, marker="o", markerfacecolor=INK, markeredgecolor=INK,
               label="chi-square: base setting; line, least to most of all settings"),
        marked("by permutation: mean", "D", **_PERMUTED),
        Line2D([], [], color=ALERT, linewidth=1.2, linestyle="--", label="what the test promises"),
    ]  # fmt: skip
    figure.legend(handles=key, loc="outside lower center", ncols=1, handlelength=3)
    return figure
