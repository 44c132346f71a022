"""`cuvee batch-recommend`: run the batch pipeline on this machine and bring its lists to where they are wanted."""

import shutil
from pathlib import Path

from components.common.files import read_json
from components.recommend.run import SUMMARY_FILE
from pipelines.run import follow


def run_batch(store: Path, out: Path, k: int, as_of: str, workers: int) -> int:
    """Write lists to out/recommendations, and return the exit code: 0, 2 bad input, 1 a failure."""
    out = out.resolve()
    lists = out / "recommendations"
    shutil.rmtree(lists, ignore_errors=True)
    arguments = {"store": str(store.resolve()), "k": k, "as_of": as_of, "workers": workers}
    watcher, code = follow("batch_recommend", out, arguments)
    if watcher.failure:
        return code
    (written,) = (out / "pipeline").glob("batch-recommend-*/recommend/lists")
    shutil.copytree(written, lists)
    summary = read_json(lists / SUMMARY_FILE)
    watcher.say(f"{summary['rows']:,} items for {summary['users']:,} users in {lists}")
    return code
