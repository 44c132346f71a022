"""The server over HTTP, against KServe's own and under faults: `make bench-serving`."""
