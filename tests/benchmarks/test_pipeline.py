import pytest

from benchmarks.pipeline import render, work
from benchmarks.yardstick import GOAL_MS

STAGES = {
    "encode": {"seconds": 90.0, "cpu_s": 80.0, "imports_s": 1.0, "rss_mb": 900.0},
    "fuse": {"seconds": 10.0, "cpu_s": 8.0, "imports_s": 2.0, "rss_mb": 700.0},
    "evaluate": {"seconds": 9.0, "cpu_s": 14.0, "imports_s": 2.0, "rss_mb": 2_000.0},
}
RUN = {"interactions": 200_000, "protocol": "temporal", "effort": "fast", "stages": STAGES, "yardstick_ms": 2 * GOAL_MS}


def test_work_leaves_imports_and_encoding_aside_but_no_memory() -> None:
    assert work(RUN) == {"cpu_s": pytest.approx(18.0), "wall_s": pytest.approx(15.0), "peak_mb": 2_000.0}
    hungry = {**RUN, "stages": {**STAGES, "encode": {**STAGES["encode"], "rss_mb": 3_000.0}}}
    assert work(hungry)["peak_mb"] == 3_000.0


def test_the_page_says_whether_the_goal_holds() -> None:
    assert "18 CPU s of work without encode (15 s on the clock), at most 2,000 MB; goal 120 s and 2,500 MB: holds." in (
        render({"sports fast": RUN})
    )
    assert "took 2.00 times as long as on the machine on which this goal was set: some 9 s there." in (
        render({"sports fast": RUN})
    )
    slow = {**RUN, "stages": {**STAGES, "fuse": {**STAGES["fuse"], "cpu_s": 200.0}}}
    text = render({"a fast": RUN, "b fast": slow})
    assert "b fast: 210 CPU s" in text
    assert text.count("**does not hold**") == 1
