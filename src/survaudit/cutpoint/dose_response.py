"""What to do instead of a cut-point: keep the covariate continuous.

A cut throws away all that the covariate says within each side (Altman and Royston 2006). A log-linear
term or a spline in Cox's model keeps it, with one test that was chosen before the data were seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from numpy.typing import ArrayLike
from scipy import stats

from survaudit.cutpoint.scan import scan_one
from survaudit.cutpoint.selection import permutation_test
from survaudit.errors import InputError
from survaudit.survival.curves import check_follow_up, log_rank


@dataclass(frozen=True)
class SplineEffect:
    """The log hazard ratio along a covariate, from a natural cubic spline in Cox's model.

    Attributes
    ----------
    curve : pandas.DataFrame
        ``x``, ``hazard_ratio`` against the median of x, ``lower``, ``upper`` (95%, pointwise).
    p : float
        Likelihood-ratio test of the whole spline.
    df : int
        Its degrees of freedom.
    n, events : int
        Patients and events.
    """

    curve: pd.DataFrame
    p: float
    df: int
    n: int
    events: int
    method: str = "Cox model, natural cubic spline, Efron ties, likelihood-ratio test"

    def to_frame(self) -> pd.DataFrame:
        """Return the curve."""
        return self.curve


def spline_effect(x: ArrayLike, time_days: ArrayLike, event: ArrayLike, df: int = 3) -> SplineEffect:
    """Estimate the hazard ratio along a covariate with a natural cubic spline (Harrell 2015, chapter 2).

    Parameters
    ----------
    x, time_days, event : (n,) array_like
        The covariate, the follow-up in days, and 1 for an event.
    df : int
        Degrees of freedom of the spline, at least 2.

    Returns
    -------
    SplineEffect

    Raises
    ------
    InputError
        If a column cannot be used, or the covariate has too few distinct values.

    Examples
    --------
    >>> from lifelines.datasets import load_gbsg2
    >>> data = load_gbsg2()
    >>> effect = spline_effect(data["age"], data["time"], data["cens"])
    >>> effect.df, effect.p < 0.01
    (3, True)
    """
    frame = _frame(x, time_days, event)
    if df < 2 or frame["x"].nunique() <= df:
        raise InputError(f"df={df}: found {frame['x'].nunique()} distinct values of x; expected 2 <= df < that")
    model = CoxPHFitter().fit(frame, "time", "event", formula=f"cr(x, df={df}, constraints='center')")
    grid = pd.DataFrame({"x": np.linspace(frame["x"].min(), frame["x"].max(), 101)})
    middle = pd.DataFrame({"x": [frame["x"].median()]})
    basis = _basis(model, grid) - _basis(model, middle)
    log_ratio = basis @ model.params_.to_numpy()
    error = np.sqrt(np.einsum("ij,jk,ik->i", basis, model.variance_matrix_.to_numpy(), basis))
    width = stats.norm.isf(0.025) * error
    limits = {"lower": np.exp(log_ratio - width), "upper": np.exp(log_ratio + width)}
    curve = pd.DataFrame({"x": grid["x"], "hazard_ratio": np.exp(log_ratio), **limits})
    p = float(model.log_likelihood_ratio_test().p_value)
    return SplineEffect(curve, p, len(model.params_), len(frame), int(frame["event"].sum()))


def linear_p(x: ArrayLike, time_days: ArrayLike, event: ArrayLike) -> float:
    """Return the likelihood-ratio P of one linear term of a covariate in Cox's model (Cox 1972).

    Parameters
    ----------
    x, time_days, event : (n,) array_like
        The covariate, the follow-up in days, and 1 for an event.

    Returns
    -------
    float

    Raises
    ------
    InputError
        If a column cannot be used.

    Examples
    --------
    >>> from lifelines.datasets import load_gbsg2
    >>> data = load_gbsg2()
    >>> linear_p(np.log1p(data["pnodes"]), data["time"], data["cens"]) < 1e-10
    True
    """
    model = CoxPHFitter().fit(_frame(x, time_days, event), "time", "event")
    return float(model.log_likelihood_ratio_test().p_value)


def power_of_methods(  # noqa: PLR0917 - three columns, then how to draw from them
    x: ArrayLike, time_days: ArrayLike, event: ArrayLike, n: int, replicates: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Measure how often each method finds an effect in small samples of a cohort that has one.

    Samples of n patients are drawn without replacement. Compared at 5%: a linear term, a cut at the
    sample's median, and the best cut with its permutation P (99 permutations).

    Parameters
    ----------
    x, time_days, event : (N,) array_like
        The covariate, the follow-up in days, and 1 for an event.
    n : int
        Patients of a sample, at most N.
    replicates : int
        Samples.
    rng : numpy.random.Generator
        Source of samples and permutations.

    Returns
    -------
    pandas.DataFrame
        ``method``, ``found`` (share of samples), ``standard_error``.

    Raises
    ------
    InputError
        If a column cannot be used, or the best cut of a sample has no cut to choose from.

    Examples
    --------
    >>> from lifelines.datasets import load_gbsg2
    >>> data = load_gbsg2()
    >>> columns = data["pnodes"], data["time"], data["cens"]
    >>> power_of_methods(*columns, n=60, replicates=2, rng=np.random.default_rng(1))["method"].tolist()
    ['linear term', 'cut at the median', 'best cut, corrected', 'best cut, not corrected']
    """
    cohort = _frame(x, time_days, event)
    names = ("linear term", "cut at the median", "best cut, corrected", "best cut, not corrected")
    found = np.zeros((replicates, len(names)), dtype=bool)
    for draw in range(replicates):
        sample = cohort.iloc[rng.choice(len(cohort), n, replace=False)]
        found[draw] = [p < limit for p, limit in _sample_tests(sample, rng)]
    share = found.mean(axis=0)
    error = [sqrt(value * (1 - value) / replicates) for value in share]
    return pd.DataFrame({"method": names, "found": share, "standard_error": error})


def _sample_tests(sample: pd.DataFrame, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Return the P of each method on one sample, with the limit below which it counts."""
    columns = [sample[name].to_numpy() for name in ("x", "time", "event")]
    high = columns[0] > np.median(columns[0])
    least = max(1, len(sample) // 10)
    median = log_rank(columns[1], columns[2], high).p if 0 < high.sum() < len(high) else 1.0
    test = permutation_test(*columns, rng=rng, replicates=99, min_group=least)
    best = scan_one(*columns, min_group=least).best.p
    # With 99 permutations, P <= 0.05 is the level of 5%: P can be exactly 0.05.
    return [(linear_p(*columns), 0.05), (median, 0.05), (test.p, 0.05 + 1e-9), (best, 0.05)]


def _frame(x: ArrayLike, time_days: ArrayLike, event: ArrayLike) -> pd.DataFrame:
    values = np.asarray(x, dtype=float)
    times, events = check_follow_up(time_days, event)
    if values.shape != times.shape or not np.isfinite(values).all():
        raise InputError(f"x: found shape {values.shape}, expected {times.shape} finite numbers")
    return pd.DataFrame({"x": values, "time": times, "event": events})


def _basis(model: CoxPHFitter, frame: pd.DataFrame) -> np.ndarray:
    design: pd.DataFrame = model.regressors.transform_df(frame)["beta_"]
    return design[list(model.params_.index)].to_numpy()
