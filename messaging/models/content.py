"""What templates are made of besides themselves: snippets, their words in other languages, and feeds."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from messaging.models.messages import Template


class Snippet(models.Model):
    """A piece that several templates share: ``{{ snippets.footer }}`` puts it in place."""

    slug = models.SlugField(
        max_length=60,
        unique=True,
        verbose_name="short name",
        help_text="What templates call it: {{ snippets.footer }}. Letters, digits, - and _.",
    )
    content = models.TextField(help_text="HTML, MJML or plain text, with Liquid, as the places where it is used.")
    description = models.TextField(blank=True, default="")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["slug"]

    def __str__(self) -> str:
        return self.slug


class TemplateTranslation(models.Model):
    """A template's words in one language. What is empty is taken from the template itself."""

    template = models.ForeignKey(Template, on_delete=models.CASCADE, related_name="translations")
    language = models.CharField(max_length=20, help_text="Such as de, or pt-BR for one country only.")
    subject = models.TextField(blank=True, default="")
    preheader = models.TextField(blank=True, default="", verbose_name="pre-header")
    html = models.TextField(blank=True, default="", verbose_name="HTML")
    text = models.TextField(blank=True, default="")

    class Meta:
        ordering: ClassVar = ["language"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["template", "language"], name="template_translation_language")
        ]

    def __str__(self) -> str:
        return f"{self.template} in {self.language}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.language = self.language.strip().lower().replace("_", "-")
        super().save(*args, **kwargs)


class Feed(models.Model):
    """JSON from an address of one's own, for templates: ``{{ feeds.offers.items[0].title }}``."""

    slug = models.SlugField(
        max_length=60, unique=True, verbose_name="short name", help_text="What templates call it: {{ feeds.offers }}."
    )
    url = models.TextField(
        verbose_name="address",
        help_text="May hold Liquid: https://shop.example/offers?for={{ customer.id | url_encode }}",
    )
    secret = models.TextField(blank=True, default="", editable=False)
    keep_seconds = models.PositiveIntegerField(
        default=300, help_text="For how many seconds an answer is used again before it is asked for anew."
    )
    fallback = models.JSONField(
        default=None,
        null=True,
        blank=True,
        help_text="What templates see when nothing comes. Empty: the message waits, and fails after several tries.",
    )
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["slug"]

    def __str__(self) -> str:
        return self.slug


class Pace(models.Model):
    """How far a limit of a provider is used up, or until when it rests: ``messaging.pacing`` has the keys.

    ``next_at`` is when it is free again, ``tail_at`` the last place in the line of what waits.
    """

    key = models.CharField(max_length=300, primary_key=True)
    next_at = models.DateTimeField()
    tail_at = models.DateTimeField()
    used = models.PositiveIntegerField(default=0, db_default=0)

    def __str__(self) -> str:
        return self.key
