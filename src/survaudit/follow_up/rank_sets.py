"""Every order of events that gives a printed chi-square, counted one by one.

Where nobody is censored and no two events fall on one day, the log-rank chi-square of a split depends
on one thing: the places that the smaller group's events take in the order of all events. With five
patients of 28 these are few enough to try them all.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from survaudit.cohort.endpoints import Interval
from survaudit.errors import InputError
from survaudit.survival.curves import Floats, Ints


@dataclass(frozen=True, eq=False)
class RankSets:
    """The places of the smaller group's events, for every way to choose them, and the chi-square of each.

    Attributes
    ----------
    ranks : array of int, shape (sets, k)
        Places from 1 (the first event) to n, ascending within a set.
    chi2 : array of shape (sets,)
    excess : array of shape (sets,)
        Events observed less expected in the smaller group; positive where its events come early.
    n, k : int
        Patients, and those in the smaller group.
    tied_at : int or None
        The first of two places that share one day, both of the larger group; None if no day is shared.
    method : str
    """

    ranks: Ints
    chi2: Floats
    excess: Floats
    n: int
    k: int
    tied_at: int | None = None
    method: str = "log-rank, hypergeometric variance; nobody censored"

    def within(self, low: float, high: float) -> RankSets:
        """Return the sets whose chi-square is at least ``low`` and below ``high``."""
        kept = (self.chi2 >= low) & (self.chi2 < high)
        return replace(self, ranks=self.ranks[kept], chi2=self.chi2[kept], excess=self.excess[kept])

    def to_frame(self) -> pd.DataFrame:
        """Return one row a set: ``ranks`` as text, ``chi2``, ``excess``."""
        shown = [" ".join(map(str, row)) for row in self.ranks]
        return pd.DataFrame({"ranks": shown, "chi2": self.chi2, "excess": self.excess})


def all_rank_sets(n: int, k: int, tied_at: int | None = None) -> RankSets:
    """Return the log-rank chi-square of every way to place k events among n, by counting.

    Parameters
    ----------
    n, k : int
        Patients, and those in the smaller group; at most a million sets are tried.
    tied_at : int, optional
        Let the events at this place and the next fall on one day, and leave them to the larger group.

    Returns
    -------
    RankSets

    Raises
    ------
    InputError
        If k is not between 1 and n - 1, or there are more than a million sets.

    Notes
    -----
    Each set's statistic is the log-rank chi-square (Mantel, 1966; Peto and Peto, 1972).

    Examples
    --------
    >>> sets = all_rank_sets(4, 2)
    >>> sets.ranks[0].tolist(), round(float(sets.chi2[0]), 4), len(sets.chi2)
    ([1, 2], 2.8824, 6)
    """
    if not 1 <= k < n or math.comb(n, k) > 1_000_000:
        raise InputError(f"n, k: found {n} and {k}, expected 1 <= k < n with at most a million ways to choose")
    ranks = np.array(list(itertools.combinations(range(1, n + 1), k)), np.int64)
    if tied_at is not None:
        ranks = ranks[~np.isin(ranks, (tied_at, tied_at + 1)).any(axis=1)]
    own = np.zeros((len(ranks), n))
    np.put_along_axis(own, ranks - 1, 1.0, axis=1)
    # At the event of place r there are n - r + 1 at risk, and those of the group whose places are r or later.
    at_risk = n - np.arange(n, dtype=float)
    share = own[:, ::-1].cumsum(axis=1)[:, ::-1] / at_risk
    died, weight = np.ones(n), np.ones(n)
    if tied_at is not None:
        # Both are at risk until both have gone: two events where there was one, and none at the next place.
        first = tied_at - 1
        died[first : tied_at + 1] = weight[first : tied_at + 1] = 2.0, 0.0
        weight[first] *= (at_risk[first] - 2) / (at_risk[first] - 1)
    excess = k - share @ died
    variance = (share * (1 - share)) @ weight
    return RankSets(ranks, excess**2 / variance, excess, n, k, tied_at)


def attainable(
    ranks: Sequence[int], group: Sequence[int], intervals: Sequence[Interval], also: Mapping[int, int] | None = None
) -> bool:
    """Return whether some patients' events can take some places, given every patient's interval.

    Any of the group's patients may take any of its places. For one way to deal them out, this is a question
    of scheduling: events are jobs of one place each, one that must come before another precedes it, and
    to take the most urgent job first finds a schedule if there is one (Jackson, 1955).

    Parameters
    ----------
    ranks : sequence of int
        Places of the group's events among all, from 1.
    group : sequence of int
        The patients of the group, as many as there are places.
    intervals : sequence of Interval
        Of all patients, of one endpoint. An event in ``(L, R]`` surely precedes one in ``(L', R']`` where
        ``R <= L'``; equal days are taken to be orderable.
    also : mapping of int to int, optional
        Places of other patients, by patient.

    Returns
    -------
    bool

    Examples
    --------
    >>> from survaudit.cohort.endpoints import endpoints
    >>> from survaudit.cohort.tables import read_supplement
    >>> lfs = endpoints(read_supplement("data/raw").cohort)["LFS"].intervals
    >>> attainable([26], [1], lfs), attainable([1], [1], lfs)
    (False, True)
    """
    before = _forced(intervals)
    places = {interval.patient: place for place, interval in enumerate(intervals)}
    others = {places[patient]: place for patient, place in (also or {}).items()}
    # Most ways to deal are ruled out by how many events must come before or after one; that is quick to ask.
    least, most = 1 + before.sum(axis=0), len(intervals) - before.sum(axis=1)
    for dealt in itertools.permutations(places[patient] for patient in group):
        given = dict(zip(dealt, ranks, strict=True))
        possible = all(least[event] <= place <= most[event] for event, place in given.items())
        if possible and _schedulable(others | given, before):
            return True
    return False


def _forced(intervals: Sequence[Interval]) -> np.ndarray:
    """Return which event surely comes before which."""
    left = np.array([float(interval.left.day) for interval in intervals])
    right = np.array([float(interval.right.day) for interval in intervals])
    return right[:, None] <= left[None, :]


def _schedulable(fixed: Mapping[int, int], before: np.ndarray) -> bool:
    """Return whether all events can be put in order with some places fixed."""
    n = len(before)
    first, last = np.ones(n, int), np.full(n, n)
    for event, place in fixed.items():
        first[event] = last[event] = place
    # The order is one of intervals: whoever has more predecessors comes later in it.
    for event in np.argsort(before.sum(axis=0), kind="stable"):
        first[event] = max([first[event], *(first[before[:, event]] + 1)])
    for event in np.argsort(before.sum(axis=1), kind="stable"):
        last[event] = min([last[event], *(last[before[event]] - 1)])
    if (first > last).any():
        return False
    waiting = set(range(n))
    for place in range(1, n + 1):
        ready = [event for event in waiting if first[event] <= place]
        if not ready:
            return False
        chosen = min(ready, key=lambda event: last[event])
        if last[chosen] < place:
            return False
        waiting.remove(chosen)
    return True
