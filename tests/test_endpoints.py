"""Intervals, bounds and assumptions, against the raw text of the tables read by plain code, and against identities."""

from __future__ import annotations

import dataclasses
import math
import re
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survaudit.cohort import bounds as identified
from survaudit.cohort.assumptions import READINGS, Assumptions
from survaudit.cohort.endpoints import Endpoints, Interval, cut_off_range, endpoints
from survaudit.cohort.tables import Supplement
from survaudit.errors import InputError

INF = math.inf
PAPER = date(2021, 10, 29)

# ------------------------------------------------------------------ the tables read by plain code


def plain(raw_texts: list[str]) -> list[dict[str, Any]]:
    """Both tables as text, patient by patient, without any code of the project."""
    first, second = (
        [[re.sub(r"\s", "", cell) for cell in block.split("\t")[1:]] for block in text.strip("\n").split("\n\n")][1:]
        for text in raw_texts
    )

    def day(text: str) -> date | None:
        return None if text == "/" else date(*map(int, text.split("/")))

    return [
        {
            "patient": int(b[0]),
            "group": b[1],
            "collected": day(b[2]),
            "infused": day(b[3]),
            "response": b[4],
            "relapse": b[5],
            "collected_2": day(b[6]),
            "infused_2": day(b[7]),
            "transplanted": day(b[10]),
            "last_column": b[12],
            "severe": a[11] == "Y",
        }
        for a, b in zip(first, second, strict=True)
    ]


@pytest.fixture(scope="module")
def rows(raw_texts: list[str]) -> list[dict[str, Any]]:
    return plain(raw_texts)


def expected_lfs(row: dict[str, Any], a: Assumptions) -> tuple[float, float, float, float, bool] | None:
    """L and R, the same by the tables alone, and whether the event is known; None if excluded."""
    zero = row["infused"] if a.time_origin == "first infusion" else row["collected"]
    start, paper = (row["infused"] - zero).days, (PAPER - zero).days
    told = start + a.response_day
    if row["response"] == "NA":
        return None if a.unassessed_lfs == "excluded" else expected_os(row, a)
    if row["response"] == "NR":
        return expected_without_remission(a, told, paper)
    if row["transplanted"]:
        left = (row["transplanted"] - zero).days
        known = a.cd19_reading == "relapse"
        return (left, paper if known else INF, left, INF, known)
    if a.cd19_reading == "antigen status everywhere":
        return (told, INF, start, INF, False)
    by = {"second collection": row["collected_2"], "second infusion": row["infused_2"]}.get(a.relapse_before)
    return (told, (by - zero).days if by else paper, start, paper, True)


def expected_without_remission(a: Assumptions, told: int, paper: int) -> tuple[float, float, float, float, bool] | None:
    if a.non_responder_lfs == "excluded":
        return None
    if a.non_responder_lfs == "event at time zero":
        return (-1, 0, -1, paper, True)
    return (told - 1, told, -1, paper, True) if a.response_day else (-1, paper, -1, paper, True)


def expected_os(row: dict[str, Any], a: Assumptions) -> tuple[float, float, float, float, bool]:
    zero = row["infused"] if a.time_origin == "first infusion" else row["collected"]
    start, paper = (row["infused"] - zero).days, (PAPER - zero).days
    last = (row["transplanted"] or row["infused_2"] or row["infused"]) - zero
    if row["response"] == "NA":
        if a.crs_death_of == "nobody in particular":
            return (start, INF, start, INF, False)
        return (start, start + a.crs_death_within_days if a.crs_death_within_days else paper, start, INF, True)
    return (max(last.days, start + a.response_day), INF, last.days, INF, False)


def all_assumptions() -> st.SearchStrategy[Assumptions]:
    """Every combination, not only one at a time."""
    values: dict[str, st.SearchStrategy[Any]] = {}
    for choice in dataclasses.fields(Assumptions):
        others = choice.metadata["alternatives"]
        values[choice.name] = st.sampled_from([choice.default, *others])
    return st.builds(Assumptions, **values | {"response_day": st.integers(0, 32)})


def days(interval: Interval) -> tuple[float, float, float, float, bool]:
    ends = (interval.left, interval.right, interval.table_left, interval.table_right)
    left, right, table_left, table_right = (end.day for end in ends)
    return left, right, table_left, table_right, interval.status == "event known"


# ------------------------------------------------------------------ intervals

# By hand, from the printed dates: patient, LFS (L, R], OS L.
BY_HAND = [
    (2, date(2016, 10, 17), 28, PAPER, 28),
    (12, date(2016, 6, 24), 28, date(2016, 10, 23), 134),
    (13, date(2016, 11, 1), 28, date(2017, 2, 2), 108),
    (17, date(2016, 4, 13), 28, date(2018, 4, 5), 732),
    (20, date(2017, 1, 4), 137, PAPER, 137),
    (21, date(2017, 5, 27), 32, PAPER, 32),
]


@pytest.mark.parametrize(("patient", "infused", "left", "last", "alive"), BY_HAND)
def test_intervals_by_hand(
    supplement: Supplement, patient: int, infused: date, left: int, last: date, alive: int
) -> None:
    found = endpoints(supplement.cohort)
    lfs = {interval.patient: interval for interval in found["LFS"].intervals}[patient]
    assert (lfs.left.day, lfs.right.day) == (left, (last - infused).days)
    os = {interval.patient: interval for interval in found["OS"].intervals}[patient]
    assert (os.left.day, os.right.day) == (alive, INF)


@given(chosen=all_assumptions())
def test_intervals_under_all_assumptions_equal_those_of_plain_code(
    supplement: Supplement, rows: list[dict[str, Any]], chosen: Assumptions
) -> None:
    found = endpoints(supplement.cohort, chosen)
    lfs = {row["patient"]: expected_lfs(row, chosen) for row in rows}
    assert {i.patient: days(i) for i in found["LFS"].intervals} == {n: e for n, e in lfs.items() if e}
    assert found["LFS"].excluded == tuple(n for n, e in lfs.items() if not e)
    assert {i.patient: days(i) for i in found["OS"].intervals} == {r["patient"]: expected_os(r, chosen) for r in rows}
    assert found["OS"].excluded == ()
    groups = {row["patient"]: row["group"] for row in rows}
    for part in found.values():
        assert all(groups[i.patient] == i.group and i.endpoint == part.endpoint for i in part.intervals)


@given(chosen=all_assumptions())
def test_what_holds_under_any_assumptions(
    supplement: Supplement, rows: list[dict[str, Any]], chosen: Assumptions
) -> None:
    found = endpoints(supplement.cohort, chosen)
    zero = {r["patient"]: r["infused"] if chosen.time_origin == "first infusion" else r["collected"] for r in rows}
    overall = {interval.patient: interval for interval in found["OS"].intervals}
    for interval in (*found["OS"].intervals, *found["LFS"].intervals):
        left, right, table_left, table_right, known = days(interval)
        assert table_left <= left < right <= table_right
        assert known == (right < INF)
        assert right == INF or right <= (PAPER - zero[interval.patient]).days
    for interval in found["LFS"].intervals:
        beside = overall[interval.patient]
        assert interval.left.day <= beside.left.day
        assert interval.right.day <= beside.right.day
        assert beside.status != "event known" or interval.status == "event known"
        if rows[interval.patient - 1]["response"].startswith("CR"):
            last = rows[interval.patient - 1]
            latest = (last["transplanted"] or last["infused_2"] or last["infused"]) - zero[interval.patient]
            assert beside.left.day == max(latest.days, interval.left.day)


@pytest.mark.parametrize(
    ("letter", "known", "free", "unknown"),
    [("a", {1, *range(2, 4), *range(6, 29)}, set(), set()),
     ("b", {1, *range(2, 4), *range(6, 19)}, set(range(19, 29)), set()),
     ("c", {1}, {2, 3, *range(6, 12), *range(19, 29)}, set(range(12, 19)))],
)  # fmt: skip
def test_status_by_reading(
    supplement: Supplement, letter: str, known: set[int], free: set[int], unknown: set[int]
) -> None:
    found = endpoints(supplement.cohort, Assumptions(cd19_reading=READINGS[letter]))
    status: dict[str, set[int]] = {"event known": set(), "event-free at last date known": set(), "unknown": set()}
    for interval in found["LFS"].intervals:
        status[interval.status].add(interval.patient)
    assert list(status.values()) == [known, free, unknown]
    assert {i.patient for i in found["OS"].intervals if i.status == "event known"} == {1}
    assert all(i.status != "unknown" for i in found["OS"].intervals)


CELL = re.compile(r"Supplementary Table ([12]), row (\d+), ([^:]+): (.+)")
PRINTED = {
    "not assessed": "NA",
    "no relapse recorded": "/",
    "True": "Y",
    "CR, MRD-": "CR,MRD-",
    "CR, MRD+": "CR,MRD+",
}


@given(chosen=all_assumptions())
def test_every_end_names_what_it_rests_on(supplement: Supplement, raw_texts: list[str], chosen: Assumptions) -> None:
    tables = [
        [[re.sub(r"\s", "", cell) for cell in block.split("\t")[1:]] for block in text.strip("\n").split("\n\n")]
        for text in raw_texts
    ]
    for part in endpoints(supplement.cohort, chosen).values():
        for interval in part.intervals:
            assert (interval.table_left.tag, interval.table_right.tag) == ("table", "table")
            for end in (interval.left, interval.right, interval.table_left, interval.table_right):
                assert end.sources or end.day == INF
                assert (end.tag == "assumption") == any(text.startswith("assumption ") for text in end.sources)
                assert end.words in interval.sentence or end not in (interval.left, interval.right)
                for source in end.sources:
                    if source.startswith("assumption "):
                        name, value = source.removeprefix("assumption ").split(": ")
                        assert str(getattr(chosen, name)) == value
                    elif match := CELL.fullmatch(source):
                        table, row, header, value = match.groups()
                        assert int(row) == interval.patient
                        headers = tables[int(table) - 1][0]
                        cell = tables[int(table) - 1][int(row)][headers.index(re.sub(r"\s", "", header))]
                        shown = value.replace("-0", "/").replace("-", "/") if value[:2] == "20" else value
                        assert PRINTED.get(shown, shown) == cell
                    else:
                        assert source in (
                            "publication of the paper: 2021-10-29",
                            "abstract of the paper: one death of CRS",
                        )


@settings(max_examples=60)  # each of them tries every other value of every assumption
@given(chosen=all_assumptions())
def test_an_end_that_moves_with_an_assumption_names_it(supplement: Supplement, chosen: Assumptions) -> None:
    here = endpoints(supplement.cohort, chosen)
    for name, value, other in chosen.one_at_a_time():
        # The origin moves every day. Reading (c) denies facts of the tables, which name no assumption.
        if name == "time_origin" or READINGS["c"] in (value, chosen.cd19_reading):
            continue
        there = endpoints(supplement.cohort, other)
        for kind in ("OS", "LFS"):
            moved = {interval.patient: interval for interval in there[kind].intervals}
            for interval in here[kind].intervals:
                beside = moved.get(interval.patient, interval)
                for before, after in ((interval.left, beside.left), (interval.right, beside.right)):
                    if before.day != after.day:
                        named = " ".join((*before.sources, *after.sources))
                        assert f"assumption {name}: " in named


def test_tags_and_sources_of_some_ends(supplement: Supplement) -> None:
    frame = endpoints(supplement.cohort)["LFS"].to_frame().set_index("patient")
    assert frame.loc[12, ["left_tag", "right_tag"]].tolist() == ["assumption", "assumption"]
    assert "Date of second T-cell collection: 2016-10-23" in frame.loc[12, "right_from"]
    assert "assumption relapse_before: second collection" in frame.loc[12, "right_from"]
    assert frame.loc[2, ["left_tag", "right_tag"]].tolist() == ["assumption", "table"]
    assert frame.loc[20, ["left_tag", "right_tag"]].tolist() == ["table", "assumption"]
    assert "Relapse after first infusion: no relapse recorded" in frame.loc[20, "left_from"]
    assert frame["sentence"].is_unique
    assert frame.loc[12, "sentence"] == (
        "Patient 12 (CART2), LFS: in remission on day 28, if the response was assessed then; "
        "relapsed by day 121, if that came before the second collection."
    )


def test_assumptions_that_contradict_the_dates_are_refused(supplement: Supplement) -> None:
    with pytest.raises(InputError, match=r"response_day: found 33, .*row 21, Date of BMT: 2017-06-28"):
        endpoints(supplement.cohort, Assumptions(response_day=33))
    with pytest.raises(InputError, match=r"patient 2, LFS: found an event after day 10000 and by day 1838"):
        endpoints(supplement.cohort, Assumptions(response_day=10_000))
    assert endpoints(supplement.cohort, Assumptions(response_day=32))["LFS"].n_events == 26


def test_cohort_is_left_alone(supplement: Supplement) -> None:
    cohort = supplement.cohort
    before = cohort.copy(deep=True)
    endpoints(cohort)
    identified.sensitivity(cohort)
    pd.testing.assert_frame_equal(cohort, before)


def test_cut_off_cannot_come_before_what_is_recorded(supplement: Supplement) -> None:
    assert cut_off_range(supplement.cohort) == (pd.Timestamp(2020, 8, 1), pd.Timestamp(PAPER))
    # Without a day of assessment, patient 10 may have relapsed on the day after the infusion.
    early, _ = cut_off_range(supplement.cohort, Assumptions(response_day=0))
    assert early == pd.Timestamp(2020, 7, 4)
    shifted, _ = cut_off_range(supplement.cohort, Assumptions(time_origin="first collection"))
    assert shifted == pd.Timestamp(2020, 8, 1)


# ------------------------------------------------------------------ bounds


def completions(part: Endpoints, side: str) -> np.ndarray:
    """The earliest or the latest whole days of all events that the intervals allow."""
    return np.array([i.left.day + 1 if side == "earliest" else i.right.day for i in part.intervals], float)


@given(chosen=all_assumptions(), data=st.data())
def test_bounds_hold_every_completion_and_are_reached(
    supplement: Supplement, chosen: Assumptions, data: st.DataObject
) -> None:
    part = endpoints(supplement.cohort, chosen)[data.draw(st.sampled_from(["OS", "LFS"]))]
    times = data.draw(st.lists(st.integers(0, 2500), min_size=1, max_size=20))
    table = identified.bounds(part.intervals, times)
    drawn = np.array([data.draw(st.integers(int(i.left.day) + 1, int(min(i.right.day, 4000)))) for i in part.intervals])
    for row, t in zip(table.itertuples(), times, strict=True):
        assert row.lower == np.mean(completions(part, "earliest") > t)
        assert row.upper == np.mean(completions(part, "latest") > t)
        assert row.table_lower <= row.lower <= np.mean(drawn > t) <= row.upper <= row.table_upper
        assert row.n == len(part.intervals)


@given(chosen=all_assumptions())
def test_bounds_are_given_at_every_day_at_which_they_change(supplement: Supplement, chosen: Assumptions) -> None:
    part = endpoints(supplement.cohort, chosen)["LFS"]
    changes = identified.bounds(part.intervals)
    every = identified.bounds(part.intervals, range(int(changes["time_days"].max()) + 10))
    names = ["table_lower", "table_upper", "lower", "upper"]
    assert changes.loc[0, "time_days"] == 0
    filled = changes.set_index("time_days")[names].reindex(every["time_days"]).ffill()
    pd.testing.assert_frame_equal(filled.reset_index(drop=True), every[names])


def test_bounds_by_hand(supplement: Supplement) -> None:
    """CART2: second collections on days 93, 114, 121, 188, 208, 545 and 722; remission on day 28 assumed."""
    found = endpoints(supplement.cohort)
    table = identified.bounds_by_group(found["LFS"], [28, 29, 92, 93, 121, 722, 1196, 1197])
    cart2 = table[table["group"] == "CART2"].set_index("time_days")
    assert (cart2["upper"] * 7).round(9).tolist() == [7, 7, 7, 6, 4, 0, 0, 0]
    assert (cart2["lower"] * 7).tolist() == [7, 0, 0, 0, 0, 0, 0, 0]
    # By the tables alone: all relapsed by publication, the first of them, patient 15, on day 1197.
    assert (cart2["table_upper"] * 7).round(9).tolist() == [7, 7, 7, 7, 7, 7, 7, 6]
    hsct = table[table["group"] == "CART+HSCT"].set_index("time_days")
    assert hsct.loc[93, ["lower", "upper", "table_lower", "table_upper"]].tolist() == [0.4, 1, 0.4, 1]


def test_earlier_relapses_cannot_make_overall_survival_worse(supplement: Supplement) -> None:
    found = endpoints(supplement.cohort)
    both = {interval.patient for interval in found["LFS"].intervals}
    os, lfs = (
        identified.bounds([i for i in found[name].intervals if i.patient in both], range(0, 2100, 7))
        for name in ("OS", "LFS")
    )
    for name in ("lower", "upper", "table_lower", "table_upper"):
        assert (lfs[name] <= os[name]).all()


@pytest.mark.parametrize("times", [[-1], [math.nan], [math.inf]])
def test_days_that_are_none_are_refused(supplement: Supplement, times: list[float]) -> None:
    with pytest.raises(InputError, match="times"):
        identified.bounds(endpoints(supplement.cohort)["OS"].intervals, times)


def test_mixed_patients_are_refused(supplement: Supplement) -> None:
    found = endpoints(supplement.cohort)
    os, lfs = found["OS"].intervals, found["LFS"].intervals
    for intervals, message in [((), "none"), (os + lfs, "LFS and OS"), (os + os[:1], "twice")]:
        with pytest.raises(InputError, match=message):
            identified.bounds(intervals)


# ------------------------------------------------------------------ assumptions and their effect

HOW_MANY_ALTERNATIVES = 1 + 3 + 2 + 2 + 2 + 1 + 1 + 3


def test_each_choice_is_explained_and_has_alternatives() -> None:
    table = Assumptions().to_frame().set_index("assumption")
    assert list(table.index) == [choice.name for choice in dataclasses.fields(Assumptions)]
    assert (table["reason"].str.len() > 20).all()
    assert all(table["alternatives"].str.len() > 0)
    assert set(table["concerns"]) == {"endpoints", "cut-point"}
    assert table.loc["xtile_inclusive_side", ["value", "alternatives"]].tolist() == ["low", ("high",)]
    assert table.loc["xtile_variance", ["value", "alternatives"]].tolist() == ["hypergeometric", ("permutation",)]
    documented = Assumptions.__doc__ or ""
    assert all(f"    {name} : " in documented for name in table.index)


def test_alternatives_come_one_at_a_time_and_lead_back() -> None:
    base = dataclasses.asdict(Assumptions())
    cases = [*Assumptions().one_at_a_time(), *Assumptions().one_at_a_time("cut-point")]
    assert len(cases) == HOW_MANY_ALTERNATIVES + 2
    for name, value, chosen in cases:
        changed = {key for key, now in dataclasses.asdict(chosen).items() if now != base[key]}
        assert changed == {name}
        assert getattr(chosen, name) == value
        kind = "cut-point" if name.startswith("xtile") else "endpoints"
        assert Assumptions() in [other for _, _, other in chosen.one_at_a_time(kind)]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("cd19_reading", "CD19+"),
        ("time_origin", "diagnosis"),
        ("response_day", -1),
        ("response_day", 28.5),
        ("response_day", True),
        ("response_day", "28"),
        ("crs_death_within_days", None),
        ("xtile_variance", "binomial"),
    ],
)
def test_unknown_values_are_refused(field: str, value: Any) -> None:
    with pytest.raises(InputError, match=re.escape(f"{field}: found {value!r}")):
        Assumptions(**{field: value})


def test_all_unknown_values_are_told_at_once() -> None:
    with pytest.raises(InputError, match=r"time_origin.*relapse_before"):
        Assumptions(time_origin="x", relapse_before="y")


def test_sensitivity_varies_everything_and_marks_what_changes(supplement: Supplement) -> None:
    table = identified.sensitivity(supplement.cohort)
    assert len(table) == (1 + HOW_MANY_ALTERNATIVES) * 2 * 3
    assert not table.loc[table["assumption"] == "none varied", "changed"].any()
    changed = table[table["changed"]]

    def touched(name: str, value: str) -> list[tuple[str, str]]:
        rows = changed[(changed["assumption"] == name) & (changed["value"] == value)]
        return list(zip(rows["endpoint"], rows["group"], strict=True))

    assert touched("cd19_reading", READINGS["b"]) == [("LFS", "CART+HSCT")]
    assert touched("cd19_reading", READINGS["c"]) == [("LFS", "CART1"), ("LFS", "CART2"), ("LFS", "CART+HSCT")]
    assert touched("relapse_before", "publication") == [("LFS", "CART2")]
    assert touched("non_responder_lfs", "event at time zero") == [("LFS", "CART1")]
    assert touched("unassessed_lfs", "excluded") == [("LFS", "CART1")]
    assert touched("crs_death_of", "nobody in particular") == [("OS", "CART1"), ("LFS", "CART1")]
    # Patient 1 died within 30 days; that it may have been later shows at no day but in both endpoints.
    assert touched("crs_death_within_days", "0") == [("OS", "CART1"), ("LFS", "CART1")]


def test_readings_of_cd19(supplement: Supplement) -> None:
    table = identified.readings(supplement.cohort, days=[365])
    lfs = table[table["endpoint"] == "LFS"].pivot_table(index="reading", columns="group", values="event known")
    assert lfs[["CART1", "CART2", "CART+HSCT"]].to_numpy().tolist() == [[9, 7, 10], [9, 7, 0], [1, 0, 0]]
    # Reading (b) alone leaves CART+HSCT free to do better than both others.
    upper = table[table["endpoint"] == "LFS"].pivot_table(index="reading", columns="group", values="upper at 365")
    assert (upper["CART+HSCT"] == 1).all()
    assert upper.loc["b", "CART2"] == pytest.approx(2 / 7)
    assert upper.loc["c", "CART2"] == 1
    os = table[table["endpoint"] == "OS"].drop(columns=["reading", "meaning"])
    assert os.drop_duplicates().shape[0] == 3
