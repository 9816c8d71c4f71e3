"""Terms in versions, as members read them (L3)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Self

import strawberry

from domain.programs import accepting
from domain.programs.accepting import best_language
from resolvers import terms
from schema.node import Info

if TYPE_CHECKING:
    from schema.merchants import Merchant


@strawberry.type(description="Terms in one language: where to read them, or their words.")
class TermsText:
    """One of url and text is null; so are before and after where the alliance file names no changed clause."""

    language: str
    title: str
    url: str | None
    text: str | None
    before: str | None = strawberry.field(description="What this version changes, as it read formerly.")
    after: str | None = strawberry.field(description="The same, as it reads now.")


@strawberry.type(description="A version of terms. None is ever edited.")
class Terms:
    """From the alliance file."""

    code: str
    version: int
    worse: bool = strawberry.field(description="Whether it is worse for members than the version before it.")
    row: strawberry.Private[accepting.TermsVersion]

    @strawberry.field(description="From when on it is in force, at midnight of whose it is.")
    def starts_at(self, info: Info) -> datetime:
        """As the alliance file says."""
        return terms.starts_at(info.context, self.row)

    @strawberry.field(description="Whether it is not in force yet.")
    def announced(self, info: Info) -> bool:
        """As of now."""
        return terms.starts_at(info.context, self.row) > info.context.as_of

    @strawberry.field(description="Whose they are; null for the alliance's.")
    def merchant(self, info: Info) -> Annotated["Merchant", strawberry.lazy("schema.merchants")] | None:
        """From the catalogue."""
        from schema.merchants import Merchant

        code = self.row.merchant
        return None if code is None else Merchant.of(info.context.runtime.catalogue.merchants[code])

    @strawberry.field(description="The languages it is in.")
    def languages(self) -> list[str]:
        """BCP 47."""
        return sorted(self.row.texts)

    @strawberry.field(
        description="It in a language, by default the caller's; where it is not in that one, in the nearest."
    )
    def text(self, info: Info, language: str | None = None) -> TermsText:
        """Says which one it is in."""
        tag = best_language(self.row.texts, language or info.context.language)
        said, change = self.row.texts[tag], self.row.changes.get(tag)
        before, after = (None, None) if change is None else (change.before, change.after)
        return TermsText(language=tag, title=said.title, url=said.url, text=said.text, before=before, after=after)

    @strawberry.field(description="The version before it; null for the first.")
    def replaces(self, info: Info) -> "Terms | None":
        """So that both are read side by side."""
        found = terms.replaced(info.context, self.row)
        return None if found is None else Terms.of(found)

    @classmethod
    def of(cls, row: accepting.TermsVersion) -> Self:
        """From the catalogue."""
        return cls(code=row.code, version=row.version, worse=row.worse, row=row)

    @classmethod
    def all(cls, info: Info, merchant: str | None) -> list[Self]:
        """Of a merchant, or (None) of the alliance: what is in force as of now, and what is announced."""
        return [cls.of(row) for row in terms.offered(info.context, merchant)]
