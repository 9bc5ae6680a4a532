"""One database for the whole orchestrator: SQLite by default, PostgreSQL by URL.

`metadata` is the one list of tables; each room adds its own in its `tables.py`. `engine.connect` opens a
database that is ready, `creation.initialise` (`amc init`) makes it so.
"""
