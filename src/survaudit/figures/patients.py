"""Figures of the patients before any survival."""

from __future__ import annotations

from typing import Any

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from survaudit.cohort.schema import GROUPS
from survaudit.figures.style import FAINT, GROUP_STYLES, INK, QUIET, name_kind


def draw_distributions(cohort: pd.DataFrame, measures: dict[str, str]) -> Figure:
    """Draw every patient's value of each measure, by group, with the group's median.

    Parameters
    ----------
    cohort : pandas.DataFrame
        ``Supplement.cohort``.
    measures : dict of str to str
        Column to axis label, four of them.
    """
    figure = Figure(figsize=(7.2, 5.6), layout="constrained")
    axes = figure.subplots(2, 2, sharey=True).ravel()
    for axis, (column, label) in zip(axes, measures.items(), strict=True):
        for place, group in enumerate(GROUPS):
            style, values = GROUP_STYLES[group], cohort[cohort["group"] == group]
            sns.swarmplot(values, x=column, y="group", order=GROUPS, color=style.colour, marker=style.marker, ax=axis)
            median = values[column].median()
            axis.plot([median, median], [place - 0.32, place + 0.32], color=INK, linewidth=2)
        axis.set(xlabel=label, ylabel="")
        axis.grid(axis="x", color=FAINT, linewidth=0.6)
        axis.set_axisbelow(True)
    name_kind(figure, "IDENTIFIED", "each patient's values")
    return figure


def draw_mrd_and_blasts(cohort: pd.DataFrame, named: list[int]) -> Figure:
    """Draw blasts against MRD, a point a patient, and name those where the two are far apart."""
    figure = Figure(figsize=(7.2, 5.2), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 100], [0, 100], color=QUIET, linewidth=1, linestyle=":")
    along: dict[str, Any] = {"rotation": 45, "rotation_mode": "anchor", "transform_rotates_text": True}
    axis.text(60, 61, "equal", color=QUIET, ha="right", va="bottom", **along)
    for group in GROUPS:
        style, values = GROUP_STYLES[group], cohort[cohort["group"] == group]
        # Hollow, and the smaller mark on the larger: at the floor, marks of several groups lie on one another.
        axis.scatter(
            values["mrd_percent"],
            values["blasts_percent"],
            s=44,
            facecolors="none",
            edgecolors=style.colour,
            linewidths=1.4,
            zorder=3 - 0.1 * GROUPS.index(group),
            marker=style.marker,
            label=f"{group} (n = {len(values)})",
        )
    _name_points(axis, cohort[cohort["patient"].isin(named)])
    axis.set(
        xlabel="MRD (%)", ylabel="Blasts in marrow (%, read without a printed unit)", xlim=(-3, 103), ylim=(-9, 104)
    )
    axis.legend(loc="lower right")
    name_kind(figure, "IDENTIFIED", "MRD and blasts")
    return figure


def _name_points(axis: Axes, shown: pd.DataFrame) -> None:
    # Points that lie together share one label.
    for _, near in shown.groupby([shown["mrd_percent"].round(-1), shown["blasts_percent"].round(-1)]):
        label = ("patient " if len(near) == 1 else "patients ") + ", ".join(map(str, near["patient"]))
        place = (near["mrd_percent"].mean(), near["blasts_percent"].max())
        # Below those on the floor there is nothing, and above them there may be others.
        offset = 8 if place[1] > 0 else -8
        axis.annotate(label, place, (0, offset), textcoords="offset points", ha="center", fontsize=9,
                      va="bottom" if offset > 0 else "top")  # fmt: skip


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
    figure = Figure(figsize=(7.2, 3.6), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True, width_ratios=[1, 1.5])
    for axis, (title, columns) in zip(axes, _SHARES.items(), strict=True):
        _draw_shares(axis, counts, columns)
        axis.set_title(title)
        handles = axis.get_legend_handles_labels()[0]
        if axis is axes[0]:  # only here is what the bars leave white a finding: the others fill them
            handles.append(Patch(facecolor="none", edgecolor=QUIET, label="1% or more"))
        axis.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
    axes[0].invert_yaxis()
    name_kind(figure, "IDENTIFIED", "how the groups differed")
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
