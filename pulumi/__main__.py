"""`pulumi preview --stack CUSTOMER`, by hand; docs/growing.md says what has to be there first."""

import sys

from program import program

import pulumi
from orchestrator import settings
from orchestrator.errors import AmcError

try:
    program(pulumi.get_stack(), settings.read().inventories)
except AmcError as error:
    pulumi.log.error(str(error))
    sys.exit(error.exit_code)
