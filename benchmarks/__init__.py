"""Measurements of speed and memory that anybody can repeat; see README.md."""
