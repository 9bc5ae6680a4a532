"""The contract's text as data: what it covers (C) and excludes (E), and the notes (N) of statements."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Clause:
    """One clause: its id is what refusals and statements name."""

    id: str
    text: str


COVERED = (
    Clause("C1", "Software updates and upgrades of the M EMS server."),
    Clause("C2", "Bug fixes and troubleshooting of the server and the application."),
    Clause("C3", "Performance monitoring and optimisation."),
    Clause("C4", "Security management with regular patches."),
    Clause("C5", "Automated data backup and recovery support."),
)

EXCLUDED = (
    Clause("E1", "Minor or major customisation and new modules are not covered."),
    Clause("E2", "Third-party integration is not covered."),
    Clause("E3", "Complex data migration or a system overhaul is not covered."),
    Clause("E4", "Extensive user training beyond basic guidance is not covered."),
    Clause("E5", "Cloud hosting charges are not covered."),
)

# Work inside the list above is still only owed while the contract runs.
TERM = Clause("T1", "Work is covered within the contract's term.")

NOTES = (
    Clause(
        "N1",
        "Security is managed on a best-effort basis, with no liability for hacking, defects and bugs in "
        "software or in third-party parts or plugins.",
    ),
    Clause("N2", "The server's specification may have to be raised when the load requires it."),
    Clause(
        "N3",
        "In retainer mode work is limited to the contract's hours within a calendar year; further hours are "
        "bought in advance, prepaid, before any service is given.",
    ),
    Clause("N4", "A comprehensive contract has no cap on hours; its effort is logged all the same."),
)

CLAUSES = {clause.id: clause for clause in (*COVERED, *EXCLUDED, TERM, *NOTES)}
