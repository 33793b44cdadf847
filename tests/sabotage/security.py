"""Who may do what."""

from tests.sabotage.sabotage import Sabotage

SECURITY, KEYS = "src/app/chassis/security", "src/app/chassis/security/api_keys"

SABOTAGES = [
    Sabotage(
        "security.authn",
        "the token's audience is not checked",
        f"{SECURITY}/oidc.py",
        'aud={"essential": True, "value": settings.oidc_audience},',
        "",
    ),
    Sabotage(
        "security.authn",
        "the token's issuer is not checked",
        f"{SECURITY}/oidc.py",
        'iss={"essential": True, "value": settings.oidc_issuer},',
        "",
    ),
    Sabotage(
        "security.authn",
        "tokens never expire",
        f"{SECURITY}/oidc.py",
        "LEEWAY_SECONDS = 30",
        "LEEWAY_SECONDS = 10**12",
    ),
    Sabotage(
        "security.authn",
        "tokens without a signature are taken",
        f"{SECURITY}/oidc.py",
        'ALGORITHMS = ("RS256",',
        'ALGORITHMS = ("none", "RS256",',
    ),
    Sabotage(
        "security.authn",
        "revoked keys go on working",
        f"{KEYS}/verifier.py",
        ", ApiKey.revoked_at.is_(None)",
        "",
        service="api keys",
    ),
    Sabotage(
        "security.authn",
        "keys are stored as they are",
        f"{KEYS}/keys.py",
        "return hashlib.sha256(key.encode()).digest()",
        "return key.encode()",
        service="api keys",
    ),
    Sabotage(
        "security.authn",
        "the prefix of a key is enough",
        f"{KEYS}/verifier.py",
        " or not hmac.compare_digest(found.digest, keys.digest(key))",
        "",
        service="api keys",
    ),
    Sabotage(
        "security.authz",
        "the owner is not asked for",
        "src/app/orders/service.py",
        "_WITH_LINES.where(Order.owner == owner)",
        "_WITH_LINES",
        "tests/orders/test_ownership.py",
    ),
    Sabotage(
        "security.authz",
        "a route forgets to say who may call it",
        "src/app/orders/api.py",
        "    caller: Reader, order_id: UUID, session: Session, cache: SharedCache, response: Response\n",
        "    order_id: UUID, session: Session, cache: SharedCache, response: Response, caller: Caller\n",
        "tests/chassis/test_permissions.py",
    ),
    Sabotage(
        "security.authz",
        "any caller may do anything",
        f"{SECURITY}/permissions.py",
        "if not caller.may(permission):",
        "if caller is None:",
    ),
    Sabotage(
        "security.authz",
        "it starts with routes that say nothing",
        f"{SECURITY}/permissions.py",
        "if authentication.REQUIRED and",
        "if not authentication.REQUIRED and",
        "tests/chassis/test_permissions.py",
    ),
    Sabotage(
        "security.sql",
        "a statement is put together from strings",
        "src/app/orders/service.py",
        "    session.add(order)\n    await session.flush()\n",
        "    session.add(order)\n    await session.flush()\n"
        "    connection = await session.connection()\n"
        "    await connection.exec_driver_sql(f\"SET LOCAL app.owner = '{owner}'\")\n",
    ),
    Sabotage(
        "security.sql",
        "the rule is switched off for the whole service",
        "pyproject.toml",
        '"RSE", "RUF", "S", "SIM"',
        '"RSE", "RUF", "SIM"',
    ),
    Sabotage(
        "security.audit-trail",
        "cancelling is no longer written down",
        "src/app/orders/service.py",
        '        trail.record(session, order.owner, "order cancelled", f"order/{order.id}")\n',
        "",
        "tests/orders/test_audit_trail.py",
    ),
    Sabotage(
        "security.audit-trail",
        "the trail can be changed",
        "migrations/chassis/audit_trail_retention.py",
        "BEFORE UPDATE OR TRUNCATE",
        "BEFORE TRUNCATE",
        "tests/chassis/test_audit_trail.py",
    ),
    Sabotage(
        "security.secrets",
        "a key is left in the code",
        "src/app/orders/export.py",
        "",
        '"""Exports orders."""\n\nKEY_ID = "AKIA'
        + 'Z7QXK3PLM5RTWUVB"\nACCESS_KEY = "wJa9kq2LmTz+Vb7H'
        + 'cXyRfP0sNdGeUi4oQ1tZxW3B"\n',
        "tests/test_supply_chain.py",
    ),
    Sabotage(
        "security.secrets",
        "only the newest commit is searched",
        ".github/workflows/security.yml",
        "fetch-depth: 0",
        "fetch-depth: 1",
        "tests/test_supply_chain.py",
    ),
    Sabotage(
        "security.secrets",
        "passwords are sent to the server as they are, which logs statements",
        "src/app/chassis/data/roles.py",
        "                    _verifier(password),\n",
        "                    password,\n",
        "tests/chassis/test_roles.py",
    ),
]
