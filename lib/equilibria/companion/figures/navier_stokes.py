"""Figures of notebook 03: steady Navier-Stokes (paper Figs. 4-5, Table 5). Each takes the dict of its results file; fields are (n, n) lists."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from equilibria.companion.figures import COLOURS, SEQUENCE, iterations

__all__ = [
    "classical",
    "errors",
    "far_beyond",
    "flows",
    "head_start",
    "maps",
    "physics",
    "race",
    "regularity",
    "solve",
    "steepness",
    "sweep",
    "transfer",
    "two_states",
]

_TICKS = (1, 2, 4, 8, 16, 32, 50, 100, 200)
_METHODS = {"Picard": SEQUENCE[4], "Anderson": SEQUENCE[5], "Newton-Krylov": SEQUENCE[9]}


def _field(
    axis, field, limit: float, title: str = "", cmap: str = "RdBu_r", low: float | None = None
):
    """x1 runs to the right, x2 upwards."""
    image = axis.imshow(
        np.asarray(field).T,
        origin="lower",
        cmap=cmap,
        vmin=-limit if low is None else low,
        vmax=limit,
        extent=(0, 2 * np.pi, 0, 2 * np.pi),
    )
    axis.set_title(title, fontsize="small")
    axis.set(xticks=[], yticks=[])
    axis.grid(False)
    axis.spines[:].set_visible(False)
    return image


def _arrows(axis, velocity) -> None:
    """Velocity (2, m, m), on every few points of the grid."""
    u1, u2 = (np.asarray(u).T for u in velocity)
    x = (np.arange(len(u1)) + 0.5) * 2 * np.pi / len(u1)
    axis.quiver(x, x, u1, u2, color="#222222", width=0.005, scale_units="width")


def _largest(*fields) -> float:
    return max(float(np.abs(np.asarray(field)).max()) for field in fields)


def flows(data: dict) -> Figure:
    """Input and output of the map: curl of the forcing, vorticity, and the velocity that belongs to it."""
    rows = data["flows"]
    figure, axes = plt.subplots(2, len(rows), figsize=(3.1 * len(rows), 6.1))
    top, bottom = (_largest(*(row[key] for row in rows)) for key in ("curl", "truth"))
    for column, row in zip(axes.T, rows):
        inputs = _field(column[0], row["curl"], top)
        outputs = _field(column[1], row["truth"], bottom)
        _arrows(column[1], row["velocity"])
    figure.colorbar(inputs, ax=axes[0], shrink=0.85)
    figure.colorbar(outputs, ax=axes[1], shrink=0.85)
    axes[0, 0].set_title("input: curl f", loc="left", fontsize="small")
    axes[1, 0].set_title("output: vorticity w, velocity u", loc="left", fontsize="small")
    figure.suptitle(f"{len(rows)} test flows: transport makes the vorticity unlike its forcing")
    return figure


def two_states(data: dict) -> Figure:
    """One forcing, two steady flows: the regime `published`."""
    rows = data["two_states"]
    figure, axes = plt.subplots(len(rows), 4, figsize=(11.6, 2.9 * len(rows)), squeeze=False)
    for row, place in zip(rows, axes):
        limit = _largest(row["drawn"], row["found"])
        _field(place[0], row["curl"], _largest(row["curl"]), "curl f (a scale of its own)")
        _field(place[1], row["drawn"], limit, "w, from which f was made")
        _field(place[2], row["found"], limit, "w', found from rest under the same f")
        image = _field(
            place[3],
            np.asarray(row["found"]) - np.asarray(row["drawn"]),
            limit,
            f"w' - w: {row['distance']:.0%} of |w|",
        )
        figure.colorbar(image, ax=list(place[1:]), shrink=0.85)
    figure.suptitle("At the published amplitude a forcing has more than one steady flow")
    return figure


def classical(data: dict) -> Figure:
    """Residual against evaluations for three classical methods, one panel per amplitude."""
    rows = data["classical"]
    figure, axes = plt.subplots(1, len(rows), figsize=(3.9 * len(rows), 4.4), sharey=True)
    for axis, (amplitude, methods) in zip(axes, rows.items()):
        for name, colour in _METHODS.items():
            found = methods[name]
            for index, curve in enumerate(found["residuals"]):
                label = f"{name}: {round(found['solved'] * len(found['residuals']))} of {len(found['residuals'])} solved"
                axis.loglog(
                    range(1, len(curve) + 1),
                    curve,
                    color=colour,
                    lw=1,
                    alpha=0.8,
                    label=label if index == 0 else None,
                )
        axis.set(title=f"std(w) = {amplitude}", xlabel="evaluations of P", ylim=(1e-13, 5))
        axis.set_yticks([1e-8, 1e-6, 1e-4, 1e-2, 1])
        axis.legend(loc="lower left")
    axes[0].set_ylabel("relative residual")
    figure.suptitle(
        "Solved from the forcing: w = P(w) = $(\\nu\\Delta)^{-1}(u\\cdot\\nabla w - \\mathrm{curl}\\, f)$, every line a flow"
    )
    return figure


def solve(data: dict) -> Figure:
    """The network's own solve: residual against evaluations of G, Anderson and Picard, every line a flow."""
    figure, axis = plt.subplots(figsize=(6.8, 4))
    for name in ("Picard", "Anderson"):
        for index, curve in enumerate(data["solve"][name]):
            axis.semilogy(
                range(1, len(curve) + 1),
                curve,
                color=_METHODS[name],
                lw=1,
                alpha=0.8,
                label=name if index == 0 else None,
            )
    axis.axhline(1e-3, color=COLOURS["bound"], ls=":", label="where the tables stop")
    axis.set(
        xlabel="evaluations of G",
        ylabel="relative residual |G(z, q) - z| / |G(z, q)|",
        title=f"How the network's own loop comes to rest: {len(data['solve']['Picard'])} test flows",
    )
    axis.legend()
    return figure


def errors(data: dict) -> Figure:
    """Test error per flow and by seed, implicit against explicit."""
    figure, axes = plt.subplots(1, 2, figsize=(10.5, 4.2), width_ratios=[1.3, 1])
    per_flow, table = data["per_flow"], data["table"]
    edges = np.geomspace(
        0.9 * min(map(min, per_flow.values())), 1.1 * max(map(max, per_flow.values())), 40
    )
    for kind in ("explicit", "implicit"):
        axes[0].hist(
            per_flow[kind],
            bins=edges,
            color=COLOURS[kind],
            alpha=0.65,
            label=f"{kind}: mean {np.mean(per_flow[kind]):.3f}",
        )
    axes[0].set(
        xscale="log",
        xlabel="relative L2 error",
        ylabel="flows",
        title=f"{len(per_flow['implicit'])} test flows, one seed",
    )
    ticks = [tick for tick in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1) if edges[0] <= tick <= edges[-1]]
    axes[0].set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes[0].minorticks_off()
    axes[0].legend()
    for place, kind in enumerate(("explicit", "implicit")):
        row = table[kind]
        axes[1].bar(
            place, row["error"], 0.55, yerr=row["spread"] or 0, capsize=5, color=COLOURS[kind]
        )
        axes[1].text(
            place, row["error"] / 2, f"{row['error']:.3f}", ha="center", va="center", color="white"
        )
        axes[1].scatter(
            place,
            row["published"],
            marker="_",
            s=600,
            color=COLOURS["published"],
            zorder=3,
            label="published (other data)" if place == 0 else None,
        )
    axes[1].set_xticks(
        (0, 1),
        (
            f"explicit\n{table['explicit']['seeds']} seed(s)",
            f"implicit\n{table['implicit']['seeds']} seed(s)",
        ),
    )
    axes[1].set(
        ylabel="relative L2 error",
        title=f"same {table['explicit']['parameters'] / 1e6:.2f} M weights: ratio {data['ratio']:.2f}",
    )
    axes[1].legend()
    return figure


def maps(data: dict) -> Figure:
    """Fig. 5: forcing, truth, answers and their errors, one colour scale for all fields and one for all errors."""
    rows = data["flows"][:3]
    figure, axes = plt.subplots(len(rows), 6, figsize=(14.5, 2.65 * len(rows)))
    limit = _largest(*(row[key] for row in rows for key in ("truth", "explicit", "implicit")))
    off = _largest(
        *(
            np.asarray(row[kind]) - np.asarray(row["truth"])
            for row in rows
            for kind in ("explicit", "implicit")
        )
    )
    for number, (place, row) in enumerate(zip(axes, rows)):
        named = (lambda title: title) if number == 0 else (lambda title: "")
        _field(place[0], row["curl"], _largest(row["curl"]), named("curl f (a scale for each)"))
        image = _field(place[1], row["truth"], limit, named("truth w, velocity"))
        _arrows(place[1], row["velocity"])
        for axis, error_axis, kind in (
            (place[2], place[3], "explicit"),
            (place[4], place[5], "implicit"),
        ):
            _field(axis, row[kind], limit, named(f"{kind} answer"))
            shade = _field(
                error_axis,
                np.abs(np.asarray(row[kind]) - np.asarray(row["truth"])),
                off,
                f"|error|, {row['error'][kind]:.3f} of |w|",
                "magma_r",
                0,
            )
    figure.colorbar(image, ax=axes[:, 4], shrink=0.6, label="w", location="bottom", pad=0.02)
    figure.colorbar(shade, ax=axes[:, 5], shrink=0.6, label="|error|", location="bottom", pad=0.02)
    return figure


def steepness(data: dict) -> Figure:
    """Fig. 4: L_t of the paper's protocol beside what the physical map has; true local constants over those of the physics; the error; all against t."""
    figure, axes = plt.subplots(1, 3, figsize=(14.5, 4.3))
    row = data["steepness"]
    t = range(1, len(row["lipschitz"]) + 1)
    axes[0].plot(t, row["lipschitz"], color=COLOURS["implicit"], lw=2, label="implicit, y_t")
    axes[0].axhline(row["target"], color=COLOURS["closed_form"], ls=":", label="the physical map")
    axes[0].axhline(row["explicit_lipschitz"], color=COLOURS["explicit"], ls="--", label="explicit")
    axes[0].set(ylabel="L_t", yscale="log", title="The paper's fifteen directions")
    ticks = [
        tick
        for tick in (5, 10, 20, 50, 100, 200, 500, 1000)
        if axes[0].get_ylim()[0] <= tick <= axes[0].get_ylim()[1]
    ]
    axes[0].set_yticks(ticks, [str(tick) for tick in ticks])
    ratio = np.asarray(row["local"]) / np.asarray(row["physical"])  # a row a t, a column a flow
    explicit = np.asarray(row["local_explicit"]) / np.asarray(row["physical"])
    for flow, (marker, curve) in enumerate(zip("os^Dv" * len(explicit), ratio.T)):
        axes[1].plot(
            row["local_t"],
            curve,
            color=COLOURS["implicit"],
            marker=marker,
            ms=5,
            label="implicit, y_t, a line a flow" if flow == 0 else None,
        )
        axes[1].plot(
            row["local_t"],
            [explicit[flow]] * len(curve),
            color=COLOURS["explicit"],
            ls="--",
            marker=marker,
            ms=4,
            label="explicit" if flow == 0 else None,
        )
    axes[1].axhline(1, color=COLOURS["closed_form"], ls=":", label="the physical map at that flow")
    axes[1].set(
        ylabel="local constant / that of the physics",
        ylim=(0, 1.4 * max(ratio.max(), explicit.max(), 1)),
        title="All directions",
    )
    mean, std = np.asarray(row["error_mean"]), np.asarray(row["error_std"])
    axes[2].plot(t, mean, color=COLOURS["implicit"], lw=2, label="implicit, y_t (band: one std)")
    axes[2].fill_between(
        t, np.maximum(mean - std, 1e-3), mean + std, color=COLOURS["implicit"], alpha=0.15, lw=0
    )
    axes[2].axhline(row["explicit_error"], color=COLOURS["explicit"], ls="--", label="explicit")
    axes[2].set(
        ylabel="relative L2 error", ylim=(0, None), title="The error meanwhile, clean and perturbed"
    )
    for axis, last in zip(axes, (len(row["lipschitz"]), row["local_t"][-1], len(row["lipschitz"]))):
        iterations(axis, (1, 2, 4, 8, 16, 32, 64, 128) if axis is axes[1] else _TICKS, last=last)
        axis.legend(fontsize="small", loc="upper right" if axis is not axes[0] else "best")
    figure.suptitle("How steep y_t is, and how wrong")
    return figure


def far_beyond(data: dict) -> Figure:
    """Error far beyond the iterations of training, from several starts, and of a network without an equilibrium."""
    figure, axis = plt.subplots(figsize=(7.4, 4.3))
    row = data["far"]
    t = range(1, len(row["implicit"]) + 1)
    axis.plot(
        range(1, len(row["random"]) + 1),
        row["random"],
        color=COLOURS["implicit"],
        lw=0.8,
        alpha=0.6,
        label="implicit, from noise",
    )
    axis.plot(t, row["implicit"], color=COLOURS["implicit"], lw=2, label="implicit, from z = 0")
    axis.plot(
        range(1, len(row["unrolled"]) + 1),
        row["unrolled"],
        color=COLOURS["naive"],
        label=f"trap: undamped, trained by unrolling {row['unrolled_steps']} iterations",
    )
    axis.axhline(data["far"]["explicit"], color=COLOURS["explicit"], ls="--", label="explicit")
    axis.axvspan(*row["visit"], color=COLOURS["bound"], alpha=0.15, lw=0)
    axis.axvline(row["unrolled_steps"], color=COLOURS["bound"], ls="--", lw=1)
    axis.text(
        row["unrolled_steps"],
        0.02,
        " unrolled depth",
        transform=axis.get_xaxis_transform(),
        fontsize=8,
        color="#555555",
    )
    iterations(axis, _TICKS, last=len(row["implicit"]))
    axis.set(
        ylabel="relative L2 error", ylim=(0, 1.1), title="Far beyond the iterations of training"
    )
    axis.legend(loc="upper right")
    return figure


def regularity(data: dict) -> Figure:
    """Modulus of G in the latent state at the equilibrium, and the observed rate, per flow."""
    figure, axis = plt.subplots(figsize=(6.6, 3.8))
    rows = data["regularity"]
    place = range(len(rows["mu"]))
    axis.plot(place, rows["mu"], "o", color=COLOURS["implicit"], label="mu, |dG/dz| at z*")
    axis.plot(
        place,
        rows["rate"],
        "s",
        color=COLOURS["implicit"],
        mfc="none",
        label="observed rate of convergence",
    )
    axis.axhline(1, color=COLOURS["closed_form"], lw=1)
    axis.set(
        xlabel="test flow",
        ylabel="contraction modulus",
        xticks=list(place),
        ylim=(0, None),
        title="The loop converges; is it a contraction?",
    )
    axis.legend()
    return figure


def sweep(data: dict) -> Figure:
    """Table 5: error and training memory against weights, FNO++ by depth and by width, beside the one implicit block."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.3))
    for kind, marker, colour in (("depth", "o", COLOURS["explicit"]), ("width", "s", SEQUENCE[5])):
        rows = data["sweep"][kind]
        weights = [row["parameters"] / 1e6 for row in rows]
        for axis, key in zip(axes, ("error", "memory")):
            axis.plot(
                weights,
                [row[key] for row in rows],
                marker=marker,
                color=colour,
                label=f"explicit, by {kind}",
            )
            for row, x in zip(rows[1:], weights[1:]):
                axis.annotate(
                    f"{kind} {row['size']}",
                    (x, row[key]),
                    textcoords="offset points",
                    xytext=(-4, -12),
                    fontsize=8,
                    color=colour,
                )
    own = data["table"]["implicit"]
    for axis, value, label in zip(
        axes,
        (own["error"], own["memory"]),
        ("implicit, its equilibrium", "implicit, any number of iterations"),
    ):
        axis.scatter(
            own["parameters"] / 1e6,
            value,
            marker="*",
            s=180,
            color=COLOURS["implicit"],
            zorder=3,
            label=label,
        )
        axis.axhline(value, color=COLOURS["implicit"], lw=1, ls=":")
        axis.set(
            xlabel="weights (millions)",
            ylim=(0, 1.08 * axis.get_ylim()[1]),
            xlim=(None, axis.get_xlim()[1] + 0.15 * np.ptp(axis.get_xlim())),
        )
        axis.legend()
    axes[0].set(ylabel="test error", title="Depth and width against iterations")
    axes[1].set(
        ylabel="kept for the backward pass (MB)",
        title=f"Training memory of one flow, {data['n']} x {data['n']}",
    )
    return figure


def physics(data: dict) -> Figure:
    """How far each answer is from solving the equation, against t."""
    figure, axis = plt.subplots(figsize=(6.8, 4))
    row = data["physics"]
    axis.plot(
        range(1, len(row["implicit"]) + 1),
        row["implicit"],
        color=COLOURS["implicit"],
        lw=2,
        label="implicit, y_t",
    )
    axis.axhline(row["explicit"], color=COLOURS["explicit"], ls="--", label="explicit")
    axis.axhline(1, color=COLOURS["bound"], ls=":", label="a fluid at rest")
    iterations(axis, _TICKS, last=len(row["implicit"]))
    axis.set(
        ylabel="residual of the equation / |curl f|",
        ylim=(0, 1.05),
        title="How far each answer is from solving the equation",
    )
    axis.legend()
    return figure


def race(data: dict) -> Figure:
    """Error against measured seconds a flow (the file of timings): the networks, and solvers from rest and from the networks' answers."""
    figure, axis = plt.subplots(figsize=(7.6, 4.6))
    for name, colour, marker, line in (
        ("implicit network, y_t", COLOURS["implicit"], "o", "-"),
        ("explicit network", COLOURS["explicit"], "X", "none"),
        ("Anderson from rest", _METHODS["Anderson"], "^", "-"),
        ("Anderson from explicit", COLOURS["explicit"], "^", "--"),
        ("Anderson from implicit", COLOURS["implicit"], "^", "--"),
        ("followed from rest", SEQUENCE[4], "s", "none"),
        ("Newton-Krylov from implicit", _METHODS["Newton-Krylov"], "D", "none"),
    ):
        row = data["race"][name]
        axis.loglog(
            row["seconds"],
            np.maximum(row["error"], 1e-9),
            color=colour,
            marker=marker,
            ls=line,
            ms=6,
            label=name,
        )
    axis.set(
        xlabel="seconds per flow, in one batch, on the machine that ran this",
        ylabel="relative L2 error",
        title=f"Error against time, mean of {data['race_flows']} flows",
    )
    axis.legend(fontsize="small", loc="lower left")
    return figure


def head_start(data: dict) -> Figure:
    """Evaluations that Anderson's method and Newton-Krylov need per flow, from rest, from the explicit and from the implicit answer."""
    figure, axes = plt.subplots(1, 2, figsize=(11.5, 4), sharey=True)
    for axis, (solver, rows) in zip(axes, data["head_start"].items()):
        count = len(rows["rest"]["steps"])
        for offset, (name, label, colour) in zip(
            (-0.27, 0, 0.27),
            (
                ("rest", "from rest", SEQUENCE[4]),
                ("explicit", "from the explicit answer", COLOURS["explicit"]),
                ("implicit", "from the implicit answer", COLOURS["implicit"]),
            ),
        ):
            mean = "" if rows[name]["mean"] is None else f": mean {rows[name]['mean']:.0f}"
            bars = axis.bar(
                np.arange(count) + offset,
                rows[name]["steps"],
                0.26,
                color=colour,
                label=label + mean,
            )
            for bar, right in zip(bars, rows[name]["right"]):
                if not right:
                    bar.set(facecolor="none", edgecolor=colour, hatch="////")
        axis.set(xlabel="test flow", xticks=list(range(count)), title=solver)
        axis.legend(loc="upper right")
    axes[0].set(ylabel="evaluations to residual 1e-8", ylim=(0, 1.4 * axes[0].get_ylim()[1]))
    figure.suptitle(
        "A network's answer as the first guess of a solver (means over flows solved from everywhere)"
    )
    return figure


def transfer(data: dict) -> Figure:
    """Other grids and other amplitudes than those of training."""
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.2))
    for axis, key in zip(axes, ("resolution", "amplitude")):
        row = data[key]
        for kind in ("explicit", "implicit"):
            axis.plot(row["values"], row[kind], marker="o", color=COLOURS[kind], label=kind)
        for value, error, solved in zip(row["values"], row["implicit"], row["solved"]):
            if solved < 1:  # an answer that is no equilibrium
                axis.annotate(
                    f"{solved:.0%} solved",
                    (value, error),
                    textcoords="offset points",
                    xytext=(8, 2),
                    fontsize=8,
                    color=COLOURS["implicit"],
                )
        axis.set(ylabel="relative L2 error", ylim=(0, None))
        axis.set_xticks(row["values"], [f"{v:g}" for v in row["values"]])
        for trained in row["trained"]:
            axis.axvline(trained, color=COLOURS["bound"], ls="--", lw=1)
            axis.text(
                trained,
                0.02,
                " trained",
                transform=axis.get_xaxis_transform(),
                fontsize=8,
                color="#555555",
            )
        axis.legend()
    axes[0].set(
        xlabel="grid points n of n x n",
        title=f"Another grid, the same weights: {data['resolution']['flows'][0]} flows",
    )
    axes[1].set_xticks(
        data["amplitude"]["values"],
        [
            f"{v:g}\n{count} flows"
            for v, count in zip(data["amplitude"]["values"], data["amplitude"]["flows"])
        ],
    )
    axes[1].set(xlabel="std(w)", title="Another strength of forcing, labels by the same rule")
    return figure
