"""Comparing patients by a treatment that begins during follow-up, without counting the wait as its merit.

A patient who was transplanted on day 60 could not die in the first 60 days: had that happened, the patient would
be in the other group. These days are immortal. The analyses here give each day to the state in which it was lived.

Conventions: times in days; an episode is ``(start, stop]``, so that an event on the day of a switch belongs to the
state before it; the event indicator is strictly 0 or 1, and once switched, a patient stays so.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from lifelines import CoxTimeVaryingFitter
from lifelines.exceptions import ConvergenceError
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from survaudit.errors import InputError
from survaudit.immortal._kernels import permuted_p
from survaudit.survival.curves import (
    Floats,
    Ints,
    KaplanMeier,
    LogRank,
    check_follow_up,
    check_level,
    kaplan_meier,
    log_rank,
)
from survaudit.survival.hazards import Hazards

STATES = ("not switched", "switched")
_EPISODES = "episodes (start, stop]; an event on the day of a switch belongs to the state before it"
_PRECISION = 1e-20
_NO_MAXIMUM = (
    "found one state, or covariate, that the order of the events follows, so that the likelihood has no maximum, "
    "expected overlap; report the Mantel-Byar test instead"
)
# As in ``hazards``: a standard error this large, per standard deviation, is that of a runaway fit.
_DIVERGED = 100.0


# ---------------------------------------------------------------- episodes


@dataclass(frozen=True, eq=False)
class Episodes:
    """Follow-up cut where a patient's state changes, one row an episode.

    Attributes
    ----------
    patient : array of shape (m,)
        Whose episode it is.
    start, stop : array of shape (m,)
        In days; the episode is ``(start, stop]``.
    event : array of int, shape (m,)
        1 if the episode ended with the event.
    switched : array of int, shape (m,)
        1 if the treatment that is asked about had begun before the episode.
    stratum : array of int, shape (m,)
        1 if another state had begun, such as a relapse; 0 everywhere if there is none to tell apart.
    convention, units : str
    """

    patient: NDArray[Any]
    start: Floats
    stop: Floats
    event: Ints
    switched: Ints
    stratum: Ints
    convention: str = _EPISODES
    units: str = "days"

    @property
    def n(self) -> int:
        """Return the number of patients."""
        return len(pd.unique(self.patient))

    @property
    def n_switched(self) -> int:
        """Return how many patients have an episode after the switch."""
        return len(pd.unique(self.patient[self.switched == 1]))

    @property
    def n_events(self) -> int:
        """Return the number of events."""
        return int(self.event.sum())

    def days(self) -> dict[str, float]:
        """Return the person-days lived in either state."""
        length = self.stop - self.start
        return {name: float(length[self.switched == k].sum()) for k, name in enumerate(STATES)}

    def to_frame(self) -> pd.DataFrame:
        """Return one row an episode."""
        names = ("patient", "start", "stop", "event", "switched", "stratum")
        return pd.DataFrame({name: getattr(self, name) for name in names})


def _column(values: ArrayLike, name: str) -> Floats:
    try:
        column = np.array(values, dtype=float)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: found a value that is no number ({error}); fill or drop it first") from error
    if column.ndim != 1:
        raise InputError(f"{name}: found {column.ndim} dimensions, expected one; pass one number an episode")
    return column


def _named(patient: NDArray[Any], bad: NDArray[np.bool_], found: Iterable[str], advice: str) -> list[str]:
    """Return a complaint for each bad row, with the number of its patient."""
    told = list(found)
    return [f"patient {patient[i]}: found {told[i]}, {advice}" for i in np.flatnonzero(bad)]


def episodes(
    patient: Iterable[object],
    start: ArrayLike,
    stop: ArrayLike,
    event: ArrayLike,
    switched: ArrayLike,
    *,
    stratum: ArrayLike | None = None,
) -> Episodes:
    """Return episodes, having made sure that they are a follow-up.

    Parameters
    ----------
    patient : iterable of length m
        Names or numbers.
    start, stop, event, switched : array-like of shape (m,)
        As in ``Episodes``; days may be missing between a patient's episodes, and then the patient is not at risk.
    stratum : array-like of shape (m,), optional
        0 or 1: another state by which an analysis is to be stratified.

    Returns
    -------
    Episodes
        By patient in order of appearance, then by start.

    Raises
    ------
    InputError
        Naming every problem with its patient: a negative start, a stop that is not after the start, episodes that
        overlap, an event that is not the patient's last day, a switch that is undone, an indicator other than 0 and 1.

    Examples
    --------
    >>> two = episodes([1, 1, 2], [0, 5, 0], [5, 9, 7], [0, 1, 1], [0, 1, 0])
    >>> two.n, two.n_switched, two.days()
    (2, 1, {'not switched': 12.0, 'switched': 4.0})
    >>> episodes([1, 1], [0, 5], [6, 9], [0, 1], [0, 1])
    Traceback (most recent call last):
    ...
    survaudit.errors.InputError: patient 1: found episodes that overlap (to day 6 and from day 5), ...
    """
    who = np.array(list(patient), dtype=object)
    columns = {"start": start, "stop": stop, "event": event, "switched": switched}
    columns["stratum"] = np.zeros(len(who)) if stratum is None else stratum
    frame = {name: _column(values, name) for name, values in columns.items()}
    lengths = {name: len(column) for name, column in frame.items()} | {"patient": len(who)}
    if len(set(lengths.values())) > 1 or not len(who):
        raise InputError(f"found lengths {lengths}, expected one row an episode in each; pair them first")
    order = np.lexsort((frame["start"], pd.factorize(who)[0]))
    who, frame = who[order], {name: column[order] for name, column in frame.items()}
    problems = _single_problems(who, frame) or _joint_problems(who, frame)
    if problems:
        raise InputError("; ".join(problems))
    whole = [frame[name].astype(np.int64) for name in ("event", "switched", "stratum")]
    for column in (who, frame["start"], frame["stop"], *whole):
        column.setflags(write=False)
    return Episodes(who, frame["start"], frame["stop"], whole[0], whole[1], whole[2])


def _single_problems(who: NDArray[Any], frame: Mapping[str, Floats]) -> list[str]:
    """Return what is wrong with single episodes."""
    start, stop = frame["start"], frame["stop"]
    told = [f"an episode from day {a:g} to day {b:g}" for a, b in zip(start, stop, strict=True)]
    lost = ~(np.isfinite(start) & np.isfinite(stop))
    problems = _named(who, lost, told, "expected finite days; give the patient a last day")
    problems += _named(who, start < 0, told, "expected no day before the time origin; check it")
    problems += _named(who, ~lost & (start >= 0) & (stop <= start), told, "expected a stop after the start; drop it")
    for name in ("event", "switched", "stratum"):
        values = [f"{name} = {value:g}" for value in frame[name]]
        problems += _named(who, ~np.isin(frame[name], (0, 1)), values, "expected 0 or 1; pass an indicator, not a day")
    return problems


def _joint_problems(who: NDArray[Any], frame: Mapping[str, Floats]) -> list[str]:
    """Return what is wrong between one episode and the patient's next."""
    next_too = np.append(who[1:] == who[:-1], False)
    following = {name: np.append(column[1:], np.nan) for name, column in frame.items()}
    overlap = [
        f"episodes that overlap (to day {a:g} and from day {b:g})"
        for a, b in zip(frame["stop"], following["start"], strict=True)
    ]
    ends = [f"an event on day {day:g}, before the last episode" for day in frame["stop"]]
    problems = _named(
        who, next_too & (following["start"] < frame["stop"]), overlap, "expected each day once; mend them"
    )
    problems += _named(who, next_too & (frame["event"] == 1), ends, "expected no follow-up after the event; drop it")
    for name in ("switched", "stratum"):
        undone = [f"{name} = 1, and 0 from day {day:g} on" for day in following["start"]]
        back = next_too & (following[name] < frame[name])
        problems += _named(who, back, undone, "expected that a state once begun lasts; choose the first day of it")
    return problems


def split_at_switch(
    time_days: ArrayLike,
    event: ArrayLike,
    switch_days: ArrayLike,
    patient: Iterable[object] | None = None,
    stratum_days: ArrayLike | None = None,
) -> Episodes:
    """Cut each patient's follow-up at the switch, and at the day of another state if one is given.

    Parameters
    ----------
    time_days, event : array-like of shape (n,)
        As in ``survival.check_follow_up``, but every follow-up must be longer than 0 days.
    switch_days : array-like of shape (n,)
        Day of the switch; missing if there was none. A switch on the last day leaves no day after it.
    patient : iterable of length n, optional
        Names or numbers; counted from 1 if not given.
    stratum_days : array-like of shape (n,), optional
        Day on which another state began (a relapse, say); missing if it never did.

    Returns
    -------
    Episodes

    Raises
    ------
    InputError
        If it is no follow-up; or, with the patient's number, if a switch comes after the end of follow-up or before
        day 0, or a follow-up has no day.

    Examples
    --------
    >>> split_at_switch([9, 7], [1, 1], [5, None]).to_frame()[["patient", "start", "stop", "event", "switched"]]
      patient  start  stop  event  switched
    0       1    0.0   5.0      0         0
    1       1    5.0   9.0      1         1
    2       2    0.0   7.0      1         0
    """
    time, status, switch, who = _switching(time_days, event, switch_days, patient)
    other = np.full(len(time), np.nan) if stratum_days is None else _column(stratum_days, "stratum_days")
    problems = _named(who, time == 0, ["a follow-up of 0 days"] * len(who), "expected a longer one; leave it out")
    if len(other) != len(time):
        problems.append(f"stratum_days: found {len(other)} days for {len(time)} patients, expected one each; pair them")
    if problems:
        raise InputError("; ".join(problems))
    rows = []
    for i in range(len(time)):
        # A state that began before day 0 has begun for all days.
        days = np.maximum([day for day in (switch[i], other[i]) if not np.isnan(day)], 0.0)
        edges = np.unique(np.concatenate([[0.0, time[i]], days[days < time[i]]]))
        for a, b in pairwise(edges):
            rows.append((who[i], a, b, int(b == time[i] and status[i]), int(switch[i] <= a), int(other[i] <= a)))
    *columns, strata = (list(column) for column in zip(*rows, strict=True))
    return episodes(*columns, stratum=strata)


def _switching(
    time_days: ArrayLike, event: ArrayLike, switch_days: ArrayLike, patient: Iterable[object] | None
) -> tuple[Floats, Ints, Floats, NDArray[Any]]:
    """Return a checked follow-up with the days of the switches and the patients' names."""
    time, status = check_follow_up(time_days, event)
    switch = _column(switch_days, "switch_days")
    who = np.array(range(1, len(time) + 1) if patient is None else list(patient), dtype=object)
    if not len(time) == len(switch) == len(who):
        raise InputError(
            f"found {len(time)} times, {len(switch)} switches and {len(who)} patients, expected one each; pair them"
        )
    late = [f"a switch on day {day:g}, after the end of follow-up on day {end:g}"
            for day, end in zip(switch, time, strict=True)]  # fmt: skip
    early = [f"a switch on day {day:g}" for day in switch]
    problems = _named(who, switch > time, late, "expected one by then; check both days")
    problems += _named(who, switch < 0, early, "expected none before the time origin; check it")
    if problems:
        raise InputError("; ".join(problems))
    return time, status, switch, who


# ---------------------------------------------------------------- Mantel-Byar


@dataclass(frozen=True)
class MantelByar:
    """A comparison of the switched with the not yet switched.

    Attributes
    ----------
    observed, expected, variance : float
        Events among the switched; how many there would be without any difference; the variance of the former.
    chi2, p : float
        On one degree of freedom; 0 and 1 if no event found both states at risk, so that nothing was compared.
    n, n_switched, n_events : int
        Patients; those who switched; events in either state.
    strata : int
        1, or 2 if events were compared within each state of ``Episodes.stratum``.
    method, convention : str
    """

    observed: float
    expected: float
    variance: float
    chi2: float
    p: float
    n: int
    n_switched: int
    n_events: int
    strata: int
    method: str = "Mantel-Byar, hypergeometric variance"
    convention: str = _EPISODES

    def to_frame(self) -> pd.DataFrame:
        """Return the result as one row."""
        return pd.DataFrame([vars(self)])


def mantel_byar(follow_up: Episodes) -> MantelByar:
    """Compare the states at each event by who is in which just then (Mantel and Byar, 1974).

    It is the log-rank test with groups that change: a patient counts as not switched until the switch, and as
    switched from then on. If the episodes bear a stratum, events are compared within it.

    Parameters
    ----------
    follow_up : Episodes

    Returns
    -------
    MantelByar

    Examples
    --------
    Of those at risk on day 7, one of two had switched; on day 9 the switched patient is alone.

    >>> test = mantel_byar(split_at_switch([9, 7], [1, 1], [5, None]))
    >>> test.observed, test.expected, test.variance, test.chi2
    (1.0, 1.5, 0.25, 1.0)
    """
    observed = expected = variance = 0.0
    strata = np.unique(follow_up.stratum)
    for stratum in strata:
        own = follow_up.stratum == stratum
        start, stop = follow_up.start[own], follow_up.stop[own]
        event, switched = follow_up.event[own] == 1, follow_up.switched[own] == 1
        times = np.unique(stop[event])[:, None]
        at_risk, dies = (start < times) & (times <= stop), (stop == times) & event
        n, d = at_risk.sum(axis=1), dies.sum(axis=1)
        share = (at_risk & switched).sum(axis=1) / n
        observed += float((dies & switched).sum())
        expected += float(d @ share)
        # A lone patient at risk leaves nothing to chance: variance 0, not 0 / 0.
        variance += float(np.sum(d * share * (1 - share) * (n - d) / np.maximum(n - 1, 1)))
    chi2 = (observed - expected) ** 2 / variance if variance > 0 else 0.0
    counts = follow_up.n, follow_up.n_switched, follow_up.n_events, len(strata)
    return MantelByar(observed, expected, variance, chi2, float(stats.chi2.sf(chi2, 1)), *counts)


def permutation_p(
    time_days: ArrayLike,
    event: ArrayLike,
    switch_days: ArrayLike,
    *,
    rng: np.random.Generator,
    replicates: int = 9999,
    until_days: ArrayLike | None = None,
    stratum_days: ArrayLike | None = None,
) -> float:
    """Return the P of Mantel and Byar's statistic (1974) when whoever switched is drawn anew on each day of a switch.

    The days of switches and all follow-up stay; the patient of each switch is drawn from those who could have had it.
    It asks for no large sample, but like the test itself it supposes that among these the choice was blind.

    Parameters
    ----------
    time_days, event, switch_days, stratum_days
        As in ``split_at_switch``.
    rng : numpy.random.Generator
    replicates : int
        How often to draw.
    until_days : array-like of shape (n,), optional
        The last day on which each patient could have switched, such as that of a relapse; the end of follow-up if
        not given or missing.

    Returns
    -------
    float
        ``(1 + k) / (1 + replicates)``, k being the draws that reach the statistic (Davison and Hinkley, 1997); never 0.

    Raises
    ------
    InputError
        As in ``split_at_switch``; or, with the patient's number, if one switched after ``until_days``.

    Examples
    --------
    >>> permutation_p([9, 7, 4], [1, 1, 1], [5, None, None], rng=np.random.default_rng(1), replicates=99)
    1.0
    """
    time, status, switch, who = _switching(time_days, event, switch_days, None)
    last = time if until_days is None else np.fmin(_column(until_days, "until_days"), time)
    told = [f"a switch on day {a:g}, when only days up to {b:g} allow one" for a, b in zip(switch, last, strict=True)]
    if problems := _named(who, switch > last, told, "expected one by then; check both days"):
        raise InputError("; ".join(problems))
    change = np.full(len(time), np.inf) if stratum_days is None else _column(stratum_days, "stratum_days")
    uniforms = rng.random((replicates, len(time)))
    switch, change = (np.where(np.isnan(days), np.inf, days) for days in (switch, change))
    return permuted_p(time, status, switch, change, last, uniforms)


# ---------------------------------------------------------------- landmark


@dataclass(frozen=True, eq=False)
class Landmark:
    """A comparison from a landmark on, by the state that had been reached by then.

    Attributes
    ----------
    landmark_day : float
    curves : (KaplanMeier, KaplanMeier)
        Of those not switched and of those switched by the landmark; days count from it.
    test : LogRank
    n, n_events, n_left_out : int
        Patients compared, events after the landmark, and patients whose follow-up had ended by then.
    n_switched_later : int
        Those who switched after the landmark, and count as not switched.
    method, convention : str
    """

    landmark_day: float
    curves: tuple[KaplanMeier, KaplanMeier]
    test: LogRank
    n: int
    n_events: int
    n_left_out: int
    n_switched_later: int
    method: str = "landmark, log-rank test"
    convention: str = "at risk: follow-up longer than the landmark; switched: on the landmark's day or before"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a group, with the landmark and the test in each."""
        return self.test.to_frame().assign(landmark_day=self.landmark_day, left_out=self.n_left_out)


def landmark(
    time_days: ArrayLike,
    event: ArrayLike,
    switch_days: ArrayLike,
    landmark_day: float,
    patient: Iterable[object] | None = None,
) -> Landmark:
    """Compare those who had switched by a landmark with those who had not (Anderson, Cain and Gelber, 1983).

    Only patients still at risk after the landmark count, and later switches are not looked at: nothing that defines
    a group can lie in its own future.

    Parameters
    ----------
    time_days, event, switch_days, patient
        As in ``split_at_switch``; follow-up of 0 days will do.
    landmark_day : float

    Returns
    -------
    Landmark

    Raises
    ------
    InputError
        If it is no follow-up with switches; or if, after the landmark, nobody is at risk in either group.

    Examples
    --------
    >>> found = landmark([9, 7, 3, 8], [1, 1, 1, 0], [2, None, None, 6], landmark_day=4)
    >>> found.n, found.n_left_out, found.test.groups, found.test.n.tolist()
    (3, 1, ('not switched', 'switched'), [2, 1])
    """
    time, status, switch, who = _switching(time_days, event, switch_days, patient)
    kept, early = time > landmark_day, switch <= landmark_day
    counts = {name: int((kept & (early == k)).sum()) for k, name in enumerate(STATES)}
    if empty := [name for name, count in counts.items() if not count]:
        last = {name: np.flatnonzero(early == k) for k, name in enumerate(STATES)}[empty[0]]
        longest = last[np.argmax(time[last])] if len(last) else None
        told = "there is none" if longest is None else f"the last is patient {who[longest]}, to day {time[longest]:g}"
        raise InputError(
            f"landmark_day: found nobody at risk after day {landmark_day:g} among those {empty[0]} ({told}), "
            "expected patients in both groups; choose another day"
        )
    since, group = time[kept] - landmark_day, early[kept].astype(int)
    curves = [kaplan_meier(since[group == k], status[kept][group == k], label=name) for k, name in enumerate(STATES)]
    test = log_rank(since, status[kept], pd.Categorical.from_codes(group.tolist(), pd.Index(STATES)))
    later = int((switch > landmark_day).sum())
    left_out = len(time) - len(since)
    return Landmark(
        float(landmark_day), (curves[0], curves[1]), test, len(since), int(status[kept].sum()), left_out, later
    )


# ---------------------------------------------------------------- Simon-Makuch


@dataclass(frozen=True, eq=False)
class StateCurve:
    """A product-limit estimate among those who are in one state, which patients may enter late.

    Attributes
    ----------
    times : array of shape (m,)
        Days on which somebody in the state had the event or left it, ascending.
    survival, std_error : array of shape (m,)
        From each of these days on; Greenwood's error, missing where the estimate is 0.
    at_risk, events : array of int, shape (m,)
        In the state just before, and events.
    entered, left : array of shape (k,)
        When each patient in the state began and ceased to be at risk.
    landmark_day : float
        Where the curve begins, at 1.
    label, method : str
    """

    times: Floats
    survival: Floats
    std_error: Floats
    at_risk: Ints
    events: Ints
    entered: Floats
    left: Floats
    landmark_day: float
    label: str
    method: str = "Simon-Makuch: product-limit estimate with late entry"

    @property
    def n_events(self) -> int:
        """Return the number of events in this state."""
        return int(self.events.sum())

    def at_risk_at(self, times: ArrayLike) -> Ints:
        """Return how many are in the state just before each day, ``#{entered < t <= left}``.

        Parameters
        ----------
        times : array-like of shape (k,)
            Days.

        Raises
        ------
        InputError
            If they are not numbers in one dimension.
        """
        days = _column(times, "times")[:, None]
        counts: Ints = ((self.entered < days) & (days <= self.left)).sum(axis=1)
        return counts

    def to_frame(self) -> pd.DataFrame:
        """Return the curve, one row a day."""
        names = ("at_risk", "events", "survival", "std_error")
        return pd.DataFrame({"state": self.label, "time_days": self.times} | {n: getattr(self, n) for n in names})


def simon_makuch(follow_up: Episodes, landmark_day: float = 0.0) -> tuple[StateCurve, StateCurve]:
    """Estimate a curve for each state, to which a patient belongs while in it (Simon and Makuch, 1984).

    The curves start at a landmark: where only one patient has switched, an early event would bring that curve to 0
    for good. They show what a Mantel-Byar test compares; no group of patients ever lives along either of them.

    Parameters
    ----------
    follow_up : Episodes
    landmark_day : float

    Returns
    -------
    (StateCurve, StateCurve)
        Of the not switched and the switched.

    Raises
    ------
    InputError
        If after the landmark nobody is ever at risk in one of the states.

    Examples
    --------
    >>> before, after = simon_makuch(split_at_switch([9, 7, 12], [1, 1, 1], [5, None, 3]))
    >>> after.times.tolist(), after.at_risk.tolist(), after.survival.tolist()
    ([9.0, 12.0], [2, 1], [0.5, 0.0])
    """
    curves = []
    for state, label in enumerate(STATES):
        own = (follow_up.switched == state) & (follow_up.stop > landmark_day)
        if not own.any():
            last = follow_up.patient[np.argmax(follow_up.stop)]
            raise InputError(
                f"landmark_day: found nobody at risk after day {landmark_day:g} among those {label} (the longest "
                f"follow-up is that of patient {last}, to day {follow_up.stop.max():g}), expected some; choose another"
            )
        curves.append(_state_curve(follow_up, own, float(landmark_day), label))
    return curves[0], curves[1]


def _state_curve(follow_up: Episodes, own: NDArray[np.bool_], landmark_day: float, label: str) -> StateCurve:
    start, stop = np.maximum(follow_up.start[own], landmark_day), follow_up.stop[own]
    times = np.unique(stop)
    at_risk = ((start < times[:, None]) & (times[:, None] <= stop)).sum(axis=1)
    events = ((stop == times[:, None]) & (follow_up.event[own] == 1)).sum(axis=1)
    survival = np.cumprod(1 - events / at_risk)
    left = at_risk - events
    steps = np.divide(events, at_risk * left, out=np.full(len(times), np.nan), where=left > 0)
    error = survival * np.sqrt(np.cumsum(steps))
    return StateCurve(times, survival, error, at_risk, events, start, stop, landmark_day, label)


# ---------------------------------------------------------------- Cox


def time_dependent_cox(
    follow_up: Episodes, covariates: Mapping[str, ArrayLike] | None = None, level: float = 0.95
) -> Hazards:
    """Fit a Cox model with the switch as a time-dependent covariate (Crowley and Hu, 1977) by lifelines.

    Ties by Efron's method, Wald limits and P values, no penalty. If the episodes bear a stratum, each has a baseline
    hazard of its own.

    Parameters
    ----------
    follow_up : Episodes
    covariates : mapping of arrays of shape (m,), optional
        Others, one number an episode.
    level : float
        Level of the intervals.

    Returns
    -------
    Hazards
        Its first row is ``switched``.

    Raises
    ------
    InputError
        If there is no event, or the likelihood has no maximum.

    Examples
    --------
    >>> follow_up = split_at_switch([9, 7, 12, 6], [1, 1, 1, 1], [5, None, None, 3])
    >>> round(time_dependent_cox(follow_up).table.loc["switched", "hazard_ratio"].item(), 3)
    2.562
    """
    check_level(level)
    others = {str(name): _column(values, str(name)) for name, values in dict(covariates or {}).items()}
    design = pd.DataFrame({"switched": follow_up.switched.astype(float)} | others)
    flat = [name for name in design.columns if not np.ptp(design[name].to_numpy()) > 0]
    if flat or not follow_up.n_events:
        raise InputError(
            f"found {follow_up.n_events} events, and one value everywhere in {flat}, expected events and differences; "
            "there is nothing to compare"
        )
    frame = design.assign(**{"id ": follow_up.patient, "start ": follow_up.start, "stop ": follow_up.stop})
    frame = frame.assign(**{"event ": follow_up.event, "stratum ": follow_up.stratum})
    strata = ["stratum "] if len(np.unique(follow_up.stratum)) > 1 else None
    fitter = _fitted(frame if strata else frame.drop(columns="stratum "), strata, level)
    fit = fitter.summary.loc[design.columns]
    limits = np.exp(fitter.confidence_intervals_.loc[design.columns].to_numpy()).T
    values = [*(fit[name].to_numpy() for name in ("coef", "se(coef)", "exp(coef)")), *limits, fit["p"].to_numpy()]
    names = ["coef", "std_error", "hazard_ratio", "lower", "upper", "p"]
    index = pd.Index(design.columns, name="covariate")
    table = pd.DataFrame(dict(zip(names, values, strict=True)), index=index)
    method = "Cox with a time-dependent covariate, Wald limits and P values"
    return Hazards(table, follow_up.n, follow_up.n_events, level, "Efron", method, _PRECISION)


def _fitted(frame: pd.DataFrame, strata: list[str] | None, level: float) -> CoxTimeVaryingFitter:
    columns = {"id_col": "id ", "event_col": "event ", "start_col": "start ", "stop_col": "stop "}
    spread = frame.drop(columns=[*columns.values(), *(strata or [])]).std()
    fitter = CoxTimeVaryingFitter(alpha=1 - level, penalizer=0.0)
    # As in ``hazards``: the usual precisions leave the coefficients wrong in the sixth digit.
    options = {"precision": _PRECISION, "r_precision": 0.0, "max_steps": 200}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # they also warn of data that have a maximum; that is asked below
        try:
            fitter.fit(frame, strata=strata, fit_options=options, **columns)
        except (ConvergenceError, np.linalg.LinAlgError) as error:
            raise InputError(_NO_MAXIMUM) from error
    if not (fitter.standard_errors_ * spread < _DIVERGED).all():
        raise InputError(_NO_MAXIMUM)
    return fitter
