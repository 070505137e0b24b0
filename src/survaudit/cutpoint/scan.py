"""Every log-rank statistic that a cut-point on a covariate can give.

A cut c puts a patient in the low group when x <= c, and in the high group otherwise.  `scan_one` takes
every cut, `scan_two` every pair of cuts (low, middle, high), both with the exact log-rank statistic
(hypergeometric variance, ties as R's `survdiff`).  `scan_one_permutation_variance` is another statistic,
that of R's `maxstat`, with another maximum.  What the best of so many statistics is worth is a question
for `survaudit.cutpoint.selection`: no P value here is corrected for the choice of the cut.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special

from survaudit.cutpoint._kernels import FloatArray, IntArray, scan_pairs, scan_positions, scan_workspace
from survaudit.cutpoint._ranked import RankedCohort, count_argument, rank_cohort
from survaudit.errors import InputError

RULE = "low is x <= cut, high is x > cut"
RULE_TWO = "low is x <= cut_low, high is x > cut_high, middle is between"
LOG_RANK = "log-rank"
PERMUTATION_VARIANCE = "permutation-variance log-rank"
LOG_RANK_CONVENTION = "hypergeometric variance, ties as R survdiff"
PERMUTATION_CONVENTION = "permutation variance, max-rank tie scores, as R maxstat"

# Two statistics that are equal on paper can differ in their last digits: closer than this, they are a tie.
TIE_TOLERANCE = 1e-9

# A grid of pairs is kept whole, about 100 bytes a pair: more than this is a memory error in the making.
MOST_PAIRS = 20_000_000

_Array = TypeVar("_Array", FloatArray, IntArray)


@dataclass(frozen=True)
class Cut:
    """The cut with the largest statistic.

    Attributes
    ----------
    cut : float
        Low is x <= cut.
    n_low, n_high, events_low, events_high : int
        Patients and events on each side.
    statistic, chi2, p : float
        Signed statistic, its square, and the P value of that square on 1 degree of freedom, as if the cut had
        been chosen before the data were seen.
    tied_cuts : tuple of float
        Every cut that reaches the same statistic, the chosen (smallest) one first.
    """

    cut: float
    n_low: int
    n_high: int
    events_low: int
    events_high: int
    statistic: float
    chi2: float
    p: float
    tied_cuts: tuple[float, ...]

    @property
    def tied(self) -> bool:
        """Whether another cut reaches the same statistic."""
        return len(self.tied_cuts) > 1


@dataclass(frozen=True)
class CutPair:
    """The pair of cuts with the largest statistic; fields as in `Cut`, for three groups."""

    cut_low: float
    cut_high: float
    n_low: int
    n_middle: int
    n_high: int
    events_low: int
    events_middle: int
    events_high: int
    statistic: float
    chi2: float
    df: int
    p: float
    tied_cuts: tuple[tuple[float, float], ...]

    @property
    def tied(self) -> bool:
        """Whether another pair reaches the same statistic."""
        return len(self.tied_cuts) > 1


@dataclass(frozen=True, eq=False)
class CutScan:
    """The statistic at every candidate cut, in the order of the cuts.

    Attributes
    ----------
    cut : (k,) array
        Candidate cuts that leave enough patients and events on both sides.
    n_low, n_high, events_low, events_high : (k,) arrays of int
        Patients and events on each side.
    expected_high : (k,) array
        Events expected in the high group.
    variance : (k,) array
        Of observed minus expected.
    statistic : (k,) array
        Signed: positive when the high group has more events than expected.  Where the variance is 0 the two
        groups are never at risk together at an event that could tell them apart, and
        the statistic is defined as 0, its P value as 1.
    chi2, p : (k,) arrays
        Square of the statistic, and its P value on 1 degree of freedom, not corrected for the choice.
    n, events : int
        Patients and events in the cohort.
    method, convention, rule, units : str
        What was computed, how, which side holds the cut itself, and the unit of time.
    min_group, min_events : int
        Least number of patients and of events on each side.
    merged_times : int
        How many distinct times were merged with an earlier one that differed by rounding noise only.
    """

    cut: FloatArray
    n_low: IntArray
    n_high: IntArray
    events_low: IntArray
    events_high: IntArray
    expected_high: FloatArray
    variance: FloatArray
    statistic: FloatArray
    chi2: FloatArray
    p: FloatArray
    n: int
    events: int
    method: str
    convention: str
    min_group: int
    min_events: int
    merged_times: int
    rule: str = RULE
    units: str = "days"

    @property
    def best(self) -> Cut:
        """The cut with the largest statistic in absolute value; the smallest one among equals."""
        tied = _largest(self.chi2)
        i = int(tied[0])
        return Cut(
            cut=float(self.cut[i]),
            n_low=int(self.n_low[i]),
            n_high=int(self.n_high[i]),
            events_low=int(self.events_low[i]),
            events_high=int(self.events_high[i]),
            statistic=float(self.statistic[i]),
            chi2=float(self.chi2[i]),
            p=float(self.p[i]),
            tied_cuts=tuple(self.cut[tied].tolist()),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row per cut: cut, patients and events a side, statistic, chi2, p."""
        names = ["cut", "n_low", "n_high", "events_low", "events_high", "expected_high", "variance"]
        return pd.DataFrame({name: getattr(self, name) for name in [*names, "statistic", "chi2", "p"]})


@dataclass(frozen=True, eq=False)
class CutGrid:
    """The three-group statistic at every pair of cuts, ordered by the lower cut, then by the upper one.

    Attributes
    ----------
    cut_low, cut_high : (k,) arrays
        Low is x <= cut_low, high is x > cut_high, the middle is between.
    n_low, n_middle, n_high, events_low, events_middle, events_high : (k,) arrays of int
        Patients and events in each group.
    statistic : (k,) array
        Square root of `chi2` with a direction: positive when observed minus expected is larger in the high
        group than in the low one.
    chi2, p : (k,) arrays
        Three-group log-rank chi-square and its P value, not corrected for the choice.
    df : (k,) array of int
        Its degrees of freedom: 2, or 1 when one group is never at risk at an event that could tell it from
        the others, or 0 when none is (chi-square 0 and P value 1 by definition).
    n, events, method, convention, rule, units, min_group, min_events, merged_times
        As in `CutScan`.
    """

    cut_low: FloatArray
    cut_high: FloatArray
    n_low: IntArray
    n_middle: IntArray
    n_high: IntArray
    events_low: IntArray
    events_middle: IntArray
    events_high: IntArray
    statistic: FloatArray
    chi2: FloatArray
    df: IntArray
    p: FloatArray
    n: int
    events: int
    method: str
    convention: str
    min_group: int
    min_events: int
    merged_times: int
    rule: str = RULE_TWO
    units: str = "days"

    @property
    def best(self) -> CutPair:
        """The pair with the largest chi-square; among equals the smallest lower, then upper cut."""
        tied = _largest(self.chi2)
        i = int(tied[0])
        pairs = zip(self.cut_low[tied].tolist(), self.cut_high[tied].tolist(), strict=True)
        return CutPair(
            cut_low=float(self.cut_low[i]),
            cut_high=float(self.cut_high[i]),
            n_low=int(self.n_low[i]),
            n_middle=int(self.n_middle[i]),
            n_high=int(self.n_high[i]),
            events_low=int(self.events_low[i]),
            events_middle=int(self.events_middle[i]),
            events_high=int(self.events_high[i]),
            statistic=float(self.statistic[i]),
            chi2=float(self.chi2[i]),
            df=int(self.df[i]),
            p=float(self.p[i]),
            tied_cuts=tuple(pairs),
        )

    def to_frame(self) -> pd.DataFrame:
        """Return one row per pair: cuts, patients and events a group, statistic, chi2, df, p."""
        counts = ["n_low", "n_middle", "n_high", "events_low", "events_middle", "events_high"]
        names = ["cut_low", "cut_high", *counts, "statistic", "chi2", "df", "p"]
        return pd.DataFrame({name: getattr(self, name) for name in names})


def scan_one(
    x: ArrayLike, time_days: ArrayLike, event: ArrayLike, *, min_group: int = 1, min_events: int = 0
) -> CutScan:
    """Compute the exact log-rank statistic at every cut of a covariate.

    Parameters
    ----------
    x : (n,) array_like
        The covariate.  Candidate cuts are its distinct values but the largest.
    time_days : (n,) array_like
        Follow-up in days.  Only its order matters; times that differ by rounding noise are merged.
    event : (n,) array_like
        1 for an event, 0 for censoring.
    min_group, min_events : int
        Least number of patients and of events on each side of a cut.

    Returns
    -------
    CutScan

    Raises
    ------
    InputError
        If a column cannot be used, or no cut leaves enough on both sides.

    Notes
    -----
    The statistic is (O - E) / sqrt(V) of the high group, V the hypergeometric variance (Mantel 1966; Peto and
    Peto 1972), the same as R's `survdiff`.  Patients are added in the covariate's order and V is kept
    up to date with a Fenwick tree over event times (Fenwick 1994), in O(n log n) for all cuts.

    Examples
    --------
    >>> scan = scan_one([1, 2, 3, 4, 5], [50, 40, 30, 20, 10], [1, 1, 1, 1, 0])
    >>> scan.best.cut, scan.best.n_low, round(scan.best.chi2, 3)
    (3.0, 3, 3.0)
    >>> scan.to_frame()["cut"].tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    cohort = rank_cohort(x, time_days, event)
    single = single_cuts(cohort)
    sizes = admissible(cohort, single, min_group, min_events)
    at = single[sizes - 1]
    return _cut_scan(cohort, sizes, (at[:, 1], at[:, 2]), LOG_RANK, (min_group, min_events))


def scan_one_permutation_variance(
    x: ArrayLike, time_days: ArrayLike, event: ArrayLike, *, min_group: int = 1, min_events: int = 0
) -> CutScan:
    """Compute the permutation-variance log-rank statistic at every cut of a covariate.

    Parameters
    ----------
    x : (n,) array_like
        The covariate.  Candidate cuts are its distinct values but the largest.
    time_days : (n,) array_like
        Follow-up in days.  Only its order matters; times that differ by rounding noise are merged.
    event : (n,) array_like
        1 for an event, 0 for censoring.
    min_group, min_events : int
        Least number of patients and of events on each side of a cut.

    Returns
    -------
    CutScan
        `abs(scan.statistic)` is what R's `maxstat` calls the standardised statistic; its square is **not**
        the log-rank chi-square, and its best cut may be another one.

    Raises
    ------
    InputError
        If a column cannot be used, or no cut leaves enough on both sides.

    Notes
    -----
    Sums of log-rank scores, centred and scaled by their mean and variance over all permutations of the cohort
    (Lausen and Schumacher 1992; Hothorn and Lausen 2003).  Tied events have max-rank scores: each is
    counted among those still at risk after the earlier events and ties.

    Examples
    --------
    >>> scan = scan_one_permutation_variance([1, 2, 3, 4], [40, 30, 20, 10], [1, 1, 1, 1])
    >>> scan.best.cut, round(scan.best.statistic, 4)
    (1.0, 1.565)
    """
    cohort = rank_cohort(x, time_days, event)
    sizes = admissible(cohort, single_cuts(cohort), min_group, min_events)
    sums = score_sums(cohort.scores, sizes)
    return _cut_scan(cohort, sizes, sums, PERMUTATION_VARIANCE, (min_group, min_events))


def scan_two(
    x: ArrayLike, time_days: ArrayLike, event: ArrayLike, *, min_group: int = 1, min_events: int = 0
) -> CutGrid:
    """Compute the exact three-group log-rank statistic at every pair of cuts of a covariate.

    Parameters
    ----------
    x, time_days, event
        As in `scan_one`; `x` needs three distinct values.
    min_group, min_events : int
        Least number of patients and of events in each of the three groups.

    Returns
    -------
    CutGrid

    Raises
    ------
    InputError
        If a column cannot be used, x has fewer than three distinct values or so many that the pairs would not fit
        into memory, or no pair leaves enough in all three groups.

    Notes
    -----
    The covariance of two groups is minus the sum, over their pairs of patients, of one weight that depends on
    the earlier of two times.  Running sums over those pairs give every pair of cuts in O(n^2).  The
    statistic is that of R's `survdiff` with three groups, without a trend.

    Observed, expected and covariance are those of the log-rank test of several groups (Mantel 1966; Peto and Peto
    1972).
    To choose among all pairs of cuts is what X-tile offers (Camp and others 2004).

    Examples
    --------
    >>> grid = scan_two([1, 2, 3, 4], [40, 30, 20, 10], [1, 1, 1, 1])
    >>> grid.to_frame()[["cut_low", "cut_high"]].values.tolist()
    [[1.0, 2.0], [1.0, 3.0], [2.0, 3.0]]
    """
    cohort = rank_cohort(x, time_days, event)
    group, least_events = _limits(min_group, min_events)
    sizes = cohort.candidates()
    if sizes.size < 2:
        raise InputError(f"x: found {sizes.size + 1} distinct values, expected three for three groups")
    pairs = sizes.size * (sizes.size - 1) // 2
    if pairs > MOST_PAIRS:
        raise InputError(f"x: {sizes.size + 1} distinct values make {pairs} pairs of cuts; round x first")
    counts, values = np.empty((6, pairs), np.int64), np.empty((2, pairs))
    single = single_cuts(cohort)
    count, _ = scan_pairs(sizes, cohort.patient_weight(), single, group, least_events, counts, values)
    if count == 0:
        raise InputError(
            f"min_group={group}, min_events={least_events} leaves no pair of cuts among {cohort.n} patients "
            f"with {cohort.events} events; lower one of them"
        )
    return _cut_grid(cohort, counts[:, :count], values[:, :count], (group, least_events))


def single_cuts(cohort: RankedCohort) -> FloatArray:
    """Return events, observed - expected and variance of the low group at sizes 1 to n, as (n, 3).

    The log-rank test of the first patients, in the order of the covariate, against the others (Mantel 1966; Peto and
    Peto 1972), whether or not a cut could part them.

    Parameters
    ----------
    cohort : RankedCohort
        As `_ranked.rank_cohort` returns.

    Returns
    -------
    (n, 3) array
        Row m - 1 is of the m patients with the smallest values; the last row has nobody to compare them with.

    Examples
    --------
    >>> from survaudit.cutpoint._ranked import rank_cohort
    >>> cohort = rank_cohort([1, 2, 3, 4, 5], [50, 40, 30, 20, 10], [1, 1, 1, 1, 0])
    >>> single_cuts(cohort)[1].round(3).tolist()
    [2.0, -1.167, 0.472]
    """
    tree, low, high, out = scan_workspace(cohort.n)
    scan_positions(cohort.level, cohort.event, cohort.table, tree, low, high, out)
    return out


def score_sums(scores: FloatArray, sizes: IntArray) -> tuple[FloatArray, FloatArray]:
    """Return the centred sum of the first scores, for each size of the low group, and its variance.

    The variance is that over all permutations of the scores (Lausen and Schumacher 1992; Hothorn and Lausen 2003).

    Parameters
    ----------
    scores : (n,) array
        In the order of the covariate.
    sizes : (k,) array of int
        Patients in the low group, from 1 to n - 1.

    Returns
    -------
    tuple of (k,) arrays
        Sums of the scores less their mean, and variances.

    Examples
    --------
    >>> sums, variance = score_sums(np.array([0.75, 0.4, -0.1, -1.05]), np.array([1, 2, 3]))
    >>> sums.round(3).tolist(), variance.round(3).tolist()
    ([0.75, 1.15, 1.05], [0.459, 0.612, 0.459])
    """
    n = scores.size
    centred = scores - scores.mean()
    return np.cumsum(centred)[sizes - 1], sizes * (n - sizes) / (n * (n - 1)) * float(centred @ centred)


def admissible(cohort: RankedCohort, single: FloatArray, min_group: int, min_events: int) -> IntArray:
    """Return the sizes of the low group at the candidate cuts that leave enough on both sides.

    Parameters
    ----------
    cohort : RankedCohort
        As `_ranked.rank_cohort` returns.
    single : (n, 3) array
        As `single_cuts` returns: its first column counts the events of the low group.
    min_group, min_events : int
        Least number of patients and of events on each side of a cut.

    Returns
    -------
    (k,) array of int
        Increasing; sizes that would part equal values are no candidates.

    Raises
    ------
    InputError
        If a limit is no whole number (of at least 1, and 0), or no cut leaves enough on both sides.

    Examples
    --------
    >>> from survaudit.cutpoint._ranked import rank_cohort
    >>> cohort = rank_cohort([1, 2, 3, 4, 5], [50, 40, 30, 20, 10], [1, 1, 1, 1, 0])
    >>> admissible(cohort, single_cuts(cohort), min_group=2, min_events=1).tolist()
    [2, 3]
    """
    group, least_events = _limits(min_group, min_events)
    sizes = cohort.candidates()
    low = single[sizes - 1, 0]
    enough = (sizes >= group) & (cohort.n - sizes >= group)
    enough &= (low >= least_events) & (cohort.events - low >= least_events)
    if not enough.any():
        raise InputError(
            f"min_group={group}, min_events={least_events} leaves no cut: found {sizes.size} "
            f"candidate cut(s) among {cohort.n} patients with {cohort.events} events; lower one of them"
        )
    return sizes[enough]


def _limits(min_group: int, min_events: int) -> tuple[int, int]:
    """Check the two limits."""
    return count_argument("min_group", min_group, least=1), count_argument("min_events", min_events, least=0)


def _cut_scan(
    cohort: RankedCohort,
    sizes: IntArray,
    sums: tuple[FloatArray, FloatArray],
    method: str,
    limits: tuple[int, int],
) -> CutScan:
    """Turn the low group's observed - expected and its variance at each cut into a result."""
    excess_low, variance = sums
    events_low = np.cumsum(cohort.event)[sizes - 1]
    events_high = cohort.events - events_low
    # 0 - x and not -x: a statistic of 0 should not print as -0.
    excess_high = 0.0 - excess_low
    # The tail of chi-square on 1 degree of freedom at z^2 is erfc(|z| / sqrt(2)).
    statistic = np.divide(excess_high, np.sqrt(variance), out=np.zeros(sizes.size), where=variance > 0)
    return CutScan(
        cut=_frozen(cohort.x[sizes - 1]),
        n_low=_frozen(sizes),
        n_high=_frozen(cohort.n - sizes),
        events_low=_frozen(events_low),
        events_high=_frozen(events_high),
        expected_high=_frozen(events_high - excess_high),
        variance=_frozen(variance),
        statistic=_frozen(statistic),
        chi2=_frozen(statistic**2),
        p=_frozen(special.erfc(np.abs(statistic) / np.sqrt(2))),
        n=cohort.n,
        events=cohort.events,
        method=method,
        convention=LOG_RANK_CONVENTION if method == LOG_RANK else PERMUTATION_CONVENTION,
        min_group=limits[0],
        min_events=limits[1],
        merged_times=cohort.merged_times,
    )


def _cut_grid(cohort: RankedCohort, counts: IntArray, values: FloatArray, limits: tuple[int, int]) -> CutGrid:
    """Turn what the pair kernel wrote into a result."""
    counts.flags.writeable = False
    low, middle, events_low, events_middle, events_high, df = counts
    chi2, lean = _frozen(values[0]), values[1]
    # On 2 degrees of freedom the tail is exp(-x / 2); the rare pair with fewer is done by name.
    p = np.exp(chi2 / -2)
    if df.min() < 2:
        p[df == 1] = special.erfc(np.sqrt(chi2[df == 1] / 2))
        p[df == 0] = 1.0
    return CutGrid(
        cut_low=_frozen(cohort.x[low - 1]),
        cut_high=_frozen(cohort.x[low + middle - 1]),
        n_low=low,
        n_middle=middle,
        n_high=_frozen(cohort.n - low - middle),
        events_low=events_low,
        events_middle=events_middle,
        events_high=events_high,
        statistic=_frozen(np.copysign(np.sqrt(chi2), lean)),
        chi2=chi2,
        df=df,
        p=_frozen(p),
        n=cohort.n,
        events=cohort.events,
        method="three-group log-rank",
        convention=LOG_RANK_CONVENTION,
        min_group=limits[0],
        min_events=limits[1],
        merged_times=cohort.merged_times,
    )


def _largest(chi2: FloatArray) -> IntArray:
    """Return the places of the largest chi-square and of those equal to it, in order."""
    top = float(chi2.max())
    return np.flatnonzero(chi2 >= top - TIE_TOLERANCE * max(top, 1e-300)).astype(np.int64)


def _frozen(values: _Array) -> _Array:
    """Make an array of a result read-only, as the result is."""
    values.flags.writeable = False
    return values
