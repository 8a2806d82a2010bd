"""The marketer's console: one file per page."""

from campaigns.admin import campaign as campaign
from campaigns.admin import parked as parked
