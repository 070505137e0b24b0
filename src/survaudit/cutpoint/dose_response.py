"""What to do instead of a cut-point: keep the covariate continuous.

A cut throws away all that the covariate says within each side (Altman and Royston 2006). A log-linear
term or a spline in Cox's model keeps it, with one test that was chosen before the data were seen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from numpy.typing import ArrayLike
from scipy import stats

from survaudit.errors import InputError
from survaudit.survival.curves import check_follow_up


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


def _frame(x: ArrayLike, time_days: ArrayLike, event: ArrayLike) -> pd.DataFrame:
    values = np.asarray(x, dtype=float)
    times, events = check_follow_up(time_days, event)
    if values.shape != times.shape or not np.isfinite(values).all():
        raise InputError(f"x: found shape {values.shape}, expected {times.shape} finite numbers")
    return pd.DataFrame({"x": values, "time": times, "event": events})


def _basis(model: CoxPHFitter, frame: pd.DataFrame) -> np.ndarray:
    design: pd.DataFrame = model.regressors.transform_df(frame)["beta_"]
    return design[list(model.params_.index)].to_numpy()
