"""Corrected P values against R, against every permutation of small cohorts, and against identities."""

from __future__ import annotations

import json
import re
from fractions import Fraction
from itertools import combinations, permutations
from math import comb, factorial, sqrt
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.datasets import load_gbsg2, load_lung
from scipy import integrate, stats

from survaudit.cutpoint._kernels import permuted_maxima
from survaudit.cutpoint._ranked import rank_cohort
from survaudit.cutpoint.corrections import (
    bonferroni,
    conditional_gaussian,
    hothorn_lausen,
    lausen_schumacher_1994,
    miller_siegmund,
    union_bound,
)
from survaudit.cutpoint.scan import (
    LOG_RANK,
    PERMUTATION_VARIANCE,
    scan_one,
    scan_one_permutation_variance,
    scan_two,
)
from survaudit.cutpoint.selection import (
    KINDS,
    compare,
    permutation_test,
    permuted,
)
from survaudit.errors import InputError

REFERENCE = Path(__file__).parents[1] / "data" / "reference"
ENTRIES = json.loads((REFERENCE / "cutpoint.json").read_text())["entries"]
COLUMNS = {"lung": ("time", "status"), "GBSG2": ("time", "cens"), "ovarian": ("futime", "fustat")}
COVARIATES = {"mealcal": "meal.cal", "wtloss": "wt.loss"}
CHECK = next(entry["result"] for entry in ENTRIES if entry["id"] == "check/chi2_5.59_n28")


def entries(pattern: str):
    chosen = [entry for entry in ENTRIES if re.search(pattern, entry["id"])]
    assert chosen
    return pytest.mark.parametrize("entry", chosen, ids=[entry["id"] for entry in chosen])


def columns(entry):
    """Covariate, times and events of an entry, patients without the covariate left out as R does."""
    ovarian = REFERENCE / "ovarian.csv"
    loaders = {
        "lung": load_lung,
        "GBSG2": load_gbsg2,
        "ovarian": lambda: pd.read_csv(ovarian, float_precision="round_trip"),
    }
    frame = loaders[entry["data"]]()
    name = next(part for part in entry["id"].split("/") if part.startswith(entry["data"] + "_"))
    covariate = name.removeprefix(entry["data"] + "_")
    covariate = COVARIATES.get(covariate, covariate)
    time, event = COLUMNS[entry["data"]]
    frame = frame.dropna(subset=[covariate])
    return frame[covariate], frame[time], frame[event]


def cohort(entry):
    return rank_cohort(*columns(entry))


def argument(entry, name):
    found = re.search(rf"{name} ?= ?([\d.e-]+)", entry["call"])
    return float(found[1]) if found else None


def maxstat_sizes(ranked, entry):
    """The cuts that maxstat takes: floor(N p) patients in the low group at both ends, at least one."""
    low, high = argument(entry, "minprop") or 0.1, argument(entry, "maxprop") or 0.9
    sizes = ranked.candidates()
    least, most = max(1, np.floor(ranked.n * low + 1e-9)), np.floor(ranked.n * high + 1e-9)
    return sizes[(sizes >= least) & (sizes <= most)]


# --- Formulas where R has none, or is off ----------------------------------------


def chain_maxima(sizes, n, draws, rng):
    """Maxima of the standardised sums of n normal numbers in random order: a Brownian bridge at the cuts."""
    steps = rng.normal(size=(draws, len(sizes) + 1)) * np.sqrt(np.diff(sizes, prepend=0, append=n))
    sums = np.cumsum(steps, axis=1)
    bridge = sums[:, :-1] - sums[:, -1:] * np.array(sizes) / n
    return np.abs(bridge / np.sqrt(np.array(sizes) * (n - np.array(sizes)) / n)).max(axis=1)


def test_conditional_gaussian_as_simulated_with_many_cuts():
    # The case in which R gives 0.0000086, with an error of 0.0000097 by its own account.
    entry = next(entry for entry in ENTRIES if "GBSG2_estrec/exactGauss/min0.2" in entry["id"])
    ranked, b = cohort(entry), entry["result"]["M"]
    sizes, rng = maxstat_sizes(ranked, entry), np.random.default_rng(6)
    maxima = np.concatenate([chain_maxima(sizes, ranked.n, 20_000, rng) for _ in range(50)])
    for threshold in (2.0, 3.0, 4.0, b):
        p = conditional_gaussian(threshold, ranked.n, sizes)
        assert abs(np.mean(maxima >= threshold) - p) <= 4 * sqrt(p / maxima.size)
    assert np.mean(maxima >= b) > entry["result"]["p"]


def test_conditional_gaussian_as_simulated_with_cuts_close_together():
    sizes = range(10_000, 10_051)
    maxima = chain_maxima(sizes, 20_000, 200_000, np.random.default_rng(6))
    for threshold in (1.0, 2.0, 3.0):
        p = conditional_gaussian(threshold, 20_000, sizes)
        assert abs(np.mean(maxima >= threshold) - p) <= 4 * sqrt(p * (1 - p) / maxima.size)


@pytest.mark.parametrize("row", CHECK["results"], ids=lambda row: f"eps{row['eps']}")
def test_the_bound_is_that_of_counts_in_whole_numbers(row):
    scores, sizes = sorted(CHECK["integer_scores"]), range(row["m_lo"], row["m_hi"] + 1)
    bound = union_bound(CHECK["b"], np.array(scores), np.array(sizes))
    np.testing.assert_allclose(bound, plain_bound(CHECK["b"], scores, sizes), rtol=1e-10)


def plain_bound(statistic, scores, sizes):
    """Hothorn and Lausen's bound from counts in whole numbers, sums of 0 among them."""
    n, total = len(scores), sum(scores)
    counts = {(0, 0): 1}
    for score in scores:
        for (m, s), ways in list(counts.items()):
            counts[m + 1, s + score] = counts.get((m + 1, s + score), 0) + ways
    spread = n * sum(score**2 for score in scores) - total**2

    def beyond(m, s):
        return abs(s - m * total / n) > statistic * sqrt(m * (n - m) / (n**2 * (n - 1)) * spread)

    bound = Fraction(0)
    for place, m in enumerate(sizes):
        for (size, s), ways in counts.items():
            if size == m and beyond(m, s):
                bound += Fraction(ways, comb(n, m))
                last = place + 1 == len(sizes)
                extreme = s + max(scores) if s < m * total / n else s
                if not last and extreme <= total and beyond(m + 1, extreme):
                    bound -= Fraction(ways, comb(n, m))
    return float(bound)


# --- Permutation against R ----------------------------------------


@entries("^scan/maxstat_p/.*/condMC/")
def test_permutation_variance_as_r(entry):
    ranked, expected = cohort(entry), entry["result"]
    sizes, b = maxstat_sizes(ranked, entry), 20_000
    maxima = permuted(ranked, sizes, 1, 0, b, np.random.default_rng(11))
    # R counts strictly above.
    share = np.mean(maxima > expected["M"] ** 2 * (1 + 1e-9))
    pooled = (share * b + expected["p"] * expected["B"]) / (b + expected["B"])
    error = sqrt(pooled * (1 - pooled) * (1 / b + 1 / expected["B"]))
    assert abs(share - expected["p"]) <= 4 * error + 2 / b


@pytest.mark.parametrize("row", [*CHECK["results"], {"m_lo": 1, "m_hi": 27, **CHECK["all27"]}])
def test_nulls_of_the_published_chi_square_as_r(row):
    ranked, b = rank_cohort(np.arange(28), np.arange(28), np.ones(28)), 100_000
    sizes = np.arange(row["m_lo"], row["m_hi"] + 1)
    for kind, name, theirs in ((1, "MC_survdiff", 4000), (0, "MC_permvar", 200_000)):
        expected = row.get(name + "_ge", row.get(name + "_all27"))
        maxima = permuted(ranked, sizes, 1, kind, b, np.random.default_rng(5))
        error = sqrt(expected * (1 - expected) * (1 / b + 1 / theirs))
        assert abs(np.mean(maxima >= CHECK["chi"]) - expected) <= 4 * error


@entries("^perm_survdiff/ovarian_age")
def test_permutation_of_the_exact_log_rank_as_r(entry):
    ranked, expected = cohort(entry), entry["result"]
    frame = pd.read_csv(REFERENCE / "ovarian.csv", float_precision="round_trip")
    test = permutation_test(frame["age"], frame["futime"], frame["fustat"], rng=np.random.default_rng(2), min_group=3)
    np.testing.assert_allclose(test.chi2, expected["obs"], rtol=1e-8)
    assert test.p < 0.002
    maxima = permuted(ranked, ranked.candidates(), 3, 1, 20_000, np.random.default_rng(3))
    for level, quantile in ((0.5, "q50"), (0.9, "q90"), (0.95, "q95")):
        error = sqrt(level * (1 - level) * (1 / expected["B"] + 1 / 20_000))
        assert abs(np.mean(maxima <= expected["null_quantiles"][quantile]) - level) <= 4 * error


# --- Permutation against every permutation ----------------------------------------


def plain_chi2(high, time_days, event):
    """One-cut log-rank chi-square from its definition."""
    excess = variance = Fraction(0)
    for t in sorted({s for s, e in zip(time_days, event, strict=True) if e}):
        rows = [(g, s, e) for g, s, e in zip(high, time_days, event, strict=True) if s >= t]
        n, n_high = len(rows), sum(g for g, _, _ in rows)
        d = sum(s == t and e for _, s, e in rows)
        excess += sum(g and s == t and e for g, s, e in rows) - Fraction(d * n_high, n)
        if n > 1:
            variance += Fraction(d * n_high * (n - n_high) * (n - d), n * n * (n - 1))
    return float(excess**2 / variance) if variance else 0.0


def plain_score_chi2(high, scores):
    """One-cut permutation-variance chi-square from its definition."""
    n, m, mean = len(scores), sum(high), sum(scores) / len(scores)
    spread = sum((score - mean) ** 2 for score in scores) / (n - 1)
    excess = sum(score for score, side in zip(scores, high, strict=True) if side) - m * mean
    return float(excess**2 / (spread * Fraction(m * (n - m), n))) if spread else 0.0


def plain_maximum(x, time_days, event, kind, min_group):
    cuts = [c for c in sorted(set(x))[:-1] if min_group <= sum(v <= c for v in x) <= len(x) - min_group]
    if kind == "pairs":
        chi2 = scan_two(x, time_days, event, min_group=min_group).chi2
        return float(chi2.max())
    if kind == "scores":
        later = [sum(s > t for s in time_days) for t in time_days]
        scores = [
            e - sum(Fraction(f, later[j] + 1) for j, f in enumerate(event) if time_days[j] <= t)
            for t, e in zip(time_days, event, strict=True)
        ]
        return max(plain_score_chi2([v > c for v in x], scores) for c in cuts)
    return max(plain_chi2([v > c for v in x], time_days, event) for c in cuts)


SMALL = [1, 1, 2, 3, 4, 6], [5, 3, 3, 8, 1, 8], [1, 1, 0, 1, 1, 0]


@pytest.mark.parametrize("min_group", [1, 2])
@pytest.mark.parametrize(
    ("kind", "statistic", "cuts"),
    [("log-rank", LOG_RANK, 1), ("scores", PERMUTATION_VARIANCE, 1), ("pairs", LOG_RANK, 2)],
)
def test_the_kernel_on_every_permutation(kind, statistic, cuts, min_group):
    x, time_days, event = SMALL
    ranked = rank_cohort(*SMALL)
    orders = np.array(list(permutations(range(6))))
    maxima = permuted_maxima(orders, ranked.for_kernels(), ranked.candidates(), min_group, KINDS[statistic, cuts])
    rows = ranked.order[orders]
    for row, found in list(zip(rows, maxima, strict=True))[:: 1 if kind == "scores" else 5]:
        again = [time_days[i] for i in row], [event[i] for i in row]
        np.testing.assert_allclose(found, plain_maximum(x, *again, kind, min_group), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("min_group", [1, 2])
@pytest.mark.parametrize(("kind", "statistic"), [("log-rank", LOG_RANK), ("scores", PERMUTATION_VARIANCE)])
def test_permutation_p_is_near_the_exhaustive_one(kind, statistic, min_group):
    x, time_days, event = SMALL
    observed = plain_maximum(*SMALL, kind, min_group)
    maxima = [
        plain_maximum(x, [time_days[i] for i in row], [event[i] for i in row], kind, min_group)
        for row in permutations(range(6))
    ]
    exact = np.mean(np.array(maxima) >= observed - 1e-9)
    test = permutation_test(
        *SMALL, rng=np.random.default_rng(7), replicates=40_000, statistic=statistic, min_group=min_group
    )
    np.testing.assert_allclose(test.chi2, observed, rtol=1e-9)
    assert abs(test.p - exact) <= 4 * sqrt(exact * (1 - exact) / 40_000) + 1 / 40_000
    assert test.p == (1 + test.exceedances) / 40_001


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=4, max_size=7), st.data())
def test_hothorn_lausen_bounds_every_permutation(scores, data):
    n = len(scores)
    if len(set(scores)) == 1:
        scores[0] += 1
    sizes = sorted(data.draw(st.sets(st.integers(1, n - 1), min_size=1)))
    mean = sum(scores) / n
    spread = sum((score - mean) ** 2 for score in scores) / (n - 1)
    maxima = np.zeros(factorial(n))
    for k, row in enumerate(permutations(scores)):
        maxima[k] = max(abs(sum(row[:m]) - m * mean) / sqrt(spread * m * (n - m) / n) for m in sizes)
    threshold = data.draw(st.sampled_from(sorted(set(maxima.round(9))))) * (1 - 1e-8)
    whole = np.sort(np.array(scores) - min(scores))
    bound = union_bound(threshold, whole, np.array(sizes))
    exact = np.mean(maxima > threshold)
    assert exact <= bound + 1e-12
    if len(sizes) == 1:
        np.testing.assert_allclose(bound, exact, rtol=1e-9)
    singles = sum(
        np.mean([abs(sum(c) - m * mean) / sqrt(spread * m * (n - m) / n) > threshold for c in combinations(scores, m)])
        for m in sizes
    )
    assert bound <= singles + 1e-12


# --- Identities ----------------------------------------


@pytest.mark.parametrize("b", [0.3, 1.0, 2.4, 5.0, 9.0])
def test_one_cut_needs_no_correction(b):
    raw = 2 * stats.norm.sf(b)
    np.testing.assert_allclose(conditional_gaussian(b, 28, [11]), raw, rtol=1e-12)
    np.testing.assert_allclose(lausen_schumacher_1994(b, 28, [11]), raw, rtol=1e-12)
    np.testing.assert_allclose(bonferroni(raw, 1), raw)


@pytest.mark.parametrize(("n", "sizes"), [(28, (5, 22)), (28, (1, 2)), (500, (240, 241)), (28, (3, 9, 14, 27))])
@pytest.mark.parametrize("b", [0.5, 1.5, 2.5, 3.5])
def test_conditional_gaussian_is_the_multivariate_normal(n, sizes, b):
    m = np.array(sizes, float)
    low, high = np.minimum.outer(m, m), np.maximum.outer(m, m)
    correlation = np.sqrt(low * (n - high) / (high * (n - low)))
    inside = stats.multivariate_normal(np.zeros(m.size), correlation, maxpts=2_000_000, abseps=1e-9, releps=1e-9)
    expected = 1 - inside.cdf(np.full(m.size, b), lower_limit=np.full(m.size, -b))
    np.testing.assert_allclose(conditional_gaussian(b, n, sizes), expected, atol=3e-5)


@pytest.mark.parametrize("b", [1.2, 2.4, 4.0, 8.0, 12.0])
def test_conditional_gaussian_keeps_its_digits_in_the_tail(b):
    n, sizes, raw = 28, (3, 14, 25), 2 * stats.norm.sf(b)
    assert raw < conditional_gaussian(b, n, range(1, 28)) < min(1, 27 * raw)

    def both(low, high):
        rho = sqrt(low * (n - high) / (high * (n - low)))
        scale = sqrt(1 - rho**2)

        def density(y):
            return stats.norm.pdf(y) * (stats.norm.sf((b - rho * y) / scale) + stats.norm.sf((b + rho * y) / scale))

        return 2 * integrate.quad(density, b, b + 12, epsabs=0, epsrel=1e-10)[0]

    # The inequalities of Bonferroni and Worsley differ by the chance that the outer cuts exceed together.
    upper = 3 * raw - both(3, 14) - both(14, 25)
    assert upper - both(3, 25) - 1e-12 * raw <= conditional_gaussian(b, n, sizes) <= upper + 1e-9 * raw


def test_more_cuts_never_make_a_smaller_p():
    p = [conditional_gaussian(2.4, 100, range(low, 101 - low)) for low in (40, 20, 10, 5, 1)]
    assert p == sorted(p)
    p = [miller_siegmund(2.4, low, 1 - low) for low in (0.4, 0.2, 0.1, 0.05, 0.01)]
    assert p == sorted(p)


def example(seed=1, n=40, effect=0.0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    return x, rng.exponential(900, n) * np.exp(-effect * x), (rng.random(n) < 0.7).astype(int)


def test_compare_returns_every_method_once_and_no_minimum():
    frame = compare(*example(effect=0.9), rng=np.random.default_rng(1), replicates=500, min_group=3).to_frame()
    assert not frame.duplicated(["statistic", "method"]).any()
    assert len(frame) == 6 + 6 + 1
    for name, scanner in ((LOG_RANK, scan_one), (PERMUTATION_VARIANCE, scan_one_permutation_variance)):
        best = scanner(*example(effect=0.9), min_group=3).best
        rows = frame[frame["statistic"] == name]
        assert (rows["chi2"] == best.chi2).all()
        assert (rows["cut"] == best.cut).all()
        p = rows.set_index("method")["p"]
        np.testing.assert_allclose(p["none"], stats.chi2.sf(best.chi2, 1))
        assert p.drop("none").min() > p["none"]
        np.testing.assert_allclose(p["Bonferroni"], 35 * p["none"])
        assert p["Bonferroni"] < 1
        np.testing.assert_allclose(p["conditional Gaussian"], conditional_gaussian(sqrt(best.chi2), 40, range(3, 38)))


def test_compare_two_cuts():
    data = example(n=25, effect=3.0)
    result = compare(*data, rng=np.random.default_rng(1), replicates=300, cuts=2, min_group=4)
    frame, best = result.to_frame(), scan_two(*data, min_group=4).best
    assert frame["method"].tolist() == ["none", "Bonferroni", "permutation"]
    assert (frame["chi2"] == best.chi2).all()
    assert frame["cut"][0] == (best.cut_low, best.cut_high)
    # The lower cut leaves 4 to 17 patients below it, the upper one 4 in the middle and above: 14 + ... + 1.
    np.testing.assert_allclose(frame["p"][1], 105 * stats.chi2.sf(best.chi2, 2), rtol=1e-9)
    assert frame["p"][1] < 1
    assert frame["p"][2] > frame["p"][0]


def test_compare_says_when_a_method_does_not_apply():
    frame = compare(*example(n=220), rng=np.random.default_rng(1), replicates=20).to_frame()
    row = frame[frame["method"].str.startswith("Hothorn")].iloc[0]
    assert np.isnan(row["p"])
    assert "200" in row["source"]


# --- Seeds, workers, errors ----------------------------------------


def test_the_number_of_workers_changes_nothing():
    def run(**options):
        return permutation_test(*example(), rng=np.random.default_rng(9), replicates=2500, **options)

    alone = run()
    assert alone == run(n_jobs=2)
    with joblib.parallel_config(backend="threading", n_jobs=3):
        assert alone == run()
    assert alone != permutation_test(*example(), rng=np.random.default_rng(10), replicates=2500)


def test_a_permutation_p_is_never_zero():
    x = np.arange(60.0)
    test = permutation_test(x, 100 - x, np.ones(60), rng=np.random.default_rng(0), replicates=200)
    assert (test.exceedances, test.p) == (0, 1 / 201)


def test_limits_hold_in_the_permutations_too():
    x, time_days, event = example(n=30)
    test = permutation_test(x, time_days, event, rng=np.random.default_rng(0), replicates=400, min_group=8)
    wide = permutation_test(x, time_days, event, rng=np.random.default_rng(0), replicates=400)
    assert test.chi2 <= wide.chi2
    ranked = rank_cohort(x, time_days, event)
    narrow = permuted(ranked, ranked.candidates(), 8, 1, 400, np.random.default_rng(4))
    fixed = ranked.candidates()[(ranked.candidates() >= 8) & (ranked.candidates() <= 22)]
    same = permuted(ranked, fixed, 1, 1, 400, np.random.default_rng(4))
    np.testing.assert_array_equal(narrow, same)
    for kind in (0, 1):
        np.testing.assert_array_equal(
            permuted(ranked, ranked.candidates(), 8, kind, 50, np.random.default_rng(4)),
            permuted(ranked, fixed, 1, kind, 50, np.random.default_rng(4)),
        )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: permutation_test(*example(), rng=np.random.default_rng(1), cuts=3), "expected one of"),
        (
            lambda: permutation_test(*example(), rng=np.random.default_rng(1), statistic=PERMUTATION_VARIANCE, cuts=2),
            "expected one of",
        ),
        (
            lambda: permutation_test(*example(), rng=np.random.default_rng(1), replicates=0),
            "replicates: found 0",
        ),
        (lambda: permutation_test(*example(), rng=42), "rng: found int"),
        (lambda: permutation_test(*example(), rng=np.random.default_rng(1), min_group=1.5), "min_group: found 1.5"),
        (lambda: compare(*example(), rng=np.random.default_rng(1), cuts=3), "cuts: found 3"),
        (lambda: miller_siegmund(2.0, 0.9, 0.1), "expected 0 < low"),
        (lambda: miller_siegmund(2.0, 0.0, 1.0), "expected 0 < low"),
        (lambda: lausen_schumacher_1994(2.0, 28, [0, 1]), "sizes: expected"),
        (lambda: conditional_gaussian(2.0, 28, [5, 5]), "sizes: expected"),
        (lambda: conditional_gaussian(2.0, 28, [27, 28]), "sizes: expected"),
        (lambda: conditional_gaussian(2.0, 28, []), "sizes: expected"),
        (lambda: bonferroni(0.1, 0), "choices: found 0"),
        (lambda: hothorn_lausen(np.arange(201.0), [3]), "at most 200"),
    ],
)
def test_what_cannot_be_computed_is_refused(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_scores_without_spread_are_no_evidence():
    test = hothorn_lausen([0.5, 0.5, 0.5], [1, 2])
    assert (test.statistic, test.p) == (0.0, 1.0)
