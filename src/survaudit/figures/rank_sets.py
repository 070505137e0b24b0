"""Which cut follow-ups choose, and the orders of events that print the published chi-square."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from survaudit.figures.cuts import HIGH, LOW
from survaudit.figures.style import ALERT, INK, QUIET, name_kind, wear_kind
from survaudit.follow_up.ensemble_cuts import BestCuts
from survaudit.follow_up.rank_sets import RankSets

# Line, marker and tone of each prior: where lines cross often, dashes alone cannot be followed.
_LOOKS = (("-", "o", INK), ("--", "s", "#2f6f9f"), ("-.", "^", "#8a6100"), (":", "D", "#7a3b8f"))


def draw_best_cuts(found: Mapping[str, BestCuts], published: tuple[int, int]) -> Figure:
    """Draw how often each cut is the best one, under each prior.

    Parameters
    ----------
    found : mapping of str to BestCuts
        By prior, of one endpoint.
    published : (int, int)
        Patients in the low group at the published cut, if it counts as low and if it counts as high.
    """
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    axis = figure.subplots()
    for (prior, best), (line, marker, tone) in zip(found.items(), _LOOKS, strict=True):
        shares = np.bincount(best.n_low, minlength=best.n)[1:] / len(best.n_low)
        axis.plot(range(1, best.n), shares, line, marker=marker, markersize=4.2, color=tone, linewidth=1.2,
                  markerfacecolor="white", label=prior)  # fmt: skip
    for n_low, words in zip(published, ("low", "high"), strict=True):
        axis.axvline(n_low, color=ALERT, linewidth=1.0, linestyle="-" if words == "low" else ":",
                     label=f"published cut, counted as {words}")  # fmt: skip
    axis.set(xlabel="Patients in the low group", ylabel="Share of follow-ups in which it is best", ylim=(0, None))
    figure.legend(loc="outside lower center", ncols=3, handlelength=3.5)
    (endpoint,) = {best.endpoint for best in found.values()}
    name_kind(figure, "COMPATIBLE", f"the best cut, {endpoint}")
    wear_kind(axis, "COMPATIBLE")
    return figure


def draw_rank_sets(sets: RankSets, attainable: NDArray[np.bool_]) -> Figure:
    """Draw every set of places that prints the published chi-square, a row a set.

    Parameters
    ----------
    sets : RankSets
    attainable : array of bool, one a set
        Whether the patients' intervals allow it.
    """
    order = np.lexsort((sets.ranks[:, 0], sets.excess > 0))
    figure = Figure(figsize=(7.2, 0.2 * len(order) + 1.5), layout="constrained")
    axis = figure.subplots()
    for y, place in enumerate(order):
        style = HIGH if sets.excess[place] > 0 else LOW
        axis.plot([1, sets.n], [y, y], color=QUIET, linewidth=0.4, zorder=0)
        face = style.colour if attainable[place] else "none"
        axis.plot(sets.ranks[place], [y] * sets.k, style.marker, color=style.colour, markerfacecolor=face, markersize=6)
    axis.set(
        xlabel="Place among all events, the first on the left", ylabel="Ways, one per row", xlim=(0.3, sets.n + 0.7)
    )
    axis.set_yticks([])
    name_kind(figure, "COMPATIBLE", "what prints as published")
    key = [
        Line2D([], [], linestyle="none", marker=HIGH.marker, color=HIGH.colour, label="high group fails early"),
        Line2D([], [], linestyle="none", marker=LOW.marker, color=LOW.colour, label="high group fails late"),
        Line2D([], [], linestyle="none", marker="o", color=INK, markerfacecolor="none", label="hollow: excluded"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=3, fontsize="small")
    wear_kind(axis, "COMPATIBLE")
    return figure
