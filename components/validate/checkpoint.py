"""Great Expectations 1.x: run suites on whole tables in memory and write their Data Docs."""

import os
from pathlib import Path
from typing import Any

import pandas as pd

from components.common.errors import ConfigError
from components.validate.suites import Expectation

SITE = "site"


class Checks:
    """One ephemeral Great Expectations context, its suites and its Data Docs."""

    def __init__(self, docs: Path) -> None:
        os.environ["GX_ANALYTICS_ENABLED"] = "false"  # read when the package is imported
        import great_expectations as gx

        self.docs = docs
        context: Any = gx.get_context(mode="ephemeral")
        self.context = context
        self.context.variables.progress_bars = {"globally": False}
        for name in list(self.context.get_site_names()):
            self.context.delete_data_docs_site(name)
        self.context.add_data_docs_site(SITE, _site(docs))
        self.source = self.context.data_sources.add_pandas("tables")

    def run(self, table: str, frame: pd.DataFrame, expectations: list[Expectation]) -> dict[str, Any]:
        """Evaluate every expectation on all rows of *frame*.

        Returns:
            The suite's validation result as JSON; `gate.passed` judges it.

        Raises:
            ConfigError: an expectation of the suite is malformed.
        """
        import great_expectations as gx

        suite = self.context.suites.add(self._suite(table, expectations))
        batch = self.source.add_dataframe_asset(table).add_batch_definition_whole_dataframe("all rows")
        definition = self.context.validation_definitions.add(
            gx.ValidationDefinition(name=table, data=batch, suite=suite)
        )
        checkpoint = gx.Checkpoint(
            name=table, validation_definitions=[definition], result_format={"result_format": "SUMMARY"}
        )
        run = self.context.checkpoints.add(checkpoint).run(batch_parameters={"dataframe": frame})
        (result,) = run.run_results.values()
        outcome: dict[str, Any] = result.to_json_dict()
        return outcome

    def write_docs(self) -> None:
        """Write the Data Docs of all runs so far: `index.html` and one page per table."""
        self.docs.mkdir(parents=True, exist_ok=True)
        self.context.build_data_docs(site_names=[SITE])

    def _suite(self, table: str, expectations: list[Expectation]) -> Any:
        import great_expectations as gx
        from great_expectations.exceptions.exceptions import GreatExpectationsError
        from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

        suite = gx.ExpectationSuite(name=table)
        for each in expectations:
            try:
                suite.add_expectation_configuration(ExpectationConfiguration(**each))
            except (GreatExpectationsError, ValueError, TypeError) as error:
                raise ConfigError(
                    f"The suite {table}.json is malformed at {each.get('type')!r}: {error}. "
                    "Restore it from the repository."
                ) from error
        return suite


def _site(docs: Path) -> dict[str, Any]:
    return {
        "class_name": "SiteBuilder",
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder"},
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(docs.resolve())},
    }
