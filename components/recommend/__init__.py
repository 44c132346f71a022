"""The k best for every user, by the engine that serves, as Parquet."""
