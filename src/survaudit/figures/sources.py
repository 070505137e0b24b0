"""Figures of the sources: what became of every cell, and which P goes with a chi-square."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from scipy import stats

from survaudit.figures.style import ALERT, GROUP_STYLES, INK, QUIET, ink_on, name_kind

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
    figure = Figure(figsize=(7.2, 7.6), layout="constrained")
    axes = figure.subplots(1, len(states), sharey=True)
    for axis, (table, frame) in zip(axes, states.items(), strict=True):
        _draw_grid(axis, frame)
        axis.set_title(table)
    axes[0].set_ylabel("Patient")
    present = {state for frame in states.values() for state in np.unique(frame.to_numpy(dtype=str))}
    handles = [
        Patch(facecolor=colour, edgecolor=QUIET, label=f"{state}  [{letter}]" if letter else state)
        for state, (colour, letter) in STATE_STYLES.items()
        if state in present
    ]
    name_kind(figure, "IDENTIFIED", "every cell")
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return figure


def _draw_grid(axis: Axes, frame: pd.DataFrame) -> None:
    for x, column in enumerate(frame.columns):
        for row, state in frame[column].items():
            colour, letter = STATE_STYLES[state]
            square = Rectangle((x - 0.5, int(str(row)) - 0.5), 1, 1, facecolor=colour, edgecolor="white", linewidth=1)
            axis.add_patch(square)
            axis.text(x, int(str(row)), letter, ha="center", va="center", fontsize=8, color=ink_on(colour))
    axis.set(xlim=(-0.5, len(frame.columns) - 0.5), ylim=(len(frame) + 0.5, 0.5))
    axis.set_xticks(
        range(len(frame.columns)), list(frame.columns), rotation=60, ha="right", rotation_mode="anchor", fontsize=8.5
    )
    axis.set_yticks(range(1, len(frame) + 1), [str(row) for row in frame.index], fontsize=8.5)
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)


def draw_chi_square_and_p(chi_square: tuple[float, float], p: tuple[float, float]) -> Figure:
    """Draw P against chi-square on one degree of freedom, and the ranges that print as published.

    Parameters
    ----------
    chi_square, p : (low, high)
        All values that print as the published chi-square, and as the published P.
    """
    figure = Figure(figsize=(7.2, 4.4), layout="constrained")
    axis = figure.subplots()
    margin = 0.1
    least, most = min(chi_square[0], stats.chi2.isf(p[1], 1)), max(chi_square[1], stats.chi2.isf(p[0], 1))
    x = np.linspace(least - 1.6 * margin, most + margin, 300)
    axis.plot(x, stats.chi2.sf(x, 1), color=INK, linewidth=1.8)
    blue, red = GROUP_STYLES["CART1"].colour, ALERT
    axis.axvspan(*chi_square, color=blue, alpha=0.35, linewidth=0)
    axis.axhspan(*p, color=red, alpha=0.2, linewidth=0)
    top = stats.chi2.sf(x[0], 1)
    axis.text(chi_square[1] + 0.005, top, "chi-square as printed", color=blue, va="top")
    axis.text(x[-1], p[0], "P as printed  ", color=red, va="bottom", ha="right")
    crossing = stats.chi2.sf(np.mean(chi_square), 1)
    axis.plot(np.mean(chi_square), crossing, "o", color=blue)
    note = "this chi-square has this P"
    axis.annotate(note, (np.mean(chi_square), crossing), (-10, -22), textcoords="offset points", ha="right")
    axis.set(xlabel="Log-rank chi-square, one degree of freedom", ylabel="P", xlim=(x[0], x[-1]))
    name_kind(figure, "IDENTIFIED", "the printed pair")
    return figure
