"""Run all tests for an audit, and record how they ended beside what pytest itself writes.

Nothing in the environment may choose among the tests, and a test that is skipped fails the run: an audit
that looked at a part would say of the whole that it holds.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from survaudit.ledger.certificate import TESTS, audited_state

CHOOSES = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "SURVAUDIT_FOLLOW_UP")


def main(project: Path, options: list[str]) -> int:
    """Run pytest with the given options, write the records of it, and return its exit code."""
    environment = {name: value for name, value in os.environ.items() if name not in CHOOSES}
    results, record = (project / "_build" / "audit" / name for name in TESTS)
    record.parent.mkdir(parents=True, exist_ok=True)
    state = audited_state(project)
    command = [sys.executable, "-m", "pytest", *options, f"--junitxml={results}"]
    done = subprocess.run(command, cwd=project, env={**environment, "CI": "true"}, check=False)
    # The sources may not change while the tests run: what is recorded is what they began with and ended with.
    ended = audited_state(project)
    content = {"exit_code": done.returncode, "state": state if ended == state else "changed during the tests"}
    record.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(Path(__file__).resolve().parents[2], sys.argv[1:]))
