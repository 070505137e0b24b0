"""What a selected cut-point's P value is worth: corrections for having chosen the best of many.

Each correction is a function of its own in `corrections`, with its source.  `compare` returns all of them side by
side and never the smallest.  The formulas were derived for the permutation-variance statistic (`maxstat` in R); for
the exact log-rank, with another maximum and a heavier tail in small groups, they are approximations, and
only the permutation of the very statistic that was maximised is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import nan, sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from survaudit.cutpoint import corrections
from survaudit.cutpoint import scan as scans
from survaudit.cutpoint._kernels import FloatArray, IntArray, permuted_maxima
from survaudit.cutpoint._ranked import RankedCohort, rank_cohort
from survaudit.cutpoint._replicates import in_blocks, permutations
from survaudit.cutpoint.scan import (
    LOG_RANK,
    PERMUTATION_VARIANCE,
    TIE_TOLERANCE,
    CutGrid,
    CutPair,
    CutRules,
    CutScan,
    scan_one,
)
from survaudit.errors import InputError
from survaudit.survival.curves import KaplanMeier, kaplan_meier

# Which statistic the permutation kernel maximises, and the scan that computes it.
KINDS = {(PERMUTATION_VARIANCE, 1): 0, (LOG_RANK, 1): 1, (LOG_RANK, 2): 2}
_SCANS: tuple[Callable[..., CutScan | CutGrid], ...] = (
    scans.scan_one_permutation_variance,
    scans.scan_one,
    scans.scan_two,
)


@dataclass(frozen=True)
class PermutationTest:
    """The largest chi-square of a cohort against its largest ones after permutation.

    `p` is (1 + exceedances) / (1 + replicates), with its Monte Carlo standard error; `method` is the statistic, the
    one maximised in every permutation over one or two `cuts`; `rules` hold in the cohort and in its permutations.
    """

    chi2: float
    p: float
    standard_error: float
    exceedances: int
    cuts: int
    method: str
    n: int
    events: int
    rules: CutRules

    @property
    def replicates(self) -> int:
        """Number of permutations."""
        return self.rules.replicates


@dataclass(frozen=True)
class Correction:
    """One P value of a selected cut: of which statistic, by which method, and from which source."""

    statistic: str
    cut: float | tuple[float, float]
    chi2: float
    method: str
    p: float
    standard_error: float
    source: str


@dataclass(frozen=True)
class Comparison:
    """Every correction of one selection, in a fixed order and without a winner.

    The `p` of a row is NaN where a method does not apply; its source says why.
    """

    rows: tuple[Correction, ...]
    cuts: int
    n: int
    events: int
    rules: CutRules

    def to_frame(self) -> pd.DataFrame:
        """Return one row per statistic and method."""
        return pd.DataFrame([vars(row) for row in self.rows])


def permutation_test(
    x: ArrayLike,
    time_days: ArrayLike,
    event: ArrayLike,
    *,
    rng: np.random.Generator,
    statistic: str = LOG_RANK,
    cuts: int = 1,
    **settings: Any,
) -> PermutationTest:
    """Correct the best cut by permuting the covariate and choosing anew each time.

    Parameters
    ----------
    x, time_days, event
        As in `survaudit.cutpoint.scan.scan_one`.
    rng : numpy.random.Generator
        Source of the permutations.
    statistic : str
        `scan.LOG_RANK` or `scan.PERMUTATION_VARIANCE`: the one maximised is the one permuted.
    cuts : int
        1, or 2 for the three-group log-rank.
    **settings
        Fields of `survaudit.cutpoint.scan.CutRules`; `replicates` counts permutations, usually 10,000.

    Returns
    -------
    PermutationTest

    Raises
    ------
    InputError
        As `scan_one`, or if the statistic and the number of cuts do not go together.

    Notes
    -----
    P = (1 + exceedances) / (1 + replicates) (Davison and Hinkley 1997), which counts the observed order among
    the permutations and so is never 0.  A permuted maximum equal to the observed one up to rounding counts.

    Examples
    --------
    >>> cohort = [1, 2, 3, 4, 5], [50, 40, 30, 20, 10], [1, 1, 1, 1, 0]
    >>> test = permutation_test(*cohort, rng=np.random.default_rng(1), replicates=999)
    >>> test.replicates, 0.05 < test.p < 0.5
    (999, True)
    """
    if (statistic, cuts) not in KINDS:
        raise InputError(f"statistic={statistic!r} with cuts={cuts!r}: expected one of {sorted(KINDS)}")
    rules, kind = CutRules(**settings), KINDS[statistic, cuts]
    chi2 = _SCANS[kind](x, time_days, event, min_group=rules.min_group).best.chi2
    cohort = rank_cohort(x, time_days, event)
    maxima = largest_permuted(cohort, rng=rng, statistic=statistic, cuts=cuts, **settings)
    exceedances = int(np.count_nonzero(maxima >= chi2 * (1 - TIE_TOLERANCE)))
    p = (1 + exceedances) / (1 + rules.replicates)
    error = sqrt(p * (1 - p) / rules.replicates)
    return PermutationTest(chi2, p, error, exceedances, cuts, statistic, cohort.n, cohort.events, rules)


def compare(
    x: ArrayLike,
    time_days: ArrayLike,
    event: ArrayLike,
    *,
    rng: np.random.Generator,
    cuts: int = 1,
    **settings: Any,
) -> Comparison:
    """Correct the best cut, or the best pair of cuts, by every method.

    Parameters
    ----------
    x, time_days, event, rng, cuts, **settings
        As in `permutation_test`.

    Returns
    -------
    Comparison
        For one cut both statistics, each with its own best cut; for two cuts the three-group log-rank, for
        which there is no formula beyond Bonferroni.

    Raises
    ------
    InputError
        As `scan_one`.

    Examples
    --------
    >>> cohort = [1, 2, 3, 4, 5], [50, 40, 30, 20, 10], [1, 1, 1, 1, 0]
    >>> table = compare(*cohort, rng=np.random.default_rng(1))
    >>> table.to_frame().query("statistic == 'log-rank'")["method"].tolist()[:3]
    ['none', 'Bonferroni', 'Miller-Siegmund 1982 (Lausen-Schumacher 1992)']
    """
    if cuts not in (1, 2):
        raise InputError(f"cuts: found {cuts!r}, expected 1 or 2")
    rules = CutRules(**settings)
    rows: list[Correction] = []
    for name in (LOG_RANK, PERMUTATION_VARIANCE)[: 3 - cuts]:
        scan = _SCANS[KINDS[name, cuts]](x, time_days, event, min_group=rules.min_group)
        test = permutation_test(x, time_days, event, rng=rng, statistic=name, cuts=cuts, **settings)
        rows += _correct(scan, test)
    if cuts == 1:
        rows.append(_hothorn_lausen_row(rank_cohort(x, time_days, event), scan.n_low))
    return Comparison(tuple(rows), cuts, scan.n, scan.events, rules)


def largest_permuted(
    cohort: RankedCohort, *, rng: np.random.Generator, statistic: str = LOG_RANK, cuts: int = 1, **settings: Any
) -> FloatArray:
    """Return the largest chi-square of each permutation of a cohort.

    The single-step maximum method (Westfall and Young 1993): the statistic is maximised anew in every permutation of
    the covariate, over the same cuts as in the cohort itself.

    Parameters
    ----------
    cohort : RankedCohort
        As `_ranked.rank_cohort` returns.
    rng, statistic, cuts, **settings
        As in `permutation_test`.

    Returns
    -------
    (replicates,) array
        Chi-squares.

    Raises
    ------
    InputError
        If a setting is no whole number of at least 1, or `rng` is no generator of numpy.

    Examples
    --------
    >>> cohort = rank_cohort([1, 2, 3, 4, 5], [50, 40, 30, 20, 10], [1, 1, 1, 1, 0])
    >>> maxima = largest_permuted(cohort, rng=np.random.default_rng(1), replicates=99)
    >>> maxima.shape, bool((maxima > 0).all())
    ((99,), True)
    """
    rules = CutRules(**settings)
    work = partial(permuted, cohort, cohort.candidates(), rules.min_group, KINDS[statistic, cuts])
    return np.concatenate(in_blocks(work, rules.replicates, rng, n_jobs=rules.n_jobs))


def permuted(  # noqa: PLR0917 - the first four are bound before the blocks are dealt
    cohort: RankedCohort, sizes: IntArray, min_group: int, kind: int, count: int, rng: np.random.Generator
) -> FloatArray:
    """Return the largest chi-square of each of `count` permutations, over cuts at the given sizes.

    One block of `largest_permuted` (Westfall and Young 1993).

    Parameters
    ----------
    cohort : RankedCohort
        As `_ranked.rank_cohort` returns.
    sizes : (k,) array of int
        Patients in the low group at the candidate cuts.
    min_group : int
        Least number of patients on each side.
    kind : int
        Which statistic: a value of `KINDS`.
    count : int
        Permutations of this block.
    rng : numpy.random.Generator
        Source of the permutations.

    Returns
    -------
    (count,) array

    Examples
    --------
    >>> cohort = rank_cohort([1, 2, 3, 4, 5], [50, 40, 30, 20, 10], [1, 1, 1, 1, 0])
    >>> permuted(cohort, cohort.candidates(), 1, KINDS[LOG_RANK, 1], 3, np.random.default_rng(1)).shape
    (3,)
    """
    fixed = cohort.for_kernels(), sizes, min_group, kind
    return np.concatenate([permuted_maxima(orders, *fixed) for orders in permutations(count, cohort.n, rng)])


def _correct(scan: CutScan | CutGrid, test: PermutationTest) -> list[Correction]:
    """Return the rows of one statistic: method, P value, its standard error (none for a formula) and source."""
    best, choices = scan.best, scan.chi2.size
    cut = (best.cut_low, best.cut_high) if isinstance(best, CutPair) else best.cut
    found = [("none", best.p, 0.0, "as if the cut had been chosen before the data were seen")]
    found += [("Bonferroni", corrections.bonferroni(best.p, choices), 0.0, f"{choices} choices")]
    if isinstance(scan, CutScan):
        b, n, sizes = sqrt(best.chi2), scan.n, scan.n_low
        miller = corrections.miller_siegmund(b, sizes[0] / n, sizes[-1] / n)
        lausen, gauss = corrections.lausen_schumacher_1994(b, n, sizes), corrections.conditional_gaussian(b, n, sizes)
        found += [
            ("Miller-Siegmund 1982 (Lausen-Schumacher 1992)", miller, 0.0, "Biometrics 38:1011 and 48:73"),
            ("Lausen-Sauerbrei-Schumacher 1994", lausen, 0.0, "Lausen, Sauerbrei and Schumacher 1994"),
            ("conditional Gaussian", gauss, 0.0, "multivariate normal, as Hothorn and Lausen 2003"),
        ]
    found += [("permutation", test.p, test.standard_error, "permutation of this very statistic")]
    return [Correction(scan.method, cut, best.chi2, *row) for row in found]


def _hothorn_lausen_row(cohort: RankedCohort, sizes: IntArray) -> Correction:
    """Return the row of Hothorn and Lausen, which has a statistic of its own: scores in whole numbers."""
    label, method = f"{PERMUTATION_VARIANCE}, rounded scores", "Hothorn-Lausen 2003"
    if cohort.n > corrections.LARGEST_COHORT:
        why = f"not computed beyond {corrections.LARGEST_COHORT} patients"
        return Correction(label, nan, nan, method, nan, 0.0, why)
    test = corrections.hothorn_lausen(cohort.scores, sizes)
    cut, chi2 = float(cohort.x[test.n_low - 1]), test.statistic**2
    return Correction(label, cut, chi2, method, test.p, 0.0, "Comput Stat Data Anal 43:121, an upper bound")


LEVEL = 0.05  # the usual one


@dataclass(frozen=True, eq=False)
class EveryCut:
    """Everything that a cohort shows at each of its cuts.

    Attributes
    ----------
    scan : CutScan
        The statistic and its P value at each cut, with the convention, the units, n and events.
    corrected : (k,) array
        By cut, (1 + exceedances) / (1 + replicates), where an exceedance is a permutation whose best
        cut has at least the chi-square of this one.
    critical : float
        Chi-squares above this one have a corrected P of at most 0.05; infinite if permutations are too few for any.
    replicates : int
        Permutations.
    x : (n,) array
        The covariate.
    curves : tuple of (KaplanMeier, KaplanMeier)
        By cut, of the low and of the high group.
    """

    scan: CutScan
    corrected: NDArray[np.float64]
    critical: float
    replicates: int
    x: NDArray[np.float64]
    curves: tuple[tuple[KaplanMeier, KaplanMeier], ...]
    method: str = "single-step maximum permutation (Westfall and Young 1993)"

    @property
    def best(self) -> int:
        """The place of the best cut, the smallest among equals."""
        return int(np.flatnonzero(self.scan.cut == self.scan.best.cut)[0])

    def to_frame(self) -> pd.DataFrame:
        """Return one row a cut: that of the scan, with the P corrected for the choice among all cuts."""
        return self.scan.to_frame().assign(corrected_p=self.corrected)


def every_cut(
    x: ArrayLike, time_days: ArrayLike, event: ArrayLike, *, rng: np.random.Generator, **settings: Any
) -> EveryCut:
    """Compute what a cohort shows at every cut, so that a page need only choose among them.

    Parameters
    ----------
    x, time_days, event, rng, **settings
        As in `survaudit.cutpoint.selection.permutation_test`.

    Returns
    -------
    EveryCut

    Raises
    ------
    InputError
        As `permutation_test`.

    Notes
    -----
    A cut that a reader picks has been chosen from all of them, like the best one.  So its corrected P is
    that of the best: how often the largest chi-square of a permuted cohort reaches the one at this cut
    (Westfall and Young 1993).  At the best cut it is the P of `selection.permutation_test`.

    Examples
    --------
    >>> cohort = [1, 2, 3, 4, 5], [50, 40, 30, 20, 10], [1, 1, 1, 1, 0]
    >>> found = every_cut(*cohort, rng=np.random.default_rng(1), replicates=999)
    >>> [curve.n for curve in found.curves[0]], bool((found.corrected >= found.scan.p).all())
    ([1, 4], True)
    """
    rules = CutRules(**settings)
    scan, total = scan_one(x, time_days, event, min_group=rules.min_group), rules.replicates
    maxima = largest_permuted(rank_cohort(x, time_days, event), rng=rng, **settings)
    reached = maxima[:, None] >= scan.chi2 * (1 - TIE_TOLERANCE)
    values = np.asarray(x, dtype=float)
    curves = tuple(curves_at(values, time_days, event, float(cut)) for cut in scan.cut)
    # Above the critical value at most so many maxima are left; with few permutations, not even none is few enough.
    few = int(LEVEL * (1 + total))
    critical = float(np.append(np.inf, np.sort(maxima)[::-1])[few])
    return EveryCut(scan, (1 + reached.sum(axis=0)) / (1 + total), critical, total, values, curves)


def curves_at(x: ArrayLike, time_days: ArrayLike, event: ArrayLike, cut: float) -> tuple[KaplanMeier, KaplanMeier]:
    """Return the survival curves of the two sides of a cut (Kaplan and Meier 1958).

    Parameters
    ----------
    x, time_days, event : array_like, shape (n,)
        As in `cutpoint.scan.scan_one`.
    cut : float
        Low is x <= cut.

    Returns
    -------
    (KaplanMeier, KaplanMeier)
        Of the low and of the high side.

    Raises
    ------
    InputError
        If a side is empty, or the times and events of one are no follow-up.

    Examples
    --------
    >>> low, high = curves_at([1, 2, 3, 4], [50, 40, 30, 20], [1, 1, 0, 1], cut=1)
    >>> low.n, high.n
    (1, 3)
    """
    values, days, status = np.asarray(x, dtype=float), np.asarray(time_days), np.asarray(event)
    low, high = values <= cut, values > cut
    return kaplan_meier(days[low], status[low], label="low"), kaplan_meier(days[high], status[high], label="high")
