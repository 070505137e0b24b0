"""A cohort checked and ranked: all that a rank statistic over cut-points needs, and nothing of the times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from survaudit.cutpoint._kernels import FloatArray, IntArray, risk_tables
from survaudit.errors import InputError

# Two times this close differ by the rounding of a computer, not by anything that was observed: nine
# digits of the later time, or a tenth of a microsecond when both are next to nothing.
RELATIVE_NOISE = 1e-9
ABSOLUTE_NOISE_DAYS = 1e-12


@dataclass(frozen=True, eq=False)
class RankedCohort:
    """A cohort in the order of its covariate, its times reduced to ranks.

    Attributes
    ----------
    x : (n,) array
        The covariate, increasing.
    event : (n,) array of int
        1 for an event, 0 for censoring, in the order of `x`.
    level : (n,) array of int
        Number of distinct event times up to and including the patient's own time.
    scores : (n,) array
        Log-rank scores with max-rank ties (Hothorn and Lausen 2003).
    table : (levels + 1, 3) array
        By level, the running sums that the kernels read: W, hazard, and the edges to all patients.
    order : (n,) array of int
        Row of the input that stands at each place.
    merged_times : int
        How many distinct times were merged with an earlier one as rounding noise.
    """

    x: FloatArray
    event: IntArray
    level: IntArray
    scores: FloatArray
    table: FloatArray
    order: IntArray
    merged_times: int

    @property
    def n(self) -> int:
        """Number of patients."""
        return int(self.x.size)

    @property
    def events(self) -> int:
        """Number of events."""
        return int(self.event.sum())

    def for_kernels(self) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        """Return what the compiled loops over permutations read."""
        return self.level, self.event, self.scores, self.table

    def candidates(self, min_group: int = 1) -> IntArray:
        """Sizes of the low group at every candidate cut: each distinct value but the largest."""
        sizes = np.flatnonzero(np.diff(self.x) > 0).astype(np.int64) + 1
        return sizes if min_group == 1 else sizes[(sizes >= min_group) & (self.n - sizes >= min_group)]


def rank_cohort(x: ArrayLike, time_days: ArrayLike, event: ArrayLike) -> RankedCohort:
    """Check a cohort and rank it.

    Parameters
    ----------
    x : (n,) array_like
        The covariate, finite, with at least two distinct values.
    time_days : (n,) array_like
        Follow-up, finite and not negative, in days.
    event : (n,) array_like
        1 (or True) for an event, 0 (or False) for censoring, at least one event.

    Returns
    -------
    RankedCohort
        Copies; the input stays as it was.

    Raises
    ------
    InputError
        With every problem of the three columns at once.
    """
    columns = [_column("x", x), _column("time_days", time_days), _column("event", event)]
    _check_cohort(*columns)
    values, times, events = columns
    by_time, starts, merged = _time_groups(times)
    by_x = np.argsort(values)
    rank_in_time = np.empty(values.size, np.int64)
    rank_in_time[by_time] = np.arange(values.size)
    codes, place = events.astype(np.int64), rank_in_time[by_x]
    level, table, scores = risk_tables(codes[by_time], starts)
    return RankedCohort(values[by_x], codes[by_x], level[place], scores[place], table, by_x, merged)


def count_argument(name: str, value: int, *, least: int) -> int:
    """Return a count given by the caller, or refuse what is not a whole number of at least `least`."""
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least:
        raise InputError(f"{name}: found {value!r}, expected a whole number of at least {least}")
    return int(value)


def _column(name: str, values: ArrayLike) -> FloatArray:
    """Return a new one-dimensional array of floats; dates, durations with a unit and text are not numbers."""
    try:
        given = np.asarray(values)
        if given.dtype.kind not in "biufO" or any(isinstance(value, str) for value in given.flat[:1]):
            raise TypeError(f"type {given.dtype}")
        column = np.array(given, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"{name}: found something that is not a number ({error}); give numbers, and drop or impute "
            "missing values first"
        ) from error
    if column.ndim != 1:
        raise InputError(f"{name}: found {column.ndim} dimensions, expected one value per patient")
    return column


def _check_cohort(x: FloatArray, time_days: FloatArray, event: FloatArray) -> None:
    """Refuse a cohort that no cut-point can be sought in, with all reasons at once."""
    if not x.size == time_days.size == event.size:
        raise InputError(
            f"unequal lengths: x has {x.size}, time_days {time_days.size}, event {event.size}; "
            "give one value of each per patient"
        )
    if x.size < 2:
        raise InputError(f"found {x.size} patient(s), expected at least two to put on two sides of a cut")
    days = "a finite number of days, 0 or more; drop patients without follow-up first"
    codes = "0 (censored) or 1 (event); recode it, and check that it is not the column of durations"
    problems = [
        _first("x", x, np.isfinite(x), "a finite number; drop or impute missing values first"),
        _first("time_days", time_days, np.isfinite(time_days) & (time_days >= 0), days),
        _first("event", event, np.isin(event, (0.0, 1.0)), codes),
    ]
    if not any(problems):
        if x.min() == x.max():
            problems.append(f"x: all {x.size} values are {x[0]:g}, so there is nothing to cut")
        if not event.any():
            problems.append("event: no events among the patients, so no group can differ from another")
    if any(problems):
        raise InputError("; ".join(filter(None, problems)))


def _first(name: str, column: FloatArray, good: NDArray[np.bool_], expected: str) -> str:
    """Describe the first bad value of a column and count them, or return an empty string."""
    if good.all():
        return ""
    bad = np.flatnonzero(~good)
    return f"{name}: {bad.size} bad value(s), first {column[bad[0]]:g} at row {bad[0]}; expected {expected}"


def _time_groups(time_days: FloatArray) -> tuple[IntArray, IntArray, int]:
    """Sort the times; return the order, where each distinct time begins, and how many were merged."""
    order = np.argsort(time_days)
    ordered = time_days[order]
    gap = np.diff(ordered)
    apart = gap > np.maximum(RELATIVE_NOISE * ordered[1:], ABSOLUTE_NOISE_DAYS)
    starts = np.concatenate(([0], np.flatnonzero(apart) + 1)).astype(np.int64)
    return order, starts, int(np.count_nonzero(gap)) - (starts.size - 1)
