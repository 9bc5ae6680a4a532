"""Every minute: are the changes of an M EMS server received? Keeps protection.json true.

    watch.py --server NAME

Prints the state; exit 0 when protected. watch.json keeps when changes were last seen to come in.
"""

import argparse
import json
import sys

import pair as pairs
import protection


def main() -> int:
    """Look, write down, print."""
    words = argparse.ArgumentParser()
    words.add_argument("--server", required=True)
    asked = words.parse_args()
    pairs.as_barman()
    try:
        pair = pairs.read(asked.server)
    except pairs.Trouble as trouble:
        print(json.dumps({"state": "unprotected", "why": str(trouble)}))
        return 1
    slot, _ = protection.look(pair)
    if slot is not None and slot.streaming:
        pairs.write_json(pair.folder / "watch.json", {"seen": pairs.now()})
    state = protection.settle(pair, protection.judge(pair, slot))
    print(json.dumps(state))
    return 0 if state["state"] == "protected" else 1


if __name__ == "__main__":
    sys.exit(main())
