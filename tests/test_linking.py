"""Whose reconstructed times could be: against every order of the times, tried one by one."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from survaudit.cohort.endpoints import EVENT_FREE, EVENT_KNOWN, End, Interval, endpoints
from survaudit.cohort.tables import Supplement
from survaudit.errors import InputError
from survaudit.follow_up.decoding import ArmTimes
from survaudit.follow_up.digitised import check_clicks
from survaudit.follow_up.reconstruct import Reconstruction, possible_patients, reconstruct

# A time, whether it is an event, and how far either may be off.
Row = tuple[int, int, int]
Ends = tuple[float, float]


def times(rows: list[Row]) -> ArmTimes:
    day, event, off = (np.array(column) for column in zip(*rows, strict=True))
    return ArmTimes(day.astype(float), event, (day - off).astype(float), (day + off).astype(float))


def made(rows: list[Row], *others: list[Row]) -> Reconstruction:
    """Return a reconstruction of given times, and of others that fit the clicks as well."""
    alternatives = tuple(times(each) for each in (rows, *others))
    clicks = check_clicks([0, 9], [1, 1], time_error=0, source="made")
    table = pd.DataFrame({"time_days": [], "printed": [], "reconstructed": []})
    return Reconstruction(
        "CART2", "OS", alternatives[0], alternatives, len(alternatives), True, 0.0, 0.0, table, None, clicks, "", ""
    )


def intervals(ends: list[Ends], endpoint: str = "OS") -> list[Interval]:
    """Return intervals of patients 1, 2, ...; an event is known where the right end is finite."""
    found = []
    for patient, (left, right) in enumerate(ends, start=1):
        status = EVENT_KNOWN if np.isfinite(right) else EVENT_FREE
        sides = [End(day, "table", (), "") for day in (left, right)]
        found.append(Interval(patient, "CART2", endpoint, status, *sides, *sides))
    return found


def agrees(row: Row, left: float, right: float) -> bool:
    """Try every day that a time may stand for: an event in (L, R], a censoring on L or later without an event."""
    days = range(row[0] - row[2], row[0] + row[2] + 1)
    return any(left < day <= right if row[1] else day >= left and right == np.inf for day in days)


ROWS = st.lists(st.tuples(st.integers(2, 8), st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=5)
ENDS = st.tuples(st.integers(0, 8), st.sampled_from([np.inf, np.inf, 2, 4])).map(lambda end: (end[0], sum(end)))


@given(ROWS.flatmap(lambda rows: st.tuples(st.just(rows), st.lists(ENDS, min_size=len(rows), max_size=len(rows)))))
def test_patients_are_those_of_every_order_that_fits(drawn: tuple[list[Row], list[Ends]]) -> None:
    rows, ends = drawn
    found = possible_patients(made(rows), intervals(ends))
    expected = np.zeros((len(rows), len(rows)), dtype=bool)
    for order in permutations(range(len(rows))):
        if all(agrees(row, *ends[patient]) for row, patient in zip(rows, order, strict=True)):
            expected[range(len(rows)), order] = True
    np.testing.assert_array_equal(found.possible, expected)
    np.testing.assert_array_equal(found.meets, [[agrees(row, *end) for end in ends] for row in rows])
    assert found.fits == expected.any()
    assert found.to_frame()["n_patients"].tolist() == expected.sum(axis=1).tolist()


def test_a_time_is_barred_by_what_the_others_need() -> None:
    """Days 3 and 5 can only be patients 1 and 2; so day 9 is patient 3's, although it meets all three intervals."""
    rows, ends = [(3, 1, 0), (5, 1, 0), (9, 1, 0)], [(0.0, np.inf), (0.0, np.inf), (7.0, np.inf)]
    frame = possible_patients(made(rows), intervals(ends)).to_frame()
    assert frame["meets"].tolist() == ["1, 2", "1, 2", "1, 2, 3"]
    assert frame["could_be"].tolist() == ["1, 2", "1, 2", "3"]
    # With three early days, two patients would have to have three of them.
    none = possible_patients(made([*rows[:2], (6, 1, 0)]), intervals(ends))
    assert not none.fits
    assert none.meets.any(axis=1).all()
    assert none.to_frame()["could_be"].tolist() == ["", "", ""]


def test_alternatives_that_fit_are_counted() -> None:
    ends = [(4.0, np.inf), (6.0, np.inf)]
    late, early, level = [(5, 1, 0), (7, 1, 0)], [(3, 1, 0), (7, 1, 0)], [(5, 1, 0), (6, 0, 0)]
    assert possible_patients(made(late, early, level), intervals(ends)).n_fitting == 2
    found = possible_patients(made(early, late), intervals(ends))
    assert (found.fits, found.n_fitting) == (False, 1)


def test_a_misread_axis_does_not_fit_the_tables(supplement: Supplement) -> None:
    """An invented curve of CART2: with months taken for days, patients would be dead before they were last treated."""
    own = [interval for interval in endpoints(supplement.cohort)["OS"].intervals if interval.group == "CART2"]
    share = 1 - 1 / len(own)
    clicks = check_clicks([0, 30, 30, 60], [1, 1, share, share], unit="months", time_error=0, survival_error=0.001)
    right = reconstruct(clicks, len(own), arm="CART2", endpoint="OS", at_risk={60 * 30.4375: len(own) - 1})
    assert possible_patients(right, own).fits
    misread = replace(clicks, time_days=clicks.time_days / 30.4375)
    wrong = reconstruct(misread, len(own), arm="CART2", endpoint="OS", at_risk={60: len(own) - 1})
    assert not possible_patients(wrong, own).fits


def test_times_and_patients_must_be_of_one_arm_and_endpoint() -> None:
    with pytest.raises(InputError) as error:
        possible_patients(made([(5, 1, 0)]), intervals([(0, 9), (0, 9)], "LFS"))
    for word in ("found CART2 LFS, expected CART2 OS", "found 2 for 1 times"):
        assert word in str(error.value)
    with pytest.raises(InputError, match="found none, expected CART2 OS"):
        possible_patients(made([(5, 1, 0)]), [])
