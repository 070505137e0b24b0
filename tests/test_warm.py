from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

USE = """
import numpy as np
from survaudit.cutpoint import _kernels
from survaudit.follow_up import _many
from survaudit.cutpoint.selection import compare
from survaudit.cutpoint.stability import bootstrap_cuts
rng = np.random.default_rng(1)
x, time, event = rng.random(20), rng.integers(1, 90, 20), rng.random(20) < 0.7
compare(x, time, event, rng=rng, replicates=5)
compare(x, time, event, rng=rng, replicates=5, cuts=2)
bootstrap_cuts(x, time, event, rng=rng, replicates=5)
days, died = rng.integers(1, 90, (3, 20)).astype(np.int32), rng.random((3, 20)) < 0.7
_many.scan_many(days, died)
functions = [f for module in (_kernels, _many) for f in vars(module).values() if hasattr(f, "stats")]
print(sum(sum(f.stats.cache_misses.values()) for f in functions))
"""


def test_a_process_that_comes_later_compiles_nothing(tmp_path: Path) -> None:
    """Counted by numba itself: what a process had to compile, since no file held it."""

    def run(code: str) -> str:
        environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    run("from survaudit.warm import compile_kernels; compile_kernels()")
    assert run(USE) == "0"
