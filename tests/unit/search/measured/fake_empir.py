"""Stands for empir: measures ensembles as a table says they are, and writes down what it was asked.

    python fake_empir.py TABLE train|verify|attack OPTIONS...

TABLE is a JSON file: `size` of the test split; `log`, a file; and for every ensemble, by its name, `clean`, `robust`,
the `line` of a measurement whose figures are replaced, and maybe `fails` (what it says before it fails) or `hangs`.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main(table: str, verb: str, *options: str) -> int:
    """Do what the real one does with the same arguments."""
    told = json.loads(Path(table).read_text())
    with Path(told["log"]).open("a") as log:
        log.write(json.dumps([verb, *options]) + "\n")
    given = dict(zip(options[::2], options[1::2], strict=True))
    ensemble = json.loads(Path(given["--ensemble"]).read_text())
    own = told["ensembles"][f"{ensemble['name']}, {ensemble['combiner']}"]
    if "fails" in own:
        print(own["fails"], file=sys.stderr)
        return 2
    if verb == "train":
        return 0
    try:
        time.sleep(own.get("hangs", 0))
    except KeyboardInterrupt:
        Path(told["log"]).with_suffix(".interrupted").touch()
        return 130
    samples = min(int(given.get("--limit", told["size"])), told["size"])
    clean, robust = (round(own[what] * samples) / samples for what in ("clean", "robust"))
    figures = {"clean_accuracy": clean, "robust_accuracy": robust, "interval": [robust, robust]}
    line = own["line"] | figures | {"samples": samples, "data": f"{samples:x}"}
    with Path(given["-o"]).open("a") as output:
        output.write(json.dumps(line) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
