"""What `cuvee tune` may try for the deep member: few names, since each trial is a training."""

from components.common.space import Choice, Range, Space

SPACE: Space = {
    "embedding_size": Choice(options=(32, 64, 128)),
    "learning_rate": Range(low=1e-4, high=5e-3, log=True),
    "forgetting": Range(low=0.01, high=1.0, log=True),
    "dropout": Range(low=0.0, high=0.5),
    "user_balance": Range(low=0.0, high=1.0),
}
