"""Who may, and why: the table of rights, and how the house knows who somebody is."""
