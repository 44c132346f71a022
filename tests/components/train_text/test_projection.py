import numpy as np
import pandas as pd
import pytest
import torch

from components.common import columns as c
from components.train_text.pairs import pairs
from components.train_text.projection import Adam, Projection, ProjectionConfig, fit, principal
from serving.arrays import Floats
from serving.members.text import unit


def random_units(n: int, d: int, seed: int) -> Floats:
    return unit(np.random.default_rng(seed).normal(size=(n, d)).astype(np.float32))


def test_all_principal_directions_keep_every_cosine() -> None:
    vectors = random_units(40, 8, 0)
    projected = vectors @ principal(vectors, 8)
    np.testing.assert_allclose(projected @ projected.T, vectors @ vectors.T, atol=1e-5)


def test_principal_directions_are_at_most_the_vectors_own() -> None:
    assert principal(random_units(5, 4, 0), 128).shape == (4, 4)


def test_pairs_hold_the_decayed_past_by_hand() -> None:
    """Visits: item 0, then item 1, then items 2 and 0 again; half-life one visit."""
    rows = [(0, 0, 0), (0, 1, 1), (0, 2, 2), (0, 2, 0)]
    events = pd.DataFrame(rows, columns=[c.USER, c.VISIT, c.ITEM])
    drawn = pairs(events, 3, half_life=1.0, seed=0)
    assert drawn.targets.tolist() == [1, 2]
    np.testing.assert_allclose(drawn.histories.toarray(), np.array([[3, 0, 0], [1, 2, 0]]) / 3, rtol=1e-6)


def test_one_user_with_one_visit_gives_no_pairs() -> None:
    events = pd.DataFrame([(0, 0, 0), (0, 0, 1)], columns=[c.USER, c.VISIT, c.ITEM])
    assert len(pairs(events, 2, 1.0, 0).targets) == 0


def planted_pairs(groups: int, size: int) -> pd.DataFrame:
    """Users meet the items of one group, one a visit."""
    rows = [
        (user, visit, (user % groups) * size + (user + visit) % size) for user in range(60) for visit in range(size)
    ]
    return pd.DataFrame(rows, columns=[c.USER, c.VISIT, c.ITEM])


@pytest.fixture
def vectors() -> Floats:
    return random_units(12, 16, 3)  # what the texts say has nothing to do with the groups


def test_training_finds_groups_that_the_texts_do_not_show(vectors: Floats) -> None:
    drawn = pairs(planted_pairs(3, 4), 12, 5.0, 0)
    same = np.repeat(np.arange(3), 4)[:, None] == np.repeat(np.arange(3), 4)

    def quality(weight: Floats) -> float:
        projected = unit(vectors @ weight)
        near = projected @ projected.T
        return float(near[same].mean() - near[~same].mean())

    config = ProjectionConfig(embedding_size=16, epochs=60, batch_size=32, learning_rate=1e-2, patience=60)
    trained = fit(vectors, drawn, quality, config, seed=0)
    assert quality(trained) > quality(principal(vectors, 16)) + 0.3
    np.testing.assert_array_equal(trained, fit(vectors, drawn, quality, config, seed=0))


def test_the_untrained_start_is_kept_when_training_does_not_help(vectors: Floats) -> None:
    drawn = pairs(planted_pairs(3, 4), 12, 5.0, 0)
    start = principal(vectors, 8)
    kept = fit(
        vectors, drawn, lambda weight: -float(np.abs(weight - start).sum()), ProjectionConfig(embedding_size=8), 0
    )
    np.testing.assert_array_equal(kept, start)


def test_the_module_gives_cosines(vectors: Floats) -> None:
    items = torch.from_numpy(vectors)
    cosines = Projection(np.eye(16, dtype=np.float32))(items[:3] * 5, items).detach().numpy()
    np.testing.assert_allclose(cosines, vectors[:3] @ vectors.T, atol=1e-6)


def test_adam_moves_as_torchs_own() -> None:
    start = torch.from_numpy(random_units(6, 4, 0))
    gradients = torch.from_numpy(random_units(60, 4, 1).reshape(10, 6, 4))
    own, other = (torch.nn.Parameter(start.clone()) for _ in range(2))
    adam, reference = Adam(own, 0.01), torch.optim.Adam([other], lr=0.01)
    for gradient in gradients:
        adam.step(gradient)
        other.grad = gradient
        reference.step()
    np.testing.assert_allclose(own.detach().numpy(), other.detach().numpy(), rtol=1e-5, atol=1e-6)
    assert np.abs(own.detach().numpy() - start.numpy()).max() > 0.01
