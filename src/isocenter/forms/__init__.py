"""A result and its shapes: one file for each form in which others read it. The one door to highdicom.

Each form is a function of results; no analysis knows any of them. Where a standard defines the form, what is written
can be read back: `seg`, `sr`, `parametric_map`, `encapsulate`, `maps`.
"""
