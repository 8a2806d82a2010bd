"""Make, change and remove computed traits; whatever it means for everybody is done in the background."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction

from events import audit, nudges, older, references
from events.audit import Actor
from events.computed import building, definitions, reach, usage
from events.models import ComputedTrait
from events.segments.usage import Use

State = ComputedTrait.State
GOES = "is being removed: try again in a moment."


class InUse(ValueError):
    """Raised when a computed trait cannot go; ``uses`` say where it is used."""

    def __init__(self, uses: list[Use]) -> None:
        super().__init__(f"It is used: {', '.join(f'{use.kind} {use.name}' for use in uses)}.")
        self.uses = uses


def problems(row: ComputedTrait) -> dict[str, str]:
    """Return what is wrong with it by field, its name in this installation included; of a new one."""
    found = definitions.problems(row)
    if row._state.adding and "name" not in found:
        if definitions.is_sent(row.name):
            found["name"] = f"Applications send a trait {row.name}, which this would replace. Choose another name."
        elif ComputedTrait.objects.filter(name=row.name).exists():
            found["name"] = f"There is a computed trait {row.name} already. Choose another name."
    return found


@transaction.atomic
def save(row: ComputedTrait, actor: Actor) -> None:
    """Store a new one, or what was changed of one; it is reckoned for everybody where that is another value now.

    Raises ValidationError by field.
    """
    references.hold()
    row.clean_fields()
    if found := problems(row):
        raise ValidationError(found)
    old = ComputedTrait.objects.select_for_update(no_key=True).filter(pk=row.pk).first()
    if old is not None and old.state == State.GOING:
        raise ValidationError({"name": f"{row.name} {GOES}"})
    if old is None or any(getattr(old, name) != getattr(row, name) for name in definitions.MEANING):
        row.revision = (old.revision + 1) if old else 1
        row.reach_days = reach.days_of(row.event_type, row.event)
        building.start(row)
        nudges.nudge("computed")
    elif old is not None:
        for name in ("revision", "reach_days", *building.STARTED):
            setattr(row, name, getattr(old, name))
    if old is None:
        row.created_by = actor.name
    row.save()
    audit.note(actor, "computed", trait=row.name)


@transaction.atomic
def remove(row: ComputedTrait, actor: Actor) -> None:
    """Have it taken from everybody, and then go itself. Raises InUse."""
    references.hold()
    row = ComputedTrait.objects.select_for_update(no_key=True).get(pk=row.pk)
    if found := usage.uses(row.name):
        raise InUse(found)
    row.state, row.built_to = State.GOING, older.NOT_BEGUN
    row.save(update_fields=["state", "built_to"])
    audit.note(actor, "computed", trait=row.name, removed=True)
    nudges.nudge("computed")
