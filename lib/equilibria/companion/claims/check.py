"""What `equilibria check` does: judge, compare with the record, write the pages."""

from __future__ import annotations

from equilibria.companion.claims import pages, record
from equilibria.companion.claims.model import ClaimsError
from equilibria.companion.claims.verdicts import judge_all
from equilibria.paths import project_root

__all__ = ["check"]


def check(
    profile: str,
    *,
    only: list[str] | None = None,
    draft: bool = False,
    accept: str | None = None,
) -> int:
    """Judge the claims and print the table; return 0, or 1 where the record does not bear it out.

    The pages are written only where the record bears them out.

    only    judge these notebooks' claims alone; no page is written then
    draft   print only
    accept  the reason for which new predicates and verdicts become the record

    Raises `ClaimsError` for a wrong claims.yml, a damaged record or a reason that cannot be taken.
    """
    if accept is not None and (only or draft):
        raise ClaimsError(
            "--accept judges every notebook and writes: it takes no --only or --draft"
        )
    verdicts = judge_all(profile, only)
    print(pages.terminal_table(verdicts))
    if accept is not None:
        changes = record.accept(verdicts, profile, accept)
        print(f"verdicts.lock: {len(changes)} changes accepted")
    failures, news = record.differences(verdicts, profile, record.read(), partial=bool(only))
    for line in news:
        print(f"new, and no worse than the record: {line}")
    for line in failures:
        print(f"against the record: {line}")
    if failures:
        print('If this is meant, `equilibria check --accept "reason"` makes it the record.')
        return 1
    if not (draft or only):
        root = project_root()
        for path in pages.write_pages(verdicts, profile):
            print(f"written: {path.relative_to(root) if path.is_relative_to(root) else path}")
    return 0
