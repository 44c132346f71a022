"""Fine-tuning as a step: in its own process, or by a job over several nodes; the model goes to the shop's store."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.common.errors import ConfigError
from components.common.page import page, table
from components.train_text.bert import DEFAULT_PACKAGE
from components.train_text.fine_tune import FineTuneConfig, Tuned, fine_tune
from components.train_text.pairs_of_texts import pairs_of_texts
from components.train_text.train_job import fine_tune_on

ENCODERS = "encoders"


def tune_encoder(
    prepared: Path, store: Path, name: str, seed: int, nodes: int, source: str, settings: Mapping[str, Any]
) -> Tuned:
    """Tune the encoder on a prepared shop's texts and searches and write it to store/encoders/*name*.

    Args:
        prepared: a prepared folder.
        store: a folder that nodes of a job see under the same path.
        name: of the folder; what is there is replaced once the new model is whole.
        seed: divides and orders the pairs.
        nodes: 0: in this process; else of a TrainJob, see components.train_text.train_job.
        source: folder or package of the model; empty: the packaged one.
        settings: of FineTuneConfig, those that differ.

    Raises:
        ConfigError: the name is no folder's, or there are too few pairs.
        CuveeError: the job failed.
    """
    if not name or name != Path(name).name or name.startswith("."):
        raise ConfigError(f"name: found {name!r}, expected the name of a folder, such as tuned-2026-11.")
    out, pairs, source = store.resolve() / ENCODERS / name, pairs_of_texts(prepared), source or DEFAULT_PACKAGE
    if nodes:
        return fine_tune_on(nodes, pairs, out, seed, source, dict(settings))
    fresh = out.with_name(f".{name}")
    shutil.rmtree(fresh, ignore_errors=True)
    tuned = fine_tune(pairs, fresh, seed, source, FineTuneConfig(**settings))
    shutil.rmtree(out, ignore_errors=True)
    fresh.rename(out)
    return tuned


def tuned_page(tuned: Tuned, folder: Path, nodes: int) -> str:
    """What came of it, for people."""
    rows = [
        ("pairs learned from", tuned.pairs),
        ("pairs held out", tuned.held_out),
        ("partner first, before", tuned.before),
        ("partner first, after", tuned.after),
        ("loss of the last pass", tuned.loss),
    ]
    where = f"by a TrainJob over {nodes} nodes" if nodes else "in the step itself"
    kept = "the tuned model" if tuned.kept else "the model as it was: tuning did not help"
    return page("The text encoder", f"Tuned {where}. `{folder}` holds {kept}.", table(("", "found"), rows))
