"""Fine-tuning on a small BERT made here: words that belong together come together, and others stay apart."""

from pathlib import Path

import numpy as np
import pytest
import torch
from small_bert import CONFIG, SYNONYMS, make_bert, planted

from components.common.errors import ConfigError
from components.train_text.bert import load_bert
from components.train_text.fine_tune import fine_tune
from components.train_text.together import Group
from serving.encoder import TextEncoder


@pytest.fixture(scope="module")
def small_bert(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bert(tmp_path_factory.mktemp("bert"))


def test_what_belongs_together_is_found_first_in_pairs_not_seen(small_bert: Path, tmp_path: Path) -> None:
    tuned = fine_tune(planted(0), tmp_path, 0, str(small_bert), CONFIG)
    assert tuned.held_out >= 20
    assert tuned.kept
    assert tuned.after > tuned.before + 0.2
    encoder = TextEncoder.load(tmp_path)  # serving's own reader
    assert encoder.spec.name == "tuned"
    left, right = (encoder.encode([pair[side] for pair in SYNONYMS]) for side in (0, 1))
    assert (np.argmax(left @ right.T, axis=1) == np.arange(len(SYNONYMS))).mean() > 0.7


def test_the_same_seed_gives_the_same_bytes(small_bert: Path, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"epochs": 2})
    for name in ("a", "b"):
        fine_tune(planted(0), tmp_path / name, 3, str(small_bert), config)
    assert (tmp_path / "a" / "model.onnx").read_bytes() == (tmp_path / "b" / "model.onnx").read_bytes()


def test_where_tuning_does_not_help_the_model_stays_as_it_was(small_bert: Path, tmp_path: Path) -> None:
    """Partners drawn by chance: there is nothing to find in pairs not seen."""
    draw = np.random.default_rng(1)
    words = [word for pair in SYNONYMS for word in pair]
    chance = [(" ".join(draw.choice(words, 3)), " ".join(draw.choice(words, 3))) for _ in range(200)]
    still = CONFIG.model_copy(update={"learning_rate": 1e-9, "epochs": 1})
    tuned = fine_tune(chance, tmp_path, 0, str(small_bert), still)
    assert not tuned.kept
    ids = torch.tensor([[2, 3]])
    plain = load_bert(str(small_bert))(ids, torch.ones_like(ids)).detach().numpy().mean(axis=1)[0]
    found = TextEncoder.load(tmp_path).encode(["left0 right0"])[0]
    np.testing.assert_allclose(found, plain / np.linalg.norm(plain), atol=1e-5)


def test_only_the_last_layers_move(small_bert: Path) -> None:
    from components.train_text.fine_tune import Texts, _train

    model, before = load_bert(str(small_bert)), load_bert(str(small_bert))
    _train(model, Texts(small_bert, 16), planted(0), CONFIG.model_copy(update={"layers": 1, "epochs": 1}), 0, Group())
    moved = {
        name.split(".")[3] if "layer." in name else "embeddings"
        for (name, now), then in zip(model.named_parameters(), before.parameters(), strict=True)
        if not torch.equal(now, then)
    }
    assert moved == {"1"}


def test_too_few_pairs_are_named(small_bert: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="found 5 distinct pairs"):
        fine_tune(planted(0)[:5], tmp_path, 0, str(small_bert), CONFIG)
