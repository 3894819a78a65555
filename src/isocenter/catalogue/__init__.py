"""The analyses that ship, a file each; nothing lists them."""

WIDEST = "image_quality"
"""The one that fits most images: where any that fits will do, it is asked first, and no other need be loaded."""
