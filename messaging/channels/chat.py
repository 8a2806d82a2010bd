"""Messages to a team's chat by an incoming webhook, as Slack, Mattermost, Rocket.Chat and Google Chat take them."""

from __future__ import annotations

from messaging import outward
from messaging.channels.base import Mail, revealed
from messaging.models import Provider


class Chat:
    """A channel of a team's chat. Whoever knows its address can write there, so the address is a secret."""

    def __init__(self, provider: Provider) -> None:
        self.url = revealed(provider)["webhook_url"]
        self.session = outward.session()

    def send(self, mail: Mail) -> str:
        outward.call(self.session, "POST", self.url, json={"text": mail.text})
        return ""

    def close(self) -> None:
        self.session.close()
