"""Figures of cut-points: the three panels of X-tile, what a selected cut is worth, and which the paper's is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, MaxNLocator
from numpy.typing import ArrayLike, NDArray

from survaudit.cutpoint.dose_response import SplineEffect
from survaudit.cutpoint.scan import CutGrid, CutScan
from survaudit.cutpoint.stability import BootstrapCuts
from survaudit.figures.curves import draw_curves
from survaudit.figures.style import ALERT, GROUP_STYLES, INK, QUIET, figure_of
from survaudit.survival.curves import Floats, Ints, KaplanMeier

if TYPE_CHECKING:  # what is drawn of another cohort loads nothing of this paper's
    from survaudit.follow_up.ensemble import BestCuts
    from survaudit.follow_up.rank_sets import RankSets

LOW, HIGH = GROUP_STYLES["CART1"], GROUP_STYLES["CART2"]
# A wide figure is shown smaller than it is drawn: its letters must be larger.
_WIDE: dict[Any, Any] = {"font.size": 15, "axes.titlesize": 16, "figure.titlesize": 17}
# From blue to red over a grey that stands out on white: no effect is a finding, and must be seen.
_DIRECTIONS = LinearSegmentedColormap.from_list("directions", ("#053061", "#2e79b5", "#b0b4b9", "#c9503f", "#67001f"))
# Line, marker and tone of each share of censoring: the more is censored, the lighter.
_CENSORED = (("-", "o", "#00224e"), ("--", "s", "#2f6f9f"), ("-.", "^", "#5b8a3c"), (":", "D", "#b57f00"))
# And of each prior: where lines cross often, dashes alone cannot be followed.
_PRIORS = (("-", "o", INK), ("--", "s", "#2f6f9f"), ("-.", "^", "#8a6100"), (":", "D", "#7a3b8f"))


def draw_cut_figure(
    scan: CutScan, x: ArrayLike, name: str, curves: tuple[KaplanMeier, KaplanMeier], kind: str = "PUBLIC DATA"
) -> Figure:
    """Draw the statistic over all cuts, the cohort split at the best one, and the two curves.

    Parameters
    ----------
    scan : CutScan
        Every single cut.
    x : array_like, shape (n,)
        The covariate of the whole cohort.
    name : str
        What the covariate is, with its unit.
    curves : (KaplanMeier, KaplanMeier)
        Of the low and the high group at ``scan.best``.
    kind : str
        What the follow-up is: SYNTHETIC or SUPPLIED, if it is of this cohort.
    """
    with mpl.rc_context(_WIDE):
        figure, (left, middle, right) = figure_of(kind, f"cut-point of {name}", 5.6, 1, 3, width=12.0)
        _draw_statistic(left, scan, name)
        draw_split(middle, x, scan.best.cut, name)
        draw_curves(right, curves, [LOW, HIGH])
        _name_curves(right, curves)
    return figure


def _name_curves(axis: Axes, curves: tuple[KaplanMeier, KaplanMeier]) -> None:
    """Give the curves a legend in a room of its own over them, as the other two panels have.

    A narrow panel has no free corner. How many patients each curve has stands in the middle panel and under the axis.
    """
    labels = [f"{curve.label} ({curve.n_events} events)" for curve in curves]
    axis.legend(axis.get_legend_handles_labels()[0], labels, fontsize="small", loc="upper right")
    axis.set(ylim=(-0.02, 1.3), yticks=np.linspace(0, 1, 6), title="Survival by group")


def _draw_statistic(axis: Axes, scan: CutScan, name: str) -> None:
    """Draw chi-square over the cuts, coloured by the side that has more events than expected."""
    axis.vlines(scan.cut, 0, scan.chi2, color=np.where(scan.statistic > 0, HIGH.colour, LOW.colour), linewidth=1.4)
    for sign, style, side in ((1, HIGH, "high"), (-1, LOW, "low")):
        there = np.sign(scan.statistic) == sign
        label = f"more events in {side}" if there.any() else None
        axis.plot(scan.cut[there], scan.chi2[there], style.marker, color=style.colour, markersize=3.5, label=label)
    _ring(axis, scan.best.cut, scan.best.chi2)
    axis.xaxis.set_major_locator(MaxNLocator(nbins=6))
    axis.set(xlabel=f"Cut of {name}", ylabel="Log-rank chi-square", title="Every cut")
    axis.set_ylim(0, 1.3 * float(scan.chi2.max()))
    axis.legend(fontsize="small")


def _ring(axis: Axes, x: float, y: float) -> None:
    axis.plot(x, y, "o", markersize=13, markerfacecolor="none", markeredgecolor=INK, markeredgewidth=2)


def _draw_cut(axis: Axes, cut: float) -> None:
    """Draw an upright dashed line at a cut, on a white one, so that it stands out on dark bars too."""
    axis.axvline(cut, color="white", linewidth=3)
    axis.axvline(cut, color=INK, linewidth=1.2, linestyle="--")


def _edges_at(values: Floats, cut: float, bins: int) -> Floats:
    """Return edges of about so many equal bins, one edge of them at the cut."""
    least, most = float(values.min()), float(values.max())
    width = (most - least) / bins or 1.0
    below = max(1, round((cut - least) / width))
    if cut - least > width / 2:  # else the low group has about one value, and its bin is left of the cut
        width = (cut - least) / below
    above = max(1, int(np.ceil((most - cut) / width)))
    return np.asarray(cut + width * np.arange(-below, above + 1), dtype=float)


def split_counts(x: ArrayLike, cut: float, bins: int = 20) -> tuple[Floats, Ints, Ints]:
    """Count a covariate in about so many equal bins, one edge of them at the cut.

    Parameters
    ----------
    x : array_like, shape (n,)
        The covariate.
    cut : float
        Whoever is at it counts as low.
    bins : int, optional
        About how many.

    Returns
    -------
    (edges, low, high) : arrays, shapes (m + 1,), (m,) and (m,)
        Edges of the bins, and how many of either group each holds.

    Examples
    --------
    >>> edges, low, high = split_counts([1, 2, 2, 5], cut=2, bins=2)
    >>> edges.tolist(), low.tolist(), high.tolist()
    ([0.0, 2.0, 4.0, 6.0], [3, 0, 0], [0, 0, 1])
    """
    values = np.asarray(x, dtype=float)
    edges = _edges_at(values, cut, bins)
    # Whoever is at the cut counts as low: bins include their upper edge, so that they are counted from above.
    # Rounding may put the outermost edges within the outermost values.
    down = -np.clip(values, edges[0], edges[-1])
    low, high = (np.histogram(down[side], -edges[::-1])[0][::-1] for side in (values <= cut, values > cut))
    return edges, low, high


def draw_split(axis: Axes, x: ArrayLike, cut: float, name: str, bins: int = 20) -> None:
    """Draw the whole cohort's covariate, patients and not candidate cuts, split at the cut."""
    edges, low, high = split_counts(x, cut, bins)
    bars: dict[str, Any] = {"x": edges[:-1], "width": np.diff(edges), "align": "edge", "edgecolor": "white"}
    axis.bar(height=low, color=LOW.colour, label=f"low (n = {low.sum()})", **bars)
    axis.bar(height=high, bottom=low, color=HIGH.colour, hatch=HIGH.hatch, label=f"high (n = {high.sum()})", **bars)
    _draw_cut(axis, cut)
    axis.set(xlabel=name[:1].upper() + name[1:], ylabel="Patients", title="The cohort, split")
    axis.set_ylim(0, 1.3 * axis.get_ylim()[1])  # room for the legend
    axis.legend(fontsize="small")


def draw_split_cohort(x: ArrayLike, cut: float, name: str) -> Figure:
    """Draw the middle panel alone, of the paper's own patients: a histogram, split at a cut."""
    figure, axis = figure_of("IDENTIFIED", "the cohort, split", 3.4)
    draw_split(axis, x, cut, name)
    axis.set_title("")
    return figure


def draw_grid(grid: CutGrid, scan: CutScan) -> Figure:
    """Draw every pair of cuts as X-tile does: a triangle of group sizes, coloured by direction.

    Right of the triangle's long side no pair exists; on it the middle group is empty, and the single
    cuts stand there.

    Parameters
    ----------
    grid : CutGrid
        Every pair of cuts.
    scan : CutScan
        Every single cut of the same cohort.
    """
    figure, axis = figure_of("PUBLIC DATA", "every pair of cuts", 5.4)
    n_low, n_high = np.concatenate([grid.n_low, scan.n_low]), np.concatenate([grid.n_high, scan.n_high])
    statistic = np.concatenate([grid.statistic, scan.statistic])
    most = float(np.abs(statistic).max())
    points = axis.scatter(
        n_low, n_high, max(14.0, 40_000 / grid.n**2), statistic, marker="s", cmap=_DIRECTIONS,
        norm=TwoSlopeNorm(0, -most, most), linewidths=0, rasterized=True,
    )  # fmt: skip
    best, single = grid.best, scan.best
    _ring(axis, best.n_low, best.n_high)
    box = {"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
    axis.annotate("best pair", (best.n_low, best.n_high), (12, 10), textcoords="offset points", bbox=box)
    axis.plot(single.n_low, single.n_high, "D", markersize=9, markerfacecolor="none", markeredgecolor=INK)
    axis.annotate("best single cut", (single.n_low, single.n_high), (10, 8), textcoords="offset points")
    axis.set(xlabel="Patients in the low group", ylabel="Patients in the high group")
    figure.colorbar(points, ax=axis, label="Square root of chi-square, positive: more events in high")
    return figure


def draw_null_shares(table: pd.DataFrame) -> Figure:
    """Draw the chance that the best cut of a null cohort reaches the printed chi-square.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``min_group``, ``censoring``, ``share``, ``standard_error``.
    """
    figure, axis = figure_of("SIMULATED", "cohorts in which nothing matters", 4.2)
    looks = zip(table.groupby("censoring"), _CENSORED, strict=False)
    for place, ((censoring, rows), (line, marker, tone)) in enumerate(looks):
        label = f"{100 * float(str(censoring)):.0f}% censored"
        # Side by side and hollow, so that neither a neighbour nor the mark itself hides a bar.
        axis.errorbar(
            rows["min_group"] + 0.09 * (place - 1.5), rows["share"], 2 * rows["standard_error"], color=tone, capsize=4,
            linestyle=line, linewidth=1, marker=marker, markersize=5.5, markerfacecolor="none", label=label,
        )  # fmt: skip
    axis.set(xlabel="Least number of patients on either side", ylabel="Chance under no effect", ylim=(0, None))
    axis.set_xticks(sorted(set(table["min_group"])))
    axis.grid(axis="y")
    axis.axhline(0.05, color=QUIET, linewidth=1, linestyle=":")
    axis.text(table["min_group"].max(), 0.055, "the usual limit", color=QUIET, ha="right", va="bottom")
    axis.legend()
    return figure


def draw_rejections(table: pd.DataFrame) -> Figure:
    """Draw how often each correction rejects in null cohorts, against the level that it promises.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``method``, ``n``, ``rejected``, ``standard_error``, ``alpha``.
    """
    methods = list(dict.fromkeys(table["method"]))
    figure, axis = figure_of("SIMULATED", "cohorts in which nothing matters", 0.6 * len(methods) + 1.6)
    for place, (n, style) in enumerate(zip(sorted(set(table["n"])), GROUP_STYLES.values(), strict=False)):
        rows = table[table["n"] == n].set_index("method").reindex(methods)
        y = np.arange(len(methods)) + 0.22 * (place - 1)
        axis.errorbar(rows["rejected"], y, xerr=2 * rows["standard_error"], fmt=style.marker, color=style.colour,
                      label=f"n = {n}", capsize=2)  # fmt: skip
    axis.axvline(float(table["alpha"].iloc[0]), color=ALERT, linewidth=1.2, linestyle="--")
    axis.set_yticks(range(len(methods)), methods)
    axis.invert_yaxis()
    axis.set(xlabel="Share of null cohorts in which the best cut is called significant", xlim=(0, None))
    axis.grid(axis="x")
    axis.legend()
    return figure


def draw_bootstrap(bootstrap: BootstrapCuts, name: str, kind: str = "PUBLIC DATA") -> Figure:
    """Draw where bootstrap samples put the cut, and its effect inside and outside of the sample.

    Parameters
    ----------
    bootstrap : BootstrapCuts
        What ``bootstrap_cuts`` returns.
    name : str
        What the covariate is, with its unit.
    kind : str
        What the follow-up is, if it is of this cohort.
    """
    cuts = bootstrap.cut
    # Counts of something have a bar for each number, or bars would stand beside the numbers.
    counts = bool((cuts == np.round(cuts)).all()) and np.ptp(cuts) < 60
    figure, (left, right) = figure_of(kind, "bootstrap", 3.6, 1, 2, width_ratios=[1.2, 1])
    bins = np.arange(cuts.min() - 0.5, cuts.max() + 1) if counts else 30
    left.hist(cuts, bins=bins, color=LOW.colour, edgecolor="white")
    left.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=counts))
    _draw_cut(left, bootstrap.original.cut)
    left.set(xlabel=f"Chosen cut of {name}", ylabel="Bootstrap samples", title="Where the cut falls")
    effects = [bootstrap.in_bag, bootstrap.out_of_bag[np.isfinite(bootstrap.out_of_bag)]]
    boxes = right.boxplot(effects, showfliers=False, widths=0.6, patch_artist=True, medianprops={"color": INK})
    for box, style in zip(boxes["boxes"], (HIGH, LOW), strict=True):
        box.set(facecolor=style.colour, alpha=0.5)
    right.axhline(0, color=QUIET, linewidth=1, linestyle=":")
    right.set_xticks([1, 2], ["in the\nsample", "in the\npatients left out"])
    right.set(ylabel="Log hazard ratio, high against low", title="What it seems worth")
    return figure


def draw_spline(effect: SplineEffect, x: ArrayLike, name: str) -> Figure:
    """Draw the hazard ratio along a covariate with its band, and where the patients are.

    Parameters
    ----------
    effect : SplineEffect
        What ``spline_effect`` returns.
    x : array_like, shape (n,)
        The covariate, drawn as a rug.
    name : str
        What it is, with its unit.
    """
    figure, axis = figure_of("PUBLIC DATA", "without a cut", 3.8)
    curve = effect.curve
    axis.fill_between(curve["x"], curve["lower"], curve["upper"], color=LOW.colour, alpha=0.2, linewidth=0)
    axis.plot(curve["x"], curve["hazard_ratio"], color=LOW.colour, linewidth=2)
    axis.axhline(1, color=QUIET, linewidth=1, linestyle=":")
    values = np.asarray(x, dtype=float)
    axis.plot(values, np.full(values.size, 0.02), "|", color=INK, alpha=0.25, transform=axis.get_xaxis_transform())
    axis.set(xlabel=name[:1].upper() + name[1:], ylabel="Hazard ratio against the median", yscale="log")
    axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
    axis.yaxis.set_major_formatter("{x:g}")
    axis.yaxis.set_minor_formatter("")
    return figure


def draw_best_cuts(found: Mapping[str, BestCuts], published: tuple[int, int]) -> Figure:
    """Draw how often each cut is the best one, under each prior.

    Parameters
    ----------
    found : mapping of str to BestCuts
        By prior, of one endpoint.
    published : (int, int)
        Patients in the low group at the published cut, if it counts as low and if it counts as high.
    """
    (endpoint,) = {best.endpoint for best in found.values()}
    figure, axis = figure_of("COMPATIBLE", f"the best cut, {endpoint}", 4.6)
    for (prior, best), (line, marker, tone) in zip(found.items(), _PRIORS, strict=True):
        shares = np.bincount(best.n_low, minlength=best.n)[1:] / len(best.n_low)
        axis.plot(range(1, best.n), shares, line, marker=marker, markersize=4.2, color=tone, linewidth=1.2,
                  markerfacecolor="white", label=prior)  # fmt: skip
    for n_low, line, side in zip(published, ("-", ":"), ("low", "high"), strict=True):
        axis.axvline(n_low, color=ALERT, linewidth=1.0, linestyle=line, label=f"published cut, counted as {side}")
    axis.set(xlabel="Patients in the low group", ylabel="Share of follow-ups in which it is best", ylim=(0, None))
    figure.legend(loc="outside lower center", ncols=3, handlelength=3.5)
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
    figure, axis = figure_of("COMPATIBLE", "what prints as published", 0.2 * len(order) + 1.5)
    for y, place in enumerate(order):
        style = HIGH if sets.excess[place] > 0 else LOW
        axis.plot([1, sets.n], [y, y], color=QUIET, linewidth=0.4, zorder=0)
        face = style.colour if attainable[place] else "none"
        axis.plot(sets.ranks[place], [y] * sets.k, style.marker, color=style.colour, markerfacecolor=face, markersize=6)
    axis.set(xlabel="Place among all events, the first on the left", ylabel="Ways, one per row", yticks=[])
    axis.set_xlim(0.3, sets.n + 0.7)
    key = [
        Line2D([], [], linestyle="none", marker=HIGH.marker, color=HIGH.colour, label="high group fails early"),
        Line2D([], [], linestyle="none", marker=LOW.marker, color=LOW.colour, label="high group fails late"),
        Line2D([], [], linestyle="none", marker="o", color=INK, markerfacecolor="none", label="hollow: excluded"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=3, fontsize="small")
    return figure
