"""Whether a selected cut-point, and the effect it shows, would come back in other patients.

The effect is Peto's log hazard ratio of the high against the low group, (O - E) / V from the log-rank test
(Peto and others 1977): no model is fitted, and its sign is that of the statistic.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from survaudit.cutpoint._kernels import FloatArray, IntArray
from survaudit.cutpoint._ranked import count_argument
from survaudit.cutpoint._replicates import in_blocks
from survaudit.cutpoint.scan import RULE, Cut, CutScan, scan_one
from survaudit.errors import InputError


@dataclass(frozen=True, eq=False)
class BootstrapCuts:
    """The cut selected in each bootstrap sample, and its effect inside and outside that sample.

    Attributes
    ----------
    cut : (replicates,) array
        Selected cut, NaN where the sample admits none.
    chi2 : (replicates,) array
        Its chi-square in the sample.
    in_bag, out_of_bag : (replicates,) arrays
        Peto's log hazard ratio at that cut, in the sample and among the patients left out of it; NaN where
        those do not stand on both sides, or have no event that could tell.
    original : Cut
        The cut selected in the cohort itself.
    n, events, min_group, min_events, replicates : int
        The cohort, the limits, and the number of samples.
    """

    cut: FloatArray
    chi2: FloatArray
    in_bag: FloatArray
    out_of_bag: FloatArray
    original: Cut
    n: int
    events: int
    min_group: int
    min_events: int
    replicates: int
    rule: str = RULE
    effect: str = "Peto log hazard ratio, high against low"

    @property
    def failed(self) -> int:
        """Samples without any admissible cut."""
        return int(np.isnan(self.cut).sum())

    def to_frame(self) -> pd.DataFrame:
        """Return one row per sample."""
        return pd.DataFrame({name: getattr(self, name) for name in ("cut", "chi2", "in_bag", "out_of_bag")})


@dataclass(frozen=True, eq=False)
class SplitSamples:
    """A cut selected in one half of a cohort and tested in the other, over many ways to halve it.

    Attributes
    ----------
    cut, training_chi2, training_p : (replicates,) arrays
        Selected in the training half, with its uncorrected P value there; NaN where no cut is admissible.
    validation_statistic, validation_p : (replicates,) arrays
        The signed statistic of the same cut in the other half, and its P value, which needs no correction;
        NaN where the other half does not stand on both sides, or has no event that could tell.
    n, events, min_group, min_events, replicates : int
        The cohort, the limits in the training half, and the number of halvings.
    """

    cut: FloatArray
    training_chi2: FloatArray
    training_p: FloatArray
    validation_statistic: FloatArray
    validation_p: FloatArray
    n: int
    events: int
    min_group: int
    min_events: int
    replicates: int
    rule: str = RULE

    def to_frame(self) -> pd.DataFrame:
        """Return one row per halving."""
        names = ("cut", "training_chi2", "training_p", "validation_statistic", "validation_p")
        return pd.DataFrame({name: getattr(self, name) for name in names})


def bootstrap_cuts(
    x: ArrayLike,
    time_days: ArrayLike,
    event: ArrayLike,
    *,
    rng: np.random.Generator,
    replicates: int = 1000,
    min_group: int = 1,
    min_events: int = 0,
    n_jobs: int | None = None,
) -> BootstrapCuts:
    """Select the cut anew in bootstrap samples of the cohort.

    Parameters
    ----------
    x, time_days, event, min_group, min_events
        As in `survaudit.cutpoint.scan.scan_one`; the limits count patients as often as a sample holds them.
    rng : numpy.random.Generator
        Source of the samples.
    replicates : int
        Number of samples.
    n_jobs : int, optional
        Workers, as in `joblib.Parallel`; they do not change the result.

    Returns
    -------
    BootstrapCuts

    Raises
    ------
    InputError
        As `scan_one`.

    Notes
    -----
    Patients are drawn with replacement (Efron 1979); those left out, about 37%, had no part in the choice,
    so that the effect among them is not inflated by it (Sauerbrei and Schumacher 1992).

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x, time_days = rng.normal(size=60), rng.exponential(500, 60)
    >>> result = bootstrap_cuts(x, time_days, np.ones(60), rng=rng, replicates=50, min_group=5)
    >>> bool(np.nanmean(np.abs(result.in_bag)) > np.nanmean(np.abs(result.out_of_bag)))
    True
    """
    scan = scan_one(x, time_days, event, min_group=min_group, min_events=min_events)
    total = count_argument("replicates", replicates, least=1)
    work = partial(_bootstrap_block, _columns(x, time_days, event), (min_group, min_events))
    found = np.concatenate(in_blocks(work, total, rng, block=100, n_jobs=n_jobs))
    cut, chi2, inside, outside = _read_only(found)
    counts = scan.n, scan.events, min_group, min_events, total
    return BootstrapCuts(cut, chi2, inside, outside, scan.best, *counts)


def split_samples(
    x: ArrayLike,
    time_days: ArrayLike,
    event: ArrayLike,
    *,
    rng: np.random.Generator,
    replicates: int = 1000,
    min_group: int = 1,
    min_events: int = 0,
    n_jobs: int | None = None,
) -> SplitSamples:
    """Select the cut in one half of the cohort and test it in the other, as X-tile offers.

    Parameters
    ----------
    x, time_days, event, rng, n_jobs
        As in `bootstrap_cuts`.
    replicates : int
        Number of halvings; X-tile shows one, and the spread over many says what one is worth.
    min_group, min_events : int
        Least numbers on each side of the cut in the training half.

    Returns
    -------
    SplitSamples

    Raises
    ------
    InputError
        As `scan_one`.

    Notes
    -----
    X-tile (Camp, Dolled-Filhart and Rimm 2004) matches a training and a validation set by follow-up.  Here
    censored and uncensored patients are listed apart by follow-up, and of each pair of neighbours in a list
    one goes to each half at random; how X-tile itself deals them was not checked against its program.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> x, time_days = rng.normal(size=60), rng.exponential(500, 60)
    >>> result = split_samples(x, time_days, np.ones(60), rng=rng, replicates=50, min_group=5)
    >>> bool(np.nanmean(result.training_p < 0.05) > np.nanmean(result.validation_p < 0.05))
    True
    """
    scan = scan_one(x, time_days, event, min_group=min_group, min_events=min_events)
    total = count_argument("replicates", replicates, least=1)
    work = partial(_split_block, _columns(x, time_days, event), (min_group, min_events))
    found = np.concatenate(in_blocks(work, total, rng, block=100, n_jobs=n_jobs))
    cut, chi2, p, statistic, validation_p = _read_only(found)
    counts = scan.n, scan.events, min_group, min_events, total
    return SplitSamples(cut, chi2, p, statistic, validation_p, *counts)


def _columns(x: ArrayLike, time_days: ArrayLike, event: ArrayLike) -> FloatArray:
    """Return the cohort, which a scan has accepted, as (3, n)."""
    return np.array([np.asarray(column, dtype=np.float64) for column in (x, time_days, event)])


def _read_only(found: FloatArray) -> list[FloatArray]:
    """Return the columns of an array, protected from change."""
    columns = list(found.T.copy())
    for column in columns:
        column.flags.writeable = False
    return columns


def _select(cohort: FloatArray, limits: tuple[int, int]) -> Cut | None:
    """Return the best cut of a sample, or None where it admits none."""
    try:
        return scan_one(*cohort, min_group=limits[0], min_events=limits[1]).best
    except InputError:
        # The cohort itself was accepted: only the draw can lack events, values or room for a cut.
        return None


def _at_cut(cohort: FloatArray, cut: float) -> tuple[float, float]:
    """Return the signed statistic and Peto's log hazard ratio of one given cut, NaN where it has none."""
    high = (cohort[0] > cut).astype(np.float64)
    if high.size < 2 or high.min() == high.max() or not cohort[2].any():
        return float("nan"), float("nan")
    scan: CutScan = scan_one(high, cohort[1], cohort[2])
    if scan.variance[0] == 0:
        return float("nan"), float("nan")
    excess = scan.events_high[0] - scan.expected_high[0]
    return float(scan.statistic[0]), float(excess / scan.variance[0])


def _bootstrap_block(cohort: FloatArray, limits: tuple[int, int], count: int, rng: np.random.Generator) -> FloatArray:
    """Return cut, chi-square, and effect in and out of bag, for `count` samples."""
    n = cohort.shape[1]
    found = np.full((count, 4), np.nan)
    for row in found:
        drawn = rng.integers(0, n, n)
        sample = cohort[:, drawn]
        best = _select(sample, limits)
        if best is None:
            continue
        left_out = cohort[:, np.setdiff1d(np.arange(n), drawn)]
        row[:] = best.cut, best.chi2, _at_cut(sample, best.cut)[1], _at_cut(left_out, best.cut)[1]
    return found


def _split_block(cohort: FloatArray, limits: tuple[int, int], count: int, rng: np.random.Generator) -> FloatArray:
    """Return cut, chi-square and P in training, statistic and P in validation, for `count` halvings."""
    order = np.lexsort((cohort[1], cohort[2]))
    found = np.full((count, 5), np.nan)
    for row in found:
        training = _halve(order, cohort[2, order], rng)
        best = _select(cohort[:, training], limits)
        if best is None:
            continue
        statistic, _ = _at_cut(cohort[:, ~training], best.cut)
        row[:] = best.cut, best.chi2, best.p, statistic, special.erfc(abs(statistic) / np.sqrt(2))
    return found


def _halve(order: IntArray, event: FloatArray, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Deal neighbours in each list of follow-up, censored and uncensored, to different halves."""
    training = np.zeros(order.size, np.bool_)
    for kind in (0, 1):
        listed = order[event == kind]
        first = rng.integers(0, 2, (listed.size + 1) // 2)
        # Pair k has places 2k and 2k + 1: one of them, by the toss, goes to training.
        chosen = 2 * np.arange(first.size) + first
        training[listed[chosen[chosen < listed.size]]] = True
    return training
