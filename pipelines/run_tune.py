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
from components.common.prepared import Prepared
from components.tune.inner import Inner
from components.tune.members import FAMILIES, Search
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


class TrialOptions(Config):
    """One member's search over a finished run, of which one trial is asked for."""

    run: Path
    family: str
    member: str
    seed: int = Field(0, ge=0, lt=2**31)


def trial_command(options: TrialOptions) -> list[str]:
    """What a pod runs for one trial."""
    told = [part for name, value in options for part in (f"--{name}", str(value))]
    return ["python", "-m", "pipelines.cli", "trial", *told]


def search_of(options: TrialOptions) -> Search:
    """The search of one member over what a finished run has prepared.

    Raises:
        ConfigError: there is no such run, family or member.
    """
    if options.family not in FAMILIES:
        raise ConfigError(f"--family: found {options.family!r}, expected one of {', '.join(FAMILIES)}.")
    prepared, embeddings = _steps(options.run)
    inner = Inner.of(Prepared.load(prepared), "fast", options.seed)
    found = {one.member: one for one in FAMILIES[options.family](inner, embeddings, options.seed)}
    if options.member not in found:
        raise ConfigError(f"--member: found {options.member!r}, expected one of {', '.join(found)}.")
    return found[options.member]


def _steps(run: Path) -> tuple[Path, Path]:
    """The folders of the prepared shop and of its vectors."""
    prepared = next((run / "pipeline").glob("*/prepare/prepared"), None)
    if prepared is None:
        raise ConfigError(f"{run} holds no prepared shop, expected the folder of a finished `cuvee run`.")
    return prepared, prepared.parents[1] / "encode" / "embeddings"


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
    prepared, embeddings = _steps(options.run)
    out, report = options.out, options.out / "report"
    journal = str((out / "journal").resolve())
    task = Task.of(options.effort, options.trials, options.seconds * PARTS, options.seed, journal)
    found = tune_members(options.family, prepared, embeddings, report, task)
    body = yaml.safe_dump(json.loads(found), sort_keys=False)
    write_text(out / SETTINGS_FILE, f"# {options.command()}\n{body}")
    return {member: one["told"] for member, one in read_json(report / TRIALS_FILE).items()}
