"""A search for the pattern of events and ties that makes a chi-square look most surprising."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import nan
from typing import Any

import numpy as np

from survaudit.cutpoint._kernels import FloatArray, IntArray, compiled, null_maxima, risk_tables
from survaudit.cutpoint._ranked import count_argument
from survaudit.cutpoint._replicates import in_blocks, permutations
from survaudit.cutpoint.nulls import _USUAL, NullShare, _reached, _shares, least_groups
from survaudit.cutpoint.scan import CutRules
from survaudit.errors import InputError


@dataclass(frozen=True)
class WorstCase:
    """The pattern of events, among those searched, that makes a chi-square look most surprising.

    Attributes
    ----------
    event : tuple of int
        Events and censorings in the order of time.
    time_rank : tuple of int
        Equal numbers are tied times.
    share : NullShare
        Estimated with cohorts of its own, since the search picks patterns that were lucky in it.
    patterns : int
        How many patterns were tried; a search proves no minimum.
    """

    event: tuple[int, ...]
    time_rank: tuple[int, ...]
    share: NullShare
    patterns: int


def worst_case(
    chi2: float,
    *,
    events: int,
    rng: np.random.Generator,
    n: int = 28,
    n_high: int | None = None,
    rounding: float = 0.005,
    ties: bool = True,
    starts: int = 6,
    steps: int = 150,
    **settings: Any,
) -> WorstCase:
    """Search for the pattern of events and ties under which a chi-square is most surprising.

    Parameters
    ----------
    chi2, rng, n
        As in `null_table`.
    events : int
        Number of events, which the search keeps.
    n_high : int, optional
        Patients on one side of a published cut: only patterns are admitted under which some group of that
        size has the chi-square.  Without it the search may end where no cut can reach it, with a share of 0.
    rounding : float
        Half a unit of the last digit of `chi2` as printed.
    ties : bool
        Whether tied times may be tried.
    starts, steps : int
        Random beginnings, and changes tried from each: an event and a censoring exchanged, or a tie made or
        broken.
    **settings
        Fields of `survaudit.cutpoint.scan.CutRules`; `replicates` (usually 20,000) are of the final estimate.

    Returns
    -------
    WorstCase
        The best pattern found; a search is no proof that there is none below it.

    Raises
    ------
    InputError
        If a number is out of its range.

    Examples
    --------
    >>> worst = worst_case(5.59, events=4, rng=np.random.default_rng(1), starts=1, steps=5, replicates=500)
    >>> sum(worst.event), worst.patterns
    (4, 6)
    """
    rules = CutRules(**{"replicates": _USUAL, **settings})
    group = least_groups(n, (rules.min_group,))
    if not 1 <= count_argument("events", events, least=1) <= n:
        raise InputError(f"events: found {events}, expected at most n={n}")
    count_argument("starts", starts, least=1)
    split = None if n_high is None else (n_high, (chi2 - rounding, chi2 + rounding))
    work = partial(_search, chi2, np.repeat([1, 0], [events, n - events]), group, split, ties)
    work = partial(work, count_argument("steps", steps, least=0))
    found = in_blocks(work, starts, rng, block=1, n_jobs=rules.n_jobs)
    share, event, new_time = min(found, key=lambda result: result[0])
    if share > 1:
        raise InputError(
            f"n_high={n_high}: no pattern with {events} events was found under which {n_high} of {n} "
            f"patients have a chi-square of {chi2}; allow more steps or starts"
        )
    pattern = event, np.flatnonzero(new_time)
    settings = {"replicates": rules.replicates, "n_jobs": rules.n_jobs}
    (row,) = _shares(chi2, nan, pattern, (rules.min_group,), rng, settings)
    time_rank = np.cumsum(new_time) - 1
    return WorstCase(tuple(event.tolist()), tuple(time_rank.tolist()), row, starts * (steps + 1))


def _search(  # noqa: PLR0917 - all but the last two are bound before the blocks are dealt
    chi2: float,
    event: IntArray,
    group: IntArray,
    split: tuple[int, tuple[float, float]] | None,
    ties: bool,
    steps: int,
    _count: int,
    rng: np.random.Generator,
) -> tuple[float, IntArray, IntArray]:
    """Descend from one random pattern; return the share seen, the events, and where times begin anew.

    A pattern that is not admitted has a share of 2, so that the walk goes on from it.
    """
    # The same orders for every pattern: differences between patterns are then not noise.
    n = event.size
    orders = next(permutations(2000, n, rng))

    def share(event: IntArray, new_time: IntArray) -> float:
        starts = np.flatnonzero(new_time)
        if split:
            level, table, _ = risk_tables(event, starts)
            if not split_attains(level, event, table, *split):
                return 2.0
        return float(_reached(null_maxima(orders, event[None, :], starts, group), chi2)[0])

    event, new_time = rng.permutation(event), np.ones(n, np.int64)
    lowest = share(event, new_time)
    for _ in range(steps):
        tried, tried_time = event.copy(), new_time.copy()
        if ties and rng.random() < 0.5:
            tried_time[rng.integers(1, n)] ^= 1
        else:
            swap = rng.choice(np.flatnonzero(event)), rng.choice(np.append(np.flatnonzero(event == 0), 0))
            tried[list(swap)] = tried[list(swap[::-1])]
        now = share(tried, tried_time)
        if now <= lowest:
            event, new_time, lowest = tried, tried_time, now
    return lowest, event, new_time


@compiled
def split_attains(level: IntArray, event: IntArray, table: FloatArray, size: int, bounds: tuple[float, float]) -> bool:
    """Return whether some group of `size` patients has a log-rank chi-square within the bounds.

    All groups are tried, so `size` should be small; patients are in the order of time.
    """
    n = level.size
    chosen = np.arange(size)
    while True:
        excess, variance = 0.0, 0.0
        for i in range(size):
            own = chosen[i]
            excess += event[own] - table[level[own], 1]
            # In the order of time the earlier of two patients has the smaller W.
            inside = table[level[own], 0] * (2.0 * (size - 1 - i) + 1.0)
            variance += table[level[own], 2] - inside
        if variance > 0.0 and bounds[0] <= excess * excess / variance <= bounds[1]:
            return True
        place = size - 1
        while place >= 0 and chosen[place] == n - size + place:
            place -= 1
        if place < 0:
            return False
        chosen[place] += 1
        for i in range(place + 1, size):
            chosen[i] = chosen[i - 1] + 1
