"""The two users that this suite knows: Tryton's admin, and the one that the executable `check` logs in as."""

from books import company_id
from trytond.model import ModelSQL
from trytond.pool import Pool
from trytond.transaction import Transaction, inactive_records

CHECK_LOGIN = "mems_check"
CHECK_GROUP = "M EMS check"
# What `check` asks for. Its group may read these and nothing else, and change nothing.
READS = ("party.party", "sale.sale")


def converge(passwords: dict) -> list[str]:
    """Users, group, rights and passwords as wished."""
    changed: list[str] = []
    users = Pool().get("res.user")
    with inactive_records():
        (admin,) = users.search([("login", "=", "admin")])
        found = users.search([("login", "=", CHECK_LOGIN)])
    if not admin.company:
        users.write([admin], {"companies": [("add", [company_id()])], "company": company_id()})
        changed.append("user admin's company")
    group = _group(changed)
    if found:
        checker = found[0]
    else:
        changed.append(f"user {CHECK_LOGIN}")
        (checker,) = users.create([{"name": "M EMS service check", "login": CHECK_LOGIN}])
    rights = {"active": True, "groups": [group.id], "companies": [company_id()]}
    actual = {
        "active": checker.active,
        "groups": [g.id for g in checker.groups],
        "companies": [c.id for c in checker.companies],
    }
    if rights != actual:
        if found:
            changed.append(f"rights of user {CHECK_LOGIN}")
        users.write(
            [checker],
            {
                "active": True,
                "groups": [("remove", actual["groups"]), ("add", rights["groups"])],
                "companies": [("remove", actual["companies"]), ("add", rights["companies"])],
                "company": company_id(),
            },
        )
    for user, password in ((admin, passwords["admin"]), (checker, passwords["check"])):
        if not _has_password(user.id, password):
            changed.append(f"password of user {user.login}")
            users.write([user], {"password": password})
    return changed


def _group(changed: list[str]):
    groups = Pool().get("res.group")
    found = groups.search([("name", "=", CHECK_GROUP)])
    if found:
        group = found[0]
    else:
        changed.append(f"group {CHECK_GROUP}")
        (group,) = groups.create([{"name": CHECK_GROUP}])
    _rights(group, changed)
    return group


def _rights(group, changed: list[str]) -> None:
    """A rule for every model: where there is none, Tryton lets everybody do everything."""
    accesses = Pool().get("ir.model.access")
    known = {a.model.model: a for a in accesses.search([("group", "=", group.id)])}
    stored = [name for name, model in Pool().iterobject() if issubclass(model, ModelSQL)]
    ids = {m.model: m.id for m in Pool().get("ir.model").search([("model", "in", stored)])}
    missing, wrong = [], []
    for name in sorted(ids):
        rights = {
            "perm_read": name in READS,
            "perm_write": False,
            "perm_create": False,
            "perm_delete": False,
        }
        if name not in known:
            missing.append({"model": ids[name], "group": group.id, **rights})
        elif any(getattr(known[name], right) != value for right, value in rights.items()):
            wrong += [[known[name]], rights]
    if missing or wrong:
        changed.append(f"rights of group {CHECK_GROUP} on {len(missing) + len(wrong) // 2} models")
        accesses.create(missing)
        if wrong:
            accesses.write(*wrong)


def _has_password(user: int, password: str) -> bool:
    cursor = Transaction().connection.cursor()
    cursor.execute("SELECT password_hash FROM res_user WHERE id = %s", (user,))
    ((known,),) = cursor.fetchall()
    return bool(known) and bool(Pool().get("res.user").check_password(password, known)[0])
