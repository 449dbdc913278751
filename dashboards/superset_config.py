"""Superset's settings for this project. Superset reads this file because SUPERSET_CONFIG_PATH points at it.

Everything that differs between machines comes from the environment (names and commands: dashboards/README.md); what is
the same everywhere is written here. Dashboards, charts and databases are not set here but pushed from the YAML files
beside this one.
"""

import os


def _required(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise RuntimeError(f"{name} is not set; dashboards/README.md lists the environment that Superset needs.")
    return value


# --- what the machine says -------------------------------------------------------------------------------------------
SQLALCHEMY_DATABASE_URI = _required("SUPERSET_DATABASE_URI")
SECRET_KEY = _required("SUPERSET_SECRET_KEY")
if len(SECRET_KEY) < 32:
    # It signs sessions and encrypts stored passwords: a short one can be guessed.
    raise RuntimeError("SUPERSET_SECRET_KEY is shorter than 32 characters; make one with `openssl rand -base64 42`.")
SUPERSET_WEBSERVER_ADDRESS = os.environ.get("SUPERSET_ADDRESS", "127.0.0.1")
SUPERSET_WEBSERVER_PORT = int(os.environ.get("SUPERSET_PORT", "8088"))

# --- who may do what -------------------------------------------------------------------------------------------------
# Nobody gets in without a login, nobody registers himself; roles are made by `retention.dashboards.push`.
PUBLIC_ROLE_LIKE = None
AUTH_USER_REGISTRATION = False
FAB_ADD_SECURITY_API = True
WTF_CSRF_ENABLED = True
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# Set it when a proxy in front of Superset speaks TLS.
SESSION_COOKIE_SECURE = os.environ.get("SUPERSET_COOKIE_SECURE", "false").lower() == "true"
ENABLE_PROXY_FIX = os.environ.get("SUPERSET_BEHIND_PROXY", "false").lower() == "true"

# Nothing on a page may come from, or go to, another machine: no map tiles, no fonts from elsewhere, no counting pixel
# (the front end has one built in; a browser that may only load pictures from here cannot call it).
TALISMAN_ENABLED = True
TALISMAN_CONFIG = {
    "content_security_policy": {
        "base-uri": ["'self'"],
        "default-src": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'", "data:"],
        "script-src": ["'self'", "'strict-dynamic'"],
        "frame-ancestors": ["'self'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,
    "session_cookie_secure": SESSION_COOKIE_SECURE,
}
THEME_FONT_URL_ALLOWED_DOMAINS: list[str] = []

# --- what people see -------------------------------------------------------------------------------------------------
APP_NAME = "Retention"
BABEL_DEFAULT_LOCALE = "en"
LANGUAGES = {"en": {"flag": "us", "name": "English"}, "ru": {"flag": "ru", "name": "Russian"}}
FEATURE_FLAGS = {
    # Superset's own examples, alerts and template code in SQL are not used here; what is off cannot be misused.
    "ALERT_REPORTS": False,
    "ENABLE_TEMPLATE_PROCESSING": False,
    "DRILL_TO_DETAIL": True,
    "DRILL_BY": True,
}
# The published file is swapped under a running Superset and answers in milliseconds: a cache would only show old
# numbers.
CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
ROW_LIMIT = 50_000
SQL_MAX_ROW = 100_000
SQLLAB_TIMEOUT = 60
SUPERSET_WEBSERVER_TIMEOUT = 60

# --- what Superset may keep ------------------------------------------------------------------------------------------
# No uploads: the only data here is what the pipeline published.
ALLOWED_EXTENSIONS: set[str] = set()
CSV_EXTENSIONS: set[str] = set()
EXCEL_EXTENSIONS: set[str] = set()
COLUMNAR_EXTENSIONS: set[str] = set()
PREVENT_UNSAFE_DB_CONNECTIONS = True
