"""A table of queries: rows added up by hand, every damage refused, and the server's encoder that reads it."""

from pathlib import Path

import numpy as np
import pytest
from text_parts import real_encoder

from components.common.errors import ReleaseError
from components.common.files import read_json, sha256, write_json
from components.encode.packages import DEFAULT, write_encoder
from serving.encoder import ENCODER_FILE, TextEncoder
from serving.static_queries import KEY, PAIR, QUERIES_FILE, QueryTable, keys_of, row_type, table_of

ROWS = {3: [127, 0], 5: [0, 127], (3 + 1) * PAIR + 5: [0, 254], (5 + 1) * PAIR + 3: [-127, -127]}


def planted() -> QueryTable:
    keys = np.array(list(ROWS), dtype=np.int64)[::-1]
    return QueryTable(table_of(keys, np.array(list(ROWS.values()), dtype=np.float32)[::-1]))


@pytest.mark.parametrize(
    ("tokens", "total"),
    [
        ([3], (127, 0)),
        ([3, 3], (254, 0)),  # the pair (3, 3) has no row
        ([3, 5], (127, 127 + 254)),
        ([5, 3], (0, 0)),  # the pair takes away what its tokens say
        ([5, 9, 3], (127, 127)),  # 9 has no row, and 5 and 3 are no neighbours
        ([9], (0, 0)),
        ([], (0, 0)),
    ],
)
def test_a_query_is_the_sum_of_its_rows_scaled_to_length_one(tokens: list[int], total: tuple[int, int]) -> None:
    expected = np.array(total) / max(np.hypot(*total), 1)
    np.testing.assert_allclose(planted().vector(tokens), expected, atol=1e-6)


def test_order_is_told_by_pairs_alone() -> None:
    assert sorted(keys_of([1, 2])[:2]) == sorted(keys_of([2, 1])[:2])
    assert keys_of([1, 2])[2:] != keys_of([2, 1])[2:]


def test_random_rows_come_back_to_within_half_a_step() -> None:
    draw = np.random.default_rng(0)
    keys, vectors = draw.permutation(500).astype(np.int64), draw.standard_normal((500, 24)).astype(np.float32)
    table = QueryTable(table_of(keys, vectors))
    for _ in range(50):
        tokens = draw.choice(500, size=draw.integers(1, 8), replace=False).tolist()
        rows = vectors[[int(np.flatnonzero(keys == token)[0]) for token in tokens]]
        whole, off = rows.sum(axis=0), (np.abs(rows).max(axis=1) / 127 / 2).sum() * np.sqrt(24)
        found = table.vector(tokens)
        np.testing.assert_allclose(np.linalg.norm(found), 1, atol=1e-6)
        assert np.linalg.norm(found - whole / np.linalg.norm(whole)) <= 2 * off / np.linalg.norm(whole)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The packaged encoder with a table in which three tokens of "red wool" have a row."""
    write_encoder(DEFAULT, tmp_path)
    red, wool = ((tokens := real_encoder().tokens([text])[0])[1] for text in ("red", "wool"))
    vectors = np.zeros((3, 384), dtype=np.float32)
    vectors[0, 0] = vectors[1, 1] = 1
    vectors[2, 2] = 2
    keys = np.array([red, wool, (red + 1) * PAIR + wool], dtype=np.int64)
    np.save(tmp_path / QUERIES_FILE, table_of(keys, vectors))
    assert len(tokens) == 3  # its start, itself, its end
    return named(tmp_path)


def named(folder: Path) -> Path:
    spec = read_json(folder / ENCODER_FILE)
    spec["files"] |= {QUERIES_FILE: sha256(folder / QUERIES_FILE)}
    write_json(folder / ENCODER_FILE, spec)
    return folder


def test_queries_go_by_the_table_and_documents_by_the_network(folder: Path) -> None:
    encoder = TextEncoder.load(folder)
    found = encoder.encode_queries(["red", "red wool", "wool red"])
    np.testing.assert_allclose(found[0, :3], [1, 0, 0], atol=1e-6)
    np.testing.assert_allclose(found[1, :3], np.array([1, 1, 2]) / np.sqrt(6), atol=1e-6)
    np.testing.assert_allclose(found[2, :3], np.array([1, 1, 0]) / np.sqrt(2), atol=1e-6)
    np.testing.assert_array_equal(encoder.encode(["red wool"]), real_encoder().encode(["red wool"]))
    for row, text in enumerate(["red", "red wool", "wool red"]):
        np.testing.assert_array_equal(found[row], TextEncoder.load(folder).encode_queries([text])[0])


def test_the_table_goes_along_with_its_encoder(folder: Path, tmp_path: Path) -> None:
    write_encoder(str(folder), tmp_path / "out")
    assert (tmp_path / "out" / QUERIES_FILE).read_bytes() == (folder / QUERIES_FILE).read_bytes()
    np.testing.assert_allclose(TextEncoder.load(tmp_path / "out").encode_queries(["red"])[0, 0], 1, atol=1e-6)


def test_a_table_that_encoder_json_does_not_name_is_not_read(folder: Path, tmp_path: Path) -> None:
    spec = read_json(folder / ENCODER_FILE)
    del spec["files"][QUERIES_FILE]
    write_json(folder / ENCODER_FILE, spec)
    write_encoder(str(folder), tmp_path / "out")
    assert not (tmp_path / "out" / QUERIES_FILE).exists()
    np.testing.assert_array_equal(
        TextEncoder.load(folder).encode_queries(["red"]), real_encoder().encode_queries(["red"])
    )


def test_a_changed_or_missing_table_is_refused(folder: Path) -> None:
    with (folder / QUERIES_FILE).open("ab") as handle:
        handle.write(b"x")
    with pytest.raises(ReleaseError, match=r"queries.npy: SHA-256"):
        TextEncoder.load(folder)
    (folder / QUERIES_FILE).unlink()
    with pytest.raises(ReleaseError, match=r"queries.npy: missing"):
        TextEncoder.load(folder)


def two_rows(keys: list[int], scale: float = 1.0) -> np.ndarray:
    rows = np.zeros(2, dtype=row_type(384))
    rows[KEY], rows["scale"] = keys, scale
    return rows


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (two_rows([2, 1]), "out of order"),
        (two_rows([1, 1]), "out of order"),
        (two_rows([1, 2], np.nan), "no number"),
        (two_rows([1, 2])[:0], r"shape \(0,\)"),
        (two_rows([1, 2])[None], r"shape \(1, 2\)"),
        (np.zeros(2, dtype=row_type(32)), r"\(32,\)"),
        (np.zeros((2, 384), np.float32), "float32"),
    ],
)
def test_a_file_that_is_no_table_is_refused_whoever_vouches_for_it(
    folder: Path, content: np.ndarray, found: str
) -> None:
    np.save(folder / QUERIES_FILE, content)
    with pytest.raises(ReleaseError, match=rf"expected rows of a key.*384 numbers.*{found}"):
        TextEncoder.load(named(folder))


def test_objects_are_not_unpickled(folder: Path) -> None:
    np.save(folder / QUERIES_FILE, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ReleaseError, match="distil-encoder"):
        TextEncoder.load(named(folder))
