"""Follow-ups conditioned on the claim: those in which the published cut-point comes out as published.

Of the follow-ups that the tables do not exclude, few have their best MRD cut where the paper has it,
with the chi-square that the paper prints. They show what such a cohort could look like, and nothing
about whether this one does: the claim is what they were chosen by. They take minutes to find, so they
are kept in ``data/conditioned``; a test finds some of them again.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from survaudit._many import log_rank_many, scan_many
from survaudit.cohort.assumptions import EVENT_AT_ASSESSMENT, Assumptions
from survaudit.cohort.endpoints import LFS, OS
from survaudit.ensemble import PRIORS, Ensemble, Prior, curve_quantiles, draw
from survaudit.errors import SourceFileError
from survaudit.survival import Floats, Ints

SEED = 20211029
# What prints as 5.59, and what is near it.
WINDOWS = {"printed": (5.585, 5.595), "near": (5.3, 5.9)}
# Patients in the low group: the cut-point itself counts as low, or as high.
SPLITS = {"23|5": 23, "22|6": 22}
LEAST_GROUPS = (1, 3, 5)
KEPT = 2000
BLOCK = 100_000
# Where a search gives up: some cells are so rare that they would take hours.
MOST_BLOCKS = 8000
# The published figure has the whole cohort, so those who never reached remission must have an event.
WHOLE_COHORT = Assumptions(non_responder_lfs=EVENT_AT_ASSESSMENT)


def block_of(cohort: pd.DataFrame, prior: Prior, block: int, draws: int = BLOCK) -> Ensemble:
    """Draw one numbered block of follow-ups; the same number gives the same block everywhere.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    prior : Prior
        One of ``PRIORS``; its place among them is part of the seed.
    block : int
        Number of the block, from 0.
    draws : int
        Follow-ups of a block; another number gives others.

    Returns
    -------
    Ensemble

    Raises
    ------
    InputError
        If ``draws`` is no whole number from 1 on.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> cohort = read_supplement("data/raw").cohort
    >>> one, again = (block_of(cohort, PRIORS["wide"], block=3, draws=10) for _ in range(2))
    >>> len(one), bool((one.days["OS"] == again.days["OS"]).all())
    (10, True)
    """
    rng = np.random.default_rng([SEED, list(PRIORS).index(prior.name), block])
    return draw(cohort, prior, rng, draws=draws, assumptions=WHOLE_COHORT)


def matches(ensemble: Ensemble, x: Floats, endpoint: str, splits: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Find the follow-ups whose best cut makes one of some splits, with a chi-square near the printed one.

    Parameters
    ----------
    ensemble : Ensemble
        In which every patient has the endpoint.
    x : array of shape (n,)
        The covariate, all values distinct, in the order of the patients.
    endpoint : {"OS", "LFS"}
    splits : sequence of {"23|5", "22|6"}
        Patients below and above the cut.

    Returns
    -------
    dict of pandas.DataFrame
        By split: ``place`` in the ensemble, ``chi2``, and ``best_of``, the smallest of ``LEAST_GROUPS`` for
        which the split is the best; it is then the best for all larger ones too.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> cohort = read_supplement("data/raw").cohort
    >>> x = cohort["mrd_percent"].to_numpy()
    >>> ensemble = block_of(cohort, PRIORS["wide"], block=0, draws=2000)
    >>> found = matches(ensemble, x, "LFS", ["23|5"])["23|5"]
    >>> len(found), bool(found["chi2"].between(5.3, 5.9).all())
    (7, True)
    """
    order, (low, high) = np.argsort(x), WINDOWS["near"]
    marked = np.zeros((len(splits), len(x)), bool)
    for row, split in enumerate(splits):
        marked[row, order[SPLITS[split] :]] = True
    days, event = ensemble.days[endpoint], ensemble.event[endpoint]
    found = {}
    for split, group in zip(splits, marked, strict=True):
        excess, variance = log_rank_many(days, event, group)
        chi2 = np.divide(excess**2, variance, out=np.zeros(len(days)), where=variance > 0)
        near = np.flatnonzero((chi2 >= low) & (chi2 < high))
        scans = scan_many(np.ascontiguousarray(days[near][:, order]), np.ascontiguousarray(event[near][:, order]))
        found[split] = _best(scans, near, SPLITS[split])
    return found


def _best(scans: Floats, places: Ints, size: int) -> pd.DataFrame:
    """Keep the follow-ups in which the cut with ``size`` patients below is the best of those allowed."""
    n = scans.shape[1] + 1
    best_of = np.zeros(len(places), int)
    for least in reversed(LEAST_GROUPS):
        allowed = scans[:, least - 1 : n - least]
        best_of[allowed.argmax(axis=1) + least == size] = least
    found = pd.DataFrame({"place": places, "chi2": scans[:, size - 1], "best_of": best_of})
    return found.loc[found["best_of"] > 0].reset_index(drop=True)


@dataclass(frozen=True, eq=False)
class Conditioned:
    """Follow-ups of one endpoint that make one split as the claim has it, under one prior.

    Attributes
    ----------
    table : pandas.DataFrame
        ``block`` and ``place`` (where the draw is found again), ``chi2`` and ``best_of``, in that order.
    days : array of int16, shape (draws, n)
        Days to the event; with a minus sign, days to the end of observation.
    blocks : int
        How many blocks of follow-ups were looked through.
    prior : str
    endpoint : str
    split : str
    draws_a_block : int
    """

    table: pd.DataFrame
    days: NDArray[np.int16]
    blocks: int
    prior: str
    endpoint: str
    split: str
    draws_a_block: int = BLOCK
    kind: str = "COMPATIBLE"

    def cell(self, window: str, least_group: int) -> NDArray[np.bool_]:
        """Return which rows belong to a cell: the first ``KEPT`` that were found, or all if they are fewer."""
        low, high = WINDOWS[window]
        chi2 = self.table["chi2"]
        belongs = ((chi2 >= low) & (chi2 < high) & (self.table["best_of"] <= least_group)).to_numpy()
        return belongs & (np.cumsum(belongs) <= KEPT)

    def follow_ups(self, window: str, least_group: int) -> tuple[Ints, NDArray[np.bool_]]:
        """Return times in days and events of a cell's follow-ups, each of shape (draws, n)."""
        kept = self.days[self.cell(window, least_group)]
        return np.abs(kept).astype(np.int64), kept > 0

    @property
    def full(self) -> bool:
        """Whether every cell has as many follow-ups as are kept."""
        return all(self.cell(window, least).sum() == KEPT for window in WINDOWS for least in LEAST_GROUPS)

    def trimmed(self) -> Conditioned:
        """Return only the follow-ups that some cell needs."""
        cells = [self.cell(window, least) for window in WINDOWS for least in LEAST_GROUPS]
        needed = np.flatnonzero(np.any(cells, axis=0))
        table = self.table.iloc[needed].reset_index(drop=True)
        return replace(self, table=table, days=self.days[needed])


def search(cohort: pd.DataFrame, prior: Prior, most_blocks: int) -> Iterator[Conditioned]:
    """Look through blocks of follow-ups until every cell of every endpoint and split is full.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    prior : Prior
        One of ``PRIORS``.
    most_blocks : int
        Where to give up.

    Yields
    ------
    Conditioned
        Each endpoint and split as soon as it is complete, or when ``most_blocks`` are done.
    """
    x = cohort["mrd_percent"].to_numpy()
    found: dict[tuple[str, str], list[Conditioned]] = {(e, s): [] for e in (LFS, OS) for s in SPLITS}
    for block in range(most_blocks):
        ensemble = block_of(cohort, prior, block)
        wanted = {endpoint: [split for own, split in found if own == endpoint] for endpoint, _ in found}
        tables = {endpoint: matches(ensemble, x, endpoint, splits) for endpoint, splits in wanted.items()}
        for (endpoint, split), parts in list(found.items()):
            table = tables[endpoint][split]
            place = table["place"].to_numpy()
            sign = np.where(ensemble.event[endpoint][place], 1, -1)
            days = (sign * ensemble.days[endpoint][place]).astype(np.int16)
            table.insert(0, "block", block)
            parts.append(Conditioned(table, days, block + 1, prior.name, endpoint, split))
            if (block + 1) % 50 and block + 1 < most_blocks:
                continue
            joined = _joined(parts)
            parts[:] = [joined]
            if joined.full or block + 1 == most_blocks:
                del found[endpoint, split]
                yield joined
        if not found:
            return


def split_bands(
    found: Conditioned, x: Floats, grid: Ints, *, window: str = "printed", least_group: int = 1
) -> pd.DataFrame:
    """Return quantiles of the curves of the low and the high group over the follow-ups of a cell.

    Parameters
    ----------
    found : Conditioned
        Of n patients.
    x : array of shape (n,)
        The covariate, all values distinct, in the order of the patients.
    grid : array of int, shape (k,)
        Days, ascending.
    window : {"printed", "near"}
        Which chi-squares: a key of ``WINDOWS``.
    least_group : {1, 3, 5}
        Fewest patients on a side among the cuts that the split is the best of.

    Returns
    -------
    pandas.DataFrame
        ``endpoint``, ``group`` ("low" or "high"), ``n``, ``time_days``, ``q05`` to ``q95``.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> kept = read_conditioned("data/conditioned", "wide", "LFS", "23|5")
    >>> x = read_supplement("data/raw").cohort["mrd_percent"].to_numpy()
    >>> table = split_bands(kept, x, np.array([0, 100]))
    >>> table[["group", "n", "time_days", "q50"]].round(3).values.tolist()
    [['low', 23, 0, 1.0], ['low', 23, 100, 0.739], ['high', 5, 0, 1.0], ['high', 5, 100, 0.4]]
    """
    order, size = np.argsort(x), SPLITS[found.split]
    days, event = found.follow_ups(window, least_group)
    parts = []
    for group, members in (("low", order[:size]), ("high", order[size:])):
        head = {"endpoint": found.endpoint, "group": group, "n": len(members), "time_days": grid}
        own_days = np.ascontiguousarray(days[:, members].astype(np.int32))
        parts.append(pd.DataFrame(head | curve_quantiles(own_days, np.ascontiguousarray(event[:, members]), grid)))
    return pd.concat(parts, ignore_index=True)


def high_fares_worse(found: Conditioned, x: Floats, *, window: str = "printed", least_group: int = 1) -> float:
    """Return in what share of a cell's follow-ups the high group has more events than expected.

    Parameters
    ----------
    found : Conditioned
        Of n patients.
    x : array of shape (n,)
        The covariate, all values distinct, in the order of the patients.
    window : {"printed", "near"}
        Which chi-squares: a key of ``WINDOWS``.
    least_group : {1, 3, 5}
        Fewest patients on a side among the cuts that the split is the best of.

    Returns
    -------
    float
        From 0 to 1; missing for a cell without any.

    Examples
    --------
    >>> from survaudit.cohort.tables import read_supplement
    >>> kept = read_conditioned("data/conditioned", "wide", "LFS", "23|5")
    >>> high_fares_worse(kept, read_supplement("data/raw").cohort["mrd_percent"].to_numpy())
    1.0
    """
    order, size = np.argsort(x), SPLITS[found.split]
    high = np.zeros(len(order), bool)
    high[order[size:]] = True
    days, event = found.follow_ups(window, least_group)
    excess, _ = log_rank_many(days.astype(np.int32), event, high)
    return float((excess > 0).mean())


def one_in(found: Conditioned, *, window: str = "printed", least_group: int = 1) -> float:
    """Return in how many draws one follow-up of a cell came up; infinite if none did.

    Up to the last that was kept where the cell is full, and in all that were looked through where it is not.

    Parameters
    ----------
    found : Conditioned
        With the blocks that were looked through.
    window : {"printed", "near"}
        Which chi-squares: a key of ``WINDOWS``.
    least_group : {1, 3, 5}
        Fewest patients on a side among the cuts that the split is the best of.

    Returns
    -------
    float
        Draws for one follow-up.

    Examples
    --------
    >>> kept = read_conditioned("data/conditioned", "wide", "LFS", "23|5")
    >>> round(one_in(kept)), round(one_in(kept, window="near"))
    (7514, 117)
    """
    rows = found.table[found.cell(window, least_group)]
    if rows.empty:
        return float("inf")
    looked_through = found.blocks * found.draws_a_block
    if len(rows) == KEPT:
        looked_through = int(rows["block"].iloc[-1]) * found.draws_a_block + int(rows["place"].iloc[-1]) + 1
    return looked_through / len(rows)


def _joined(parts: list[Conditioned]) -> Conditioned:
    table = pd.concat([part.table for part in parts], ignore_index=True)
    days = np.concatenate([part.days for part in parts])
    return replace(parts[-1], table=table, days=days).trimmed()


def file_name(prior: str, endpoint: str, split: str) -> str:
    """Return the name of the file that keeps the follow-ups of one prior, endpoint and split.

    Parameters
    ----------
    prior : str
        A name of ``PRIORS``.
    endpoint : {"OS", "LFS"}
    split : {"23|5", "22|6"}

    Returns
    -------
    str

    Examples
    --------
    >>> file_name("wide", "LFS", "23|5")
    'wide-lfs-23-5.npz'
    """
    return f"{prior}-{endpoint.lower()}-{split.replace('|', '-')}.npz"


def write_conditioned(found: Conditioned, folder: Path) -> None:
    """Write one compressed file, the same bytes for the same follow-ups.

    Parameters
    ----------
    found : Conditioned
        What to keep.
    folder : pathlib.Path
        A file of this name is replaced in it; it is made if there is none.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> kept = read_conditioned("data/conditioned", "wide", "LFS", "23|5")
    >>> with TemporaryDirectory() as folder:
    ...     write_conditioned(kept, Path(folder))
    ...     write_manifest(Path(folder))
    ...     again = read_conditioned(folder, "wide", "LFS", "23|5")
    >>> bool((again.days == kept.days).all())
    True
    """
    folder.mkdir(parents=True, exist_ok=True)
    table = found.table
    arrays: Mapping[str, NDArray[np.generic]] = {
        "block": table["block"].to_numpy(np.int32),
        "place": table["place"].to_numpy(np.int32),
        "best_of": table["best_of"].to_numpy(np.int8),
        "chi2": table["chi2"].to_numpy(np.float64),
        "days": found.days,
        "blocks": np.array(found.blocks, np.int32),
    }
    path = folder / file_name(found.prior, found.endpoint, found.split)
    np.savez_compressed(path, allow_pickle=False, **arrays)


def write_manifest(folder: Path) -> None:
    """Write what each file holds: where it comes from, how much was looked through, and its hash.

    Parameters
    ----------
    folder : pathlib.Path
        Of files that ``write_conditioned`` wrote; see there for an example.
    """
    rows = []
    for prior, endpoint, split in itertools.product(PRIORS, (LFS, OS), SPLITS):
        path = folder / file_name(prior, endpoint, split)
        if path.exists():
            found = _load(path, prior, endpoint, split)
            counts = {
                f"{window}_{least}": int(found.cell(window, least).sum())
                for window in WINDOWS
                for least in LEAST_GROUPS
            }
            head = {"file": path.name, "seed": SEED, "blocks": found.blocks, "draws_a_block": found.draws_a_block}
            rows.append(head | counts | {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()})
    pd.DataFrame(rows).to_csv(folder / "MANIFEST.csv", index=False, lineterminator="\n")


def _load(path: Path, prior: str, endpoint: str, split: str) -> Conditioned:
    with np.load(path, allow_pickle=False) as kept:
        table = pd.DataFrame({name: kept[name] for name in ("block", "place", "chi2", "best_of")})
        return Conditioned(table, kept["days"], int(kept["blocks"]), prior, endpoint, split)


def read_conditioned(folder: Path | str, prior: str, endpoint: str, split: str) -> Conditioned:
    """Read the kept follow-ups of one prior, endpoint and split, having checked their hash.

    Parameters
    ----------
    folder : path
        The project's ``data/conditioned``, or another with a manifest.
    prior : str
        A name of ``PRIORS``.
    endpoint : {"OS", "LFS"}
    split : {"23|5", "22|6"}
        Patients below and above the cut.

    Returns
    -------
    Conditioned

    Raises
    ------
    SourceFileError
        If the file is missing or differs from its manifest.

    Examples
    --------
    >>> kept = read_conditioned("data/conditioned", "wide", "LFS", "23|5")
    >>> days, event = kept.follow_ups("printed", 1)
    >>> days.shape
    (2000, 28)
    """
    path = Path(folder) / file_name(prior, endpoint, split)
    try:
        manifest = pd.read_csv(Path(folder) / "MANIFEST.csv").set_index("file")
        if hashlib.sha256(path.read_bytes()).hexdigest() != manifest.loc[path.name, "sha256"]:
            raise SourceFileError(f"{path}: differs from its manifest; write it anew with 'make conditioned'")
        return _load(path, prior, endpoint, split)
    except (OSError, KeyError, pd.errors.ParserError) as error:
        raise SourceFileError(f"{path}: {error!r}; write it anew with 'make conditioned'") from error


def run_search(cohort: pd.DataFrame, folder: Path, priors: Iterable[str] = tuple(PRIORS)) -> Iterator[str]:
    """Search under each prior and write every file as soon as it is complete; yield a line on each.

    Parameters
    ----------
    cohort : pandas.DataFrame, shape (28, 25)
        ``Supplement.cohort``.
    folder : pathlib.Path
        Where the files are written.
    priors : iterable of str
        Names of ``PRIORS``.

    Yields
    ------
    str
        What was found, as soon as it is written.
    """
    for name in priors:
        for found in search(cohort, PRIORS[name], MOST_BLOCKS):
            write_conditioned(found, folder)
            yield f"{name}, {found.endpoint} {found.split}: {len(found.table)} follow-ups of {found.blocks} blocks"
    write_manifest(folder)
