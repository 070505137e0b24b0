"""Figures of the treatments in time: swimmer plots, the flow of patients, the calendar."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.dates import ConciseDateFormatter, YearLocator, date2num
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyBboxPatch

from survaudit.cohort.schema import GROUPS, RELAPSES
from survaudit.figures.style import DAYS_PER_MONTH, GROUP_STYLES, INK, QUIET, figure_of, marked, place_patients

# Marker and size of each dated event; shapes differ, so that grey is enough.
_EVENTS = {
    "first collection": ("|", 9),
    "first infusion": ("o", 7),
    "second collection": ("|", 9),
    "second infusion": ("s", 7),
    "transplantation": ("^", 9),
}
_RESPONSES = {"CR, MRD-": "CR−", "CR, MRD+": "CR+", "CR": "CR", "NR": "NR", "not assessed": "?", "not reported": "?"}
# How far beyond the last date the page says that nothing more is known, in days.
_BEYOND = 70


def draw_swimmers(events: pd.DataFrame, states: pd.DataFrame, *, calendar: bool) -> Figure:
    """Draw a line a patient, with dated events as marks and undated relapses as gaps with a question.

    Parameters
    ----------
    events : pandas.DataFrame
        What ``dated_events`` returns.
    states : pandas.DataFrame
        What ``recorded_states`` returns.
    calendar : bool
        Whether time runs by the calendar, or from each patient's first infusion.
    """
    words = "dated events by the calendar" if calendar else "dated events since infusion"
    figure, axis = figure_of("IDENTIFIED", words, 10.4)
    first = events[events["event"] == "first infusion"].sort_values(["date", "patient"]).set_index("patient")
    rows = place_patients(axis, dict(zip(first.index, first["group"], strict=True)))
    for patient, own in events.groupby("patient"):
        start = first["date"][patient] if calendar else None
        _draw_patient(axis, rows[int(str(patient))], own, states[states["patient"] == patient], start)
    if calendar:
        locator = YearLocator()  # type: ignore[no-untyped-call]
        axis.xaxis.set_major_locator(locator)
        axis.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]
    else:
        axis.axvline(0, color=QUIET, linewidth=0.8)
    axis.set_xlabel("Calendar time" if calendar else "Months since the first infusion")
    axis.grid(axis="x")
    axis.set_axisbelow(True)
    figure.legend(handles=_swimmer_key(), loc="outside lower center", ncols=2)
    return figure


def _at(days: float, start: pd.Timestamp | None) -> float:
    """Return the place of a time on the axis: matplotlib's number of a date, or months."""
    return days / DAYS_PER_MONTH if start is None else float(date2num(start)) + days  # type: ignore[no-untyped-call]


def _draw_patient(axis: Axes, y: int, own: pd.DataFrame, states: pd.DataFrame, start: pd.Timestamp | None) -> None:
    style = GROUP_STYLES[str(own["group"].iloc[0])]
    first, last = own["time_days"].min(), own["time_days"].max()
    begin, end, beyond = (_at(days, start) for days in (first, last, last + _BEYOND))
    axis.plot([begin, end], [y, y], color=style.colour, linewidth=5, alpha=0.55, solid_capstyle="butt")
    axis.plot([end, beyond], [y, y], color=style.colour, linewidth=1.2, linestyle=":")
    for event, days in zip(own["event"], own["time_days"], strict=True):
        marker, size = _EVENTS[event]
        mark: dict[str, Any] = {"marker": marker, "markersize": size, "color": INK}
        if marker == "|":  # on top, with a light edge: a second infusion may follow within days
            axis.plot(_at(days, start), y, zorder=3, **mark | {"color": "white"}, markeredgewidth=2.6)
            axis.plot(_at(days, start), y, zorder=3, **mark, markeredgewidth=1.6)
        else:
            axis.plot(_at(days, start), y, markeredgecolor="white", markeredgewidth=0.6, **mark)
    for state in states.to_dict("records"):
        if start is None:  # by the calendar, the letters would run into one another
            _write_response(axis, y, state)
        if state["relapse"] in RELAPSES:
            _draw_undated_relapse(axis, y, state, start)


def _write_response(axis: Axes, y: int, state: Mapping[Any, Any]) -> None:
    """Write the code of a response over the first infusion, or after a last event, where its line is but dots."""
    text, first = _RESPONSES.get(state["response"], ""), state["after"] == "first infusion"
    label = axis.annotate(text, (_at(state["after_days"], None), y), (3, 8) if first else (7, 0), va="center",
                          textcoords="offset points", fontsize=9)  # fmt: skip
    if text and not first:
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 0.6})


def _draw_undated_relapse(axis: Axes, y: int, state: Mapping[Any, Any], start: pd.Timestamp | None) -> None:
    """Put the relapse where only its order is known: halfway to the next event, or beyond the last."""
    after, before = state["after_days"], state["before_days"]
    days = after + _BEYOND if pd.isna(before) else (after + before) / 2
    marker, size = ("p", 11.5) if state["after"] == "transplantation" else ("D", 9)
    axis.plot(_at(days, start), y, marker, color=INK, markerfacecolor="white", markersize=size)
    axis.annotate("?", (_at(days, start), y), (0, -0.4), textcoords="offset points", ha="center", va="center",
                  fontsize=8, fontweight="bold")  # fmt: skip


def _swimmer_key() -> list[Line2D]:
    marks = {"collection of T cells": "|"} | {event: marker for event, (marker, _) in _EVENTS.items() if marker != "|"}
    unclear = {"relapse recorded, day unknown": "D", "“CD19+” after HSCT, meaning unclear": "p"}
    size: dict[str, Any] = {"markeredgecolor": INK, "markersize": 8}
    return [
        *(marked(text, marker, markerfacecolor=INK, **size) for text, marker in marks.items()),
        *(marked(text, marker, markerfacecolor="none", **size) for text, marker in unclear.items()),
        Line2D([], [], color=QUIET, linestyle=":", label="no later date published"),
    ]


# Which station leads to which.
_WAYS = {
    "infused": ("remission", "no_response", "not_assessed"),
    "remission": ("transplanted", "relapsed"),
    "transplanted": ("marked",),
    "relapsed": ("reinfused", "not_reinfused"),
    "reinfused": ("reported", "silent"),
}


def draw_flow(counts: Mapping[str, int]) -> Figure:
    """Draw the patients' ways through treatment, with the number at each station.

    Parameters
    ----------
    counts : mapping of str to int
        What ``patient_flow`` returns.
    """
    c, (one, two, hsct) = counts, GROUPS
    # Where each station stands, the group in which a patient ends who comes there, and what it says.
    stations = {
        "infused": (2.0, 4, None, f"first infusion\n{c['infused']}"),
        "remission": (1.1, 3, None, f"remission\n{c['remission']}"),
        "no_response": (2.75, 3, one, f"no response\n{c['no_response']}"),
        "not_assessed": (3.75, 3, one, f"not assessed\n{c['not_assessed']}"),
        "transplanted": (0.3, 2, hsct, f"transplanted\n{c['transplanted']}"),
        "relapsed": (1.9, 2, None, f"relapse recorded,\nnot transplanted\n{c['relapsed']}"),
        "marked": (0.3, 1, hsct, f"“CD19+” recorded\n{c['hsct_marked']}"),
        "reinfused": (1.5, 1, two, f"second infusion\n{c['reinfused']}"),
        "not_reinfused": (2.75, 1, one, f"nothing more\n{c['relapsed'] - c['reinfused']}"),
        "reported": (1.0, 0, two, f"relapse recorded\nagain\n{c['reinfused_relapsed']}"),
        "silent": (2.1, 0, two, f"outcome\nnot reported\n{c['reinfused'] - c['reinfused_reported']}"),
    }
    figure, axis = figure_of("IDENTIFIED", "ways through treatment", 6.0)
    arrow = {"arrowstyle": "-|>", "color": QUIET, "shrinkA": 0, "shrinkB": 0}
    for begin, ends in _WAYS.items():
        for end in ends:
            (x0, y0, *_), (x1, y1, *_) = stations[begin], stations[end]
            axis.annotate("", (x1, y1 + 0.3), (x0, y0 - 0.3), arrowprops=arrow)
    for x, y, group, text in stations.values():
        edge = GROUP_STYLES[group].colour if group else QUIET
        look: dict[str, Any] = {"boxstyle": "round,pad=0.02", "facecolor": "white", "edgecolor": edge, "linewidth": 2}
        axis.add_patch(FancyBboxPatch((x - 0.42, y - 0.28), 0.84, 0.56, **look))
        axis.text(x, y, text, ha="center", va="center", fontsize=9)
    for group in GROUPS:
        axis.plot([], [], color=GROUP_STYLES[group].colour, linewidth=3, label=f"ends as {group}")
    axis.legend(loc="lower right")
    axis.set(xlim=(-0.3, 4.3), ylim=(-0.45, 4.45))
    axis.axis("off")
    return figure


def draw_calendar(events: pd.DataFrame) -> Figure:
    """Draw the first infusions and what followed, by year and group.

    Parameters
    ----------
    events : pandas.DataFrame
        What ``dated_events`` returns.
    """
    figure, axis = figure_of("IDENTIFIED", "first infusions by year", 3.4)
    first = events[events["event"] == "first infusion"]
    counts = pd.crosstab(first["date"].dt.year, first["group"])
    start = counts[GROUPS[0]] * 0
    for group in GROUPS:
        style = GROUP_STYLES[group]
        axis.bar(counts.index, counts[group], bottom=start, color=style.colour, hatch=style.hatch, edgecolor="white",
                 label=f"{group} (n = {counts[group].sum()})")  # fmt: skip
        start = start + counts[group]
    axis.set(ylabel="First infusions", xticks=list(counts.index))
    axis.legend()
    return figure
