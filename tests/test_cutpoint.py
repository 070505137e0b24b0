"""The cut-point scans against lifelines, SciPy, and the definition in exact fractions.

What R finds on public data is compared in `test_validation.py`.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lifelines.statistics import logrank_test, multivariate_logrank_test
from scipy import stats

from survaudit.cutpoint import scan as cutpoint
from survaudit.cutpoint.scan import scan_one, scan_one_permutation_variance, scan_two
from survaudit.errors import InputError

# --- The definition, in fractions, and the implementations of others ---------------------------------------


def plain_logrank(group, time_days, event, groups):
    """Observed - expected by group and its covariance, from the definition, in exact fractions."""
    excess = [Fraction(0)] * groups
    covariance = [[Fraction(0)] * groups for _ in range(groups)]
    for t in sorted({t for t, e in zip(time_days, event, strict=True) if e}):
        rows = list(zip(group, time_days, event, strict=True))
        at_risk = [sum(g == k and s >= t for g, s, _ in rows) for k in range(groups)]
        n, d = sum(at_risk), sum(s == t and e == 1 for _, s, e in rows)
        for k in range(groups):
            died = sum(g == k and s == t and e == 1 for g, s, e in rows)
            excess[k] += died - Fraction(d * at_risk[k], n)
            for m in range(groups):
                if n > 1:
                    share = Fraction(at_risk[k], n) * ((k == m) - Fraction(at_risk[m], n))
                    covariance[k][m] += share * d * Fraction(n - d, n - 1)
    return excess, covariance


def plain_scores(time_days, event):
    """Log-rank scores with max-rank ties, one patient at a time."""
    later = [sum(s > t for s in time_days) for t in time_days]
    return [
        e - sum(Fraction(f, later[j] + 1) for j, f in enumerate(event) if time_days[j] <= t)
        for t, e in zip(time_days, event, strict=True)
    ]


@st.composite
def cohorts(draw, least_values=2, most=24):
    """Small cohorts with many ties; up to nine in ten patients censored."""
    n = draw(st.integers(least_values, most))
    x = draw(st.lists(st.integers(-4, 9), min_size=n, max_size=n))
    x[:least_values] = range(20, 20 + least_values)
    time_days = draw(st.lists(st.integers(0, 12), min_size=n, max_size=n))
    censoring = draw(st.integers(1, 9))
    event = [int(draw(st.integers(0, 9)) >= censoring) for _ in range(n)]
    event[draw(st.integers(0, n - 1))] = 1
    return np.array(x, float), np.array(time_days, float), np.array(event)


@given(cohorts())
def test_every_cut_as_defined(data):
    x, time_days, event = data
    scan = scan_one(x, time_days, event)
    assert scan.cut.tolist() == sorted(set(x))[:-1]
    for i, cut in enumerate(scan.cut):
        high = (x > cut).astype(int)
        excess, covariance = plain_logrank(high, time_days, event, 2)
        variance = covariance[1][1]
        assert (scan.variance[i] == 0) == (variance == 0)
        chi2 = excess[1] ** 2 / variance if variance else Fraction(0)
        np.testing.assert_allclose(scan.variance[i], float(variance), rtol=1e-10, atol=1e-13)
        np.testing.assert_allclose(scan.chi2[i], float(chi2), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(scan.events_high[i] - scan.expected_high[i], float(excess[1]), atol=1e-12)
        assert scan.n_high[i] == high.sum()
        assert scan.events_high[i] == event[x > cut].sum()
        np.testing.assert_allclose(scan.p[i], stats.chi2.sf(float(chi2), 1), rtol=1e-7)


@given(cohorts())
def test_permutation_variance_as_defined(data):
    x, time_days, event = data
    scan = scan_one_permutation_variance(x, time_days, event)
    scores = plain_scores(time_days.tolist(), event.tolist())
    n, mean = len(scores), sum(scores) / len(scores)
    spread = sum((score - mean) ** 2 for score in scores) / (n - 1)
    for i, cut in enumerate(scan.cut):
        high = [score for value, score in zip(x, scores, strict=True) if value > cut]
        m = len(high)
        variance = spread * Fraction(m * (n - m), n)
        expected = float(sum(high) - m * mean) / float(variance) ** 0.5 if variance else 0.0
        np.testing.assert_allclose(scan.statistic[i], expected, rtol=1e-9, atol=1e-10)


@given(cohorts(least_values=3, most=16))
def test_every_pair_as_defined(data):
    x, time_days, event = data
    grid = scan_two(x, time_days, event)
    cuts = sorted(set(x))[:-1]
    pairs = [(low, high) for i, low in enumerate(cuts) for high in cuts[i + 1 :]]
    assert list(zip(grid.cut_low, grid.cut_high, strict=True)) == pairs
    for i, (low, high) in enumerate(pairs):
        group = (x > low).astype(int) + (x > high)
        excess, covariance = plain_logrank(group, time_days, event, 3)
        vector, matrix = np.array(excess, float), np.array(covariance, float)
        rank = np.linalg.matrix_rank(matrix, tol=1e-9)
        chi2 = vector @ np.linalg.pinv(matrix, rcond=1e-9) @ vector
        assert grid.df[i] == rank
        np.testing.assert_allclose(grid.chi2[i], chi2, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(grid.p[i], stats.chi2.sf(chi2, rank) if rank else 1.0, rtol=1e-6)
        sizes = (grid.n_low[i], grid.n_middle[i], grid.n_high[i])
        assert sizes == tuple(np.bincount(group, minlength=3))
        events = (grid.events_low[i], grid.events_middle[i], grid.events_high[i])
        assert events == tuple(np.bincount(group, weights=event, minlength=3))
        if abs(vector[2] - vector[0]) > 1e-9 and chi2 > 1e-9:
            assert np.sign(grid.statistic[i]) == np.sign(vector[2] - vector[0])


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("censored", [0.2, 0.9])
def test_against_lifelines_and_scipy(seed, censored):
    rng = np.random.default_rng(seed)
    n = 150
    x, time_days = rng.integers(0, 15, n), rng.integers(0, 40, n)
    event = (rng.random(n) > censored).astype(int)
    for cut, variance, statistic, p in (
        scan_one(x, time_days, event).to_frame()[["cut", "variance", "statistic", "p"]].itertuples(index=False)
    ):
        if variance == 0:
            continue
        low = x <= cut
        theirs = logrank_test(time_days[low], time_days[~low], event[low], event[~low])
        np.testing.assert_allclose([statistic**2, p], [theirs.test_statistic, theirs.p_value], rtol=1e-8)
        samples = [
            stats.CensoredData(uncensored=time_days[side][event[side] == 1], right=time_days[side][event[side] == 0])
            for side in (~low, low)
        ]
        np.testing.assert_allclose(statistic, stats.logrank(*samples).statistic, rtol=1e-8)
    grid = scan_two(x, time_days, event).to_frame()
    for row in grid.sample(12, random_state=seed).itertuples():
        group = (x > row.cut_low).astype(int) + (x > row.cut_high)
        theirs = multivariate_logrank_test(time_days, group, event)
        np.testing.assert_allclose([row.chi2, row.p], [theirs.test_statistic, theirs.p_value], rtol=1e-7)


# --- What must not change a statistic ----------------------------------------------------------------------


def example(seed=5, n=80):
    rng = np.random.default_rng(seed)
    x, time_days = rng.integers(0, 30, n).astype(float), rng.integers(0, 50, n).astype(float)
    return x, time_days, (rng.random(n) < 0.6).astype(int)


@pytest.mark.parametrize("scanner", [scan_one, scan_one_permutation_variance, scan_two])
def test_row_order_and_monotone_transformations_change_nothing(scanner):
    x, time_days, event = example()
    expected = scanner(x, time_days, event)
    shuffled = np.random.default_rng(0).permutation(x.size)
    for again in (
        scanner(x[shuffled], time_days[shuffled], event[shuffled]),
        scanner(np.exp(x / 4) - 7, time_days, event),
        scanner(x, np.sqrt(time_days) + 3, event),
        scanner(x, np.exp(time_days), event),
        scanner(x, time_days / 30.4375, event == 1),
    ):
        np.testing.assert_allclose(again.statistic, expected.statistic, rtol=1e-11, atol=1e-13)


def test_swapped_sides_change_the_sign_only():
    x, time_days, event = example()
    forward, backward = scan_one(x, time_days, event), scan_one(-x, time_days, event)
    np.testing.assert_allclose(backward.statistic[::-1], -forward.statistic, rtol=1e-11)
    np.testing.assert_array_equal(backward.n_high[::-1], forward.n_low)
    grid, mirrored = scan_two(x, time_days, event).to_frame(), scan_two(-x, time_days, event).to_frame()
    mirrored = mirrored.sort_values(["cut_high", "cut_low"], ascending=False)
    np.testing.assert_allclose(mirrored["statistic"], -grid["statistic"], rtol=1e-9)


def test_a_small_group_of_a_large_cohort_keeps_its_digits():
    rng = np.random.default_rng(8)
    n = 200_000
    x, time_days = np.arange(n, dtype=float), rng.permutation(n).astype(float)
    event = (rng.random(n) < 0.5).astype(int)
    scan = scan_one(x, time_days, event)
    by_time = np.argsort(time_days)
    at_risk, died = np.arange(n, 0, -1), event[by_time] == 1
    for cut in (0, 2, n // 2, n - 3, n - 2):
        high = np.cumsum((x > cut)[by_time][::-1])[::-1]
        share = (high / at_risk)[died]
        chi2 = ((x > cut)[event == 1].sum() - share.sum()) ** 2 / (share * (1 - share)).sum()
        np.testing.assert_allclose(scan.chi2[cut], chi2, rtol=1e-10)


def test_input_is_left_alone_and_results_cannot_be_changed():
    x, time_days, event = example()
    copies = x.copy(), time_days.copy(), event.copy()
    for scanner in (scan_one, scan_one_permutation_variance, scan_two):
        result = scanner(x, time_days, event)
        for name in ("statistic", "chi2", "p", "n_low"):
            with pytest.raises(ValueError, match="read-only"):
                getattr(result, name)[0] = 0
    for kept, now in zip(copies, (x, time_days, event), strict=True):
        np.testing.assert_array_equal(kept, now)


# --- Definitions: limits, ties, no variance, rounding noise ------------------------------------------------


def test_min_group_and_min_events_bind_on_both_sides():
    x, time_days, event = example()
    scan, whole = scan_one(x, time_days, event, min_group=12, min_events=9), scan_one(x, time_days, event)
    sides = whole.to_frame()
    kept = sides[
        (sides[["n_low", "n_high"]].min(axis=1) >= 12) & (sides[["events_low", "events_high"]].min(axis=1) >= 9)
    ]
    assert 0 < len(kept) < len(sides)
    pd.testing.assert_frame_equal(scan.to_frame(), kept.reset_index(drop=True))
    assert (scan.min_group, scan.min_events) == (12, 9)
    pairs = scan_two(x, time_days, event).to_frame()
    large = pairs[["n_low", "n_middle", "n_high"]].min(axis=1) >= 12
    grid = scan_two(x, time_days, event, min_group=12).to_frame()
    pd.testing.assert_frame_equal(grid, pairs[large].reset_index(drop=True))
    enough = (pairs[["n_low", "n_middle", "n_high"]].min(axis=1) >= 12) & (
        pairs[["events_low", "events_middle", "events_high"]].min(axis=1) >= 9
    )
    grid = scan_two(x, time_days, event, min_group=12, min_events=9).to_frame()
    assert 0 < len(grid) < len(pairs)
    pd.testing.assert_frame_equal(grid, pairs[enough].reset_index(drop=True))


def test_equal_statistics_give_the_smallest_cut_and_say_so():
    # Patients 1 and 4 die, then 2 and 3: by symmetry cut 1 and cut 3 have the same chi-square.
    scan = scan_one([1, 2, 3, 4], [1, 2, 2, 1], [1, 1, 1, 1])
    assert scan.best.tied_cuts == (1.0, 3.0)
    assert scan.best.cut == 1.0
    assert len(scan_one([1, 2, 3, 4], [4, 3, 2, 1], [1, 1, 1, 0]).best.tied_cuts) == 1
    grid = scan_two([1, 2, 3, 4], [1, 2, 2, 1], [1, 1, 1, 1])
    top = np.flatnonzero(np.isclose(grid.chi2, grid.chi2.max()))
    assert len(grid.best.tied_cuts) == top.size
    assert (grid.best.cut_low, grid.best.cut_high) == (grid.cut_low[top[0]], grid.cut_high[top[0]])


def test_no_variance_is_no_evidence():
    # The only event comes when one patient is left at risk: no cut can tell anything.
    scan = scan_one([1, 2, 3], [5, 6, 7], [0, 0, 1])
    assert scan.variance.tolist() == [0, 0]
    assert scan.statistic.tolist() == [0, 0]
    assert scan.p.tolist() == [1, 1]
    assert scan.best.tied_cuts == (1.0, 2.0)
    grid = scan_two([1, 2, 3], [5, 6, 7], [0, 0, 1])
    assert (grid.df.tolist(), grid.chi2.tolist(), grid.p.tolist()) == ([0], [0], [1])


def test_no_variance_is_exactly_none():
    # Eight patients leave before the first event: against the other five there is nothing to compare.
    time_days = [1] * 8 + [30, 17, 23, 11, 29]
    scan = scan_one(range(13), time_days, [0] * 8 + [1, 1, 0, 1, 1])
    assert (scan.variance[:8] == 0).all()
    assert (scan.variance[8:] > 0).all()
    assert (scan.chi2[:8] == 0).all()
    assert (scan.p[:8] == 1).all()
    other = scan_one_permutation_variance([1, 2, 3], [7, 7, 7], [1, 1, 1])
    assert (other.statistic.tolist(), other.p.tolist()) == ([0, 0], [1, 1])


def test_times_that_differ_by_rounding_noise_are_merged_and_counted():
    x, event = [1, 2, 3, 4, 5], [1, 1, 0, 1, 1]
    noisy = scan_one(x, [0.1 + 0.2, 0.3, 7 * 0.1, 0.7, 2.0], event)
    clean = scan_one(x, [3, 3, 7, 7, 20], event)
    assert (noisy.merged_times, clean.merged_times) == (2, 0)
    np.testing.assert_allclose(noisy.statistic, clean.statistic, rtol=1e-12)
    apart = scan_one(x, [1.0, 1.0 + 1e-6, 2.0, 3.0, 4.0], event)
    assert apart.merged_times == 0
    assert scan_two(x, [0.1 + 0.2, 0.3, 7 * 0.1, 0.7, 2.0], event).merged_times == 2
    assert scan_one(x, [1e4, 1e4 * (1 + 1e-12), 2e4, 3e4, 4e4], event).merged_times == 1
    assert scan_one(x, [0.0, 5.6e-17, 1.0, 2.0, 3.0], event).merged_times == 1


def test_results_say_what_they_are():
    x, time_days, event = example()
    exact, other = scan_one(x, time_days, event), scan_one_permutation_variance(x, time_days, event)
    assert exact.method != other.method
    assert "survdiff" in exact.convention
    assert "maxstat" in other.convention
    assert exact.rule == "low is x <= cut, high is x > cut"
    assert exact.units == "days"
    assert (exact.n, exact.events) == (80, event.sum())
    assert exact.to_frame().columns[0] == "cut"
    assert {"chi2", "p", "statistic", "n_low", "n_high"} <= set(exact.to_frame().columns)
    assert exact.best.chi2 == exact.chi2.max()
    assert exact.best.n_low == (x <= exact.best.cut).sum()
    assert exact.best.events_high == event[x > exact.best.cut].sum()


# --- What is refused ---------------------------------------------------------------------------------------

GOOD = ([1.0, 2.0, 3.0], [10.0, 20.0, 30.0], [1, 0, 1])


@pytest.mark.parametrize("scanner", [scan_one, scan_one_permutation_variance, scan_two])
@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (0, [1.0, np.nan, 3.0], "x: 1 bad value.*row 1.*missing"),
        (0, [1.0, np.inf, -np.inf], "x: 2 bad value"),
        (0, [1.0, None, 3.0], "x: 1 bad value"),
        (0, ["low", "mid", "high"], "x: found something that is not a number"),
        (0, [2.0, 2.0, 2.0], "x: all 3 values are 2, so there is nothing to cut"),
        (0, [[1.0, 2.0, 3.0]], "x: found 2 dimensions"),
        (0, [1.0, 2.0], "unequal lengths: x has 2, time_days 3, event 3"),
        (1, [10.0, -1.0, 30.0], "time_days: 1 bad value.*first -1 at row 1"),
        (1, [10.0, np.nan, 30.0], "time_days: 1 bad value"),
        (1, [10.0, np.inf, 30.0], "time_days: 1 bad value"),
        (1, np.array([1, 2, 3], "timedelta64[D]"), "time_days: found something that is not a number"),
        (2, [0, 0, 0], "event: no events"),
        (2, [1, 2, 1], "event: 1 bad value.*first 2 at row 1.*durations"),
        (2, [10.0, 20.0, 30.0], "event: 3 bad value.*durations"),
        (2, [0.5, 1, 0], "event: 1 bad value"),
        (2, [1, np.nan, 0], "event: 1 bad value"),
        (2, ["1", "0", "1"], "event: found something that is not a number"),
    ],
)
def test_bad_columns_are_refused(scanner, column, values, message):
    columns = list(GOOD)
    columns[column] = values
    with pytest.raises(InputError, match=message):
        scanner(*columns)


def test_all_problems_are_reported_at_once():
    with pytest.raises(InputError, match=r"x: 1 bad.*time_days: 1 bad.*event: 1 bad"):
        scan_one([1.0, np.nan, 3.0], [-1.0, 2.0, 3.0], [1, 0, 7])


@pytest.mark.parametrize("scanner", [scan_one, scan_one_permutation_variance])
def test_cohorts_and_limits_that_leave_no_cut_are_refused(scanner):
    with pytest.raises(InputError, match="found 1 patient"):
        scanner([1.0], [1.0], [1])
    with pytest.raises(InputError, match="found 0 patient"):
        scanner([], [], [])
    with pytest.raises(InputError, match="min_group=2, min_events=0 leaves no cut"):
        scanner(*GOOD, min_group=2)
    with pytest.raises(InputError, match="min_group=1, min_events=2 leaves no cut"):
        scanner(*GOOD, min_events=2)
    for limit in (0, -1, 1.5, True, "3"):
        with pytest.raises(InputError, match="min_group: found"):
            scanner(*GOOD, min_group=limit)
    with pytest.raises(InputError, match="min_events: found -1"):
        scanner(*GOOD, min_events=-1)


def test_pairs_need_three_values_and_three_groups():
    with pytest.raises(InputError, match="found 2 distinct values, expected three"):
        scan_two([1, 2, 2], [1, 2, 3], [1, 1, 1])
    with pytest.raises(InputError, match="min_group=2, min_events=0 leaves no pair"):
        scan_two(*GOOD, min_group=2)
    many = np.arange(cutpoint.MOST_PAIRS**0.5 * 2 + 9)
    with pytest.raises(InputError, match="pairs of cuts"):
        scan_two(many, many, np.ones(many.size))


def test_no_p_value_is_lost_in_the_tail():
    # 1 - cdf would be 0 here.
    n = 400
    x = np.arange(n)
    scan = scan_one(x, np.where(x < n / 2, 1000.0 + x, x), np.ones(n))
    assert 0 < scan.best.p < 1e-40
    np.testing.assert_allclose(scan.p, stats.chi2.sf(scan.chi2, 1), rtol=1e-9)
