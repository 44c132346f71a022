"""The batch pipeline: the k best for every user the store knows, as Parquet.

1. states     Feast's offline store, DuckDB or Ray, says what was known of every user at one moment
2. recommend  the release that is served answers for all of them: in the step, or on the workers of Ray
"""

from kfp import dsl

from components.materialize.component import states_of_everyone
from components.recommend.component import recommend


@dsl.pipeline(name="batch-recommend", description="Write the best items for every user of a store.")
def batch_recommend(store: str = "store", k: int = 10, as_of: str = "release", workers: int = 0) -> None:
    """Recommend to everyone.

    Args:
        store: where a run was published.
        k: items of a user.
        as_of: `release` (its last event), `now`, or an ISO time.
        workers: of Ray; 0: in the step itself.
    """
    states = states_of_everyone(store=store, as_of=as_of).outputs["states"]
    recommend(store=store, states=states, k=k, workers=workers)
