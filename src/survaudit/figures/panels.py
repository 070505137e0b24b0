"""Supplementary Figure 1 in pictures of each kind: what is pinned down, what is compatible, one example."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from survaudit.cohort.endpoints import Endpoints, Interval
from survaudit.cohort.panels import ENDPOINT_WORDS, PANELS, Panel
from survaudit.cohort.schema import GROUPS
from survaudit.figures import style as book
from survaudit.figures.curves import draw_curves, nice_months
from survaudit.figures.style import DAYS_PER_MONTH, GROUP_STYLES, INK, QUIET, figure_of, wear_kind
from survaudit.follow_up.comparison import Comparison
from survaudit.follow_up.ensemble import Compared
from survaudit.survival.curves import KaplanMeier

_LEVEL = 0.05


# ------------------------------------------------------------------ what is pinned down


def draw_intervals(found: Endpoints) -> Figure:
    """Draw each patient's time as the tables and the assumptions leave it: free of the event, then unknown.

    Parameters
    ----------
    found : Endpoints
        The intervals of one endpoint. Filled ends are cells of the tables, hollow ends assumptions.
    """
    last = max(own.right.day for own in found.intervals if np.isfinite(own.right.day)) / DAYS_PER_MONTH
    edge = 1.08 * max(last, 24.0)
    figure, axis = figure_of("IDENTIFIED", ENDPOINT_WORDS[found.endpoint], 0.24 * len(found.intervals) + 2.3)
    rows = book.place_patients(axis, {own.patient: own.group for own in found.intervals})
    for own in found.intervals:
        _draw_interval(axis, rows[own.patient], own, edge)
    axis.set(xlim=(-0.03 * edge, 1.02 * edge), xlabel="Months since the first infusion")
    key = [
        Patch(facecolor=QUIET, label="without the event"),
        Patch(facecolor="none", edgecolor=QUIET, hatch="////", label="nothing known"),
        book.marked("end: a cell of the tables", "o", markeredgecolor=INK, markerfacecolor=INK),
        book.marked("end: an assumption", "o", markeredgecolor=INK, markerfacecolor="white"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=2)
    return figure


def _draw_interval(axis: Axes, y: int, own: Interval, edge: float) -> None:
    style = GROUP_STYLES[own.group]
    left, right = own.left.day / DAYS_PER_MONTH, own.right.day / DAYS_PER_MONTH
    stop = min(right, edge)
    axis.barh(y, left, height=0.55, color=style.colour)
    axis.barh(y, stop - left, left=left, height=0.55, color="none", edgecolor=style.colour, hatch="////", linewidth=0.4)
    for x, end in ((left, own.left), (right, own.right)):
        if np.isfinite(x):
            axis.plot(x, y, "o", color=INK, markerfacecolor=INK if end.tag == "table" else "white", markersize=5)
    if not np.isfinite(right):
        axis.plot(edge, y, ">", color=style.colour, markersize=6)


def draw_bounds(bounds: pd.DataFrame) -> Figure:
    """Draw, for each group, between which bounds any survival curve must run.

    Parameters
    ----------
    bounds : pandas.DataFrame
        What ``bounds_by_group`` returns, of one endpoint.
    """
    groups = [group for group in GROUPS if group in set(bounds["group"])]
    endpoint = bounds["endpoint"].iloc[0]
    panels = [panel.title for panel in PANELS.values() if (panel.endpoint, [*panel.groups]) == (endpoint, groups)]
    words, joint = (panels[0], ", panel ") if panels else (ENDPOINT_WORDS[endpoint], ": ")
    figure, axes = figure_of("IDENTIFIED", words, 3.3, 1, len(groups), joint=joint, sharey=True, squeeze=False)
    # All bounds run on one axis, so that panels compare. The last of them moves when the paper appeared; the axis goes
    # on beyond that, for a step under its frame would not be seen.
    edge = max(70.0, 1.05 * float(bounds["time_days"].max()) / DAYS_PER_MONTH)
    for axis, group in zip(axes[0], groups, strict=True):
        _draw_bounds_of(axis, bounds[bounds["group"] == group], edge)
    axes[0, 0].set_ylabel("Survival")
    key = [
        Patch(facecolor="none", edgecolor=QUIET, hatch="////", label="by the tables alone"),
        Patch(facecolor=QUIET, alpha=0.35, label="with the assumptions"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=2)
    return figure


def _draw_bounds_of(axis: Axes, rows: pd.DataFrame, edge: float) -> None:
    """Draw the bounds of one group up to an edge in months: hatched by the tables alone, shaded with assumptions."""
    group = rows["group"].iloc[0]
    style, months = GROUP_STYLES[group], np.append(rows["time_days"] / DAYS_PER_MONTH, edge)
    step = {name: np.append(rows[name], rows[name].iloc[-1]) for name in rows.columns[3:]}
    axis.fill_between(months, step["table_lower"], step["table_upper"], step="post", facecolor="none",
                      edgecolor=book.HATCH, hatch="////", linewidth=0)  # fmt: skip
    axis.fill_between(months, step["lower"], step["upper"], step="post", color=style.colour, alpha=0.35, linewidth=0)
    for name in ("table_lower", "table_upper"):
        axis.step(months, step[name], where="post", color=style.colour, linestyle=style.line, linewidth=1.4)
    # Room between the bounds at 0 and 1 and the frame, which is nearly of the colour of CART1.
    axis.set(xlabel="Months", ylim=(-0.06, 1.06), xlim=(0, edge), xticks=nice_months(edge))
    axis.set_title(f"{group} (n = {rows['n'].iloc[0]})", color=style.words, fontsize=10)
    wear_kind(axis, "IDENTIFIED")


# ------------------------------------------------------------------ one follow-up


def draw_panel(comparison: Comparison, panel: Panel) -> Figure:
    """Draw one panel as papers print it, marked with its kind.

    Parameters
    ----------
    comparison : Comparison
        Of the two groups of the panel.
    panel : Panel
    """
    figure, axis = figure_of(comparison.kind, panel.title, 5.2, joint=", panel ")
    draw_curves(axis, comparison.curves)
    axis.set_title("\n".join(_statistics(comparison)), fontweight="normal", fontsize=9.5)
    return figure


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
    figure, axis = figure_of(kind, title, 4.6)
    draw_curves(axis, curves)
    return figure


# ------------------------------------------------------------------ all compatible follow-ups


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
    figure, (left, right) = figure_of("COMPATIBLE", panel.title, 3.9, 1, 2, joint=", panel ")
    _draw_bands(left, bands)
    # The legend lies over the axis, and so over no data.
    left.legend(fontsize="small", labelspacing=0.3, loc="lower left", bbox_to_anchor=(0, 1), borderaxespad=0.5,
                borderpad=0)  # fmt: skip
    left.set_title("Curves", fontsize=10, pad=32)
    _draw_p_values(right, compared)
    return figure


def _draw_bands(axis: Axes, bands: pd.DataFrame) -> None:
    # A median lies in bands of its own colour: without a white edge it would be lost in them.
    halo = [withStroke(linewidth=3.6, foreground="white")]
    for group, rows in bands.groupby("group", sort=False):
        style, months = GROUP_STYLES[str(group)], rows["time_days"] / DAYS_PER_MONTH
        for low, high, alpha in (("q05", "q95", 0.18), ("q25", "q75", 0.3)):
            axis.fill_between(months, rows[low], rows[high], step="post", color=style.colour, alpha=alpha, linewidth=0)
        axis.step(months, rows["q50"], where="post", color=style.colour, linestyle=style.line, linewidth=1.8,
                  label=f"{group} (n = {rows['n'].iloc[0]})", path_effects=halo)  # fmt: skip
    ticks = nice_months(float(bands["time_days"].max()) / DAYS_PER_MONTH)
    axis.set(xticks=ticks, xlabel="Months", ylabel="Survival", ylim=(-0.02, 1.02))


def _draw_p_values(axis: Axes, compared: Mapping[str, Compared]) -> None:
    for (prior, result), line in zip(compared.items(), ("-", "--", "-.", ":"), strict=True):
        label = f"{prior}: {result.share(_LEVEL):.0%} below {_LEVEL}"
        ordered = np.sort(result.p)
        share = np.arange(1, len(ordered) + 1) / len(ordered)
        axis.plot(ordered, share, line, color=INK, linewidth=1.5, label=label)
    axis.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8)
    axis.axvline(_LEVEL, color=QUIET, linewidth=0.8)
    axis.set(xlabel="Log-rank P", ylabel="Share of follow-ups with a smaller P", xlim=(0, 1), ylim=(0, 1.02))
    # The legend may lie on data: a card of its own, through which a line can still be followed.
    axis.legend(fontsize="small", loc="lower right", title="prior", title_fontsize="small", frameon=True,
                facecolor="white", framealpha=0.85, edgecolor="none")  # fmt: skip
    axis.set_title("Tests, prior predictive", fontsize=10)


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
    figure, axis = figure_of("COMPATIBLE", "how far each test can go", 0.75 * len(panels) + 1.5)
    reach = 1.12 * float(extremes["signed"].abs().max())
    for y, letter in enumerate(panels):
        rows = extremes[extremes["panel"] == letter]
        ends = [rows["signed"].min(), rows["signed"].max()]
        axis.plot(ends, [y, y], color=book.KIND_COLOURS["COMPATIBLE"], linewidth=5, solid_capstyle="butt", alpha=0.55)
        axis.plot(rows["signed"], [y] * len(rows), "o", color=INK, markersize=5)
        for column, side, x in (("first", "left", -reach), ("second", "right", reach)):
            group = str(rows[column].iloc[0])
            axis.text(x, y - 0.28, group, ha=side, va="center", color=GROUP_STYLES[group].words, fontsize=9)
    for value in (-critical, critical):
        axis.axvline(value, color=book.ALERT, linewidth=1, linestyle="--")
    axis.axvline(0, color=QUIET, linewidth=0.8)
    axis.set_yticks(range(len(panels)), [f"Panel {letter}" for letter in panels])
    axis.xaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    axis.set(ylim=(len(panels) - 0.5, -0.6), xlim=(-1.02 * reach, 1.02 * reach))
    axis.set_xlabel("Log-rank chi-square, on the side of the group that it favours")
    return figure
