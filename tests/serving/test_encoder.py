import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from text_parts import real_encoder

from components.common.errors import ReleaseError
from components.common.files import read_json, write_json
from components.encode.packages import DEFAULT, write_encoder
from serving.encoder import ENCODER_FILE, MODEL_FILE, TextEncoder, _batches

TITLES = ["Xerox 006R90321 toner cartridge Original Black", "Sony wireless headphones", "tv", "无线耳机", ""]


def test_vectors_are_float32_of_length_one() -> None:
    vectors = real_encoder().encode(TITLES)
    assert vectors.shape == (len(TITLES), 384)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_rows_keep_the_order_of_the_texts_and_equal_texts_are_equal() -> None:
    vectors = real_encoder().encode([*TITLES, TITLES[0]])
    np.testing.assert_array_equal(vectors[0], vectors[-1])
    alone = np.concatenate([real_encoder().encode([text]) for text in TITLES])
    assert ((alone * vectors[:-1]).sum(axis=1) > 0.999).all()


def test_no_texts_give_no_rows() -> None:
    assert real_encoder().encode([]).shape == (0, 384)
    assert real_encoder().encode_queries([]).shape == (0, 384)


def test_a_query_does_not_depend_on_the_others() -> None:
    batch = real_encoder().encode_queries(TITLES)
    for row, text in enumerate(TITLES):
        np.testing.assert_array_equal(batch[row], real_encoder().encode_queries([text])[0])


def test_like_meanings_lie_near() -> None:
    query, near, far = real_encoder().encode(["headset for music", "Sony wireless headphones", "garden hose"])
    assert query @ near > query @ far + 0.2


def test_progress_ends_at_the_number_of_distinct_texts() -> None:
    told: list[tuple[int, int]] = []
    real_encoder().encode(["a", "b", "a"], lambda done, total: told.append((done, total)))
    assert told[-1] == (2, 2)


def test_batches_hold_every_row_once_within_the_bound() -> None:
    lengths = [3, 900, 70, 2048, 5]
    order = sorted(range(5), key=lambda row: lengths[row])
    batches = list(_batches(order, lengths))
    assert [row for batch in batches for row in batch] == order
    assert all(len(batch) * lengths[batch[-1]] <= 2048 for batch in batches)


def test_a_changed_model_is_refused(tmp_path: Path) -> None:
    write_encoder(DEFAULT, tmp_path)
    with (tmp_path / MODEL_FILE).open("ab") as handle:
        handle.write(b"x")
    with pytest.raises(ReleaseError, match="SHA-256"):
        TextEncoder.load(tmp_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=ENCODER_FILE):
        TextEncoder.load(tmp_path)
    write_encoder(DEFAULT, tmp_path)
    (tmp_path / MODEL_FILE).unlink()
    with pytest.raises(ReleaseError, match="missing"):
        TextEncoder.load(tmp_path)


def test_a_model_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    write_encoder(DEFAULT, tmp_path)
    write_json(tmp_path / ENCODER_FILE, read_json(tmp_path / ENCODER_FILE) | {"files": {}})
    with pytest.raises(ReleaseError, match="SHA-256"):
        TextEncoder.load(tmp_path)


def test_longer_texts_are_cut_at_max_tokens(tmp_path: Path) -> None:
    write_encoder(DEFAULT, tmp_path)
    write_json(tmp_path / ENCODER_FILE, read_json(tmp_path / ENCODER_FILE) | {"max_tokens": 4})
    short = TextEncoder.load(tmp_path)
    both = short.encode(["red shoes and a long tail of words", "red shoes"])
    assert both[0] @ both[1] > 0.999


def test_serving_texts_imports_neither_torch_nor_transformers() -> None:
    code = "import sys, serving.encoder, serving.members.text; print({'torch', 'transformers'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"


def test_what_was_forgotten_is_encoded_anew_and_alike() -> None:
    first, again = (real_encoder().encode_queries(["a red hat"]) for _ in range(2))
    before = real_encoder()._query.cache_info().misses
    real_encoder().forget()
    np.testing.assert_array_equal(real_encoder().encode_queries(["a red hat"]), first)
    np.testing.assert_array_equal(again, first)
    assert real_encoder()._query.cache_info().misses == 1 <= before
