"""A pull request's difference between two commits, as orders: planned before the merge, ordered after it.

history      git, behind this one module: commits, exported folders, kept trees
intent       what one commit says of a customer
differences  what differs between two of them                    pure
meaning      which activities a difference means                 pure
estimate     what these cost, and what is left after each        pure
proposal     the whole of it for one customer, with its digest
kept         what was planned and what was ordered, as files
ordering     after the merge: exactly what was planned, once
drift        where servers differ from the merged inventory
text         a proposal as Markdown                              pure
"""
