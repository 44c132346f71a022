from pathlib import Path

import pytest
from shops import write_small_shop

from benchmarks.quality.steps import Kept, composition, source_digest
from components.common.errors import CuveeError
from components.common.files import read_json, sha256, write_json


def test_the_steps_are_the_pipelines_own_in_an_order_that_runs() -> None:
    steps = composition({"data": "shop", "seed": 7, "effort": "full"})
    names = [step.name for step in steps]
    assert {"ingest", "prepare", "train-cf", "train-deep", "fuse", "package"} <= set(names)
    assert not {"evaluate", "deploy", "materialize-online"} & set(names)
    for place, step in enumerate(steps):
        assert {output[0] for output in step.inputs.values()} <= set(names[:place])
    known = {step.name: step.parameters for step in steps}
    assert known["ingest"]["source"] == "shop"
    assert known["train-cf"]["seed"] == 7
    assert known["fuse"]["effort"] == "full"
    assert known["prepare"]["protocol"] == "temporal"  # the pipeline's own default


def test_what_is_given_is_not_made_again() -> None:
    steps = composition({}, given=[("validate", "checked")])
    assert not {"ingest", "validate"} & {step.name for step in steps}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_small_shop(tmp_path_factory.mktemp("shop"), households=20, products=50)


def test_a_finished_step_is_skipped_until_what_it_depends_on_changes(shop: Path, tmp_path: Path) -> None:
    def run(data: Path, any_code: bool = False) -> Kept:
        kept = Kept(tmp_path / "kept", any_code=any_code)
        kept.run(composition({"data": str(data), "store": str(tmp_path / "store")}, last=("ingest",)))
        return kept

    first = run(shop)
    assert first.ran == ["ingest"]
    tables = first.path(("ingest", "tables"))
    before = sha256(tables / "events.parquet")
    assert run(shop).ran == []
    done = read_json(tmp_path / "kept" / "ingest" / "done.json")
    assert done["source"] == source_digest()
    assert run(shop).sources == {source_digest()}
    write_json(tmp_path / "kept" / "ingest" / "done.json", done | {"source": "of other code"})
    assert run(shop, any_code=True).ran == []
    assert run(shop).ran == ["ingest"]
    moved = shop.rename(shop.with_name("elsewhere"))
    assert run(moved).ran == ["ingest"]
    assert sha256(tables / "events.parquet") == before


def test_what_follows_a_changed_step_is_open_before_anything_runs(tmp_path: Path) -> None:
    """A step in the middle must be run again: a stop before its followers ran must not leave them looking finished."""
    steps = composition({}, given=[("validate", "checked")])
    for step in steps:
        write_json(tmp_path / step.name / "done.json", {"parameters": step.parameters, "source": source_digest()})
    write_json(tmp_path / "train-cf" / "done.json", {"parameters": {"seed": 1}, "source": source_digest()})
    kept = Kept(tmp_path, {("validate", "checked"): tmp_path})
    with pytest.raises(CuveeError, match="train-cf"):  # it finds nothing prepared
        kept.run(steps)
    left = {step.name for step in steps if (tmp_path / step.name / "done.json").exists()}
    assert "prepare" in left
    assert "train-text" in left
    assert not {"train-cf", "fuse", "package"} & left


def test_a_failure_names_its_log_and_is_not_taken_for_finished(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    steps = composition({"data": str(tmp_path / "nowhere"), "store": str(tmp_path)}, last=("ingest",))
    with pytest.raises(CuveeError, match=r"ingest failed.*log\.txt"):
        kept.run(steps)
    assert "does not exist" in (tmp_path / "ingest" / "log.txt").read_text()
    assert kept.ran == []
    assert not (tmp_path / "ingest" / "done.json").exists()
