"""Analyses of a treatment that begins during follow-up: against plain implementations and identities.

What R finds on the heart transplants is compared in `test_validation.py`.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines.datasets import load_stanford_heart_transplants
from scipy import optimize

from survaudit.errors import InputError
from survaudit.immortal._kernels import permuted_p, switch_score
from survaudit.immortal.episodes import (
    Episodes,
    episodes,
    landmark,
    mantel_byar,
    permutation_p,
    simon_makuch,
    split_at_switch,
    time_dependent_cox,
)
from survaudit.survival.curves import kaplan_meier, log_rank
from survaudit.survival.hazards import cox

HEART = load_stanford_heart_transplants()
COLUMNS = ("id", "start", "stop", "event", "transplant")


def heart() -> Episodes:
    return episodes(*(HEART[name] for name in COLUMNS))


def by_patient() -> pd.DataFrame:
    """One row a patient, on the clock of R's `jasa`, where acceptance is day 0 and not day 1."""
    groups = HEART.groupby("id")
    frame = groups.agg(time=("stop", "max"), event=("event", "max"), ever=("transplant", "max"))
    wait = HEART[HEART["transplant"] == 1].groupby("id")["start"].min()
    return frame.assign(time=frame["time"] - 1, wait=wait - 1)


# ------------------------------------------------------------------ counts of the heart transplants


def test_patients_are_counted_on_either_side_of_the_switch() -> None:
    test = mantel_byar(heart())
    assert (test.n, test.n_switched, test.n_events) == (103, 69, 75)


@pytest.mark.parametrize("day", [30, 60, 90])
def test_a_landmark_leaves_out_those_who_did_not_reach_it(day: int) -> None:
    own = by_patient()
    found = landmark(own["time"], own["event"], own["wait"], day)
    assert found.n + found.n_left_out == 103
    assert [curve.n for curve in found.curves] == found.test.n.tolist()


@pytest.mark.parametrize("day", [0, 30])
def test_numbers_at_risk_of_a_state_are_read_at_any_day(day: int) -> None:
    for curve in simon_makuch(heart(), day):
        assert curve.at_risk_at(curve.times).tolist() == curve.at_risk.tolist()
        assert curve.at_risk_at([day]).tolist() == [0]  # nobody before the curve begins


# ------------------------------------------------------------------ against plain implementations


def cohorts(least: int = 4) -> st.SearchStrategy[list[tuple[int, int, int, int]]]:
    """Follow-ups with ties: time, event, and days of a switch and of another state, -1 for none."""
    patient = st.integers(1, 9).flatmap(
        lambda t: st.tuples(st.just(t), st.integers(0, 1), st.integers(-1, t), st.integers(-1, 9))
    )
    return st.lists(patient, min_size=least, max_size=14)


def columns_of(rows: list[tuple[int, int, int, int]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    time, event, switch, other = np.array(rows, float).T
    return time, event, np.where(switch < 0, np.nan, switch), np.where(other < 0, np.nan, other)


def plain_mantel_byar(rows: list[tuple[int, int, int, int]], *, stratified: bool) -> tuple[float, float]:
    """Observed minus expected and variance, patient by patient and day by day."""
    difference = variance = 0.0
    for day in range(1, 10):
        for late in (False, True) if stratified else (None,):
            present = [r for r in rows if r[0] >= day and (late is None or (0 <= r[3] < day) == late)]
            dead = [r for r in present if r[0] == day and r[1] == 1]
            if not dead:
                continue
            treated = [r for r in present if 0 <= r[2] < day]
            n, d, k = len(present), len(dead), len(treated)
            difference += len([r for r in dead if r in treated and 0 <= r[2] < day]) - d * k / n
            if n > 1:
                variance += d * (k / n) * (1 - k / n) * (n - d) / (n - 1)
    return difference, variance


@given(cohorts(), st.booleans())
def test_mantel_byar_equals_counting_by_hand(rows: list[tuple[int, int, int, int]], stratified: bool) -> None:
    time, event, switch, other = columns_of(rows)
    test = mantel_byar(split_at_switch(time, event, switch, stratum_days=other if stratified else None))
    difference, variance = plain_mantel_byar(rows, stratified=stratified)
    assert test.observed - test.expected == pytest.approx(difference, abs=1e-9)
    assert test.variance == pytest.approx(variance, abs=1e-9)
    assert test.n_events == event.sum()
    never = np.full(len(time), np.inf)
    change = np.where(np.isnan(other), np.inf, other) if stratified else never
    compiled = switch_score(time, event.astype(np.int64), np.where(np.isnan(switch), np.inf, switch), change)
    assert compiled == pytest.approx((difference, variance), abs=1e-9)


@given(cohorts())
def test_a_switch_at_the_start_is_a_group(rows: list[tuple[int, int, int, int]]) -> None:
    time, event, switch, _ = columns_of(rows)
    group = ~np.isnan(switch)
    if group.all() or not group.any():
        return
    start = np.where(group, 0.0, np.nan)
    follow_up = split_at_switch(time, event, start)
    expected = log_rank(time, event, group)
    assert mantel_byar(follow_up).chi2 == pytest.approx(expected.chi2, abs=1e-9)
    for curve, member in zip(simon_makuch(follow_up), (~group, group), strict=True):
        plain = kaplan_meier(time[member], event[member])
        assert curve.times.tolist() == plain.times.tolist()
        np.testing.assert_allclose(curve.survival, plain.survival, atol=1e-12)
        np.testing.assert_allclose(curve.std_error, plain.std_error, atol=1e-12)


@given(cohorts(), st.integers(1, 8))
def test_another_cut_changes_nothing(rows: list[tuple[int, int, int, int]], day: int) -> None:
    time, event, switch, _ = columns_of(rows)
    whole = split_at_switch(time, event, switch)
    pieces = []
    for who, start, stop, died, switched in whole.to_frame().iloc[:, :5].itertuples(index=False):
        edges = [start, *([day] if start < day < stop else []), stop]
        pieces += [(who, a, b, died * (b == stop), switched) for a, b in pairwise(edges)]
    cut = episodes(*map(list, zip(*reversed(pieces), strict=True)))
    assert mantel_byar(cut).chi2 == pytest.approx(mantel_byar(whole).chi2, abs=1e-9)
    assert cut.days() == whole.days()
    assert sum(whole.days().values()) == time.sum()


def test_landmark_equals_a_log_rank_of_those_left() -> None:
    rng = np.random.default_rng(5)
    time, event = rng.integers(1, 40, 30).astype(float), rng.integers(0, 2, 30)
    switch = np.where(rng.random(30) < 0.6, np.minimum(rng.integers(0, 30, 30), time), np.nan)
    found = landmark(time, event, switch, 12)
    left = [(t - 12, e, not np.isnan(s) and s <= 12) for t, e, s in zip(time, event, switch, strict=True) if t > 12]
    assert found.test.chi2 == pytest.approx(log_rank(*map(list, zip(*left, strict=True))).chi2, rel=1e-12)
    assert found.n_switched_later == sum(t > 12 and s > 12 for t, s in zip(time, switch, strict=True))
    assert found.n_left_out == 30 - len(left)


def enumerated_p(time: list[float], event: list[int], switch: list[float], until: list[float]) -> float:
    """The chance of a statistic as large, over every way of dealing out the switches, each with its probability."""
    days = sorted(day for day in switch if not np.isnan(day))
    rows = [(int(t), e, -1 if np.isnan(s) else int(s), -1) for t, e, s in zip(time, event, switch, strict=True)]

    def statistic(switches: list[int]) -> float:
        difference, variance = plain_mantel_byar(
            [(r[0], r[1], s, -1) for r, s in zip(rows, switches, strict=True)], stratified=False
        )
        return difference**2 / variance if variance > 1e-12 else 0.0

    observed = statistic([r[2] for r in rows])

    def chance(drawn: list[int], left: list[float]) -> float:
        if not left:
            return float(statistic(drawn) >= observed - 1e-9)
        able = [i for i in range(len(time)) if until[i] >= left[0] and drawn[i] < 0]
        ways = [[*drawn[:i], int(left[0]), *drawn[i + 1 :]] for i in able]
        return sum(chance(way, left[1:]) for way in ways) / len(ways) if ways else chance(drawn, left[1:])

    return chance([-1] * len(time), days)


@pytest.mark.parametrize("until", [None, [3, 6, 2, 9, 8, 1, 5]])
def test_permutation_p_approaches_the_enumerated_one(until: list[float] | None) -> None:
    time, event = [4, 6, 5, 9, 8, 1, 7], [1, 1, 1, 0, 1, 1, 1]
    switch = [np.nan, 2, np.nan, 3, 5, np.nan, np.nan]
    expected = enumerated_p(time, event, switch, until or [float(t) for t in time])
    count = 40_000
    found = permutation_p(time, event, switch, rng=np.random.default_rng(1), replicates=count, until_days=until)
    assert abs(found - expected) < 4 * np.sqrt(expected * (1 - expected) / count) + 1 / count


def test_permutation_p_counts_itself() -> None:
    arrays = [np.array(values, float) for values in ([2, 4, 6], [np.inf] * 3, [np.inf] * 3, [2, 4, 6])]
    time, switch, change, until = arrays
    event = np.ones(3, dtype=np.int64)
    assert permuted_p(time, event, switch, change, until, np.zeros((4, 3))) == 1
    # Every drawn switch is the first patient's, who dies first: nothing is compared, and nothing is as extreme.
    switch = np.array([np.inf, np.inf, 1.0])
    assert permuted_p(time, event, switch, change, until, np.zeros((4, 3))) == 1
    switch = np.array([1.0, np.inf, np.inf])
    assert permuted_p(time, event, switch, change, until, np.full((4, 3), 0.99)) == pytest.approx(1 / 5)


def test_a_model_of_switches_at_the_start_is_the_plain_one() -> None:
    rng = np.random.default_rng(3)
    time, event, group = rng.exponential(50, 40), rng.integers(0, 2, 40), rng.integers(0, 2, 40)
    found = time_dependent_cox(split_at_switch(time, event, np.where(group, 0.0, np.nan))).table
    expected = cox(time, event, {"switched": group}).table
    np.testing.assert_allclose(found.astype(float), expected.astype(float), rtol=1e-7)


def test_a_stratified_model_has_the_greatest_likelihood() -> None:
    rng = np.random.default_rng(8)
    time, event = rng.exponential(50, 40), rng.integers(0, 2, 40)
    switch, other = (np.where(rng.random(40) < 0.6, rng.random(40) * time, np.nan) for _ in range(2))
    follow_up = split_at_switch(time, event, switch, stratum_days=other)
    frame = follow_up.to_frame()

    def minus_log_likelihood(beta: float) -> float:
        total = 0.0
        for row in frame[frame["event"] == 1].itertuples():
            there = frame[(frame["start"] < row.stop) & (row.stop <= frame["stop"]) & (frame["stratum"] == row.stratum)]
            total += beta * row.switched - np.log(np.exp(beta * there["switched"]).sum())
        return -total

    best = optimize.minimize_scalar(minus_log_likelihood, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9})
    assert time_dependent_cox(follow_up).table.loc["switched", "coef"] == pytest.approx(best.x, abs=1e-6)
    assert mantel_byar(follow_up).strata == 2


# ------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [(7, -3, 5, 0, 0)],
            r"patient 7: found an episode from day -3 to day 5, expected no day before the time origin",
        ),
        ([(7, 5, 5, 0, 0)], r"patient 7: found an episode from day 5 to day 5, expected a stop after the start"),
        ([(7, 0, np.nan, 0, 0)], r"patient 7: found an episode from day 0 to day nan, expected finite days"),
        ([(7, 0, 5, 5, 0)], r"patient 7: found event = 5, expected 0 or 1"),
        ([(7, 0, 5, 0, 2)], r"patient 7: found switched = 2, expected 0 or 1"),
        ([(7, 0, 5, 0, 0), (7, 4, 9, 1, 1)], r"patient 7: found episodes that overlap \(to day 5 and from day 4\)"),
        ([(7, 0, 5, 1, 0), (7, 5, 9, 1, 1)], r"patient 7: found an event on day 5, before the last episode"),
        ([(7, 0, 5, 0, 1), (7, 5, 9, 1, 0)], r"patient 7: found switched = 1, and 0 from day 5 on"),
        ([], r"expected one row an episode"),
    ],
)
def test_bad_episodes_are_refused(rows: list[tuple[float, ...]], message: str) -> None:
    good = [(3, 0, 9, 1, 0)] if rows else []
    with pytest.raises(InputError, match=message):
        episodes(*(list(column) for column in zip(*good, *rows, strict=True)) if rows else [[]] * 5)


def test_all_bad_episodes_are_told_at_once() -> None:
    with pytest.raises(InputError) as caught:
        episodes([1, 2, 2], [-1, 0, 3], [4, 5, 2], [0, 1, 7], [0, 0, 0])
    assert [f"patient {k}" in str(caught.value) for k in (1, 2)] == [True, True]
    assert str(caught.value).count(";") >= 2


@pytest.mark.parametrize("analysis", [split_at_switch, permutation_p, landmark])
@pytest.mark.parametrize(
    ("switch", "message"),
    [
        ([None, 12], r"patient 2: found a switch on day 12, after the end of follow-up on day 9"),
        ([-4, None], r"patient 1: found a switch on day -4, expected none before the time origin"),
        ([None], r"found 2 times, 1 switches"),
        (["x", None], r"switch_days: found a value that is no number"),
    ],
)
def test_bad_switches_are_refused(analysis: Any, switch: list[Any], message: str) -> None:
    options = {landmark: {"landmark_day": 3}, permutation_p: {"rng": np.random.default_rng(1)}}.get(analysis, {})
    with pytest.raises(InputError, match=message):
        analysis([8, 9], [1, 1], switch, **options)


def test_a_follow_up_without_a_day_is_refused() -> None:
    with pytest.raises(InputError, match=r"patient 21: found a follow-up of 0 days"):
        split_at_switch([0, 5], [1, 1], [None, 2], patient=[21, 22])


def test_a_switch_that_was_no_longer_possible_is_refused() -> None:
    with pytest.raises(InputError, match=r"patient 1: found a switch on day 5, when only days up to 4 allow one"):
        permutation_p([9, 8], [1, 1], [5, None], rng=np.random.default_rng(1), until_days=[4, 8])


@pytest.mark.parametrize(
    ("day", "message"),
    [
        (10, r"nobody at risk after day 10 among those not switched \(the last is patient 32, to day 9\)"),
        (1, r"nobody at risk after day 1 among those switched \(there is none\)"),
    ],
)
def test_a_landmark_with_nobody_at_risk_is_refused(day: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        landmark([20, 9, 8], [1, 1, 1], [2, None, None], day, patient=[31, 32, 33])


def test_curves_need_somebody_at_risk() -> None:
    with pytest.raises(InputError, match=r"after day 9 among those not switched .* patient 31, to day 20"):
        simon_makuch(split_at_switch([20, 9], [1, 1], [2, None], patient=[31, 32]), 9)


def test_a_model_without_a_maximum_is_refused() -> None:
    with pytest.raises(InputError, match="likelihood has no maximum"):
        time_dependent_cox(split_at_switch([1, 2, 8, 9], [1, 1, 0, 0], [None, None, 0, 0]))
    with pytest.raises(InputError, match=r"one value everywhere in \['switched'\]"):
        time_dependent_cox(split_at_switch([1, 2], [1, 1], [None, None]))


def test_arguments_are_left_alone_and_results_frozen() -> None:
    patient, numbers = [2, 1], [np.array(values, float) for values in ([0, 0], [5, 9], [1, 1], [0, 1])]
    before = [column.copy() for column in numbers]
    found = episodes(patient, *numbers)
    assert all((a == b).all() for a, b in zip(numbers, before, strict=True))
    with pytest.raises(ValueError, match="read-only"):
        found.stop[0] = 1
