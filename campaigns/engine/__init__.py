"""The workflow engine: pure decisions, no Django, no clock, no chance. ``campaigns.runner`` does what it decides."""
