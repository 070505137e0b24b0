"""The worlds without effect, kept in `data/no_effect`: `make montecarlo` computes them anew."""

from __future__ import annotations

from pathlib import Path

from survaudit.cohort.tables import read_supplement
from survaudit.immortal.no_effect_studies import CODE, studies
from survaudit.kept import run_studies


def main() -> None:
    """Compute every world; it takes some minutes."""
    for line in run_studies(Path("data/no_effect"), studies(read_supplement("data/raw").cohort), CODE):
        print(line, flush=True)


if __name__ == "__main__":
    main()
