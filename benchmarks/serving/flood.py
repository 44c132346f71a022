"""wrk in the background: `python -m benchmarks.serving.flood URL CONNECTIONS SECONDS PAUSE_MS`; prints its figures."""

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.serving.load import wrk

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        found = wrk(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), Path(folder), int(sys.argv[4]))
    sys.stdout.write(json.dumps(found))
