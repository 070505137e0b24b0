"""Survival curves, restricted means and the log-rank test, each with its method and convention stated.

The formulas are short enough to stand here, on numpy; tests hold them against R, and against
lifelines as a second opinion. Models of the hazard are in ``hazards``.

Conventions: times in days from the first infusion; the event indicator is strictly 0 or 1; numbers
at risk are counted just before a time, that is ``#{T >= t}``.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from survaudit.errors import InputError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# Two values of a curve closer than this are one value; R's survfit uses the same limit.
_SAME = float(np.sqrt(np.finfo(float).eps))
_AT_RISK = "numbers at risk just before t, #{T >= t}"


# ---------------------------------------------------------------- input


def _numbers(values: ArrayLike, name: str) -> Floats:
    """Return a new one-dimensional array of floats, or say why that is impossible."""
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "biufO":
        raise InputError(
            f"{name}: found an array of {array.dtype} in {array.ndim} dimensions, expected one dimension of numbers; "
            "pass one number a patient"
        )
    if any(isinstance(value, str | bytes) for value in array):
        raise InputError(f"{name}: found text, expected numbers; convert the column before passing it")
    try:
        return np.array(array, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: found a value that is no number ({error}); fill or drop it first") from error


def _places(bad: NDArray[np.bool_], values: Floats) -> str:
    """Quote the first bad values with their positions, counted from 0."""
    where = np.flatnonzero(bad)
    shown = ", ".join(f"{values[i]:g} at position {i}" for i in where[:3])
    return shown + (f" and {len(where) - 3} more" if len(where) > 3 else "")


def check_follow_up(time_days: ArrayLike, event: ArrayLike) -> tuple[Floats, Ints]:
    """Return times and events as new arrays, having made sure that they are a follow-up.

    Parameters
    ----------
    time_days : array-like of shape (n,)
        Days to the event or to the last observation; finite, not negative.
    event : array-like of shape (n,)
        1 if the event was observed, 0 if not; booleans will do. An index of pandas is ignored:
        both are matched by position.

    Returns
    -------
    tuple of arrays of shape (n,)
        Times as floats, events as integers; the caller's arrays are left alone.

    Raises
    ------
    InputError
        Naming every problem at once: missing, infinite or negative times, events other than 0 and
        1 (durations can never pass as events), unequal lengths, no patient.

    Examples
    --------
    >>> check_follow_up([5, 8], [5, 8])
    Traceback (most recent call last):
    ...
    survaudit.errors.InputError: event: found 5 at position 0, 8 at position 1, expected 0 or 1; ...
    """
    time, status = _numbers(time_days, "time_days"), _numbers(event, "event")
    problems = []
    if len(time) != len(status):
        problems.append(f"found {len(time)} times and {len(status)} events, expected equal numbers; pair them first")
    elif not len(time):
        problems.append("found no patient, expected at least one; check the selection of patients")
    if (bad := ~np.isfinite(time)).any():
        problems.append(f"time_days: found {_places(bad, time)}, expected finite days; give each patient a last day")
    if (bad := time < 0).any():
        problems.append(f"time_days: found {_places(bad, time)}, expected no negative days; check the time origin")
    if (bad := ~np.isin(status, (0, 1))).any():
        problems.append(
            f"event: found {_places(bad, status)}, expected 0 or 1; pass the indicator of the event, not a duration"
        )
    if problems:
        raise InputError("; ".join(problems))
    return time, status.astype(np.int64)


def check_level(level: float) -> None:
    """Refuse a level of confidence that is not between 0 and 1, such as 95.

    Parameters
    ----------
    level : float
        A share, such as 0.95.

    Raises
    ------
    InputError
        If it is not between 0 and 1, both excluded.

    Examples
    --------
    >>> check_level(95)
    Traceback (most recent call last):
    ...
    survaudit.errors.InputError: level: found 95, expected a number between 0 and 1; 0.95 is usual
    """
    if not 0 < level < 1:
        raise InputError(f"level: found {level}, expected a number between 0 and 1; 0.95 is usual")


def _frozen(values: ArrayLike, dtype: type = float) -> NDArray[Any]:
    """Return a copy that no reader of a result can change."""
    array: NDArray[Any] = np.array(values, dtype=dtype)
    array.setflags(write=False)
    return array


# ---------------------------------------------------------------- Kaplan-Meier


@dataclass(frozen=True, eq=False)
class KaplanMeier:
    """A product-limit estimate, at every distinct time of an event or a censoring.

    Attributes
    ----------
    times : array of shape (m,)
        Distinct times in days, ascending.
    survival, std_error : array of shape (m,)
        The estimate from each time on, and Greenwood's standard error (missing where S = 0).
    lower, upper : array of shape (m,)
        Pointwise log-log limits; 1 where S = 1, missing where S = 0, as in R.
    at_risk, events, censored : array of int, shape (m,)
        At risk just before, events at, and censorings at each time.
    n, n_events : int
        Patients, and events among them.
    median, median_lower, median_upper : float
        In days: where the curve and its limits come down to one half; missing if they do not.
    level : float
        Level of the limits.
    label, method, convention, units : str
        What the curve is of, how it was made, how numbers at risk count, the unit of time.
    """

    times: Floats
    survival: Floats
    std_error: Floats
    lower: Floats
    upper: Floats
    at_risk: Ints
    events: Ints
    censored: Ints
    n: int
    n_events: int
    median: float
    median_lower: float
    median_upper: float
    level: float
    label: str = ""
    method: str = "Kaplan-Meier, Greenwood variance, log-log limits"
    convention: str = _AT_RISK
    units: str = "days"

    @property
    def last_day(self) -> float:
        """Return the last time of observation, in days."""
        return float(self.times[-1])

    def at_risk_at(self, times: ArrayLike) -> Ints:
        """Return how many patients are at risk just before each time, ``#{T >= t}``.

        Parameters
        ----------
        times : array-like of shape (k,)
            Days.

        Raises
        ------
        InputError
            If they are not numbers in one dimension.
        """
        place = np.searchsorted(self.times, _numbers(times, "times"), side="left")
        return np.append(self.at_risk, 0)[place]

    def survival_at(self, times: ArrayLike) -> Floats:
        """Return the estimate at each time; missing where the curve is not known.

        That is after the last observation, unless that was an event that brought the curve to 0.

        Parameters
        ----------
        times : array-like of shape (k,)
            Days.

        Raises
        ------
        InputError
            If they are not numbers in one dimension.
        """
        asked = _numbers(times, "times")
        place = np.searchsorted(self.times, asked, side="right")
        survival: Floats = np.append(1.0, self.survival)[place]
        known = (asked <= self.last_day) | (self.survival[-1] == 0)
        return np.where(known, survival, np.nan)

    def to_frame(self) -> pd.DataFrame:
        """Return the curve, one row a time."""
        names = ("at_risk", "events", "censored", "survival", "std_error", "lower", "upper")
        return pd.DataFrame({"time_days": self.times} | {name: getattr(self, name) for name in names})


def _half(times: Floats, curve: Floats) -> float:
    """Return where a curve comes down to one half; in the middle of a stretch that equals one half."""
    below = np.flatnonzero(curve < 0.5 + _SAME)
    if not len(below):
        return float("nan")
    first = below[0]
    further = np.flatnonzero(curve < curve[first])
    if abs(curve[first] - 0.5) < _SAME and len(further):
        return float((times[first] + times[further[0]]) / 2)
    return float(times[first])


def kaplan_meier(time_days: ArrayLike, event: ArrayLike, label: str = "", level: float = 0.95) -> KaplanMeier:
    """Estimate a survival curve (Kaplan and Meier, 1958).

    The limits are taken on the log-log scale (Kalbfleisch and Prentice, 1980); those of the median
    are where the limits of the curve cross one half (Brookmeyer and Crowley, 1982), as R's
    ``survfit(conf.type = "log-log")`` gives both.

    Parameters
    ----------
    time_days, event : array-like of shape (n,)
        As in ``check_follow_up``.
    label : str
        Whom the curve is of.
    level : float
        Level of the limits, between 0 and 1.

    Returns
    -------
    KaplanMeier

    Raises
    ------
    InputError
        If times and events are no follow-up, or the level is not between 0 and 1.

    Examples
    --------
    >>> curve = kaplan_meier([2, 4, 4, 6], [1, 1, 0, 0])
    >>> curve.survival.tolist()
    [0.75, 0.5, 0.5]
    >>> curve.at_risk_at([0, 2, 3, 7]).tolist()
    [4, 4, 3, 0]
    """
    check_level(level)
    time, status = check_follow_up(time_days, event)
    times, place = np.unique(time, return_inverse=True)
    left = np.bincount(place)
    events = np.bincount(place, weights=status).astype(np.int64)
    at_risk = len(time) - np.cumsum(left) + left
    survival = np.cumprod(1 - events / at_risk)
    survivors = at_risk - events
    # Where everyone still at risk has the event, the curve is 0 and has no variance to speak of.
    steps = np.divide(events, at_risk * survivors, out=np.full(len(times), np.nan), where=survivors > 0)
    log_error = np.sqrt(np.cumsum(steps))
    lower, upper = _log_log_limits(survival, log_error, level)
    return KaplanMeier(
        times=_frozen(times),
        survival=_frozen(survival),
        std_error=_frozen(survival * log_error),
        lower=_frozen(lower),
        upper=_frozen(upper),
        at_risk=_frozen(at_risk, int),
        events=_frozen(events, int),
        censored=_frozen(left - events, int),
        n=len(time),
        n_events=int(status.sum()),
        median=_half(times, survival),
        median_lower=_half(times, lower),
        median_upper=_half(times, upper),
        level=level,
        label=label,
    )


def _log_log_limits(survival: Floats, log_error: Floats, level: float) -> tuple[Floats, Floats]:
    """Return the limits of S from the standard error of log S, symmetric in log(-log S)."""
    inside = (survival > 0) & (survival < 1)
    log_survival = np.log(survival, out=np.full(len(survival), np.nan), where=inside)
    spread = np.exp(stats.norm.isf((1 - level) / 2) * log_error / np.abs(log_survival))
    certain = np.where(survival == 1, 1.0, np.nan)
    return (
        np.where(inside, np.exp(log_survival * spread), certain),
        np.where(inside, np.exp(log_survival / spread), certain),
    )


def reverse_kaplan_meier(time_days: ArrayLike, event: ArrayLike, label: str = "") -> KaplanMeier:
    """Estimate the follow-up that patients would have had without events (Schemper and Smith, 1996).

    Censoring is taken as the event, and the event as the censoring, so that ``median`` is the
    median follow-up.

    Parameters
    ----------
    time_days, event : array-like of shape (n,)
        As in ``check_follow_up``; ``event`` is still 1 for the event, not for the censoring.
    label : str
        Whom the curve is of.

    Returns
    -------
    KaplanMeier
        Of the time to censoring, in days.

    Raises
    ------
    InputError
        If times and events are no follow-up.

    Examples
    --------
    >>> reverse_kaplan_meier([2, 4, 5, 6], [1, 0, 0, 0]).median
    5.0
    """
    time, status = check_follow_up(time_days, event)
    return kaplan_meier(time, 1 - status, label=label)


# ---------------------------------------------------------------- restricted mean


@dataclass(frozen=True)
class RestrictedMean:
    """A mean survival time up to a day, or a difference of two, with a normal interval.

    Attributes
    ----------
    estimate, variance, lower, upper : float
        In days; the variance in days squared.
    p : float
        Of no difference from 0, two-sided; missing for a single mean.
    tau_days : float
        Up to which day the mean counts.
    n, n_events : int
        Patients; events among them up to ``tau_days``.
    level : float
    label, method : str
    """

    estimate: float
    variance: float
    lower: float
    upper: float
    p: float
    tau_days: float
    n: int
    n_events: int
    level: float = 0.95
    label: str = ""
    method: str = "area under the Kaplan-Meier curve, variance as in R survRM2"

    def to_frame(self) -> pd.DataFrame:
        """Return the result as one row."""
        return pd.DataFrame([vars(self)])


def restricted_mean(curve: KaplanMeier, tau_days: float) -> RestrictedMean:
    """Return the mean survival time restricted to ``tau_days`` (Irwin, 1949; Royston and Parmar, 2013).

    Parameters
    ----------
    curve : KaplanMeier
        Its level is that of the interval.
    tau_days : float
        A day after 0, not after the last observation unless the curve has come down to 0 there.

    Returns
    -------
    RestrictedMean
        In days; its ``p`` is missing.

    Raises
    ------
    InputError
        If ``tau_days`` lies where the curve is not known: nothing is extrapolated.

    Examples
    --------
    >>> restricted_mean(kaplan_meier([2, 4, 4, 6], [1, 1, 0, 0]), tau_days=6).estimate
    4.5
    """
    tau = float(tau_days)
    if not 0 < tau < np.inf or np.isnan(curve.survival_at([tau])).any():
        raise InputError(
            f"tau_days: found {tau_days:g}, expected more than 0 and at most {curve.last_day:g}, the last observation"
            f"{f' of {curve.label}' if curve.label else ''}; choose an earlier day"
        )
    used = curve.times <= tau
    edges = np.concatenate(([0.0], curve.times[used], [tau]))
    areas = np.diff(edges) * np.append(1.0, curve.survival[used])
    events, at_risk = curve.events[used], curve.at_risk[used]
    survivors = at_risk - events
    steps = np.divide(events, at_risk * survivors, out=np.zeros(len(events)), where=survivors > 0)
    area_after = areas[1:][::-1].cumsum()[::-1]
    variance = float(np.sum(area_after**2 * steps))
    n_events = int(events.sum())
    return _with_interval(
        float(areas.sum()), variance, tau, curve.n, n_events, level=curve.level, label=curve.label, tested=False
    )


def restricted_mean_difference(first: KaplanMeier, second: KaplanMeier, tau_days: float) -> RestrictedMean:
    """Return the restricted mean of the first curve minus that of the second, as R's ``survRM2::rmst2``.

    A measure of a treatment that asks for no proportional hazards (Royston and Parmar, 2013; Uno and others, 2014).
    The curves are of different patients, so that the variances add.

    Parameters
    ----------
    first, second : KaplanMeier
        Of one level.
    tau_days : float
        A day after 0, where both curves are known.

    Returns
    -------
    RestrictedMean
        In days, with a normal interval and the P of no difference.

    Raises
    ------
    InputError
        As in ``restricted_mean``, for either curve; or if the levels differ.

    Examples
    --------
    >>> a, b = kaplan_meier([3, 5], [1, 0]), kaplan_meier([1, 4], [1, 1])
    >>> restricted_mean_difference(a, b, tau_days=4).estimate
    1.0
    """
    if first.level != second.level:
        raise InputError(f"level: found {first.level} and {second.level}, expected one; estimate both curves alike")
    a, b = restricted_mean(first, tau_days), restricted_mean(second, tau_days)
    label = f"{first.label} minus {second.label}" if first.label and second.label else ""
    return _with_interval(
        a.estimate - b.estimate,
        a.variance + b.variance,
        a.tau_days,
        a.n + b.n,
        a.n_events + b.n_events,
        level=first.level,
        label=label,
        tested=True,
    )


def _with_interval(
    estimate: float, variance: float, tau: float, n: int, n_events: int, *, level: float, label: str, tested: bool
) -> RestrictedMean:
    error = float(np.sqrt(variance))
    spread = float(stats.norm.isf((1 - level) / 2)) * error
    # Without any variance there is nothing to test against.
    p = float(2 * stats.norm.sf(abs(estimate) / error)) if tested and error > 0 else float("nan")
    return RestrictedMean(estimate, variance, estimate - spread, estimate + spread, p, tau, n, n_events, level, label)


# ---------------------------------------------------------------- log-rank


@dataclass(frozen=True, eq=False)
class LogRank:
    """A comparison of survival between groups.

    Attributes
    ----------
    groups : tuple of str
        In the order of all arrays.
    n, events : array of int, shape (k,)
        Patients and events of each group.
    observed, expected : array of shape (k,)
        Weighted sums of events; for ``rho = 0`` the observed are the events themselves.
    variance : array of shape (k, k)
        Covariance matrix of ``observed - expected``.
    chi2, p : float
    df : int
        Rank of ``variance``. It is 0 if no two groups were ever at risk together at an event: then
        nothing was compared, ``chi2`` is 0 and ``p`` is 1.
    rho : float
        Weight of an event: the pooled survival just before it, to this power.
    method : str
    """

    groups: tuple[str, ...]
    n: Ints
    events: Ints
    observed: Floats
    expected: Floats
    variance: Floats
    chi2: float
    df: int
    p: float
    rho: float
    method: str = "log-rank, hypergeometric variance, as R survdiff"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a group, with the test repeated in each."""
        names = ("n", "events", "observed", "expected")
        parts = pd.DataFrame({"group": list(self.groups)} | {name: getattr(self, name) for name in names})
        return parts.assign(chi2=self.chi2, df=self.df, p=self.p)


def _group_codes(group: Iterable[object], n: int) -> tuple[tuple[str, ...], Ints]:
    """Return the names of the groups that occur, and each patient's place among them."""
    labels = pd.Series(group if isinstance(group, pd.Series) else list(group)).astype("category")
    labels = labels.cat.remove_unused_categories()
    if len(labels) != n:
        raise InputError(f"group: found {len(labels)} values for {n} patients, expected one each; pair them first")
    if labels.isna().any():
        places = ", ".join(map(str, np.flatnonzero(labels.isna())[:3]))
        raise InputError(f"group: found no value at position {places}, expected a group; drop the patient")
    names = tuple(map(str, labels.cat.categories))
    if len(names) < 2:
        raise InputError(f"group: found one group ({names[0]}), expected two or more; check the selection")
    codes: Ints = labels.cat.codes.to_numpy().astype(np.int64)
    return names, codes


def log_rank(time_days: ArrayLike, event: ArrayLike, group: Iterable[object], rho: float = 0.0) -> LogRank:
    """Compare survival between two or more groups (Mantel, 1966; Peto and Peto, 1972).

    The variance is hypergeometric, given the patients at risk at each event; with ``rho`` other
    than 0 the test is Fleming and Harrington's (1982).

    Parameters
    ----------
    time_days, event : array-like of shape (n,)
        As in ``check_follow_up``.
    group : iterable of length n
        Each patient's group; a pandas categorical keeps its order.
    rho : float
        0 for the log-rank test, 1 for the Peto-Peto test, which weighs early events more.

    Returns
    -------
    LogRank

    Raises
    ------
    InputError
        If times and events are no follow-up, a group is missing, or there is only one.

    Examples
    --------
    >>> test = log_rank([1, 2, 3, 4], [1, 1, 1, 1], ["a", "a", "b", "b"])
    >>> test.observed.tolist(), test.expected.round(4).tolist(), round(test.chi2, 4), test.df
    ([2.0, 2.0], [0.8333, 3.1667], 2.8824, 1)
    """
    time, status = check_follow_up(time_days, event)
    names, codes = _group_codes(group, len(time))
    event_times = np.unique(time[status == 1])
    member = codes[:, None] == np.arange(len(names))
    # Rows: distinct event times; columns: groups.
    at_risk = (time >= event_times[:, None]).astype(float) @ member
    events = ((time == event_times[:, None]) & (status == 1)).astype(float) @ member
    n, d = at_risk.sum(axis=1), events.sum(axis=1)
    weight = np.append(1.0, np.cumprod(1 - d / n))[: len(n)] ** rho
    share = at_risk / n[:, None]
    observed, expected = weight @ events, (weight * d) @ share
    # A lone patient at risk leaves nothing to chance: variance 0, not 0 / 0.
    scale = weight**2 * d * (n - d) / np.maximum(n - 1, 1)
    variance = np.diag(scale @ share) - (share * scale[:, None]).T @ share
    chi2, df = _quadratic_form(observed - expected, variance)
    return LogRank(
        groups=names,
        n=_frozen(member.sum(axis=0), int),
        events=_frozen(member[status == 1].sum(axis=0), int),
        observed=_frozen(observed),
        expected=_frozen(expected),
        variance=_frozen(variance),
        chi2=chi2,
        df=df,
        p=float(stats.chi2.sf(chi2, df)) if df else 1.0,
        rho=float(rho),
    )


def _quadratic_form(difference: Floats, variance: Floats) -> tuple[float, int]:
    """Return ``x' V^- x`` and the rank of V, which is below its size: rows of V sum to 0."""
    values, vectors = np.linalg.eigh(variance)
    kept = values > max(float(values.max()), 1.0) * len(values) * 1e-12
    parts = vectors[:, kept].T @ difference
    return float(np.sum(parts**2 / values[kept])), int(kept.sum())
