"""The program's version: one place, which every room may ask."""

__version__ = "0.1.0"
