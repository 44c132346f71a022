"""`cuvee tune` from a shop's folder to a settings file that a run reads."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from member_contract import planted_shop
from shops import write_small_shop

from components.common.errors import ConfigError
from components.common.settings import Settings
from components.fuse.config import EFFORTS
from components.train_cf import tuning
from components.tune.katib import judged
from pipelines.run_tune import FamilyOptions, TrialOptions, TuneOptions, search_of, tune_family
from serving.members import kinds

CONFIGS = Path(__file__).parents[2] / "pipelines" / "configs"


def test_the_command_says_what_was_asked_and_no_more() -> None:
    options = TuneOptions.parse({"data": "shop", "out": Path("runs/x"), "trials": 7}, "test")
    assert options.command() == "cuvee tune --data shop --out runs/x --trials 7"
    arguments = options.arguments()
    assert arguments["data"] == str(Path("shop").resolve())
    assert arguments["journal"] == str(Path("runs/x/journal").resolve())
    assert arguments["config"] == ""


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yaml")), ids=lambda path: path.stem)
def test_the_examples_can_be_read_and_say_how_they_were_found(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith(("# cuvee tune --data ", "# cuvee tune-family --run "))
    settings = Settings.of_members(str(path), kinds())
    assert settings.members
    settings.fill_fusion(EFFORTS["full"])


def test_a_family_is_searched_over_what_a_run_has_prepared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "FEWEST_USERS", 1)
    steps = tmp_path / "run" / "pipeline" / "train-and-deploy-1"
    planted_shop().save(steps / "prepare" / "prepared")
    values = {"run": tmp_path / "run", "family": "cf", "out": tmp_path / "out", "trials": 2, "seconds": 999}
    told = tune_family(FamilyOptions.parse(values, "test"))
    assert "popularity" in told
    first = (tmp_path / "out" / "settings.yaml").read_text().splitlines()[0]
    assert (
        first
        == f"# cuvee tune-family --run {values['run']} --family cf --out {values['out']} --trials 2 --seconds 999.0"
    )
    assert (tmp_path / "out" / "report" / "report.html").exists()
    Settings.of_members(str(tmp_path / "out" / "settings.yaml"), kinds())

    trials = json.loads((tmp_path / "out" / "report" / "trials.json").read_text())["popularity"]["trials"]
    search = search_of(TrialOptions(run=tmp_path / "run", family="cf", member="popularity"))
    for trial in trials:  # a pod of Katib's is told the same numbers as words, and finds the same
        words = {name: json.dumps(value) for name, value in trial["values"].items()}
        assert judged(search, words) == pytest.approx(trial["score"], rel=1e-6)
    with pytest.raises(ConfigError, match="expected one of"):
        search_of(TrialOptions(run=tmp_path / "run", family="cf", member="nobody"))
    with pytest.raises(ConfigError, match="expected one of cf"):
        search_of(TrialOptions(run=tmp_path / "run", family="other", member="popularity"))


@pytest.mark.long
def test_a_search_ends_in_settings_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    shop, out = write_small_shop(tmp_path / "shop", households=260, products=500), tmp_path / "out"
    found = []
    for trials in ("2", "3"):
        command = [str(Path(sys.executable).with_name("cuvee")), "tune", "--data", str(shop), "--out", str(out)]
        done = subprocess.run([*command, "--trials", trials], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        found.append({name: json.loads((out / "report" / f"{name}.json").read_text()) for name in ("cf", "fusion")})
    assert (out / "report" / "deep.html").exists()
    Settings.of_members(str(out / "settings.yaml"), kinds()).fill_fusion(EFFORTS["fast"])
    for family in found[0]:
        for name, one in found[0][family].items():
            again = found[1][family][name]["trials"]
            assert (len(one["trials"]), len(again)) == (2, 3)
    assert found[0]["cf"]["popularity"]["trials"][1] == found[1]["cf"]["popularity"]["trials"][1]
    assert not list((out / "store").glob("releases/*"))
