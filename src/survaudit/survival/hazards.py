"""Models of the hazard: Firth's Cox regression, the plain one, and whether hazards are proportional.

Thin over firthmodels and lifelines. Firth's is the model of every panel: with 17 to 21 patients the
plain one diverges whenever one group has all the early events. Ties: Breslow's method in Firth's
model (all that firthmodels has), Efron's in the plain one (all that lifelines has).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from firthmodels import FirthCoxPH
from lifelines import CoxPHFitter
from lifelines.exceptions import ConvergenceError
from numpy.typing import ArrayLike
from scipy import stats

from survaudit.errors import InputError
from survaudit.survival.curves import Floats, Ints, check_follow_up, check_level, kaplan_meier

Covariates = Mapping[str, ArrayLike] | pd.DataFrame

# The solver of firthmodels goes back and forth where few events inform it; a wider tolerance is
# tried only after a narrower one has failed, and the result says which one held.
_TOLERANCES = (1e-8, 1e-6, 1e-4)
_NOTHING_COMPARED = (
    "covariates: found no event at which patients with different values were at risk, expected some; "
    "there is nothing to compare"
)
_NO_MAXIMUM = (
    "covariates: found one that the order of events follows, so that the likelihood has no maximum, expected overlap; "
    "use firth_cox"
)
# Standard error, per standard deviation of the covariate, above which a fit has run away to infinity:
# real ones are of the order of 1, those of runaway fits of a thousand or more.
_DIVERGED = 100.0


@dataclass(frozen=True)
class Hazards:
    """Hazard ratios of one Cox model.

    Attributes
    ----------
    table : pandas.DataFrame, one row a covariate
        ``coef``, ``std_error``, ``hazard_ratio``, ``lower``, ``upper``, ``p``.
    n, n_events : int
    level : float
        Level of the intervals.
    ties, method : str
        How tied events were treated; the model, its intervals and its P values.
    tolerance : float
        To which the coefficients were solved.
    """

    table: pd.DataFrame
    n: int
    n_events: int
    level: float
    ties: str
    method: str
    tolerance: float

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table, one row a covariate."""
        return self.table.copy()


def _design(
    time_days: ArrayLike, event: ArrayLike, covariates: Covariates, level: float
) -> tuple[Floats, Ints, pd.DataFrame]:
    """Return a checked follow-up and its covariates as a new frame of floats; check the level too."""
    check_level(level)
    time, status = check_follow_up(time_days, event)
    values = {str(name): np.asarray(column) for name, column in dict(covariates).items()}
    problems = [] if values else ["covariates: found none, expected one or more; name at least one"]
    for name, column in values.items():
        if column.shape != time.shape or column.dtype.kind not in "biuf":
            problems.append(
                f"{name}: found {column.dtype} of shape {column.shape}, expected numbers of shape {time.shape}; "
                "give one number a patient, such as group == 'CART2'"
            )
        elif not np.isfinite(column).all():
            problems.append(f"{name}: found a missing or infinite value, expected numbers; drop the patient")
        elif np.ptp(column.astype(float)) == 0:
            problems.append(f"{name}: found one value in all patients, expected at least two; leave it out")
    if not status.any():
        problems.append("event: found no event, expected at least one; without events no hazard can be compared")
    if problems:
        raise InputError("; ".join(problems))
    return time, status, pd.DataFrame({name: column.astype(float) for name, column in values.items()})


def firth_cox(time_days: ArrayLike, event: ArrayLike, covariates: Covariates, level: float = 0.95) -> Hazards:
    """Fit a Cox model with Firth's penalty, finite even where one group has all the early events.

    The penalty is Firth's (1993), the square root of the determinant of the information; in Cox's model it is that
    of Heinze and Schemper (2001): intervals from the profile of the penalised likelihood, P values from its ratio.
    Ties by Breslow's method.

    Parameters
    ----------
    time_days, event : array-like of shape (n,)
        As in ``survival.check_follow_up``.
    covariates : mapping or DataFrame of numbers or booleans, each of shape (n,)
        A group enters as its indicator; the hazard ratio is then of that group to the others.
    level : float
        Level of the intervals.

    Returns
    -------
    Hazards
        ``std_error`` is Wald's, for comparison with other programs only.

    Raises
    ------
    InputError
        If times and events are no follow-up, there is no event, a covariate is not numeric or
        constant, no event compares anyone, or so few do that the solver finds no solution.

    Examples
    --------
    >>> model = firth_cox([1, 2, 3], [1, 1, 1], {"treated": [1, 1, 0]})
    >>> model.table.loc["treated", ["hazard_ratio", "lower", "upper"]].astype(float).round(2).tolist()
    [3.78, 0.29, 528.73]
    """
    time, status, design = _design(time_days, event, covariates, level)
    for tolerance in _TOLERANCES:
        try:
            table = _fit_firth(time, status, design, level, tolerance)
        except np.linalg.LinAlgError as error:
            raise InputError(_NOTHING_COMPARED) from error
        if table is not None:
            method = "Cox with Firth's penalty, profile limits, P of the penalised likelihood ratio"
            return Hazards(table, len(time), int(status.sum()), level, "Breslow", method, tolerance)
    raise InputError(
        "event: found too few events with different covariates at risk for Firth's model to be solved; "
        "report the numbers of events instead of a hazard ratio"
    )


def _fit_firth(time: Floats, status: Ints, design: pd.DataFrame, level: float, tolerance: float) -> pd.DataFrame | None:
    """Return the table of a fit, or None if any part of it did not converge."""
    # The compiled backend would spend seconds on compiling for a fit of milliseconds.
    model = FirthCoxPH(backend="numpy", max_iter=500, max_halfstep=30, gtol=tolerance, xtol=tolerance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # whether it converged is asked below
        model.fit(design.to_numpy(), (status == 1, time)).lrt()
        if not model.converged_:
            return None
        limits = model.conf_int(alpha=1 - level, method="pl", max_iter=500, tol=tolerance)
    columns = [model.coef_, model.bse_, np.exp(model.coef_), *np.exp(limits).T, model.lrt_pvalues_]
    if not np.isfinite(columns).all():
        return None
    return _table(design, columns)


def _table(design: pd.DataFrame, columns: list[Floats]) -> pd.DataFrame:
    names = ["coef", "std_error", "hazard_ratio", "lower", "upper", "p"]
    return pd.DataFrame(dict(zip(names, columns, strict=True)), index=pd.Index(design.columns, name="covariate"))


def cox(time_days: ArrayLike, event: ArrayLike, covariates: Covariates, level: float = 0.95) -> Hazards:
    """Fit a plain Cox model (Cox, 1972) by lifelines; ties by Efron's method (1977), Wald limits and P values.

    Parameters
    ----------
    time_days, event : array-like of shape (n,)
        As in ``survival.check_follow_up``.
    covariates : mapping or DataFrame of numbers or booleans, each of shape (n,)
        As in ``firth_cox``.
    level : float
        Level of the intervals, between 0 and 1.

    Returns
    -------
    Hazards

    Raises
    ------
    InputError
        As in ``firth_cox``; and if the likelihood has no maximum, because the order of the events
        follows a covariate.

    Examples
    --------
    >>> cox([1, 2, 3, 4], [1, 1, 1, 1], {"treated": [1, 0, 1, 0]}).table["hazard_ratio"].round(3).item()
    2.562
    """
    time, status, design = _design(time_days, event, covariates, level)
    frame = design.assign(**{"time_days ": time, "event ": status})  # the blanks keep names of covariates free
    fitter = CoxPHFitter(alpha=1 - level)
    # The usual precisions leave the coefficients wrong in the sixth digit; the relative one, of the
    # likelihood, is switched off because a likelihood is flat at its maximum.
    options = {"precision": 1e-20, "r_precision": 0.0, "max_steps": 200}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they also warn of data that have a maximum; that is asked below
        try:
            fitter.fit(frame, "time_days ", "event ", fit_options=options)
        except (ConvergenceError, np.linalg.LinAlgError) as error:
            raise InputError(_NO_MAXIMUM) from error
    if not (fitter.standard_errors_ * design.std() < _DIVERGED).all():
        raise InputError(_NO_MAXIMUM)
    fit = fitter.summary
    names = ["coef", "se(coef)", "exp(coef)"]
    limits = np.exp(fitter.confidence_intervals_.to_numpy()).T
    table = _table(design, [*(fit[name].to_numpy() for name in names), *limits, fit["p"].to_numpy()])
    return Hazards(
        table, len(time), int(status.sum()), level, "Efron", "Cox, Wald limits and P values", options["precision"]
    )


# ---------------------------------------------------------------- proportional hazards


@dataclass(frozen=True)
class ProportionalHazards:
    """Tests of whether hazard ratios stay the same over time.

    Attributes
    ----------
    table : pandas.DataFrame
        ``chi2``, ``df``, ``p``; one row a covariate, and ``GLOBAL`` for all together.
    n, n_events : int
    method : str
    """

    table: pd.DataFrame
    n: int
    n_events: int
    method: str = "score test of a coefficient that changes with 1 - Kaplan-Meier, as R cox.zph; ties by Efron"

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table."""
        return self.table.copy()


def proportional_hazards(time_days: ArrayLike, event: ArrayLike, covariates: Covariates) -> ProportionalHazards:
    """Test proportional hazards (Grambsch and Therneau, 1994; the score test of R survival 3).

    A large P says only that no change was seen; with 20 patients, hardly any would be.

    Parameters
    ----------
    time_days, event, covariates
        As in ``firth_cox``.

    Returns
    -------
    ProportionalHazards

    Raises
    ------
    InputError
        As in ``cox``, on whose estimate the test rests; and if there are too few events to tell
        a change from the effect itself.

    Examples
    --------
    >>> check = proportional_hazards([1, 2, 3, 4, 5, 6], [1] * 6, {"treated": [1, 0, 0, 1, 0, 1]})
    >>> check.table.loc["treated", "p"].round(3).item()
    0.41
    """
    time, status, design = _design(time_days, event, covariates, level=0.95)
    coef = cox(time, status, design).table["coef"].to_numpy()
    curve = kaplan_meier(time, status)
    size = design.shape[1]
    score, information = np.zeros(size), np.zeros((2 * size, 2 * size))
    for day in curve.times[curve.events > 0]:
        difference, spread = _at_event(time, status, design.to_numpy(), coef, day)
        # The weight uses the curve just before the event, as R does.
        before = curve.survival[curve.times < day]
        weight = 1 - (before[-1] if len(before) else 1.0)
        score += weight * difference
        information += np.kron([[1, weight], [weight, weight**2]], spread)
    within, mixed, own = information[:size, :size], information[:size, size:], information[size:, size:]
    left = own - mixed.T @ np.linalg.solve(within, mixed)
    if np.linalg.matrix_rank(left) < size:
        raise InputError("event: found too few events to see a hazard ratio change, expected more; leave the test out")
    chi2 = [_single(score[k], within, mixed[:, k], own[k, k]) for k in range(size)]
    chi2.append(float(score @ np.linalg.solve(left, score)))
    df = [1] * size + [size]
    table = pd.DataFrame({"chi2": chi2, "df": df, "p": stats.chi2.sf(chi2, df)}, index=[*design.columns, "GLOBAL"])
    return ProportionalHazards(table.rename_axis("covariate"), len(time), int(status.sum()))


def _single(score: float, within: Floats, mixed: Floats, own: float) -> float:
    """Return the chi-square of one covariate's change, the others' coefficients staying the same."""
    return float(score**2 / (own - mixed @ np.linalg.solve(within, mixed)))


def _at_event(time: Floats, status: Ints, design: Floats, coef: Floats, day: float) -> tuple[Floats, Floats]:
    """Return observed minus expected covariates at one event time, and their variance, by Efron."""
    risk = np.where(time >= day, np.exp((design - design.mean(axis=0)) @ coef), 0.0)
    dies = (time == day) & (status == 1)
    deaths = int(dies.sum())
    difference = design[dies].sum(axis=0)
    spread = np.zeros((len(coef), len(coef)))
    for earlier in range(deaths):
        # Of those who die together, each in turn finds the others partly gone.
        weight = risk * np.where(dies, 1 - earlier / deaths, 1.0)
        share = weight / weight.sum()
        centred = design - share @ design
        difference = difference - share @ design
        spread += (centred * share[:, None]).T @ centred
    return difference, spread
