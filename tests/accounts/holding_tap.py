"""A tap that waits: `holding_tap.py --config FILE`.

It writes one record, and waits as long as the file `hold` of its config exists. Before that it
writes its own process and that of its parent to a file next to it.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

config = json.loads(Path(sys.argv[sys.argv.index("--config") + 1]).read_text())
schema = {"type": "object", "properties": {"id": {"type": "integer"}}}
print(json.dumps({"type": "SCHEMA", "stream": "a", "schema": schema, "key_properties": ["id"]}))
print(json.dumps({"type": "RECORD", "stream": "a", "record": {"id": 1}}), flush=True)
if "hold" in config:
    hold = Path(config["hold"])
    hold.with_suffix(".written").write_text(f"{os.getpid()} {os.getppid()}")
    hold.with_suffix(".written").rename(hold.with_suffix(".processes"))
    while hold.exists():
        time.sleep(0.05)
