"""Opening an ONNX file that came with a release: nothing beside the file is read, one thread, on the CPU."""

from pathlib import Path

import onnxruntime as ort

from components.common.errors import ReleaseError
from serving.external_data import points_outside


def session(path: Path, threads: int = 1) -> ort.InferenceSession:
    """Load *path* for inference.

    Args:
        path: the file; its bytes are checked and then handed over, so what runs is what was checked.
        threads: of one operator.

    Raises:
        ReleaseError: the file is missing, a link, damaged, or keeps tensors outside itself.
    """
    content = _read(path)
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.enable_cpu_mem_arena = False  # it keeps 11 MB of an encoder's first query; without it nothing is slower
    try:
        opened = ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no base class
        raise ReleaseError(f"{path}: not an ONNX model this server can run: {error}. Publish it again.") from error
    opened._model_bytes = None  # the file once more, kept for a change of providers, of which there is one
    return opened


def _read(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file() or path.stat().st_nlink > 1:
        raise ReleaseError(f"{path}: expected a plain ONNX file, found none or a link. Publish the release again.")
    content = path.read_bytes()
    try:
        outside = points_outside(content)
    except ValueError as error:
        raise ReleaseError(f"{path}: is not an ONNX model ({error}). Publish the release again.") from error
    if outside:
        raise ReleaseError(f"{path}: keeps data in another file. Export it with all its data inside.")
    return content
