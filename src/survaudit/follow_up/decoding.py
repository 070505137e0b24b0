"""From the levels of a digitised curve to the times of its patients, in small arms and in larger ones.

In a small arm every drop is a fraction d/r with whole numbers, so that the levels tell how many were at
risk: the steps are decoded by search. In a larger arm Guyot's algorithm (2012) turns printed numbers at
risk into censorings, and without them follows a stated convention.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from survaudit.errors import InputError
from survaudit.follow_up.digitised import Clicks, Drop, drops, monotone
from survaudit.survival.curves import Floats, Ints

# Time, event, and the days between which it lies.
Row = tuple[float, int, float, float]

DECODED = "integer steps decoded by search"
WITH_NUMBERS = "Guyot 2012, with numbers at risk"
WITHOUT_NUMBERS = "Guyot 2012, without numbers at risk: censoring as from uniform accrual"
EVENLY = "censorings spread evenly over the days on which they may have come: a convention, not data"

# A level further off than this many click errors is not of the same curve.
_WITHIN = 3.0
# How much a second death at the same drop must improve the fit, in squared click errors, to be believed.
_TIED_DEATH = 4.0
_EXACT = 1e-9
_MOST_STATES, _MOST_ALTERNATIVES = 2000, 200
# From when on patients are censored, as shares of the length of the curve, where nothing is printed.
_ACCRUALS, _MIDDLE = np.linspace(0, 1, 41), 0.5


@dataclass(frozen=True, eq=False)
class ArmTimes:
    """Reconstructed times of one arm, with the days between which each must lie.

    Attributes
    ----------
    time_days, earliest, latest : array of shape (n,)
        A death's days differ by the error of the clicks, a censoring's by its convention.
    event : array of int, shape (n,)
    """

    time_days: Floats
    event: Ints
    earliest: Floats
    latest: Floats

    @property
    def n_events(self) -> int:
        """Return the number of deaths, or of what else the curve counts."""
        return int(self.event.sum())


def _in_order(rows: list[Row]) -> ArmTimes:
    """Return rows of time, event, earliest and latest day, in the order of time, deaths first."""
    ordered = sorted(rows, key=lambda row: (row[0], -row[1]))
    time, event, earliest, latest = (np.array(column) for column in zip(*ordered, strict=True))
    return ArmTimes(time, event.astype(np.int64), earliest, latest)


# ---------------------------------------------------------------- small arms


@dataclass(frozen=True)
class _Steps:
    """Numbers at risk just before each drop, and deaths at it."""

    at_risk: tuple[int, ...]
    deaths: tuple[int, ...]
    survival: float
    misfit: float

    def left(self, n: int) -> int:
        return self.at_risk[-1] - self.deaths[-1] if self.deaths else n


def decode_steps(
    clicks: Clicks, n: int, printed: Mapping[float, int], events: int | None
) -> tuple[list[ArmTimes], int, bool]:
    """Return the decodings of a small arm, best first, their number, and whether none was left out.

    Every drop of a Kaplan-Meier curve (Kaplan and Meier, 1958) is a share d/r of its height: d events among r at risk,
    both whole numbers. All r and d are sought whose product of 1 - d/r stays within three click errors of each level.

    Parameters
    ----------
    clicks : Clicks
        Survival as a share, times in days.
    n : int
        Patients of the arm.
    printed : mapping of float to int
        Numbers at risk just before some days, in the order of the days; empty if none are printed.
    events : int or None
        The printed number of events, which decodings must have.

    Returns
    -------
    tuple of list of ArmTimes, int and bool
        Times in days of at most 200 decodings; how many there are; whether the search kept all that it met. Censorings
        are spread evenly over the days on which they may have come.

    Raises
    ------
    InputError
        If a level is no product of whole numbers that agrees with what is printed, or no decoding has ``events``
        events.

    Examples
    --------
    The drop to 0.8 is one of five. The next halves the curve: one of two at risk, or two of four.

    >>> from survaudit.follow_up.digitised import check_clicks
    >>> clicks = check_clicks([0, 9, 9, 21, 21, 30], [1, 1, 0.8, 0.8, 0.4, 0.4], time_error=0, survival_error=0.001)
    >>> found, number, complete = decode_steps(clicks, 5, printed={}, events=None)
    >>> [one.n_events for one in found], number, complete
    ([2, 3], 2, True)
    >>> decode_steps(clicks, 5, printed={21.0: 4}, events=None)[0][0].time_days.tolist()
    [9.0, 21.0, 21.0, 25.5, 30.0]
    """
    found, end = drops(clicks, n)
    paths, complete = [_Steps((), (), 1.0, 0.0)], True
    for drop in found:
        grown = [
            step
            for path in paths
            for step in _grow(path, drop.height, n, clicks.survival_error)
            if _agrees(step, drop, printed)
        ]
        paths = sorted(grown, key=lambda step: step.misfit)[:_MOST_STATES]
        complete = complete and len(grown) <= _MOST_STATES
        if not paths:
            raise InputError(
                f"{clicks.source}: found a level of {drop.height:.3f} from day {drop.day:.0f} on that no whole numbers "
                f"of {n} patients give with the printed numbers at risk, expected one within {_WITHIN:g} click errors; "
                "check n, the numbers at risk and the clicks, or state a larger click error"
            )
    if events is not None and not any(sum(path.deaths) == events for path in paths):
        counts = sorted({sum(path.deaths) for path in paths})
        raise InputError(
            f"{clicks.source}: found decodings with {', '.join(map(str, counts))} events, expected the printed "
            f"{events}; check the printed number and the clicks"
        )
    kept = [path for path in paths if events is None or sum(path.deaths) == events]
    place = [_place(path, found, end, printed, n) for path in kept[:_MOST_ALTERNATIVES]]
    return place, len(kept), complete


def _agrees(step: _Steps, drop: Drop, printed: Mapping[float, int]) -> bool:
    """Return whether numbers at risk before and after a drop can go with the printed ones.

    Where the drop may have come before the printed day or after it, one of the two must do.
    """
    before, after = step.at_risk[-1], step.at_risk[-1] - step.deaths[-1]
    return all(
        before == count
        if drop.earliest == drop.latest == day
        else (drop.latest >= day and before <= count) or (drop.earliest <= day and after >= count)
        for day, count in printed.items()
    )


def _grow(path: _Steps, height: float, n: int, error: float) -> list[_Steps]:
    """Return the path continued by every drop d/r that comes within the error of a level."""
    within, scale = max(_WITHIN * error, _EXACT), max(error, _EXACT)
    grown = []
    for at_risk in range(1, path.left(n) + 1):
        least = np.ceil(at_risk * (1 - (height + within) / path.survival) - _EXACT)
        most = np.floor(at_risk * (1 - (height - within) / path.survival) + _EXACT)
        for deaths in range(max(1, int(least)), min(at_risk, int(most)) + 1):
            survival = path.survival * (at_risk - deaths) / at_risk
            misfit = path.misfit + ((survival - height) / scale) ** 2 + _TIED_DEATH * (deaths - 1)
            grown.append(_Steps((*path.at_risk, at_risk), (*path.deaths, deaths), survival, misfit))
    return [step for step in grown if step.survival > 0 or height <= within]


def _place(path: _Steps, found: list[Drop], end: float, printed: Mapping[float, int], n: int) -> ArmTimes:
    """Return the times of a decoding: deaths at its drops, censorings evenly where they may have come."""
    rows: list[Row] = []
    left, start = n, 0.0
    for drop, at_risk, deaths in zip(found, path.at_risk, path.deaths, strict=True):
        rows += _censored(left, at_risk, start, drop.day, printed)
        rows += [(drop.day, 1, drop.earliest, drop.latest)] * deaths
        left, start = at_risk - deaths, drop.day
    if left:
        # The curve is drawn up to the last patient, or to as many as are printed on its last day.
        last = min(left, max([1, *(count for day, count in printed.items() if day >= end)]))
        rows += _censored(left, last, start, end, printed)
        rows += [(end, 0, end, end)] * last
    return _in_order(rows)


def _censored(left: int, at_risk: int, start: float, stop: float, printed: Mapping[float, int]) -> list[Row]:
    """Return censorings that bring ``left`` down to ``at_risk`` between two days, by way of printed numbers."""
    marks = [(day, count) for day, count in printed.items() if start < day < stop and at_risk <= count <= left]
    rows = []
    for day, count in [*marks, (stop, at_risk)]:
        times = np.linspace(start, day, left - count + 2)[1:-1]
        rows += [(float(time), 0, start, day) for time in times]
        left, start = count, day
    return rows


# ---------------------------------------------------------------- larger arms


def guyot(clicks: Clicks, n: int, printed: Mapping[float, int], events: int | None) -> tuple[str, str, list[ArmTimes]]:
    """Return method, convention of censoring, and times of a larger arm; with nothing printed, two extremes too.

    The algorithm is that of Guyot, Ades, Ouwens and Welton (2012): the clicks are made to fall, and along them the
    whole number of deaths that brings the curve nearest to each is counted. Between two printed numbers at risk as
    many are censored as meet the second. Without any, nobody is censored before some day and then everyone evenly,
    as if patients had entered evenly over time; that day is half the length of the curve, or what ``events`` asks for.

    Parameters
    ----------
    clicks : Clicks
        Survival as a share, times in days.
    n : int
        Patients of the arm.
    printed : mapping of float to int
        Numbers at risk just before some days, in the order of the days; empty if none are printed.
    events : int or None
        The printed number of events, which is met as nearly as can be.

    Returns
    -------
    tuple of str, str and list of ArmTimes
        Method and convention in words, and times in days: one follow-up, or, with neither numbers at risk nor events,
        three. Of these the second has censoring from the first day, and the third only on the last.

    Examples
    --------
    >>> from survaudit.follow_up.digitised import check_clicks
    >>> clicks = check_clicks([0, 10, 10, 20, 20, 30], [1, 1, 0.9, 0.9, 0.45, 0.45], time_error=0)
    >>> method, _, (found,) = guyot(clicks, 40, printed={0.0: 40, 15.0: 30}, events=None)
    >>> method, found.n_events, len(found.event)
    ('Guyot 2012, with numbers at risk', 18, 40)
    >>> [one.n_events for one in guyot(clicks, 40, printed={}, events=None)[2]]
    [16, 9, 22]
    """
    time, survival = monotone(clicks)
    if any(0 < day < time[-1] and count for day, count in printed.items()):
        return WITH_NUMBERS, EVENLY, [_by_numbers_at_risk(time, survival, n, printed, events)]
    accruals = [_MIDDLE, 0.0, 1.0]
    if events is not None:
        counts = np.array([_by_accrual(time, survival, n, accrual).n_events for accrual in _ACCRUALS])
        accruals = [float(_ACCRUALS[np.argmin(np.abs(counts - events))])]
    convention = f"none censored in the first {accruals[0]:.0%} of the curve, then evenly to its end, not data"
    return WITHOUT_NUMBERS, convention, [_by_accrual(time, survival, n, accrual) for accrual in accruals]


class _Walk:
    """A walk along a curve that counts deaths and censorings, as Guyot's algorithm does."""

    def __init__(self, n: int) -> None:
        self.left, self.level = n, 1.0
        self.rows: list[Row] = []
        # A curve of n patients is 0 or at least 1/n.
        self.least = 0.5 / n

    @property
    def deaths(self) -> int:
        return sum(event for _, event, _, _ in self.rows)

    def censor(self, times: Floats, earliest: float, latest: float, stay: int = 0) -> None:
        """Let patients leave, as many as there are besides those who stay."""
        times = times[: max(self.left - stay, 0)]
        self.rows += [(float(time), 0, earliest, latest) for time in times]
        self.left -= len(times)

    def die(self, day: float, before: float, survival: float) -> None:
        """Count the whole number of deaths that brings the curve nearest to a height."""
        deaths = round(self.left * (1 - survival / self.level)) if self.left else 0
        if survival > self.least:
            deaths = min(deaths, self.left - 1)
        if deaths > 0:
            self.rows += [(day, 1, before, day)] * deaths
            self.level *= 1 - deaths / self.left
            self.left -= deaths

    def stretch(
        self, time: Floats, survival: Floats, start: float, stop: float, censored: int, *, stay: int = 0
    ) -> _Walk:
        """Return a walk that goes on to a day, with so many censorings spread evenly on the way."""
        new, before = copy(self), start
        new.rows = list(self.rows)
        leaving = np.linspace(start, stop, censored + 2)[1:-1]
        for day, height in zip(time, survival, strict=True):
            new.censor(leaving[(leaving >= before) & (leaving < day)], start, stop, stay)
            new.die(float(day), before, float(height))
            before = float(day)
        new.censor(leaving[leaving >= before], start, stop, stay)
        return new


def _by_numbers_at_risk(
    time: Floats, survival: Floats, n: int, printed: Mapping[float, int], events: int | None
) -> ArmTimes:
    """Choose the censorings between two printed days so that the second number is met, as Guyot and others."""
    walk, end = _Walk(n), float(time[-1])
    starts = sorted({0.0, *(day for day in printed if day < end)})
    for start, stop in pairwise(starts):
        within = (time >= start) & (time < stop)
        choices = [
            walk.stretch(time[within], survival[within], start, stop, censored)
            for censored in range(walk.left - min(printed[stop], walk.left) + 1)
        ]
        walk = min(choices, key=lambda choice: abs(choice.left - printed[stop]))
    within = time >= starts[-1]
    # One patient is followed to the end of the curve.
    most = max(walk.left - 1, 0)
    rate = (len(walk.rows) - walk.deaths) / starts[-1]
    usual = round(rate * (end - starts[-1]))
    last = [
        walk.stretch(time[within], survival[within], starts[-1], end, censored, stay=1)
        for censored in ([min(usual, most)] if events is None else range(most + 1))
    ]
    walk = min(last, key=lambda choice: abs(choice.deaths - (events or 0)))
    walk.censor(np.full(walk.left, end), starts[-1], end)
    return _in_order(walk.rows)


def _by_accrual(time: Floats, survival: Floats, n: int, accrual: float) -> ArmTimes:
    """Let nobody be censored before a share of the curve's length, then evenly, so that nobody is left at its end."""
    walk, end = _Walk(n), float(time[-1])
    followed = np.clip((end - time) / (end * (1 - accrual)), 0, 1) if accrual < 1 else (time < end).astype(float)
    owed = 0.0
    for k in range(1, len(time)):
        start, day = float(time[k - 1]), float(time[k])
        if day < end:
            owed += walk.left * (1 - followed[k] / followed[k - 1])
            leaving, owed = int(owed), owed - int(owed)
            walk.censor(np.linspace(start, day, leaving + 2)[1:-1], 0.0, end, stay=1)
        walk.die(day, start, float(survival[k]))
    # Those who are left at the last click are followed to the end of the curve.
    walk.censor(np.full(walk.left, end), 0.0, end)
    return _in_order(walk.rows)
