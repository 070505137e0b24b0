"""Curves, restricted means, the log-rank test and hazards, against other code and identities.

What R finds on public data is compared in `test_validation.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import lifelines
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from lifelines.datasets import load_gbsg2, load_lung
from lifelines.statistics import multivariate_logrank_test
from scipy import optimize, stats

from survaudit.errors import InputError
from survaudit.survival.curves import (
    kaplan_meier,
    log_rank,
    restricted_mean,
    restricted_mean_difference,
    reverse_kaplan_meier,
)
from survaudit.survival.hazards import cox, firth_cox, proportional_hazards

REFERENCE = Path(__file__).resolve().parents[1] / "data" / "reference"


def own_copy(name: str) -> pd.DataFrame:
    return pd.read_csv(REFERENCE / f"{name}.csv", float_precision="round_trip")


DATA: dict[str, Callable[[], pd.DataFrame]] = {
    "lung": lambda: load_lung().rename(columns={"status": "event"}),
    "GBSG2": lambda: (
        load_gbsg2()
        .rename(columns={"cens": "event"})
        .assign(tgrade_n=lambda f: f.tgrade.map({"I": 1, "II": 2, "III": 3}))
    ),
    "aml": lambda: own_copy("aml").rename(columns={"status": "event"}),
    "ovarian": lambda: own_copy("ovarian").rename(columns={"futime": "time", "fustat": "event"}),
}


def follow_ups(least: int = 2) -> st.SearchStrategy[tuple[np.ndarray, np.ndarray]]:
    """Small follow-ups with many ties."""
    return st.integers(least, 25).flatmap(
        lambda n: st.tuples(
            hnp.arrays(float, n, elements=st.integers(0, 12).map(float)), hnp.arrays(int, n, elements=st.integers(0, 1))
        )
    )


# ------------------------------------------------------------------ against the likelihood


def model_data(data: str, terms: list[str]) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    sim3 = pd.DataFrame({"time": [1, 2, 3], "event": 1, "x": [1, 1, 0]})
    frame = sim3 if data == "sim3" else DATA[data]()
    if data == "aml":
        frame["xNonmaintained"] = frame.x == "Nonmaintained"
    frame = frame.dropna(subset=terms)
    return frame.time, frame.event, frame[terms]


def penalised(beta: np.ndarray, time: np.ndarray, event: np.ndarray, x: np.ndarray) -> float:
    """Firth's penalised partial likelihood, patient by patient, ties by Breslow: another code than ours."""
    total, information = 0.0, np.zeros((len(beta), len(beta)))
    for i in np.flatnonzero(event):
        at_risk = time >= time[i]
        weights = np.exp(x[at_risk] @ beta)
        total += x[i] @ beta - np.log(weights.sum())
        information += np.atleast_2d(np.cov(x[at_risk], rowvar=False, aweights=weights, ddof=0))
    return float(total + 0.5 * np.linalg.slogdet(information)[1])


@pytest.mark.parametrize(("data", "term"), [("aml", "xNonmaintained"), ("sim3", "x"), ("ovarian", "rx")])
def test_firth_estimate_and_limits_by_the_likelihood_itself(data: str, term: str) -> None:
    time, event, x = model_data(data, [term])
    row = firth_cox(time, event, x).table.loc[term]
    arrays = (time.to_numpy(), event.to_numpy(), x.to_numpy(dtype=float))

    def value(beta: float) -> float:
        return penalised(np.array([beta]), *arrays)

    def slope(beta: float) -> float:
        step = 1e-3  # five points: the error of the slope is of the order of step^4 times the fifth derivative
        nodes = np.array([-2, -1, 1, 2])
        return float(np.array([1, -8, 8, -1]) @ [value(beta + k * step) for k in nodes] / (12 * step))

    best = optimize.brentq(slope, -5, 5, xtol=1e-12)
    assert row["coef"] == pytest.approx(best, abs=1e-8)
    drop = stats.chi2.isf(0.05, 1) / 2
    for limit in ("lower", "upper"):
        assert value(best) - value(np.log(row[limit])) == pytest.approx(drop, abs=1e-8)
    assert row["p"] == pytest.approx(stats.chi2.sf(2 * (value(best) - value(0.0)), 1), abs=1e-8)


# ------------------------------------------------------------------ identities


@given(follow_ups())
def test_without_censoring_the_curve_is_one_minus_the_ecdf(data: tuple[np.ndarray, np.ndarray]) -> None:
    time, _ = data
    curve = kaplan_meier(time, np.ones(len(time)))
    expected = [np.mean(time > t) for t in curve.times]
    np.testing.assert_allclose(curve.survival, expected, atol=1e-12)
    tau = float(time.max()) + 1
    mean = restricted_mean(curve, tau)
    assert mean.estimate == pytest.approx(time.mean())
    assert mean.variance == pytest.approx(time.var() / len(time))  # of a plain mean


@given(follow_ups())
def test_numbers_at_risk_are_counted_just_before(data: tuple[np.ndarray, np.ndarray]) -> None:
    time, event = data
    days = np.array([0, 0.5, 1, 3, 7.5, 12, 13])
    expected = [sum(t >= day for t in time) for day in days]
    assert kaplan_meier(time, event).at_risk_at(days).tolist() == expected


@given(follow_ups())
def test_curve_agrees_with_lifelines(data: tuple[np.ndarray, np.ndarray]) -> None:
    time, event = data
    curve = kaplan_meier(time, event)
    other = lifelines.KaplanMeierFitter().fit(time, event)
    np.testing.assert_allclose(curve.survival, other.survival_function_at_times(curve.times), atol=1e-12)


@given(follow_ups())
def test_curve_times_reverse_curve_is_the_share_still_followed(data: tuple[np.ndarray, np.ndarray]) -> None:
    """Where events and censorings do not coincide, the two curves multiply to #{T > t} / n."""
    time, event = data
    time = time + 0.5 * (1 - event)
    both = kaplan_meier(time, event).survival * reverse_kaplan_meier(time, event).survival
    np.testing.assert_allclose(both, [np.mean(time > t) for t in np.unique(time)], atol=1e-12)


def test_median_in_the_middle_of_a_stretch_at_one_half() -> None:
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 1, 1]).median == 2.5
    assert kaplan_meier([1, 2, 3, 4], [1, 1, 0, 0]).median == 2
    assert np.isnan(kaplan_meier([1, 2, 3, 4], [1, 0, 0, 0]).median)


def test_limits_where_nothing_or_everything_has_happened() -> None:
    curve = kaplan_meier([1, 2, 3], [0, 1, 1])
    assert curve.lower[0] == curve.upper[0] == 1
    assert np.isnan([curve.lower[-1], curve.upper[-1], curve.std_error[-1]]).all()
    wide, narrow = (kaplan_meier([1, 2, 3], [1, 1, 1], level=level) for level in (0.95, 0.5))
    assert (wide.lower[:2] < narrow.lower[:2]).all()
    assert (wide.upper[:2] > narrow.upper[:2]).all()


def test_curve_is_not_known_after_the_last_censoring() -> None:
    assert np.isnan(kaplan_meier([1, 2], [1, 0]).survival_at([2.001])).all()
    assert kaplan_meier([1, 2], [0, 1]).survival_at([0, 1, 2, 3]).tolist() == [1, 1, 0, 0]


def test_restricted_mean_is_refused_where_the_curve_is_not_known() -> None:
    curve = kaplan_meier([1, 2, 5], [1, 1, 0], label="CART1")
    with pytest.raises(InputError, match=r"5, the last observation of CART1"):
        restricted_mean(curve, 5.01)
    for tau in (0, -1, float("nan"), float("inf")):
        with pytest.raises(InputError):
            restricted_mean(curve, tau)
    gone = kaplan_meier([1, 2, 5], [1, 1, 1])
    assert [restricted_mean(gone, tau).n_events for tau in (0.5, 2, 9)] == [0, 2, 3]
    assert restricted_mean(gone, 9).estimate == restricted_mean(gone, 5).estimate == pytest.approx(8 / 3)


@pytest.mark.parametrize("groups", [2, 3])
@given(data=st.data())
def test_log_rank_agrees_with_lifelines_and_sums_to_the_events(groups: int, data: st.DataObject) -> None:
    time, event = data.draw(follow_ups(4))
    group = data.draw(hnp.arrays(int, len(time), elements=st.integers(0, groups - 1)))
    group[:groups] = range(groups)
    test = log_rank(time, event, group)
    assert test.observed.sum() == pytest.approx(event.sum())
    assert test.expected.sum() == pytest.approx(event.sum())
    np.testing.assert_allclose(test.variance.sum(axis=0), 0, atol=1e-12)
    if test.df == groups - 1:  # else lifelines has a singular matrix
        other = multivariate_logrank_test(time, group, event)
        assert test.chi2 == pytest.approx(other.test_statistic, rel=1e-8, abs=1e-10)
        assert test.p == pytest.approx(other.p_value, rel=1e-8)


@given(st.data())
def test_log_rank_is_the_cox_score_test_without_ties(data: st.DataObject) -> None:
    n = data.draw(st.integers(4, 15))
    time = np.array(data.draw(st.permutations(range(1, n + 1))), float)
    event = data.draw(hnp.arrays(int, n, elements=st.integers(0, 1)))
    x = np.arange(n) % 2
    score = information = 0.0
    for i in np.flatnonzero(event):
        at_risk = time >= time[i]
        share = x[at_risk].mean()
        score += x[i] - share
        information += share * (1 - share)
    test = log_rank(time, event, x)
    expected = score**2 / information if information else 0.0
    assert test.chi2 == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize(
    ("time", "event"),
    [([1, 2, 3, 4], [0, 0, 0, 0]), ([1, 2, 3, 4], [0, 0, 1, 1])],
    ids=["no event", "no event while both groups are at risk"],
)
def test_log_rank_of_nothing_compared(time: list[int], event: list[int]) -> None:
    test = log_rank(time, event, ["a", "a", "b", "b"])
    assert (test.chi2, test.df, test.p) == (0.0, 0, 1.0)


def test_groups_keep_the_order_of_a_categorical() -> None:
    group = pd.Series(pd.Categorical(["b", "a", "b", "a"], categories=["b", "a", "c"]), index=[9, 8, 7, 6])
    test = log_rank([1, 2, 3, 4], [1, 1, 1, 0], group)
    assert test.groups == ("b", "a")
    assert test.events.tolist() == [2, 1]
    assert test.to_frame()["group"].tolist() == ["b", "a"]


def test_firth_stays_finite_where_the_plain_model_diverges() -> None:
    time, event, early = [1, 2, 3, 7, 8, 9], [1, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0]
    with pytest.raises(InputError, match="firth_cox"):
        cox(time, event, {"early": early})
    row = firth_cox(time, event, {"early": early}).table.loc["early"]
    assert 1 < row["hazard_ratio"] < row["upper"] < np.inf
    mirrored = firth_cox(time, event, {"early": 1 - np.array(early)}).table.loc["early"]
    assert mirrored["hazard_ratio"] == pytest.approx(1 / row["hazard_ratio"], rel=1e-6)
    assert mirrored["lower"] == pytest.approx(1 / row["upper"], rel=1e-6)


@given(st.data())
def test_the_plain_model_is_refused_exactly_where_it_has_no_maximum(data: st.DataObject) -> None:
    """Of two groups, one has all the events that come while both are at risk: then, and only then."""
    time, event = data.draw(follow_ups(4))
    event[0] = 1
    x = np.arange(len(time)) % 2
    mixed = [i for i in np.flatnonzero(event) if 0 < x[time >= time[i]].mean() < 1]
    if len({x[i] for i in mixed}) < 2:
        with pytest.raises(InputError, match="covariates"):
            cox(time, event, {"x": x})
    else:
        assert np.isfinite(cox(time, event, {"x": x}).table).all(axis=None)


def test_the_units_of_time_do_not_matter_to_the_tests() -> None:
    aml = DATA["aml"]()
    x = {"x": aml.x == "Maintained"}
    for scale in (1e-3, 30.4375):
        assert log_rank(aml.time * scale, aml.event, aml.x).chi2 == log_rank(aml.time, aml.event, aml.x).chi2
        pd.testing.assert_frame_equal(
            firth_cox(aml.time * scale, aml.event, x).table, firth_cox(aml.time, aml.event, x).table
        )


# ------------------------------------------------------------------ bad input

GOOD_TIME, GOOD_EVENT = [1.0, 2.0, 3.0, 4.0], [1, 0, 1, 1]
BAD_FOLLOW_UPS = [
    ([1, 2, 3, 4], [1, 2, 3, 4], r"event: found 2 at position 1, 3 at position 2, 4 at position 3, expected 0 or 1"),
    ([1, 2, 3, 4], [1, 0, 0.5, 1], "0.5 at position 2"),
    ([1, 2, 3, 4], [1, 0, np.nan, 1], "event: found nan at position 2"),
    ([1, 2, -3, 4], GOOD_EVENT, "found -3 at position 2, expected no negative days"),
    ([1, np.nan, 3, 4], GOOD_EVENT, "nan at position 1"),
    ([1, np.inf, 3, 4], GOOD_EVENT, "inf at position 1"),
    ([1, 2, 3], GOOD_EVENT, "found 3 times and 4 events"),
    ([], [], "found no patient"),
    ([[1, 2], [3, 4]], GOOD_EVENT, "2 dimensions"),
    (["1", "2", "3", "4"], GOOD_EVENT, "time_days"),
    (np.array(["1", 2, 3, 4], dtype=object), GOOD_EVENT, "found text"),
    ([1, None, 3, 4], GOOD_EVENT, "time_days"),
    (pd.to_datetime(["2020-01-01"] * 4), GOOD_EVENT, "datetime64"),
    (pd.Series([1, None, 3, 4], dtype="Int64"), GOOD_EVENT, "time_days"),
]


@pytest.mark.parametrize(("time", "event", "message"), BAD_FOLLOW_UPS)
def test_what_is_no_follow_up_is_refused_everywhere(time: Any, event: Any, message: str) -> None:
    group = ["a", "b", "a", "b"]
    calls: list[Callable[[], object]] = [
        lambda: kaplan_meier(time, event),
        lambda: reverse_kaplan_meier(time, event),
        lambda: log_rank(time, event, group),
        lambda: firth_cox(time, event, {"x": [1, 0, 1, 0]}),
        lambda: cox(time, event, {"x": [1, 0, 1, 0]}),
        lambda: proportional_hazards(time, event, {"x": [1, 0, 1, 0]}),
    ]
    for call in calls:
        with pytest.raises(InputError, match=message):
            call()


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(InputError) as error:
        kaplan_meier([-1, np.nan, 3], [1, 5, 0])
    assert all(part in str(error.value) for part in ("-1 at position 0", "nan at position 1", "5 at position 1"))


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (["a"] * 4, "found one group"),
        (["a", "b", None, "b"], "no value at position 2"),
        (["a", "b", "a"], "found 3 values for 4 patients"),
    ],
)
def test_bad_groups_are_refused(group: list[str | None], message: str) -> None:
    with pytest.raises(InputError, match=message):
        log_rank(GOOD_TIME, GOOD_EVENT, group)


@pytest.mark.parametrize("model", [firth_cox, cox, proportional_hazards])
@pytest.mark.parametrize(
    ("event", "covariates", "message"),
    [
        (GOOD_EVENT, {"x": ["a", "b", "a", "b"]}, "x: found <U1"),
        (GOOD_EVENT, {"x": [1, 0, 1]}, r"shape \(3,\)"),
        (GOOD_EVENT, {"x": [1, 0, np.nan, 1]}, "x: found a missing"),
        (GOOD_EVENT, {"x": [1, 1, 1, 1]}, "x: found one value"),
        (GOOD_EVENT, {}, "found none"),
        ([0, 0, 0, 0], {"x": [1, 0, 1, 0]}, "found no event"),
    ],
)
def test_bad_covariates_are_refused(
    model: Callable[..., object], event: list[int], covariates: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        model(GOOD_TIME, event, covariates)


def test_models_refuse_what_no_event_compares() -> None:
    with pytest.raises(InputError, match="nothing to compare"):
        firth_cox([1, 2, 3, 4], [0, 0, 1, 1], {"x": [1, 1, 0, 0]})
    with pytest.raises(InputError, match="too few events"):
        proportional_hazards([1, 1, 2, 3], [1, 1, 0, 0], {"x": [1, 0, 1, 0]})


@pytest.mark.parametrize("level", [0, 1, 95, -0.1])
def test_a_level_is_a_probability(level: float) -> None:
    with pytest.raises(InputError, match="level"):
        kaplan_meier(GOOD_TIME, GOOD_EVENT, level=level)
    with pytest.raises(InputError, match="level"):
        firth_cox(GOOD_TIME, GOOD_EVENT, {"x": [1, 0, 0, 1]}, level=level)
    with pytest.raises(InputError, match="level"):
        cox(GOOD_TIME, GOOD_EVENT, {"x": [1, 0, 0, 1]}, level=level)


def test_curves_of_two_levels_are_not_compared() -> None:
    curves = [kaplan_meier(GOOD_TIME, GOOD_EVENT, level=level) for level in (0.9, 0.95)]
    with pytest.raises(InputError, match="level"):
        restricted_mean_difference(*curves, 3)


def test_nothing_is_changed_and_no_result_can_be() -> None:
    time, event, x = np.array([4.0, 2, 3, 1]), np.array([1, 0, 1, 1]), np.array([1, 0, 0, 1])
    before = [array.copy() for array in (time, event, x)]
    curve = kaplan_meier(time, event)
    test = log_rank(time, event, x)
    model = firth_cox(time, event, {"x": x})
    proportional_hazards(time, event, {"x": x})
    for array, copy in zip((time, event, x), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    for array in (curve.survival, curve.at_risk, test.variance):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    frame = model.to_frame()
    frame["p"] = 0
    assert model.table.loc["x", "p"] > 0
