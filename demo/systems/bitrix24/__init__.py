"""The demo company's Bitrix24: its state in one SQLite file, and the REST server that shows it."""
