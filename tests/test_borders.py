"""Every import-linter contract catches a planted breach."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BREACHES = {
    "layers: pipelines": ("serving/planted.py", "import components.fuse.run"),
    "layers: pipelines, stages": ("components/prepare/planted.py", "import components.fuse.run"),
    "feature_repo is imported": ("serving/planted.py", "import feature_repo.definitions"),
    "only components/*/component.py": ("components/fuse/planted.py", "import kfp"),
    "TensorFlow only": ("components/train_cf/planted.py", "import tensorflow"),
    "torch only": ("serving/planted.py", "import torch"),
    "Feast only": ("components/fuse/planted.py", "import feast"),
    "the vocabulary knows": ("components/common/planted.py", "import scipy"),
}


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the packages and their contracts."""
    copy = tmp_path_factory.mktemp("house")
    for package in ("components", "pipelines", "serving", "feature_repo"):
        shutil.copytree(ROOT / package, copy / package, ignore=shutil.ignore_patterns("__pycache__", "compiled"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def lint(house: Path) -> subprocess.CompletedProcess[str]:
    code = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run([sys.executable, "-c", code, "--no-cache"], cwd=house, capture_output=True, text=True)


def test_the_house_keeps_its_contracts(house: Path) -> None:
    result = lint(house)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("contract", "breach"), BREACHES.items(), ids=BREACHES)
def test_a_planted_breach_is_caught(house: Path, tmp_path: Path, contract: str, breach: tuple[str, str]) -> None:
    copy = tmp_path / "house"
    shutil.copytree(house, copy)
    place, line = breach
    (copy / place).write_text(f'"""A breach."""\n\n{line}\n')
    result = lint(copy)
    assert result.returncode == 1
    broken = [row for row in result.stdout.splitlines() if " BROKEN" in row]
    assert any(row.startswith(contract) for row in broken), result.stdout
