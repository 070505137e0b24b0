"""Random replicates whose result does not depend on how many workers share them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

import numpy as np
from joblib import Parallel, delayed

from survaudit.cutpoint._kernels import IntArray
from survaudit.errors import InputError

# Replicates are dealt in blocks of this size, each with a generator spawned for it, whoever computes it.
BLOCK = 1000
# Permutations are drawn this many numbers at a time, to bound memory.
DRAWS_AT_ONCE = 2_000_000

_Result = TypeVar("_Result")


def in_blocks(
    work: Callable[[int, np.random.Generator], _Result],
    replicates: int,
    rng: np.random.Generator,
    *,
    block: int = BLOCK,
    n_jobs: int | None = None,
) -> list[_Result]:
    """Run `work(count, generator)` over blocks of replicates.

    Parameters
    ----------
    work : callable
        Gets the size of its block and its own generator.
    replicates, block : int
        How many in all, and in one block.
    rng : numpy.random.Generator
        Its seed sequence spawns one generator a block, so that the same seed gives the same result with any
        number of workers.
    n_jobs : int, optional
        As in `joblib.Parallel`; by default what `joblib.parallel_config` says, or one worker.

    Returns
    -------
    list
        The results, in the order of the blocks.
    """
    if not isinstance(rng, np.random.Generator):
        raise InputError(f"rng: found {type(rng).__name__}, expected numpy.random.default_rng(seed)")
    counts = [min(block, replicates - start) for start in range(0, replicates, block)]
    children = rng.spawn(len(counts))
    tasks = (delayed(work)(count, child) for count, child in zip(counts, children, strict=True))
    return list(Parallel(n_jobs=n_jobs)(tasks))


def permutations(count: int, n: int, rng: np.random.Generator) -> Iterator[IntArray]:
    """Yield `count` random orders of n patients, as arrays of a bounded number of rows."""
    rows = max(1, DRAWS_AT_ONCE // n)
    start = np.arange(n, dtype=np.int64)
    for done in range(0, count, rows):
        yield rng.permuted(np.tile(start, (min(rows, count - done), 1)), axis=1)
