"""Whether times read off a published curve fit the intervals of the tables, and whose each of them could be.

Reconstructed times belong to nobody. The intervals of the tables allow many ways of giving them to patients,
which are counted here, and none is the truth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import factorial, prod

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from survaudit.cohort.endpoints import EVENT_KNOWN, Interval
from survaudit.errors import InputError
from survaudit.follow_up.reconstruct import Reconstruction

LARGEST_ARM = 12


@dataclass(frozen=True, eq=False)
class Matchings:
    """All the ways in which reconstructed times can be given to patients.

    Attributes
    ----------
    arm, endpoint : str
    reconstruction : Reconstruction
    patients : tuple of int
    possible : array of bool, shape (n, n)
        Whether a time (row) can be a patient's (column).
    count : int
        Feasible ways; those that only exchange equal times count once.
    convention : str
        When a time can be a patient's.
    """

    arm: str
    endpoint: str
    reconstruction: Reconstruction
    patients: tuple[int, ...]
    possible: NDArray[np.bool_]
    count: int
    convention: str = (
        "an event fits where its days meet (L, R]; a censoring where it is not before L and no event is known"
    )

    def to_frame(self) -> pd.DataFrame:
        """Return the share of feasible ways in which each time (row) is each patient's (column)."""
        n = len(self.patients)
        whole = _permanent(self.possible)
        shares = np.zeros((n, n))
        for row, column in zip(*np.nonzero(self.possible), strict=True):
            rest = np.delete(np.delete(self.possible, row, axis=0), column, axis=1)
            shares[row, column] = _permanent(rest) / whole if whole else 0.0
        times = pd.Index(self.reconstruction.follow_up.time_days, name="time_days")
        return pd.DataFrame(shares, index=times, columns=pd.Index(self.patients, name="patient"))

    def draw(self, rng: np.random.Generator) -> pd.DataFrame:
        """Return one feasible way, each being equally likely.

        Returns
        -------
        pandas.DataFrame
            ``possible_patient``, ``time_days``, ``event``, in the order of patients. The name of the
            column says that it is no link: ``require_links`` refuses it.

        Raises
        ------
        InputError
            If no way is feasible.
        """
        if not self.count:
            raise InputError(
                f"{self.arm} {self.endpoint}: found no feasible matching to draw from; see why in possible"
            )
        free, left = list(range(len(self.patients))), self.possible
        owners = []
        for _ in self.patients:
            ways = np.array([_permanent(np.delete(left[1:], k, axis=1)) * int(left[0, k]) for k in range(len(free))])
            k = int(rng.choice(len(free), p=(ways / ways.sum()).astype(float)))
            owners.append(self.patients[free.pop(k)])
            left = np.delete(left[1:], k, axis=1)
        follow_up = self.reconstruction.follow_up
        drawn = {"possible_patient": owners, "time_days": follow_up.time_days, "event": follow_up.event}
        return pd.DataFrame(drawn).sort_values("possible_patient", ignore_index=True)


def matchings(reconstruction: Reconstruction, intervals: Sequence[Interval]) -> Matchings:
    """Count in how many ways the times of an arm can belong to its patients.

    An event fits a patient if its days, from earliest to latest, meet the patient's interval (L, R]. A
    censoring fits if it can come on L or later, and if the tables know of no event. The ways are counted
    exactly, as the permanent of the table of what fits.

    Parameters
    ----------
    reconstruction : Reconstruction
        Of at most 12 patients.
    intervals : sequence of Interval
        Of the same arm and endpoint, as many as there are times.

    Returns
    -------
    Matchings

    Raises
    ------
    InputError
        If arms, endpoints or numbers differ, or there are more than 12.

    Notes
    -----
    The permanent is added up row by row over sets of columns taken, at most 2^n for n patients; Ryser's (1963)
    inclusion and exclusion gives the same number. No fast method is to be hoped for (Valiant, 1979).

    Examples
    --------
    Seven patients of CART2, one of whom died on day 150. Four were still alive after it, by the tables.

    >>> from survaudit.cohort.endpoints import endpoints
    >>> from survaudit.cohort.tables import read_supplement
    >>> from survaudit.follow_up.digitised import check_clicks
    >>> from survaudit.follow_up.reconstruct import reconstruct
    >>> clicks = check_clicks([0, 150, 150, 900], [1, 1, 6 / 7, 6 / 7], time_error=0, survival_error=0.001)
    >>> found = reconstruct(clicks, 7, arm="CART2", endpoint="OS", at_risk={900: 6})
    >>> everyone = endpoints(read_supplement("data/raw").cohort)["OS"].intervals
    >>> matchings(found, [interval for interval in everyone if interval.group == "CART2"]).count
    3
    """
    problems = []
    kinds = {(interval.group, interval.endpoint) for interval in intervals}
    if kinds != {(reconstruction.arm, reconstruction.endpoint)}:
        found = ", ".join(sorted(f"{arm} {endpoint}" for arm, endpoint in kinds)) or "none"
        expected = f"{reconstruction.arm} {reconstruction.endpoint}"
        problems.append(f"intervals: found {found}, expected {expected}; select its patients")
    if len(intervals) != reconstruction.n:
        problems.append(
            f"intervals: found {len(intervals)} for {reconstruction.n} times, expected as many; "
            "check whom the curve leaves out"
        )
    if reconstruction.n > LARGEST_ARM:
        problems.append(f"found {reconstruction.n} times, expected at most {LARGEST_ARM}; count a smaller arm")
    if problems:
        raise InputError("; ".join(problems))
    follow_up = reconstruction.follow_up
    left = np.array([float(interval.left.day) for interval in intervals])
    right = np.array([float(interval.right.day) for interval in intervals])
    known = np.array([interval.status == EVENT_KNOWN for interval in intervals])
    earliest, latest = follow_up.earliest[:, None], follow_up.latest[:, None]
    died = follow_up.event[:, None] == 1
    possible = np.where(died, (latest > left) & (earliest <= right), (latest >= left) & ~known)
    _, copies = np.unique(
        np.column_stack([follow_up.time_days, follow_up.event, follow_up.earliest, follow_up.latest]),
        axis=0,
        return_counts=True,
    )
    return Matchings(
        arm=reconstruction.arm,
        endpoint=reconstruction.endpoint,
        reconstruction=reconstruction,
        patients=tuple(interval.patient for interval in intervals),
        possible=possible,
        count=_permanent(possible) // prod(factorial(int(copy)) for copy in copies),
    )


def _permanent(possible: NDArray[np.bool_]) -> int:
    """Return in how many ways each row can have a column of its own: row by row, over sets of columns taken."""
    ways = {0: 1}
    for row in possible:
        columns = [1 << int(column) for column in np.flatnonzero(row)]
        grown: dict[int, int] = {}
        for taken, count in ways.items():
            for column in columns:
                if not taken & column:
                    grown[taken | column] = grown.get(taken | column, 0) + count
        ways = grown
    return sum(ways.values())


def require_links(follow_up: pd.DataFrame | Reconstruction, figure: str = "the figure of the MRD cut-point") -> None:
    """Refuse a figure that needs each patient's own time, where times belong to nobody.

    Parameters
    ----------
    follow_up : DataFrame or Reconstruction
        A frame must have a column ``patient`` that names each patient once.
    figure : str
        What was asked for.

    Raises
    ------
    InputError
        Always for a reconstruction, or a matching drawn from one; and for a frame whose ``patient``
        is absent, missing somewhere, or names one twice.

    Examples
    --------
    >>> require_links(pd.DataFrame({"time_days": [90.0], "event": [1]}))
    Traceback (most recent call last):
    ...
    survaudit.errors.InputError: the figure of the MRD cut-point: found times without patients, expected a column ...
    """
    if isinstance(follow_up, Reconstruction) or "patient" not in follow_up:
        raise InputError(
            f"{figure}: found times without patients, expected a column `patient`; reconstructed times belong to "
            "nobody, so that no MRD goes with any of them, and a matching drawn is one of many: give each patient's own"
        )
    if follow_up["patient"].isna().any() or follow_up["patient"].duplicated().any():
        raise InputError(f"{figure}: found a patient missing or named twice, expected each once; correct the column")
