"""Complete follow-up, patient by patient, which always says of which kind it is.

The tables hold no such thing. A follow-up is drawn from an ensemble and then SYNTHETIC, or a user
brings one and it is SUPPLIED; nothing in a table of times tells the two apart, so the kind goes with
it wherever it goes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from survaudit.cohort.endpoints import LFS, OS
from survaudit.errors import InputError, SourceFileError

SYNTHETIC, SUPPLIED = "SYNTHETIC", "SUPPLIED"
COLUMNS = ("patient", "group", "os_days", "os_event", "lfs_days", "lfs_event", "source")


@dataclass(frozen=True, eq=False)
class FollowUp:
    """Times and events of every patient, and what kind of thing they are.

    Attributes
    ----------
    kind : {"SYNTHETIC", "SUPPLIED"}
    table : pandas.DataFrame
        One row a patient: ``patient``, ``group``, ``os_days``, ``os_event``, ``lfs_days``,
        ``lfs_event`` (missing where the endpoint is not the patient's) and ``source``.
    units : str
        Of the times, which count from the first infusion.
    """

    kind: str
    table: pd.DataFrame
    units: str = "days"

    def endpoint(self, name: str, patients: Iterable[int] | None = None) -> pd.DataFrame:
        """Return ``patient``, ``group``, ``time_days`` and ``event`` of one endpoint.

        Parameters
        ----------
        name : {"OS", "LFS"}
        patients : iterable of int, optional
            Whom to keep; everyone who has the endpoint if not given.

        Raises
        ------
        InputError
            If there is no such endpoint, or nobody is left.
        """
        if name not in {OS, LFS}:
            raise InputError(f"endpoint: found {name!r}, expected 'OS' or 'LFS'; name one of them")
        columns = {f"{name.lower()}_days": "time_days", f"{name.lower()}_event": "event"}
        kept = self.table[["patient", "group", *columns]].rename(columns=columns).dropna()
        if patients is not None:
            kept = kept[kept["patient"].isin(list(patients))]
        if kept.empty:
            raise InputError(f"patients: found none with {name} among those asked for, expected one or more")
        return kept.astype({"time_days": float, "event": int}).reset_index(drop=True)

    def to_frame(self) -> pd.DataFrame:
        """Return a copy of the table, with its kind in front."""
        frame = self.table.copy()
        frame.insert(0, "kind", self.kind)
        return frame


def write_follow_up(follow_up: FollowUp, path: Path) -> None:
    """Write a follow-up as CSV, the kind and the source on every row, so that no row can lose them.

    Parameters
    ----------
    follow_up : FollowUp
        Of either kind.
    path : pathlib.Path
        A CSV file, which is replaced; its folder is made if there is none.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> kept = read_synthetic("data/synthetic/figure_s1.csv")
    >>> with TemporaryDirectory() as folder:
    ...     write_follow_up(kept, Path(folder) / "copy.csv")
    ...     read_synthetic(Path(folder) / "copy.csv").table.equals(kept.table)
    True
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(follow_up.to_frame().to_csv(index=False, lineterminator="\n").encode())


def read_synthetic(path: Path | str) -> FollowUp:
    """Read a SYNTHETIC follow-up that was kept.

    Parameters
    ----------
    path : path
        What ``write_follow_up`` wrote.

    Returns
    -------
    FollowUp
        Of kind SYNTHETIC, in days.

    Raises
    ------
    SourceFileError
        If the file is missing, has other columns, or any row is not marked SYNTHETIC.

    Examples
    --------
    >>> follow_up = read_synthetic("data/synthetic/figure_s1.csv")
    >>> follow_up.kind, len(follow_up.endpoint("OS")), len(follow_up.endpoint("LFS"))
    ('SYNTHETIC', 28, 26)
    """
    try:
        frame = pd.read_csv(path, dtype=dict.fromkeys(COLUMNS[2:6], "Int64"))
    except (OSError, ValueError) as error:
        raise SourceFileError(f"{path}: {error}; write it anew with 'make synthetic'") from error
    if list(frame.columns) != ["kind", *COLUMNS]:
        raise SourceFileError(f"{path}: found columns {list(frame.columns)}, expected kind, {', '.join(COLUMNS)}")
    if not frame["kind"].eq(SYNTHETIC).all():
        raise SourceFileError(f"{path}: found a row that is not marked {SYNTHETIC}; write it anew")
    return FollowUp(SYNTHETIC, frame.drop(columns="kind"))
