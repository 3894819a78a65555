"""What a site can do, put together from the trades below: `verbs.Site` is the whole, each other file is one idea of it.

Only here may index, journal, policy and clock meet; doors and commands ask `Site` and nothing beside it.
"""
