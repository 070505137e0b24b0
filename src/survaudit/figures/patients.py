"""Figures of the published tables before any survival: every cell, each patient, and a chi-square with its P."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from scipy import stats

from survaudit.cohort.schema import GROUPS
from survaudit.figures.style import ALERT, GROUP_STYLES, INK, QUIET, figure_of, ink_on

# From what was simply read to what is missing: colour and letter say the same.
STATE_STYLES = {
    "as printed": ("#ccd6e0", ""),
    "layout or spelling repaired": ("#6f9fd0", "r"),
    "not applicable": ("#f4f4f2", "·"),
    "no relapse recorded": ("#f3d9a4", "0"),
    "none, refractory": ("#d9b8e0", "–"),
    "not reported": ("#c75b6b", "?"),
    "not assessed": ("#7d1f33", "n"),
}


def draw_cell_states(states: dict[str, pd.DataFrame]) -> Figure:
    """Draw the state of every cell of both tables, patients down and columns across.

    Parameters
    ----------
    states : dict of str to pandas.DataFrame
        By table name, the frames that ``cell_states`` returns.
    """
    figure, axes = figure_of("IDENTIFIED", "every cell", 7.6, 1, len(states), sharey=True)
    for axis, (table, frame) in zip(axes, states.items(), strict=True):
        _draw_grid(axis, frame)
        axis.set_title(table)
    axes[0].set_ylabel("Patient")
    present = {state for frame in states.values() for state in np.unique(frame.to_numpy(dtype=str))}
    handles = [
        Patch(facecolor=colour, edgecolor=QUIET, label=f"{state}  [{letter}]" if letter else state)
        for state, (colour, letter) in STATE_STYLES.items() if state in present
    ]  # fmt: skip
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _draw_grid(axis: Axes, frame: pd.DataFrame) -> None:
    for x, column in enumerate(frame.columns):
        for row, state in frame[column].items():
            colour, letter = STATE_STYLES[state]
            y = int(str(row))
            axis.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=1))
            axis.text(x, y, letter, ha="center", va="center", fontsize=8, color=ink_on(colour))
    axis.set(xlim=(-0.5, len(frame.columns) - 0.5), ylim=(len(frame) + 0.5, 0.5))
    axis.set_xticks(range(len(frame.columns)), list(frame.columns), rotation=60, ha="right", rotation_mode="anchor",
                    fontsize=8.5)  # fmt: skip
    axis.set_yticks(range(1, len(frame) + 1), [str(row) for row in frame.index], fontsize=8.5)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def draw_distributions(cohort: pd.DataFrame, measures: dict[str, str]) -> Figure:
    """Draw every patient's value of each measure, by group, with the group's median.

    Parameters
    ----------
    cohort : pandas.DataFrame
        ``Supplement.cohort``.
    measures : dict of str to str
        Column to axis label, four of them.
    """
    figure, axes = figure_of("IDENTIFIED", "each patient's values", 5.6, 2, 2, sharey=True)
    for axis, (column, label) in zip(axes.flat, measures.items(), strict=True):
        for place, group in enumerate(GROUPS):
            style, values = GROUP_STYLES[group], cohort[cohort["group"] == group]
            sns.swarmplot(values, x=column, y="group", order=GROUPS, color=style.colour, marker=style.marker, ax=axis)
            median = values[column].median()
            axis.plot([median, median], [place - 0.32, place + 0.32], color=INK, linewidth=2)
        axis.set(xlabel=label, ylabel="")
        axis.grid(axis="x")
        axis.set_axisbelow(True)
    return figure


def draw_mrd_and_blasts(cohort: pd.DataFrame, named: list[int]) -> Figure:
    """Draw blasts against MRD, a point a patient, and name those where the two are far apart."""
    figure, axis = figure_of("IDENTIFIED", "MRD and blasts", 5.2)
    axis.plot([0, 100], [0, 100], color=QUIET, linewidth=1, linestyle=":")
    axis.text(60, 61, "equal", color=QUIET, ha="right", va="bottom", rotation=45, rotation_mode="anchor",
              transform_rotates_text=True)  # fmt: skip
    for group in GROUPS:
        style, values = GROUP_STYLES[group], cohort[cohort["group"] == group]
        # Hollow, and the smaller mark on the larger: at the floor, marks of several groups lie on one another.
        axis.scatter(values["mrd_percent"], values["blasts_percent"], 44, facecolors="none", edgecolors=style.colour,
                     linewidths=1.4, zorder=3 - 0.1 * GROUPS.index(group), marker=style.marker,
                     label=f"{group} (n = {len(values)})")  # fmt: skip
    _name_points(axis, cohort[cohort["patient"].isin(named)])
    axis.set(xlabel="MRD (%)", ylabel="Blasts in marrow (%, read without a printed unit)")
    axis.set(xlim=(-3, 103), ylim=(-9, 104))
    axis.legend(loc="lower right")
    return figure


def _name_points(axis: Axes, shown: pd.DataFrame) -> None:
    # Points that lie together share one label.
    for _, near in shown.groupby([shown["mrd_percent"].round(-1), shown["blasts_percent"].round(-1)]):
        label = ("patient " if len(near) == 1 else "patients ") + ", ".join(map(str, near["patient"]))
        place = (near["mrd_percent"].mean(), near["blasts_percent"].max())
        # Below those on the floor there is nothing, and above them there may be others.
        offset, side = (8, "bottom") if place[1] > 0 else (-8, "top")
        axis.annotate(label, place, (0, offset), textcoords="offset points", ha="center", fontsize=9, va=side)


# Panels of the figure of differences: which counts, stacked in this order, with these tones.
_SHARES = {
    "MRD before the infusion": {"low_mrd": "below 1%"},
    "Response to the first infusion": {
        "mrd_negative_response": "CR, MRD-negative",
        "mrd_positive_response": "CR, MRD-positive",
        "no_response": "no response",
        "not_assessed": "not assessed",
    },
}
_TONES = ("#2f6f9f", "#a9c7df", "#b3415a", "#4a4a4a")
_HATCHES = ("", "///", "xxx", "...")


def draw_group_differences(counts: pd.DataFrame) -> Figure:
    """Draw, by group, the shares that differed before a survival time could.

    Parameters
    ----------
    counts : pandas.DataFrame, one row a group
        What ``group_differences`` returns.
    """
    figure, axes = figure_of("IDENTIFIED", "how the groups differed", 3.6, 1, 2, sharey=True, width_ratios=[1, 1.5])
    for axis, (title, columns) in zip(axes, _SHARES.items(), strict=True):
        _draw_shares(axis, counts, columns)
        axis.set_title(title)
        handles = axis.get_legend_handles_labels()[0]
        if axis is axes[0]:  # only here is what the bars leave white a finding: the others fill them
            handles.append(Patch(facecolor="none", edgecolor=QUIET, label="1% or more"))
        axis.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    axes[0].invert_yaxis()
    return figure


def _draw_shares(axis: Axes, counts: pd.DataFrame, columns: dict[str, str]) -> None:
    size, start = counts["patients"], counts["patients"] * 0.0
    names = [f"{group}\n(n = {n})" for group, n in size.items()]
    axis.barh(names, 100.0, color="none", edgecolor=QUIET, linewidth=0.8, clip_on=False)
    for (column, label), tone, hatch in zip(columns.items(), _TONES, _HATCHES, strict=False):
        share = 100 * counts[column] / size
        bars = axis.barh(names, share, left=start, color=tone, edgecolor="white", hatch=hatch, label=label)
        for bar, count in zip(bars, counts[column], strict=True):
            if count:
                x, y = bar.get_x() + bar.get_width() / 2, bar.get_y() + bar.get_height() / 2
                box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none"}
                axis.text(x, y, str(count), ha="center", va="center", color=INK, bbox=box)
        start = start + share
    axis.set(xlabel="Share of the group (%)", xlim=(0, 100))


def draw_chi_square_and_p(chi_square: tuple[float, float], p: tuple[float, float]) -> Figure:
    """Draw P against chi-square on one degree of freedom, and the ranges that print as published.

    Parameters
    ----------
    chi_square, p : (low, high)
        All values that print as the published chi-square, and as the published P.
    """
    figure, axis = figure_of("IDENTIFIED", "the printed pair", 4.4)
    least, most = min(chi_square[0], stats.chi2.isf(p[1], 1)), max(chi_square[1], stats.chi2.isf(p[0], 1))
    x = np.linspace(least - 0.16, most + 0.1, 300)
    axis.plot(x, stats.chi2.sf(x, 1), color=INK, linewidth=1.8)
    blue, middle = GROUP_STYLES["CART1"].colour, np.mean(chi_square)
    axis.axvspan(*chi_square, color=blue, alpha=0.35, linewidth=0)
    axis.axhspan(*p, color=ALERT, alpha=0.2, linewidth=0)
    axis.text(chi_square[1] + 0.005, stats.chi2.sf(x[0], 1), "chi-square as printed", color=blue, va="top")
    axis.text(x[-1], p[0], "P as printed  ", color=ALERT, va="bottom", ha="right")
    crossing = (middle, stats.chi2.sf(middle, 1))
    axis.plot(*crossing, "o", color=blue)
    axis.annotate("this chi-square has this P", crossing, (-10, -22), textcoords="offset points", ha="right")
    axis.set(xlabel="Log-rank chi-square, one degree of freedom", ylabel="P", xlim=(x[0], x[-1]))
    return figure
