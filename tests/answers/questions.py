"""Answers that are refused, and good ones that are odd."""

# fmt: off
BAD: dict[str, list[str]] = {
    "name": [
        "", " ", "order intake", "Order-Intake", "order_intake", "1st-service", "-orders", "orders-", "order--intake",
        "bestellungen-für-alle", "注文", "а-cyrillic-letter", "orders.api", "../orders", "a/b", "orders\n", "$HOME",
        "`id`", "a;b", "x" * 25, "x" * 200, "class", "import", "true", "json", "email", "fastapi", "typing-extensions",
    ],
    "description": [
        "", " ", "x" * 101, "x" * 200, "two\nlines", "ends\n", " indented", "a\ttab", "a bell \a", "hidden \u202e text",
        'says "orders"', "back\\slash", '"""', "\\",
    ],
    "owner_team": [
        "", " ", "Payments Core", "päyments", "-core", "core-", "a--b", "@acme/core", "core\n", "x" * 40, "$(id)",
    ],
    "on_call_email": [
        "", " ", "on-call", "on-call@", "@example.com", "on-call@example", "on call@example.com", "a@b@example.com",
        "on-call@example..com", "on-call@-example.com", "ön-call@example.com", "on-call@exämple.com",
        "$(id)@example.com", "a@example.com,b@example.com", "<a@example.com>", "on-call@example.com\n",
        ".a@example.com", "a..b@example.com", "x" * 250 + "@example.com",
    ],
    "repository_owner": ["", " ", "my org", "acmé", "-acme", "acme-", "a--b", "acme/core", "acme\n", "x" * 40, "a'b"],
    "authentication": ["", "OIDC", "basic", "oidc\n"],
    "features": ["[redis]", "[cache, redis]"],
    "compliance_level": ["", "gdpr", "Regulated"],
    "cloud": ["", "AWS", "gcp"],
    "region": ["", "eu-central", "mars-north-1"],
    "domain": [
        "", " ", "example", "Example.com", "https://example.com", "example.com/", "example.com.", "-a.com", "a..com",
        "exämple.com", "a b.com", "example.com\n", "$(id).com", "x" * 64 + ".com", "a." * 100 + "com",
    ],
    "python_version": ["", "3", "3.11", "3.13.1", "2.7", "three", "3.13\n", "latest"],
}
GOOD: dict[str, str | list[str]] = {
    "name": "order-intake",
    "description": "Takes orders.",
    "owner_team": "payments-core",
    "on_call_email": "first.last+orders@mail.example.co.uk",
    "repository_owner": "Acme-Inc",
    "authentication": "api-keys",
    "features": ["cache"],
    "compliance_level": "personal-data",
    "cloud": "aws",
    "region": "us-east-1",
    "domain": "shop.example.co.uk",
    "python_version": "3.12",
}
ODD_DESCRIPTIONS = [
    "Nimmt Bestellungen für Ω entgegen – 注文 😀", "$HOME, ${HOME} and $(id) and `id`", "It's the owner's", "a # b",
    "a & b; c | d", "#{ name }# and #% if x %# and #| x |#", "<b>bold</b> &amp; <script>", "{{ x }} {% y %} ${{ z }}",
    "%s %(here)s 100%", "key: value", "- item", "[a, b]", "{a}", "@at", "*star", "!tag", "> quoted", "null", "yes",
    "3.13", "~", "'", "'''", "---",
]
