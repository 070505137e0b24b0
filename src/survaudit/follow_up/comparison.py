"""One panel of survival curves, computed once: curves, test, hazard ratio, medians, restricted means.

Works for any complete follow-up, of whatever kind, and carries the kind along.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from survaudit.errors import InputError
from survaudit.survival.curves import (
    Floats,
    KaplanMeier,
    LogRank,
    RestrictedMean,
    kaplan_meier,
    log_rank,
    restricted_mean_difference,
    reverse_kaplan_meier,
)
from survaudit.survival.hazards import Hazards, firth_cox, proportional_hazards


@dataclass(frozen=True, eq=False)
class Comparison:
    """Two groups compared as a survival paper does.

    Attributes
    ----------
    kind : str
        Of the follow-up: SYNTHETIC, SUPPLIED, RECONSTRUCTED.
    curves : (KaplanMeier, KaplanMeier)
    follow_up : (float, float)
        Median days of follow-up in each group, by the reverse Kaplan-Meier method; missing if not reached.
    log_rank : LogRank
    hazards : Hazards or None
        Firth's Cox model of the second group to the first; None where no event compares the two.
    proportional_p : float
        Of proportional hazards; missing where the plain Cox model has no maximum.
    difference : RestrictedMean
        Second group less first, up to the last day that both curves reach.
    """

    kind: str
    curves: tuple[KaplanMeier, KaplanMeier]
    follow_up: tuple[float, float]
    log_rank: LogRank
    hazards: Hazards | None
    proportional_p: float
    difference: RestrictedMean

    @property
    def hazard_ratio(self) -> tuple[float, float, float]:
        """Return the hazard ratio of the second group to the first, with its limits; missing without a model."""
        if self.hazards is None:
            return (np.nan, np.nan, np.nan)
        row = self.hazards.table.iloc[0]
        return (float(row["hazard_ratio"]), float(row["lower"]), float(row["upper"]))

    def to_frame(self) -> pd.DataFrame:
        """Return one row a group: numbers, events, median with limits, median follow-up; all in days."""
        rows = [
            {
                "group": curve.label,
                "n": curve.n,
                "events": curve.n_events,
                "median_days": curve.median,
                "median_lower": curve.median_lower,
                "median_upper": curve.median_upper,
                "follow_up_days": follow_up,
            }
            for curve, follow_up in zip(self.curves, self.follow_up, strict=True)
        ]
        return pd.DataFrame(rows)

    def tests(self) -> pd.DataFrame:
        """Return one row a comparison: estimate, limits, P and method."""
        ratio, lower, upper = self.hazard_ratio
        gap = self.difference
        rows = [
            ("log-rank chi-square", self.log_rank.chi2, np.nan, np.nan, self.log_rank.p, self.log_rank.method),
            ("hazard ratio", ratio, lower, upper, *self._model()),
            (f"restricted mean to day {gap.tau_days:g}, difference in days", gap.estimate, gap.lower, gap.upper,
             gap.p, gap.method),
            ("proportional hazards", np.nan, np.nan, np.nan, self.proportional_p, "score test, as R cox.zph"),
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=["what", "estimate", "lower", "upper", "p", "method"])

    def _model(self) -> tuple[float, str]:
        if self.hazards is None:
            return np.nan, "no event compares the groups"
        return float(self.hazards.table["p"].iloc[0]), f"{self.hazards.method}; ties: {self.hazards.ties}"


def curves_of(rows: pd.DataFrame, groups: Sequence[str]) -> tuple[KaplanMeier, ...]:
    """Return the Kaplan-Meier curve of each group, in the order given.

    Parameters
    ----------
    rows : pandas.DataFrame
        ``group``, ``time_days`` and ``event``, one row a patient, as ``FollowUp.endpoint`` returns.
    groups : sequence of str
        In the order of the curves.

    Returns
    -------
    tuple of KaplanMeier
        Product-limit estimates (Kaplan and Meier, 1958), labelled by group; times in days.

    Raises
    ------
    InputError
        If a group has nobody.

    Examples
    --------
    >>> from survaudit.follow_up.complete import read_synthetic
    >>> rows = read_synthetic("data/synthetic/figure_s1.csv").endpoint("LFS")
    >>> [(curve.label, curve.n) for curve in curves_of(rows, ["CART1", "CART2"])]
    [('CART1', 9), ('CART2', 7)]
    """
    parts = []
    for group in groups:
        own = rows[rows["group"] == group]
        if own.empty:
            raise InputError(f"groups: found nobody in {group}, expected one or more; choose other groups")
        parts.append(kaplan_meier(own["time_days"], own["event"], label=group))
    return tuple(parts)


def curves_table(curves: Iterable[KaplanMeier]) -> pd.DataFrame:
    """Return the points of several Kaplan-Meier curves, one row a curve and time, from day 0 on.

    It holds all that a figure of the curves shows: the steps, the ticks (``censored``), and the numbers at risk, which
    at any day are those of the first row from that day on.

    Parameters
    ----------
    curves : iterable of KaplanMeier
        Told apart by their labels.

    Returns
    -------
    pandas.DataFrame
        ``group`` (the label) and ``n``, then the columns of ``KaplanMeier.to_frame``.

    Examples
    --------
    >>> table = curves_table([kaplan_meier([5, 8], [1, 0], label="a"), kaplan_meier([7], [1], label="b")])
    >>> table[["group", "time_days", "survival"]].values.tolist()
    [['a', 0.0, 1.0], ['a', 5.0, 0.5], ['a', 8.0, 0.5], ['b', 0.0, 1.0], ['b', 7.0, 0.0]]
    """
    parts = []
    for curve in curves:
        start = {"time_days": 0.0, "at_risk": curve.n, "events": 0, "censored": 0}
        start |= {"survival": 1.0, "std_error": 0.0, "lower": 1.0, "upper": 1.0}
        part = pd.concat([pd.DataFrame([start]), curve.to_frame()], ignore_index=True)
        part.insert(0, "group", curve.label)
        part.insert(1, "n", curve.n)
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def compare_groups(rows: pd.DataFrame, groups: tuple[str, str], kind: str) -> Comparison:
    """Compare two groups: curves, log-rank test, Firth's hazard ratio, difference of restricted means.

    Parameters
    ----------
    rows : pandas.DataFrame
        As in ``curves_of``; other groups are left out.
    groups : (str, str)
        Ratio and difference are of the second to the first.
    kind : str
        What the follow-up is, to be carried along.

    Returns
    -------
    Comparison

    Raises
    ------
    InputError
        If a group has nobody, or times and events are no follow-up.

    Notes
    -----
    The log-rank test (Mantel, 1966; Peto and Peto, 1972), Firth's Cox model (Heinze and Schemper, 2001), the test of
    proportional hazards (Grambsch and Therneau, 1994) and restricted means (Royston and Parmar, 2013), each as its own
    function has it.

    Examples
    --------
    >>> from survaudit.follow_up.complete import read_synthetic
    >>> follow_up = read_synthetic("data/synthetic/figure_s1.csv")
    >>> panel = compare_groups(follow_up.endpoint("LFS"), ("CART1", "CART+HSCT"), follow_up.kind)
    >>> panel.kind, [curve.n for curve in panel.curves]
    ('SYNTHETIC', [9, 10])
    """
    first, second = curves_of(rows, groups)
    both = rows[rows["group"].isin(groups)]
    in_second: Floats = np.array(both["group"] == groups[1], dtype=float)
    # As a series, since only then does the order of the groups reach the test.
    order = pd.Series(pd.Categorical(both["group"], categories=list(groups)))
    hazards, proportional_p = _models(both, {groups[1]: in_second})
    follow_up = tuple(
        reverse_kaplan_meier(own["time_days"], own["event"]).median
        for own in (both[both["group"] == group] for group in groups)
    )
    return Comparison(
        kind=kind,
        curves=(first, second),
        follow_up=(follow_up[0], follow_up[1]),
        log_rank=log_rank(both["time_days"], both["event"], order),
        hazards=hazards,
        proportional_p=proportional_p,
        difference=restricted_mean_difference(second, first, _last_common_day(first, second)),
    )


def _models(rows: pd.DataFrame, covariates: dict[str, Floats]) -> tuple[Hazards | None, float]:
    """Return Firth's model and the P of proportional hazards; what cannot be estimated is missing, not an error."""
    hazards, proportional_p = None, float("nan")
    try:
        hazards = firth_cox(rows["time_days"], rows["event"], covariates)
        check = proportional_hazards(rows["time_days"], rows["event"], covariates)
        proportional_p = float(check.table["p"].iloc[0])
    except InputError:  # no event, none that compares the groups, or a likelihood without a maximum
        pass
    return hazards, proportional_p


def _last_common_day(first: KaplanMeier, second: KaplanMeier) -> float:
    """Return the last day on which both curves are known; one that has come down to 0 stays known."""
    ends = [curve.last_day for curve in (first, second) if curve.survival[-1] > 0]
    return min(ends) if ends else max(first.last_day, second.last_day)
