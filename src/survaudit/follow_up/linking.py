"""Whose the times read off a curve could be: whether they fit the tables, and which patients each could belong to.

Reconstructed times come without names. The tables leave an interval for each patient, and every time needs a
patient of its own, so that a time may be barred from a patient whose interval it meets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components, maximum_bipartite_matching

from survaudit.cohort.endpoints import EVENT_KNOWN, Interval
from survaudit.errors import InputError
from survaudit.follow_up.decoding import ArmTimes
from survaudit.follow_up.reconstruct import Reconstruction


@dataclass(frozen=True, eq=False)
class PossiblePatients:
    """The patients to whom each reconstructed time of an arm could belong.

    Attributes
    ----------
    reconstruction : Reconstruction
    patients : tuple of int
    meets : array of bool, shape (n, n)
        Whether a time (row) by itself agrees with a patient's (column) interval.
    possible : array of bool, shape (n, n)
        Whether, besides, every other time then still finds a patient of its own.
    n_fitting : int
        How many of the reconstruction's alternatives fit the intervals.
    """

    reconstruction: Reconstruction
    patients: tuple[int, ...]
    meets: NDArray[np.bool_]
    possible: NDArray[np.bool_]
    n_fitting: int
    convention: str = (
        "an event fits where its days meet (L, R]; a censoring where it is not before L and no event is known"
    )

    @property
    def fits(self) -> bool:
        """Return whether all times together fit the intervals."""
        return bool(self.possible.any())

    def to_frame(self) -> pd.DataFrame:
        """Return one row a time: day, event, whom its interval allows, and to whom it could belong."""
        follow_up = self.reconstruction.follow_up
        return pd.DataFrame(
            {
                "time_days": follow_up.time_days,
                "event": follow_up.event,
                "meets": [self._named(row) for row in self.meets],
                "could_be": [self._named(row) for row in self.possible],
                "n_patients": self.possible.sum(axis=1),
            }
        )

    def _named(self, chosen: NDArray[np.bool_]) -> str:
        return ", ".join(str(patient) for patient, one in zip(self.patients, chosen, strict=True) if one)


def possible_patients(reconstruction: Reconstruction, intervals: Sequence[Interval]) -> PossiblePatients:
    """Return whether the times of an arm fit its patients' intervals, and whose each time could be.

    A way to give every time a patient of its own is a perfect matching (Hall, 1935). Given one, a time can
    belong to another patient if a closed chain of exchanges leads there and back, which holds within the
    strongly connected parts of the graph (Dulmage and Mendelsohn, 1958).

    Parameters
    ----------
    reconstruction : Reconstruction
        Its times are those of ``follow_up``; the alternatives are only counted.
    intervals : sequence of Interval
        Of the same arm and endpoint, as many as there are times.

    Returns
    -------
    PossiblePatients
        Nothing is possible if the times do not fit.

    Raises
    ------
    InputError
        If arms, endpoints or numbers differ.

    Examples
    --------
    One of seven patients of CART2 died on day 150. By the tables, four were alive later.

    >>> from survaudit.cohort.endpoints import endpoints
    >>> from survaudit.cohort.tables import read_supplement
    >>> from survaudit.follow_up.digitised import check_clicks
    >>> from survaudit.follow_up.reconstruct import reconstruct
    >>> clicks = check_clicks([0, 150, 150, 900], [1, 1, 6 / 7, 6 / 7], time_error=0, survival_error=0.001)
    >>> arm = reconstruct(clicks, 7, arm="CART2", endpoint="OS", at_risk={900: 6})
    >>> everyone = endpoints(read_supplement("data/raw").cohort)["OS"].intervals
    >>> found = possible_patients(arm, [interval for interval in everyone if interval.group == "CART2"])
    >>> found.fits, found.to_frame()["n_patients"].tolist()
    (True, [3, 7, 7, 7, 7, 7, 7])
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
    if problems:
        raise InputError("; ".join(problems))
    meets = _meets(reconstruction.follow_up, intervals)
    return PossiblePatients(
        reconstruction=reconstruction,
        patients=tuple(interval.patient for interval in intervals),
        meets=meets,
        possible=_in_a_matching(meets),
        n_fitting=sum(bool(_in_a_matching(_meets(one, intervals)).any()) for one in reconstruction.alternatives),
    )


def _meets(times: ArmTimes, intervals: Sequence[Interval]) -> NDArray[np.bool_]:
    """Return whether each time (row) agrees with each patient's interval (column)."""
    left = np.array([float(interval.left.day) for interval in intervals])
    right = np.array([float(interval.right.day) for interval in intervals])
    known = np.array([interval.status == EVENT_KNOWN for interval in intervals])
    earliest, latest = times.earliest[:, None], times.latest[:, None]
    event = times.event[:, None] == 1
    return np.where(event, (latest > left) & (earliest <= right), (latest >= left) & ~known)


def _in_a_matching(meets: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return which pairs stand in at least one perfect matching; none if there is no such matching."""
    owner = maximum_bipartite_matching(csr_array(meets), perm_type="column")
    if (owner < 0).any():
        return np.zeros_like(meets)
    # From a time to the owner of a patient whom it meets: on a closed chain, everyone takes the next one's patient.
    chain = meets[:, owner]
    part = connected_components(csr_array(chain), connection="strong")[1]
    together: NDArray[np.bool_] = part[:, None] == part[np.argsort(owner)]
    return meets & together
