"""As broken_rules.py, for what a contract says of time: recurrences, holidays and freezes."""

VALID = """\
amc_contract:
  customer: acme
  customer_name: Acme Trading LLC
  number: AMC-2026-0001
  version: 1
  mode: comprehensive
  time_zone: Asia/Dubai
  term:
    start: 2026-01-01
  maintenance_windows:
    - days: [friday, saturday]
      start: "22:00"
      end: "04:00"
  activities:
    patch:
      recurrence:
        rule: FREQ=MONTHLY;BYDAY=2SA
        at: "22:30"
        from: 2026-01-05
        exceptions: [2026-12-12]
        lasts_minutes: 90
  holidays:
    country: DE
    subdivision: BW
    dates: [2026-12-24]
  freezes:
    - from: 2026-12-18
      until: 2027-01-06
      why: stocktaking
  emergency:
    allowed: true
"""

RULE = "FREQ=MONTHLY;BYDAY=2SA"

# name: (old text, new text, line of the fault, words of its message, words of its mend)
RULES = {
    "a recurrence's keys are known": ("rule: F", "rul: F", 17, "unknown key `rul`", "did you mean `rule`?"),
    "a rule is a text": (f"rule: {RULE}", "rule: 7", 17, "rule must be a text, not 7", "RRULE"),
    "a rule has parts": (RULE, "monthly", 17, "'monthly' in the rule is no NAME=VALUE", "FREQ=MONTHLY"),
    "a rule is no whole property": (RULE, "RRULE:FREQ=DAILY", 17, "unknown part 'RRULE:FREQ'", "FREQ"),
    "a part is known": ("BYDAY", "BYDAYS", 17, "unknown part 'BYDAYS'", "did you mean `BYDAY`?"),
    "a part stands once": ("=2SA", "=2SA;BYDAY=3SA", 17, "BYDAY stands in the rule twice", "keep one"),
    "a rule begins with FREQ": (RULE, "BYDAY=SA;FREQ=WEEKLY", 17, "does not begin with FREQ", "FREQ=MONTHLY"),
    "a frequency is known": ("MONTHLY", "MONTLY", 17, "FREQ is 'MONTLY'", "did you mean `MONTHLY`?"),
    "no rule comes round within a day": (RULE, "FREQ=HOURLY", 17, "FREQ is 'HOURLY'", "DAILY"),
    "an emergency rule is yes or no": ("allowed: true", "allowed: sometimes", 31, "boolean", "allowed: true"),
    "a resize is approved": ("  patch:", "  resize:", 17, "resize never comes round", "remove the rule"),
    "the hour is not in the rule": (RULE, "FREQ=DAILY;BYHOUR=2", 17, "BYHOUR has no place", "at:"),
    "an interval is a number": (RULE, "FREQ=DAILY;INTERVAL=0", 17, "INTERVAL is '0'", "INTERVAL=2"),
    "a count is a number": (RULE, "FREQ=DAILY;COUNT=many", 17, "COUNT is 'many'", "COUNT=2"),
    "UNTIL is a day": (RULE, "FREQ=DAILY;UNTIL=20260230", 17, "UNTIL is '20260230'", "YYYYMMDD"),
    "UNTIL has no hour": (RULE, "FREQ=DAILY;UNTIL=20260201T000000Z", 17, "UNTIL is", "YYYYMMDD"),
    "a week starts on a day": (RULE, "FREQ=WEEKLY;WKST=XX", 17, "WKST is 'XX'", "MO"),
    "a weekday is one": ("2SA", "2SX", 17, "BYDAY has '2SX'", "MO"),
    "weekdays are counted in months": (RULE, "FREQ=WEEKLY;BYDAY=2SA", 17, "counts weekdays", "FREQ=MONTHLY"),
    "a month is one": (RULE, "FREQ=YEARLY;BYMONTH=13", 17, "BYMONTH has '13'", "1 to 12"),
    "a day of a month is one": (RULE, "FREQ=MONTHLY;BYMONTHDAY=-32", 17, "BYMONTHDAY has '-32'", "-31"),
    "weeks are counted in years": (RULE, "FREQ=MONTHLY;BYWEEKNO=2", 17, "BYWEEKNO means nothing", "YEARLY"),
    "a rule ends once": (RULE, "FREQ=DAILY;COUNT=2;UNTIL=20260301", 17, "both end the rule", "keep one"),
    "a choice is among something": (RULE, "FREQ=MONTHLY;BYSETPOS=1", 17, "BYSETPOS chooses", "BYDAY"),
    "the day exists": (
        RULE,
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        17,
        "no month of BYMONTH has a day 30",
        "1 to 29",
    ),
    "a rule names a day": (
        RULE,
        "FREQ=MONTHLY;INTERVAL=12;BYMONTH=3",
        17,
        "names no day within 10 years",
        "INTERVAL",
    ),
    "a rule is needed where none is by default": (
        f"    patch:\n      recurrence:\n        rule: {RULE}\n",
        "    update:\n      recurrence:\n",
        16,
        "update has no rule by default",
        "add a rule",
    ),
    "never has no hour": (RULE, "never", 16, "patch never comes round", "remove them"),
    "the hour is quoted": ('"22:30"', "22:30", 18, "reads 22:30 without quotes", 'write "22:30"'),
    "the hour is one": ('"22:30"', '"24:00"', 18, "recurrence.at is '24:00'", "on the contract's clock"),
    "the first day is one": ("2026-01-05", "soon", 19, "recurrence.from must be a date", "YYYY-MM-DD"),
    "an exception is a day of the rule": (
        "2026-12-12",
        "2026-12-13",
        20,
        "2026-12-13 is no day of the rule",
        "2026-12-12 and 2027-01-09",
    ),
    "an exception is given once": ("[2026-12-12]", "[2026-12-12, 2026-12-12]", 20, "already", "keep one"),
    "a run takes a while": ("lasts_minutes: 90", "lasts_minutes: 0", 21, "greater than", "lasts_minutes: 90"),
    "a country is a code": ("country: DE", "country: Germany", 23, "country is 'Germany'", "two letters"),
    "a country is known": ("country: DE", "country: XX", 23, "no holidays are known", "a code such as DE"),
    "a part of a country is known": ("BW", "BX", 24, "DE has no subdivision 'BX'", "known: BB, BE, BW"),
    "a part needs its country": ("    country: DE\n", "", 23, "a subdivision without its country", "country"),
    "a holiday is given once": ("[2026-12-24]", "[2026-12-24, 2026-12-24]", 25, "already", "keep one"),
    "a holiday is a date": ("[2026-12-24]", "[christmas]", 25, "must be a date", "the customer's own"),
    "a freeze has an end": ("      until: 2027-01-06\n", "", 27, "until is missing", "the last day"),
    "a freeze has a beginning": ("from: 2026-12-18", "form: 2026-12-18", 27, "from is missing", "first day"),
    "a freeze ends after it begins": ("2027-01-06", "2026-01-06", 28, "before it begins", "from 2026-12-18"),
    "a freeze says why": ("stocktaking", '""', 29, "freezes[0].why is empty", "words for the schedule"),
}
