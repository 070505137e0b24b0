"""What the tables tell of each patient's survival: an interval ``(L, R]`` that holds the event.

The tables date treatments, not relapses or deaths. So each patient has, for each endpoint, a last
day on which the event had surely not yet come (L) and a first day by which it surely had (R,
infinite if no event is recorded). An end is a fact of the tables, or follows from an assumption;
each names the cells or assumptions that it rests on. Days are whole, so that an event on day d is
the interval ``(d - 1, d]``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pandas as pd

from survaudit.cohort.assumptions import (
    ANTIGEN_EVERYWHERE,
    BY_PUBLICATION,
    BY_SECOND_COLLECTION,
    EVENT_AT_ZERO,
    EXCLUDED,
    INFUSION,
    RELAPSE,
    UNASSESSED,
    Assumptions,
)
from survaudit.cohort.schema import COHORT, NOT_ASSESSED, PATIENTS, PUBLISHED, RELAPSES, REMISSIONS
from survaudit.cohort.timeline import DATED_EVENTS
from survaudit.errors import InputError

OS, LFS = "OS", "LFS"
TABLE, ASSUMPTION = "table", "assumption"
EVENT_KNOWN, EVENT_FREE, UNKNOWN = "event known", "event-free at last date known", "unknown"
PUBLICATION = f"publication of the paper: {PUBLISHED:%Y-%m-%d}"
ABSTRACT = "abstract of the paper: one death of CRS"


@dataclass(frozen=True)
class End:
    """One end of an interval.

    Attributes
    ----------
    day : float
        Days since the time origin; infinite if nothing bounds the event.
    tag : {"table", "assumption"}
        What the end rests on; with one assumption among its sources it is an assumption.
    sources : tuple of str
        The cells and assumptions, as ``Supplementary Table 2, row 12, Date of BMT: ...``.
    words : str
        The end as part of a sentence.
    """

    day: float
    tag: str
    sources: tuple[str, ...]
    words: str


_OPEN = End(math.inf, TABLE, (), "no event is recorded, so that it may have come at any later time, or not at all")


@dataclass(frozen=True)
class Interval:
    """Where one patient's event lies, by the tables alone and with the assumptions.

    Attributes
    ----------
    patient : int
    group : str
    endpoint : {"OS", "LFS"}
    status : {"event known", "event-free at last date known", "unknown"}
        ``unknown`` where not even the state on the last date of the row is known.
    left, right : End
        With the assumptions: the event lies in ``(left.day, right.day]``.
    table_left, table_right : End
        By the tables alone; this interval holds the other. A relapse in the column after the first
        infusion counts as told by the tables, unless ``cd19_reading`` denies that any column tells one.
    """

    patient: int
    group: str
    endpoint: str
    status: str
    left: End
    right: End
    table_left: End
    table_right: End

    @property
    def sentence(self) -> str:
        """Return the interval in words that a reader can check against the tables."""
        return f"Patient {self.patient} ({self.group}), {self.endpoint}: {self.left.words}; {self.right.words}."


class _Patient:
    """One row of the cohort, asked in days and in cells."""

    def __init__(self, row: pd.Series, assumptions: Assumptions) -> None:
        self.row = row
        self.assumptions = assumptions
        self.number, self.group = int(row["patient"]), str(row["group"])
        self.in_remission = row["response_1"] in REMISSIONS
        self.assessed = row["response_1"] != NOT_ASSESSED
        # By the tables, eight patients had severe CRS. By the abstract, one patient died of it. Seven of the eight
        # lived to have a response on record, and we assume that it was the one who has none.
        marked = bool(row["severe_crs"]) and not self.assessed
        self.died_of_crs = marked and assumptions.crs_death_of == UNASSESSED
        self.zero = row["infusion_1_date" if assumptions.time_origin == INFUSION else "collection_1_date"]
        self.infused = self.day(row["infusion_1_date"])

    def day(self, date: pd.Timestamp) -> int:
        return int((date - self.zero).days)

    def cell(self, column: str) -> str:
        table = 1 if column in PATIENTS.columns else 2
        header = (COHORT.columns[column].metadata or {})["header"]
        value = self.row[column]
        shown = f"{value:%Y-%m-%d}" if isinstance(value, pd.Timestamp) else str(value)
        return f"Supplementary Table {table}, row {self.number}, {header}: {shown}"

    def assumed(self, name: str) -> str:
        return f"assumption {name}: {getattr(self.assumptions, name)}"

    def at(self, column: str, words: str, *others: str) -> End:
        """Return the end that a date of the table makes, together with other cells."""
        day = self.day(self.row[column])
        sources = (self.cell(column), *(self.cell(other) for other in others))
        return End(day, TABLE, sources, f"{words} on day {day}")

    def published(self, words: str, *columns: str) -> End:
        """Return the end of an event that the paper reports, and that came before it."""
        day = self.day(PUBLISHED)
        sources = (*(self.cell(column) for column in columns), PUBLICATION)
        return End(day, TABLE, sources, f"{words} by day {day}, when the paper appeared")

    def latest(self) -> End:
        """Return the latest date of the row, on which the patient was alive."""
        column = max((name for name in DATED_EVENTS if pd.notna(self.row[name])), key=lambda name: self.row[name])
        return self.at(column, f"alive at the {DATED_EVENTS[column]}")

    def assessment(self, state: str) -> Iterable[End]:
        """Yield the day of the response, if there was one and a day is assumed."""
        if self.assessed and self.assumptions.response_day:
            day = self.infused + self.assumptions.response_day
            self._before_the_next_treatment(day)
            sources = (self.cell("response_1"), self.assumed("response_day"))
            yield End(day, ASSUMPTION, sources, f"{state} on day {day}, if the response was assessed then")

    def _before_the_next_treatment(self, day: int) -> None:
        for column in ("collection_2_date", "hsct_date"):
            if pd.notna(self.row[column]) and self.day(self.row[column]) < day:
                raise InputError(
                    f"response_day: found {self.assumptions.response_day}, which is after a later treatment "
                    f"({self.cell(column)}), expected a day before it; assume an earlier day"
                )


def _later(*ends: End) -> End:
    """Return the latest end; of equal ones the first, so that a fact goes before an assumption."""
    return max(ends, key=lambda end: end.day)


def _earlier(*ends: End) -> End:
    return min(ends, key=lambda end: end.day)


def _interval(patient: _Patient, endpoint: str, *, known: bool, left: list[End], right: list[End]) -> Interval:
    """Combine the ends that bound an event, some by the tables and some by assumption."""
    facts = [end for end in left if end.tag == TABLE]
    limits = [end for end in right if end.tag == TABLE] or [_OPEN]
    first, last = _later(*left), _earlier(*right)
    if not first.day < last.day:
        raise InputError(
            f"patient {patient.number}, {endpoint}: found an event after day {first.day:g} and by day {last.day:g}, "
            f"expected an interval ({'; '.join((*first.sources, *last.sources))}); choose assumptions that agree"
        )
    at_last_date = first.day >= patient.latest().day
    status = EVENT_KNOWN if known else EVENT_FREE if at_last_date else UNKNOWN
    return Interval(patient.number, patient.group, endpoint, status, first, last, _later(*facts), _earlier(*limits))


# ---------------------------------------------------------------- overall survival


def _crs_death(patient: _Patient) -> list[End]:
    """Return by when the patient died of CRS: by publication, and within the assumed days."""
    fact = patient.published("died of CRS", "severe_crs", "response_1")
    sources = (*fact.sources, ABSTRACT, patient.assumed("crs_death_of"))
    ends = [End(fact.day, ASSUMPTION, sources, f"{fact.words}, if the abstract's death is this one")]
    within = patient.assumptions.crs_death_within_days
    if within:
        day = patient.infused + within
        sources = (*sources, patient.assumed("crs_death_within_days"))
        ends.append(End(day, ASSUMPTION, sources, f"died of CRS by day {day}, if it was this death and came so soon"))
    return ends


def _overall(patient: _Patient) -> Interval:
    """Return the interval of death: everyone was alive on the latest date of the row, and when assessed.

    Nothing else that the tables tell of leukaemia-free survival reaches beyond these two days.
    """
    left = [patient.latest(), *patient.assessment("alive")]
    if patient.died_of_crs:
        return _interval(patient, OS, known=True, left=left, right=_crs_death(patient))
    return _interval(patient, OS, known=False, left=left, right=[_OPEN])


# ---------------------------------------------------------------- leukaemia-free survival


def _leukaemia_free(patient: _Patient) -> Interval | None:
    """Return the interval of relapse or death; None for a patient who is excluded."""
    if patient.in_remission:
        return _after_remission(patient)
    if not patient.assessed:
        excluded = patient.assumptions.unassessed_lfs == EXCLUDED
        return None if excluded else replace(_overall(patient), endpoint=LFS)
    return None if patient.assumptions.non_responder_lfs == EXCLUDED else _without_remission(patient)


def _after_remission(patient: _Patient) -> Interval:
    """Take an antigen in a relapse column for a relapse, as far as its reading goes."""
    chosen = patient.assumptions
    left = [
        patient.at("infusion_1_date", "not yet relapsed at the first infusion"),
        *patient.assessment("in remission"),
    ]
    if pd.notna(patient.row["hsct_date"]):
        words = "free of relapse and alive at the transplantation"
        left = [patient.at("hsct_date", words, "relapse_1"), *left]
        relapse = list(_relapse_after_hsct(patient))
        return _interval(patient, LFS, known=bool(relapse), left=left, right=[_OPEN, *relapse])
    known = patient.row["relapse_1"] in RELAPSES and chosen.cd19_reading != ANTIGEN_EVERYWHERE
    right = [patient.published("relapsed", "relapse_1"), *_relapse_before(patient)] if known else [_OPEN]
    return _interval(patient, LFS, known=known, left=left, right=right)


def _relapse_after_hsct(patient: _Patient) -> Iterable[End]:
    if patient.assumptions.cd19_reading == RELAPSE and patient.row["relapse_hsct"] in RELAPSES:
        fact = patient.published("relapsed", "relapse_hsct")
        sources = (*fact.sources, patient.assumed("cd19_reading"))
        words = f"{fact.words}, if '{patient.row['relapse_hsct']}' in the last column is a relapse"
        yield End(fact.day, ASSUMPTION, sources, words)


def _relapse_before(patient: _Patient) -> Iterable[End]:
    """Yield by when a patient infused twice had relapsed for the first time, as assumed."""
    bound = patient.assumptions.relapse_before
    if pd.isna(patient.row["infusion_2_date"]) or bound == BY_PUBLICATION:
        return
    column = "collection_2_date" if bound == BY_SECOND_COLLECTION else "infusion_2_date"
    day = patient.day(patient.row[column])
    sources = (patient.cell("relapse_1"), patient.cell(column), patient.assumed("relapse_before"))
    yield End(day, ASSUMPTION, sources, f"relapsed by day {day}, if that came before the {bound}")


def _without_remission(patient: _Patient) -> Interval:
    """Count a non-responder as failed, at time zero or when the response was assessed."""
    sources: tuple[str, ...] = (patient.cell("response_1"), patient.assumed("non_responder_lfs"))
    left = [End(-1, TABLE, (patient.cell("response_1"),), "no remission to begin with")]
    right = [patient.published("no remission", "response_1")]
    day = 0
    if patient.assumptions.non_responder_lfs != EVENT_AT_ZERO:
        if not patient.assumptions.response_day:
            return _interval(patient, LFS, known=True, left=left, right=right)
        day = patient.infused + patient.assumptions.response_day
        sources = (*sources, patient.assumed("response_day"))
    left.append(End(day - 1, ASSUMPTION, sources, "no remission to begin with"))
    right.append(End(day, ASSUMPTION, sources, f"counted as an event on day {day}"))
    return _interval(patient, LFS, known=True, left=left, right=right)


# ---------------------------------------------------------------- the cohort


@dataclass(frozen=True)
class Endpoints:
    """The intervals of all patients for one endpoint.

    Attributes
    ----------
    endpoint : {"OS", "LFS"}
    intervals : tuple of Interval
        In the order of patients.
    excluded : tuple of int
        Patients without an interval, because the endpoint is not theirs.
    assumptions : Assumptions
    """

    endpoint: str
    intervals: tuple[Interval, ...]
    excluded: tuple[int, ...]
    assumptions: Assumptions

    @property
    def n_events(self) -> int:
        """Return how many events are known, by the tables or by assumption."""
        return sum(interval.status == EVENT_KNOWN for interval in self.intervals)

    def to_frame(self) -> pd.DataFrame:
        """Return one row an interval, with its ends, their tags, sources and sentence."""
        rows = [
            {
                "patient": interval.patient,
                "group": interval.group,
                "endpoint": interval.endpoint,
                "status": interval.status,
                "left_days": float(interval.left.day),
                "right_days": float(interval.right.day),
                "left_tag": interval.left.tag,
                "right_tag": interval.right.tag,
                "table_left_days": float(interval.table_left.day),
                "table_right_days": float(interval.table_right.day),
                "left_from": "; ".join(interval.left.sources),
                "right_from": "; ".join(interval.right.sources),
                "sentence": interval.sentence,
            }
            for interval in self.intervals
        ]
        return pd.DataFrame(rows)


def endpoints(cohort: pd.DataFrame, assumptions: Assumptions | None = None) -> dict[str, Endpoints]:
    """Return where each patient's events lie, for overall and leukaemia-free survival.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    assumptions : Assumptions, optional
        The book's if not given.

    Returns
    -------
    dict of Endpoints
        By "OS" and "LFS".

    Raises
    ------
    InputError
        If assumptions contradict the dates of a patient, who is named.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> lfs = endpoints(read_supplement("data/raw").cohort)["LFS"]
    >>> lfs.excluded, lfs.n_events
    ((4, 5), 26)
    >>> print(lfs.intervals[9].sentence)
    Patient 12 (CART2), LFS: in remission on day 28, if the response was assessed then; relapsed by day 121, ...
    """
    chosen = assumptions or Assumptions()
    patients = [_Patient(row, chosen) for _, row in cohort.iterrows()]
    leukaemia_free = {patient.number: _leukaemia_free(patient) for patient in patients}
    overall = tuple(_overall(patient) for patient in patients)
    kept = tuple(interval for interval in leukaemia_free.values() if interval)
    excluded = tuple(number for number, interval in leukaemia_free.items() if not interval)
    return {OS: Endpoints(OS, overall, (), chosen), LFS: Endpoints(LFS, kept, excluded, chosen)}


def cut_off_range(cohort: pd.DataFrame, assumptions: Assumptions | None = None) -> tuple[pd.Timestamp, pd.Timestamp]:
    """Return the first and the last possible day of the administrative cut-off of follow-up.

    Not before any dated treatment, nor before the last day on which each patient is known to be without
    the event, nor before the first on which each recorded event could have come; not after publication.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    assumptions : Assumptions, optional
        The book's if not given.

    Returns
    -------
    tuple of pandas.Timestamp
        First and last day.

    Raises
    ------
    InputError
        If assumptions contradict the dates of a patient.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> [f"{day:%Y-%m-%d}" for day in cut_off_range(read_supplement("data/raw").cohort)]
    ['2020-08-01', '2021-10-29']
    """
    chosen = assumptions or Assumptions()
    dates = [cohort[name].max() for name in DATED_EVENTS]
    origin = cohort.set_index("patient")["infusion_1_date" if chosen.time_origin == INFUSION else "collection_1_date"]
    for interval in (interval for part in endpoints(cohort, chosen).values() for interval in part.intervals):
        first = interval.left.day + (interval.status == EVENT_KNOWN)
        dates.append(origin[interval.patient] + pd.Timedelta(days=first))
    return max(dates), PUBLISHED
