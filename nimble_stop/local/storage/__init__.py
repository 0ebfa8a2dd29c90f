"""The sessions in SQLite."""
