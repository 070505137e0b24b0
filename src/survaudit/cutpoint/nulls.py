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
from math import nan, sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from survaudit.cutpoint._kernels import FloatArray, IntArray, null_maxima
from survaudit.cutpoint._ranked import count_argument, rank_cohort
from survaudit.cutpoint._replicates import in_blocks, permutations
from survaudit.cutpoint.scan import LOG_RANK, TIE_TOLERANCE, CutRules
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


# Events in the order of time (None: at random), and where each distinct time begins.
_Pattern = tuple[IntArray | None, IntArray]
_USUAL = 20_000


def null_table(
    chi2: float,
    *,
    rng: np.random.Generator,
    n: int = 28,
    min_groups: Sequence[int] = (1, 2, 3, 4, 5),
    censoring: Sequence[float] = (0.0, 0.2, 0.4, 0.6),
    **settings: Any,
) -> NullTable:
    """Tabulate how often the best cut of a null cohort reaches a chi-square.

    Parameters
    ----------
    chi2 : float
        The exact log-rank chi-square to be reached.  With `chi2_of_p(0.05)` the table gives the share of null
        cohorts whose best cut has P < 0.05.
    rng : numpy.random.Generator
        Source of the cohorts.
    n : int
        Patients, with distinct covariates and times.
    min_groups : sequence of int
        Least numbers of patients on each side; all are read off the same cohorts.
    censoring : sequence of float
        Chances, from 0 to below 1, that a patient is censored, whatever his place in time: what exponential
        times with exponential censoring give.  A cohort without events has a largest chi-square of 0.
    **settings
        `replicates` (cohorts per censoring, usually 20,000) and `n_jobs`, as in `survaudit.cutpoint.scan.CutRules`.

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
    rows: list[NullShare] = []
    for chance in censoring:
        if not 0 <= chance < 1:
            raise InputError(f"censoring: found {chance}, expected a chance from 0 to below 1")
        rows += _shares(chi2, float(chance), (None, np.arange(n)), min_groups, rng, settings)
    return NullTable(tuple(rows))


def null_of_pattern(
    chi2: float,
    time_days: ArrayLike,
    event: ArrayLike,
    *,
    rng: np.random.Generator,
    min_groups: Sequence[int] = (1, 2, 3, 4, 5),
    **settings: Any,
) -> NullTable:
    """Tabulate how often the best cut reaches a chi-square under one pattern of events and ties.

    Parameters
    ----------
    time_days, event : (n,) array_like
        The pattern; only the order of the times matters.
    chi2, rng, min_groups, **settings
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
    by_time = np.argsort(times, kind="stable")
    starts = np.concatenate(([0], np.flatnonzero(np.diff(times[by_time]) > 0) + 1))
    pattern = ranked.event[by_time], starts
    return NullTable(tuple(_shares(chi2, nan, pattern, min_groups, rng, settings)))


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


def _shares(
    chi2: float,
    censoring: float,
    pattern: _Pattern,
    min_groups: Sequence[int],
    rng: np.random.Generator,
    settings: dict[str, Any],
) -> list[NullShare]:
    """Draw null cohorts and count those that reach a chi-square, one row per least group."""
    rules = CutRules(min_group=1, **{"replicates": _USUAL, **settings})
    n = pattern[1].size if pattern[0] is None else pattern[0].size
    groups = least_groups(n, min_groups)
    work = partial(_null_block, pattern, censoring, groups)
    maxima = np.concatenate(in_blocks(work, rules.replicates, rng, n_jobs=rules.n_jobs))
    rows = []
    for group, share in zip(groups.tolist(), _reached(maxima, chi2).tolist(), strict=True):
        error = sqrt(share * (1 - share) / rules.replicates)
        rows.append(NullShare(n, group, censoring, float(chi2), share, error, rules.replicates))
    return rows


def _null_block(
    pattern: _Pattern, censoring: float, groups: IntArray, count: int, rng: np.random.Generator
) -> FloatArray:
    """Return the largest chi-squares of null cohorts, as (count, groups); without a pattern, events are at random."""
    event, starts = pattern
    n = starts.size if event is None else event.size
    found = []
    for orders in permutations(count, n, rng):
        events = (rng.random(orders.shape) >= censoring).astype(np.int64) if event is None else event[None, :]
        found.append(null_maxima(orders, events, starts, groups))
    return np.concatenate(found)


def _reached(maxima: FloatArray, chi2: float) -> FloatArray:
    """Return the share of cohorts that reach a chi-square, by least group."""
    share: FloatArray = np.mean(maxima >= chi2 * (1 - TIE_TOLERANCE), axis=0)
    return share
