"""Every cut of a covariate, compared within strata: patients only with others of their own group."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

from survaudit.errors import InputError
from survaudit.survival.curves import Floats, Ints, check_follow_up, log_rank


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
