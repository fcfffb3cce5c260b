"""Where a study lives: one SQLite file, or a PostgreSQL database. The only home of SQLAlchemy."""
