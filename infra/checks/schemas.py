"""Every object against its real schema, where a field that the schema does not name is an error.

A server drops a misspelt field without a word. Core kinds are held to Kubernetes' own OpenAPI (the package
kubernetes-validate ships it), custom ones to their CRD. Katib's CRD names no fields; `own/` says what of it is used.
"""

import json
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from components.common.errors import ConfigError
from infra.checks.render import Object, label

VERSION = "v1.35.0"
OWN = Path(__file__).parent / "own"
META = "#/$defs/io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
DEFINITIONS = "/api/_definitions.json"
NESTED = ("items", "additionalProperties")
MARKS = {"description", "default", "example", "title", "format", "nullable", "externalDocs"}


class Schemas:
    """The schemas of one Kubernetes version and of one folder of CRDs."""

    def __init__(self, crds: Path) -> None:
        """Look below *crds* (Kubernetes' CustomResourceDefinition files).

        Raises:
            ConfigError: there are none.
        """
        self._texts = {path: path.read_text(encoding="utf-8") for path in sorted(crds.glob("*.yaml"))}
        if not self._texts:
            raise ConfigError(f"{crds}: found no CRDs, expected *.yaml files. CUVEE_CRDS names their folder.")
        self._known: dict[tuple[str, str], Draft202012Validator | None] = {}

    def problems(self, one: Object) -> list[str]:
        """What a strict server would refuse or drop; an unknown kind is a problem too."""
        version, kind = str(one.get("apiVersion")), str(one.get("kind"))
        if (version, kind) not in self._known:
            self._known[version, kind] = self._custom(version, kind) if "." in version else None
            self._known[version, kind] = self._known[version, kind] or self._core(version, kind)
        validator = self._known[version, kind]
        if validator is None:
            return [f"{label(one)}: no schema of {kind} in {version} is known"]
        said = [*validator.iter_errors(one), *self._meta.iter_errors(one.get("metadata"))]
        return [_worded(one, error) for error in said] + _nameless(one)

    @cached_property
    def _core_folder(self) -> Any:
        return files("kubernetes_validate") / "kubernetes-json-schema" / f"{VERSION}-local-strict"

    @cached_property
    def _registry(self) -> Any:
        definitions = _without_null(json.loads((self._core_folder / "_definitions.json").read_text()))
        resource = DRAFT202012.create_resource(definitions)
        return Registry().with_resource(f"https://kubernetes.io{DEFINITIONS}", resource)

    @cached_property
    def _meta(self) -> Draft202012Validator:
        return self._validator({"$ref": f"https://kubernetes.io{DEFINITIONS}{META}"})

    def _validator(self, schema: dict[str, Any]) -> Draft202012Validator:
        return Draft202012Validator(schema, registry=self._registry)

    def _core(self, version: str, kind: str) -> Draft202012Validator | None:
        group, _, plain = version.rpartition("/")
        short = group.partition(".")[0]
        name = "-".join(part for part in (kind.lower(), short, plain) if part)
        path = self._core_folder / f"{name}.json"
        if not path.is_file():
            return None
        schema = _without_null(json.loads(path.read_text()))
        groups = {entry["group"] for entry in schema.get("x-kubernetes-group-version-kind", [])}
        return self._validator(schema | {"required": _required(schema)}) if group in groups else None

    def _custom(self, version: str, kind: str) -> Draft202012Validator | None:
        group, _, plain = version.partition("/")
        own = OWN / f"{kind.lower()}.yaml"
        if own.exists():
            return self._validator(closed(yaml.safe_load(own.read_text(encoding="utf-8")), root=True))
        for path, text in self._texts.items():
            if f"kind: {kind}\n" not in text or f"group: {group}\n" not in text:
                continue
            for crd in yaml.load_all(text, Loader=yaml.CSafeLoader):
                schema = _version_of(crd, group, kind, plain)
                if schema is not None:
                    self._texts[path] = text
                    return self._validator(closed(schema, root=True))
        return None


def _version_of(crd: Object | None, group: str, kind: str, version: str) -> dict[str, Any] | None:
    if not crd or crd["spec"]["group"] != group or crd["spec"]["names"]["kind"] != kind:
        return None
    for one in crd["spec"]["versions"]:
        if one["name"] == version and one.get("served", True):
            schema: dict[str, Any] = one["schema"]["openAPIV3Schema"]
            return schema
    return None


def closed(schema: Any, root: bool = False) -> Any:
    """A structural OpenAPI schema as JSON Schema that refuses what a server would prune; *root*: of a whole object."""
    if not isinstance(schema, dict):
        return schema
    out = {name: value for name, value in schema.items() if name not in MARKS and not name.startswith("x-kubernetes")}
    for name in NESTED:
        if name in out:
            out[name] = closed(out[name])
    if "properties" in out:
        out["properties"] = {name: closed(value) for name, value in out["properties"].items()}
    if schema.get("x-kubernetes-int-or-string"):
        out = {name: value for name, value in out.items() if name != "anyOf"} | {"type": ["integer", "string"]}
    if _prunes(schema, out):
        out["additionalProperties"] = False
    if root:
        out["properties"] = out.get("properties", {}) | {
            "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
        }  # fmt: skip
        out["required"] = sorted({"apiVersion", "kind", "metadata", *out.get("required", [])} - {"status"})
    if schema.get("nullable") and isinstance(out.get("type"), str):
        out["type"] = [out["type"], "null"]
    return out


def _prunes(schema: dict[str, Any], out: dict[str, Any]) -> bool:
    kept = schema.get("x-kubernetes-preserve-unknown-fields") or "additionalProperties" in out
    return not kept and (schema.get("type") == "object" or "properties" in schema)


def _without_null(schema: Any) -> Any:
    """Core schemas take null for anything; a manifest that says null means nothing or errs."""
    if isinstance(schema, list):
        return [_without_null(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    out = {name: _without_null(value) for name, value in schema.items()}
    if isinstance(out.get("type"), list) and "null" in out["type"]:
        rest = [name for name in out["type"] if name != "null"]
        out["type"] = rest[0] if len(rest) == 1 else rest
    return out


def _required(schema: dict[str, Any]) -> list[str]:
    return sorted({"apiVersion", "kind", "metadata", *schema.get("required", [])})


def _nameless(one: Object) -> list[str]:
    metadata = one.get("metadata")
    named = isinstance(metadata, dict) and (metadata.get("name") or metadata.get("generateName"))
    return [] if named else [f"{one.get('kind')}: found no metadata.name"]


def _worded(one: Object, error: Any) -> str:
    inner = best_match(error.context) if error.context else None
    at = ".".join(str(part) for part in error.absolute_path) or "the object"
    return f"{label(one)}: {at}: {(inner or error).message[:200]}"
