"""How long the book takes to build after installation, cold and warm, against the limits set for it.

Run from the project's folder: ``.venv/bin/python benchmarks/build.py [repetitions]``.
Machines are noisy: medians are shown, with the fastest and slowest run.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
LIMITS_SECONDS = {"cold": 60.0, "warm": 10.0}


def build_seconds(*, cold: bool) -> float:
    """Time one ``make book``; a cold one starts without any cache."""
    if cold:
        shutil.rmtree(PROJECT / "_build", ignore_errors=True)
    start = time.perf_counter()
    subprocess.run(["make", "book"], cwd=PROJECT, check=True, capture_output=True)
    return time.perf_counter() - start


def main(repetitions: int = 3) -> int:
    """Print the table; return 1 if a median is over its limit."""
    subprocess.run(["make", "book"], cwd=PROJECT, check=True, capture_output=True)  # installs, if need be
    notebooks = len(list((PROJECT / "notebooks").glob("*.md")))
    print(f"{notebooks} notebooks, {os.cpu_count()} cores, {repetitions} repetitions, seconds")
    print(f"{'build':6}{'median':>8}{'least':>8}{'most':>8}{'limit':>8}{'share of limit':>16}")
    late = False
    for name, limit in LIMITS_SECONDS.items():
        times = [build_seconds(cold=name == "cold") for _ in range(repetitions)]
        median = statistics.median(times)
        late |= median > limit
        print(f"{name:6}{median:8.1f}{min(times):8.1f}{max(times):8.1f}{limit:8.0f}{median / limit:16.2f}")
    return int(late)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:2])))
