import logging
import sys
from pathlib import Path

import pytest
from shops import write_small_shop

from benchmarks.quality.__main__ import main
from components.common.files import read_json

RUN = ["--effort", "fast", "--windows", "2", "--curve", "0.5", "1", "--trials", "1", "--only", "popularity"]


@pytest.mark.long
def test_the_same_command_gives_the_same_figures_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The whole bench on a small shop: every stage of every window, judged, with a peer, then all of it again."""
    shop = write_small_shop(tmp_path / "shop", households=100, products=200)
    command = ["quality", "--data", str(shop), "--out", str(tmp_path / "out"), *RUN]
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(sys, "argv", command)
    main()
    quality = read_json(tmp_path / "out" / "quality.json")
    case = quality["cases"]["shop"]
    assert len(case["windows"]) == 2
    assert set(case["tasks"]) == {"discovery", "next_basket"}
    for found in case["tasks"].values():
        assert found["windows"] == 2
        assert found["best_peer"] == "peer/popularity"
        assert found["missing"]["members"]
        assert found["ladder"]["fused"]["ndcg@10"] > 0
    assert set(case["curve"]) == {"0.5", "1"}
    assert len(quality["conditions"]["sources"]) == 1
    text = (tmp_path / "out" / "quality.md").read_text()
    assert "fused over it" in text

    monkeypatch.setattr(sys, "argv", [*command, "--check"])
    main()
    check = read_json(tmp_path / "out" / "quality.json")["check"]
    assert check["differ"] == []
    assert check["figures"] > 500
    assert "holds          all : the same command gives the same figures twice" in caplog.text
