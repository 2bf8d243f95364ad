"""A Singer tap that plays a script: `scripted_tap.py SCRIPT [--config F] [--state F] ...`.

The script is JSON: {"catalog": {...}, "lines": [...], "exit": 0, "stderr": "..."}. A line is a
message, or a text that is written as it is. The tap writes what it was given next to the script.
With "old": true, it reads what a catalog selects that comes by --properties, and no other. With
"endless": true, it writes its last line until it is stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("script", type=Path)
parser.add_argument("--discover", action="store_true")
for name in ("config", "state", "catalog", "properties"):
    parser.add_argument(f"--{name}", type=Path)
arguments = parser.parse_args()
script = json.loads(arguments.script.read_text())
# So that a script can hold bytes that are no UTF-8: as lone surrogates.
sys.stdout.reconfigure(errors="surrogateescape")  # type: ignore[union-attr]

if arguments.discover:
    print(json.dumps(script["catalog"]))
    sys.exit(0)

given = {
    name: json.loads(path.read_text())
    for name in ("config", "state", "catalog", "properties")
    if (path := getattr(arguments, name))
}
given["config_path"] = str(arguments.config)
given["config_mode"] = oct(arguments.config.parent.stat().st_mode & 0o777)
arguments.script.with_suffix(".given.json").write_text(json.dumps(given))
nothing = script.get("old") and "properties" not in given
for line in [] if nothing else script["lines"]:
    print(line if isinstance(line, str) else json.dumps(line))
while script.get("endless"):
    print(json.dumps(script["lines"][-1]))
print(script.get("stderr", ""), file=sys.stderr)
sys.stdout.flush()
sys.exit(script.get("exit", 0))
