"""The engine's values as Python's, and back."""

from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import Struct

UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def plain(message: Struct) -> dict:
    """Whole floats become ints, as boto3 insists; what is None is not said."""
    return _plain(MessageToDict(message))


def _plain(value):
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None and key != "__defaults"}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def struct(values: dict) -> Struct:
    """For the engine."""
    made = Struct()
    made.update(values)
    return made
