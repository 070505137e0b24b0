"""How statements of a main text would narrow the compatible curves."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from survaudit.figures.curves import nice_months
from survaudit.figures.style import DAYS_PER_MONTH, GROUP_STYLES, INK, QUIET, name_kind, wear_kind

_KIND = "COMPATIBLE"


def draw_narrowed(before: pd.DataFrame, after: pd.DataFrame, groups: Sequence[str], title: str) -> Figure:
    """Draw the bands of each group before and after statements were held against the follow-ups.

    Parameters
    ----------
    before, after : pandas.DataFrame
        What ``ensemble.bands`` returns for the groups, on one grid of days.
    groups : sequence of str
        An axis each.
    title : str
        What was drawn, and what it was held against.
    """
    figure = Figure(figsize=(7.2, 3.9), layout="constrained")
    axes = figure.subplots(1, len(groups), sharey=True)
    for axis, group in zip(axes, groups, strict=True):
        style = GROUP_STYLES[group]
        old, new = (table[table["group"] == group] for table in (before, after))
        months = new["time_days"] / DAYS_PER_MONTH
        axis.fill_between(months, new["q05"], new["q95"], step="post", color=style.colour, alpha=0.25, linewidth=0)
        axis.step(months, new["q50"], where="post", color=style.colour, linestyle=style.line, linewidth=1.8)
        for quantile, line in (("q05", ":"), ("q50", "-"), ("q95", ":")):
            axis.step(months, old[quantile], where="post", color=QUIET, linestyle=line, linewidth=1.2)
        axis.set_xticks(nice_months(float(months.max())))
        axis.set(xlabel="Months", title=f"{group} (n = {new['n'].iloc[0]})", ylim=(-0.02, 1.02))
        wear_kind(axis, _KIND)
    axes[0].set_ylabel("Survival")
    key = [
        Line2D([], [], color=QUIET, linestyle=":", label="without: nine tenths"),
        Line2D([], [], color=QUIET, label="without: median"),
        Patch(facecolor=INK, alpha=0.25, label="with: nine tenths and median"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=3, fontsize="small")
    name_kind(figure, _KIND, title)
    return figure
