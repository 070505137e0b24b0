"""Null distributions, calibration and stability against enumeration, R, and what must hold."""

from __future__ import annotations

import json
from functools import cache
from itertools import combinations, permutations
from math import sqrt
from pathlib import Path

import numpy as np
import pytest
from lifelines.statistics import logrank_test
from scipy import stats

from studies.calibration import calibrate
from survaudit.cutpoint._kernels import null_maxima, risk_tables, split_attains
from survaudit.cutpoint.nulls import chi2_of_p, null_of_pattern, null_table, worst_case
from survaudit.cutpoint.scan import LOG_RANK, PERMUTATION_VARIANCE, scan_one
from survaudit.cutpoint.stability import _halve, bootstrap_cuts, split_samples
from survaudit.errors import InputError

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
ENTRIES = json.loads((REFERENCE / "cutpoint.json").read_text())["entries"]
CHECK = next(entry["result"] for entry in ENTRIES if entry["id"] == "check/chi2_5.59_n28")


def lifelines_chi2(high, time_days, event):
    """One-cut chi-square by lifelines; 0 where no event can tell the groups apart."""
    rows = zip(map(bool, high), map(int, time_days), map(int, event), strict=True)
    return lifelines_chi2_of(tuple(sorted(rows)))


@cache
def lifelines_chi2_of(rows):
    high, time_days, event = (np.array(column) for column in zip(*rows, strict=True))
    last = min(time_days[high].max(), time_days[~high].max())
    if not any(event[time_days <= last]) or not any(
        0 < event[time_days == t].sum() < (time_days >= t).sum() for t in time_days[time_days <= last]
    ):
        return 0.0
    return logrank_test(time_days[high], time_days[~high], event[high], event[~high]).test_statistic


# --- Null tables ----------------------------------------------------------------------------


def test_null_without_censoring_as_r():
    table = null_table(
        CHECK["chi"], rng=np.random.default_rng(3), min_groups=(1,), censoring=(0.0,), replicates=100_000
    )
    expected = CHECK["all27"]["MC_survdiff_all27"]
    error = sqrt(expected * (1 - expected) * (1 / 100_000 + 1 / CHECK["results"][0]["MC_survdiff_B"]))
    assert abs(table.rows[0].share - expected) <= 4 * error


@pytest.mark.parametrize("pattern", [([1, 2, 3, 4, 5], [1, 0, 1, 1, 1]), ([1, 2, 2, 3, 3], [1, 1, 1, 0, 1])])
def test_null_of_a_small_pattern_by_enumeration(pattern):
    time_days, event = np.array(pattern[0]), np.array(pattern[1])
    maxima = {1: [], 2: []}
    for row in permutations(range(5)):
        chi2 = [lifelines_chi2(np.arange(5) >= m, time_days[list(row)], event[list(row)]) for m in (1, 2, 3, 4)]
        maxima[1].append(max(chi2))
        maxima[2].append(max(chi2[1:3]))
    for threshold in (1.0, 2.0, 2.9):
        table = null_of_pattern(threshold, *pattern, rng=np.random.default_rng(1), min_groups=(1, 2), replicates=20_000)
        for row in table.rows:
            exact = np.mean(np.array(maxima[row.min_group]) >= threshold)
            assert abs(row.share - exact) <= 4 * sqrt(exact * (1 - exact) / 20_000)
            assert row.standard_error == pytest.approx(sqrt(row.share * (1 - row.share) / 20_000))


def test_random_censoring_mixes_the_patterns():
    # With n = 4 all 16 patterns of events can be enumerated.
    chance, threshold, exact = 0.4, 1.5, 0.0
    for bits in range(16):
        event = np.array([bits >> i & 1 for i in range(4)])
        weight = np.prod(np.where(event == 1, 1 - chance, chance))
        maxima = [
            max(lifelines_chi2(np.arange(4) >= m, np.array(row), event[list(row)]) for m in (1, 2, 3))
            for row in permutations(range(4))
        ]
        exact += weight * np.mean(np.array(maxima) >= threshold)
    options = {"n": 4, "min_groups": (1,), "censoring": (chance,), "replicates": 40_000}
    share = null_table(threshold, rng=np.random.default_rng(2), **options).rows[0].share
    assert 0.05 < exact < 0.95
    assert abs(share - exact) <= 4 * sqrt(exact * (1 - exact) / 40_000)


def test_table_has_a_row_for_each_combination_and_falls_with_the_group():
    table = null_table(5.59, rng=np.random.default_rng(1), replicates=4000).to_frame()
    assert len(table) == 20
    for _, rows in table.groupby("censoring"):
        assert rows["share"].is_monotonic_decreasing
    assert (table["replicates"] == 4000).all()


def test_workers_change_no_table():
    def run(n_jobs):
        options = {"censoring": (0.3,), "replicates": 2500, "n_jobs": n_jobs}
        return null_table(5.59, rng=np.random.default_rng(4), **options)

    assert run(1) == run(2)


def test_chi2_of_p_is_the_inverse_tail():
    np.testing.assert_allclose(stats.chi2.sf([chi2_of_p(0.05), chi2_of_p(1e-9)], 1), [0.05, 1e-9])
    assert chi2_of_p(1.0) == 0


@pytest.mark.parametrize("p", [1.5, 5, 0, -0.1, float("nan")])
def test_chi2_of_p_refuses_what_is_no_p_value(p):
    with pytest.raises(InputError, match=r"p: found .*, expected a P value"):
        chi2_of_p(p)


# --- Worst case -----------------------------------------------------------------------------


def test_split_attains_by_enumeration():
    rng = np.random.default_rng(4)
    time_days, event = np.array([1, 2, 2, 3, 4, 5, 5, 6]), np.array([1, 1, 0, 1, 0, 1, 1, 1])
    starts = np.flatnonzero(np.diff(time_days, prepend=0))
    level, table, _ = risk_tables(event, starts)
    found = set()
    for group in combinations(range(8), 3):
        high = np.isin(np.arange(8), group)
        found.add(round(lifelines_chi2(high, time_days, event), 9))
    for chi2 in found:
        assert split_attains(level, event, table, 3, (chi2 - 1e-8, chi2 + 1e-8)) or chi2 == 0
    for chi2 in rng.uniform(0, max(found) + 1, 40):
        near = min(abs(chi2 - value) for value in found)
        assert not split_attains(level, event, table, 3, (chi2 - near / 2, chi2 + near / 2))


def test_worst_case_is_below_a_random_pattern_and_reports_a_fresh_estimate():
    options = {"starts": 2, "steps": 60, "replicates": 8000, "min_group": 3}
    worst = worst_case(5.59, events=12, rng=np.random.default_rng(1), n_high=5, **options)
    typical = null_table(
        5.59, rng=np.random.default_rng(2), min_groups=(3,), censoring=(16 / 28,), replicates=8000
    ).rows[0]
    assert sum(worst.event) == 12
    assert len(worst.event) == len(worst.time_rank) == 28
    assert worst.share.share < typical.share - 4 * typical.standard_error
    assert worst.patterns == 2 * 61
    again = null_of_pattern(
        5.59, worst.time_rank, worst.event, rng=np.random.default_rng(9), min_groups=(3,), replicates=8000
    ).rows[0]
    assert abs(again.share - worst.share.share) <= 4 * sqrt(2) * again.standard_error


def test_worst_case_without_ties_has_none():
    worst = worst_case(5.59, events=9, rng=np.random.default_rng(1), ties=False, starts=1, steps=40, replicates=500)
    assert worst.time_rank == tuple(range(28))


def test_worst_case_admits_only_patterns_with_the_printed_value():
    worst = worst_case(5.59, events=5, rng=np.random.default_rng(1), n_high=5, starts=1, steps=40, replicates=500)
    time_days, event = np.array(worst.time_rank), np.array(worst.event)
    rng = np.random.default_rng(0)
    shares = []
    level, table, _ = risk_tables(event, np.flatnonzero(np.diff(time_days, prepend=-1)))
    for _ in range(20):
        high = np.isin(np.arange(28), rng.choice(28, 5, replace=False))
        shares.append(lifelines_chi2(high, time_days, event))
    assert split_attains(level, event, table, 5, (5.585, 5.595))
    assert max(shares) > 0
    with pytest.raises(InputError, match="no pattern with 1 events was found"):
        worst_case(25.0, events=1, rng=np.random.default_rng(1), n_high=5, starts=1, steps=3, replicates=50)


# --- Calibration ----------------------------------------------------------------------------


def test_calibration_agrees_with_the_null_table_and_the_level():
    result = calibrate(
        rng=np.random.default_rng(5), n=28, min_group=3, censoring=0.2, replicates=1500, permutations_each=99
    )
    frame = result.to_frame().set_index(["statistic", "method"])["rejected"]
    exact = null_table(
        chi2_of_p(0.05), rng=np.random.default_rng(6), min_groups=(3,), censoring=(0.2,), replicates=20_000
    ).rows[0]
    assert abs(frame[LOG_RANK, "none"] - exact.share) <= 4 * sqrt(exact.share * (1 - exact.share) / 1500)
    for name in (LOG_RANK, PERMUTATION_VARIANCE):
        assert abs(frame[name, "permutation"] - 0.05) <= 4 * sqrt(0.05 * 0.95 / 1500)
        assert frame[name, "Bonferroni"] < frame[name, "none"]
    rounded = frame[f"{PERMUTATION_VARIANCE}, rounded scores", "Hothorn-Lausen 2003"]
    assert rounded <= 0.05 + 4 * sqrt(0.05 * 0.95 / 1500)


def test_calibration_of_large_cohorts_leaves_out_what_does_not_apply():
    frame = calibrate(rng=np.random.default_rng(5), n=250, replicates=6, permutations_each=19).to_frame()
    assert not frame["method"].str.startswith("Hothorn").any()
    assert len(frame) == 12


# --- Stability ------------------------------------------------------------------------------


def example(effect, seed=1, n=120):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, rng.exponential(900, n) * np.exp(-effect * (x > 0.2)), (rng.random(n) < 0.8).astype(int)


def test_bootstrap_finds_a_true_cut_and_its_effect():
    result = bootstrap_cuts(*example(2.5), rng=np.random.default_rng(1), replicates=200, min_group=10)
    assert result.failed == 0
    assert abs(np.median(result.cut) - 0.2) < 0.15
    assert np.nanmedian(result.out_of_bag) > 0.8
    assert result.original == scan_one(*example(2.5), min_group=10).best
    assert result.replicates == len(result.to_frame()) == 200


def test_without_effect_the_bag_shows_one_and_the_rest_does_not():
    result = bootstrap_cuts(*example(0.0), rng=np.random.default_rng(1), replicates=300, min_group=10)
    direction = np.sign(result.in_bag)
    assert np.mean(direction * result.in_bag) > 0.4
    assert np.nanmean(direction * result.out_of_bag) < 0.5 * np.mean(direction * result.in_bag)


def test_one_bootstrap_sample_by_hand():
    x, time_days, event = example(1.0, n=40)
    result = bootstrap_cuts(x, time_days, event, rng=np.random.default_rng(3), replicates=1, min_group=4)
    drawn = np.random.default_rng(3).spawn(1)[0].integers(0, 40, 40)
    left = np.setdiff1d(np.arange(40), drawn)
    best = scan_one(x[drawn], time_days[drawn], event[drawn], min_group=4).best
    assert (result.cut[0], result.chi2[0]) == (best.cut, best.chi2)
    for rows, effect in ((drawn, result.in_bag[0]), (left, result.out_of_bag[0])):
        high = x[rows] > best.cut
        excess = variance = 0.0
        for t in np.unique(time_days[rows][event[rows] == 1]):
            risk = time_days[rows] >= t
            died = (time_days[rows] == t) & (event[rows] == 1)
            n, k, d = risk.sum(), (risk & high).sum(), died.sum()
            excess += (died & high).sum() - d * k / n
            variance += d * k / n * (1 - k / n) * (n - d) / (n - 1) if n > 1 else 0
        np.testing.assert_allclose(effect, excess / variance, rtol=1e-9)


def test_samples_without_a_cut_are_counted_not_hidden():
    x, time_days, event = np.arange(6.0), np.arange(6.0) + 1, np.array([1, 0, 0, 0, 0, 0])
    result = bootstrap_cuts(x, time_days, event, rng=np.random.default_rng(1), replicates=200)
    assert 0 < result.failed < 200
    assert np.isnan(result.in_bag[np.isnan(result.cut)]).all()


def test_split_samples_are_matched_halves():
    x, time_days, event = example(0.0, n=81)
    result = split_samples(x, time_days, event, rng=np.random.default_rng(1), replicates=400, min_group=8)
    assert result.to_frame().notna().all().all()
    # Chosen in one half, seldom confirmed in the other.
    assert np.mean(result.training_p < 0.05) > 0.25
    assert np.mean(result.validation_p < 0.05) < np.mean(result.training_p < 0.05) / 2
    np.testing.assert_allclose(result.validation_p, stats.chi2.sf(result.validation_statistic**2, 1), rtol=1e-9)
    np.testing.assert_allclose(result.training_p, stats.chi2.sf(result.training_chi2, 1), rtol=1e-9)


def test_one_halving_by_hand():
    x, time_days, event = example(1.0, n=41)
    result = split_samples(x, time_days, event, rng=np.random.default_rng(3), replicates=1, min_group=4)
    listed = sorted(range(41), key=lambda i: (event[i], time_days[i]))
    training = _halve(np.array(listed), event[listed].astype(float), np.random.default_rng(3).spawn(1)[0])
    best = scan_one(x[training], time_days[training], event[training], min_group=4).best
    assert (result.cut[0], result.training_chi2[0], result.training_p[0]) == (best.cut, best.chi2, best.p)
    high = (x > best.cut)[~training]
    chi2 = lifelines_chi2(high, stats.rankdata(time_days[~training]), event[~training])
    np.testing.assert_allclose(result.validation_statistic[0] ** 2, chi2, rtol=1e-9)


def test_split_samples_validate_a_true_cut():
    result = split_samples(*example(2.5), rng=np.random.default_rng(1), replicates=100, min_group=8)
    assert np.mean(result.validation_p < 0.05) > 0.9
    assert (result.validation_statistic > 0).mean() > 0.95


def test_halves_hold_alternate_patients_of_each_list():
    rng = np.random.default_rng(1)
    event = np.array([0.0] * 7 + [1.0] * 10)
    for _ in range(50):
        training = _halve(np.arange(17), event, rng)
        assert training[:7].sum() in (3, 4)
        assert training[7:].sum() == 5
        assert all(training[7 + 2 * k] != training[8 + 2 * k] for k in range(5))


@pytest.mark.parametrize("run", [bootstrap_cuts, split_samples])
def test_workers_change_no_sample(run):
    found = [run(*example(0.5, n=40), rng=np.random.default_rng(2), replicates=150, n_jobs=k) for k in (1, 2)]
    assert found[0].to_frame().equals(found[1].to_frame())
    with pytest.raises(ValueError, match="read-only"):
        found[0].cut[0] = 1.0


# --- What is refused ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda rng: null_table(5.59, rng=rng, min_groups=(15,)), "found 15, which leaves no cut among n=28"),
        (lambda rng: null_table(5.59, rng=rng, min_groups=(0,)), "min_group: found 0"),
        (lambda rng: null_table(5.59, rng=rng, censoring=(1.0,)), "censoring: found 1.0"),
        (lambda rng: null_table(5.59, rng=rng, n=1), "n: found 1"),
        (lambda _: null_table(5.59, rng=7), "rng: found int"),
        (lambda rng: null_of_pattern(5.59, [1, 2, 3], [0, 0, 0], rng=rng, min_groups=(1,)), "no events"),
        (lambda rng: worst_case(5.59, events=29, rng=rng), "events: found 29"),
        (lambda rng: worst_case(5.59, events=4, rng=rng, starts=0), "starts: found 0"),
        (lambda rng: calibrate(rng=rng, min_group=20), "found 20, which leaves no cut"),
        (lambda rng: bootstrap_cuts([1, 1], [1, 2], [1, 1], rng=rng), "nothing to cut"),
        (lambda rng: split_samples([1, 2], [1, 2], [0, 0], rng=rng), "no events"),
        (lambda rng: bootstrap_cuts([1, 2], [1, 2], [1, 1], rng=rng, replicates=0), "replicates: found 0"),
    ],
)
def test_what_cannot_be_computed_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call(np.random.default_rng(1))


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda rng: bootstrap_cuts(*example(0.5), rng=rng, min_events=2), "min_events"),
        (lambda rng: null_table(5.59, rng=rng, min_group=3), "min_group"),
    ],
)
def test_a_setting_that_would_have_no_effect_is_refused(call, name):
    with pytest.raises(TypeError, match=name):
        call(np.random.default_rng(1))


def test_null_maxima_are_the_scan():
    rng = np.random.default_rng(1)
    orders = rng.permuted(np.tile(np.arange(20), (5, 1)), axis=1)
    events = (rng.random((5, 20)) < 0.6).astype(int)
    found = null_maxima(orders, events, np.arange(20), np.array([1, 4]))
    for order, event, row in zip(orders, events, found, strict=True):
        for group, largest in zip((1, 4), row, strict=True):
            expected = max(lifelines_chi2(np.arange(20) >= m, order, event[order]) for m in range(group, 21 - group))
            np.testing.assert_allclose(largest, expected, rtol=1e-9)
