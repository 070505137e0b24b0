"""The treatments in time: dated events, waiting times, and the patients' ways through treatment."""

from __future__ import annotations

import pandas as pd

from survaudit.cohort.schema import NOT_ASSESSED, RELAPSES, REMISSIONS

DATED_EVENTS = {
    "collection_1_date": "first collection",
    "infusion_1_date": "first infusion",
    "collection_2_date": "second collection",
    "infusion_2_date": "second infusion",
    "hsct_date": "transplantation",
}

# Which state columns tell of the time after which dated event.
STATES = {
    "infusion_1_date": ("response_1", "relapse_1"),
    "infusion_2_date": ("response_2", "relapse_2"),
    "hsct_date": ("response_hsct", "relapse_hsct"),
}

WAITS = {
    "First collection to first infusion": ("collection_1_date", "infusion_1_date"),
    "First infusion to second collection": ("infusion_1_date", "collection_2_date"),
    "Second collection to second infusion": ("collection_2_date", "infusion_2_date"),
    "First infusion to second infusion": ("infusion_1_date", "infusion_2_date"),
    "First infusion to transplantation": ("infusion_1_date", "hsct_date"),
}


def dated_events(treatments: pd.DataFrame) -> pd.DataFrame:
    """List every dated event of every patient.

    Parameters
    ----------
    treatments : pandas.DataFrame, shape (28, 13)
        ``Supplement.treatments``.

    Returns
    -------
    pandas.DataFrame
        ``patient``, ``group``, ``event``, ``date``, and ``time_days`` since the first infusion;
        in order of patient, then date.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> table = dated_events(read_supplement("data/raw").treatments)
    >>> table.query("patient == 12")[["event", "time_days"]].values.tolist()
    [['first collection', -23], ['first infusion', 0], ['second collection', 121], ['second infusion', 134]]
    """
    long = treatments.melt(["patient", "group"], list(DATED_EVENTS), "event", "date").dropna(subset="date")
    zero = treatments.set_index("patient")["infusion_1_date"]
    long["time_days"] = (long["date"] - long["patient"].map(zero)).dt.days
    long["event"] = long["event"].map(DATED_EVENTS)
    return long.sort_values(["patient", "date"], ignore_index=True)


def recorded_states(treatments: pd.DataFrame) -> pd.DataFrame:
    """List what is recorded of each patient after each treatment, none of it dated.

    Parameters
    ----------
    treatments : pandas.DataFrame, shape (28, 13)
        ``Supplement.treatments``.

    Returns
    -------
    pandas.DataFrame
        ``patient``, ``group``, ``after`` (the dated event), ``after_days`` (its time since the first
        infusion), ``before_days`` (that of the next event, missing if the row has none), ``response``
        and ``relapse`` as the tidy table has them.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> table = recorded_states(read_supplement("data/raw").treatments)
    >>> table.query("patient == 12")[["after", "after_days", "relapse"]].values.tolist()
    [['first infusion', 0, 'CD19+'], ['second infusion', 134, 'not reported']]
    """
    parts = []
    events = treatments[list(DATED_EVENTS)]
    for date, (response, relapse) in STATES.items():
        given = treatments[treatments[date].notna()]
        later = events.loc[given.index].where(events.gt(given[date], axis=0)).min(axis=1)
        part = given[["patient", "group"]].assign(
            after=DATED_EVENTS[date],
            after_days=(given[date] - given["infusion_1_date"]).dt.days,
            before_days=(later - given["infusion_1_date"]).dt.days,
            response=given[response],
            relapse=given[relapse],
        )
        parts.append(part)
    return pd.concat(parts).sort_values(["patient", "after_days"], ignore_index=True)


def last_known_day(treatments: pd.DataFrame) -> pd.Series:
    """Return, by patient, the days from the first infusion to the last date in the patient's row.

    Parameters
    ----------
    treatments : pandas.DataFrame, shape (28, 13)
        ``Supplement.treatments``.

    Returns
    -------
    pandas.Series of int, shape (28,)
        Indexed by ``patient``.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> int(last_known_day(read_supplement("data/raw").treatments)[12])
    134
    """
    latest = treatments[list(DATED_EVENTS)].max(axis=1)
    days = (latest - treatments["infusion_1_date"]).dt.days
    return days.set_axis(treatments["patient"]).rename("last_known_day")


def waiting_times(treatments: pd.DataFrame) -> pd.DataFrame:
    """Summarise the days between treatments.

    Parameters
    ----------
    treatments : pandas.DataFrame, shape (28, 13)
        ``Supplement.treatments``.

    Returns
    -------
    pandas.DataFrame, one row a wait
        ``wait``, ``patients``, ``shortest``, ``median``, ``longest``, in days.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> table = waiting_times(read_supplement("data/raw").treatments).set_index("wait")
    >>> table.loc["First infusion to transplantation", ["shortest", "longest"]].astype(int).tolist()
    [32, 137]
    """
    rows = []
    for wait, (start, end) in WAITS.items():
        days = (treatments[end] - treatments[start]).dt.days.dropna()
        rows.append((wait, len(days), int(days.min()), float(days.median()), int(days.max())))
    return pd.DataFrame(rows, columns=["wait", "patients", "shortest", "median", "longest"])


def patient_flow(treatments: pd.DataFrame) -> dict[str, int]:
    """Count the patients at each station between the first infusion and the last recorded state.

    Parameters
    ----------
    treatments : pandas.DataFrame, shape (28, 13)
        ``Supplement.treatments``.

    Returns
    -------
    dict of str to int
        ``infused``; ``remission``, ``no_response``, ``not_assessed``; of those in remission
        ``transplanted`` and, not transplanted, ``relapsed``; of the relapsed ``reinfused``, and
        of these ``reinfused_reported``; ``hsct_marked``, bearing a mark after transplantation.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> flow = patient_flow(read_supplement("data/raw").treatments)
    >>> flow["infused"], flow["remission"], flow["transplanted"], flow["reinfused"]
    (28, 25, 10, 7)
    """
    response, remission = treatments["response_1"], treatments["response_1"].isin(REMISSIONS)
    transplanted, reinfused = treatments["hsct_date"].notna(), treatments["infusion_2_date"].notna()
    relapsed = treatments["relapse_1"].isin(RELAPSES)
    counts = {
        "infused": treatments["infusion_1_date"].notna(),
        "remission": remission,
        "no_response": response == "NR",
        "not_assessed": response == NOT_ASSESSED,
        "transplanted": remission & transplanted,
        "relapsed": remission & ~transplanted & relapsed,
        "reinfused": relapsed & reinfused,
        "reinfused_reported": reinfused & (treatments["response_2"] == "CR"),
        "reinfused_relapsed": reinfused & treatments["relapse_2"].isin(RELAPSES),
        "hsct_marked": transplanted & treatments["relapse_hsct"].isin(RELAPSES),
    }
    return {name: int(mask.sum()) for name, mask in counts.items()}
