"""What a selected cut-point's P value is worth: corrections for having chosen the best of many.

Each correction is a function of its own, with its source.  `compare` returns all of them side by side and
never the smallest.  The formulas were derived for the permutation-variance statistic (`maxstat` in R); for
the exact log-rank, with another maximum and a heavier tail in small groups, they are approximations, and
only the permutation of the very statistic that was maximised is exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from survaudit.cutpoint._kernels import FloatArray, IntArray, permuted_maxima
from survaudit.cutpoint._ranked import RankedCohort, count_argument, rank_cohort
from survaudit.cutpoint._replicates import in_blocks, permutations
from survaudit.cutpoint.corrections import (
    LARGEST_COHORT,
    bonferroni,
    conditional_gaussian,
    hothorn_lausen,
    lausen_schumacher_1994,
    miller_siegmund,
)
from survaudit.cutpoint.scan import (
    LOG_RANK,
    PERMUTATION_VARIANCE,
    TIE_TOLERANCE,
    CutGrid,
    CutPair,
    CutScan,
    scan_one,
    scan_one_permutation_variance,
    scan_two,
)
from survaudit.errors import InputError

__all__ = [
    "Comparison",
    "Correction",
    "PermutationTest",
    "bonferroni",
    "compare",
    "conditional_gaussian",
    "hothorn_lausen",
    "lausen_schumacher_1994",
    "miller_siegmund",
    "permutation_test",
]

# Which statistic the permutation kernel maximises.
KINDS = {(PERMUTATION_VARIANCE, 1): 0, (LOG_RANK, 1): 1, (LOG_RANK, 2): 2}


@dataclass(frozen=True)
class PermutationTest:
    """The largest statistic of a cohort against its largest statistics after permutation.

    Attributes
    ----------
    chi2 : float
        The largest chi-square observed.
    p, standard_error : float
        (1 + exceedances) / (1 + replicates), and its Monte Carlo standard error.
    exceedances, replicates : int
        Permutations that reach the observed value, and all.
    cuts : int
        One or two.
    method : str
        The statistic, which is the one maximised in every permutation.
    n, events, min_group, min_events : int
        The cohort, and the limits on each side of a cut, observed and permuted.
    """

    chi2: float
    p: float
    standard_error: float
    exceedances: int
    replicates: int
    cuts: int
    method: str
    n: int
    events: int
    min_group: int
    min_events: int


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

    Attributes
    ----------
    rows : tuple of Correction
        `p` is NaN where a method does not apply; its source says why.
    cuts, n, events, min_group, min_events, replicates : int
        One or two cuts; the cohort; the limits on each side; permutations.
    """

    rows: tuple[Correction, ...]
    cuts: int
    n: int
    events: int
    min_group: int
    min_events: int
    replicates: int

    def to_frame(self) -> pd.DataFrame:
        """Return one row per statistic and method."""
        return pd.DataFrame([vars(row) for row in self.rows])


def permutation_test(
    x: ArrayLike,
    time_days: ArrayLike,
    event: ArrayLike,
    *,
    rng: np.random.Generator,
    replicates: int = 10_000,
    statistic: str = LOG_RANK,
    cuts: int = 1,
    min_group: int = 1,
    min_events: int = 0,
    n_jobs: int | None = None,
) -> PermutationTest:
    """Correct the best cut by permuting the covariate and choosing anew each time.

    Parameters
    ----------
    x, time_days, event, min_group, min_events
        As in `survaudit.cutpoint.scan.scan_one`.
    rng : numpy.random.Generator
        Source of the permutations.
    replicates : int
        Number of permutations.
    statistic : str
        `cutpoint.LOG_RANK` or `cutpoint.PERMUTATION_VARIANCE`: the one maximised is the one permuted.
    cuts : int
        1, or 2 for the three-group log-rank.
    n_jobs : int, optional
        Workers, as in `joblib.Parallel`; they do not change the result.

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
    limits = {"min_group": min_group, "min_events": min_events}
    chi2 = _scan(statistic, cuts)(x, time_days, event, **limits).best.chi2
    cohort = rank_cohort(x, time_days, event)
    maxima = largest_permuted(
        cohort, statistic=statistic, cuts=cuts, rng=rng, replicates=replicates, n_jobs=n_jobs, **limits
    )
    exceedances = int(np.count_nonzero(maxima >= chi2 * (1 - TIE_TOLERANCE)))
    total = len(maxima)
    p = (1 + exceedances) / (1 + total)
    return PermutationTest(
        chi2=chi2,
        p=p,
        standard_error=sqrt(p * (1 - p) / total),
        exceedances=exceedances,
        replicates=total,
        cuts=cuts,
        method=statistic,
        n=cohort.n,
        events=cohort.events,
        **limits,
    )


def compare(
    x: ArrayLike,
    time_days: ArrayLike,
    event: ArrayLike,
    *,
    rng: np.random.Generator,
    replicates: int = 10_000,
    cuts: int = 1,
    min_group: int = 1,
    min_events: int = 0,
    n_jobs: int | None = None,
) -> Comparison:
    """Correct the best cut, or the best pair of cuts, by every method.

    Parameters
    ----------
    x, time_days, event, min_group, min_events
        As in `survaudit.cutpoint.scan.scan_one`.
    rng, replicates, cuts, n_jobs
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
    limits: dict[str, Any] = {"min_group": min_group, "min_events": min_events}
    options: dict[str, Any] = {"rng": rng, "replicates": replicates, "n_jobs": n_jobs}
    rows: list[Correction] = []
    for name in (LOG_RANK, PERMUTATION_VARIANCE)[: 3 - cuts]:
        scan = _scan(name, cuts)(x, time_days, event, **limits)
        test = permutation_test(x, time_days, event, statistic=name, cuts=cuts, **options, **limits)
        rows += _correct(scan, test)
    if cuts == 1:
        rows.append(_hothorn_lausen_row(rank_cohort(x, time_days, event), scan))
    return Comparison(tuple(rows), cuts, scan.n, scan.events, min_group, min_events, replicates)


def _scan(statistic: str, cuts: int) -> Callable[..., CutScan | CutGrid]:
    """Return the scan that computes a statistic."""
    one = {LOG_RANK: scan_one, PERMUTATION_VARIANCE: scan_one_permutation_variance}
    return scan_two if cuts == 2 else one[statistic]


def largest_permuted(
    cohort: RankedCohort,
    *,
    rng: np.random.Generator,
    replicates: int,
    statistic: str = LOG_RANK,
    cuts: int = 1,
    min_group: int = 1,
    min_events: int = 0,
    n_jobs: int | None = None,
) -> FloatArray:
    """Return the largest chi-square of each permutation of a cohort.

    The single-step maximum method (Westfall and Young 1993): the statistic is maximised anew in every permutation of
    the
    covariate, over the same cuts as in the cohort itself.

    Parameters
    ----------
    cohort : RankedCohort
        As `_ranked.rank_cohort` returns.
    rng : numpy.random.Generator
        Source of the permutations.
    replicates : int
        Number of permutations, at least 1.
    statistic, cuts, min_group, min_events, n_jobs
        As in `permutation_test`.

    Returns
    -------
    (replicates,) array
        Chi-squares; 0 where a permutation leaves no cut with enough events.

    Raises
    ------
    InputError
        If `replicates` is no whole number of at least 1, or `rng` is no generator of numpy.

    Examples
    --------
    >>> cohort = rank_cohort([1, 2, 3, 4, 5], [50, 40, 30, 20, 10], [1, 1, 1, 1, 0])
    >>> maxima = largest_permuted(cohort, rng=np.random.default_rng(1), replicates=99)
    >>> maxima.shape, bool((maxima > 0).all())
    ((99,), True)
    """
    total, limits = count_argument("replicates", replicates, least=1), (int(min_group), int(min_events))
    work = partial(permuted, cohort, cohort.candidates(), limits, KINDS[statistic, cuts])
    return np.concatenate(in_blocks(work, total, rng, n_jobs=n_jobs))


def permuted(  # noqa: PLR0917 - the first four are bound before the blocks are dealt
    cohort: RankedCohort,
    sizes: IntArray,
    limits: tuple[int, int],
    kind: int,
    count: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the largest chi-square of each of `count` permutations, over cuts at the given sizes.

    One block of `largest_permuted` (Westfall and Young 1993).

    Parameters
    ----------
    cohort : RankedCohort
        As `_ranked.rank_cohort` returns.
    sizes : (k,) array of int
        Patients in the low group at the candidate cuts.
    limits : (int, int)
        Least number of patients and of events on each side.
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
    >>> permuted(cohort, cohort.candidates(), (1, 0), KINDS[LOG_RANK, 1], 3, np.random.default_rng(1)).shape
    (3,)
    """
    fixed = (cohort.level, cohort.event, cohort.scores, cohort.table, sizes, limits, kind)
    return np.concatenate([permuted_maxima(orders, *fixed) for orders in permutations(count, cohort.n, rng)])


def _correct(scan: CutScan | CutGrid, test: PermutationTest) -> list[Correction]:
    """Return the rows of one statistic."""
    best = scan.best
    cut = (best.cut_low, best.cut_high) if isinstance(best, CutPair) else best.cut
    found = [
        ("none", best.p, 0.0, "as if the cut had been chosen before the data were seen"),
        (
            "Bonferroni",
            bonferroni(best.p, scan.chi2.size),
            0.0,
            f"{scan.chi2.size} choices",
        ),
        *(_formulas(scan) if isinstance(scan, CutScan) else []),
        ("permutation", test.p, test.standard_error, "permutation of this very statistic"),
    ]
    return [Correction(scan.method, cut, best.chi2, *row) for row in found]


def _formulas(scan: CutScan) -> list[tuple[str, float, float, str]]:
    """Return the corrections by formula, each with its standard error (none) and source."""
    b, sizes = sqrt(scan.best.chi2), scan.n_low
    miller = miller_siegmund(b, sizes[0] / scan.n, sizes[-1] / scan.n)
    lausen, gauss = lausen_schumacher_1994(b, scan.n, sizes), conditional_gaussian(b, scan.n, sizes)
    return [
        (
            "Miller-Siegmund 1982 (Lausen-Schumacher 1992)",
            miller,
            0.0,
            "Biometrics 38:1011 and 48:73",
        ),
        ("Lausen-Sauerbrei-Schumacher 1994", lausen, 0.0, "Lausen, Sauerbrei and Schumacher 1994"),
        ("conditional Gaussian", gauss, 0.0, "multivariate normal, as Hothorn and Lausen 2003"),
    ]


def _hothorn_lausen_row(cohort: RankedCohort, scan: CutScan | CutGrid) -> Correction:
    """Return the row of Hothorn and Lausen, which has a statistic of its own: scores in whole numbers."""
    label, method = f"{PERMUTATION_VARIANCE}, rounded scores", "Hothorn-Lausen 2003"
    if cohort.n > LARGEST_COHORT:
        why = f"not computed beyond {LARGEST_COHORT} patients"
        return Correction(label, float("nan"), float("nan"), method, float("nan"), 0.0, why)
    test = hothorn_lausen(cohort.scores, scan.n_low)
    cut, chi2 = float(cohort.x[test.n_low - 1]), test.statistic**2
    return Correction(label, cut, chi2, method, test.p, 0.0, "Comput Stat Data Anal 43:121, an upper bound")
