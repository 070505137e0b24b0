"""Points clicked on a published curve: read, checked, and made to fall as a survival curve must.

A file holds one arm of one panel, a point a line under a header that names the unit of time. How far
a click may be off, in either direction, is stated by whoever clicked, and everything later is judged
by it: a rise within the error is smoothed, a larger one is refused.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import optimize

from survaudit.errors import InputError, SourceFileError
from survaudit.survival.curves import Floats, KaplanMeier

DAYS = {"days": 1.0, "months": 30.4375, "years": 365.25}
# A click further off than this many of its stated errors is taken for a slip of the hand.
_SLIP = 6.0
# What is taken for the same height or the same day, in stated errors.
NEAR = 2.0


@dataclass(frozen=True, eq=False)
class Clicks:
    """Points of one curve, as clicked, in the order of time.

    Attributes
    ----------
    time_days, survival : array of shape (k,)
        Survival as a share. Beyond 0 and 1 by no more than the error.
    time_error, survival_error : float
        How far a click may be off, as a standard deviation: in days, and as a share.
    source : str
        Where the points are from.
    units : str
    """

    time_days: Floats
    survival: Floats
    time_error: float
    survival_error: float
    source: str
    units: str = "days"

    def to_frame(self) -> pd.DataFrame:
        """Return one row a click."""
        return pd.DataFrame({"time_days": self.time_days, "survival": self.survival})


def check_clicks(
    time: ArrayLike,
    survival: ArrayLike,
    *,
    unit: str = "days",
    time_error: float | None = None,
    survival_error: float = 0.005,
    source: str = "clicks",
    lines: Sequence[int] | None = None,
) -> Clicks:
    """Return clicks in days and in the order of time, having made sure that they can be of a curve.

    Parameters
    ----------
    time, survival : array-like of shape (k,)
        Survival as a share from 0 to 1.
    unit : {"days", "months", "years"}
        Of ``time`` and ``time_error``; a month has 30.4375 days.
    time_error, survival_error : float
        Standard deviations of a click. If not given, that of time is half a per cent of the last time.
    source : str
        Named in errors.
    lines : sequence of int, optional
        The line of each click in its file; its position from 1 on if not given.

    Returns
    -------
    Clicks

    Raises
    ------
    InputError
        Naming every problem at once, with its line: not finite, negative time, survival that is no
        share (per cents), a rise that no click error explains, fewer than two clicks, an unknown unit.

    Examples
    --------
    >>> check_clicks([0, 1, 2], [100, 90, 90], unit="months", source="a.csv", lines=[2, 3, 4])
    Traceback (most recent call last):
    ...
    survaudit.errors.InputError: a.csv: line 2: found a survival of 100, expected a share from 0 to 1; divide per ...
    """
    if unit not in DAYS:
        raise InputError(f"{source}: found the unit {unit!r}, expected one of {', '.join(DAYS)}; convert the times")
    t, s = np.array(time, dtype=float), np.array(survival, dtype=float)
    if t.ndim != 1 or t.shape != s.shape or len(t) < 2:
        raise InputError(
            f"{source}: found {t.size} times and {s.size} survivals, expected two or more of each; click again"
        )
    place = np.arange(1, len(t) + 1) if lines is None else np.asarray(lines)
    longest = t[np.isfinite(t)].max(initial=0.0)
    spread = 0.005 * float(longest) if time_error is None else float(time_error)
    if not (spread >= 0 and survival_error >= 0):
        raise InputError(f"{source}: found a negative or missing click error, expected 0 or more; state how far off")
    # Only where every click lies on the axes is a rise worth telling.
    if problems := _impossible(t, s, spread, survival_error) or _rises(t, s, spread, survival_error):
        raise InputError(f"{source}: " + "; ".join(f"line {place[i]}: {problem}" for i, problem in problems))
    order = np.lexsort((-s, t))
    return Clicks(t[order] * DAYS[unit], s[order], spread * DAYS[unit], float(survival_error), source)


def _impossible(t: Floats, s: Floats, time_error: float, survival_error: float) -> list[tuple[int, str]]:
    """Return the clicks that lie off any survival curve."""
    found = []
    for i, (day, share) in enumerate(zip(t, s, strict=True)):
        if not (np.isfinite(day) and np.isfinite(share)):
            found.append((i, f"found {day:g}, {share:g}, expected finite numbers; click it again"))
        elif day < -_SLIP * time_error:
            found.append((i, f"found a time of {day:g}, expected none before 0; check the origin of the axis"))
        elif not -_SLIP * survival_error <= share <= 1 + _SLIP * survival_error:
            remedy = "divide per cents by 100, or check the axis"
            found.append((i, f"found a survival of {share:g}, expected a share from 0 to 1; {remedy}"))
    return found


def _rises(t: Floats, s: Floats, time_error: float, survival_error: float) -> list[tuple[int, str]]:
    """Return the clicks that lie higher than one well before them by more than errors explain."""
    found = []
    for i, (day, share) in enumerate(zip(t, s, strict=True)):
        before = s[t < day - _SLIP * time_error]
        lowest = float(before.min()) if len(before) else 1.0
        if share > lowest + _SLIP * survival_error + 1e-9 and len(before):
            found.append((i, f"found {share:g} after {lowest:g}, expected no rise; remove the click that slipped"))
    return found


def read_clicks(path: Path | str, *, time_error: float | None = None, survival_error: float = 0.005) -> Clicks:
    """Read the clicks of one arm: ``time_days,survival`` (or months, years) and a point a line.

    Parameters
    ----------
    path : path-like
        A CSV file in UTF-8.
    time_error, survival_error
        As in ``check_clicks``, the first in the unit of the file.

    Returns
    -------
    Clicks

    Raises
    ------
    SourceFileError
        If there is no readable file.
    InputError
        As in ``check_clicks``, with the file and the lines; or if a header or a cell is something else.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "arm.csv"
    ...     pd.DataFrame({"time_months": [0, 12, 12], "survival": [1, 1, 0.8]}).to_csv(path, index=False)
    ...     read_clicks(path).to_frame().values.tolist()
    [[0.0, 1.0], [365.25, 1.0], [365.25, 0.8]]
    """
    name = Path(path).name
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceFileError(
            f"{path}: found no readable text ({error}), expected a CSV file; check the path"
        ) from error
    header, *rows = list(csv.reader(text.splitlines())) or [[]]
    units = {f"time_{unit},survival": unit for unit in DAYS}
    if (found := ",".join(cell.strip() for cell in header)) not in units:
        raise InputError(f"{name}: line 1: found {found!r}, expected {' or '.join(units)}; name the unit in the header")
    filled = [(line, row) for line, row in enumerate(rows, start=2) if any(cell.strip() for cell in row)]
    points, problems = [], []
    for line, row in filled:
        try:
            time, survival = map(float, row)
            points.append((time, survival))
        except ValueError:
            problems.append(f"line {line}: found {','.join(row)!r}, expected two numbers; correct it")
    if problems:
        raise InputError(f"{name}: " + "; ".join(problems))
    return check_clicks(
        *np.array(points).reshape(-1, 2).T,
        unit=units[found],
        time_error=time_error,
        survival_error=survival_error,
        source=name,
        lines=[line for line, _ in filled],
    )


def click(
    curve: KaplanMeier, *, rng: np.random.Generator, time_error: float = 0.005, survival_error: float = 0.005
) -> Clicks:
    """Return the clicks that a hand with a stated error would make on a known curve, to try a method out.

    Both ends of every level are clicked, and two places between.

    Parameters
    ----------
    curve : KaplanMeier
        Drawn to its last day.
    rng : numpy.random.Generator
        Of places and errors, which are normal.
    time_error, survival_error : float
        Standard deviations as shares of the length of each axis.

    Returns
    -------
    Clicks

    Raises
    ------
    InputError
        As ``check_clicks``, should the errors be so large that the clicks are of no curve.

    Examples
    --------
    >>> from survaudit.survival.curves import kaplan_meier
    >>> curve = kaplan_meier([2, 4, 4, 6], [1, 1, 0, 0])
    >>> clicks = click(curve, rng=np.random.default_rng(1), time_error=0, survival_error=0)
    >>> len(clicks.time_days), sorted(set(clicks.survival.tolist()))
    (12, [0.5, 0.75, 1.0])
    """
    end, falls = curve.last_day, curve.events > 0
    edges = np.concatenate([[0.0], curve.times[falls], [end]])
    levels = np.append(1.0, curve.survival[falls])
    places = np.sort(rng.random((len(levels), 4)), axis=1)
    places[:, 0], places[:, -1] = 0.0, 1.0
    days = edges[:-1, None] + places * np.diff(edges)[:, None]
    seen = days + rng.normal(0, 1, days.shape) * time_error * end
    heights = levels[:, None] + rng.normal(0, 1, days.shape) * survival_error
    return check_clicks(
        np.maximum(seen, 0).ravel(),
        heights.ravel(),
        time_error=time_error * end,
        survival_error=survival_error,
        source=f"simulated clicks on {curve.label or 'a curve'}",
    )


# ---------------------------------------------------------------- made to fall


def monotone(clicks: Clicks) -> tuple[Floats, Floats]:
    """Return times and survivals that begin at (0, 1) and never rise.

    Two clicks at one drop may have come in the wrong order because of their error in time: their heights
    are exchanged. What rises still is averaged by isotonic regression (Barlow and others, 1972). The
    tail, where the curve stays as high as at its end within the error, is made level: a flat tail
    must not fall by the error of its clicks.

    Parameters
    ----------
    clicks : Clicks

    Returns
    -------
    tuple of arrays of shape (k + 1,)

    Examples
    --------
    >>> clicks = check_clicks([0, 10, 11, 30], [1, 0.5, 1, 0.501], time_error=1, survival_error=0.01)
    >>> [part.round(4).tolist() for part in monotone(clicks)]
    [[0.0, 0.0, 10.0, 11.0, 30.0], [1.0, 1.0, 1.0, 0.5005, 0.5005]]
    """
    time, raw = np.maximum(clicks.time_days, 0), np.clip(clicks.survival, 0, 1)
    exchanged = True
    while exchanged:
        exchanged = False
        for i in range(len(raw) - 1):
            close = time[i + 1] - time[i] <= _SLIP * clicks.time_error
            if close and raw[i + 1] > raw[i] + NEAR * clicks.survival_error:
                raw[i], raw[i + 1] = raw[i + 1], raw[i]
                exchanged = True
    survival = optimize.isotonic_regression(raw, increasing=False).x
    flat = len(raw) - 1
    while flat:
        # Of few clicks the mean is itself uncertain.
        allowed = NEAR * clicks.survival_error * (1 + (len(raw) - flat) ** -0.5)
        if survival[flat - 1] > raw[flat:].mean() + allowed:
            break
        flat -= 1
    survival[flat:] = raw[flat:].mean()
    return np.append(0.0, time), np.append(1.0, np.minimum.accumulate(survival))


@dataclass(frozen=True)
class Drop:
    """A drop of a curve between two levels.

    Attributes
    ----------
    day, earliest, latest : float
        When, and between which days it must have come.
    height : float
        The level after it: the mean of the clicks on it.
    """

    day: float
    earliest: float
    latest: float
    height: float


def drops(clicks: Clicks, n: int) -> tuple[list[Drop], float]:
    """Return the drops of the curve of ``n`` patients, and the last day clicked.

    No drop of a Kaplan-Meier curve is smaller than 1/n: of n patients, r at risk, the curve is at
    least r/n, and falls by a share of 1/r or more. So clicks that differ by less than half of it are
    on one level. A lone click between two levels at the same day lies on the vertical line and is left out.
    A drop is put midway between the clicks on its two ends, if these are within the error of each other;
    otherwise at the first click on the lower level, from which on the curve is known to be lower.

    Parameters
    ----------
    clicks : Clicks
    n : int
        Patients of the arm.

    Returns
    -------
    tuple of list of Drop, and float
        In the order of time, in days.

    Examples
    --------
    >>> clicks = check_clicks([0, 10, 10, 30], [1, 1, 0.9, 0.9], time_error=0)
    >>> drops(clicks, 10)
    ([Drop(day=10.0, earliest=10.0, latest=10.0, height=0.9)], 30.0)
    """
    time, survival = monotone(clicks)
    ends = np.flatnonzero(_new_level(survival, 0.5 / n))
    levels = [
        (float(t[0]), float(t[-1]), float(s.mean()), len(t))
        for t, s in zip(np.split(time, ends), np.split(survival, ends), strict=True)
    ]
    near = NEAR * clicks.time_error
    kept = [
        level
        for i, level in enumerate(levels)
        if not (
            0 < i < len(levels) - 1
            and level[3] == 1
            and level[0] - levels[i - 1][1] <= near
            and levels[i + 1][0] - level[1] <= near
        )
    ]
    found = []
    for (_, last, _, _), (first, _, height, _) in pairwise(kept):
        day = (last + first) / 2 if first - last <= NEAR * near else first
        found.append(Drop(day, max(min(last, day) - near, 0.0), max(first, day) + near, height))
    return found, float(time[-1])


def _new_level(survival: Floats, gap: float) -> list[bool]:
    """Return whether each click begins a new level: below the mean of the current one by more than a gap."""
    begins, level = [False], [float(survival[0])]
    for height in survival[1:]:
        begins.append(bool(np.mean(level) - height > gap))
        level = [float(height)] if begins[-1] else [*level, float(height)]
    return begins
