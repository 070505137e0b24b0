"""Whether a follow-up agrees with the tables, by plain code that reads their text and shares nothing with the project.

Written from the rules of the endpoints as the design states them: everyone was alive on the latest date of the
row and in remission when the response was assessed; a recorded relapse has come by its day; LFS <= OS; a death
is an event of both endpoints; one day ends the observation of everyone.
"""

from __future__ import annotations

import math
import re
from datetime import date, timedelta
from typing import Any

PAPER = date(2021, 10, 29)
BOOK = {
    "time_origin": "first infusion",
    "response_day": 28,
    "cd19_reading": "relapse",
    "relapse_before": "second collection",
    "non_responder_lfs": "excluded",
    "unassessed_lfs": "as overall survival",
    "crs_death_of": "the patient not assessed",
    "crs_death_within_days": 30,
}
Row = dict[str, Any]


def read_rows(raw_texts: list[str]) -> list[Row]:
    """Table 2, patient by patient."""
    blocks = [
        [re.sub(r"\s", "", cell) for cell in block.split("\t")[1:]] for block in raw_texts[1].strip("\n").split("\n\n")
    ][1:]
    names = ["patient", "group", "collected", "infused", "response", "relapse", "collected_2", "infused_2"]
    rows = []
    for cells in blocks:
        row: Row = dict(zip(names, cells[:8], strict=True)) | {"transplanted": cells[10]}
        for name in ("collected", "infused", "collected_2", "infused_2", "transplanted"):
            row[name] = None if row[name] == "/" else date(*map(int, row[name].split("/")))
        rows.append(row | {"patient": int(cells[0])})
    return rows


def zero(row: Row, a: dict[str, Any]) -> date:
    return row["infused"] if a["time_origin"] == "first infusion" else row["collected"]


def death(row: Row, a: dict[str, Any]) -> tuple[date, date | None]:
    """The last day on which the patient was surely alive, and the day by which a recorded death came."""
    latest = row["transplanted"] or row["infused_2"] or row["infused"]
    if row["response"] == "NA":
        if a["crs_death_of"] == "nobody in particular":
            return latest, None
        within = a["crs_death_within_days"]
        return latest, row["infused"] + timedelta(within) if within else PAPER
    return max(latest, row["infused"] + timedelta(a["response_day"])), None


def failure(row: Row, a: dict[str, Any]) -> tuple[date, date | None] | None:
    """The last day surely free of relapse and death, the day by which a recorded one came; None if excluded."""
    assessed = row["infused"] + timedelta(a["response_day"])
    if row["response"] == "NA":
        return None if a["unassessed_lfs"] == "excluded" else death(row, a)
    if row["response"] == "NR":
        return never_in_remission(row, a, assessed)
    if row["transplanted"]:
        return row["transplanted"], PAPER if a["cd19_reading"] == "relapse" else None
    if a["cd19_reading"] == "antigen status everywhere":
        return assessed, None
    by = {"second collection": row["collected_2"], "second infusion": row["infused_2"]}
    return assessed, by.get(a["relapse_before"]) or PAPER


def never_in_remission(row: Row, a: dict[str, Any], assessed: date) -> tuple[date, date | None] | None:
    """The same for a patient who did not respond."""
    if a["non_responder_lfs"] == "excluded":
        return None
    if a["non_responder_lfs"] == "event at assessment" and not a["response_day"]:
        return zero(row, a) - timedelta(1), PAPER
    day = zero(row, a) if a["non_responder_lfs"] == "event at time zero" else assessed
    return day - timedelta(1), day


def faults(rows: list[Row], seen: list[dict[str, Any]], cut_off: date, a: dict[str, Any]) -> list[str]:
    """What in a follow-up contradicts the tables; `seen` has patient, os_days, os_event, lfs_days, lfs_event."""
    found = []
    if not date(2020, 7, 3) <= cut_off <= PAPER:
        found.append(f"cut-off {cut_off}")
    if [one["patient"] for one in seen] != [row["patient"] for row in rows]:
        found.append("patients")
    for row, one in zip(rows, seen, strict=True):
        end = (cut_off - zero(row, a)).days
        for name, bounds in (("os", death(row, a)), ("lfs", failure(row, a))):
            days, event = one[f"{name}_days"], one[f"{name}_event"]
            if bounds is None:
                wrong = not (days is None and event is None)
            else:
                left, right = ((day - zero(row, a)).days if day else math.inf for day in bounds)
                after = event and not left < days <= min(right, end)
                wrong = after or days != int(days) or (not event and (right < math.inf or days != end))
            if wrong:
                found.append(f"patient {row['patient']}: {name} {days} {event}")
        if failure(row, a) is not None:
            earlier = one["lfs_days"] <= one["os_days"] and (one["lfs_event"] or not one["os_event"])
            same = row["response"] != "NA" or one["lfs_days"] == one["os_days"]
            if not (earlier and same):
                found.append(f"patient {row['patient']}: {one}")
    return found
