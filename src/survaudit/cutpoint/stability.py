"""Whether a selected cut-point, and the effect it shows, would come back in other patients.

The effect is Peto's log hazard ratio of the high against the low group, (O - E) / V from the log-rank test
(Peto and others 1977): no model is fitted, and its sign is that of the statistic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import special

from survaudit.cutpoint._kernels import FloatArray, IntArray
from survaudit.cutpoint._replicates import in_blocks
from survaudit.cutpoint.scan import Cut, CutRules, scan_one
from survaudit.errors import InputError

Work = Callable[[FloatArray, int, int, np.random.Generator], FloatArray]


@dataclass(frozen=True, eq=False)
class _Samples:
    """What both kinds of samples have; `rules` tells the least group, and how many samples there are."""

    rules: CutRules
    cut: FloatArray

    @property
    def replicates(self) -> int:
        """Number of samples."""
        return self.rules.replicates

    def to_frame(self) -> pd.DataFrame:
        """Return one row per sample."""
        return pd.DataFrame({name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)})


@dataclass(frozen=True, eq=False)
class BootstrapCuts(_Samples):
    """The cut selected in each bootstrap sample, and its effect inside and outside that sample.

    Attributes
    ----------
    cut, chi2 : (replicates,) arrays
        Selected cut, NaN where the sample admits none, and its chi-square in the sample.
    in_bag, out_of_bag : (replicates,) arrays
        Peto's log hazard ratio at that cut, high against low, in the sample and among the patients left out of it;
        NaN where those do not stand on both sides, or have no event that could tell.
    original : Cut
        The cut selected in the cohort itself.
    """

    chi2: FloatArray
    in_bag: FloatArray
    out_of_bag: FloatArray
    original: Cut

    @property
    def failed(self) -> int:
        """Samples without any admissible cut."""
        return int(np.isnan(self.cut).sum())


@dataclass(frozen=True, eq=False)
class SplitSamples(_Samples):
    """A cut selected in one half of a cohort and tested in the other, over many ways to halve it.

    Attributes
    ----------
    cut, training_chi2, training_p : (replicates,) arrays
        Selected in the training half, with its uncorrected P value there; NaN where no cut is admissible.
    validation_statistic, validation_p : (replicates,) arrays
        The signed statistic of the same cut in the other half, and its P value, which needs no correction;
        NaN where the other half does not stand on both sides, or has no event that could tell.
    """

    training_chi2: FloatArray
    training_p: FloatArray
    validation_statistic: FloatArray
    validation_p: FloatArray


def bootstrap_cuts(
    x: ArrayLike, time_days: ArrayLike, event: ArrayLike, *, rng: np.random.Generator, **settings: Any
) -> BootstrapCuts:
    """Select the cut anew in bootstrap samples of the cohort.

    Parameters
    ----------
    x, time_days, event
        As in `survaudit.cutpoint.scan.scan_one`.
    rng : numpy.random.Generator
        Source of the samples.
    **settings
        Fields of `survaudit.cutpoint.scan.CutRules`; `replicates` counts samples, usually 1000, and `min_group`
        counts patients as often as a sample holds them.

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
    original, rules, columns = _sampled(_bootstrap_block, (x, time_days, event), rng, settings)
    cut, chi2, inside, outside = columns
    return BootstrapCuts(rules, cut, chi2, inside, outside, original)


def split_samples(
    x: ArrayLike, time_days: ArrayLike, event: ArrayLike, *, rng: np.random.Generator, **settings: Any
) -> SplitSamples:
    """Select the cut in one half of the cohort and test it in the other, as X-tile offers.

    Parameters
    ----------
    x, time_days, event, rng, **settings
        As in `bootstrap_cuts`; `min_group` holds in the training half.  X-tile shows one halving, and the spread over
        many says what one is worth.

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
    _, rules, columns = _sampled(_split_block, (x, time_days, event), rng, settings)
    return SplitSamples(rules, *columns)


def _sampled(
    work: Work, columns: tuple[ArrayLike, ...], rng: np.random.Generator, settings: dict[str, Any]
) -> tuple[Cut, CutRules, list[FloatArray]]:
    """Return the cut of the cohort itself, the rules, and what was found in its samples, protected from change."""
    rules = CutRules(**{"replicates": 1000, **settings})
    original = scan_one(*columns, min_group=rules.min_group).best
    cohort = np.array([np.asarray(column, dtype=np.float64) for column in columns])
    block = partial(work, cohort, rules.min_group)
    found = np.concatenate(in_blocks(block, rules.replicates, rng, block=100, n_jobs=rules.n_jobs)).T.copy()
    found.flags.writeable = False
    return original, rules, list(found)


def _select(cohort: FloatArray, min_group: int) -> Cut | None:
    """Return the best cut of a sample, or None where it admits none."""
    try:
        return scan_one(*cohort, min_group=min_group).best
    except InputError:
        # The cohort itself was accepted: only the draw can lack events, values or room for a cut.
        return None


def _at_cut(cohort: FloatArray, cut: float) -> tuple[float, float]:
    """Return the signed statistic and Peto's log hazard ratio of one given cut, NaN where it has none."""
    high = (cohort[0] > cut).astype(np.float64)
    if high.size < 2 or high.min() == high.max() or not cohort[2].any():
        return float("nan"), float("nan")
    scan = scan_one(high, cohort[1], cohort[2])
    if scan.variance[0] == 0:
        return float("nan"), float("nan")
    excess = scan.events_high[0] - scan.expected_high[0]
    return float(scan.statistic[0]), float(excess / scan.variance[0])


def _bootstrap_block(cohort: FloatArray, min_group: int, count: int, rng: np.random.Generator) -> FloatArray:
    """Return cut, chi-square, and effect in and out of bag, for `count` samples."""
    n = cohort.shape[1]
    found = np.full((count, 4), np.nan)
    for row in found:
        drawn = rng.integers(0, n, n)
        sample, left_out = cohort[:, drawn], cohort[:, np.setdiff1d(np.arange(n), drawn)]
        if best := _select(sample, min_group):
            row[:] = best.cut, best.chi2, _at_cut(sample, best.cut)[1], _at_cut(left_out, best.cut)[1]
    return found


def _split_block(cohort: FloatArray, min_group: int, count: int, rng: np.random.Generator) -> FloatArray:
    """Return cut, chi-square and P in training, statistic and P in validation, for `count` halvings."""
    order = np.lexsort((cohort[1], cohort[2]))
    found = np.full((count, 5), np.nan)
    for row in found:
        training = _halve(order, cohort[2, order], rng)
        if best := _select(cohort[:, training], min_group):
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
