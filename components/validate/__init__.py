"""Great Expectations at the gate: what a table may hold, as data, and the reports about it."""
