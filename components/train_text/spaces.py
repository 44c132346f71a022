"""What `cuvee tune` may try for each text member; half-lives and priors they choose themselves."""

from collections.abc import Mapping

from components.common.space import Choice, Range, Space

SPACES: Mapping[str, Space] = {
    "attributes": {
        "half_life": Range(low=0.5, high=50.0, log=True),
        "idf_power": Range(low=0.0, high=2.0),
        "history_reg": Range(low=0.01, high=30.0, log=True),
        "item_reg": Range(low=0.01, high=30.0, log=True),
        "item_popularity_power": Range(low=0.0, high=1.0),
        "prior_weight": Range(low=0.0, high=8.0),
    },
    "tfidf": {
        "least_items": Choice(options=(1, 2, 5, 10)),
        "count_power": Range(low=0.0, high=1.0),
    },
    "text": {
        "projection.embedding_size": Choice(options=(64, 128, 256)),
        "projection.learning_rate": Range(low=1e-4, high=1e-2, log=True),
        "projection.temperature": Range(low=0.02, high=0.3, log=True),
        "count_power": Range(low=0.0, high=1.0),
    },
}
