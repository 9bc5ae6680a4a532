"""The maintenance contract as code: who is covered, when work runs, what it cost."""
