"""Pack the built site into one zip to read offline; equal sites give equal bytes."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

FOLDER = "survaudit"
FIRST_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest that the format can hold
READABLE = 0o100644 << 16  # an ordinary file that everyone may read


def pack(site: Path, target: Path) -> int:
    """Write every file of the site into a zip, in the order of their names, and return their number."""
    files = sorted((path.relative_to(site).as_posix(), path) for path in site.rglob("*") if path.is_file())
    with zipfile.ZipFile(target, "w") as archive:
        for name, path in files:
            entry = zipfile.ZipInfo(f"{FOLDER}/{name}", FIRST_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # as on Unix, wherever it is packed
            entry.external_attr = READABLE
            archive.writestr(entry, path.read_bytes(), compresslevel=9)
    return len(files)


if __name__ == "__main__":
    SITE, TARGET = map(Path, sys.argv[1:])
    print(f"{pack(SITE, TARGET)} files in {TARGET}: unpack it and open {FOLDER}/index.html")
