"""Images: Containerfiles, and what a built one holds."""
