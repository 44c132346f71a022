"""Kustomize every overlay into the objects that a cluster would get."""

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from components.common.errors import CuveeError
from infra.checks.tools import tool

INFRA = Path(__file__).parents[1]
FILE = "kustomization.yaml"
OF_ITS_OWN = {"base"}  # rendered as a part of every overlay, not applied by itself
Object = dict[str, Any]


def overlays(infra: Path = INFRA) -> list[Path]:
    """Every folder that somebody applies: those with a kustomization, but for components and the base."""
    folders = sorted(file.parent for file in infra.rglob(FILE))
    return [folder for folder in folders if folder.name not in OF_ITS_OWN and not _is_component(folder)]


def _is_component(folder: Path) -> bool:
    return bool(yaml.safe_load((folder / FILE).read_text(encoding="utf-8"))["kind"] == "Component")


def render(folder: Path) -> list[Object]:
    """The objects of `kubectl kustomize FOLDER`.

    Raises:
        CuveeError: kubectl is absent, or it refuses the folder.
    """
    done = subprocess.run([tool("kubectl"), "kustomize", str(folder)], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise CuveeError(f"{folder}: kustomize refuses it: {done.stderr.strip()}")
    return [one for one in yaml.load_all(done.stdout, Loader=yaml.CSafeLoader) if one]


def label(one: Object) -> str:
    """How messages call an object."""
    metadata = one.get("metadata") or {}
    return f"{one.get('kind')}/{metadata.get('name')}"


def of_kind(objects: list[Object], *kinds: str) -> Iterator[Object]:
    """The objects of these kinds, in order."""
    return (one for one in objects if one.get("kind") in kinds)
