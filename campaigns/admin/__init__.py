"""The marketer's console: one file per page."""
