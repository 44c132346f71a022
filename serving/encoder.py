"""A BERT-class text encoder on ONNX Runtime: the same code encodes items offline and queries online."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from onnxruntime import InferenceSession
from tokenizers import Tokenizer

from components.common.config import Config
from components.common.errors import ReleaseError
from components.common.files import read_json, sha256
from serving.arrays import Floats
from serving.onnx import session
from serving.static_queries import QUERIES_FILE, QueryTable

MODEL_FILE, TOKENIZER_FILE, ENCODER_FILE = "model.onnx", "tokenizer.json", "encoder.json"
BATCH_TOKENS = 2048
CACHED_QUERIES = 4096

Progress = Callable[[int, int], None]


class EncoderSpec(Config):
    """`encoder.json`: where an encoder comes from and how it is fed."""

    name: str
    package: str
    version: str
    dims: int
    max_tokens: int
    files: dict[str, str]  # file name -> SHA-256
    languages: tuple[str, ...] = ("en",)  # that it reads; without "zh" it is given Chinese in English


class TextEncoder:
    """Texts to unit vectors: mean of the last layer over the real tokens, then length one.

    A text's vector moves in its last digits with the padding and the batch it is encoded in. Queries therefore go
    alone (`encode_queries`), and answer the same online and in evaluation. Where the folder holds a table of queries,
    it gives their vectors, not the network (serving.static_queries); items are always encoded by the network.
    """

    def __init__(
        self, session: InferenceSession, tokenizer: Any, spec: EncoderSpec, table: QueryTable | None = None
    ) -> None:
        self.spec, self._table = spec, table
        self._session = session
        self._inputs = [port.name for port in session.get_inputs()]
        self._output = session.get_outputs()[0].name
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(spec.max_tokens)
        self._query = lru_cache(maxsize=CACHED_QUERIES)(self._encode_alone)

    @classmethod
    def load(cls, folder: Path, threads: int = 1) -> "TextEncoder":
        """Read model.onnx, tokenizer.json, encoder.json and the queries.npy it may name, after checking the digests.

        Raises:
            ReleaseError: a file is missing or is not the one that encoder.json names.
        """
        spec = EncoderSpec.parse(_read(folder / ENCODER_FILE), str(folder / ENCODER_FILE))
        for name in (MODEL_FILE, TOKENIZER_FILE):
            _verify(folder / name, spec.files.get(name, "none"))
        tokenizer = Tokenizer.from_file(str(folder / TOKENIZER_FILE))
        table = None
        if QUERIES_FILE in spec.files:
            _verify(folder / QUERIES_FILE, spec.files[QUERIES_FILE])
            table = QueryTable.load(folder / QUERIES_FILE, spec.dims)
        return cls(session(folder / MODEL_FILE, threads), tokenizer, spec, table)

    @property
    def dims(self) -> int:
        """Length of a vector."""
        return self.spec.dims

    @property
    def reads_chinese(self) -> bool:
        """Are Chinese texts given to it as they are."""
        return "zh" in self.spec.languages

    @property
    def vocabulary(self) -> list[str]:
        """By token, how its tokenizer writes it."""
        return [self._tokenizer.id_to_token(token) or "" for token in range(self._tokenizer.get_vocab_size())]

    def tokens(self, texts: Sequence[str]) -> list[list[int]]:
        """Of each text, with those that its tokenizer puts around it, cut at max_tokens."""
        return [coded.ids for coded in self._tokenizer.encode_batch(list(texts))]

    def encode(self, texts: Sequence[str], progress: Progress | None = None) -> Floats:
        """Vectors of many documents.

        Equal texts are encoded once; batches hold texts of like length, so little padding is computed.

        Args:
            texts: n strings.
            progress: told (texts done, texts to do) after every batch.

        Returns:
            (n, dims) float32, rows of length one.
        """
        distinct = sorted(set(texts))
        tokens = self.tokens(distinct)
        order = sorted(range(len(distinct)), key=lambda row: len(tokens[row]))
        vectors = np.empty((len(distinct), self.dims), dtype=np.float32)
        done = 0
        for rows in _batches(order, [len(ids) for ids in tokens]):
            vectors[rows] = self._run([tokens[row] for row in rows])
            done += len(rows)
            if progress is not None:
                progress(done, len(distinct))
        row_of = {text: row for row, text in enumerate(distinct)}
        answer: Floats = vectors[[row_of[text] for text in texts]]
        return answer

    def encode_queries(self, texts: Sequence[str]) -> Floats:
        """Vectors of queries, each encoded alone and remembered: a row does not depend on the others.

        Returns:
            (n, dims) float32, rows of length one.
        """
        if not texts:
            return np.empty((0, self.dims), dtype=np.float32)
        rows: Floats = np.stack([self._query(text) for text in texts])
        return rows

    def forget(self) -> None:
        """Forget the queries that were encoded."""
        self._query.cache_clear()

    def _encode_alone(self, text: str) -> Floats:
        tokens: list[int] = self._tokenizer.encode(text).ids
        vector = self._run([tokens])[0] if self._table is None else self._table.vector(tokens)
        vector.flags.writeable = False
        return vector

    def _run(self, tokens: list[list[int]]) -> Floats:
        ids, mask = _pad(tokens)
        feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run([self._output], {name: feed[name] for name in self._inputs})[0]
        return _pooled(hidden, mask)


def _pooled(hidden: Floats, mask: Any) -> Floats:
    """Mean over the tokens that *mask* keeps, scaled to length one: (n, tokens, d) -> (n, d)."""
    weights = mask.astype(np.float32)
    mean = np.einsum("ntd,nt->nd", hidden, weights) / weights.sum(axis=1, keepdims=True)
    unit: Floats = (mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)).astype(np.float32)
    return unit


def _pad(tokens: list[list[int]]) -> tuple[Any, Any]:
    longest = max(map(len, tokens))
    ids = np.zeros((len(tokens), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for row, known in enumerate(tokens):
        ids[row, : len(known)] = known
        mask[row, : len(known)] = 1
    return ids, mask


def _batches(order: list[int], lengths: list[int]) -> Iterator[list[int]]:
    """Consecutive rows of *order* (shortest first) whose padded size stays within BATCH_TOKENS."""
    batch: list[int] = []
    for row in order:
        if batch and (len(batch) + 1) * lengths[row] > BATCH_TOKENS:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _read(path: Path) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = read_json(path)
    except (OSError, ValueError) as error:
        raise ReleaseError(f"{path}: expected an encoder's description, found {error}. Rebuild the release.") from error
    return loaded


def _verify(path: Path, digest: str) -> None:
    if not path.is_file():
        raise ReleaseError(f"{path}: missing; {ENCODER_FILE} names it. Rebuild the release.")
    found = sha256(path)
    if found != digest:
        raise ReleaseError(
            f"{path}: SHA-256 is {found[:12]}…, {ENCODER_FILE} says {digest[:12]}…. Rebuild the release."
        )
