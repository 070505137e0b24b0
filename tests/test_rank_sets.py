from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from lifelines.statistics import logrank_test

from survaudit.cohort.endpoints import End, Interval
from survaudit.errors import InputError
from survaudit.follow_up.rank_sets import all_rank_sets, attainable


def test_every_set_is_there_once() -> None:
    sets = all_rank_sets(28, 5)
    assert len(sets.chi2) == math.comb(28, 5) == 98_280
    assert len({tuple(row) for row in sets.ranks.tolist()}) == 98_280


def test_chi_square_is_that_of_another_library() -> None:
    sets = all_rank_sets(28, 5)
    times = np.arange(1, 29)
    for place in np.random.default_rng(1).integers(0, 98_280, 25):
        own = np.isin(times, sets.ranks[place])
        test = logrank_test(times[own], times[~own])
        assert sets.chi2[place] == pytest.approx(test.test_statistic, rel=1e-9)


def test_turning_groups_around_turns_the_excess() -> None:
    # The log-rank statistic of a group and of its complement are one, with opposite signs.
    few, many = all_rank_sets(7, 3), all_rank_sets(7, 4)
    other = {
        tuple(row): (chi2, excess)
        for row, chi2, excess in zip(many.ranks.tolist(), many.chi2, many.excess, strict=True)
    }
    for row, chi2, excess in zip(few.ranks.tolist(), few.chi2, few.excess, strict=True):
        rest = tuple(sorted(set(range(1, 8)) - set(row)))
        assert other[rest] == pytest.approx((chi2, -excess))


def test_a_window_takes_its_lower_end_and_not_its_upper() -> None:
    sets = all_rank_sets(4, 2)
    low, high = sorted(set(np.round(sets.chi2, 9)))[:2]
    assert set(np.round(sets.within(low - 1e-6, high - 1e-6).chi2, 9)) == {low}


@pytest.mark.parametrize(("n", "k"), [(5, 0), (5, 5), (60, 30)])
def test_impossible_sizes_are_refused(n: int, k: int) -> None:
    with pytest.raises(InputError, match="expected 1 <= k < n"):
        all_rank_sets(n, k)


def intervals(ends: list[tuple[float, float]]) -> list[Interval]:
    made = []
    for patient, (left, right) in enumerate(ends, start=1):
        first, last = End(left, "table", (), ""), End(right, "table", (), "")
        made.append(Interval(patient, "CART1", "LFS", "event known", first, last, first, last))
    return made


def orders_by_hand(own: list[Interval]) -> list[tuple[int, ...]]:
    """Every order of the patients for which increasing times exist, one inside each interval."""
    found = []
    for order in itertools.permutations(own):
        day = -math.inf
        for interval in order:
            day = max(day, interval.left.day)  # the earliest time not before the last one, ends being orderable
            if day >= interval.right.day:
                break
        else:
            found.append(tuple(interval.patient for interval in order))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_attainable_sets_are_those_of_all_orders_tried(seed: int) -> None:
    rng = np.random.default_rng(seed)
    left = rng.integers(0, 8, 6)
    own = intervals([(float(a), float(a + w)) for a, w in zip(left, rng.integers(1, 6, 6), strict=True)])
    orders = orders_by_hand(own)
    group = [1, 4]
    seen = {tuple(sorted(order.index(patient) + 1 for patient in group)) for order in orders}
    for ranks in itertools.combinations(range(1, 7), 2):
        assert attainable(ranks, group, own) == (ranks in seen), ranks


def test_an_open_end_bounds_nothing() -> None:
    own = intervals([(0, 5), (5, 9), (9, math.inf)])
    assert attainable([3], [3], own)
    assert not attainable([1], [3], own)
    free = [own[0], replace(own[1], left=own[0].left, right=End(math.inf, "table", (), "")), own[2]]
    assert attainable([3], [2], free)


@pytest.mark.parametrize("tied_at", [1, 2, 9, 27])
def test_a_shared_day_counts_as_in_another_library(tied_at: int) -> None:
    sets = all_rank_sets(28, 5, tied_at=tied_at)
    times = np.arange(1, 29)
    times[tied_at] = tied_at
    assert len(sets.chi2) == math.comb(26, 5)
    for place in np.random.default_rng(2).integers(0, len(sets.chi2), 10):
        own = np.isin(np.arange(1, 29), sets.ranks[place])
        assert not own[tied_at - 1 : tied_at + 1].any()
        test = logrank_test(times[own], times[~own])
        assert sets.chi2[place] == pytest.approx(test.test_statistic, rel=1e-9)


def test_other_patients_can_be_given_their_places() -> None:
    own = intervals([(0, 9), (0, 9), (0, 9)])
    assert attainable([1], [1], own, also={2: 2, 3: 3})
    assert not attainable([1], [1], own, also={2: 1})
    late = intervals([(0, 9), (0, 3), (3, 9)])
    assert not attainable([1], [1], late, also={3: 2})
    assert attainable([1], [1], late, also={3: 3})
