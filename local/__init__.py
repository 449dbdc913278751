"""Starts and stops everything the demo needs on one machine: PostgreSQL, the demo systems, Airflow and Superset."""
