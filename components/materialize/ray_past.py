"""Feast's past on Ray: each worker asks DuckDB for its share of the rows; a feature_store.yaml chooses it.

Feast 0.67 brings a store of its own for Ray, which is not used: it gives a list of one item as that item, and of large
sources the last hour alone (docs/decisions/0021, tests/cluster/test_ray.py).
"""

from itertools import pairwise
from typing import Any

import ibis
import numpy as np
import pandas as pd
import pyarrow as pa
from feast import FeatureView, RepoConfig
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore, DuckDBOfflineStoreConfig
from feast.infra.offline_stores.ibis import IbisRetrievalJob
from feast.infra.offline_stores.offline_store import RetrievalJob
from feast.infra.registry.base_registry import BaseRegistry
from feast.on_demand_feature_view import OnDemandFeatureView
from pydantic import Field

from components.common.errors import CuveeError
from components.common.local_ray import connected, reason

MOST_ROWS = 50_000  # of one share


class RayOfflineStoreConfig(DuckDBOfflineStoreConfig):
    """What feature_store.yaml may say; Feast finds the class by the store's name."""

    type: str = f"{__name__}.RayOfflineStore"
    workers: int = Field(default=2, ge=1, description="shares at least; of a Ray of this machine also its workers")


class RayOfflineStore(DuckDBOfflineStore):
    """DuckDB's offline store, whose point-in-time join is done in shares by Ray's workers."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
    ) -> RetrievalJob:
        """As DuckDB's, row for row, in any order. A share whose worker dies is done again.

        Raises:
            ConfigError: Ray is not installed.
            CuveeError: a share cannot be answered, whoever tries.
        """
        code = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        if code or not isinstance(entity_df, pd.DataFrame):
            raise CuveeError("features on Ray: expected rows in a table and no on-demand view. Use DuckDB's store.")
        workers: int = config.offline_store.workers
        ray = connected(workers)
        ask, plain = ray.remote(share_of_the_past), _plain(config)
        named = (project, full_feature_names, filter_by_created_timestamp)
        asked = [ask.remote(plain, feature_views, feature_refs, rows, *named) for rows in _shares(entity_df, workers)]
        try:
            answers = ray.get(asked)
        except ray.exceptions.RayError as error:
            raise CuveeError(f"features on Ray: a worker gave up: {reason(error)}") from error
        return _job(pa.concat_tables(answers), config, full_feature_names)


def share_of_the_past(
    config: RepoConfig,
    feature_views: list[FeatureView],
    feature_refs: list[str],
    entity_df: pd.DataFrame,
    project: str,
    full_feature_names: bool,
    filter_by_created_timestamp: bool,
) -> pa.Table:
    """The point-in-time rows of *entity_df* by DuckDB, in a worker."""
    registry: Any = _NoCode()
    named = (project, full_feature_names, filter_by_created_timestamp)
    job = DuckDBOfflineStore.get_historical_features(config, feature_views, feature_refs, entity_df, registry, *named)
    return job.to_arrow()


class _NoCode:
    """All that DuckDB's join asks of a registry: on-demand views, of which there are none."""

    def list_on_demand_feature_views(self, *_: Any, **__: Any) -> list[OnDemandFeatureView]:
        return []


def _plain(config: RepoConfig) -> RepoConfig:
    """What a worker needs of *config*: no address and no secret of registry or online store."""
    return RepoConfig(
        project=config.project,
        provider="local",
        registry="not-read",
        offline_store={"type": "duckdb"},
        entity_key_serialization_version=config.entity_key_serialization_version,
        repo_path=config.repo_path,
    )


def _shares(rows: pd.DataFrame, workers: int) -> list[pd.DataFrame]:
    """*rows* in shares of about the same size, one for each worker at least where there are so many rows."""
    count = max(min(workers, len(rows)), -(-len(rows) // MOST_ROWS), 1)
    edges = np.linspace(0, len(rows), count + 1).astype(int)
    return [rows.iloc[first:last] for first, last in pairwise(edges)]


def _job(answer: pa.Table, config: RepoConfig, full_feature_names: bool) -> RetrievalJob:
    return IbisRetrievalJob(
        table=ibis.memtable(answer),
        on_demand_feature_views=[],
        full_feature_names=full_feature_names,
        metadata=None,
        data_source_writer=None,
        staging_location=None,
        staging_location_endpoint_override=None,
        repo_path=str(config.repo_path),
    )
