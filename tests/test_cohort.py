"""The descriptions of the cohort, against plain counts of the raw text."""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import combinations

import pandas as pd
import pytest
from scipy import stats

from survaudit.cohort.describe import exact_test, group_differences, table_one
from survaudit.cohort.schema import GROUPS
from survaudit.cohort.tables import Supplement
from survaudit.cohort.timeline import (
    dated_events,
    last_known_day,
    patient_flow,
    recorded_states,
    waiting_times,
)


@pytest.fixture(scope="module")
def rows(raw_texts: list[str]) -> dict[int, list[str]]:
    """Both raw tables by patient: 12 cells of the first, then 13 of the second."""
    joined: dict[int, list[str]] = {}
    for text in raw_texts:
        for block in text.split("\n\n")[1:]:
            cells = [cell.replace("\n", "").strip(" \u3000\t") for cell in block.strip("\n").split("\n\t")]
            joined.setdefault(int(cells[0]), []).extend(cells)
    return joined


def day(cell: str) -> date:
    return date(*map(int, cell.split("/")))


def test_table_one_counts_and_medians(supplement: Supplement, rows: dict[int, list[str]]) -> None:
    table = table_one(supplement.cohort).set_index(["Characteristic", "Value"])
    groups = Counter(cells[13] for cells in rows.values())
    assert {group: table.loc[("Patients", "n"), group] for group in GROUPS} == dict(groups)
    for group in GROUPS:
        own = [cells for cells in rows.values() if cells[13] == group]
        female = sum(cells[2] == "Female" for cells in own)
        assert table.loc[("Sex", "Female"), group] == f"{female} ({100 * female / len(own):.1f})"
        mrd = sorted(float(cells[5]) for cells in own)
        middle = (mrd[(len(mrd) - 1) // 2] + mrd[len(mrd) // 2]) / 2
        shown = table.loc[("MRD (%)", "median [min to max]"), group]
        assert shown == f"{middle:.2f} [{mrd[0]:.2f} to {mrd[-1]:.2f}]"
        ages = sorted(int(cells[3]) for cells in own)
        middle = (ages[(len(ages) - 1) // 2] + ages[len(ages) // 2]) / 2
        assert table.loc[("Age (years)", "median [min to max]"), group] == f"{middle:g} [{ages[0]} to {ages[-1]}]"
    assert int(table.loc[("Earlier relapses", "median [min to max]"), "Missing"]) == (
        sum(cells[8] == "-" for cells in rows.values())
    )


def test_group_differences_count_the_raw_cells(supplement: Supplement, rows: dict[int, list[str]]) -> None:
    counts = group_differences(supplement.cohort)
    assert list(counts.index) == list(GROUPS)
    for group in GROUPS:
        own = [cells for cells in rows.values() if cells[13] == group]
        assert counts.loc[group].to_dict() == {
            "patients": len(own),
            "low_mrd": sum(float(cells[5]) < 1 for cells in own),
            "no_blasts": sum(float(cells[6]) == 0 for cells in own),
            "assessed": sum(cells[16] != "NA" for cells in own),
            "mrd_negative_response": sum(cells[16] == "CR, MRD-" for cells in own),
            "mrd_positive_response": sum(cells[16] == "CR, MRD+" for cells in own),
            "no_response": sum(cells[16] == "NR" for cells in own),
            "not_assessed": sum(cells[16] == "NA" for cells in own),
        }


def test_exact_test_enumerates_every_assignment() -> None:
    """Against a list of all ways to choose who has the property, in groups of 4, 2 and 3."""
    sizes, observed = [4, 2, 3], [3, 0, 1]
    group = [place for place, size in enumerate(sizes) for _ in range(size)]
    ways = Counter(
        tuple(Counter(group[i] for i in chosen)[g] for g in range(3)) for chosen in combinations(range(9), 4)
    )
    limit = ways[tuple(observed)]
    expected = sum(count for count in ways.values() if count <= limit) / sum(ways.values())
    frame = pd.DataFrame({"patients": sizes, "with": observed})
    assert exact_test(frame, "with") == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("table", [[[3, 1], [1, 4]], [[10, 0], [4, 4]], [[0, 5], [0, 2]]])
def test_exact_test_is_fishers_for_two_groups(table: list[list[int]]) -> None:
    frame = pd.DataFrame({"patients": [sum(row) for row in table], "with": [row[0] for row in table]})
    assert exact_test(frame, "with") == pytest.approx(stats.fisher_exact(table).pvalue, rel=1e-9)


def test_events_are_the_dates_of_the_raw_text(supplement: Supplement, rows: dict[int, list[str]]) -> None:
    events = dated_events(supplement.treatments)
    expected = sorted(
        (patient, day(cells[place]), (day(cells[place]) - day(cells[15])).days)
        for patient, cells in rows.items()
        for place in (14, 15, 18, 19, 22)
        if cells[place] != "/"
    )
    assert [(row.patient, row.date.date(), row.time_days) for row in events.itertuples()] == expected
    assert (events.loc[events["event"] == "first infusion", "time_days"] == 0).all()


def test_last_known_day_is_the_last_date_of_the_row(supplement: Supplement, rows: dict[int, list[str]]) -> None:
    days = last_known_day(supplement.treatments)
    for patient, cells in rows.items():
        dates = [day(cells[place]) for place in (14, 15, 18, 19, 22) if cells[place] != "/"]
        assert days[patient] == (max(dates) - day(cells[15])).days


def test_waiting_times_by_hand(supplement: Supplement, rows: dict[int, list[str]]) -> None:
    table = waiting_times(supplement.treatments).set_index("wait")
    for wait, place in (("First infusion to second infusion", 19), ("First infusion to transplantation", 22)):
        days = sorted((day(c[place]) - day(c[15])).days for c in rows.values() if c[place] != "/")
        assert table.loc[wait, ["patients", "shortest", "longest"]].tolist() == [len(days), days[0], days[-1]]
        assert table.loc[wait, "median"] == (days[(len(days) - 1) // 2] + days[len(days) // 2]) / 2
    assert table.loc["First infusion to second infusion", ["shortest", "longest"]].tolist() == [108, 732]
    assert table.loc["First infusion to transplantation", ["shortest", "longest"]].tolist() == [32, 137]


def test_flow_adds_up(supplement: Supplement, rows: dict[int, list[str]]) -> None:
    flow = patient_flow(supplement.treatments)
    assert flow["infused"] == flow["remission"] + flow["no_response"] + flow["not_assessed"] == len(rows)
    assert flow["remission"] == flow["transplanted"] + flow["relapsed"]
    assert flow["reinfused"] == sum(cells[19] != "/" for cells in rows.values())
    assert flow["reinfused_reported"] == sum(cells[20] == "CR" for cells in rows.values())
    assert flow["hsct_marked"] == sum(cells[24].startswith("CD19") for cells in rows.values())


def test_states_stand_between_the_right_events(supplement: Supplement, rows: dict[int, list[str]]) -> None:
    states = recorded_states(supplement.treatments)
    first = states[states["after"] == "first infusion"].set_index("patient")
    for patient, cells in rows.items():
        following = [day(cells[place]) for place in (18, 22) if cells[place] != "/"]
        if following:
            assert first.loc[patient, "before_days"] == (min(following) - day(cells[15])).days
        else:
            assert pd.isna(first.loc[patient, "before_days"])
    assert states.loc[states["after"] != "first infusion", "before_days"].isna().all()
    assert len(states) == len(rows) + 7 + 10
