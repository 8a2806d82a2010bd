"""People, the ids and devices they are known by, and the groups they belong to."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import OpClass
from django.db import models
from django.db.models.functions import Lower, Now


class Profile(models.Model):
    """One person. In Liquid: ``customer``.

    ``traits`` holds everything the application said; the columns beside it are copies that queries and sending need.
    A profile without ``user_id`` is a visitor that no application has named yet.
    """

    user_id = models.TextField(null=True, blank=True, unique=True)
    traits = models.JSONField(default=dict, blank=True, db_default={})
    email = models.TextField(blank=True, db_default="", default="")
    phone = models.TextField(blank=True, db_default="", default="")
    time_zone = models.TextField(blank=True, db_default="", default="", help_text="IANA name, such as Europe/Vienna.")
    language = models.TextField(blank=True, db_default="", default="")
    is_test = models.BooleanField(
        default=False,
        db_default=False,
        verbose_name="test person",
        help_text="Kept out of every figure, and their waits can be skipped.",
    )
    is_sandbox = models.BooleanField(
        default=False, db_default=False, editable=False, help_text="Reported by a sandbox source."
    )
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        indexes: ClassVar = [
            # Pattern indexes serve equality and "begins with", which is what the search box asks; no extension needed.
            models.Index(OpClass(Lower("email"), "text_pattern_ops"), name="profile_email_search"),
            models.Index(OpClass(Lower("user_id"), "text_pattern_ops"), name="profile_user_search"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(is_sandbox=False) | models.Q(is_test=True), name="profile_sandbox_is_test"
            )
        ]
        permissions: ClassVar = [
            ("export_profile", "Can export everything about a person"),
            ("erase_profile", "Can erase and suppress people"),
        ]

    def __str__(self) -> str:
        return self.user_id or self.email or f"Visitor {self.pk}"


class Identity(models.Model):
    """One id a profile is known by. Several identities lead to one profile, never one to several."""

    class Kind(models.TextChoices):
        USER = "user", "User id"
        ANONYMOUS = "anonymous", "Anonymous id"
        EMAIL = "email", "Email"

    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="identities")
    kind = models.CharField(max_length=10, choices=Kind)
    value = models.TextField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name_plural = "identities"
        constraints: ClassVar = [models.UniqueConstraint(fields=["kind", "value"], name="identity_unique")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.value}"


class Device(models.Model):
    """A phone or browser that can be pushed to. A device id belongs to one person at a time: the last who named it."""

    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="devices")
    device_id = models.TextField(unique=True)
    platform = models.TextField(blank=True, default="", db_default="")
    attributes = models.JSONField(default=dict, db_default={}, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    def __str__(self) -> str:
        return self.device_id


class Group(models.Model):
    """A company, team, deal or the like that people belong to, with traits of its own. In Liquid: ``company``."""

    COMPANY = "company"

    type = models.TextField(default=COMPANY, db_default=COMPANY)
    key = models.TextField(help_text="The application's id.")
    traits = models.JSONField(default=dict, db_default={}, blank=True)
    is_sandbox = models.BooleanField(default=False, db_default=False, editable=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["type", "key"], name="group_unique")]

    def __str__(self) -> str:
        return str(self.traits.get("name") or self.key)


class Membership(models.Model):
    """That a person belongs to a group; ``traits`` are about the belonging, such as a role.

    ``updated_at`` is when it was last spoken of: the newest of a type is the person's present group.
    """

    profile = models.ForeignKey(Profile, on_delete=models.CASCADE, related_name="memberships")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="memberships")
    traits = models.JSONField(default=dict, db_default={}, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    updated_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["profile", "group"], name="membership_unique")]

    def __str__(self) -> str:
        return f"{self.profile} in {self.group}"


class SuppressedId(models.Model):
    """An id whose calls are ignored from now on. Only a digest is kept, so that an erased person stays unknown.

    The ids of one person bear the same ``together``: who lifts one of them lifts all.
    """

    digest = models.BinaryField(primary_key=True, max_length=32)
    together = models.UUIDField(default=uuid.uuid4, db_index=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        verbose_name = "ignored id"

    def __str__(self) -> str:
        return bytes(self.digest).hex()[:12]


class WatchedTrait(models.Model):
    """That ``owner``, such as a live campaign, wants to hear of changes of the trait at ``path``.

    See ``events.watching``. ``path`` are names, the outermost first.
    """

    owner = models.TextField()
    path = ArrayField(models.TextField())

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["owner", "path"], name="watched_trait_once")]

    def __str__(self) -> str:
        return ".".join(self.path)
