"""The command line's own errors: one message, the right exit code, no traceback."""

import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.cli import main

Call = Callable[..., "Ended"]


@dataclass(frozen=True)
class Ended:
    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """The console script's entry, called in this process: a process of its own imports for seconds."""

    def call(*arguments: object) -> Ended:
        root = logging.getLogger()
        monkeypatch.setattr(root, "handlers", [])  # the entry sets up its own, on the standard error of now
        monkeypatch.setattr(sys, "argv", ["cuvee", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        told = capsys.readouterr()
        return Ended(int(ended.value.code or 0), told.out, told.err)

    return call


def cuvee(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("cuvee")), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "--data", "x", "--out", "OUT", "--effort", "slow"], 2, "effort"),
        (["run", "--data", "x", "--out", "OUT", "--seed", "-1"], 2, "seed"),
        (["run", "--data", "x", "--out", "OUT", "--relations", "no.csv"], 2, "no.csv"),
        (["run", "--data", "x", "--out", "OUT", "--settings", "no.yaml"], 2, "no.yaml"),
        (["tune", "--data", "x", "--out", "OUT", "--trials", "0"], 2, "trials"),
        (["tune-family", "--run", "OUT", "--family", "cf", "--out", "OUT"], 2, "no prepared shop"),
        (["trial", "--run", "OUT", "--family", "cf", "--member", "als"], 2, "no prepared shop"),
        (["katib", "--run", "OUT", "--family", "other", "--member", "als", "--out", "OUT"], 2, "expected one of cf"),
        (["mine-rules", "--run", "OUT", "--out", "OUT"], 2, "no prepared shop"),
        (["distil-encoder", "--run", "OUT", "--out", "OUT"], 2, "no encoded items"),
        (["bazaar", "--users", "3", "--out", "OUT"], 2, "users"),
        (["ask", "recommend", "208", "--url", "http://127.0.0.1:9"], 1, "127.0.0.1:9"),
        (["demo", "--out", "OUT"], 1, "Run `cuvee run` first"),
        (["rollback", "--store", "OUT"], 1, "OUT"),
        (["submit", "--host", "http://127.0.0.1:9"], 1, "127.0.0.1:9"),
        (["submit", "--host", "http://127.0.0.1:9", "--cron", "daily"], 2, "six fields"),
        (["compile", "--cluster", "no.yaml", "--out", "OUT"], 2, "no.yaml"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_errors_are_one_message(called: Call, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    given = [str(tmp_path / "OUT") if argument == "OUT" else argument for argument in arguments]
    done = called(*given)
    assert done.returncode == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"), [(["run", "--data", "x"], 2, "--out"), (["rollback", "--store", "x"], 1, "x")]
)
def test_a_process_of_its_own_ends_with_the_same_code_and_message(
    arguments: list[str], code: int, said: str, tmp_path: Path
) -> None:
    done = cuvee(*[str(tmp_path / "x") if argument == "x" else argument for argument in arguments])
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bazaar_is_written_and_counted(called: Call, tmp_path: Path) -> None:
    done = called("bazaar", "--users", "20", "--items", "72", "--no-media", "--out", tmp_path / "shop")
    assert done.returncode == 0, done.stderr
    counts = dict(line.split() for line in done.stdout.splitlines())
    assert (counts["users"], counts["items"], counts["media"]) == ("20", "72", "0")
    assert (tmp_path / "shop" / "truth" / "items.parquet").exists()


def test_pseudonyms_depend_on_the_store_and_are_stable(called: Call, tmp_path: Path) -> None:
    first, again = (called("pseudonym", "208", "--store", tmp_path / "a").stdout for _ in range(2))
    other = called("pseudonym", "208", "--store", tmp_path / "b").stdout
    assert first == again != other
    assert len(first.strip()) == 32


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("members: {alss: {reg: 3}}", "members: unknown 'alss'. Did you mean 'als'?"),
        ("member: {als: {reg: 3}}", "unknown name 'member'. Did you mean 'members'?"),
    ],
)
def test_a_wrong_name_in_the_settings_stops_before_any_work(called: Call, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "settings.yaml").write_text(text, encoding="utf-8")
    done = called("run", "--data", "x", "--out", tmp_path / "out", "--settings", tmp_path / "settings.yaml")
    assert done.returncode == 2
    assert f"{tmp_path / 'settings.yaml'}: {said}" in done.stderr
    assert not (tmp_path / "out").exists()
