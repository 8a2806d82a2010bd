"""Campaigns as code: canonical YAML files with stable ids, and a plan of what applying them would change.

One file is one thing: a topic, a layout, a template, a segment or a campaign (``kinds``). ``texts`` reads and writes
YAML so that the same thing always is the same bytes; ``applying`` compares files with what is there, refuses
what somebody else has changed meanwhile, and applies all or nothing.
"""
