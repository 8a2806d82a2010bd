"""Files of people and events on their way in: the file, how far it has come, which rows could not be taken."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from events.models.segments import Segment
from events.models.sources import Source


class Import(models.Model):
    """A CSV or NDJSON file of profiles or events. The file lies in ``ImportChunk``s; ``position`` is the next byte.

    A worker takes some rows in one transaction together with the new position, so that it can be killed at any moment
    and the next one goes on with the next row.
    """

    class Kind(models.TextChoices):
        PROFILES = "profiles", "People"
        EVENTS = "events", "Events"

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        NDJSON = "ndjson", "NDJSON (one JSON object a line)"

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Uploaded"
        CHECKING = "checking", "Being checked"
        CHECKED = "checked", "Checked"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CANCELLED = "cancelled", "Cancelled"
        FAILED = "failed", "Failed"

    class Listing(models.TextChoices):
        ADD = "add", "Add these people"
        REMOVE = "remove", "Take these people out"
        REPLACE = "replace", "Make it exactly these people"

    class Unknown(models.TextChoices):
        SKIP = "skip", "Leave them out"
        CREATE = "create", "Make them"

    source = models.ForeignKey(Source, on_delete=models.CASCADE)
    kind = models.CharField(max_length=10, choices=Kind)
    format = models.CharField(max_length=10, choices=Format)
    file_name = models.CharField(max_length=200)
    columns = models.JSONField(default=dict, blank=True, help_text="Which column is what.")
    triggers = models.BooleanField(
        default=False, help_text="Let the events start campaigns; otherwise they only count as history."
    )
    segment = models.ForeignKey(
        Segment, null=True, blank=True, on_delete=models.SET_NULL, help_text="The list these people are for."
    )
    listing = models.CharField(max_length=10, choices=Listing, blank=True, default="", db_default="")
    unknown = models.CharField(max_length=10, choices=Unknown, default=Unknown.CREATE, db_default=Unknown.CREATE)
    state = models.CharField(max_length=10, choices=State, default=State.UPLOADED)
    size = models.BigIntegerField(default=0)
    position = models.BigIntegerField(default=0)
    rows_done = models.BigIntegerField(default=0)
    rows_failed = models.BigIntegerField(default=0)
    rows_repeated = models.BigIntegerField(default=0)
    rows_known = models.BigIntegerField(default=0)
    rows_unknown = models.BigIntegerField(default=0, db_default=0)
    rows_doubled = models.BigIntegerField(default=0, db_default=0)
    people_moved = models.BigIntegerField(default=0, db_default=0)
    error = models.TextField(blank=True, default="")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    begun_at = models.DateTimeField(null=True, editable=False, help_text="When it was last begun.")
    finished_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.file_name


class ImportChunk(models.Model):
    """A piece of an uploaded file."""

    upload = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="chunks")
    offset = models.BigIntegerField()
    data = models.BinaryField()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["upload", "offset"], name="import_chunk_unique")]

    def __str__(self) -> str:
        return f"{self.upload} from {self.offset}"


class ImportPerson(models.Model):
    """Whom a file for a list has named so far, and in which row first; unknown people by a digest of their name.

    It is kept as long as the file is read: so that doubles are told, and whoever is not in it can leave.
    """

    upload = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="people")
    profile_id = models.BigIntegerField(null=True, db_index=True)
    digest = models.BinaryField(null=True)
    row = models.BigIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["upload", "profile_id"], name="import_person_unique"),
            models.UniqueConstraint(fields=["upload", "digest"], name="import_unknown_unique"),
        ]

    def __str__(self) -> str:
        return f"{self.upload_id}: row {self.row}"


class ImportFailure(models.Model):
    """A row that could not be taken: its number (the first row of data is 1), the field and what to do."""

    upload = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="failures")
    row = models.BigIntegerField()
    field = models.TextField(blank=True, default="")
    message = models.TextField()
    raw = models.TextField(blank=True, default="")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["upload", "row"], name="import_failure_unique")]

    def __str__(self) -> str:
        return f"Row {self.row}: {self.message}"
