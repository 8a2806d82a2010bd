"""Django settings, read from the environment alone. docs/operations.md lists every name."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import environ
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from psycopg.conninfo import conninfo_to_dict

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

# --- What kind of installation this is ------------------------------------------------------------------------------
DEBUG: bool = env.bool("DEBUG", default=False)
DEMO: bool = env.bool("DEMO", default=False)
DEVELOPMENT_KEY = "development-only-key-that-is-no-secret"
SECRET_KEY: str = env.str("SECRET_KEY", default=DEVELOPMENT_KEY)
# Fernet keys for stored provider credentials, newest first; older ones still decrypt, so keys can be rotated.
ENCRYPTION_KEYS: list[str] = env.list("ENCRYPTION_KEYS", default=[])
# Under this key suppressed ids and addresses are recognised; it must stay when SECRET_KEY changes.
PSEUDONYM_KEY: str = env.str("PSEUDONYM_KEY", default=SECRET_KEY)
BASE_URL: str = env.str("BASE_URL", default="http://127.0.0.1:8000").rstrip("/")
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]", "testserver"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# --- Database -------------------------------------------------------------------------------------------------------


def database_from_url(url: str) -> dict[str, Any]:
    """Turn a libpq connection URL (or ``key=value`` string) into a Django database entry.

    Raises ImproperlyConfigured when libpq cannot read it.
    """
    try:
        parts = dict(conninfo_to_dict(url))
    except Exception as error:
        raise ImproperlyConfigured(f"DATABASE_URL is not a PostgreSQL URL: {error}") from error
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", "cuebird"),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": parts,
    }


DATABASES = {"default": database_from_url(env.str("DATABASE_URL", default="postgresql:///cuebird"))}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Applications ---------------------------------------------------------------------------------------------------
INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "anymail",
    "axes",
    "django_celery_beat",
    "events",
    "messaging",
    "campaigns",
]

MIDDLEWARE = [
    "config.lean.ShortWay",
    "django.middleware.security.SecurityMiddleware",
    "config.policy.PagePolicy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
AXES_FAILURE_LIMIT = 10
AXES_COOLOFF_TIME = 0.25  # hours
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
# A redirect loses the body and the Authorization header of an API call: both spellings are routed instead.
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = reverse_lazy("admin:login")
LOGIN_REDIRECT_URL = reverse_lazy("admin:index")

# --- Language, time, files ------------------------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
# The zone for people whose own is unknown, where a campaign names none.
FALLBACK_TIME_ZONE: str = env.str("FALLBACK_TIME_ZONE", default="UTC")
# Whether campaigns may call addresses that are not of the open internet, such as a neighbour's or this machine's.
CALLS_TO_PRIVATE_ADDRESSES: bool = env.bool("CALLS_TO_PRIVATE_ADDRESSES", default=False)

STATIC_URL = "/static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = env.str("STATIC_ROOT", default=str(BASE_DIR / ".static"))
# Files are found where they lie, so that nothing has to be collected first; a collected folder is served as well.
WHITENOISE_USE_FINDERS = True
warnings.filterwarnings("ignore", message="No directory at", module="whitenoise.base")

# --- HTTP -----------------------------------------------------------------------------------------------------------
REST_FRAMEWORK: dict[str, Any] = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "events.api.openapi.ManagementSchema",
}
SPECTACULAR_SETTINGS: dict[str, Any] = {
    "TITLE": "Cuebird",
    "DESCRIPTION": "The tracking API takes in what people do; the management API reads it back and looks after it.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "PREPROCESSING_HOOKS": ["events.api.openapi.name_kinds"],
    "POSTPROCESSING_HOOKS": [],
    # Files of a package, not of somebody else's server.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
# Addresses or networks of our own proxies: only they are believed when they say for whom they ask.
TRUSTED_PROXIES: list[str] = env.list("TRUSTED_PROXIES", default=[])
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
if BASE_URL.startswith("https://"):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

# What Prometheus has to show at /metrics; empty: only this machine may ask.
METRICS_TOKEN: str = env.str("METRICS_TOKEN", default="")

# --- Celery: nudges and sweeps, never the only copy of anything -------------------------------------------------------
BROKER_URL: str = env.str("BROKER_URL", default="redis://127.0.0.1:6379/0")
CELERY_BROKER_URL = BROKER_URL
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_DEFAULT_QUEUE = "cuebird"
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_BEAT_MAX_LOOP_INTERVAL = 1
CELERY_TIMEZONE = "UTC"
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Without this every task opens a connection of its own: four times the cost of a task.
CELERY_DB_REUSE_MAX = 1000
# A dead broker must not hold up an API call: nudges are best effort.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_connect_timeout": 0.5, "socket_timeout": 5.0}


def cache_from_broker(url: str) -> dict[str, Any]:
    """Return the cache that holds nudge marks and the heart-beat: the broker's Redis, else this process's memory."""
    if url.startswith(("redis://", "rediss://", "redis+socket://")):
        location = url.replace("redis+socket://", "unix://", 1)
        options = {"socket_connect_timeout": 0.5, "socket_timeout": 1.0}
        return {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": location, "OPTIONS": options}
    return {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}


CACHES = {"default": cache_from_broker(env.str("CACHE_URL", default=BROKER_URL))}

# --- Mail -----------------------------------------------------------------------------------------------------------
# Basic auth that providers must show on our webhook addresses: "user:password".
WEBHOOK_SECRET: str = env.str("WEBHOOK_SECRET", default="")
ANYMAIL: dict[str, Any] = {"WEBHOOK_SECRET": WEBHOOK_SECRET} if WEBHOOK_SECRET else {}
# A domain of the sender's own for the links of mails, which leads here as BASE_URL does; empty: BASE_URL.
TRACKING_URL: str = env.str("TRACKING_URL", default="").rstrip("/")
# The postal address that marketing mails show, unless another one is set under Sending limits; \\n begins a line.
POSTAL_ADDRESS: str = env.str("POSTAL_ADDRESS", default="").replace("\\n", "\n").strip()
# Name servers to ask about sending domains, such as 9.9.9.9 or 127.0.0.1:5353; empty: this machine's own.
DNS_SERVERS: list[str] = env.list("DNS_SERVERS", default=[])
# Who is told when something needs a look, and by which server; without one such mails are written to the log.
ADMINS: list[tuple[str, str]] = [("", address) for address in env.list("ADMINS", default=[])]
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL: str = env.str("DEFAULT_FROM_EMAIL", default="hello@example.com")

# --- Logging --------------------------------------------------------------------------------------------------------
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"plain": {"format": "%(levelname)s %(name)s: %(message)s"}},
    "filters": {
        # A 503 is an answer that says what is wrong; only unexpected errors belong into the log.
        "unexpected": {
            "()": "django.utils.log.CallbackFilter",
            "callback": lambda record: getattr(record, "status_code", 500) != 503,
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "plain", "filters": ["unexpected"]}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {"axes": {"level": "WARNING"}, "django.request": {"level": "ERROR"}},
}

# --- Admin ----------------------------------------------------------------------------------------------------------


def console_stylesheet(request: HttpRequest) -> str:
    """Return the address of the console's own stylesheet; asked per page, as static files know it only then."""
    return static("events/console.css")


def favicon(request: HttpRequest) -> str:
    return static("events/favicon.svg")


def console_script(request: HttpRequest) -> str:
    return static("events/console.js")


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Cuebird",
    "SITE_HEADER": "Cuebird",
    "SITE_SUBHEADER": "Messages that answer what people do",
    "SITE_URL": None,
    "SITE_SYMBOL": "notifications_active",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": favicon}],
    "SHOW_HISTORY": True,
    "SHOW_VIEW_ON_SITE": False,
    "DASHBOARD_CALLBACK": "config.dashboard.dashboard",
    "STYLES": [console_stylesheet],
    "SCRIPTS": [console_script],
    "SIDEBAR": {"navigation": "config.sidebar.navigation"},
    # Petrol: dark enough at 600 for white text, light enough at 500 to be read on the dark theme.
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .016 195)",
            "100": "oklch(94.5% .035 195)",
            "200": "oklch(89.5% .065 195)",
            "300": "oklch(83% .095 195)",
            "400": "oklch(76% .115 195)",
            "500": "oklch(69% .115 197)",
            "600": "oklch(50.5% .09 205)",
            "700": "oklch(43.5% .078 208)",
            "800": "oklch(38% .066 210)",
            "900": "oklch(33% .055 212)",
            "950": "oklch(25% .042 214)",
        },
    },
}
