"""Joining reconstructed times: against permutations tried one by one, and against the patients of known curves."""

from __future__ import annotations

from itertools import permutations
from math import factorial

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from survaudit.cohort.endpoints import EVENT_FREE, EVENT_KNOWN, End, Interval, endpoints
from survaudit.cohort.tables import Supplement
from survaudit.errors import InputError
from survaudit.follow_up.decoding import FollowUp
from survaudit.follow_up.digitised import check_clicks, click
from survaudit.follow_up.linking import agree, compare_printed, match_endpoints, matchings, require_links
from survaudit.follow_up.reconstruct import Reconstruction, reconstruct
from survaudit.survival.curves import kaplan_meier, log_rank
from survaudit.survival.hazards import firth_cox

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


# ------------------------------------------------------------------ the printed test


def drawn(arm: str, seed: int, mean: float, n: int = 9) -> tuple[np.ndarray, np.ndarray, Reconstruction]:
    """Return patients without censoring before the last death, and their reconstruction from clean clicks."""
    time = np.sort(np.ceil(np.random.default_rng(seed).exponential(mean, n))) + np.arange(n)
    event = (np.arange(n) < n - 2).astype(int)
    time[event == 0] = time.max()
    clicks = click(kaplan_meier(time, event), rng=np.random.default_rng(seed), time_error=0, survival_error=0)
    return time, event, reconstruct(clicks, n, arm=arm, endpoint="OS")


def test_the_test_of_reconstructed_arms_is_that_of_their_patients() -> None:
    one, other = drawn("CART1", 1, 300), drawn("CART2", 2, 900)
    time, event = np.append(one[0], other[0]), np.append(one[1], other[1])
    group = np.repeat([0, 1], 9)
    found = compare_printed(one[2], other[2], p=0.04, hazard_ratio=0.5)
    assert found.p == pytest.approx(log_rank(time, event, group).p, rel=1e-9)
    ratio = firth_cox(time, event, {"x": group}).table.loc["x", "hazard_ratio"]
    assert found.hazard_ratio == pytest.approx(ratio, rel=1e-6)
    assert found.p_low <= found.p <= found.p_high
    assert (found.n, found.n_events) == (18, 14)
    frame = found.to_frame().set_index("statistic")
    assert frame.loc["log-rank P", "difference"] == pytest.approx(found.p - 0.04)
    assert frame.loc["hazard ratio", "difference"] == pytest.approx(found.hazard_ratio - 0.5)
    assert compare_printed(one[2], other[2]).to_frame()["printed"].isna().all()


def test_p_has_a_range_where_steps_can_be_decoded_in_several_ways() -> None:
    clicks = check_clicks([0, 9, 9, 21, 21, 30], [1, 1, 0.8, 0.8, 0.4, 0.4], time_error=0, survival_error=0.001)
    one, other = reconstruct(clicks, 5, arm="CART1", endpoint="OS"), drawn("CART2", 2, 900)[2]
    found = compare_printed(one, other)
    assert found.n_pairs == len(one.alternatives) * len(other.alternatives) > 1
    assert found.p_low < found.p_high


def test_printed_comparisons_that_make_no_sense_are_refused() -> None:
    one, other = made([(5, 1), (9, 0)]), made([(6, 1), (9, 0)], endpoint="LFS")
    with pytest.raises(InputError) as error:
        compare_printed(one, other, p=1.5, hazard_ratio=-1)
    for word in ("endpoint: found OS and LFS", "arm: found CART2 twice", "p: found 1.5", "hazard_ratio: found -1"):
        assert word in str(error.value)


# ------------------------------------------------------------------ several panels


def test_one_arm_clicked_twice_agrees_with_itself() -> None:
    rng, curve = np.random.default_rng(4), kaplan_meier([100, 220, 220, 430, 500, 610, 700], [1, 1, 0, 1, 0, 1, 0])
    panels = [reconstruct(click(curve, rng=rng), 7, arm="CART2", endpoint="OS") for _ in range(3)]
    table = agree(panels)
    assert len(table) == 3
    assert table["agrees"].all()
    assert (table["days_apart"] > 0).all()
    assert (table["alternatives_agreeing"] >= 1).all()


def test_what_differs_between_panels_is_told() -> None:
    one, later, more = (made(rows) for rows in ([(5, 1), (9, 0)], [(8, 1), (9, 0)], [(5, 1), (9, 1)]))
    assert agree([one, one])["days_apart"].item() == 0
    assert "up to 3 days apart" in agree([one, later])["finding"].item()
    row = agree([one, more]).iloc[0]
    assert row["finding"] == "events in 1 of 2 and in 2 of 2 patients"
    assert not row["agrees"]
    assert row["alternatives_agreeing"] == 0
    with pytest.raises(InputError, match="two or more of one arm"):
        agree([one])
    with pytest.raises(InputError, match="CART2 LFS, CART2 OS"):
        agree([one, made([(5, 1)], endpoint="LFS")])


# ------------------------------------------------------------------ LFS and OS


def pairing_by_hand(lfs: list[Row], overall: list[Row]) -> int | None:
    """Try every pairing; return the fewest deaths on the day of the failure, or None if no pairing can be."""
    counts = [
        sum(one[1] == other[1] == 1 and one[0] >= other[0] for one, other in zip(lfs, order, strict=True))
        for order in permutations(overall, len(lfs))
        if all(one[0] <= other[0] and one[1] >= other[1] for one, other in zip(lfs, order, strict=True))
    ]
    return min(counts, default=None)


@given(rows_of(1, 5), rows_of(1, 6))
def test_endpoints_are_paired_as_by_trying_every_pairing(lfs: list[Row], overall: list[Row]) -> None:
    assume(len(lfs) <= len(overall))
    found = match_endpoints(made(lfs, "LFS"), made(overall))
    least = pairing_by_hand(lfs, overall)
    assert found.feasible == (least is not None)
    assert found.least_deaths_without_relapse == (least or 0)
    pairs = found.to_frame()
    assert len(pairs) == (len(lfs) if found.feasible else 0)
    assert (pairs["lfs_days"] <= pairs["os_days"]).all()
    assert (pairs["lfs_event"] >= pairs["os_event"]).all()
    assert pairs["death_without_relapse"].sum() == found.least_deaths_without_relapse


def test_a_censoring_may_lie_anywhere_in_its_days() -> None:
    clicks = check_clicks([0, 10, 10, 40], [1, 1, 0.5, 0.5], time_error=0, survival_error=0)
    lfs = reconstruct(clicks, 4, arm="CART2", endpoint="LFS", events=1)  # two leave before day 10
    overall = made([(2, 0), (3, 0), (40, 0), (40, 1)])
    assert (lfs.follow_up.time_days[:2] > [2, 3]).all()
    assert match_endpoints(lfs, overall).feasible
    # Likewise of overall survival: a failure on day 35 is possible in a patient censored by day 40 only.
    late = check_clicks([0, 40], [1, 1], time_error=0, survival_error=0)
    followed = reconstruct(late, 3, arm="CART2", endpoint="OS")
    assert (followed.follow_up.time_days < 35).sum() == 2
    assert match_endpoints(made([(35, 1), (35, 1), (35, 1)], "LFS"), followed).feasible


def test_only_two_endpoints_of_one_arm_are_paired() -> None:
    one, two = made([(5, 1)]), made([(5, 1), (6, 1)], "LFS")
    for arguments in ((one, one), (two, one), (made([(5, 1)], "LFS", "CART1"), one)):
        with pytest.raises(InputError, match="LFS and OS of one arm"):
            match_endpoints(*arguments)


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
