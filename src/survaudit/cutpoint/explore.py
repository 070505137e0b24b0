"""One cohort under every cut: the statistic, both P values and both curves, for a reader who moves the cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from survaudit.cutpoint._ranked import rank_cohort
from survaudit.cutpoint.scan import TIE_TOLERANCE, CutRules, CutScan, scan_one
from survaudit.cutpoint.selection import largest_permuted
from survaudit.survival.curves import KaplanMeier, kaplan_meier

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
