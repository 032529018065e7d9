"""Whether G is a regular implicit operator (paper, Definition 2.3; Theorem 2.5 on y*).

==============  ===================================================================
``mu(x)``       contraction modulus, the supremum over y of |dG/dy (y, x)|; a regular
                operator has mu(x) < 1
``Lip_x(G)``    |dG/dx (y, x)| for a fixed y; for a regular operator it grows at most
                linearly in |y|
``bound``       Lip_x(G)(y*) / (1 - mu(x)), which bounds the local Lipschitz constant
                of y*(x)
``measured``    that constant itself, |dy*/dx|, where
                dy*/dx = (1 - dG/dy)^-1 dG/dx at the fixed point
==============  ===================================================================
"""

from equilibria.regularity.auditor import audit
from equilibria.regularity.report import Audit

__all__ = ["Audit", "audit"]
