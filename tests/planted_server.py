"""The real server, in which one member does as a file says: answers, raises, hangs, or takes 50 ms of each question.

Another, that finds by words, may raise with the question in its message.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.deploy import trial

WELL, RAISES, HANGS, SLOW, QUOTES = "well", "raises", "hangs", "slow", "quotes"
SLOW_S = 0.05
SERVER = """
import sys, time
from pathlib import Path
from serving import lean
lean.install()
from serving.members.neighbours import NeighbourMember
mood = Path(sys.argv.pop(1))
honest = NeighbourMember.score_all
def score_all(self, queries):
    if mood.read_text() == "raises":
        raise RuntimeError("planted")
    if mood.read_text() == "slow":
        time.sleep(0.05 * len(queries))
    while mood.read_text() == "hangs":
        time.sleep(0.02)
    return honest(self, queries)
NeighbourMember.score_all = score_all
from serving.members.lexical import Lexical
finds = Lexical.score_all
def quoting(self, queries):
    if mood.read_text() == "quotes":
        raise LookupError(f"cannot find {queries.texts}")
    return finds(self, queries)
Lexical.score_all, Lexical.prompt = quoting, False
from serving.server import main
main()
"""


@contextmanager
def planted_server(release: Path, store: Path, folder: Path, options: tuple[str, ...]) -> Iterator[tuple[str, Path]]:
    """Serve *release*; yields its URL and the file with the member's mood. Logs to *folder*/server.log."""
    url, port = trial._free_address()
    mood, log = folder / "mood", folder / "server.log"
    mood.write_text(WELL)
    places = ["--release", str(release), "--store", str(store), "--port", str(port)]
    with log.open("w") as output:
        command = [sys.executable, "-c", SERVER, str(mood), *places, *options]
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            trial._wait(process, url, log)
            yield url, mood
        finally:
            mood.write_text(WELL)
            trial._stop(process)
