"""`amc serve`: work by hand from other machines, over HTTP. docs/by-hand.md, docs/decisions/http.md."""
