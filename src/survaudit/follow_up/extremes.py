"""The greatest log-rank chi-square that complete follow-ups of a panel can have, in favour of either group.

It is that of *completely separated* follow-ups, in which one group has all its events before the other has
any, and only the pattern of ties is left open; where the tables do not let the groups separate, the best
pattern mixes them as little as it must. Nothing lies beyond it:

1. The chi-square is U²/V, where U (events less those expected) and V (its variance) are sums over the days
   of events, and each term depends on the numbers at risk and of events alone. U²/V is convex in (U, V), so
   that it is greatest at a corner of the hull of all sums, and a corner of sums is a sum of corners. So it
   is enough to go from numbers at risk to numbers at risk, and to keep the corners at each: this goes
   through every order of events and censorings, and every pattern of ties.
2. The tables enter by counts: by the day of its i-th exit the early group needs i patients who may have
   failed by then, and the late group has lost everyone who cannot last until then. Every follow-up keeps
   to these counts, so that what they allow at most is an upper bound.
3. The best pattern is then put into the tables' own intervals. Where a follow-up inside them has it, the bound
   is attained; where none was found, ``Extreme.attained`` is false, and the true greatest value may be less.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from survaudit.cohort.assumptions import INFUSION, Assumptions
from survaudit.cohort.endpoints import EVENT_KNOWN, cut_off_range, endpoints
from survaudit.cohort.panels import Panel
from survaudit.errors import InputError
from survaudit.survival.curves import Ints, log_rank

# One event day as (early events, late events), or one patient of a group censored.
Step = tuple[int, int] | str
CENSORED = EARLY_CENSORED, LATE_CENSORED = "early", "late"
# U, V, and the steps that led there.
Sums = tuple[float, float, tuple[Step, ...]]
_ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class Windows:
    """Where the events of one group may lie, in whole days from each patient's own origin.

    Attributes
    ----------
    patient, left, right : array of int, shape (n,)
        The event lies in ``(left, right]``.
    known : array of bool, shape (n,)
        Whether an event is recorded; if not, ``right`` has no say.
    last : array of int, shape (n, k)
        The last day of observation under each of k cut-offs.
    """

    patient: Ints
    left: Ints
    right: Ints
    known: NDArray[np.bool_]
    last: Ints

    @property
    def end(self) -> Ints:
        """Return the latest day of each patient's exit, under any cut-off."""
        return np.where(self.known, np.minimum(self.right, self.last[:, -1]), self.last[:, -1])


@dataclass(frozen=True, eq=False)
class Extreme:
    """The greatest chi-square in favour of one group of a panel.

    Attributes
    ----------
    panel, favours : str
    chi2 : float
        An upper bound; no follow-up that agrees with the tables exceeds it.
    pattern : tuple
        Each day of events as its numbers of events in the other and in the favoured group, and each
        censoring as whose it is, until one group is at an end.
    attained : bool
        Whether ``follow_up`` has this chi-square, so that it is the maximum.
    follow_up : pandas.DataFrame
        ``patient``, ``group``, ``time_days``, ``event``; empty if the pattern was not found within the tables.
    cut_off : pandas.Timestamp, optional
        The last day of observation of ``follow_up``.
    """

    panel: str
    favours: str
    chi2: float
    pattern: tuple[Step, ...]
    attained: bool
    follow_up: pd.DataFrame
    cut_off: pd.Timestamp | None
    kind: str = "COMPATIBLE"


def bound(early: Windows, late: Windows) -> tuple[float, tuple[Step, ...]]:
    """Return what no log-rank chi-square in favour of the late group exceeds, and the pattern that has it.

    Parameters
    ----------
    early, late : Windows
        Of the group with more events than expected, and of the other.

    Returns
    -------
    float and tuple
        The bound, and its pattern as in ``Extreme``; 0 and an empty one if none favours the late group.

    Examples
    --------
    Two patients who may fail on any day from 1 to 9, against two more:

    >>> one = Windows(np.arange(2), np.zeros(2, int), np.full(2, 9), np.array([True, True]), np.full((2, 1), 9))
    >>> chi2, pattern = bound(one, one)
    >>> round(chi2, 6), pattern
    (3.0, ((2, 0),))
    """
    n, m = len(early.left), len(late.left)
    first, end, due = np.sort(np.minimum(early.left + 1, early.last[:, 0])), late.end, late.right[late.known]
    # Where the late group must fail soon after the early one may, few days lie between: count them while it matters.
    near = end[(end >= first[0]) & (end < first[0] + n + m)] - first[0] + 1
    most_days = int(near.max(initial=0))
    kept: defaultdict[tuple[int, int, int, int], list[Sums]] = defaultdict(list)
    best: tuple[float, tuple[Step, ...]] = (0.0, ())
    kept[0, 0, 0, 0] = [(0.0, 0.0, ())]
    for gone, i in ((g, i) for g in range(n + m + 1) for i in range(max(0, g - m), min(n, g) + 1)):
        for key in [key for key in kept if key[:2] == (i, gone - i)]:
            _, j, events, days = key
            sums = _corners(kept.pop(key))
            if i == n or j == m:
                best = max([best, *((u * u / v, steps) for u, v, steps in sums if u > 0)], key=lambda pair: pair[0])
                continue
            for d1, d2 in np.ndindex(n - i + 1, m - j + 1):
                day = max(first[i + d1 - 1], first[0] + days) if d1 else 0
                enough = j >= (end < day).sum() and events >= (due < day).sum() and events + d2 >= (due <= day).sum()
                if d1 + d2 and (not d1 or enough):
                    now = min(most_days, days + bool(d1 or days))
                    to = (i + d1, j + d2, min(events + d2, len(due)), now)
                    kept[to] += [_add(one, n - i, m - j, d1, d2) for one in sums]
            if not early.known.all() and j >= (end < first[i]).sum():
                kept[i + 1, j, events, days] += [(u, v, (*steps, EARLY_CENSORED)) for u, v, steps in sums]
            if not late.known.all():
                kept[i, j + 1, events, days] += [(u, v, (*steps, LATE_CENSORED)) for u, v, steps in sums]
    return best


def _add(one: Sums, a: int, b: int, d1: int, d2: int) -> Sums:
    """Add a day with d1 and d2 events to sums, of a and b patients at risk."""
    n, d = a + b, d1 + d2
    return one[0] + d1 - d * a / n, one[1] + d * a * b * (n - d) / (n * n * (n - 1)), (*one[2], (d1, d2))


def _corners(sums: list[Sums]) -> list[Sums]:
    """Return the corners of the hull towards a great U and a small V."""
    found: list[Sums] = []
    for u, v, steps in sorted(sums, key=lambda one: (one[1], -one[0])):
        if found and u <= found[-1][0]:
            continue
        while len(found) > 1 and (found[-1][0] - found[-2][0]) * (v - found[-2][1]) <= (u - found[-2][0]) * (
            found[-1][1] - found[-2][1]
        ):
            found.pop()
        found.append((u, v, steps))
    return found


def greatest(cohort: pd.DataFrame, panel: Panel, favours: str, assumptions: Assumptions | None = None) -> Extreme:
    """Return the greatest log-rank chi-square in favour of one group of a panel, over all complete follow-ups.

    A follow-up ends on one day for everyone; each patient's event lies inside the interval of the
    endpoint, or, where none is recorded, on any later day or not at all.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    panel : Panel
        One of ``PANELS``.
    favours : str
        One of the panel's groups.
    assumptions : Assumptions, optional
        The book's if not given.

    Returns
    -------
    Extreme

    Raises
    ------
    InputError
        If the panel does not show the group, or assumptions contradict the dates of a patient.

    Examples
    --------
    >>> from survaudit.cohort.panels import PANELS
    >>> from survaudit.cohort.tables import read_supplement
    >>> found = greatest(read_supplement("data/raw").cohort, PANELS["D"], "CART+HSCT")
    >>> round(found.chi2, 4), found.pattern, found.attained
    (20.1031, ((3, 0), (1, 0), (1, 0), (1, 0), (1, 0)), True)
    """
    if favours not in panel.groups:
        raise InputError(f"favours: found {favours!r}, expected {' or '.join(panel.groups)}; name one of them")
    other, days = next(group for group in panel.groups if group != favours), _cut_offs(cohort, assumptions)
    early, late = (windows(cohort, panel.endpoint, group, assumptions) for group in (other, favours))
    chi2, pattern = bound(early, late)
    for place, cut_off in enumerate(days):
        table = _placed(pattern, early, late, place)
        if (
            table is not None
            and abs(log_rank(table["time_days"], table["event"], table["late"]).chi2 - chi2) < _ROUNDING
        ):
            table["group"] = np.where(table.pop("late"), favours, other)
            return Extreme(panel.letter, favours, chi2, pattern, attained=True, follow_up=table, cut_off=cut_off)
    return Extreme(panel.letter, favours, chi2, pattern, attained=False, follow_up=pd.DataFrame(), cut_off=None)


def _cut_offs(cohort: pd.DataFrame, assumptions: Assumptions | None) -> pd.DatetimeIndex:
    return pd.date_range(*cut_off_range(cohort, assumptions))


def windows(cohort: pd.DataFrame, endpoint: str, group: str, assumptions: Assumptions | None = None) -> Windows:
    """Return where the events of a group's patients may lie.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    endpoint : {"OS", "LFS"}
    group : str
    assumptions : Assumptions, optional
        The book's if not given.

    Returns
    -------
    Windows
        Of the patients of the group who have the endpoint.

    Raises
    ------
    InputError
        If assumptions contradict the dates of a patient.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> found = windows(read_supplement("data/raw").cohort, "LFS", "CART2")
    >>> found.left[:3].tolist(), found.right[:3].tolist(), found.last.shape
    ([28, 28, 28], [121, 93, 188], (7, 455))
    """
    chosen = assumptions or Assumptions()
    own = [i for i in endpoints(cohort, chosen)[endpoint].intervals if i.group == group]
    patient, known = np.array([i.patient for i in own]), np.array([i.status == EVENT_KNOWN for i in own])
    column = "infusion_1_date" if chosen.time_origin == INFUSION else "collection_1_date"
    origin = cohort.set_index("patient")[column].loc[patient].to_numpy()
    last = (_cut_offs(cohort, chosen).to_numpy() - origin[:, None]) // np.timedelta64(1, "D")
    right = np.array([i.right.day if i.status == EVENT_KNOWN else 0 for i in own])
    return Windows(patient, np.array([int(i.left.day) for i in own]), right.astype(int), known, last)


def _placed(pattern: tuple[Step, ...], early: Windows, late: Windows, place: int) -> pd.DataFrame | None:
    """Put a pattern on the earliest days, under a cut-off, and what follows on the latest; None if it does not fit."""
    ends = [np.where(g.known, np.minimum(g.right, g.last[:, place]), g.last[:, place]) for g in (early, late)]
    waiting = [np.argsort(early.left, kind="stable").tolist(), np.argsort(ends[1], kind="stable").tolist()]
    groups, day, rows = (early, late), 0, []
    for step in pattern:
        if isinstance(step, str):
            side = CENSORED.index(step)
            one = next((p for p in waiting[side] if not groups[side].known[p]), None)
            if one is None:
                return None
            waiting[side].remove(one)
            rows.append((side, one, ends[side][one], 0))
            continue
        failing = [(side, waiting[side].pop(0)) for side in (0, 1) for _ in range(step[side])]
        day = max(day + 1, *(groups[side].left[one] + 1 for side, one in failing))
        rows += [(side, one, day, 1) for side, one in failing]
    rows += [(side, one, ends[side][one], int(groups[side].known[one])) for side in (0, 1) for one in waiting[side]]
    if any(event and not groups[side].left[one] < day <= ends[side][one] for side, one, day, event in rows):
        return None
    told = [(groups[side].patient[one], day, event, side == 1) for side, one, day, event in rows]
    return pd.DataFrame(told, columns=["patient", "time_days", "event", "late"])
