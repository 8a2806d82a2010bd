"""Page through big tables without counting them and without OFFSET: the next page begins where this one ended.

For a changelist: derive the ModelAdmin from ``KeysetAdmin``. For a page of one's own: ``page_before``.
Pages run from the newest row (highest primary key) to the oldest; the address holds ``?before=<primary key>``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.admin import ModelAdmin
from unfold.views import ChangeList as UnfoldChangeList

BEFORE = "before"
PAGE_SIZE = 50
# More than any bigint key has: the first page begins above everything.
LARGEST_KEY = 2**63 - 1

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True, slots=True)
class KeysetPage(Generic[Row]):
    """Some rows, newest first. ``older`` is the ``before`` of the next page, None on the last."""

    rows: list[Row]
    older: int | None


def before_key(request: HttpRequest) -> int | None:
    """Read ``?before=``; anything that is no key means the first page."""
    text = request.GET.get(BEFORE, "")
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) <= LARGEST_KEY else None


def page_before(queryset: QuerySet[Row], before: int | None, size: int = PAGE_SIZE) -> KeysetPage[Row]:
    """Return ``size`` rows below the primary key ``before`` (None: from the top). One statement."""
    found = queryset.order_by("-pk") if before is None else queryset.filter(pk__lt=before).order_by("-pk")
    rows = list(found[: size + 1])
    more = len(rows) > size
    return KeysetPage(rows[:size], rows[size - 1].pk if more else None)


class UncountedPage(Page):  # type: ignore[type-arg]  # not generic when it runs
    """A page that knows whether there is another by having fetched one row more."""

    paginator: UncountedPaginator

    def has_next(self) -> bool:
        return self.number in self.paginator.followed


class UncountedPaginator(Paginator):  # type: ignore[type-arg]  # not generic when it runs
    """Page numbers without a count, for look-ups that are read a page or two deep, such as autocomplete."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.followed: set[int] = set()

    @cached_property
    def count(self) -> int:
        """Claim enough for any page number to be valid."""
        return LARGEST_KEY

    def page(self, number: int | str) -> UncountedPage:
        number = self.validate_number(number)
        bottom = (number - 1) * self.per_page
        rows = list(self.object_list[bottom : bottom + self.per_page + 1])
        if len(rows) > self.per_page:
            self.followed.add(number)
        return UncountedPage(rows[: self.per_page], number, self)


class KeysetPaginator(UncountedPaginator):
    """What a keyset changelist shows at its foot: "Newest" and "Older"."""

    template_name = "admin/events/keyset_pagination.html"


class KeysetChangeList(UnfoldChangeList):
    """A changelist of one page below ``?before=``, ordered by falling primary key."""

    older: int | None = None
    is_first_page = True

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = self.opts.verbose_name_plural.capitalize()

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        lookup: dict[str, Any] = super().get_filters_params(params)
        lookup.pop(BEFORE, None)
        return lookup

    def get_ordering(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[str]:
        return ["-pk"]

    def get_results(self, request: HttpRequest) -> None:
        before = before_key(request)
        page = page_before(self.queryset, before, self.list_per_page)
        self.older, self.is_first_page = page.older, before is None
        self.result_list = page.rows
        # Equal, so that no heading claims to know how many there are.
        self.result_count = self.full_result_count = len(page.rows)
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = self.multi_page = False
        self.paginator = KeysetPaginator(page.rows, self.list_per_page)

    def newest_url(self) -> str:
        return str(self.get_query_string(remove=[BEFORE]))

    def older_url(self) -> str:
        return str(self.get_query_string({BEFORE: self.older}))


class KeysetAdmin(ModelAdmin):
    """A ModelAdmin for a big table: no count, no deep OFFSET, no sorting but newest first."""

    paginator = UncountedPaginator
    show_full_result_count = False
    list_per_page = PAGE_SIZE
    ordering: Sequence[str] = ("-pk",)
    sortable_by: Sequence[str] = ()

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return KeysetChangeList


class ReadOnly:
    """Mix into the ModelAdmin of a log: nobody adds, changes or deletes there, super-users included."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
