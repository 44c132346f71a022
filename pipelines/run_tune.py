"""`cuvee tune`: run the tuning pipeline on this machine and keep what it found."""

import json
import shutil
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field

from components.common.config import Config, Effort, Protocol
from components.common.errors import ConfigError
from components.common.files import read_json, write_text
from components.tune.run import PARTS, SETTINGS_FILE, TRIALS_FILE, Task, tune_members
from pipelines.run import absolute, follow

REPORTS = {"tune-members": "cf", "tune-members-2": "text", "tune-members-3": "deep", "tune-fusion": "fusion"}


class TuneOptions(Config):
    """What one search is asked to do."""

    data: str
    out: Path
    config: str = ""
    protocol: Protocol = "temporal"
    effort: Effort = "fast"
    seed: int = Field(0, ge=0, lt=2**31)
    encoder: str = "minilm-int8"
    trials: int = Field(30, ge=1)
    seconds: float = Field(600.0, ge=0)

    def arguments(self) -> dict[str, Any]:
        """The pipeline's parameters; paths absolute, since steps run elsewhere."""
        values = self.model_dump(exclude={"out"}, mode="json")
        out = self.out.resolve()
        kept = {"store": str(out / "store"), "journal": str(out / "journal")}
        return values | absolute(values, ("config",)) | kept

    def command(self) -> str:
        """The command line that asks for this."""
        return _command("cuvee tune", self)


class FamilyOptions(Config):
    """What a search of one family over a finished run is asked to do."""

    run: Path
    family: str
    out: Path
    effort: Effort = "fast"
    seed: int = Field(0, ge=0, lt=2**31)
    trials: int = Field(30, ge=1)
    seconds: float = Field(150.0, ge=0)

    def command(self) -> str:
        """The command line that asks for this."""
        return _command("cuvee tune-family", self)


def _command(verb: str, options: Config) -> str:
    """*verb* with its options; what stands at its default is left out."""
    usual = {name: field.get_default() for name, field in type(options).model_fields.items()}
    said = [f"--{name} {value}" for name, value in options if value != usual[name]]
    return " ".join([verb, *said])


def tune(options: TuneOptions) -> int:
    """Search and return the exit code: 0 settings written, 2 bad input, 1 a failure."""
    out = options.out.resolve()
    watcher, code = follow("tune", out, options.arguments())
    if watcher.failure:
        return code
    steps = next((out / "pipeline").glob("tune-*"))
    report = out / "report"
    report.mkdir(exist_ok=True)
    for step, name in REPORTS.items():
        shutil.copyfile(steps / step / "found" / "report.html", report / f"{name}.html")
        shutil.copyfile(steps / step / "found" / "trials.json", report / f"{name}.json")
        for member, found in read_json(report / f"{name}.json").items():
            watcher.say(f"  {member:<16} {found['told']}")
    found = (steps / "tune-fusion" / "found" / SETTINGS_FILE).read_text(encoding="utf-8")
    write_text(out / SETTINGS_FILE, f"# {options.command()}\n{found}")
    watcher.say(f"Settings: {out / SETTINGS_FILE}. Use them: cuvee run --settings {out / SETTINGS_FILE} ...")
    return 0


def tune_family(options: FamilyOptions) -> dict[str, str]:
    """Search one family's members over what a finished run has prepared; writes settings.yaml and report/.

    Returns:
        By member, what was found, in a sentence.

    Raises:
        ConfigError: there is no such run or family.
    """
    steps = next((options.run / "pipeline").glob("*/prepare/prepared"), None)
    if steps is None:
        raise ConfigError(f"{options.run} holds no prepared shop, expected the folder of a finished `cuvee run`.")
    out, report = options.out, options.out / "report"
    journal = str((out / "journal").resolve())
    task = Task.of(options.effort, options.trials, options.seconds * PARTS, options.seed, journal)
    found = tune_members(options.family, steps, steps.parents[1] / "encode" / "embeddings", report, task)
    body = yaml.safe_dump(json.loads(found), sort_keys=False)
    write_text(out / SETTINGS_FILE, f"# {options.command()}\n{body}")
    return {member: one["told"] for member, one in read_json(report / TRIALS_FILE).items()}
