"""From a torch network that looks at pictures to the folder that serving reads."""

import logging
import shutil
import tempfile
import warnings
from dataclasses import dataclass
from pathlib import Path

import torch

INPUT, OUTPUT, MAPS = "pixels", "seen", "maps"


@dataclass(frozen=True)
class Network:
    """A network in ONNX: its file's bytes, its name, how large pictures it takes."""

    name: str
    side: int
    content: bytes


def export(name: str, module: torch.nn.Module, side: int, maps: bool = False) -> Network:
    """(n, side, side, 3) uint8 -> (n, r) as ONNX with all its data inside; the same module gives the same bytes.

    maps: the module gives maps (n, h, w, c) too, which only the catalogue's photos are asked for.
    """
    pixels = torch.zeros((2, side, side, 3), dtype=torch.uint8)
    folder = Path(tempfile.mkdtemp())
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it misses torchvision, which nothing here needs
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # torch's own
            torch.onnx.export(
                module.eval(),
                (pixels,),
                str(folder / "model.onnx"),
                dynamo=True,
                input_names=[INPUT],
                output_names=[OUTPUT, MAPS] if maps else [OUTPUT],
                dynamic_shapes={INPUT: {0: torch.export.Dim("n", min=1)}},
                external_data=False,
                verbose=False,
            )
        return Network(name, side, (folder / "model.onnx").read_bytes())
    finally:
        shutil.rmtree(folder)
