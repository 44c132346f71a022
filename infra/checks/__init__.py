"""`make check-infra`: every manifest held to real schemas, to the restricted profile, to its flows and metrics."""
