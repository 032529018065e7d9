"""Claims of the paper and of this project: stated in `claims.yml`, judged by results, frozen."""

from equilibria.companion.claims.check import check
from equilibria.companion.claims.model import Check, Claim, ClaimsError, load, published
from equilibria.companion.claims.notebook import show_result, show_verdicts
from equilibria.companion.claims.pages import full_page, notebook_table, terminal_table, write_pages
from equilibria.companion.claims.paper_map import Place, long_map, places, short_map
from equilibria.companion.claims.record import accept, differences, read
from equilibria.companion.claims.verdicts import Finding, Verdict, judge, judge_all

__all__ = [
    "Check",
    "Claim",
    "ClaimsError",
    "Finding",
    "Place",
    "Verdict",
    "accept",
    "check",
    "differences",
    "full_page",
    "judge",
    "judge_all",
    "load",
    "long_map",
    "notebook_table",
    "places",
    "published",
    "read",
    "short_map",
    "show_result",
    "show_verdicts",
    "terminal_table",
    "write_pages",
]
