"""What can go wrong in the lab.

LabError            something failed: the words say what, `mend` what to do about it
└── MachineLacks    this machine cannot carry a lab as it is (root, namespaces, packages, disk)
"""


class LabError(Exception):
    """A failure in words."""

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.mend = mend


class MachineLacks(LabError):
    """The machine lacks something that a lab needs."""
