"""One study, one person: the list of what to read, the session, the report, and how a study is hung."""
