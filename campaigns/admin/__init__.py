"""The marketer's console: one file per page."""

from campaigns.admin import calls as calls
from campaigns.admin import campaign as campaign
from campaigns.admin import findings as findings
from campaigns.admin import parked as parked
from campaigns.admin import safeguards as safeguards
