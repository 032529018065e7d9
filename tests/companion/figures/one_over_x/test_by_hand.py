"""Without Jupyter there are no sliders, and the static figure stays."""

from equilibria.companion.figures import one_over_x as draw
from matplotlib import pyplot


def test_there_is_no_slider_outside_of_jupyter(monkeypatch):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    figure = pyplot.figure()
    assert draw.slider(instead_of=figure) is False
    assert pyplot.fignum_exists(figure.number)
    pyplot.close(figure)
