"""What the pages that a reader can move are made of: data for `book/assets/explore.js`, and figures without it.

Everything is computed before; the script chooses and draws.  Only the cohorts without effect are drawn by the
script itself, with the shares to be expected beside them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from survaudit.cutpoint.nulls import chi2_of_p
from survaudit.cutpoint.scan import CutScan
from survaudit.cutpoint.selection import LEVEL, EveryCut
from survaudit.figures.curves import draw_curves, nice_months
from survaudit.figures.cuts import HIGH, LOW, split_counts
from survaudit.figures.style import ALERT, DAYS_PER_MONTH, FAINT, HATCH, INK, KIND_COLOURS, QUIET, figure_of
from survaudit.survival.curves import KaplanMeier

# Strokes of the SVG for matplotlib's names of lines.
_DASHES = {"-": "", "--": "7 4", "-.": "9 3 2 3", ":": "2 3"}

_ABOUT = {
    "SYNTHETIC": "One invented follow-up, chosen so that the published cut-point comes out. "
    "It says nothing about any patient.",
    "SUPPLIED": "The times of the file that this book was built with.",
    "PUBLIC DATA": "Patients of another, openly published cohort.",
}


@dataclass(frozen=True)
class Cohort:
    """A cohort under every cut, with the words that a page puts to it.

    Attributes
    ----------
    every : EveryCut
    title : str
        Whom it is of.
    kind : {"SYNTHETIC", "SUPPLIED", "PUBLIC DATA"}
    covariate, unit : str
        What is cut, and what follows its number, such as ``"%"`` or ``" years"``.
    outcome : str
        What the curves are of.
    """

    every: EveryCut
    title: str
    kind: str
    covariate: str
    unit: str
    outcome: str

    def to_json(self) -> dict[str, Any]:
        """Return what the script draws; P values and statistics with six decimals, curves with four."""
        scan, x = self.every.scan, self.every.x
        bins = [split_counts(x, cut) for cut in scan.cut]
        last = max(curve.last_day for pair in self.every.curves for curve in pair)
        months = nice_months(last / DAYS_PER_MONTH)
        words = {name: getattr(self, name) for name in ("title", "kind", "covariate", "unit", "outcome")}
        return words | {
            "about": _ABOUT[self.kind],
            "frame": KIND_COLOURS.get(self.kind, ""),
            "n": scan.n,
            "events": scan.events,
            "best": self.every.best,
            "least": scan.min_group,
            "replicates": self.every.replicates,
            "limits": _round([chi2_of_p(LEVEL), self.every.critical], 4),
            **{name: _round(getattr(scan, name), 6) for name in ("cut", "chi2", "p")},
            **{name: getattr(scan, name).tolist() for name in ("n_low", "n_high", "events_low", "events_high")},
            "toward": np.sign(_round(scan.statistic, 6)).astype(int).tolist(),
            "corrected": _round(self.every.corrected, 6),
            "range": _round([min(edges[0] for edges, *_ in bins), max(edges[-1] for edges, *_ in bins)], 6),
            "most": max(int((low + high).max()) for _, low, high in bins),
            "bins": [{"edges": _round(at, 6), "low": low.tolist(), "high": high.tolist()} for at, low, high in bins],
            "months": months,
            "last": round(last / DAYS_PER_MONTH, 4),
            "curves": [[_curve(curve, months) for curve in pair] for pair in self.every.curves],
        }


def _curve(curve: KaplanMeier, months: Sequence[int]) -> dict[str, Any]:
    falls, ticks = curve.events > 0, curve.censored > 0
    return {
        "day": _round(curve.times[falls], 2),
        "survival": _round(curve.survival[falls], 4),
        "censored": _round(curve.times[ticks], 2),
        "last": round(curve.last_day, 2),
        "at_risk": curve.at_risk_at(np.array(months) * DAYS_PER_MONTH).tolist(),
    }


def _round(values: ArrayLike, decimals: int) -> list[float]:
    """Return plain numbers, whole ones without a point, so that every build writes the same bytes."""
    rounded = np.round(np.asarray(values, dtype=float), decimals).tolist()
    return [int(value) if value.is_integer() else value for value in rounded]


class CutExplorer:
    """The page's data of cohorts between which, and along whose cuts, a reader moves."""

    def __init__(self, cohorts: Sequence[Cohort]) -> None:
        self.cohorts = tuple(cohorts)

    def _repr_html_(self) -> str:
        return _island("cut", {"cohorts": [cohort.to_json() for cohort in self.cohorts]})

    def __repr__(self) -> str:
        """Say what the page shows, for readers without HTML."""
        names = (f"{cohort.kind}, {cohort.title}, {len(cohort.every.scan.cut)} cuts" for cohort in self.cohorts)
        return f"A cut to be moved: {'; '.join(names)}"


class NullExplorer:
    """The page's data for cohorts without effect: how often their best cut is expected to reach a chi-square.

    Parameters
    ----------
    printed, level : pandas.DataFrame
        What ``NullTable.to_frame`` returns, for the printed chi-square and for that of the usual level.
    """

    def __init__(self, printed: pd.DataFrame, level: pd.DataFrame) -> None:
        self.shares = printed.merge(level, on=["n", "min_group", "censoring"], suffixes=("_printed", "_level"))

    def _repr_html_(self) -> str:
        first = self.shares.iloc[0]
        rows = [
            {"min_group": int(row["min_group"]), "censoring": float(row["censoring"])}
            | {name: round(float(row[f"share_{name}"]), 4) for name in ("printed", "level")}
            | {"replicates": int(row["replicates_printed"])}
            for row in self.shares.to_dict("records")
        ]
        chi2 = {name: round(float(first[f"chi2_{name}"]), 6) for name in ("printed", "level")}
        return _island("nulls", {"n": int(first["n"]), "chi2": chi2, "shares": rows})

    def __repr__(self) -> str:
        """Say what the page shows, for readers without HTML."""
        return f"Cohorts without effect to be drawn, {len(self.shares)} settings"


def _island(page: str, data: dict[str, Any]) -> str:
    """Return an empty place for the script, and the data that it draws there."""
    styles = {name: asdict(style) | {"dash": _DASHES[style.line]} for name, style in (("low", LOW), ("high", HIGH))}
    inks = {"ink": INK, "quiet": QUIET, "faint": FAINT, "alert": ALERT, "bar": HATCH}
    whole = data | {"styles": styles, "inks": inks, "days_per_month": DAYS_PER_MONTH}
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False).replace("</", "<\\/")
    return (
        f'<div class="explore" data-explore="{page}" hidden></div>'
        # Hidden by the script, and not in <noscript>, so that it stands there too when the script is not found.
        '<p class="explore-note">Here a script would let you move things. '
        "The figure and the table below show the same without it.</p>"
        f'<script type="application/json" id="explore-{page}-data">{text}</script>'
    )


def draw_null_cohort(scan: CutScan, curves: tuple[KaplanMeier, KaplanMeier], best: ArrayLike, printed: float) -> Figure:
    """Draw one cohort without effect at each of its cuts and at the best, and the best cuts of many.

    Parameters
    ----------
    scan : CutScan
        Of the one cohort.
    curves : (KaplanMeier, KaplanMeier)
        Low and high at its best cut.
    best : array_like
        The largest chi-square of each of many cohorts.
    printed : float
        The chi-square to be reached.
    """
    figure, ((left, right), (below, empty)) = figure_of("SIMULATED", "cohorts in which nothing matters", 6.4, 2, 2)
    empty.remove()  # the best cuts take the whole of the lower row
    below.set_subplotspec(below.get_gridspec()[1, :])
    left.vlines(scan.n_low, 0, scan.chi2, color=QUIET, linewidth=1.4)
    left.plot(scan.best.n_low, scan.best.chi2, "o", markersize=12, markerfacecolor="none", markeredgecolor=INK)
    left.axhline(printed, color=ALERT, linewidth=1.2, linestyle="--")
    left.set(xlabel="Patients in the low group", ylabel="Log-rank chi-square", ylim=(0, None), title="One cohort")
    draw_curves(right, curves, [LOW, HIGH])
    right.set_title("Split at its best cut")
    chi2 = np.asarray(best, dtype=float)
    below.hist(chi2, np.arange(0, chi2.max() + 0.5, 0.5).tolist(), color=HATCH, edgecolor="white")
    below.axvline(printed, color=ALERT, linewidth=1.2, linestyle="--")
    below.set(xlabel="Chi-square of the best cut", ylabel="Cohorts", title=f"The best cuts of {chi2.size} cohorts")
    return figure
