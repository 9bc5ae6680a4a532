"""A valid contract, and every rule of contracts as a change that breaks it alone."""

VALID = """\
amc_contract:
  customer: acme
  customer_name: Acme Trading LLC
  number: AMC-2026-0001
  version: 1
  mode: retainer
  time_zone: Asia/Dubai
  term:
    start: 2026-01-01
    end: 2026-12-31
  hours:
    per_calendar_year: 60
    increment_minutes: 15
    minimum_minutes: 30
  maintenance_windows:
    - days: [friday, saturday]
      start: "22:00"
      end: "04:00"
  activities:
    patch:
      minutes: 45
  backup:
    retention_days: 30
  hardening:
    exceptions:
      - rule: cron
        who: R. Weber, head of IT
        why: the night jobs have not moved yet
        until: 2026-12-30
  growth:
    usd_per_month_cap: 250
"""

# name: (old text, new text, line of the fault, words of its message, words of its mend)
RULES = {
    "a key is missing": ("  number: AMC-2026-0001\n", "", 1, "number is missing", "number: AMC-2026-0001"),
    "a key is unknown": (
        "customer_name:",
        "customer_nam:",
        3,
        "unknown key `customer_nam`",
        "`customer_name`",
    ),
    "an activity is unknown": ("patch:", "ptach:", 20, "unknown activity `ptach`", "did you mean `patch`?"),
    "a key stands twice": ("  version: 1\n", "  version: 1\n  version: 2\n", 6, "second time", "keep one"),
    "the number is a text": ("AMC-2026-0001", "20260001", 4, "number must be a text, not 20260001", "a text"),
    "the version is whole": ("version: 1", "version: 1.5", 5, "version must be a whole number", "version: 1"),
    "the version counts from 1": ("version: 1", "version: 0", 5, "greater than or equal to 1", "version: 1"),
    "no name is empty": ("Acme Trading LLC", '""', 3, "customer_name is empty", "Acme Trading LLC"),
    "the customer is a folder's name": (
        "customer: acme",
        "customer: ACME",
        2,
        "customer is 'ACME'",
        "lower-case",
    ),
    "the mode is known": ("mode: retainer", "mode: retainr", 6, "mode is 'retainr'", "`retainer`?"),
    "the time zone exists": ("Asia/Dubai", "Asia/Dubay", 7, "no time zone 'Asia/Dubay'", "`Asia/Dubai`?"),
    "the time zone is not the machine's": ("Asia/Dubai", "localtime", 7, "no time zone 'localtime'", "IANA"),
    "the time zone is no path": ("Asia/Dubai", "/etc/localtime", 7, "no time zone", "IANA"),
    "a time zone is no folder of zones": ("Asia/Dubai", "Europe", 7, "no time zone 'Europe'", "IANA"),
    "a date exists": ("2026-01-01", "2026-02-30", 9, "'2026-02-30' is no valid value", "correct it"),
    "a date is a date": (
        "start: 2026-01-01",
        "start: soon",
        9,
        "term.start must be a date, not 'soon'",
        "YYYY",
    ),
    "the end is not before the start": (
        "2026-12-31",
        "2025-12-31",
        10,
        "before it starts",
        "from 2026-01-01",
    ),
    "a retainer has hours": ("    per_calendar_year: 60\n", "", 11, "a retainer contract needs", "60"),
    "no cap in a comprehensive one": ("mode: retainer", "mode: comprehensive", 12, "has no cap", "remove"),
    "a year's hours are positive": ("year: 60", "year: 0", 12, "greater than or equal to 1", "60"),
    "the increment divides the hour": (
        "increment_minutes: 15",
        "increment_minutes: 7",
        13,
        "is 7",
        "whole part",
    ),
    "the increment is not 0": ("increment_minutes: 15", "increment_minutes: 0", 13, "is 0", "whole part"),
    "the minimum is whole increments": (
        "minimum_minutes: 30",
        "minimum_minutes: 20",
        14,
        "multiple",
        "15 or 30",
    ),
    "minutes are not quoted": ("minutes: 30", 'minutes: "30"', 14, "must be a whole number, not '30'", "15"),
    "a day is a day": ("saturday]", "saturdy]", 16, "days[1] is 'saturdy'", "did you mean `saturday`?"),
    "days are a list": ("[friday, saturday]", "friday", 16, "days must be a list", "[friday, saturday]"),
    "there is a day": ("[friday, saturday]", "[]", 16, "days is empty", "[friday, saturday]"),
    "each day once": ("[friday, saturday]", "[friday, friday]", 16, "friday is named more", "once"),
    "a time is quoted": ('"22:00"', "22:00", 17, "reads 22:00 without quotes as the number 1320", '"22:00"'),
    "a time is HH:MM": ('"22:00"', '"22.00"', 17, "start is '22.00'", '"22:00"'),
    "a start is before midnight": ('"22:00"', '"24:00"', 17, "start is '24:00'", '"23:59"'),
    "an end is at most midnight": ('"04:00"', '"24:01"', 18, "end is '24:01'", '"24:00"'),
    "a window is not empty": ('"04:00"', '"22:00"', 18, "starts and ends at 22:00", "whole day"),
    "an anchor has no place": ('"04:00"', "*later", 18, "no anchors and aliases", "where it is meant"),
    "a tag has no place": ('"04:00"', "!vault x", 18, "values of the kind `!vault`", "plainly"),
    "an activity's keys are known": ("minutes: 45", "minuts: 45", 21, "unknown key `minuts`", "`minutes`?"),
    "logged only has no minutes": ("patch:", "backup:", 21, "backup is only logged", "charge: fixed"),
    "fixed needs minutes": ("patch:\n      minutes: 45", "drill: {charge: fixed}", 20, "needs minutes", "30"),
    "clock needs minutes": ("patch:\n      minutes: 45", "drill: {charge: clock}", 20, "needs minutes", "30"),
    "a charge is known": ("minutes: 45", "charge: foxed", 21, "charge is 'foxed'", "did you mean `fixed`?"),
    "a clause covers": ("minutes: 45", "clause: E1", 21, "clause is 'E1'", "C"),
    "a backup's keys are known": (
        "retention_days",
        "retentiondays",
        23,
        "unknown key `retentiondays`",
        "`retention_days`?",
    ),
    "backups are kept a day at least": ("retention_days: 30", "retention_days: 0", 23, "greater than", "14"),
    "a proof has an age": (
        "retention_days: 30",
        "proven_within_days: 400",
        23,
        "less than",
        "drill has proven",
    ),
    "an aim is a whole number": (
        "retention_days: 30",
        "rpo_seconds: 0.5",
        23,
        "whole number",
        "rpo_seconds: 60",
    ),
    "an aim is not a duration": (
        "retention_days: 30",
        "rto_minutes: 1h",
        23,
        "whole number",
        "rto_minutes: 60",
    ),
    "hardening is known": ("rule: cron", "rule: crn", 26, "rule is 'crn'", "did you mean `cron`?"),
    "an exception has a day": (
        "        until: 2026-12-30\n",
        "",
        26,
        "exceptions[0].until is missing",
        "the last day",
    ),
    "the day exists": ("2026-12-30", "2026-02-30", 29, "no valid value", "correct it"),
    "somebody wants it": ("R. Weber, head of IT", '" "', 27, "exceptions[0].who is ' '", "who wants it"),
    "an exception says why": (
        "        why: the night jobs have not moved yet\n",
        "",
        26,
        "why is missing",
        "why, in words",
    ),
    "an exception's keys are known": (
        "        why:",
        "        reason:",
        28,
        "unknown key `reason`",
        "rule, who, why, until",
    ),
    "exceptions are a list": (
        "      - rule: cron",
        "        rule: cron",
        25,
        "exceptions must be a list",
        "rule: services",
    ),
    "a cap is an amount": ("cap: 250", "cap: 250 USD", 31, "growth.usd_per_month_cap", "US dollars"),
    "a cap is not negative": ("cap: 250", "cap: -1", 31, "greater than or equal to 0", "US dollars"),
    "growth's keys are known": (
        "usd_per_month_cap",
        "usd_per_month",
        31,
        "unknown key `usd_per_month`",
        "`usd_per_month_cap`?",
    ),
    "a file is one key": (
        "amc_contract:",
        "amc_contracts:",
        1,
        "unknown key `amc_contracts`",
        "`amc_contract`?",
    ),
    "brackets are closed": ("[friday, saturday]", "[friday, saturday", 17, "no YAML", "brackets"),
}
