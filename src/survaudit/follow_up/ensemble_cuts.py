"""The best cut-point of a covariate in every follow-up of an ensemble."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from survaudit.errors import InputError
from survaudit.follow_up._many import scan_many
from survaudit.follow_up.ensemble import Ensemble
from survaudit.survival.curves import Floats, Ints


@dataclass(frozen=True, eq=False)
class BestCuts:
    """The best cut of each follow-up.

    Attributes
    ----------
    cut : array of shape (draws,)
        Low is x <= cut; the smallest of equally good cuts.
    n_low : array of int, shape (draws,)
    chi2 : array of shape (draws,)
        Log-rank, at the best cut.
    endpoint : str
    n, least_group : int
        Patients, and the fewest on a side.
    """

    cut: Floats
    n_low: Ints
    chi2: Floats
    endpoint: str
    n: int
    least_group: int
    method: str = "best of all cuts by the log-rank chi-square, hypergeometric variance"
    kind: str = "COMPATIBLE"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a follow-up: ``cut``, ``n_low``, ``chi2``."""
        return pd.DataFrame({"cut": self.cut, "n_low": self.n_low, "chi2": self.chi2})


def best_cuts(ensemble: Ensemble, endpoint: str, x: ArrayLike, least_group: int = 1) -> BestCuts:
    """Return the best cut of a covariate in every follow-up.

    Parameters
    ----------
    ensemble : Ensemble
        Of any number of follow-ups.
    endpoint : {"OS", "LFS"}
    x : array-like of shape (n,)
        The covariate of the ensemble's patients, in their order; those without the endpoint are left out.
    least_group : int
        Fewest patients a side.

    Returns
    -------
    BestCuts

    Raises
    ------
    InputError
        If values are missing or of another number than the patients, or no cut is left.

    Notes
    -----
    Every cut's statistic is the log-rank chi-square (Mantel 1966; Peto and Peto 1972), as in ``cutpoint.scan_one``.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> from survaudit.follow_up.ensemble import PRIORS, draw
    >>> cohort = read_supplement("data/raw").cohort
    >>> ensemble = draw(cohort, PRIORS["wide"], np.random.default_rng(1), draws=100)
    >>> best_cuts(ensemble, "OS", cohort["mrd_percent"], least_group=5).n
    28
    """
    values = np.asarray(x, dtype=float)
    has = ensemble.days[endpoint][0] >= 0
    if values.shape != has.shape or not np.isfinite(values).all():
        raise InputError(
            f"x: found {values.shape} or missing values, expected one number for each of {has.size} patients"
        )
    order = np.flatnonzero(has)[np.argsort(values[has], kind="stable")]
    n = int(order.size)
    sizes = np.flatnonzero(np.diff(values[order]) > 0) + 1
    sizes = sizes[(sizes >= least_group) & (n - sizes >= least_group)]
    if not sizes.size:
        raise InputError(
            f"least_group: found {least_group}, which leaves no cut among {n} patients; allow fewer a side"
        )
    days = np.array(ensemble.days[endpoint][:, order], dtype=np.int32)
    event = np.array(ensemble.event[endpoint][:, order], dtype=np.bool_)
    chi2 = scan_many(days, event)[:, sizes - 1]
    best = chi2.argmax(axis=1)
    n_low = sizes[best]
    return BestCuts(values[order][n_low - 1], n_low, chi2[np.arange(len(best)), best], endpoint, n, least_group)
