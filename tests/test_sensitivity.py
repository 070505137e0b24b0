from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from lifelines.statistics import logrank_test

from survaudit.cohort.panels import PANELS
from survaudit.cohort.tables import Supplement
from survaudit.follow_up.ensemble import PRIORS, draw
from survaudit.follow_up.sensitivity import CASES, vary_panels


@pytest.fixture(scope="module")
def table(supplement: Supplement) -> pd.DataFrame:
    return vary_panels(supplement.cohort, list(PANELS.values()), seed=3, draws=60)


def test_every_case_changes_one_assumption() -> None:
    book = CASES["the book's"]
    for case, chosen in CASES.items():
        changed = [name for name in vars(book) if getattr(book, name) != getattr(chosen, name)]
        assert len(changed) == (case != "the book's")


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("letter", ["B", "D"])
def test_shares_are_those_of_another_library(
    supplement: Supplement, table: pd.DataFrame, case: str, letter: str
) -> None:
    panel = PANELS[letter]
    ensemble = draw(supplement.cohort, PRIORS["wide"], np.random.default_rng(3), draws=60, assumptions=CASES[case])
    small = better = 0
    for place in range(60):
        rows = ensemble.follow_up(place, "test").endpoint(panel.endpoint)
        first, second = (rows[rows["group"] == group] for group in panel.groups)
        test = logrank_test(first["time_days"], second["time_days"], first["event"], second["event"])
        small += test.p_value < 0.05
        both = pd.concat([first, second])
        # Fewer events than expected in the second group: by the Nelson-Aalen hazard of both together.
        hazard = sum(
            ((both["time_days"] == day) & (both["event"] == 1)).sum()
            / (both["time_days"] >= day).sum()
            * (second["time_days"] >= day).sum()
            for day in both.loc[both["event"] == 1, "time_days"].unique()
        )
        better += second["event"].sum() < hazard - 1e-9
    own = table.query("panel == @letter and case == @case and prior == 'wide'").iloc[0]
    assert (own["share"], own["better"]) == (pytest.approx(small / 60), pytest.approx(better / 60))
