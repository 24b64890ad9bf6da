"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";
  const front = new Set(data.front);
  const byNumber = new Map(data.trials.map((t) => [t.number, t]));
  const goals = new Map(data.aims.map((a) => [a.name, a]));
  const measures = [...data.measures];
  let picked = data.best;

  const value = (t, name) => (name === "trial" ? t.number : t.objectives[name]);
  const whole = new Set(measures.filter((m) =>
    data.trials.every((t) => t.objectives[m] === undefined || Number.isInteger(t.objectives[m]))));
  const show = (v, name) => {
    if (v === undefined || v === null) return "";
    if (whole.has(name)) return v.toLocaleString("en-US");
    const digits = Math.abs(v) >= 100 ? 1 : Math.abs(v) >= 1 ? 2 : 4;
    return v.toFixed(digits);
  };
  const label = (name) => {
    const aim = goals.get(name), unit = data.units[name];
    const arrow = aim ? (aim.maximize ? " ↑" : " ↓") : "";
    return name + (unit ? ` [${unit}]` : "") + arrow;
  };
  const node = (name, attributes, text) => {
    const made = document.createElementNS(SVG, name);
    for (const [k, v] of Object.entries(attributes)) made.setAttribute(k, v);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  };

  // The scatter plot
  const plot = document.getElementById("plot");
  const pickX = document.getElementById("x"), pickY = document.getElementById("y");
  const showNeighbors = document.getElementById("neighbors");
  const ticks = (low, high, most) => {
    const rough = (high - low) / most, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((f) => f * power).find((s) => s >= rough);
    const found = [];
    for (let t = Math.ceil(low / step) * step; t <= high + step * 1e-9; t += step) {
      found.push(Math.abs(t) < step * 1e-9 ? 0 : t);
    }
    return found;
  };
  const short = (v) => {
    const a = Math.abs(v);
    if (a >= 1e9) return +(v / 1e9).toPrecision(3) + "G";
    if (a >= 1e6) return +(v / 1e6).toPrecision(3) + "M";
    if (a >= 1e4) return +(v / 1e3).toPrecision(3) + "k";
    return String(+v.toPrecision(4));
  };
  const drawPlot = () => {
    plot.replaceChildren();
    const W = 720, H = 400, L = 62, R = 16, T = 14, B = 46;
    plot.setAttribute("viewBox", `0 0 ${W} ${H}`);
    const nx = pickX.value, ny = pickY.value;
    const points = data.trials.filter((t) => t.state === "complete" &&
      (t.role === "center" || showNeighbors.checked) &&
      Number.isFinite(value(t, nx)) && Number.isFinite(value(t, ny)));
    if (!points.length) {
      plot.append(node("text", {x: W / 2, y: H / 2, "text-anchor": "middle"},
        "no trial has both values"));
      return;
    }
    const range = (name) => {
      const all = points.map((t) => value(t, name));
      let low = Math.min(...all), high = Math.max(...all);
      const pad = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
      return [low - pad, high + pad];
    };
    const [x0, x1] = range(nx), [y0, y1] = range(ny);
    const px = (v) => L + (v - x0) / (x1 - x0) * (W - L - R);
    const py = (v) => H - B - (v - y0) / (y1 - y0) * (H - T - B);
    for (const t of ticks(x0, x1, 7)) {
      plot.append(node("line", {class: "axis", x1: px(t), x2: px(t), y1: T, y2: H - B}));
      plot.append(node("text", {x: px(t), y: H - B + 17, "text-anchor": "middle"}, short(t)));
    }
    for (const t of ticks(y0, y1, 6)) {
      plot.append(node("line", {class: "axis", x1: L, x2: W - R, y1: py(t), y2: py(t)}));
      plot.append(node("text", {x: L - 7, y: py(t) + 4, "text-anchor": "end"}, short(t)));
    }
    plot.append(node("text", {class: "title", x: (L + W - R) / 2, y: H - 8,
      "text-anchor": "middle"}, label(nx)));
    plot.append(node("text", {class: "title", "text-anchor": "middle",
      transform: `translate(14 ${(T + H - B) / 2}) rotate(-90)`}, label(ny)));
    const gx = goals.get(nx), gy = goals.get(ny);
    if (gx && gy && nx !== ny) {
      // The front of these two objectives alone, as a staircase.
      const sx = gx.maximize ? -1 : 1, sy = gy.maximize ? -1 : 1;
      const sorted = points.filter((t) => t.role === "center")
        .map((t) => [value(t, nx), value(t, ny)])
        .sort((a, b) => sx * (a[0] - b[0]) || sy * (a[1] - b[1]));
      let least = Infinity, path = "", before = null;
      for (const [a, b] of sorted) {
        if (sy * b < least) {
          least = sy * b;
          path += before === null ? `M${px(a)} ${py(b)}` : `H${px(a)}V${py(b)}`;
          before = b;
        }
      }
      plot.append(node("path", {class: "stairs", d: path}));
    }
    const order = (t) => (t.number === data.best ? 3 : front.has(t.number) ? 2 :
      t.role === "center" ? 1 : 0);
    for (const t of [...points].sort((a, b) => order(a) - order(b))) {
      const kind = ["neighbor", "", "onfront", "best"][order(t)];
      const radius = [3, 4.5, 5.5, 7.5][order(t)];
      const dot = node("circle", {class: `dot ${kind}${t.number === picked ? " picked" : ""}`,
        cx: px(value(t, nx)), cy: py(value(t, ny)), r: radius});
      dot.append(node("title", {}, `#${t.number}${t.edit ? " (" + t.edit + ")" : ""}\n` +
        measures.filter((m) => t.objectives[m] !== undefined)
          .map((m) => `${m}: ${show(t.objectives[m], m)}`).join("\n")));
      dot.addEventListener("click", () => pick(t.number, true));
      plot.append(dot);
    }
  };
  for (const select of [pickX, pickY]) {
    for (const name of [...measures, "trial"]) select.append(new Option(label(name), name));
    select.addEventListener("change", drawPlot);
  }
  pickX.value = data.x;
  pickY.value = data.y;
  showNeighbors.addEventListener("change", drawPlot);

  // The table
  const body = document.querySelector("#trials tbody");
  const headRow = document.querySelector("#trials thead tr");
  const onlyCenters = document.getElementById("centers");
  const more = document.getElementById("more");
  const PAGE = 100;
  let limit = PAGE, sorted = {by: "number", down: false};
  const columns = [
    {id: "number", title: "#", get: (t) => t.number},
    {id: "role", title: "role", text: true, get: (t) => t.role === "center" ? "center" :
      `${t.edit ?? "neighbor"} of #${t.center}`},
    {id: "rank", title: "rank", get: (t) => t.rank},
    {id: "state", title: "state", text: true, get: (t) => t.state},
    ...measures.map((m) => ({id: "m:" + m, title: label(m), get: (t) => t.objectives[m],
      measure: m})),
    {id: "seconds", title: "seconds", get: (t) => t.seconds},
    {id: "reason", title: "note", text: true, wide: true, get: (t) => t.reason},
  ].filter((c) => c.id !== "reason" || data.trials.some((t) => t.reason));
  const compare = (a, b) => {
    if (a === b) return 0;
    if (a === undefined || a === null) return 1;
    if (b === undefined || b === null) return -1;
    const c = typeof a === "string" ? a.localeCompare(b, "en", {numeric: true}) : a - b;
    return sorted.down ? -c : c;
  };
  const drawTable = () => {
    const column = columns.find((c) => c.id === sorted.by);
    const rows = data.trials.filter((t) => !onlyCenters.checked || t.role === "center")
      .sort((a, b) => compare(column.get(a), column.get(b)) || a.number - b.number);
    headRow.replaceChildren(...columns.map((c) => {
      const th = element("th", c.text ? "text" : "", c.title);
      if (c.id === sorted.by) th.setAttribute("aria-sort", sorted.down ? "descending" : "ascending");
      th.addEventListener("click", () => {
        const goal = goals.get(c.measure);
        sorted = {by: c.id, down: sorted.by === c.id ? !sorted.down : Boolean(goal?.maximize)};
        drawTable();
      });
      return th;
    }));
    body.replaceChildren(...rows.slice(0, limit).map((t) => {
      const tr = element("tr", t.number === picked ? "picked" : "");
      tr.dataset.number = t.number;
      for (const c of columns) {
        const v = c.get(t);
        const text = c.text ? v ?? "" : c.id === "number" || c.id === "rank" ? String(v ?? "") :
          c.id === "seconds" ? (v === undefined || v === null ? "" : v.toFixed(2)) : show(v, c.measure);
        const td = element("td", (c.text ? "text" : "") + (c.wide ? " wide" : "") +
          (c.id === "state" ? ` state-${t.state}` : ""), text);
        if (c.id === "role" && t.number === data.best) td.append(element("span", "tag", "best"));
        else if (c.id === "role" && front.has(t.number)) {
          td.append(element("span", "tag", "front"));
        }
        tr.append(td);
      }
      tr.addEventListener("click", () => pick(t.number, false));
      return tr;
    }));
    more.hidden = rows.length <= limit;
    more.textContent = `show all ${rows.length} rows`;
  };
  onlyCenters.addEventListener("change", drawTable);
  more.addEventListener("click", () => { limit = Infinity; drawTable(); });

  // One trial in detail, and its drawing where there is one
  const detail = document.getElementById("detail");
  const pick = (number, scroll) => {
    picked = number;
    const t = byNumber.get(number);
    drawPlot();
    for (const tr of body.children) tr.classList.toggle("picked", +tr.dataset.number === number);
    const list = element("dl");
    const add = (name, text) => list.append(element("dt", "", name), element("dd", "", text));
    add("trial", `#${t.number}, ${t.role === "center" ? "center" :
      `neighbor of #${t.center} by ${t.edit}`}, ${t.state}`);
    if (t.reason) add("note", t.reason);
    if (t.rank !== null) add("rank", String(t.rank));
    if (t.key) add("key", t.key);
    for (const m of measures) {
      if (t.objectives[m] === undefined) continue;
      const spread = t.spreads[m] === undefined ? "" : ` ± ${show(t.spreads[m], m)}`;
      const unit = data.units[m] ? ` ${data.units[m]}` : "";
      add(m, `${show(t.objectives[m], m)}${spread}${unit}`);
    }
    for (const [name, v] of Object.entries(t.decisions ?? {})) {
      add(name, Array.isArray(v) ? `{${v.join(", ")}}` : String(v));
    }
    add("fingerprint", t.fingerprint);
    detail.replaceChildren(list);
    showDrawing(number);
    if (scroll) detail.scrollTop = 0;
  };
  const chips = document.querySelectorAll("#chips button");
  const showDrawing = (number) => {
    const wanted = document.getElementById(`drawing-${number}`);
    if (!wanted) return;
    for (const d of document.querySelectorAll(".drawing")) d.classList.toggle("shown", d === wanted);
    for (const c of chips) c.setAttribute("aria-pressed", String(+c.dataset.number === number));
  };
  for (const chip of chips) chip.addEventListener("click", () => pick(+chip.dataset.number, false));

  drawTable();
  if (data.trials.length) pick(picked ?? data.trials[0].number, false);
  else drawPlot();
})();
