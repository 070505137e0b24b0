"""Worlds without effect, this cohort's guaranteed days, and the kept results: recounted, re-derived and replayed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from survaudit.cohort.assumptions import Assumptions
from survaudit.cohort.endpoints import endpoints
from survaudit.cohort.panels import PANELS
from survaudit.cohort.tables import Supplement
from survaudit.errors import InputError
from survaudit.immortal import guaranteed_days as immortal_days
from survaudit.immortal.episodes import landmark, mantel_byar, permutation_p, split_at_switch
from survaudit.immortal.no_effect import (
    LANDMARKS,
    Cohorts,
    Comparison,
    World,
    comparisons,
    decompose,
    draw_cohorts,
    draw_within,
    rejections,
)
from survaudit.immortal.no_effect_studies import BASE, CODE, GRID, RELAPSE_MEDIANS, studies, world
from survaudit.kept import Study, code_version, read_study
from survaudit.ledger.verdicts import Ledger

FOLLOW_UP = tuple(float(day) for day in range(300, 1700, 50))
WAITS = (32.0, 47.0, 61.0, 105.0, 137.0)


# ------------------------------------------------------------------ the cohort's own days


def raw_days(raw_texts: list[str]) -> dict[int, dict[str, Any]]:
    """Days to the second infusion and the transplantation, from the raw text of Table 2 alone."""
    found = {}
    for block in raw_texts[1].split("\n\n")[1:]:
        cells = [cell.strip("\u3000\t\n ") for cell in block.split("\n\t")]
        dates = {place: date(*map(int, cell.split("/"))) for place, cell in enumerate(cells) if cell.count("/") == 2}
        found[int(cells[0])] = {"cells": cells, "dates": dates}
    return found


def test_guaranteed_days_are_counted_from_the_raw_text(supplement: Supplement, raw_texts: list[str]) -> None:
    """The second date of a row is the first infusion, and the last one what the group is named after."""
    table = immortal_days.guaranteed_days(supplement.cohort).set_index(["endpoint", "patient"])
    for patient, row in raw_days(raw_texts).items():
        ordered = [row["dates"][place] for place in sorted(row["dates"])]
        days = (ordered[-1] - ordered[1]).days if len(ordered) > 2 else 0
        group = table.loc[("OS", patient), "group"]
        assert table.loc[("OS", patient), "guaranteed_days"] == days
        assert table.loc[("LFS", patient), "guaranteed_days"] == (days if group == "CART+HSCT" else 0)


def test_totals_and_person_time_agree(supplement: Supplement) -> None:
    totals = immortal_days.guaranteed_totals(supplement.cohort).set_index(["endpoint", "group"])
    states = immortal_days.person_time(supplement.cohort)
    length = states["to_days"] - states["from_days"]
    dated = length[states["dated"]].groupby(states["group"]).sum()
    for group in ("CART2", "CART+HSCT"):
        assert totals.loc[("OS", group), "total_days"] == dated[group]
        whole = length[states["group"] == group].sum()
        assert totals.loc[("OS", group), "share_at_least"] == pytest.approx(dated[group] / whole, rel=1e-12)
    assert "CART1" not in dated
    assert (totals["guaranteed"] == [0, 7, 10, 0, 0, 10]).all()


@pytest.mark.parametrize("reading", ["relapse", "antigen status after HSCT only"])
def test_windows_with_all_guarantees_are_the_intervals_of_the_book(supplement: Supplement, reading: str) -> None:
    """``endpoints`` derives the same from other code; only the end of observation is another day than publication."""
    cohort = supplement.cohort
    chosen = Assumptions(cd19_reading=reading, non_responder_lfs="event at assessment")
    intervals = {name: part.to_frame().set_index("patient") for name, part in endpoints(cohort, chosen).items()}
    given = {"hsct_relapse_recorded": reading == "relapse", "cut_off": "latest"}
    for letter, panel in PANELS.items():
        frame = immortal_days.windows(cohort, letter, immortal_days.panel_factors(letter), **given).set_index("patient")
        expected, arms = intervals[panel.endpoint].loc[frame.index], panel.groups
        assert set(frame["group"]) == set(arms)
        assert frame["low"].tolist() == expected["left_days"].tolist()
        assert frame["high"].tolist() == expected["right_days"].tolist()
        assert len(frame) == expected["group"].isin(arms).sum()


def test_without_guarantees_every_window_is_the_same(supplement: Supplement) -> None:
    for panel in PANELS:
        frame = immortal_days.windows(supplement.cohort, panel, ())
        assert frame["low"].nunique() == 1
        assert np.isinf(frame["high"]).all()


def test_an_unknown_end_of_observation_is_refused(supplement: Supplement) -> None:
    with pytest.raises(InputError, match="cut_off: found 'someday', expected one of earliest, halfway, latest"):
        immortal_days.follow_up_days(supplement.cohort, "someday")


def test_the_ledger_tells_the_guaranteed_days(ledger: Ledger, raw_texts: list[str]) -> None:
    rows = raw_days(raw_texts)
    waits = sorted((max(row["dates"].values()) - sorted(row["dates"].values())[1]).days
                   for patient, row in rows.items() if patient >= 19)  # fmt: skip
    assert f"{waits[0]} to {waits[-1]} days ({sum(waits)} person-days" in ledger["figure-s1-a"].reason
    assert all(str(waits[0]) in ledger[f"figure-s1-{panel}"].reason for panel in "abcd")
    assert all(
        "no\nanalysis" in row or "no analysis" in row for row in (ledger[f"figure-s1-{p}"].reason for p in "bdf")
    )


# ------------------------------------------------------------------ forwards


@pytest.fixture(scope="module")
def drawn() -> Cohorts:
    return draw_cohorts(World(FOLLOW_UP, WAITS), 3000, np.random.default_rng(4))


def test_groups_are_what_happened(drawn: Cohorts) -> None:
    c = drawn
    left = np.minimum(np.minimum(c.relapse, c.death), c.end)
    hsct, second = c.group == 2, c.group == 1
    assert ((c.transplant < left) == hsct).all()
    assert np.isin(c.transplant[hsct], WAITS).all()
    assert ((c.reinfusion < np.minimum(c.death, c.end)) == second).all()
    assert (c.reinfusion[second] > c.relapse[second]).all()
    assert (c.group[c.relapse < 0] == 0).all()
    assert (c.death[np.isfinite(c.relapse)] > c.relapse[np.isfinite(c.relapse)]).all()
    for k in (0, 1, 2):
        assert (c.group == k).any()


def test_rates_are_those_of_the_world(drawn: Cohorts) -> None:
    chosen = World(FOLLOW_UP, WAITS)
    count = drawn.relapse.size
    remission = drawn.relapse >= 0
    assert abs((~remission).mean() - 0.10) < 4 * np.sqrt(0.1 * 0.9 / count)
    assert (drawn.death > 0).all()
    died = np.isinf(drawn.relapse[remission])
    assert abs(died.mean() - 0.20) < 4 * np.sqrt(0.2 * 0.8 / count)
    # Two constant rates: whoever leaves remission does so at their sum.
    leaving = np.minimum(drawn.relapse, drawn.death)[remission] - chosen.response_day
    assert stats.kstest(leaving, stats.expon(scale=0.8 * 240 / np.log(2)).cdf).pvalue > 0.001
    relapsed = remission & np.isfinite(drawn.relapse)
    after = (drawn.death - drawn.relapse)[relapsed]
    assert stats.kstest(after, stats.expon(scale=180 / np.log(2)).cdf).pvalue > 0.001
    falling = draw_cohorts(World(FOLLOW_UP, WAITS, death_shape=0.5), 500, np.random.default_rng(4))
    relapsed = np.isfinite(falling.relapse) & (falling.relapse >= 0)
    share = ((falling.death - falling.relapse)[relapsed] < 180).mean()
    assert abs(share - 0.5) < 4 * np.sqrt(0.25 / relapsed.sum())


def test_no_treatment_changes_anything(drawn: Cohorts) -> None:
    """The same draws without transplantations and second infusions have the same relapses and deaths."""
    without = World(FOLLOW_UP, WAITS, transplant_percent=0, reinfusion_percent=0)
    other = draw_cohorts(without, 3000, np.random.default_rng(4))
    assert (other.group == 0).all()
    assert (other.death == drawn.death).all()
    assert (other.relapse == drawn.relapse).all()


def names_of(cohorts: Cohorts) -> dict[str, Comparison]:
    return {one.name: one for one in comparisons(cohorts)}


def chi_square(one: Comparison, k: int) -> float:
    from survaudit.immortal._kernels import switch_score

    difference, variance = switch_score(one.time[k], one.event[k], one.switch[k], one.change[k])
    return difference**2 / variance if variance > 0 else 0.0


def test_every_comparison_is_the_helper_on_the_patients_it_names() -> None:
    """Each analysis again, patient by patient, with the functions that a reader would call."""
    cohorts = draw_cohorts(World(FOLLOW_UP, WAITS), 12, np.random.default_rng(9))
    compared = names_of(cohorts)
    for k in range(12):
        relapse, death, end = cohorts.relapse[k], cohorts.death[k], cohorts.end[k]
        transplant, again, group = (a[k] for a in (cohorts.transplant, cohorts.reinfusion, cohorts.group))
        dies = (death <= end).astype(int)
        alive = np.minimum(death, end)
        free = np.where(relapse < 0, np.minimum(28, alive), np.minimum(relapse, alive))
        fails = ((relapse < end) | (dies == 1)).astype(int)
        switch, second = (np.where(np.isinf(a), np.nan, a) for a in (transplant, again))
        everyone = np.ones(len(end), bool)
        relapsed = (relapse >= 0) & (relapse < np.minimum(end, death)) & np.isinf(transplant)

        def byar(time: Any, event: Any, when: Any, kept: Any, **options: Any) -> float:
            return mantel_byar(split_at_switch(time[kept], event[kept], when[kept], **options)).chi2

        late = np.where(np.isinf(relapse), np.nan, relapse)
        expected = {
            "LFS: Mantel-Byar": byar(free, fails, switch, everyone),
            "LFS: Mantel-Byar without CART2": byar(free, fails, switch, group != 1),
            "LFS: Mantel-Byar, CART2 and CART+HSCT": byar(free, fails, switch, group != 0),
            "OS: Mantel-Byar": byar(alive, dies, switch, everyone),
            "OS: Mantel-Byar by state of relapse": byar(alive, dies, switch, everyone, stratum_days=late),
            "OS: second infusion, clock at infusion": byar(alive, dies, second, everyone),
            "OS: second infusion, clock at relapse": byar(alive - relapse, dies, second - relapse, relapsed),
        }
        for day in LANDMARKS:
            inside = np.where(relapse < 0, -1, np.minimum(relapse, alive)) > day
            expected[f"LFS: landmark {day}"] = landmark(free, fails, switch, day).test.chi2
            part = landmark(alive[inside], dies[inside], switch[inside], day)
            expected[f"OS: landmark {day} in remission"] = part.test.chi2
        names = {"A": (0, 2), "B": (1, 2), "C": (0, 2), "D": (1, 2), "E": (0, 1), "F": (0, 1)}
        for panel, arms in names.items():
            kept = np.isin(group, arms)
            time, event = (alive, dies) if panel in "ABE" else (free, fails)
            ever = np.where(group == arms[1], 0.0, np.nan)
            expected[f"panel {panel}"] = byar(time, event, ever, kept)
            if panel in "CF":
                expected[f"panel {panel}, responders"] = byar(time, event, ever, kept & (relapse >= 0))
        assert set(expected) == set(compared)
        for name, chi2 in expected.items():
            assert chi_square(compared[name], k) == pytest.approx(chi2, abs=1e-9), name


def test_rejections_count_what_the_comparisons_give() -> None:
    chosen = World(FOLLOW_UP, WAITS)
    table = rejections(chosen, rng=np.random.default_rng(6), replicates=300, permutations=19).set_index("analysis")
    (child,) = np.random.default_rng(6).spawn(1)
    compared = names_of(draw_cohorts(chosen, 300, child))
    assert list(table.index) == list(compared)
    for name in ("panel D", "LFS: Mantel-Byar"):
        chi2 = [chi_square(compared[name], k) for k in range(300)]
        assert table.loc[name, "rejected"] == pytest.approx(np.mean(np.array(chi2) > 3.8414588), abs=1 / 300)
    assert table["rejected_permuted"].between(0, 1).all()


def test_a_cohort_without_two_groups_is_not_counted() -> None:
    chosen = World(FOLLOW_UP, WAITS, transplant_percent=0)
    table = rejections(chosen, rng=np.random.default_rng(1), replicates=50).set_index("analysis")
    assert table.loc["panel A", "tested"] == 0
    assert np.isnan(table.loc["panel A", "rejected"])
    assert table.loc["panel E", "tested"] > 40
    rare = World(FOLLOW_UP, WAITS, transplant_percent=3)
    table = rejections(rare, rng=np.random.default_rng(1), replicates=200).set_index("analysis")
    assert 0 < table.loc["panel A", "tested"] < 200
    assert 0 <= table.loc["panel A", "rejected"] <= 1


def test_the_permutation_p_of_the_world_is_that_of_the_helper() -> None:
    """Both deal out the transplantations among those in remission; one cohort, many permutations."""
    from survaudit.immortal._kernels import permuted_p

    cohorts = draw_cohorts(World(FOLLOW_UP, WAITS), 1, np.random.default_rng(3))
    one = names_of(cohorts)["OS: Mantel-Byar by state of relapse"]
    rng = np.random.default_rng(1)
    arrays = (one.time[0], one.event[0], one.switch[0], one.change[0], one.until[0])
    compiled = permuted_p(*arrays, rng.random((4000, len(FOLLOW_UP))))
    relapse, alive = cohorts.relapse[0], np.minimum(cohorts.death, cohorts.end)[0]
    switch = np.where(np.isinf(cohorts.transplant[0]), np.nan, cohorts.transplant[0])
    late = np.where(np.isinf(relapse), np.nan, relapse)
    options = {"until_days": np.where(relapse < 0, -1, np.minimum(relapse, alive)), "stratum_days": late}
    found = permutation_p(alive, one.event[0], switch, rng=np.random.default_rng(2), replicates=4000, **options)
    assert abs(found - compiled) < 5 * np.sqrt(0.5 / 4000)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"transplant_percent": 120}, "transplant_percent: found 120, expected 0 to 100"),
        ({"relapse_median": 0, "delay_days": -1}, "relapse_median: found 0.*delay_days: found -1"),
        ({"waits": ()}, "waits: found"),
        ({"follow_up": (0.0, 5.0)}, "follow_up: found"),
        ({"remission_death_percent": 100}, "or nobody relapses"),
    ],
)
def test_a_world_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        World(**({"follow_up": FOLLOW_UP, "waits": WAITS} | options))


# ------------------------------------------------------------------ held


def test_events_lie_in_their_windows_with_the_right_law() -> None:
    low, high = np.array([0.0, 40.0, 100.0, 30.0]), np.array([np.inf, np.inf, 250.0, 31.0])
    found = draw_within(low, high, 90, 4000, np.random.default_rng(2))
    scale = 90 / np.log(2)
    for place, (a, b) in enumerate(zip(low, high, strict=True)):
        assert ((found[:, place] > a) & (found[:, place] <= b)).all()
        law = stats.truncexpon(b=(b - a) / scale, loc=a, scale=scale) if np.isfinite(b) else stats.expon(a, scale)
        assert stats.kstest(found[:, place], law.cdf).pvalue > 0.001


def held_rates(factors: tuple[str, ...], frames: Callable[..., pd.DataFrame]) -> pd.Series:
    table = decompose(frames, factors, median=240, rng=np.random.default_rng(1), replicates=4000)
    return table.set_index("factors")["rejected"]


def test_a_guarantee_is_found_and_nothing_else() -> None:
    """Twenty patients a side; one factor forces the first arm to fail early, the other does nothing."""

    def frames(held: Any) -> pd.DataFrame:
        second = np.repeat([False, True], 20)
        high = np.where(~second & ("early" in held), 60.0, np.inf)
        return pd.DataFrame({"low": 0.0, "high": high, "censor": 500.0, "second": second})

    rates = held_rates(("early", "idle"), frames)
    assert abs(rates[""] - 0.05) < 0.015
    assert rates["early"] > 0.95
    assert abs(rates["idle"] - rates[""]) < 0.015
    assert rates["early + idle"] > 0.95


# ------------------------------------------------------------------ kept results


@pytest.fixture(scope="module")
def folder(project: Path) -> Path:
    return project / "data" / "no_effect"


@pytest.fixture(scope="module")
def kept(supplement: Supplement) -> dict[str, Study]:
    return {study.name: study for study in studies(supplement.cohort)}


def test_the_results_were_made_by_this_code(folder: Path, kept: dict[str, Study]) -> None:
    manifest = pd.read_csv(folder / "MANIFEST.csv").set_index("file")
    assert set(manifest.index) == {f"{name}.csv" for name in kept}
    assert set(manifest["code"]) == {code_version(CODE)}, "the code has changed since: run `make montecarlo`"
    for name, study in kept.items():
        row, table = manifest.loc[f"{name}.csv"], read_study(folder, name)
        assert (row["seed"], row["blocks"], row["rows"]) == (study.seed, len(study.settings), len(table))
        asked = pd.DataFrame(study.settings)
        assert table[asked.columns].drop_duplicates().to_numpy().tolist() == asked.to_numpy().tolist()


@pytest.mark.parametrize(("name", "place"), [("grid", 100), ("varied", 5), ("permuted", 0), ("held", 30), ("held", 60)])
def test_a_block_is_found_again_when_replayed(folder: Path, kept: dict[str, Study], name: str, place: int) -> None:
    table = pd.read_csv(folder / f"{name}.csv", float_precision="round_trip", keep_default_na=True)
    for key, value in kept[name].settings[place].items():
        table = table[table[key] == value]
    again = kept[name].block(place)
    if name == "held":  # a file has no empty words
        table = table.fillna({"factors": ""})
    assert len(again) > 0
    pd.testing.assert_frame_equal(table.reset_index(drop=True), again, check_exact=True, check_dtype=False)


def test_the_base_world_looks_like_the_cohort(supplement: Supplement) -> None:
    """Ten transplanted and seven infused twice, give or take what the settings cannot know."""
    cohorts = draw_cohorts(world(supplement.cohort, {}), 1000, np.random.default_rng(1))
    counts = [(cohorts.group == k).sum(axis=1).mean() for k in (1, 2)]
    assert abs(counts[0] - 7) < 2
    assert abs(counts[1] - 10) < 1
    assert cohorts.end.shape[1] == len(supplement.cohort)


def test_what_the_book_concludes_from_the_kept_results(folder: Path) -> None:
    grid, permuted = read_study(folder, "grid"), read_study(folder, "permuted")
    assert len(grid) == grid["analysis"].nunique() * np.prod([len(values) for values in GRID.values()])
    worst = grid.groupby("analysis")["rejected"].max()
    assert (worst[[f"panel {panel}" for panel in "ABCDE"]] > 0.20).all()
    proper = permuted[permuted["kind"] == "proper"]
    error = np.sqrt(0.05 * 0.95 / proper["tested"])
    assert ((proper["rejected_permuted"] - 0.05) / error < 4).all()
    held = read_study(folder, "held").fillna({"factors": ""})
    nothing = held[held["factors"] == ""]
    assert nothing["rejected"].between(0.045, 0.085).all()
    assert set(held["median"]) == set(RELAPSE_MEDIANS)
    assert BASE["relapse_median"] in RELAPSE_MEDIANS
