"""Opening an ONNX file that came with a release: nothing beside the file is read, one thread, on the CPU."""

from pathlib import Path

import onnxruntime as ort

from components.common.errors import ReleaseError

EXTERNAL = b"location"  # the key that every tensor kept outside the file must name


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
    try:
        return ort.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own errors share no base class
        raise ReleaseError(f"{path}: not an ONNX model this server can run: {error}. Publish it again.") from error


def _read(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file() or path.stat().st_nlink > 1:
        raise ReleaseError(f"{path}: expected a plain ONNX file, found none or a link. Publish the release again.")
    content = path.read_bytes()
    if EXTERNAL in content:
        raise ReleaseError(f"{path}: names a location of data outside the file. Export it with all its data inside.")
    return content
