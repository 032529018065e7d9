// Frames under sliders, without a kernel: lines, pictures on one sheet, or questions and answers.
//
// Each element of the class `player` holds its frames as JSON in `data-player`, and a still picture
// that stays where scripts don't run. lib/equilibria/companion/figures/player.py writes both and
// says what the JSON holds. A frame's number counts the sliders like digits, the last one fastest.
(() => {
  "use strict";

  const CSS = `
    .player { max-width: 40rem; margin: 0.5rem 0; }
    .player svg { display: block; width: 100%; touch-action: pan-y; }
    .player text { font: 13px sans-serif; fill: currentColor; }
    .player .axis { stroke: currentColor; opacity: 0.25; }
    .player .line { fill: none; stroke: #1c86d1; stroke-width: 3; }
    .player .still { fill: none; stroke: currentColor; stroke-width: 1.5; stroke-dasharray: 6 4; }
    .player .panels { display: flex; gap: 0.4rem; }
    .player .panels figure { flex: 1 1 0; min-width: 0; margin: 0; padding: 0; }
    .player figcaption { font: 14px sans-serif; text-align: center; }
    .player .sheet { width: 100%; background-repeat: no-repeat; }
    .player ol { display: flex; flex-wrap: wrap; gap: 0.25rem; list-style: none; padding: 0; margin: 0.5rem 0; }
    .player ol.sentences { flex-direction: column; }
    .player li { display: flex; align-items: center; margin: 0; font: 15px sans-serif; }
    .player .symbols li { flex-direction: column; flex: 0 0 2.2rem; }
    .player li button { min-width: 2.2rem; min-height: 2.2rem; padding: 0 0.4rem; border-color: transparent; }
    .player .symbols li button { width: 2.2rem; border-color: currentColor; }
    .player .sentences li button { flex: 0 1 15rem; text-align: left; }
    .player .sentences li button:enabled { border-color: currentColor; }
    .player li button:disabled { cursor: default; opacity: 1; }
    .player ol li .changed:enabled { border: 2px solid #d55e00; font-weight: bold; }
    .player li span { padding: 0.15rem 0.5rem; border-bottom: 3px solid transparent; }
    .player li .moved { border-color: #d55e00; }
    .player li .wrong { text-decoration: line-through; opacity: 0.55; }
    .player label { display: flex; gap: 0.75rem; align-items: center; min-height: 2.75rem; }
    .player label span { flex: 0 0 8.5rem; font: 14px sans-serif; }
    .player input { flex: 1 1 auto; min-width: 0; accent-color: #1c86d1; }
    .player button { font: 14px sans-serif; min-height: 2.75rem; min-width: 6rem; cursor: pointer;
      color: inherit; background: none; border: 1px solid currentColor; border-radius: 4px; }
    .player output { display: block; font: 14px sans-serif; min-height: 2.6em; margin: 0.25rem 0; }`;
  const OWN_KEYS = { "data-lm-suppress-shortcuts": "true" }; // JupyterLab leaves them the arrows
  const MILLISECONDS = 250; // of one frame while playing
  const MARGIN = { left: 44, right: 12, top: 12, bottom: 44 };

  function element(name, attributes = {}, text = "") {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  function drawn(name, attributes, text = "") {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.textContent = text;
    return made;
  }

  // A plot of lines; returns the function that shows frame i.
  function linesIn(root, spec) {
    const svg = drawn("svg", { role: "img", "aria-label": spec.alt });
    root.append(svg);
    let shown = 0;
    let line = null;
    let path = () => "";

    function layOut() {
      const width = Math.max(root.clientWidth, 240);
      const height = Math.min(360, Math.max(240, 0.62 * width));
      const inner = {
        width: width - MARGIN.left - MARGIN.right,
        height: height - MARGIN.top - MARGIN.bottom,
      };
      const across = (x) => ((x - spec.x.from) / (spec.x.to - spec.x.from)) * inner.width;
      const up = (y) => (1 - (y - spec.y.from) / (spec.y.to - spec.y.from)) * inner.height;
      path = (values) =>
        values.map((y, i) => `${i ? "L" : "M"}${across(spec.x.at[i]).toFixed(1)} ${up(y).toFixed(1)}`).join("");
      // An inner svg clips what leaves the axes.
      const plot = drawn("svg", { x: MARGIN.left, y: MARGIN.top, ...inner });
      plot.append(drawn("path", { class: "still", d: path(spec.still) }));
      line = drawn("path", { class: "line", d: path(spec.lines[shown]) });
      plot.append(line);
      svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      svg.replaceChildren(plot);
      const bottom = MARGIN.top + inner.height;
      for (const tick of spec.x.ticks) {
        const x = MARGIN.left + across(tick);
        svg.append(drawn("line", { class: "axis", x1: x, x2: x, y1: MARGIN.top, y2: bottom }));
        svg.append(drawn("text", { x, y: bottom + 18, "text-anchor": "middle" }, tick));
      }
      for (const tick of spec.y.ticks) {
        const y = MARGIN.top + up(tick);
        svg.append(drawn("line", { class: "axis", x1: MARGIN.left, x2: width - MARGIN.right, y1: y, y2: y }));
        svg.append(drawn("text", { x: MARGIN.left - 8, y: y + 4, "text-anchor": "end" }, tick));
      }
      const middle = MARGIN.left + inner.width / 2;
      svg.append(drawn("text", { x: middle, y: height - 6, "text-anchor": "middle" }, spec.x.label));
      const corner = spec.rising ? MARGIN.left + 116 : width - MARGIN.right - 8;
      const right = { x: corner, "text-anchor": "end" };
      spec.legend.forEach((words, i) => {
        const y = MARGIN.top + 22 + 22 * i;
        svg.append(drawn("text", { ...right, y }, words));
        const stroke = { class: i ? "still" : "line", d: `M${right.x - 104} ${y - 4}h28` };
        svg.append(drawn("path", stroke));
      });
    }

    new ResizeObserver(layOut).observe(root);
    layOut();
    return (i) => {
      shown = i;
      line.setAttribute("d", path(spec.lines[i]));
    };
  }

  // Pictures of one sheet beside each other; returns the function that shows frame i.
  function picturesIn(root, spec) {
    const { url, columns, rows, width, height } = spec.sheet;
    const share = (place, count) => (count > 1 ? (100 * place) / (count - 1) : 0);
    const panels = element("div", { class: "panels", role: "img", "aria-label": spec.alt });
    root.append(panels);
    const moving = [];
    for (const { label, at } of spec.panels ?? [{ label: "", at: null }]) {
      const picture = element("div", { class: "sheet" });
      picture.style.backgroundImage = `url("${url}")`;
      picture.style.backgroundSize = `${100 * columns}% ${100 * rows}%`;
      picture.style.aspectRatio = `${width} / ${height}`;
      const show = (i) => {
        const across = share(i % columns, columns);
        const down = share(Math.floor(i / columns), rows);
        picture.style.backgroundPosition = `${across}% ${down}%`;
      };
      const panel = element("figure");
      panel.append(picture, element("figcaption", {}, label));
      panels.append(panel);
      if (at === null) moving.push(show);
      else show(at);
    }
    return (i) => moving.forEach((show) => show(i));
  }

  // Parts of a question with an answer beside each; returns the function that shows frame i.
  // A press on a part chooses the next of the questions in which this part is another one.
  function cellsIn(root, spec, choose) {
    const { kind, before, places, given, changed, truth, words, answers } = spec.cells;
    if (before) root.append(element("p", {}, before));
    const list = element("ol", { class: kind, "aria-label": spec.alt });
    let variant = 0;
    const parts = given.map((text, k) => {
      const part = element("button", { type: "button", ...OWN_KEYS }, text);
      part.disabled = !places.includes(k);
      const answer = element("span");
      const item = element("li");
      item.append(part, answer);
      list.append(item);
      part.addEventListener("click", () => {
        const here = places.flatMap((place, v) => (place === k ? [v] : []));
        // After the last of them comes the question as it was.
        choose(here.find((v) => v > variant || places[variant] !== k) ?? 0);
      });
      return { part, answer };
    });
    root.append(list);
    return (i) => {
      variant = i % places.length;
      const now = answers[Math.floor(i / places.length)];
      parts.forEach(({ part, answer }, k) => {
        const isChanged = places[variant] === k;
        part.textContent = isChanged ? changed[variant] : given[k];
        part.classList.toggle("changed", isChanged);
        const said = now[variant][k];
        answer.textContent = words[parseInt(said, 36)];
        answer.classList.toggle("wrong", said !== truth[variant][k]);
        answer.classList.toggle("moved", said !== now[0][k]);
      });
    };
  }

  function mount(root) {
    const spec = JSON.parse(root.dataset.player);
    root.classList.add("playing-here");
    root.replaceChildren(element("style", {}, CSS));
    const kind = spec.sheet ? picturesIn : spec.cells ? cellsIn : linesIn;
    const show = kind(root, spec, (value) => {
      inputs.at(-1).input.value = value;
      stop();
      update();
    });
    const words = element("output");
    root.append(words);

    const inputs = spec.sliders.map((slider) => {
      const input = element("input", {
        type: "range", min: 0, max: slider.values.length - 1, step: 1, value: slider.start,
        ...OWN_KEYS,
      });
      const name = element("span");
      const label = element("label");
      label.append(name, input);
      root.append(label);
      input.addEventListener("input", () => { stop(); update(); });
      return { input, name, slider };
    });

    function update() {
      let frame = 0;
      for (const { input, name, slider } of inputs) {
        const value = slider.values[input.value];
        frame = frame * slider.values.length + Number(input.value);
        name.textContent = `${slider.label} = ${value}`;
        input.setAttribute("aria-label", slider.label);
        input.setAttribute("aria-valuetext", value);
      }
      words.textContent = spec.words[frame];
      show(frame);
    }

    // The button plays the first slider to its end.
    const first = inputs[0].input;
    const button = element("button", { type: "button", ...OWN_KEYS }, "▶ Play");
    let timer = null;
    function stop() {
      clearInterval(timer);
      timer = null;
      button.textContent = "▶ Play";
    }
    button.addEventListener("click", () => {
      if (timer !== null) return stop();
      if (first.value === first.max) first.value = 0;
      button.textContent = "❚❚ Pause";
      timer = setInterval(() => {
        first.stepUp();
        update();
        if (first.value === first.max) stop();
      }, MILLISECONDS);
      update();
    });
    root.append(button);
    update();
  }

  function mountAll() {
    document.querySelectorAll(".player[data-player]:not(.playing-here)").forEach(mount);
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", mountAll);
  else mountAll();
})();
