"""What passes between the steps of the graph, as text.

KServe's router reads the answers of an Ensemble into maps and writes them anew: numbers become 64-bit floats, keys are
sorted. So arrays travel as base64 of numpy's own format, and whatever must arrive to the bit is inside of a string.
"""

import base64
import binascii
import io
from collections.abc import Mapping, Sequence
from dataclasses import fields
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt

from serving.arrays import Floats
from serving.instances import RequestError
from serving.queries import ASKED, Queries
from serving.states import NO_PROFILE, UserStates

Array = npt.NDArray[Any]
STATE_ARRAYS = ("indptr", "items", "last_at", "first_at", "counts", "as_of")
HEADER = 512  # bytes that numpy's description of an array may take


def packed(array: Array) -> str:
    """An array as text."""
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(array), allow_pickle=False)
    return base64.b64encode(buffer.getbuffer()).decode()


def unpacked(text: object, kind: type[np.generic], ndim: int) -> Array:
    """The array that `packed` wrote, read-only.

    Raises:
        RequestError: it is none, or not of *kind* and *ndim*.
    """
    try:
        raw = base64.b64decode(text if isinstance(text, str) else b"", validate=True)
        array = np.lib.format.read_array(io.BytesIO(raw), allow_pickle=False, max_header_size=HEADER)
    except (ValueError, EOFError, binascii.Error) as error:
        raise RequestError("an array between two steps of the graph cannot be read") from error
    if array.dtype != np.dtype(kind) or array.ndim != ndim:
        raise RequestError(f"found an array of {array.ndim} dimensions, expected {ndim} of {kind.__name__}")
    array.setflags(write=False)
    return array


def states_out(states: UserStates) -> dict[str, Any]:
    """States as JSON, without saying whose they are."""
    told: dict[str, Any] = {name: packed(getattr(states, name)) for name in STATE_ARRAYS}
    return told | {"profiles": list(states.profiles)}


def states_in(told: object, n_items: int, user_ids: Sequence[str] | None = None) -> UserStates:
    """What `states_out` wrote, of *user_ids* or of nobody in particular.

    Raises:
        RequestError: the parts do not fit together, or the catalogue of *n_items*.
    """
    found = {} if not isinstance(told, Mapping) else told
    kinds = {field.name: _KINDS.get(field.name) for field in fields(UserStates)}
    arrays = {name: unpacked(found.get(name), kinds[name] or np.int64, 1) for name in STATE_ARRAYS}
    ends, entries, n = arrays["indptr"], len(arrays["items"]), len(arrays["as_of"])
    known = entries == 0 or (arrays["items"].min() >= 0 and arrays["items"].max() < n_items)
    rising = len(ends) == n + 1 and ends[0] == 0 and ends[-1] == entries and bool((np.diff(ends) >= 0).all())
    alike = all(len(arrays[name]) == entries for name in ("last_at", "first_at", "counts"))
    profiles = tuple(map(str, found.get("profiles", ())))
    ids = ("",) * n if user_ids is None else tuple(user_ids)
    if not (known and rising and alike and len(ids) == n and len(profiles) in (0, n)):
        raise RequestError("the histories between two steps of the graph do not fit together")
    return UserStates(ids, **arrays, profiles=profiles)


_KINDS: dict[str, type[np.generic]] = {"items": np.int32, "counts": np.float32}


def queries_out(queries: Queries) -> dict[str, Any]:
    """A batch of questions as JSON; whoever reads it does not learn who asks."""
    vectors = {"text_vectors": queries.text_vectors, "image_vectors": queries.image_vectors}
    return {
        "scenario": queries.scenario,
        "states": states_out(queries.states),
        "texts": None if queries.texts is None else list(queries.texts),
    } | {name: None if array is None else packed(array) for name, array in vectors.items()}


def queries_in(told: object, n_items: int) -> Queries:
    """What `queries_out` wrote.

    Raises:
        RequestError: the parts do not fit together.
    """
    if not isinstance(told, Mapping) or told.get("scenario") not in ASKED:
        raise RequestError("found no batch of questions between two steps of the graph")
    states, texts = states_in(told.get("states"), n_items), told.get("texts")
    vectors = {
        name: None if told.get(name) is None else unpacked(told[name], np.float32, 2)
        for name in ("text_vectors", "image_vectors")
    }
    sizes = {len(part) for part in (texts, *vectors.values()) if part is not None}
    if sizes - {len(states)}:
        raise RequestError("a batch of questions between two steps of the graph has parts of several lengths")
    return Queries(told["scenario"], states, None if texts is None else tuple(map(str, texts)), **vectors)


def keys(queries: Queries) -> list[bytes]:
    """What tells each question of a batch from others: all that a member may read of it."""
    return [_key(queries, row) for row in range(len(queries))]


def _key(queries: Queries, row: int) -> bytes:
    states, seen = queries.states, blake2b(queries.scenario.encode(), digest_size=16)
    entries = slice(int(states.indptr[row]), int(states.indptr[row + 1]))
    for name in ("items", "last_at", "first_at", "counts"):
        seen.update(getattr(states, name)[entries].tobytes())
    seen.update(states.as_of[row].tobytes())
    seen.update(states.profiles[row].encode() if states.profiles else b"")
    seen.update(b"" if queries.texts is None else queries.texts[row].encode(errors="surrogatepass"))
    for vectors in (queries.text_vectors, queries.image_vectors):
        seen.update(b"-" if vectors is None else vectors[row].tobytes())
    return seen.digest()


def joined(parts: Sequence[UserStates]) -> UserStates:
    """The users of all *parts*, in order; there is at least one."""
    ends = np.cumsum([0, *(len(part.items) for part in parts)])
    indptr = [part.indptr[:-1] + start for part, start in zip(parts, ends[:-1], strict=True)]
    arrays = {name: np.concatenate([getattr(part, name) for part in parts]) for name in STATE_ARRAYS[1:]}
    profiles = [text for part in parts for text in part.profiles or (NO_PROFILE,) * len(part)]
    return UserStates(
        tuple(user for part in parts for user in part.user_ids),
        np.concatenate([*indptr, ends[-1:]]).astype(np.int64),
        **arrays,
        profiles=tuple(profiles) if any(part.profiles for part in parts) else (),
    )


def vectors_out(table: Mapping[str, Floats]) -> dict[str, str]:
    """Vectors by name as JSON."""
    return {name: packed(vector) for name, vector in table.items()}


def vectors_in(told: object) -> dict[str, Floats]:
    """What `vectors_out` wrote."""
    found = told if isinstance(told, Mapping) else {}
    return {str(name): unpacked(text, np.float32, 1) for name, text in found.items()}
