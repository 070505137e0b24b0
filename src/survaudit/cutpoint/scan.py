"""Every log-rank statistic that a cut-point on a covariate can give.

A cut c puts a patient in the low group when x <= c, and in the high group otherwise.  `scan_one` takes
every cut, `scan_two` every pair of cuts (low, middle, high), both with the exact log-rank statistic
(hypergeometric variance, ties as R's `survdiff`).  `scan_one_permutation_variance` is another statistic,
that of R's `maxstat`, with another maximum.  What the best of so many statistics is worth is a question
for `survaudit.cutpoint.selection`: no P value here is corrected for the choice of the cut.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import special, stats

from survaudit.cutpoint._kernels import FloatArray, IntArray, scan_pairs, scan_positions, scan_workspace
from survaudit.cutpoint._ranked import RankedCohort, count_argument, rank_cohort
from survaudit.errors import InputError
from survaudit.survival.curves import Floats, Ints, check_follow_up, log_rank

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


@dataclass(frozen=True, kw_only=True)
class CutRules:
    """What every function that chooses a cut again and again can be told, by keyword.

    Attributes
    ----------
    min_group : int
        Least number of patients on each side of a cut, in the cohort and in everything drawn from it.
    replicates : int
        Permutations, samples or cohorts to draw; what is meant, and the usual number, is told by each function.
    n_jobs : int, optional
        Workers, as in `joblib.Parallel`; they do not change the result.

    Examples
    --------
    >>> CutRules(min_group=3).replicates
    10000
    >>> CutRules(min_group=0)
    Traceback (most recent call last):
    ...
    survaudit.errors.InputError: min_group: found 0, expected a whole number of at least 1
    """

    min_group: int = 1
    replicates: int = 10_000
    n_jobs: int | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Refuse what is no count."""
        for name in ("min_group", "replicates"):
            count_argument(name, getattr(self, name), least=1)


@dataclass(frozen=True)
class Cut:
    """The cut with the largest statistic: its row of the scan, and the cuts that reach the same (`tied_cuts`).

    The first of these is the one chosen, the smallest.  `p` is not corrected for the choice.
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


@dataclass(frozen=True, eq=False, kw_only=True)
class _Scan:
    """What both scans say of themselves: the cohort, the method and its conventions, the limits."""

    n: int
    events: int
    method: str
    convention: str
    min_group: int
    min_events: int
    merged_times: int
    rule: str = RULE
    units: str = "days"

    def __post_init__(self) -> None:
        """Make the arrays read-only, as the result is."""
        for column in self._columns().values():
            column.flags.writeable = False

    def _columns(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}

    def _best(self, kind: type[Cut | CutPair], *cuts: str) -> Any:
        """Return the row with the largest chi-square, the first of those equal to it."""
        own = vars(self)
        top = float(own["chi2"].max())
        tied = np.flatnonzero(own["chi2"] >= top - TIE_TOLERANCE * max(top, 1e-300))
        row = {name: own[name].item(tied[0]) for name in kind.__annotations__ if name != "tied_cuts"}
        equal = zip(*(own[name][tied].tolist() for name in cuts), strict=True)
        ties: Any = tuple(each if len(cuts) > 1 else each[0] for each in equal)
        return kind(**row, tied_cuts=ties)

    def to_frame(self) -> pd.DataFrame:
        """Return the arrays as columns, one row per cut or pair of cuts."""
        return pd.DataFrame(self._columns())


@dataclass(frozen=True, eq=False, kw_only=True)
class CutScan(_Scan):
    """The statistic at every candidate cut, in the order of the cuts.

    Attributes
    ----------
    cut, n_low, n_high, events_low, events_high : (k,) arrays
        Cuts that leave enough on both sides, and patients and events on each.
    expected_high, variance : (k,) arrays
        Events expected in the high group, and the variance of observed minus expected.
    statistic : (k,) array
        Signed: positive when the high group has more events than expected.  Where the variance is 0 the two
        groups are never at risk together at an event that could tell them apart, and
        the statistic is defined as 0, its P value as 1.
    chi2, p : (k,) arrays
        Square of the statistic, and its P value on 1 degree of freedom, not corrected for the choice.
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

    @property
    def best(self) -> Cut:
        """The cut with the largest statistic in absolute value; the smallest one among equals."""
        found: Cut = self._best(Cut, "cut")
        return found


@dataclass(frozen=True, eq=False, kw_only=True)
class CutGrid(_Scan):
    """The three-group statistic at every pair of cuts, ordered by the lower cut, then by the upper one.

    Attributes
    ----------
    statistic : (k,) array
        Square root of `chi2` with a direction: positive when observed minus expected is larger in the high
        group than in the low one.
    df : (k,) array of int
        Degrees of freedom of `chi2`: 2, or 1 when one group is never at risk at an event that could tell it from
        the others, or 0 when none is (chi-square 0 and P value 1 by definition).

    Notes
    -----
    The other fields are as in `CutScan`, for three groups.
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

    @property
    def best(self) -> CutPair:
        """The pair with the largest chi-square; among equals the smallest lower, then upper cut."""
        found: CutPair = self._best(CutPair, "cut_low", "cut_high")
        return found


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
    single, limits = single_cuts(cohort), _limits(min_group, min_events)
    sizes = _admissible(cohort, limits)
    at = single[sizes - 1]
    return _cut_scan(cohort, sizes, (at[:, 0], at[:, 1]), LOG_RANK, limits)


def scan_one_permutation_variance(
    x: ArrayLike, time_days: ArrayLike, event: ArrayLike, *, min_group: int = 1, min_events: int = 0
) -> CutScan:
    """Compute the permutation-variance log-rank statistic at every cut of a covariate.

    Parameters
    ----------
    x, time_days, event, min_group, min_events
        As in `scan_one`.

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
    limits = _limits(min_group, min_events)
    sizes = _admissible(cohort, limits)
    return _cut_scan(cohort, sizes, score_sums(cohort.scores, sizes), PERMUTATION_VARIANCE, limits)


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
    limits, sizes = _limits(min_group, min_events), cohort.candidates()
    if sizes.size < 2:
        raise InputError(f"x: found {sizes.size + 1} distinct values, expected three for three groups")
    pairs = sizes.size * (sizes.size - 1) // 2
    if pairs > MOST_PAIRS:
        raise InputError(f"x: {sizes.size + 1} distinct values make {pairs} pairs of cuts; round x first")
    sizes = sizes[(sizes >= limits[0]) & (cohort.n - sizes >= limits[0])]
    counts, values = np.empty((6, pairs), np.int64), np.empty((2, pairs))
    fixed = cohort.table[cohort.level, 0], single_cuts(cohort), np.cumsum(cohort.event), limits[0]
    count, _ = scan_pairs(sizes, *fixed, counts, values)
    counts, values = counts[:, :count], values[:, :count]
    if limits[1]:
        enough = counts[2:5].min(axis=0) >= limits[1]
        counts, values = counts[:, enough], values[:, enough]
    if not values.size:
        raise _none_left("pair of cuts", cohort, limits)
    (low, middle, events_low, events_middle, events_high, df), (chi2, lean) = counts, values
    return CutGrid(
        cut_low=cohort.x[low - 1],
        cut_high=cohort.x[low + middle - 1],
        n_low=low,
        n_middle=middle,
        n_high=cohort.n - low - middle,
        events_low=events_low,
        events_middle=events_middle,
        events_high=events_high,
        statistic=np.copysign(np.sqrt(chi2), lean),
        chi2=chi2,
        df=df,
        p=_tail(chi2, df),
        convention=LOG_RANK_CONVENTION,
        rule=RULE_TWO,
        **_told(cohort, "three-group log-rank", limits),
    )


def single_cuts(cohort: RankedCohort) -> FloatArray:
    """Return observed - expected and variance of the low group at sizes 1 to n - 1, as columns (Mantel 1966).

    Parameters
    ----------
    cohort : RankedCohort
        As `_ranked.rank_cohort` returns.

    Returns
    -------
    (n - 1, 3) array
        Row m - 1 is of the m patients with the smallest values, whether or not a cut could part them; the last
        column is scratch.

    Examples
    --------
    >>> from survaudit.cutpoint._ranked import rank_cohort
    >>> cohort = rank_cohort([1, 2, 3, 4, 5], [50, 40, 30, 20, 10], [1, 1, 1, 1, 0])
    >>> single_cuts(cohort)[1, :2].round(3).tolist()
    [-1.167, 0.472]
    """
    tree, low, high = scan_workspace(cohort.n)
    scan_positions(cohort.level, cohort.event, cohort.table, tree, low, high)
    return low[:-1]


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


def _limits(min_group: int, min_events: int) -> tuple[int, int]:
    return count_argument("min_group", min_group, least=1), count_argument("min_events", min_events, least=0)


def _admissible(cohort: RankedCohort, limits: tuple[int, int]) -> IntArray:
    """Return the sizes of the low group at the candidate cuts that leave enough on both sides."""
    sizes = cohort.candidates(limits[0])
    low = np.cumsum(cohort.event)[sizes - 1]
    enough = sizes[np.minimum(low, cohort.events - low) >= limits[1]]
    if not enough.size:
        raise _none_left("cut", cohort, limits)
    return enough


def _none_left(what: str, cohort: RankedCohort, limits: tuple[int, int]) -> InputError:
    return InputError(
        f"min_group={limits[0]}, min_events={limits[1]} leaves no {what}: found {cohort.candidates().size} candidate "
        f"cut(s) among {cohort.n} patients with {cohort.events} events; lower one of them"
    )


def _cut_scan(
    cohort: RankedCohort, sizes: IntArray, sums: tuple[FloatArray, FloatArray], method: str, limits: tuple[int, int]
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
        cut=cohort.x[sizes - 1],
        n_low=sizes,
        n_high=cohort.n - sizes,
        events_low=events_low,
        events_high=events_high,
        expected_high=events_high - excess_high,
        variance=variance,
        statistic=statistic,
        chi2=statistic**2,
        p=special.erfc(np.abs(statistic) / np.sqrt(2)),
        convention=LOG_RANK_CONVENTION if method == LOG_RANK else PERMUTATION_CONVENTION,
        **_told(cohort, method, limits),
    )


def _tail(chi2: FloatArray, df: IntArray) -> FloatArray:
    """Return P values on 2 degrees of freedom, where the tail is exp(-x / 2); the rare pair with fewer by name."""
    p = np.exp(chi2 / -2)
    if df.min() < 2:
        p[df == 1] = special.erfc(np.sqrt(chi2[df == 1] / 2))
        p[df == 0] = 1.0
    return p


def _told(cohort: RankedCohort, method: str, limits: tuple[int, int]) -> dict[str, Any]:
    """Return what both scans say of the cohort, the method and the limits."""
    told = {name: getattr(cohort, name) for name in ("n", "events", "merged_times")}
    return told | {"method": method, "min_group": limits[0], "min_events": limits[1]}


@dataclass(frozen=True, eq=False)
class StratifiedScan:
    """The stratified log-rank statistic of every cut.

    Attributes
    ----------
    cut : array of shape (k,)
        Low is x <= cut; all distinct values but the largest.
    n_low : array of int, shape (k,)
    excess, variance : array of shape (k,)
        Events observed less expected in the high group, and its variance, each summed over strata.
    chi2, p : array of shape (k,)
        On one degree of freedom; 0 and 1 where no stratum compares anyone.
    strata : tuple of str
    n, events : int
    method : str
    """

    cut: Floats
    n_low: Ints
    excess: Floats
    variance: Floats
    chi2: Floats
    p: Floats
    strata: tuple[str, ...]
    n: int
    events: int
    method: str = "stratified log-rank, hypergeometric variance, as R survdiff with strata()"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a cut."""
        names = ("cut", "n_low", "excess", "variance", "chi2", "p")
        return pd.DataFrame({name: getattr(self, name) for name in names})


def scan_stratified(x: ArrayLike, time_days: ArrayLike, event: ArrayLike, strata: Iterable[object]) -> StratifiedScan:
    """Compare low with high at every cut, within strata (Mantel, 1966).

    Parameters
    ----------
    x : array-like of shape (n,)
        The covariate, with at least two distinct values.
    time_days, event : array-like of shape (n,)
        As in ``survival.check_follow_up``.
    strata : iterable of length n
        Each patient's stratum.

    Returns
    -------
    StratifiedScan

    Raises
    ------
    InputError
        If there is no cut, or the lengths differ.

    Examples
    --------
    >>> scan = scan_stratified([1, 2, 1, 2], [1, 2, 3, 4], [1, 1, 1, 1], ["a", "a", "b", "b"])
    >>> scan.cut.tolist(), scan.chi2.tolist()
    ([1.0], [2.0])
    """
    time, status = check_follow_up(time_days, event)
    values, labels = np.asarray(x, dtype=float), np.asarray([str(own) for own in strata])
    if values.shape != time.shape or labels.shape != time.shape:
        raise InputError(
            f"found {values.size} values, {labels.size} strata and {time.size} times, expected equal numbers"
        )
    cuts = np.unique(values)[:-1]
    if not cuts.size or not np.isfinite(values).all():
        raise InputError("x: found one distinct value or missing ones, expected two or more numbers to cut between")
    members = [labels == name for name in np.unique(labels)]
    sums = np.array([_within(values > cut, time, status, members) for cut in cuts])
    excess, variance = sums.T
    chi2 = np.divide(excess**2, variance, out=np.zeros(len(cuts)), where=variance > 0)
    return StratifiedScan(
        cut=cuts,
        n_low=(values <= cuts[:, None]).sum(axis=1),
        excess=excess,
        variance=variance,
        chi2=chi2,
        p=stats.chi2.sf(chi2, 1),
        strata=tuple(map(str, np.unique(labels))),
        n=len(time),
        events=int(status.sum()),
    )


def _within(high: np.ndarray, time: Floats, status: Ints, members: list[np.ndarray]) -> tuple[float, float]:
    """Return excess and variance of the high group, summed over the strata that have patients on both sides."""
    excess, variance = 0.0, 0.0
    for own in members:
        if 0 < high[own].sum() < own.sum():
            test = log_rank(time[own], status[own], high[own])
            excess += float(test.observed[1] - test.expected[1])
            variance += float(test.variance[1, 1])
    return excess, variance
