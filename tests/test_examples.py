"""The two worked examples, and the best cut of every follow-up of an ensemble."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test

from studies.worked_examples import example_of_figure_1, example_of_figure_2
from survaudit.cohort.tables import Supplement
from survaudit.cutpoint.scan import scan_one
from survaudit.errors import InputError
from survaudit.follow_up.complete import write_follow_up
from survaudit.follow_up.ensemble import PRIORS, best_cuts, draw


@pytest.fixture(scope="module")
def mrd(supplement: Supplement) -> np.ndarray:
    return supplement.cohort["mrd_percent"].to_numpy()


def test_worked_examples_are_written_again_byte_for_byte(supplement: Supplement, tmp_path: Path) -> None:
    made = {
        "figure_s1.csv": example_of_figure_1(supplement.cohort),
        "figure_s2.csv": example_of_figure_2(supplement.cohort),
    }
    for name, follow_up in made.items():
        write_follow_up(follow_up, tmp_path / name)
        assert (tmp_path / name).read_bytes() == (Path("data/synthetic") / name).read_bytes()


def test_the_second_example_prints_as_published(mrd: np.ndarray) -> None:
    rows = pd.read_csv("data/synthetic/figure_s2.csv")
    high = (mrd > 65.6)[rows["patient"] - 1]
    time, event = rows["lfs_days"], rows["lfs_event"]
    test = logrank_test(time[high], time[~high], event[high], event[~high])
    assert f"{test.test_statistic:.2f}" == "5.59"
    assert rows["kind"].eq("SYNTHETIC").all()
    assert rows["source"].str.contains("conditioned on the published cut-point").all()


def test_best_cuts_agree_with_the_scan(supplement: Supplement) -> None:
    cohort = supplement.cohort
    ensemble = draw(cohort, PRIORS["late"], np.random.default_rng(3), draws=40)
    for endpoint in ("OS", "LFS"):
        for column, least in (("mrd_percent", 1), ("age_years", 4), ("blasts_percent", 5)):
            found = best_cuts(ensemble, endpoint, cohort[column], least)
            has = ensemble.days[endpoint][0] >= 0
            for row in range(40):
                days, event = ensemble.days[endpoint][row, has], ensemble.event[endpoint][row, has]
                best = scan_one(cohort[column][has], days, event, min_group=least).best
                assert (found.cut[row], found.n_low[row]) == (best.cut, best.n_low)
                assert found.chi2[row] == pytest.approx(best.chi2)
    with pytest.raises(InputError, match="leaves no cut"):
        best_cuts(ensemble, "OS", cohort["mrd_percent"], 15)
    with pytest.raises(InputError, match="expected one number for each of 28"):
        best_cuts(ensemble, "OS", [1.0, 2.0])
