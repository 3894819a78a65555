"""Many studies: a question to the archive, who that is, and what was measured of them."""
