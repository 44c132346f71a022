"""Our server without its shortcut, for comparison: `python -m benchmarks.serving.heavy STORE PORT`."""

from serving import lean

if __name__ == "__main__":
    lean.install()

import logging
import sys
from pathlib import Path

from serving import server

if __name__ == "__main__":
    for name, level in server.QUIET.items():
        logging.getLogger(name).setLevel(level)
    logging.getLogger("kserve").addHandler(logging.NullHandler())
    server.serve(Path(sys.argv[1]), None, "127.0.0.1", int(sys.argv[2]), "release", light=False)
