"""Joining reconstructed times: against permutations tried one by one, and against the patients of known curves."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from survaudit.cohort.endpoints import EVENT_FREE, EVENT_KNOWN, End, Interval, endpoints
from survaudit.cohort.tables import Supplement
from survaudit.errors import InputError
from survaudit.follow_up.decoding import FollowUp
from survaudit.follow_up.digitised import check_clicks
from survaudit.follow_up.linking import matchings, require_links
from survaudit.follow_up.reconstruct import Reconstruction

Row = tuple[float, int]


def made(rows: list[Row], endpoint: str = "OS", arm: str = "CART2") -> Reconstruction:
    """Return a reconstruction of given times, each known to the day."""
    time, event = (np.array(column) for column in zip(*rows, strict=True))
    time = time.astype(float)
    follow_up = FollowUp(time, event, time, time)
    clicks = check_clicks([0, 9], [1, 1], time_error=0, source="made")
    table = pd.DataFrame({"time_days": [], "printed": [], "reconstructed": []})
    return Reconstruction(
        arm, endpoint, follow_up, (follow_up,), 1, True, 0.0, 0.0, table, None, clicks, "made", "made"
    )


def interval(patient: int, left: float, right: float, endpoint: str = "OS", arm: str = "CART2") -> Interval:
    ends = [End(day, "table", (), "") for day in (left, right)]
    status = EVENT_KNOWN if np.isfinite(right) else EVENT_FREE
    return Interval(patient, arm, endpoint, status, *ends, *ends)


def rows_of(least: int, most: int) -> st.SearchStrategy[list[Row]]:
    return st.lists(st.tuples(st.integers(1, 8).map(float), st.integers(0, 1)), min_size=least, max_size=most)


# ------------------------------------------------------------------ whose times


def ways_by_hand(rows: list[Row], ends: list[tuple[float, float]]) -> set[tuple[Row, ...]]:
    """Try every order of the times over the patients; equal times make equal ways."""

    def fits(row: Row, left: float, right: float) -> bool:
        return left < row[0] <= right if row[1] else row[0] >= left and right == np.inf

    return {order for order in permutations(rows) if all(fits(row, *end) for row, end in zip(order, ends, strict=True))}


ENDS = st.tuples(st.integers(0, 6).map(float), st.sampled_from([np.inf, np.inf, 7.0, 9.0]))


@given(
    rows_of(1, 6).flatmap(lambda rows: st.tuples(st.just(rows), st.lists(ENDS, min_size=len(rows), max_size=len(rows))))
)
def test_ways_are_counted_as_by_trying_every_one(drawn: tuple[list[Row], list[tuple[float, float]]]) -> None:
    rows, ends = drawn
    found = matchings(made(rows), [interval(k, *end) for k, end in enumerate(ends, start=1)])
    ways = ways_by_hand(rows, ends)
    assert found.count == len(ways)
    if not ways:
        with pytest.raises(InputError, match="no feasible matching"):
            found.draw(np.random.default_rng(1))
        return
    way = found.draw(np.random.default_rng(1))
    assert tuple(zip(way["time_days"], way["event"], strict=True)) in ways
    np.testing.assert_allclose(found.to_frame().sum(axis=0), 1)
    np.testing.assert_allclose(found.to_frame().sum(axis=1), 1)


def test_every_way_is_drawn_equally_often() -> None:
    rows, ends = [(3.0, 1), (5.0, 1), (8.0, 0), (8.0, 0)], [(0.0, np.inf), (2.0, np.inf), (4.0, np.inf), (6.0, np.inf)]
    found = matchings(made(rows), [interval(k, *end) for k, end in enumerate(ends)])
    ways = sorted(ways_by_hand(rows, ends))
    rng, seen = np.random.default_rng(6), dict.fromkeys(ways, 0)
    for _ in range(1200):
        way = found.draw(rng)
        seen[tuple(zip(way["time_days"], way["event"], strict=True))] += 1
    assert found.count == len(ways) > 2
    assert stats.chisquare(list(seen.values())).pvalue > 0.001
    # The share of ways in which a time is a patient's is that of the ways tried by hand.
    own = np.mean([way[0][0] == 3.0 for way in ways])
    assert found.to_frame().iloc[0, 0] == pytest.approx(own)


def test_without_bounds_every_order_is_possible() -> None:
    rows = [(float(day), 1) for day in range(10, 21)]
    found = matchings(made(rows), [interval(k, 0, np.inf) for k in range(11)])
    assert found.count == factorial(11)


def test_the_tables_leave_many_ways_open(supplement: Supplement) -> None:
    """An invented curve that CART2 could have had: its times fit the patients in several ways."""
    intervals = [own for own in endpoints(supplement.cohort)["OS"].intervals if own.group == "CART2"]
    latest = max(own.left.day for own in intervals)
    rows = [(float(latest + 10 * k), k % 2) for k in range(1, len(intervals) + 1)]
    assert matchings(made(rows), intervals).count == factorial(len(intervals))


def test_times_and_patients_must_be_of_one_arm_and_endpoint() -> None:
    with pytest.raises(InputError) as error:
        matchings(made([(5, 1)]), [interval(1, 0, 9, "LFS"), interval(2, 0, 9, "LFS")])
    for word in ("found CART2 LFS, expected CART2 OS", "found 2 for 1 times"):
        assert word in str(error.value)
    with pytest.raises(InputError, match="at most 12"):
        matchings(made([(5, 1)] * 13), [interval(k, 0, 9) for k in range(13)])


def test_no_cut_point_from_times_that_belong_to_nobody() -> None:
    rows = [(5.0, 1), (9.0, 0)]
    found = matchings(made(rows), [interval(1, 0, np.inf), interval(2, 0, np.inf)])
    for unlinked in (made(rows), made(rows).to_frame(), found.draw(np.random.default_rng(1))):
        with pytest.raises(InputError, match="MRD cut-point: found times without patients"):
            require_links(unlinked)
    with pytest.raises(InputError, match="named twice"):
        require_links(pd.DataFrame({"patient": [1, 1]}))
    require_links(pd.DataFrame({"patient": [1, 2], "time_days": [5, 9], "event": [1, 0]}))
