"""`pulumi preview --stack CUSTOMER`, by hand; docs/growing.md says what has to be there first."""

from program import program

import pulumi
from orchestrator import settings
from orchestrator.errors import AmcError

try:
    program(pulumi.get_stack(), settings.read().inventories)
except AmcError as error:
    raise pulumi.RunError(str(error)) from None  # in its words, without a traceback
