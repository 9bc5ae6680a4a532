"""What is asked and answered over HTTP. Nothing unknown is taken; hours are in seconds."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic.fields import FieldInfo

from orchestrator.contracts.activities import ActivityName
from orchestrator.runs import hand

# Printable: it stands in logs and on statements.
Words = Annotated[str, StringConstraints(min_length=1, max_length=500, pattern=r"^[ -~\u00a0-\u02af]+$")]
Said = Annotated[str, StringConstraints(max_length=2000)]
Customer = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,30}$")]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$")]
Key = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
RunId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,199}$")]
ReportName = Annotated[str, StringConstraints(pattern=rf"^{hand.NAME.pattern}$")]
OptionName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,40}$")]


def _whole(value: object) -> object:
    """In JSON 2.0 is an integer, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def at_most(length: int) -> FieldInfo:
    """Of a mapping: so many entries, and none under another name."""
    found: FieldInfo = Field(max_length=length, json_schema_extra={"additionalProperties": False})
    return found


Count = Annotated[int, Field(ge=0, le=1_000_000), BeforeValidator(_whole)]


class Body(BaseModel):
    """A request's or an answer's."""

    model_config = ConfigDict(extra="forbid", strict=True)


class Asked(Body):
    """Work that somebody is about to do by hand. The same `key` again is the same run."""

    customer: Customer
    activity: ActivityName
    servers: Annotated[list[Name], Field(min_length=1, max_length=100)]
    key: Key
    host: Words
    urgent: Words | None = None
    options: Annotated[dict[OptionName, Words], at_most(10)] = {}


class LetIn(Body):
    """A run that may begin; it is to beat every `beat_seconds`, and is settled after `silent_seconds`."""

    run: str
    words: str
    beat_seconds: int = hand.BEAT_SECONDS
    silent_seconds: int = hand.SILENT_SECONDS


class Counts(Body):
    """What Ansible counted on one server."""

    ok: Count = 0
    changed: Count = 0
    failures: Count = 0
    unreachable: Count = 0


class Ended(Body):
    """How ansible-playbook ended, and what the servers report: server -> activity -> its report."""

    status: Literal["successful", "failed"]
    words: Said = ""
    servers: Annotated[dict[Name, Counts], at_most(200)] = {}
    reports: Annotated[
        dict[Name, Annotated[dict[ReportName, dict[str, Any]], at_most(20)]], at_most(200)
    ] = {}


class Standing(Body):
    """A run as it stands; `stop`: somebody wants its end, and why."""

    run: str
    state: str
    words: str
    stop: dict[str, str] | None = None
    charged_seconds: int | None = None


class Balance(Body):
    """The calendar year's hours, in seconds; `available` is null where nothing is capped."""

    customer: str
    contract: str
    year: int
    available_seconds: int | None
    held_seconds: int
    used_seconds: int


class Health(Body):
    """The database answers."""

    status: Literal["ok"]


class Refusal(BaseModel):
    """RFC 9457, see problems.py."""

    type: str
    title: str
    status: int
    detail: str
    mend: str
    exit_code: int
