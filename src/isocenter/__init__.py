"""Isocenter: from the scanner to a signed report, and from signed reports back to better models. Research software."""

__version__ = "0.1.0"
