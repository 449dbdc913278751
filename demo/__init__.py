"""The demo company: a seeded, deterministic messaging-service agency with running source systems and planted truths.

Product code never imports this package.
"""
