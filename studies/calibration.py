"""Whether the corrections of a selected cut-point keep their level when nothing is there."""

# Every argument of the public function is by keyword.
# ruff: noqa: PLR0917

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import optimize

from survaudit.cutpoint._kernels import FloatArray, IntArray, permuted_maxima
from survaudit.cutpoint._ranked import count_argument, rank_cohort
from survaudit.cutpoint._replicates import in_blocks
from survaudit.cutpoint.corrections import (
    LARGEST_COHORT,
    conditional_gaussian,
    hothorn_lausen,
    lausen_schumacher_1994,
    miller_siegmund,
)
from survaudit.cutpoint.nulls import chi2_of_p, least_groups
from survaudit.cutpoint.scan import LOG_RANK, PERMUTATION_VARIANCE, TIE_TOLERANCE
from survaudit.cutpoint.selection import KINDS, permuted


@dataclass(frozen=True)
class RejectionRate:
    """How often a correction rejects at a level when nothing is there.

    `method` says which; `statistic` which statistic was maximised; `rejected` is the share of `replicates`
    null cohorts with P <= `alpha`, with its standard error.
    """

    n: int
    min_group: int
    censoring: float
    statistic: str
    method: str
    alpha: float
    rejected: float
    standard_error: float
    replicates: int


@dataclass(frozen=True)
class Calibration:
    """Rejection rates of every correction on the same null cohorts."""

    rows: tuple[RejectionRate, ...]

    def to_frame(self) -> pd.DataFrame:
        """Return one row per method."""
        return pd.DataFrame([vars(row) for row in self.rows])


def calibrate(
    *,
    rng: np.random.Generator,
    n: int = 28,
    min_group: int = 1,
    censoring: float = 0.4,
    alpha: float = 0.05,
    replicates: int = 1000,
    permutations_each: int = 199,
    n_jobs: int | None = None,
) -> Calibration:
    """Measure how often every correction rejects when the covariate means nothing.

    Parameters
    ----------
    rng, n, min_group, censoring, replicates, n_jobs
        As in `null_table`; `replicates` is the number of cohorts.
    alpha : float
        Nominal level.
    permutations_each : int
        Permutations in each cohort's permutation tests; (1 + permutations) alpha should be a whole number.

    Returns
    -------
    Calibration
        Each correction of `selection.compare`, on the same cohorts; Hothorn and Lausen's up to 200 patients.
        A cohort drawn without events is given one, at the last time.

    Raises
    ------
    InputError
        If a number is out of its range, or `rng` is no generator of numpy.

    Examples
    --------
    >>> result = calibrate(rng=np.random.default_rng(1), replicates=40, permutations_each=19)
    >>> result.to_frame().query("statistic == 'log-rank' and method == 'none'")["rejected"].item() > 0.2
    True
    """
    least_groups(n, (min_group,))
    sizes = np.arange(min_group, n - min_group + 1)
    limits = _critical_values(n, sizes, alpha)
    work = partial(_calibrate_block, n, sizes, censoring, permutations_each)
    total = count_argument("replicates", replicates, least=1)
    found = np.concatenate(in_blocks(work, total, rng, block=50, n_jobs=n_jobs))
    rows: list[tuple[str, str, NDArray[np.bool_]]] = []
    for column, name in enumerate((LOG_RANK, PERMUTATION_VARIANCE)):
        rows += [(name, method, found[:, column] >= limit) for method, limit in limits.items()]
        rows.append((name, "permutation", found[:, 2 + column] <= alpha))
    if n <= LARGEST_COHORT:
        rows.append((f"{PERMUTATION_VARIANCE}, rounded scores", "Hothorn-Lausen 2003", found[:, 4] <= alpha))
    made = []
    for statistic, method, rejected in rows:
        share = float(rejected.mean())
        error = sqrt(share * (1 - share) / total)
        made.append(RejectionRate(n, min_group, censoring, statistic, method, alpha, share, error, total))
    return Calibration(tuple(made))


def _critical_values(n: int, sizes: IntArray, alpha: float) -> dict[str, float]:
    """Return the chi-square that each formula rejects from, for cuts at the given sizes."""
    low, high = sizes[0] / n, sizes[-1] / n
    formulas: dict[str, Callable[[float], float]] = {
        "Miller-Siegmund 1982 (Lausen-Schumacher 1992)": lambda b: miller_siegmund(b, low, high),
        "Lausen-Sauerbrei-Schumacher 1994": lambda b: lausen_schumacher_1994(b, n, sizes),
        "conditional Gaussian": lambda b: conditional_gaussian(b, n, sizes),
    }
    values = {"none": chi2_of_p(alpha), "Bonferroni": chi2_of_p(alpha / sizes.size)}
    for name, formula in formulas.items():
        values[name] = optimize.brentq(lambda b, f=formula: f(b) - alpha, 1.0, 12.0, xtol=1e-10) ** 2
    return values


def _calibrate_block(
    n: int, sizes: IntArray, censoring: float, draws: int, count: int, rng: np.random.Generator
) -> FloatArray:
    """Return, per null cohort, both largest chi-squares, both permutation P values, and Hothorn-Lausen's."""
    found = np.full((count, 5), np.nan)
    for row in found:
        event = rng.random(n) >= censoring
        if not event.any():
            event[-1] = True
        ranked = rank_cohort(rng.random(n), np.arange(n), event)
        fixed = ranked.for_kernels(), sizes, 1
        for column, name in enumerate((LOG_RANK, PERMUTATION_VARIANCE)):
            kind = KINDS[name, 1]
            row[column] = permuted_maxima(np.arange(n)[None, :], *fixed, kind)[0]
            maxima = permuted(ranked, sizes, 1, kind, draws, rng)
            row[2 + column] = (1 + np.sum(maxima >= row[column] * (1 - TIE_TOLERANCE))) / (1 + draws)
        if n <= LARGEST_COHORT:
            row[4] = hothorn_lausen(ranked.scores, sizes).p
    return found
