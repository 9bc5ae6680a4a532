"""Who is told of what: messages through channels, a ping that somebody misses, and figures.

Stands above runs/: whatever happened is read from the database, so no run waits for a channel, and none fails
with one. cli/worker.py hands `watch.beat` and `watch.leave` to the worker.
"""
