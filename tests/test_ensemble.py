"""Follow-ups drawn inside the intervals: against the raw tables read by plain code, theory, and other code."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test
from plain_follow_up import BOOK, PAPER, Row, death, failure, faults, read_rows, zero
from scipy import stats

from survaudit.cohort.assumptions import READINGS, Assumptions
from survaudit.cohort.panels import PANELS
from survaudit.cohort.tables import Supplement
from survaudit.cutpoint.scan import scan_one
from survaudit.errors import InputError, SourceFileError
from survaudit.follow_up._many import log_rank_many, scan_many, survival_many
from survaudit.follow_up.complete import FollowUp, read_synthetic, write_follow_up
from survaudit.follow_up.ensemble import PRIORS, Ensemble, Prior, bands, compare_many, draw
from survaudit.survival.curves import log_rank

YEAR = 365.25
# Every choice as the book has it, each reading, and each alternative of each assumption.
CHOICES = {"the book's": Assumptions()} | {
    f"{name}: {value}": chosen for name, value, chosen in Assumptions().one_at_a_time()
}
READING_C = f"cd19_reading: {READINGS['c']}"


@pytest.fixture(scope="module")
def rows(raw_texts: list[str]) -> list[Row]:
    return read_rows(raw_texts)


def plain_assumptions(chosen: Assumptions) -> dict[str, Any]:
    return {name: value for name, value in dataclasses.asdict(chosen).items() if name in BOOK}


def seen(ensemble: Ensemble, place: int) -> list[dict[str, Any]]:
    """One follow-up as plain numbers, None for an endpoint that is not the patient's."""
    found: list[dict[str, Any]] = [{"patient": int(patient)} for patient in ensemble.patients]
    for name in ("OS", "LFS"):
        days, event = ensemble.days[name][place].tolist(), ensemble.event[name][place].tolist()
        for one, day, happened in zip(found, days, event, strict=True):
            absent = day < 0
            assert not (absent and happened)
            one |= {
                f"{name.lower()}_days": None if absent else day,
                f"{name.lower()}_event": None if absent else happened,
            }
    return found


def every_follow_up(ensemble: Ensemble) -> Iterator[tuple[Any, list[dict[str, Any]]]]:
    for place, cut_off in enumerate(ensemble.cut_off.astype("datetime64[D]").astype(object)):
        yield cut_off, seen(ensemble, place)


# ------------------------------------------------------------------ what the tables record


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("prior", PRIORS.values(), ids=PRIORS)
def test_every_follow_up_agrees_with_the_tables(
    supplement: Supplement, rows: list[Row], prior: Prior, choice: str
) -> None:
    chosen = CHOICES[choice]
    own = plain_assumptions(chosen)
    ensemble = draw(supplement.cohort, prior, np.random.default_rng(20), draws=150, assumptions=chosen)
    for cut_off, follow_up in every_follow_up(ensemble):
        assert faults(rows, follow_up, cut_off, own) == []


def test_each_fault_would_be_seen(supplement: Supplement, rows: list[Row]) -> None:
    """The check itself: a follow-up with one thing wrong has exactly that fault."""
    ensemble = draw(supplement.cohort, PRIORS["early"], np.random.default_rng(4), draws=50)
    cut_off, good = next(
        (cut, one) for cut, one in every_follow_up(ensemble) if one[11]["os_event"] and not one[27]["os_event"]
    )
    assert faults(rows, good, cut_off, BOOK) == []
    wrong = [
        (0, {"os_days": 31, "lfs_days": 31}),  # patient 1 dies after 30 days
        (0, {"os_days": 0, "lfs_days": 0}),  # or on the day of infusion, which the interval leaves out
        (1, {"lfs_days": 28}),  # relapse on the day of remission
        (1, {"lfs_event": False}),  # a recorded relapse that does not happen
        (3, {"lfs_days": 5, "lfs_event": True}),  # an endpoint that is not the patient's
        (11, {"lfs_days": 122}),  # relapse after the second collection, which is day 121
        (11, {"os_days": 134}),  # death on the day of the second infusion
        (18, {"lfs_days": 46}),  # relapse on the day of transplantation
        (18, {"lfs_days": 1871}),  # relapse at publication, after this cut-off
        (27, {"os_days": good[27]["os_days"] - 1}),  # lost a day before the cut-off
        (27, {"os_days": good[27]["os_days"] + 1}),  # or seen a day after it
    ]
    for patient, change in wrong:
        bad = [one | change if place == patient else one for place, one in enumerate(good)]
        assert faults(rows, bad, cut_off, BOOK), (patient + 1, change)
    assert faults(rows, [*good[:-1], good[0]], cut_off, BOOK)


@pytest.mark.parametrize("choice", CHOICES)
def test_nobody_is_last_seen_before_a_day_on_which_something_is_known(
    supplement: Supplement, rows: list[Row], choice: str
) -> None:
    chosen = CHOICES[choice]
    own = plain_assumptions(chosen)
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(21), draws=3000, assumptions=chosen)
    for name, bounds in (("OS", death), ("LFS", failure)):
        for column, row in enumerate(rows):
            interval = bounds(row, own)
            if interval is not None:
                assert ensemble.days[name][:, column].min() >= (interval[0] - zero(row, own)).days


def test_a_non_responder_whose_assessment_has_no_day_fails_before_dying(supplement: Supplement) -> None:
    """Two alternatives at once: no day of assessment, and those who never responded count as failed on it."""
    chosen = Assumptions(response_day=0, non_responder_lfs="event at assessment")
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(23), draws=500, assumptions=chosen)
    assert (ensemble.days["LFS"] <= ensemble.days["OS"]).all()


@pytest.mark.parametrize("choice", CHOICES)
def test_what_holds_in_every_draw(supplement: Supplement, choice: str) -> None:
    for prior in PRIORS.values():
        ensemble = draw(supplement.cohort, prior, np.random.default_rng(22), draws=4000, assumptions=CHOICES[choice])
        os, lfs = ensemble.days["OS"], ensemble.days["LFS"]
        assert (lfs <= os).all()
        own = lfs >= 0
        assert not (ensemble.event["OS"] & ~ensemble.event["LFS"])[own].any()
        assert not ensemble.event["LFS"][~own].any()
        assert (own == own[0]).all()
        assert (os >= 0).all()
        assert len(ensemble) == 4000


def test_excluded_patients_have_no_leukaemia_free_survival(supplement: Supplement) -> None:
    excluded = {
        "the book's": [4, 5],
        "non_responder_lfs: event at time zero": [],
        "unassessed_lfs: excluded": [1, 4, 5],
    }
    for choice, patients in excluded.items():
        ensemble = draw(
            supplement.cohort, PRIORS["wide"], np.random.default_rng(1), draws=9, assumptions=CHOICES[choice]
        )
        absent = ensemble.days["LFS"] == -1
        assert ensemble.patients[absent.all(axis=0)].tolist() == patients
        assert absent.sum() == 9 * len(patients)
    assert ensemble.members("LFS", "CART1").sum() == 8
    assert ensemble.members("OS", "CART1").sum() == 11
    assert ensemble.members("OS", "CART1", np.array([2, 3, 12])).sum() == 2


# ------------------------------------------------------------------ distributions, against theory


def fixed(relapse: float, in_remission: float, after: float) -> Prior:
    """Hazards that do not vary, given by their medians."""
    return Prior("fixed", "", (relapse, relapse), (in_remission, in_remission), (after, after))


def test_hazards_lie_in_their_ranges_and_are_even_in_logarithms() -> None:
    for prior in PRIORS.values():
        hazards = prior.hazards(4000, np.random.default_rng(3))
        assert hazards.shape == (4000, 3, 3)
        ranges = (prior.relapse, prior.death_in_remission, prior.death_after_relapse)
        for step, (low, high) in enumerate(ranges):
            medians = math.log(2) / hazards[:, :, step]
            for group in range(3):
                shown = stats.uniform(math.log(low), math.log(high / low))
                assert stats.kstest(np.log(medians[:, group]), shown.cdf).pvalue > 1e-3
                assert medians[:, group].min() >= low * (1 - 1e-12)
                assert medians[:, group].max() <= high * (1 + 1e-12)
        alike = (hazards == hazards[:, :1]).all()
        assert alike == prior.shared == (prior.name == "same")
        # Steps, and groups unless they share, are drawn apart.
        assert abs(np.corrcoef(hazards[:, 0, 0], hazards[:, 0, 1])[0, 1]) < 0.06
        if not prior.shared:
            assert abs(np.corrcoef(hazards[:, 0, 0], hazards[:, 1, 0])[0, 1]) < 0.06


def test_the_cut_off_is_even_over_its_range(supplement: Supplement) -> None:
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(6), draws=45_500)
    first, last = np.datetime64("2020-08-01"), np.datetime64(PAPER)
    days = (ensemble.cut_off - first).astype(int)
    count = int((last - first).astype(int)) + 1
    assert (days.min(), days.max()) == (0, count - 1)
    assert stats.chisquare(np.bincount(days, minlength=count)).pvalue > 1e-3


# CART2 patients, in remission on day 28: the second collection, and the second infusion.
REINFUSED = {13: (93, 108), 17: (722, 732), 16: (545, 559)}


def leaving_by_day(
    medians: tuple[float, float, float], alive: int, days: int, *, recorded: bool
) -> tuple[np.ndarray, np.ndarray]:
    """Chance, up to a factor, of leaving remission on each day from 29 on, and of being in it still at its end.

    Added up over thin slices of time. Whoever leaves before ``alive`` has relapsed and lives on until then; a
    recorded end is a relapse, and comes some time.
    """
    relapse, in_remission, after = (math.log(2) / median for median in medians)
    slices = 50
    t = 28 + (np.arange((days - 28) * slices) + 0.5) / slices
    survives = np.exp(-after * np.maximum(alive - t, 0))
    step = relapse + (0 if recorded else in_remission) * (t >= alive)
    density = step * np.exp(-(relapse + in_remission) * (t - 28)) * survives / slices
    still = np.exp(-(relapse + in_remission) * (np.arange(29, days + 1) - 28)) * (not recorded)
    return density.reshape(-1, slices).sum(axis=1), still


@pytest.mark.parametrize("medians", [(20, 3000, 300), (300, 3000, 40), (40_000, 3000, 100), (100, 200, 100)])
@pytest.mark.parametrize("choice", ["the book's", "relapse_before: publication", READING_C])
@pytest.mark.parametrize("patient", REINFUSED)
def test_a_relapse_is_drawn_given_life_until_the_second_infusion(
    supplement: Supplement, rows: list[Row], patient: int, choice: str, medians: tuple[float, float, float]
) -> None:
    by, alive = REINFUSED[patient]
    row = rows[patient - 1]
    ensemble = draw(
        supplement.cohort, fixed(*medians), np.random.default_rng(31), draws=6000, assumptions=CHOICES[choice]
    )
    days, event = ensemble.days["LFS"][:, patient - 1], ensemble.event["LFS"][:, patient - 1]
    end = (ensemble.cut_off - np.datetime64(row["infused"])).astype(int)
    last = np.full(len(days), by) if choice == "the book's" else end
    chances, still = leaving_by_day(medians, alive, int(last.max()), recorded=choice != READING_C)
    reached = np.concatenate([[0.0], np.cumsum(chances)])
    total = reached[last - 28] + still[last - 29]
    place = days - 29
    spot = np.random.default_rng(0).random(len(days))
    seen = reached[place] + spot * chances[place]
    transformed = np.where(event, seen, reached[last - 28] + spot * still[last - 29]) / total
    assert stats.kstest(transformed, "uniform").pvalue > 1e-3


def spread(days: np.ndarray, cdf: Any) -> np.ndarray:
    """Probability transform of whole days, randomised within each day; even if the theory holds."""
    low, high = cdf(days - 1), cdf(days)
    return low + np.random.default_rng(0).random(len(days)) * (high - low)


def test_a_relapse_bounded_by_the_cut_off_is_truncated_there(supplement: Supplement, rows: list[Row]) -> None:
    """Patient 28, CART+HSCT: nothing but the cut-off, which varies, bounds the relapse."""
    prior = fixed(400, 4000, 300)
    ensemble = draw(supplement.cohort, prior, np.random.default_rng(32), draws=20_000)
    row = rows[27]
    left = (row["transplanted"] - row["infused"]).days
    end = (ensemble.cut_off - np.datetime64(row["infused"])).astype(int)
    rate = math.log(2) * (1 / 400 + 1 / 4000)
    days = ensemble.days["LFS"][:, 27]
    assert ensemble.event["LFS"][:, 27].all()
    transformed = spread(days, lambda t: np.expm1(-rate * (t - left)) / np.expm1(-rate * (end - left)))
    assert stats.kstest(transformed, "uniform").pvalue > 1e-3


def test_an_open_patient_leaves_remission_at_the_sum_of_two_hazards(supplement: Supplement) -> None:
    """Reading (b), patient 19: transplanted on day 46, alive and in remission then, and nothing recorded later."""
    prior = fixed(200, 600, 250)
    chosen = CHOICES[f"cd19_reading: {READINGS['b']}"]
    ensemble = draw(supplement.cohort, prior, np.random.default_rng(33), draws=20_000, assumptions=chosen)
    relapse, in_remission, after = (math.log(2) / median for median in (200, 600, 250))
    days, event = ensemble.days["LFS"][:, 18], ensemble.event["LFS"][:, 18]
    end = (ensemble.cut_off - np.datetime64("2016-09-14")).astype(int)
    leaving = relapse + in_remission
    # Censored, if later than the cut-off: everything before 1300 days is seen, as the first cut-off is day 1417.
    assert end.min() > 1300
    early = days[days <= 1300]
    share = -math.expm1(-leaving * (1300 - 46))
    assert stats.binomtest(len(early), len(days), share).pvalue > 1e-3
    assert event[days <= 1300].all()
    transformed = spread(early, lambda t: -np.expm1(-leaving * (t - 46)) / share)
    assert stats.kstest(transformed, "uniform").pvalue > 1e-3
    # Of those who leave, a share dies in remission, and has one day for both endpoints.
    death_days, died = ensemble.days["OS"][:, 18], ensemble.event["OS"][:, 18]
    left_early = days <= 600
    together = ((death_days == days) & died)[left_early].sum()
    # A relapse may be followed by death on the same whole day, which is rare; it widens the theory a little.
    share_in_remission = in_remission / leaving
    same_day = (1 - share_in_remission) * after * 0.5
    assert stats.binomtest(together, left_early.sum(), share_in_remission + same_day).pvalue > 1e-3
    gap = (death_days - days)[left_early & ~((death_days == days) & died)]
    # After a relapse by day 600 death is seen for 700 days at least.
    assert np.mean(gap <= 700) == pytest.approx(-math.expm1(-after * 700), abs=0.015)


def test_death_of_toxicity_is_even_over_its_days(supplement: Supplement) -> None:
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(34), draws=30_000)
    days = ensemble.days["OS"][:, 0]
    assert stats.chisquare(np.bincount(days, minlength=31)[1:]).pvalue > 1e-3
    assert np.bincount(days).sum() == np.bincount(days)[1:].sum()
    assert (ensemble.days["LFS"][:, 0] == days).all()
    assert ensemble.event["OS"][:, 0].all()


def test_a_non_responder_dies_at_the_hazard_of_the_relapsed(supplement: Supplement) -> None:
    prior = fixed(50, 9000, 400)
    ensemble = draw(supplement.cohort, prior, np.random.default_rng(35), draws=20_000)
    rate = math.log(2) / 400
    days = ensemble.days["OS"][:, 3]  # patient 4: no remission, alive on day 28; 1090 days before the first cut-off
    early = days[days <= 1000]
    share = -math.expm1(-rate * (1000 - 28))
    assert stats.binomtest(len(early), len(days), share).pvalue > 1e-3
    assert stats.kstest(spread(early, lambda t: -np.expm1(-rate * (t - 28)) / share), "uniform").pvalue > 1e-3


def test_groups_have_their_own_hazards_and_patients_share_them(supplement: Supplement) -> None:
    """Correlated within a group, through the hazard they share, and not between groups; unless all share it."""
    for name, between in (("wide", 0.0), ("same", 0.15)):
        ensemble = draw(supplement.cohort, PRIORS[name], np.random.default_rng(36), draws=20_000)
        log_days = np.log(ensemble.days["LFS"][:, [1, 2, 18, 19]])
        matrix = np.corrcoef(log_days.T)
        assert min(matrix[0, 1], matrix[2, 3]) > 0.2
        for one in (0, 1):
            for other in (2, 3):
                found = matrix[one, other]
                assert found > between if between else abs(found) < 0.1


# ------------------------------------------------------------------ compiled loops, against other code


def random_follow_ups(seed: int, rows_: int = 60, n: int = 12, days: int = 9) -> tuple[np.ndarray, np.ndarray]:
    """Many ties, every amount of censoring from none to all."""
    rng = np.random.default_rng(seed)
    time = rng.integers(0, days, (rows_, n)).astype(np.int32)
    event = rng.random((rows_, n)) < np.linspace(0, 1, rows_)[:, None]
    return time, event


@pytest.mark.parametrize("seed", range(5))
def test_log_rank_many_is_the_log_rank_test(seed: int) -> None:
    time, event = random_follow_ups(seed)
    second = np.random.default_rng(seed).permutation(np.arange(12) < 1 + seed)
    excess, variance = log_rank_many(time, event, second)
    other = log_rank_many(time, event, ~second)
    for b in range(len(time)):
        test = log_rank(time[b], event[b], second)
        assert excess[b] == pytest.approx(test.observed[1] - test.expected[1], abs=1e-9)
        assert variance[b] == pytest.approx(test.variance[1, 1], abs=1e-9)
        assert (variance[b] == 0) == (test.df == 0)
        chi2 = excess[b] ** 2 / variance[b] if variance[b] else 0.0
        assert (other[0][b], other[1][b]) == pytest.approx((-excess[b], variance[b]))
        if variance[b] and b % 4 == 0:
            theirs = logrank_test(time[b][~second], time[b][second], event[b][~second], event[b][second])
            assert chi2 == pytest.approx(theirs.test_statistic, rel=1e-6, abs=1e-9)


def test_without_variance_the_compiled_loops_give_zero() -> None:
    """Nobody fails; all fail on one day; one group has left before the only event; each in turn."""
    second = np.array([True, True, False, False])
    time = np.array([[5, 5, 5, 5], [5, 5, 5, 5], [1, 2, 5, 5], [3, 4, 5, 6]], np.int32)
    event = np.array([[0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 1, 0], [0, 0, 0, 1]], bool)
    excess, variance = log_rank_many(time, event, second)
    assert variance.tolist() == excess.tolist() == [0.0] * 4
    for b in range(4):
        assert log_rank(time[b], event[b], second).df == 0
    assert (scan_many(time[:2], event[:2]) == 0).all()
    assert scan_many(time[3:], event[3:]).tolist() == [[0.0, 0.0, 0.0]]


@pytest.mark.parametrize("seed", range(4))
def test_scan_many_is_the_scan(seed: int) -> None:
    time, event = random_follow_ups(seed, rows_=40)
    x = np.arange(12.0)
    found = scan_many(time, event)
    assert found.shape == (40, 11)
    for b in range(40):
        plain = [log_rank(time[b], event[b], x > cut).chi2 for cut in x[:-1]]
        assert found[b] == pytest.approx(plain, abs=1e-8)
        if event[b].any() and max(plain) > 0:
            scan = scan_one(x, time[b].astype(float), event[b])
            assert scan.cut.tolist() == x[:-1].tolist()
            assert found[b] == pytest.approx(scan.chi2, abs=1e-8)


@pytest.mark.parametrize("seed", range(3))
def test_survival_many_is_kaplan_meier(seed: int) -> None:
    time, event = random_follow_ups(seed, rows_=30)
    grid = np.array([0, 1, 3, 4, 8, 20])
    found = survival_many(time, event, grid)
    for b in range(30):
        theirs = KaplanMeierFitter().fit(time[b], event[b]).survival_function_at_times(grid)
        assert found[b] == pytest.approx(theirs.to_numpy(), abs=1e-12)


def test_compare_many_is_the_test_of_each_follow_up(supplement: Supplement) -> None:
    ensemble = draw(supplement.cohort, PRIORS["early"], np.random.default_rng(40), draws=12)
    for panel in PANELS.values():
        found = compare_many(ensemble, panel.endpoint, panel.groups)
        for place in range(12):
            frame = ensemble.follow_up(place, "test").endpoint(panel.endpoint)
            first, second = (frame[frame["group"] == group] for group in panel.groups)
            assert found.n == (len(first), len(second))
            theirs = logrank_test(first["time_days"], second["time_days"], first["event"], second["event"])
            assert found.chi2[place] == pytest.approx(theirs.test_statistic, rel=1e-6)
            assert found.p[place] == pytest.approx(theirs.p_value, rel=1e-6)
            both = pd.concat([first, second])
            test = log_rank(both["time_days"], both["event"], both["group"] == panel.groups[1])
            assert found.excess[place] == pytest.approx(test.observed[1] - test.expected[1])
        assert found.share() == np.mean(found.p < 0.05)
        assert found.to_frame().shape == (12, 3)
    some = compare_many(ensemble, "OS", ("CART1", "CART2"), np.array([2, 3, 12, 13, 19]))
    assert some.n == (2, 2)


def test_a_comparison_without_events_is_none(supplement: Supplement) -> None:
    """Nobody of CART2 or CART+HSCT dies for a thousand years: chi-square 0, P 1."""
    prior = fixed(300, 1e8, 1e8)
    ensemble = draw(supplement.cohort, prior, np.random.default_rng(41), draws=20)
    found = compare_many(ensemble, "OS", ("CART2", "CART+HSCT"))
    assert found.chi2.tolist() == [0.0] * 20
    assert found.p.tolist() == [1.0] * 20


def test_bands_are_quantiles_of_curves(supplement: Supplement) -> None:
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(42), draws=30)
    grid = np.array([0, 50, 200, 1000])
    for endpoint, group, n in (("LFS", "CART1", 9), ("OS", "CART+HSCT", 10)):
        table = bands(ensemble, endpoint, [group], grid)
        curves = []
        for place in range(30):
            frame = ensemble.follow_up(place, "test").endpoint(endpoint)
            own = frame[frame["group"] == group]
            curves.append(KaplanMeierFitter().fit(own["time_days"], own["event"]).survival_function_at_times(grid))
        for name, level in (("q05", 0.05), ("q25", 0.25), ("q50", 0.5), ("q75", 0.75), ("q95", 0.95)):
            assert table[name].to_numpy() == pytest.approx(np.quantile(np.array(curves), level, axis=0), abs=1e-12)
        assert table["n"].eq(n).all()
        assert table["time_days"].tolist() == grid.tolist()


# ------------------------------------------------------------------ seeds, files, errors


def test_the_same_seed_gives_the_same_follow_ups(supplement: Supplement) -> None:
    one, again, other = (draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(s), draws=30) for s in (1, 1, 2))
    for name in ("OS", "LFS"):
        assert (one.days[name] == again.days[name]).all()
        assert (one.event[name] == again.event[name]).all()
        assert (one.days[name] != other.days[name]).any()
    assert (one.cut_off == again.cut_off).all()


def test_drawing_leaves_the_cohort_alone(supplement: Supplement) -> None:
    before = supplement.cohort.copy(deep=True)
    draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(1), draws=3)
    pd.testing.assert_frame_equal(supplement.cohort, before)


def test_selected_follow_ups_are_those_asked_for(supplement: Supplement) -> None:
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(1), draws=10)
    mask = np.arange(10) % 3 == 0
    for kept in (mask, np.flatnonzero(mask)):
        some = ensemble.select(kept)
        assert len(some) == 4
        assert (some.days["OS"][2] == ensemble.days["OS"][6]).all()
        assert (some.event["LFS"][3] == ensemble.event["LFS"][9]).all()
        assert some.cut_off[1] == ensemble.cut_off[3]


def test_a_follow_up_survives_its_file(supplement: Supplement, tmp_path: Path) -> None:
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(1), draws=3)
    one = ensemble.follow_up(2, "a draw, of prior 'wide'")
    path = tmp_path / "new" / "one.csv"
    write_follow_up(one, path)
    again = read_synthetic(path)
    assert again.kind == "SYNTHETIC"
    pd.testing.assert_frame_equal(again.table, one.table, check_dtype=False)
    frame = again.endpoint("LFS")
    assert frame["patient"].tolist() == [p for p in range(1, 29) if p not in (4, 5)]
    assert frame["time_days"].tolist() == ensemble.days["LFS"][2][ensemble.days["LFS"][2] >= 0].tolist()
    assert path.read_text().count("SYNTHETIC,") == 28
    assert again.endpoint("OS", [3, 19])["group"].tolist() == ["CART1", "CART+HSCT"]


def test_a_file_that_hides_its_kind_is_refused(supplement: Supplement, tmp_path: Path) -> None:
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(1), draws=1)
    path = tmp_path / "one.csv"
    write_follow_up(ensemble.follow_up(0, "a draw"), path)
    whole = path.read_text()
    for text, message in [
        (whole.replace("SYNTHETIC", "SUPPLIED", 1), "not marked SYNTHETIC"),
        (whole.replace("kind,", "sort,"), "found columns"),
        (whole.replace("os_days", "days"), "found columns"),
        ("", "make synthetic"),
    ]:
        path.write_text(text)
        with pytest.raises(SourceFileError, match=message):
            read_synthetic(path)
    with pytest.raises(SourceFileError, match="make synthetic"):
        read_synthetic(tmp_path / "none.csv")


@pytest.mark.parametrize("draws", [0, -1, 2.0, True, "10", None])
def test_numbers_of_draws_that_are_none_are_refused(supplement: Supplement, draws: Any) -> None:
    with pytest.raises(InputError, match="draws: found"):
        draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(1), draws=draws)


def test_assumptions_that_contradict_the_dates_are_refused(supplement: Supplement) -> None:
    with pytest.raises(InputError, match="response_day"):
        draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(1), assumptions=Assumptions(response_day=40))


def test_what_is_not_there_is_refused(supplement: Supplement) -> None:
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(1), draws=2)
    with pytest.raises(InputError, match="nobody with LFS in CART1"):
        compare_many(ensemble, "LFS", ("CART1", "CART2"), np.array([4, 5, 12]))
    one: FollowUp = ensemble.follow_up(0, "a draw")
    with pytest.raises(InputError, match="endpoint: found 'EFS'"):
        one.endpoint("EFS")
    with pytest.raises(InputError, match="patients: found none with LFS"):
        one.endpoint("LFS", [4])
