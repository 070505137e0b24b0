"""What the intervals of patients pin down of a group's survival, under any assumptions.

With intervals ``(L, R]``, survival beyond t, ``S(t) = P(T > t)``, lies at every t between
``#{L >= t} / n`` and ``#{R > t} / n``. These are bounds, not estimates: no model of when the events
came narrows them, and a true curve may run anywhere inside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from survaudit.cohort.assumptions import READINGS, Assumptions
from survaudit.cohort.endpoints import EVENT_FREE, EVENT_KNOWN, LFS, OS, UNKNOWN, Endpoints, Interval, endpoints
from survaudit.cohort.schema import GROUPS
from survaudit.errors import InputError

# Days at which tables of bounds are given: the assessment, a quarter, half a year, one and two years.
DAYS = (28, 91, 183, 365, 730)


def bounds(intervals: Sequence[Interval], times: Iterable[float] | None = None) -> pd.DataFrame:
    """Return pointwise bounds on survival beyond each time, for one set of patients.

    Parameters
    ----------
    intervals : sequence of Interval
        One a patient, all of one endpoint.
    times : iterable of float, optional
        Days from 0 on; every whole day at which a bound changes if not given.

    Returns
    -------
    pandas.DataFrame
        ``time_days``, ``n``, ``table_lower``, ``table_upper`` (by the tables alone), ``lower``,
        ``upper`` (with the assumptions; never outside the former).

    Raises
    ------
    InputError
        If there is no interval, two endpoints, a patient twice, or a time that is no day from 0 on.

    Notes
    -----
    At most and at least what a curve can be when each time is known up to an interval. Where within these bounds it is
    most likely is another question, which Turnbull's (1976) estimate answers and this does not ask.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> lfs = endpoints(read_supplement("data/raw").cohort)["LFS"].intervals
    >>> own = [interval for interval in lfs if interval.group == "CART2"]
    >>> bounds(own, times=[28, 183])[["n", "lower", "upper"]].round(3).values.tolist()
    [[7.0, 1.0, 1.0], [7.0, 0.0, 0.571]]
    """
    _check(intervals)
    ends = {
        "table_lower": np.array([float(interval.table_left.day) for interval in intervals]),
        "table_upper": np.array([float(interval.table_right.day) for interval in intervals]),
        "lower": np.array([float(interval.left.day) for interval in intervals]),
        "upper": np.array([float(interval.right.day) for interval in intervals]),
    }
    days = _changes(ends) if times is None else np.asarray(list(times), dtype=float)
    if not (np.isfinite(days) & (days >= 0)).all():
        raise InputError("times: found a missing, infinite or negative day, expected days from 0 on; leave it out")
    shares = {
        name: (values >= days[:, None] if name.endswith("lower") else values > days[:, None]).mean(axis=1)
        for name, values in ends.items()
    }
    return pd.DataFrame({"time_days": days, "n": len(intervals), **shares})


def _check(intervals: Sequence[Interval]) -> None:
    if not intervals:
        raise InputError("intervals: found none, expected one or more; check the selection of patients")
    kinds = {interval.endpoint for interval in intervals}
    if len(kinds) > 1:
        raise InputError(f"intervals: found endpoints {' and '.join(sorted(kinds))}, expected one; keep them apart")
    if len({interval.patient for interval in intervals}) < len(intervals):
        raise InputError("intervals: found a patient twice, expected one interval each; keep one")


def _changes(ends: dict[str, np.ndarray]) -> np.ndarray:
    """Return the whole days at which a bound takes a new value."""
    lowers = np.concatenate([ends["table_lower"], ends["lower"]])
    uppers = np.concatenate([ends["table_upper"], ends["upper"]])
    # A patient counts for the lower bound up to L itself, and for the upper one until before R.
    days = np.concatenate([[0.0], lowers, lowers + 1, uppers])
    return np.unique(days[np.isfinite(days) & (days >= 0)])


def bounds_by_group(
    found: Endpoints, times: Iterable[float] | None = None, groups: Sequence[str] = GROUPS
) -> pd.DataFrame:
    """Return the bounds of each group, with ``endpoint`` and ``group`` before the columns of ``bounds``.

    Parameters
    ----------
    found : Endpoints
        Of one endpoint, as ``endpoints`` returns them.
    times : iterable of float, optional
        Days from 0 on; every whole day at which a bound changes if not given.
    groups : sequence of str
        Groups in the order of the rows.

    Returns
    -------
    pandas.DataFrame
        One row a group and day.

    Raises
    ------
    InputError
        As ``bounds``; a group without any patient is among its errors.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> lfs = endpoints(read_supplement("data/raw").cohort)["LFS"]
    >>> bounds_by_group(lfs, times=[100])[["group", "lower", "upper"]].round(3).to_records(index=False).tolist()
    [('CART1', 0.0, 0.889), ('CART2', 0.0, 0.857), ('CART+HSCT', 0.4, 1.0)]
    """
    days = None if times is None else list(times)
    parts = []
    for group in groups:
        table = bounds([interval for interval in found.intervals if interval.group == group], days)
        table.insert(0, "endpoint", found.endpoint)
        table.insert(1, "group", group)
        parts.append(table)
    return pd.concat(parts, ignore_index=True)


def _summary(found: Endpoints, days: Sequence[float]) -> pd.DataFrame:
    """Return one row a group: patients by status, and the bounds with the assumptions at some days."""
    rows = []
    for group in GROUPS:
        members = [interval for interval in found.intervals if interval.group == group]
        states = [interval.status for interval in members]
        row: dict[str, object] = {"endpoint": found.endpoint, "group": group, "n": len(members)}
        row |= {state: states.count(state) for state in (EVENT_KNOWN, EVENT_FREE, UNKNOWN)}
        for day, low, high in bounds(members, days)[["time_days", "lower", "upper"]].itertuples(index=False):
            row |= {f"lower at {day:g}": low, f"upper at {day:g}": high}
        rows.append(row)
    return pd.DataFrame(rows)


def sensitivity(
    cohort: pd.DataFrame, assumptions: Assumptions | None = None, days: Sequence[float] = DAYS
) -> pd.DataFrame:
    """Vary each assumption about the endpoints in turn, and return what becomes of the bounds.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    assumptions : Assumptions, optional
        From where to start; the book's if not given.
    days : sequence of float
        At which days to give the bounds.

    Returns
    -------
    pandas.DataFrame
        ``assumption`` and ``value`` ("none varied" and "" in the first rows), ``endpoint``,
        ``group``, ``n``, patients by status, and ``lower at d``, ``upper at d`` for each day d;
        ``changed`` tells whether anything in the row differs from the first rows.

    Raises
    ------
    InputError
        If assumptions contradict the dates of a patient, or a day is missing, infinite or negative.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> table = sensitivity(read_supplement("data/raw").cohort, days=[183])
    >>> changed = table[table["changed"] & (table["endpoint"] == "OS")]
    >>> sorted(set(changed["assumption"]))
    ['crs_death_of', 'crs_death_within_days']
    """
    base = assumptions or Assumptions()
    cases = [("none varied", "", base), *base.one_at_a_time()]
    parts = []
    for name, value, chosen in cases:
        for found in endpoints(cohort, chosen).values():
            table = _summary(found, days)
            table.insert(0, "assumption", name)
            table.insert(1, "value", str(value))
            parts.append(table)
    all_rows = pd.concat(parts, ignore_index=True)
    per_case = len(GROUPS) * 2
    measures = all_rows.drop(columns=["assumption", "value"]).to_numpy()
    first = np.tile(measures[:per_case], (len(cases), 1))
    return all_rows.assign(changed=(measures != first).any(axis=1))


def readings(
    cohort: pd.DataFrame, assumptions: Assumptions | None = None, days: Sequence[float] = DAYS
) -> pd.DataFrame:
    """Return what each reading of "CD19+" makes of both endpoints, all other choices being the same.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    assumptions : Assumptions, optional
        The other choices; the book's if not given.
    days : sequence of float
        At which days to give the bounds.

    Returns
    -------
    pandas.DataFrame
        ``reading`` (a, b or c) and ``meaning``, then the columns that ``sensitivity`` has from
        ``endpoint`` to the last bound.

    Raises
    ------
    InputError
        If assumptions contradict the dates of a patient, or a day is missing, infinite or negative.

    Examples
    --------
    Ten relapses are known after transplantation if "CD19+" is one (reading a), and none otherwise.

    >>> from survaudit.cohort.tables import read_supplement
    >>> table = readings(read_supplement("data/raw").cohort, days=[183])
    >>> table.query("endpoint == 'LFS' and group == 'CART+HSCT'")[["reading", "event known"]].values.tolist()
    [['a', 10], ['b', 0], ['c', 0]]
    """
    base = assumptions or Assumptions()
    parts = []
    for letter, meaning in READINGS.items():
        found = endpoints(cohort, replace(base, cd19_reading=meaning))
        for endpoint in (OS, LFS):
            table = _summary(found[endpoint], days)
            table.insert(0, "reading", letter)
            table.insert(1, "meaning", meaning)
            parts.append(table)
    return pd.concat(parts, ignore_index=True)
