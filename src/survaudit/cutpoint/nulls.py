"""What the best cut's chi-square looks like when the covariate means nothing.

The null distribution of the largest log-rank chi-square depends on the number of patients, on the pattern of
events and censorings in time, and on the smallest group allowed: not on the times, and not on the
covariate's values as long as they differ.  So a published chi-square can be held against it without the
follow-up.
"""

# Every argument of the public functions is by keyword, or one of a cohort's columns.
# ruff: noqa: PLR0917

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from math import sqrt

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from survaudit.cutpoint._kernels import FloatArray, IntArray, null_maxima, risk_tables, split_attains
from survaudit.cutpoint._ranked import RankedCohort, count_argument, rank_cohort
from survaudit.cutpoint._replicates import in_blocks, permutations
from survaudit.cutpoint.scan import LOG_RANK, TIE_TOLERANCE
from survaudit.errors import InputError


@dataclass(frozen=True)
class NullShare:
    """The share of null cohorts whose best cut reaches a chi-square.

    Attributes
    ----------
    n, min_group : int
        Patients, and least number on each side of a cut.
    censoring : float
        Chance that a patient is censored, NaN for a fixed pattern of events.
    chi2 : float
        The chi-square to be reached, on 1 degree of freedom.
    share, standard_error : float
        Of the cohorts, with its Monte Carlo standard error.
    replicates : int
        Cohorts drawn.
    """

    n: int
    min_group: int
    censoring: float
    chi2: float
    share: float
    standard_error: float
    replicates: int


@dataclass(frozen=True)
class NullTable:
    """Shares of null cohorts, one row per censoring and smallest group.

    Attributes
    ----------
    rows : tuple of NullShare
    method : str
        The statistic maximised.
    """

    rows: tuple[NullShare, ...]
    method: str = LOG_RANK

    def to_frame(self) -> pd.DataFrame:
        """Return one row per combination."""
        return pd.DataFrame([vars(row) for row in self.rows])


@dataclass(frozen=True)
class WorstCase:
    """The pattern of events, among those searched, that makes a chi-square look most surprising.

    Attributes
    ----------
    event : tuple of int
        Events and censorings in the order of time.
    time_rank : tuple of int
        Equal numbers are tied times.
    share : NullShare
        Estimated with cohorts of its own, since the search picks patterns that were lucky in it.
    searched_share : float
        What the search itself saw: too small, for that reason.
    patterns : int
        How many patterns were tried; a search proves no minimum.
    """

    event: tuple[int, ...]
    time_rank: tuple[int, ...]
    share: NullShare
    searched_share: float
    patterns: int


def null_table(
    chi2: float,
    *,
    rng: np.random.Generator,
    n: int = 28,
    min_groups: Sequence[int] = (1, 2, 3, 4, 5),
    censoring: Sequence[float] = (0.0, 0.2, 0.4, 0.6),
    replicates: int = 20_000,
    n_jobs: int | None = None,
) -> NullTable:
    """Tabulate how often the best cut of a null cohort reaches a chi-square.

    Parameters
    ----------
    chi2 : float
        The exact log-rank chi-square to be reached.  With `chi2_of_p(0.05)` the table gives the share of null
        cohorts whose best cut has P < 0.05.
    rng, replicates, n_jobs
        Source of the cohorts, how many per censoring, and workers (which change nothing).
    n : int
        Patients, with distinct covariates and times.
    min_groups : sequence of int
        Least numbers of patients on each side; all are read off the same cohorts.
    censoring : sequence of float
        Chances, from 0 to below 1, that a patient is censored, whatever his place in time: what exponential
        times with exponential censoring give.  A cohort without events has a largest chi-square of 0.

    Returns
    -------
    NullTable

    Raises
    ------
    InputError
        If a number is out of its range.

    Notes
    -----
    The distribution of a maximally selected chi-square, which Miller and Siegmund (1982) approximate for many patients,
    by drawing cohorts instead, as small as the one in question.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> table = null_table(5.59, rng=rng, min_groups=(5,), censoring=(0.0,), replicates=2000)
    >>> 0.14 < table.rows[0].share < 0.22
    True
    """
    groups = least_groups(n, min_groups)
    total = count_argument("replicates", replicates, least=1)
    rows: list[NullShare] = []
    for chance in censoring:
        if not 0 <= chance < 1:
            raise InputError(f"censoring: found {chance}, expected a chance from 0 to below 1")
        maxima = np.concatenate(in_blocks(partial(_random_nulls, n, groups, chance), total, rng, n_jobs=n_jobs))
        rows += _shares(maxima, n, groups, chance, chi2)
    return NullTable(tuple(rows))


def null_of_pattern(
    chi2: float,
    time_days: ArrayLike,
    event: ArrayLike,
    *,
    rng: np.random.Generator,
    min_groups: Sequence[int] = (1, 2, 3, 4, 5),
    replicates: int = 20_000,
    n_jobs: int | None = None,
) -> NullTable:
    """Tabulate how often the best cut reaches a chi-square under one pattern of events and ties.

    Parameters
    ----------
    time_days, event : (n,) array_like
        The pattern; only the order of the times matters.
    chi2, rng, min_groups, replicates, n_jobs
        As in `null_table`.

    Returns
    -------
    NullTable

    Raises
    ------
    InputError
        If the pattern is no follow-up with an event, or a number is out of its range.

    Examples
    --------
    >>> pattern = np.arange(12), np.ones(12)
    >>> table = null_of_pattern(5.59, *pattern, rng=np.random.default_rng(1), min_groups=(2,), replicates=500)
    >>> table.rows[0].n, 0 < table.rows[0].share < 1
    (12, True)
    """
    times = np.asarray(time_days)
    ranked = rank_cohort(np.arange(times.size), times, event)
    groups, total = least_groups(ranked.n, min_groups), count_argument("replicates", replicates, least=1)
    pattern = _pattern(ranked, times)
    maxima = np.concatenate(in_blocks(partial(_fixed_nulls, pattern, groups), total, rng, n_jobs=n_jobs))
    return NullTable(tuple(_shares(maxima, ranked.n, groups, float("nan"), chi2)))


def chi2_of_p(p: float) -> float:
    """Return the chi-square on 1 degree of freedom with a given P value.

    Parameters
    ----------
    p : float
        P value, more than 0 and at most 1.

    Returns
    -------
    float
        0 for a P of 1.

    Raises
    ------
    InputError
        If p is no P value, such as 5 for 5%.

    Examples
    --------
    >>> round(chi2_of_p(0.05), 3)
    3.841
    """
    if not 0 < p <= 1:
        raise InputError(f"p: found {p}, expected a P value, more than 0 and at most 1; divide per cents by 100")
    return float(stats.chi2.isf(p, 1))


def worst_case(
    chi2: float,
    *,
    events: int,
    rng: np.random.Generator,
    n: int = 28,
    min_group: int = 1,
    n_high: int | None = None,
    rounding: float = 0.005,
    ties: bool = True,
    starts: int = 6,
    steps: int = 150,
    replicates: int = 20_000,
    n_jobs: int | None = None,
) -> WorstCase:
    """Search for the pattern of events and ties under which a chi-square is most surprising.

    Parameters
    ----------
    chi2, rng, n, min_group, replicates, n_jobs
        As in `null_table`; `replicates` is for the final estimate.
    events : int
        Number of events, which the search keeps.
    n_high : int, optional
        Patients on one side of a published cut: only patterns are admitted under which some group of that
        size has the chi-square.  Without it the search may end where no cut can reach it, with a share of 0.
    rounding : float
        Half a unit of the last digit of `chi2` as printed.
    ties : bool
        Whether tied times may be tried.
    starts, steps : int
        Random beginnings, and changes tried from each: an event and a censoring exchanged, or a tie made or
        broken.

    Returns
    -------
    WorstCase
        The best pattern found; a search is no proof that there is none below it.

    Raises
    ------
    InputError
        If a number is out of its range.

    Examples
    --------
    >>> worst = worst_case(5.59, events=4, rng=np.random.default_rng(1), starts=1, steps=5, replicates=500)
    >>> sum(worst.event), worst.patterns
    (4, 6)
    """
    group = least_groups(n, (min_group,))
    if not 1 <= count_argument("events", events, least=1) <= n:
        raise InputError(f"events: found {events}, expected at most n={n}")
    count_argument("starts", starts, least=1)
    bounds = None if n_high is None else (n_high, (chi2 - rounding, chi2 + rounding))
    work = partial(_search, chi2, n, events, group, bounds, ties, count_argument("steps", steps, least=0))
    found = in_blocks(work, starts, rng, block=1, n_jobs=n_jobs)
    share, event, new_time = min(found, key=lambda result: result[0])
    if share > 1:
        raise InputError(
            f"n_high={n_high}: no pattern with {events} events was found under which {n_high} of {n} "
            f"patients have a chi-square of {chi2}; allow more steps or starts"
        )
    time_rank = np.cumsum(new_time) - 1
    table = null_of_pattern(
        chi2, time_rank, event, rng=rng, min_groups=(min_group,), replicates=replicates, n_jobs=n_jobs
    )
    pattern = tuple(event.tolist()), tuple(time_rank.tolist())
    return WorstCase(*pattern, table.rows[0], share, starts * (steps + 1))


def least_groups(n: int, min_groups: Sequence[int]) -> IntArray:
    """Check the cohort's size and the least groups.

    Parameters
    ----------
    n : int
        Patients, at least 2.
    min_groups : sequence of int
        Least numbers of patients on each side of a cut.

    Returns
    -------
    (k,) array of int
        `min_groups`, in their order.

    Raises
    ------
    InputError
        If n is no whole number of at least 2, or a least group none from 1 to half of n.

    Examples
    --------
    >>> least_groups(28, (1, 5)).tolist()
    [1, 5]
    >>> least_groups(28, (15,))
    Traceback (most recent call last):
    ...
    survaudit.errors.InputError: min_group: found 15, which leaves no cut among n=28 patients
    """
    count_argument("n", n, least=2)
    for group in min_groups:
        if count_argument("min_group", group, least=1) > n // 2:
            raise InputError(f"min_group: found {group}, which leaves no cut among n={n} patients")
    return np.array(min_groups, dtype=np.int64)


def _random_nulls(n: int, groups: IntArray, censoring: float, count: int, rng: np.random.Generator) -> FloatArray:
    """Return the largest chi-squares of null cohorts with events at random, as (count, groups)."""
    starts = np.arange(n)
    found = []
    for orders in permutations(count, n, rng):
        events = (rng.random(orders.shape) >= censoring).astype(np.int64)
        found.append(null_maxima(orders, events, starts, groups))
    return np.concatenate(found)


def _fixed_nulls(
    pattern: tuple[IntArray, IntArray], groups: IntArray, count: int, rng: np.random.Generator
) -> FloatArray:
    """Return the largest chi-squares of null cohorts with one pattern of events, as (count, groups)."""
    event, starts = pattern
    orders = permutations(count, event.size, rng)
    return np.concatenate([null_maxima(order, event[None, :], starts, groups) for order in orders])


def _pattern(ranked: RankedCohort, time_days: FloatArray) -> tuple[IntArray, IntArray]:
    """Return events in the order of time, and where each distinct time begins."""
    by_time = np.argsort(time_days, kind="stable")
    ordered = time_days[by_time]
    return ranked.event[by_time], np.concatenate(([0], np.flatnonzero(np.diff(ordered) > 0) + 1))


def _shares(maxima: FloatArray, n: int, groups: IntArray, censoring: float, chi2: float) -> list[NullShare]:
    """Summarise maxima, one row per least group."""
    rows = []
    for column, group in enumerate(groups.tolist()):
        total = maxima.shape[0]
        share = float(np.mean(maxima[:, column] >= chi2 * (1 - TIE_TOLERANCE)))
        error = sqrt(share * (1 - share) / total)
        rows.append(NullShare(n, group, float(censoring), float(chi2), share, error, total))
    return rows


def _search(
    chi2: float,
    n: int,
    events: int,
    group: IntArray,
    split: tuple[int, tuple[float, float]] | None,
    ties: bool,
    steps: int,
    _count: int,
    rng: np.random.Generator,
) -> tuple[float, IntArray, IntArray]:
    """Descend from one random pattern; return the share seen, the events, and where times begin anew.

    A pattern that is not admitted has a share of 2, so that the walk goes on from it.
    """
    # The same orders for every pattern: differences between patterns are then not noise.
    orders = next(permutations(2000, n, rng))

    def share(event: IntArray, new_time: IntArray) -> float:
        starts = np.flatnonzero(new_time)
        if split:
            level, table, _ = risk_tables(event, starts)
            if not split_attains(level, event, table, *split):
                return 2.0
        maxima = null_maxima(orders, event[None, :], starts, group)
        return float(np.mean(maxima[:, 0] >= chi2 * (1 - TIE_TOLERANCE)))

    event = rng.permutation(np.repeat([1, 0], [events, n - events]))
    new_time = np.ones(n, np.int64)
    lowest = share(event, new_time)
    for _ in range(steps):
        tried, tried_time = event.copy(), new_time.copy()
        if ties and rng.random() < 0.5:
            tried_time[rng.integers(1, n)] ^= 1
        else:
            swap = rng.choice(np.flatnonzero(event)), rng.choice(np.append(np.flatnonzero(event == 0), 0))
            tried[list(swap)] = tried[list(swap[::-1])]
        now = share(tried, tried_time)
        if now <= lowest:
            event, new_time, lowest = tried, tried_time, now
    return lowest, event, new_time
