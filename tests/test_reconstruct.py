"""Reconstructed times against known patients, R's IPDfromKM, whole-number enumeration and identities."""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from survaudit.errors import InputError, SourceFileError
from survaudit.figures.curves import draw_reconstruction
from survaudit.follow_up.decoding import DECODED, WITH_NUMBERS, WITHOUT_NUMBERS
from survaudit.follow_up.digitised import Clicks, check_clicks, click, drops, monotone, read_clicks
from survaudit.follow_up.reconstruct import Reconstruction, reconstruct
from survaudit.survival.curves import KaplanMeier, kaplan_meier, restricted_mean
from survaudit.survival.hazards import firth_cox

REFERENCE = Path(__file__).resolve().parents[1] / "data" / "reference"
R = {entry["id"]: entry["result"] for entry in json.loads((REFERENCE / "ipd.json").read_text())["entries"]}
MONTH = 30.4375
Patients = list[tuple[int, int]]


def solve(clicks: Clicks, n: int, **printed: object) -> Reconstruction:
    return reconstruct(clicks, n, arm="arm", endpoint="OS", **printed)  # type: ignore[arg-type]


# ------------------------------------------------------------------ against R

ARMS = {"radio": 213, "radioplus": 211}


def radiation(arm: str) -> tuple[Clicks, dict[float, int]]:
    """Clicks of the trial in R's package, a pixel being about half a per cent, and its numbers at risk."""
    points = pd.read_csv(REFERENCE / f"ipd_{arm}.csv", float_precision="round_trip")
    table = pd.read_csv(REFERENCE / "ipd_risktable.csv").dropna()
    printed = dict(zip((table["trisk"] * MONTH).tolist(), table[f"nrisk.{arm}"].astype(int), strict=True))
    return check_clicks(points["V1"], points["V2"] / 100, unit="months"), printed


@pytest.mark.parametrize("arm", ARMS)
def test_numbers_at_risk_give_what_ipdfromkm_finds(arm: str) -> None:
    clicks, printed = radiation(arm)
    found, theirs = solve(clicks, ARMS[arm], at_risk=printed), R[f"ipd/{arm}"]
    assert found.method == WITH_NUMBERS
    assert found.at_risk["reconstructed"].tolist() == theirs["riskmat"]["nrisk.hat"] == list(printed.values())
    # Both round to whole deaths at every click, in another order: one death in each hundred is allowed.
    assert abs(found.n_events - theirs["events"]) <= 0.01 * theirs["n"]
    other = kaplan_meier(np.array(theirs["time"]) * MONTH, theirs["status"])
    days = np.linspace(0, min(found.curve.last_day, other.last_day), 500)
    apart = np.abs(found.curve.survival_at(days) - other.survival_at(days))
    assert apart.max() <= found.max_distance + theirs["precision"]["max_abserror"] + 0.001
    assert np.mean(apart) <= 2 * clicks.survival_error
    # The median is a day on which the clicks lie at one half, within two errors.
    half = clicks.time_days[np.abs(clicks.survival - 0.5) <= 2 * clicks.survival_error]
    assert half.min() <= found.curve.median <= half.max()
    assert half.min() <= theirs["median"] * MONTH <= half.max()


def test_numbers_at_risk_give_the_hazard_ratio_of_ipdfromkm() -> None:
    ratios = []
    for arms in (
        [solve(clicks, ARMS[arm], at_risk=printed).follow_up for arm in ARMS for clicks, printed in [radiation(arm)]],
        [pd.Series({"time_days": R[f"ipd/{arm}"]["time"], "event": R[f"ipd/{arm}"]["status"]}) for arm in ARMS],
    ):
        group = np.repeat([0, 1], [len(one.event) for one in arms])
        time, event = (
            np.concatenate([np.asarray(getattr(one, name)) for one in arms]) for name in ("time_days", "event")
        )
        ratios.append(firth_cox(time, event, {"plus": group}).table.loc["plus", ["coef", "std_error"]].to_numpy(float))
    assert abs(ratios[0][0] - ratios[1][0]) <= 0.25 * ratios[1][1]


@pytest.mark.parametrize("arm", ARMS)
def test_without_numbers_at_risk_fewer_deaths_are_invented(arm: str) -> None:
    clicks, _ = radiation(arm)
    found = solve(clicks, ARMS[arm])
    best, naive = R[f"ipd/{arm}"]["events"], R[f"ipd/{arm}_notable"]["events"]
    assert found.method == WITHOUT_NUMBERS
    low, high = found.events_range
    assert low <= best <= high
    assert high == naive  # the extreme in which nobody is censored before the end is what R assumes
    assert abs(found.n_events - best) <= 0.6 * abs(naive - best)
    # The printed number of events alone settles most of what the numbers at risk would.
    assert abs(solve(clicks, ARMS[arm], events=best).n_events - best) <= 1


# ------------------------------------------------------------------ small arms, exact curves


def exact_curve(patients: Patients) -> tuple[list[tuple[int, Fraction, int, int]], Clicks]:
    """Days, levels, at risk and deaths of each drop in fractions, and clicks on both ends of every level."""
    level, steps = Fraction(1), []
    points = [(0, Fraction(1))]
    for day in sorted({time for time, event in patients if event}):
        at_risk = sum(time >= day for time, _ in patients)
        deaths = sum(time == day and event == 1 for time, event in patients)
        points.append((day, level))
        level *= Fraction(at_risk - deaths, at_risk)
        points.append((day, level))
        steps.append((day, level, at_risk, deaths))
    points.append((max(time for time, _ in patients), level))
    days, levels = zip(*points, strict=True)
    return steps, check_clicks(days, [float(one) for one in levels], time_error=0, survival_error=0)


def patients_of(least: int = 2, most: int = 11) -> st.SearchStrategy[Patients]:
    one = st.tuples(st.integers(1, 60), st.integers(0, 1))
    return st.lists(one, min_size=least, max_size=most)


def enumerate_decodings(levels: list[Fraction], n: int) -> set[tuple[tuple[int, int], ...]]:
    """All whole numbers at risk and deaths that give exactly these levels, by trying every one."""
    found = {((), n)}
    for before, level in pairwise([Fraction(1), *levels]):
        found = {
            ((*path, (at_risk, deaths)), at_risk - deaths)
            for path, left in found
            for at_risk in range(1, left + 1)
            for deaths in range(1, at_risk + 1)
            if before * Fraction(at_risk - deaths, at_risk) == level
        }
    return {path for path, _ in found}


@given(patients_of())
def test_an_exact_curve_of_a_small_arm_gives_its_patients_or_says_that_it_cannot(patients: Patients) -> None:
    steps, clicks = exact_curve(patients)
    found = solve(clicks, len(patients))
    assert found.method == DECODED
    assert found.complete
    everything = enumerate_decodings([level for _, level, _, _ in steps], len(patients))
    assert found.n_decodings == len(everything) == len(found.alternatives)
    deaths = sorted(time for time, event in patients if event)
    same = [one for one in found.alternatives if one.time_days[one.event == 1].tolist() == deaths]
    assert same
    if found.n_decodings == 1:
        assert found.follow_up.time_days[found.follow_up.event == 1].tolist() == deaths
    # All decodings draw the very curve that was clicked, and count all patients.
    for one in found.alternatives:
        curve = kaplan_meier(one.time_days, one.event)
        assert curve.n == len(patients)
        np.testing.assert_allclose(curve.survival_at([s[0] for s in steps]), [float(s[1]) for s in steps], atol=1e-12)
        assert (one.earliest <= one.time_days).all()
        assert (one.time_days <= one.latest).all()
        assert one.time_days.max() == max(time for time, _ in patients)
    assert found.max_distance <= 1e-12


@given(patients_of())
def test_the_days_of_each_censoring_hold_the_true_one(patients: Patients) -> None:
    _, clicks = exact_curve(patients)
    found = solve(clicks, len(patients))
    assume(found.n_decodings == 1)
    own, follow_up = sorted(time for time, event in patients if not event), found.follow_up
    censored = follow_up.event == 0
    assert len(own) == censored.sum()
    assert (follow_up.earliest[censored] <= own).all()
    assert (own <= follow_up.latest[censored]).all()


@given(patients_of(), st.integers(1, 60))
def test_printed_numbers_are_met_and_only_narrow_the_choice(patients: Patients, day: int) -> None:
    _, clicks = exact_curve(patients)
    day = min(day, max(time for time, _ in patients))
    printed = {0: len(patients), day: sum(time >= day for time, _ in patients)}
    deaths = sum(event for _, event in patients)
    free, bound = solve(clicks, len(patients)), solve(clicks, len(patients), at_risk=printed, events=deaths)
    assert 1 <= bound.n_decodings <= free.n_decodings
    assert bound.events_range == (deaths, deaths)
    for one in bound.alternatives:
        assert kaplan_meier(one.time_days, one.event).at_risk_at([day]) == printed[day]
    assert (bound.at_risk["printed"] == bound.at_risk["reconstructed"]).all()


def test_of_two_decodings_that_fit_alike_the_one_with_fewer_deaths_is_taken_and_both_are_told() -> None:
    _, clicks = exact_curve([(9, 1), (15, 0), (15, 0), (21, 1), (30, 0)])
    found = solve(clicks, 5)
    assert (found.n_decodings, found.n_events, found.events_range) == (2, 2, (2, 3))
    assert solve(clicks, 5, events=3).n_events == 3
    assert solve(clicks, 5, at_risk={20: 2}).n_decodings == 1
    row = found.report().iloc[0]
    assert (row["events"], row["events_low"], row["events_high"], row["n_decodings"]) == (2, 2, 3, 2)
    assert list(found.to_frame()) == ["arm", "endpoint", "time_days", "event"]
    assert found.kind == "RECONSTRUCTED"


def test_what_no_whole_numbers_give_is_refused() -> None:
    _, clicks = exact_curve([(9, 1), (21, 1), (30, 0), (30, 0), (30, 0)])
    with pytest.raises(InputError, match=r"level of 0.800 from day 9 .* 4 patients"):
        solve(clicks, 4)
    with pytest.raises(InputError, match="decodings with 2 events, expected the printed 4"):
        solve(clicks, 5, events=4)
    with pytest.raises(InputError, match="printed numbers at risk"):
        solve(clicks, 5, at_risk={15: 2})


@pytest.mark.parametrize(
    ("n", "printed", "message"),
    [
        (5, {"at_risk": {0: 4}}, "on day 0, expected all 5"),
        (5, {"at_risk": {5: 3, 10: 4}}, "never rise"),
        (5, {"at_risk": {50: 1}}, "after the last click"),
        (5, {"events": 6}, "expected from 0 to 5"),
        (0, {}, "at least 1"),
    ],
)
def test_printed_numbers_that_cannot_be_are_refused(n: int, printed: dict[str, object], message: str) -> None:
    _, clicks = exact_curve([(9, 1), (21, 1), (30, 0), (30, 0), (30, 0)])
    with pytest.raises(InputError, match=message):
        solve(clicks, n, **printed)


# ------------------------------------------------------------------ known patients, clicked with noise


def cohort(n: int, rng: np.random.Generator, mean: float = 500) -> KaplanMeier:
    """Whole days of patients who enter evenly over time, with one event at least."""
    while True:
        death, last = rng.exponential(mean, n), rng.uniform(300, 1500, n)
        if (death <= last).any():
            return kaplan_meier(np.ceil(np.minimum(death, last)), death <= last)


def numbers_at_risk(curve: KaplanMeier) -> dict[float, int]:
    days = np.linspace(0, curve.last_day, 5, endpoint=False).round()
    return dict(zip(days.tolist(), curve.at_risk_at(days).tolist(), strict=True))


def test_small_arms_are_recovered_from_noisy_clicks() -> None:
    rng, right, rounds, distances = np.random.default_rng(7), 0, 150, []
    for _ in range(rounds):
        curve = cohort(int(rng.integers(7, 12)), rng)
        clicks = click(curve, rng=rng)
        found = solve(clicks, curve.n, at_risk=numbers_at_risk(curve))
        low, high = found.events_range
        assert low <= curve.n_events <= high
        right += found.n_events == curve.n_events
        if found.n_events == curve.n_events:
            # Each day of an event is the mean of two clicks: five errors of it are six in ten million.
            known = np.repeat(curve.times, curve.events)
            apart = np.abs(found.follow_up.time_days[found.follow_up.event == 1] - known)
            assert apart.max() <= 5 * clicks.time_error
            tau = 0.9 * curve.last_day
            difference = restricted_mean(found.curve, tau).estimate - restricted_mean(curve, tau).estimate
            assert abs(difference) <= 5 * clicks.time_error
            distances.append(found.rms_distance)
    # A click may be far off in time at a high step, but rarely is.
    assert np.quantile(distances, 0.9) <= 2 * 0.005
    # A level is the mean of four clicks, off by 0.0025; neighbours in whole numbers are mostly 0.01 or more apart.
    assert right >= 0.95 * rounds


@pytest.mark.parametrize("error", [0.002, 0.005])
def test_larger_arms_are_recovered_from_noisy_clicks(error: float) -> None:
    rng = np.random.default_rng(8)
    for _ in range(8):
        curve = cohort(100, rng)
        clicks = click(curve, rng=rng, survival_error=error)
        found = solve(clicks, 100, at_risk=numbers_at_risk(curve))
        # An error in time may bring a death to the other side of a printed day.
        for day, count, own in found.at_risk.itertuples(index=False):
            movable = np.abs(np.repeat(curve.times, curve.events) - day) <= 4 * clicks.time_error
            assert abs(count - own) <= movable.sum()
        # Between two printed numbers a death and a censoring are told apart by the height alone.
        assert abs(found.n_events - curve.n_events) <= len(found.at_risk)
        tau = 0.9 * curve.last_day
        difference = restricted_mean(found.curve, tau).estimate - restricted_mean(curve, tau).estimate
        assert abs(difference) <= (0.005 + error) * tau
        asked = np.linspace(0, tau, 200)
        assert np.mean(np.abs(found.curve.survival_at(asked) - curve.survival_at(asked))) <= 0.005 + error


def test_without_anything_printed_fewer_deaths_are_invented_than_if_nobody_were_censored() -> None:
    rng, ours, naive = np.random.default_rng(9), [], []
    for _ in range(12):
        curve = cohort(100, rng)
        found = solve(click(curve, rng=rng), 100)
        ours.append(found.n_events - curve.n_events)
        naive.append(found.alternatives[2].n_events - curve.n_events)
    assert np.mean(np.abs(ours)) < 0.6 * np.mean(np.abs(naive))


@pytest.mark.parametrize("n", [10, 100])
def test_a_flat_tail_invents_no_deaths(n: int) -> None:
    half = n // 2
    times = np.append(np.linspace(10, 300, half), np.full(n - half, 1000.0))
    curve = kaplan_meier(times, times < 1000)
    for seed in range(12):
        rng = np.random.default_rng(seed)
        tail = np.linspace(320, 1000, 60)
        ends = click(curve, rng=rng)
        clicks = check_clicks(
            np.append(ends.time_days, tail),
            np.append(ends.survival, curve.survival[-1] + rng.normal(0, 0.005, 60)),
            time_error=ends.time_error,
        )
        for printed in ({}, {0.0: n, 500.0: n - half}):
            found = solve(clicks, n, at_risk=printed).follow_up
            assert not ((found.time_days > 330) & (found.event == 1)).any()


@pytest.mark.parametrize("n", [35, 60])
def test_somebody_is_followed_to_the_end_of_a_curve_that_ends_above_nothing(n: int) -> None:
    rng = np.random.default_rng(10)
    for _ in range(25):
        curve = cohort(n, rng, mean=300)
        clicks = click(curve, rng=rng)
        for printed in ({}, {"at_risk": numbers_at_risk(curve)}):
            found = solve(clicks, n, **printed).curve
            if curve.survival[-1] > 0:
                assert found.survival[-1] > 0
                assert found.last_day == clicks.time_days[-1]


def test_numbers_that_lie_on_the_last_day_alone_say_nothing_of_the_way() -> None:
    curve = cohort(100, np.random.default_rng(2))
    clicks = click(curve, rng=np.random.default_rng(2))
    found = solve(clicks, 100, at_risk={0: 100, float(clicks.time_days[-1]): 1})
    assert found.method == WITHOUT_NUMBERS


# ------------------------------------------------------------------ clean-up


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 1)), min_size=2, max_size=30))
def test_clean_clicks_fall_from_one_and_keep_their_days(points: list[tuple[float, float]]) -> None:
    time, survival = zip(*points, strict=True)
    clicks = Clicks(np.sort(time), np.array(survival), 1.0, 0.01, "any")
    days, heights = monotone(clicks)
    assert (days[0], heights[0]) == (0, 1)
    assert days[1:].tolist() == sorted(time)
    assert (np.diff(heights) <= 0).all()
    assert heights.min() >= 0


def test_clicks_at_one_drop_in_the_wrong_order_are_exchanged() -> None:
    clicks = check_clicks([0, 101, 99, 300], [1, 1, 0.5, 0.5], time_error=2, survival_error=0.01)
    assert monotone(clicks)[1].tolist() == [1, 1, 1, 0.5, 0.5]
    assert [(drop.day, drop.height) for drop in drops(clicks, 2)[0]] == [(100, 0.5)]


def test_a_click_on_the_vertical_line_is_no_level() -> None:
    clicks = check_clicks([0, 100, 100, 100, 300], [1, 1, 0.75, 0.5, 0.5], time_error=1, survival_error=0.01)
    assert [drop.height for drop in drops(clicks, 4)[0]] == [0.5]


def test_a_drop_without_a_click_before_it_keeps_its_days_open() -> None:
    clicks = check_clicks([0, 100, 300], [1, 0.5, 0.5], time_error=1, survival_error=0.01)
    (drop,), end = drops(clicks, 2)
    assert (drop.day, drop.earliest, drop.latest, end) == (100, 0, 102, 300)


# ------------------------------------------------------------------ files


def write(folder: Path, text: str) -> Path:
    path = folder / "CART1_OS.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_files_are_read_in_their_unit(tmp_path: Path) -> None:
    clicks = read_clicks(write(tmp_path, "time_months,survival\n0,1\n2,1\n\n2,0.5\n4,0.5\n"))
    assert clicks.time_days.tolist() == [0, 2 * MONTH, 2 * MONTH, 4 * MONTH]
    assert clicks.survival.tolist() == [1, 1, 0.5, 0.5]
    assert clicks.source == "CART1_OS.csv"
    assert clicks.time_error == pytest.approx(0.02 * MONTH)
    assert list(clicks.to_frame()) == ["time_days", "survival"]


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("time_days,survival\n0,100\n9,90\n", ["line 2: found a survival of 100", "line 3", "divide per cents"]),
        ("time_days,survival\n-9,1\n9,-0.5\n", ["line 2: found a time of -9", "line 3: found a survival of -0.5"]),
        ("time_days,survival\n0,1\n9,x\n10\n11,0.5\n", ["line 3: found '9,x'", "line 4: found '10'"]),
        ("time_days,survival\n0,1\n9,nan\n10,inf\n", ["line 3", "line 4", "finite"]),
        ("time_days,survival\n0,1\n50,0.2\n90,0.9\n", ["line 4: found 0.9 after 0.2, expected no rise"]),
        ("time_days,survival\n0,1\n", ["two or more"]),
        ("time_days,survival\n", ["found 0 times", "two or more"]),
        ("time,survival\n0,1\n", ["line 1", "time_months,survival"]),
        ("", ["line 1"]),
    ],
)
def test_every_problem_of_a_file_is_told_with_its_line(tmp_path: Path, text: str, messages: list[str]) -> None:
    with pytest.raises(InputError) as error:
        read_clicks(write(tmp_path, text))
    for message in ["CART1_OS.csv", *messages]:
        assert message in str(error.value)


def test_other_misuse_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceFileError, match=r"nowhere\.csv"):
        read_clicks(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="unit 'weeks'"):
        check_clicks([0, 1], [1, 1], unit="weeks")
    with pytest.raises(InputError, match="click error"):
        check_clicks([0, 1], [1, 1], survival_error=-1)


def test_nothing_passed_in_is_changed() -> None:
    _, clicks = exact_curve([(9, 1), (21, 1), (30, 0)])
    before = replace(clicks, time_days=clicks.time_days.copy(), survival=clicks.survival.copy())
    printed = {0.0: 3, 10.0: 2}
    solve(clicks, 3, at_risk=printed)
    np.testing.assert_array_equal(clicks.survival, before.survival)
    np.testing.assert_array_equal(clicks.time_days, before.time_days)
    assert printed == {0.0: 3, 10.0: 2}


# ------------------------------------------------------------------ the figure


def test_the_figure_says_its_kind_and_shows_every_click() -> None:
    _, clicks = exact_curve([(9, 1), (21, 1), (30, 0)])
    arms = [reconstruct(clicks, 3, arm=arm, endpoint="OS") for arm in ("CART1", "CART2")]
    figure = draw_reconstruction(arms)
    axis = figure.axes[0]
    assert figure.get_suptitle().startswith("RECONSTRUCTED")
    crosses = [line for line in axis.lines if line.get_marker() == "x"]
    assert len(crosses) == 2
    for line in crosses:
        np.testing.assert_allclose(line.get_xdata(), clicks.time_days / MONTH)
        np.testing.assert_allclose(line.get_ydata(), clicks.survival)
    with pytest.raises(InputError, match="arms among"):
        draw_reconstruction([replace(arms[0], arm="other")])
    for one, other in combinations(arms, 2):
        with pytest.raises(InputError, match="one endpoint"):
            draw_reconstruction([one, replace(other, endpoint="LFS")])
