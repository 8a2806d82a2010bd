"""The admin of people and events: one file per page."""
