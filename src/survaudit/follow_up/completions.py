"""How far apart the published panels can lie: complete follow-ups at the ends of what the tables allow.

For each panel a search looks for the follow-up with the greatest log-rank chi-square in favour of
either group, and for the one with the least. What it finds is attained by a follow-up that is kept
in ``data/synthetic/extremes``. That nothing lies beyond it, no search can prove: the range is an
inner bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from survaudit.cohort.assumptions import INFUSION, Assumptions
from survaudit.cohort.endpoints import EVENT_KNOWN, LFS, OS, cut_off_range, endpoints
from survaudit.cohort.panels import PANELS, Panel
from survaudit.errors import InputError
from survaudit.follow_up._many import BoolArray, DayArray, log_rank_many
from survaudit.follow_up.complete import COLUMNS, SYNTHETIC, FollowUp, write_follow_up
from survaudit.follow_up.ensemble import PRIORS, draw
from survaudit.survival.curves import Floats, Ints, log_rank

SEED = 20211029
STARTS_A_PRIOR = 25
LEAST, FIRST, SECOND = "least", "first", "second"
GOALS = (LEAST, FIRST, SECOND)
# Later than any cut-off: the patient is observed to the end without the event, or as late as recorded.
NEVER = 100_000
# Gains below this are rounding, and differ between machines.
_DECIMALS = 9


@dataclass(frozen=True, eq=False)
class Windows:
    """Where the events of the patients of two groups may lie, in whole days.

    Attributes
    ----------
    second : array of bool, shape (n,)
        Who is in the second group.
    left, right : array of int, shape (n,)
        The event lies in ``(left, right]``, in days from the patient's own origin.
    known : array of bool, shape (n,)
        Whether an event is recorded; if not, ``right`` has no say.
    origin : array of int, shape (n,)
        The patient's own origin on the calendar, as a number of a day.
    cut_offs : array of int, shape (k,)
        The possible days of the cut-off on the same calendar, each late enough for every recorded event.
    """

    second: NDArray[np.bool_]
    left: Ints
    right: Ints
    known: NDArray[np.bool_]
    origin: Ints
    cut_offs: Ints

    def observed(self, cut_off: Ints, wanted: Ints) -> tuple[DayArray, BoolArray]:
        """Return times and events of follow-ups.

        Parameters
        ----------
        cut_off : array of int, shape (rows,)
        wanted : array of int, shape (rows, n)
            The day of each event, were there no limit; ``NEVER`` for as late as can be.
        """
        end = cut_off[:, None] - self.origin
        days = np.minimum(wanted, np.where(self.known, np.minimum(self.right, end), end))
        return days.astype(np.int32), self.known | (wanted <= end)

    def score(self, cut_off: Ints, wanted: Ints, goal: str) -> Floats:
        """Return what is to be made great: the signed root of chi-square, or minus chi-square."""
        excess, variance = log_rank_many(*self.observed(cut_off, wanted), self.second)
        # Without any variance nothing is compared, and chi-square is 0.
        root = np.divide(excess, np.sqrt(variance), out=np.zeros(len(excess)), where=variance > 0)
        score: Floats = np.round(-(root**2) if goal == LEAST else root if goal == FIRST else -root, _DECIMALS)
        return score


def windows(cohort: pd.DataFrame, panel: Panel, assumptions: Assumptions | None = None) -> Windows:
    """Return where the events of a panel's patients may lie.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    panel : Panel
        One of ``PANELS``.
    assumptions : Assumptions, optional
        The book's if not given.

    Returns
    -------
    Windows
        Of the patients of both groups who have the endpoint.

    Raises
    ------
    InputError
        If assumptions contradict the dates of a patient.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> found = windows(read_supplement("data/raw").cohort, PANELS["D"])
    >>> found.left[:3].tolist(), found.right[:3].tolist(), int(found.second.sum())
    ([28, 28, 28], [121, 93, 188], 10)
    """
    chosen = assumptions or Assumptions()
    intervals = [i for i in endpoints(cohort, chosen)[panel.endpoint].intervals if i.group in panel.groups]
    origin = _origin(cohort, chosen)
    first, last = (_day_number(day) for day in cut_off_range(cohort, chosen))
    return Windows(
        second=np.array([i.group == panel.groups[1] for i in intervals]),
        left=np.array([int(i.left.day) for i in intervals]),
        right=np.array([int(min(i.right.day, NEVER)) for i in intervals]),
        known=np.array([i.status == EVENT_KNOWN for i in intervals]),
        origin=np.array([origin[i.patient] for i in intervals]),
        cut_offs=np.arange(first, last + 1),
    )


def _day_number(day: pd.Timestamp) -> int:
    return int(np.datetime64(day, "D").astype(int))


def _origin(cohort: pd.DataFrame, assumptions: Assumptions) -> dict[int, int]:
    column = "infusion_1_date" if assumptions.time_origin == INFUSION else "collection_1_date"
    return {int(patient): _day_number(day) for patient, day in zip(cohort["patient"], cohort[column], strict=True)}


# ---------------------------------------------------------------- the search


def structured_starts(possible: Windows) -> tuple[Ints, Ints]:
    """Return cut-offs and wanted days of follow-ups with each group as early or as late as can be.

    Parameters
    ----------
    possible : Windows
        Of n patients.

    Returns
    -------
    tuple of arrays of int, shapes (8,) and (8, n)
        The earliest and the latest cut-off, each with both groups early or late.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> cut_off, wanted = structured_starts(windows(read_supplement("data/raw").cohort, PANELS["D"]))
    >>> cut_off.shape, wanted.shape
    ((8,), (8, 17))
    """
    early, late = possible.left + 1, np.full(len(possible.left), NEVER)
    sides = [(a, b) for a in (early, late) for b in (early, late)]
    wanted = np.array([np.where(possible.second, b, a) for a, b in sides] * 2)
    return np.repeat(possible.cut_offs[[0, -1]], len(sides)), wanted


def drawn_starts(
    cohort: pd.DataFrame, panel: Panel, rng: np.random.Generator, assumptions: Assumptions, draws: int
) -> tuple[Ints, Ints]:
    """Return cut-offs and wanted days of follow-ups drawn from each prior.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    panel : Panel
        One of ``PANELS``.
    rng : numpy.random.Generator
        Source of the draws.
    assumptions : Assumptions
        Within which to draw.
    draws : int
        Follow-ups of each prior, at least 1.

    Returns
    -------
    tuple of arrays of int, shapes (starts,) and (starts, n)
        As ``climb`` takes them; ``NEVER`` for a patient without the event.

    Raises
    ------
    InputError
        If ``draws`` is no whole number from 1 on, or assumptions contradict the dates.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> cohort, rng = read_supplement("data/raw").cohort, np.random.default_rng(1)
    >>> cut_off, wanted = drawn_starts(cohort, PANELS["D"], rng, Assumptions(), draws=2)
    >>> wanted.shape == (2 * len(PRIORS), 17)
    True
    """
    cut_off, wanted = [], []
    for prior in PRIORS.values():
        ensemble = draw(cohort, prior, rng, draws=draws, assumptions=assumptions)
        both = ensemble.members(panel.endpoint, panel.groups[0]) | ensemble.members(panel.endpoint, panel.groups[1])
        days, event = ensemble.days[panel.endpoint][:, both], ensemble.event[panel.endpoint][:, both]
        cut_off.append(ensemble.cut_off.astype("datetime64[D]").astype(np.int64))
        wanted.append(np.where(event, days, NEVER).astype(np.int64))
    return np.concatenate(cut_off), np.concatenate(wanted)


def climb(possible: Windows, cut_off: Ints, wanted: Ints, goal: str) -> tuple[Ints, Ints, Floats]:
    """Improve follow-ups patient by patient and by their cut-off, until no single change helps.

    Of one patient's days it is enough to try those of the others and the days after them, the first
    and the last: the log-rank statistic knows only the order of events, so that any other day is as
    good as one of these.

    Parameters
    ----------
    possible : Windows
        Of n patients.
    cut_off : array of int, shape (starts,)
        The last day of observation of each follow-up, as in ``Windows.cut_offs``.
    wanted : array of int, shape (starts, n)
        The day of each event, were there no limit.
    goal : {"least", "first", "second"}
        The least chi-square, or the greatest in favour of the first or the second group.

    Returns
    -------
    tuple of arrays
        Cut-offs, wanted days and scores of the follow-ups reached.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> possible = windows(read_supplement("data/raw").cohort, PANELS["B"])
    >>> cut_off, wanted = (part[:1] for part in structured_starts(possible))
    >>> before = possible.score(cut_off, wanted, SECOND)
    >>> *_, score = climb(possible, cut_off, wanted, SECOND)
    >>> bool(score[0] > before[0])
    True
    """
    cut_off, wanted = cut_off.copy(), wanted.copy()
    score = possible.score(cut_off, wanted, goal)
    moving = np.arange(len(score))
    while len(moving):
        before = score[moving]
        for patient in range(wanted.shape[1]):
            days, _ = possible.observed(cut_off[moving], wanted[moving])
            tried = np.repeat(wanted[moving][:, None], 2 * days.shape[1] + 2, axis=1)
            first = np.full((len(moving), 1), possible.left[patient] + 1)
            ends = np.hstack([days, days + 1, first, np.full_like(first, NEVER)])
            tried[:, :, patient] = np.maximum(ends, first)
            _take_best(possible, np.repeat(cut_off[moving][:, None], tried.shape[1], axis=1), tried, goal,
                       into=(cut_off, wanted, score), places=moving)  # fmt: skip
        offs = np.broadcast_to(possible.cut_offs, (len(moving), len(possible.cut_offs)))
        _take_best(possible, offs, np.repeat(wanted[moving][:, None], offs.shape[1], axis=1), goal,
                   into=(cut_off, wanted, score), places=moving)  # fmt: skip
        moving = moving[score[moving] > before]
    return cut_off, wanted, score


def _take_best(
    possible: Windows, cut_off: Ints, wanted: Ints, goal: str, *, into: tuple[Ints, Ints, Floats], places: Ints
) -> None:
    """Replace each follow-up by the best of those tried in its place, if that is better."""
    shape = cut_off.shape
    score = possible.score(cut_off.ravel(), wanted.reshape(-1, wanted.shape[2]), goal).reshape(shape)
    best, row = score.argmax(axis=1), np.arange(shape[0])
    better = score[row, best] > into[2][places]
    row, best, places = row[better], best[better], places[better]
    into[0][places], into[1][places], into[2][places] = cut_off[row, best], wanted[row, best], score[row, best]


def extreme(possible: Windows, cut_off: Ints, wanted: Ints, goal: str) -> tuple[int, DayArray, BoolArray]:
    """Climb from every start, and return the cut-off, times and events of the best follow-up reached.

    Of equally good ones, to six decimals, it is one that leaves some variance, and of these the one with
    the most events, so that a chi-square of 0 comes from groups that fare alike, where it can, and not
    from a follow-up in which nothing was compared.

    Parameters
    ----------
    possible : Windows
        Of n patients.
    cut_off : array of int, shape (starts,)
        Where to begin, as in ``climb``.
    wanted : array of int, shape (starts, n)
        Where to begin, as in ``climb``.
    goal : {"least", "first", "second"}
        As in ``climb``.

    Returns
    -------
    tuple of int and arrays of shape (n,)
        The cut-off as a number of a day, times in days, and whether each is an event.

    Raises
    ------
    InputError
        If the goal is none of ``GOALS``.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> possible = windows(read_supplement("data/raw").cohort, PANELS["B"])
    >>> cut_off, days, event = extreme(possible, *(part[:2] for part in structured_starts(possible)), LEAST)
    >>> cut_off in possible.cut_offs, days.shape
    (True, (17,))
    """
    if goal not in GOALS:
        raise InputError(f"goal: found {goal!r}, expected one of {', '.join(GOALS)}; name one of them")
    cut_off, wanted, score = climb(possible, cut_off, wanted, goal)
    days, event = possible.observed(cut_off, wanted)
    _, variance = log_rank_many(days, event, possible.second)
    place = np.lexsort((-event.sum(axis=1), variance <= 0, -np.round(score, 6)))[0]
    return int(cut_off[place]), days[place], event[place]


# ---------------------------------------------------------------- complete follow-ups of everyone


def complete(
    cohort: pd.DataFrame,
    panel: Panel,
    cut_off: int,
    times: tuple[DayArray, BoolArray],
    *,
    source: str,
    assumptions: Assumptions,
) -> FollowUp:
    """Complete a panel's times to a follow-up of all patients for both endpoints, in the plainest way.

    Whoever is not in the panel, and the endpoint that the panel does not show, get no event that is
    not recorded, and each recorded one as late as it can be; a death is an event of both endpoints.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    panel : Panel
        One of ``PANELS``.
    cut_off : int
        The last day of observation, as a number of a day.
    times : (array of int, array of bool), each of shape (n,)
        Times in days and events of the panel's patients, as ``extreme`` returns them.
    source : str
        From where the follow-up is; it stands on every row.
    assumptions : Assumptions
        Those under which the times were found.

    Returns
    -------
    FollowUp
        Of kind SYNTHETIC.

    Raises
    ------
    InputError
        If assumptions contradict the dates of a patient.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> cohort = read_supplement("data/raw").cohort
    >>> possible = windows(cohort, PANELS["B"])
    >>> cut_off, days, event = extreme(possible, *(part[:2] for part in structured_starts(possible)), LEAST)
    >>> found = complete(cohort, PANELS["B"], cut_off, (days, event), source="an example", assumptions=Assumptions())
    >>> found.kind, len(found.table)
    ('SYNTHETIC', 28)
    """
    found, origin = endpoints(cohort, assumptions), _origin(cohort, assumptions)
    free = {interval.patient: interval for interval in found[LFS].intervals}
    shown = [i.patient for i in found[panel.endpoint].intervals if i.group in panel.groups]
    given = dict(zip(shown, zip(*(part.tolist() for part in times), strict=True), strict=True))
    rows = []
    for overall in found[OS].intervals:
        patient, end = overall.patient, cut_off - origin[overall.patient]
        own, seen = free.get(patient), given.get(patient)
        known = overall.status == EVENT_KNOWN
        # A death of toxicity is the event of both endpoints, whichever of them is given.
        os = seen if seen and (panel.endpoint == OS or known) else (min(overall.right.day, end), known)
        lfs: tuple[object, object] = (pd.NA, pd.NA)
        if own:
            failed = own.status == EVENT_KNOWN or os[1]
            plainest = (min(own.right.day, os[0]) if failed else end, failed)
            lfs = seen if seen and panel.endpoint == LFS else plainest
        rows.append((patient, overall.group, *map(int, os), *lfs, source))
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    numbers = list(COLUMNS[2:6])
    return FollowUp(SYNTHETIC, table.astype(dict.fromkeys(numbers, "Int64")))


@dataclass(frozen=True, eq=False)
class Extreme:
    """One follow-up at an end of what a search found for a panel.

    Attributes
    ----------
    panel : str
        The letter.
    goal : {"least", "first", "second"}
        The least chi-square, or the greatest that favours the first or the second group.
    favours : str
        The group with fewer events than expected; empty if neither.
    chi2, p : float
        Of the log-rank test.
    df : int
        0 if nothing was compared: then ``chi2`` is 0 and ``p`` is 1.
    n, events : (int, int)
        Patients and events of the two groups.
    cut_off : pandas.Timestamp
    follow_up : FollowUp
        Of all 28 patients, both endpoints.
    starts, seed : int
        From how many follow-ups the search climbed, and the seed of those that were drawn.
    method, bound : str
    """

    panel: str
    goal: str
    favours: str
    chi2: float
    p: float
    df: int
    n: tuple[int, int]
    events: tuple[int, int]
    cut_off: pd.Timestamp
    follow_up: FollowUp
    starts: int
    seed: int
    method: str = "log-rank, hypergeometric variance; coordinate ascent from many starts"
    bound: str = "inner: attained; that nothing lies beyond is not proved"
    kind: str = SYNTHETIC


@dataclass(frozen=True, eq=False)
class AttainableRange:
    """How far a panel's log-rank test can go over complete follow-ups, as a search found.

    Attributes
    ----------
    panel : Panel
    least, first, second : Extreme
        The least chi-square, and the greatest in favour of the first and of the second group.
    """

    panel: Panel
    least: Extreme
    first: Extreme
    second: Extreme

    @property
    def files(self) -> dict[str, Extreme]:
        """Return the extremes by the names of their files: the greatest, and the greatest the other way."""
        opposite, greatest = sorted((self.first, self.second), key=lambda found: found.chi2)
        named = {"least": self.least, "greatest": greatest, "opposite": opposite}
        return {f"{self.panel.letter}-{name}": found for name, found in named.items()}

    def to_frame(self) -> pd.DataFrame:
        """Return one row an extreme."""
        rows = [
            {"file": name} | {key: value for key, value in vars(found).items() if key != "follow_up"}
            for name, found in self.files.items()
        ]
        return pd.DataFrame(rows)


def attainable_range(
    cohort: pd.DataFrame,
    panel: Panel,
    *,
    seed: int = SEED,
    draws: int = STARTS_A_PRIOR,
    assumptions: Assumptions | None = None,
) -> AttainableRange:
    """Search for the least and the greatest log-rank chi-square that complete follow-ups of a panel can have.

    A follow-up ends on one day for everyone; each patient's event lies inside the interval of the
    endpoint, or, where none is recorded, on any later day or not at all. The search is a coordinate
    ascent from follow-ups drawn from every prior and from some that are extreme by design.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    panel : Panel
        One of ``PANELS``.
    seed : int
    draws : int
        Starts a prior.
    assumptions : Assumptions, optional
        The book's if not given.

    Returns
    -------
    AttainableRange

    Raises
    ------
    InputError
        If ``draws`` is no whole number from 1 on, or assumptions contradict the dates of a patient.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> found = attainable_range(read_supplement("data/raw").cohort, PANELS["B"], draws=2)
    >>> found.least.chi2 < 0.001, found.first.favours, found.second.favours
    (True, 'CART2', 'CART+HSCT')
    """
    chosen = assumptions or Assumptions()
    possible = windows(cohort, panel, chosen)
    rng = np.random.default_rng([seed, list(PANELS).index(panel.letter)])
    parts = structured_starts(possible), drawn_starts(cohort, panel, rng, chosen, draws)
    cut_off, wanted = (np.concatenate(part) for part in zip(*parts, strict=True))
    found = {}
    for goal in GOALS:
        last, days, event = extreme(possible, cut_off, wanted, goal)
        day = pd.Timestamp(np.datetime64(last, "D"))
        source = (
            f"panel {panel.letter}, {_words(panel, goal)}, found by search with seed {seed}; observed to {day:%Y-%m-%d}"
        )
        follow_up = complete(cohort, panel, last, (days, event), source=source, assumptions=chosen)
        tested = _tested(panel, follow_up)
        found[goal] = Extreme(
            panel.letter, goal, cut_off=day, follow_up=follow_up, starts=len(cut_off), seed=seed, **tested
        )
    return AttainableRange(panel, **found)


def _words(panel: Panel, goal: str) -> str:
    place = {FIRST: 0, SECOND: 1}.get(goal)
    return "least chi-square" if place is None else f"greatest chi-square in favour of {panel.groups[place]}"


def _tested(panel: Panel, follow_up: FollowUp) -> dict[str, Any]:
    """Test a panel of a follow-up, by the same function that tests a user's."""
    frame = follow_up.endpoint(panel.endpoint)
    frame = frame[frame["group"].isin(panel.groups)]
    order = pd.CategoricalDtype(list(panel.groups))
    test = log_rank(frame["time_days"], frame["event"], frame["group"].astype(order))
    gain = test.expected - test.observed
    return {
        "favours": panel.groups[int(gain.argmax())] if test.chi2 > 0 else "",
        "chi2": test.chi2,
        "p": test.p,
        "df": test.df,
        "n": tuple(test.n.tolist()),
        "events": tuple(test.events.tolist()),
    }


def write_extremes(cohort: pd.DataFrame, folder: Path) -> Iterator[Path]:
    """Write the extreme follow-ups of every panel; yield each file.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    folder : pathlib.Path
        Files are replaced in it; it is made if there is none.

    Yields
    ------
    pathlib.Path
        Three a panel, as soon as each is written.
    """
    for panel in PANELS.values():
        for name, found in attainable_range(cohort, panel).files.items():
            path = folder / f"{name}.csv"
            write_follow_up(found.follow_up, path)
            yield path
