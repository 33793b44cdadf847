"""Files of callers."""

from tests.sabotage.infrastructure import terraform
from tests.sabotage.sabotage import Sabotage

UPLOADS, TESTS = "src/app/chassis/uploads", "tests/chassis/test_uploads.py"

SABOTAGES = [
    terraform(
        "backup.files",
        "versions cost money",
        "uploads",
        '    status = "Enabled"',
        '    status = "Suspended"',
    ),
    terraform(
        "backup.files",
        "somebody wants to link to a file",
        "uploads",
        "restrict_public_buckets = true",
        "restrict_public_buckets = false",
    ),
    terraform(
        "backup.files",
        "a test bucket could not be emptied",
        "uploads",
        ', "s3:DeleteObjectVersion"]',
        "]",
    ),
    terraform(
        "backup.files",
        "the bucket is not in the plan",
        "uploads",
        "resources    = [aws_s3_bucket.uploads.arn]",
        "resources    = [aws_db_instance.main.arn]",
    ),
    terraform(
        "backup.files",
        "versions are kept for ever",
        "uploads",
        "noncurrent_days = local.version_days",
        "noncurrent_days = 36500",
    ),
    terraform(
        "security.iam",
        "the service may end versions as well",
        "uploads",
        '["s3:DeleteObject", "s3:GetObject",',
        '["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:GetObject",',
    ),
    Sabotage(
        "security.size",
        "there is no largest file",
        f"{UPLOADS}/api.py",
        "ge=1, le=MAX_BYTES",
        "ge=1",
        TESTS,
    ),
    Sabotage(
        "security.size",
        "an address takes any file of that length",
        f"{UPLOADS}/storage.py",
        ', "ChecksumSHA256": checksum',
        "",
        TESTS,
    ),
    Sabotage(
        "security.size",
        "whatever arrived counts",
        f"{UPLOADS}/api.py",
        "if stored is None or stored != (upload.size, base64(upload.sha256)):",
        "if stored is None:",
        TESTS,
    ),
    Sabotage(
        "security.authz",
        "every caller finds every file",
        f"{UPLOADS}/api.py",
        "select(Upload).where(Upload.owner == caller.subject, Upload.id == upload_id)",
        "select(Upload).where(Upload.id == upload_id)",
        TESTS,
    ),
    Sabotage(
        "security.authz",
        "every caller deletes every file",
        f"{UPLOADS}/api.py",
        "delete(Upload).where(Upload.owner == caller.subject, Upload.id == upload_id)",
        "delete(Upload).where(Upload.id == upload_id)",
        TESTS,
    ),
    Sabotage(
        "law.erasure",
        "rows of files are erased, and the files stay",
        f"{UPLOADS}/cleaning.py",
        "        await storage.remove(ids)",
        "        pass",
        "tests/chassis/test_uploads_privacy.py",
    ),
]
