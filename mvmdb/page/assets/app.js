"use strict";
// Ties the page together: the address, the controls, pointer and keyboard, the map and the panel.

mvmdbPage.app = (function () {
  const { colours, data, map: maps, panel: panels, search, sphere, state: states } = mvmdbPage;
  const { el, plural } = panels;
  const $ = (id) => document.getElementById(id);
  const app = { state: states.fresh(), ready: false };

  async function begin() {
    let index;
    try { index = await data.load("index"); } catch (error) {
      $("status").textContent = `${error.message}. Expected data/index.js beside this page.`;
      return;
    }
    document.title = index.title;
    $("title").textContent = index.title;
    app.index = index;
    app.tessellation = new sphere.Tessellation(index.rings);
    app.map = new maps.SkyMap($("map"), index, app.tessellation);
    app.first = app.map.firstView();
    app.panel = new panels.Panel($("panel"), index, app.tessellation, (text) => { $("live").textContent = text; });
    app.panel.onClose = () => { change({ cell: null }); $("map").focus(); };
    app.panel.onChoose = (cell) => choose(cell, {}, true);
    app.panel.onZoom = (cell) => goTo(sphere.radec(app.tessellation.centre(...cell)), 0.5);
    app.map.onDraw = drawn;
    data.onChange = () => { app.map.redraw(); };
    fillControls();
    listen();
    totals();
    follow();
    new ResizeObserver(() => { app.map.resize(); app.map.redraw(); }).observe($("map"));
    app.map.resize();
    app.map.redraw();
  }

  function totals() {
    const i = app.index;
    $("totals").textContent = `${plural(i.exposures, "exposure")}, ${colours.duration(i.seconds)}, in ${plural(i.layers, "layer")} of ${plural(i.skycells, "sky cell")}; ${plural(i.stale, "layer")} stale.`;
    $("as-of").textContent = i.asOf ? `Last change of the catalog: ${i.asOf.replace("T", " ").replace("Z", " UTC")}` : "";
  }

  // The state of the address, and what follows from it.
  function follow() {
    const s = states.fromHash(location.hash, app.tessellation, colours.MEASURES, app.first), before = app.state;
    app.state = app.map.state = s;
    showControls();
    if (s.cell && (!before.cell || String(before.cell) !== String(s.cell) || !app.panel.shown)) app.panel.show(s.cell, s);
    else if (!s.cell) app.panel.hide();
    $("app").classList.toggle("with-panel", !!s.cell);
    app.map.redraw();
  }

  let timer = 0;
  // Change the state. Small steps of the view replace the address; other changes are steps of the history.
  function change(values, { step = true, panel = null } = {}) {
    const conditions = states.conditionsKey(app.state), cell = String(app.state.cell);
    Object.assign(app.state, values);
    if (states.conditionsKey(app.state) !== conditions) { data.forgetQueue(); if (app.state.cell) app.panel.show(app.state.cell, app.state); }
    if (String(app.state.cell) !== cell) {
      if (app.state.cell) app.panel.show(app.state.cell, app.state, panel || {});
      else app.panel.hide();
      $("app").classList.toggle("with-panel", !!app.state.cell);
      if (app.state.cell) $("panel").scrollIntoView({ block: "nearest" }); // where the page is too small for both
    }
    showControls();
    app.map.redraw();
    clearTimeout(timer);
    const hash = states.toHash(app.state, app.tessellation);
    if (step) history.pushState(null, "", hash);
    else timer = setTimeout(() => history.replaceState(null, "", states.toHash(app.state, app.tessellation)), 150);
  }

  function choose(cell, panel = {}, focus = false) {
    if (app.state.cell && String(app.state.cell) === String(cell)) app.panel.show(cell, app.state, { ...panel, focus });
    else change({ cell }, { panel: { ...panel, focus } });
  }

  function goTo([ra, dec], fov, more = {}) {
    data.forgetQueue();
    change({ ra, dec, fov, ...more });
  }

  // Controls at the side.

  function fillControls() {
    for (const [name, measure] of Object.entries(colours.MEASURES)) {
      $("by").append(el("label", { class: "choice" }, el("input", { type: "radio", name: "by", value: name, onchange: () => change({ by: name }) }), ` ${measure.label}`));
    }
    for (const [name, , n] of app.index.filters) {
      $("filters").append(el("label", { class: "choice" }, el("input", { type: "checkbox", value: name, onchange: pickFilters }), ` ${name.toUpperCase()} `, el("span", { class: "faint" }, colours.whole(n))));
    }
    const months = app.index.months;
    for (const id of ["first", "last"]) if (months) { $(id).min = states.monthText(months[0]); $(id).max = states.monthText(months[1]); }
    $("dates-known").textContent = months ? `Exposures begin ${panels.range(...months.map(states.monthText))}.` : "";
  }

  function pickFilters() {
    change({ filters: [...$("filters").querySelectorAll("input:checked")].map((box) => box.value) });
  }

  function showControls() {
    const s = app.state;
    for (const radio of $("by").querySelectorAll("input")) radio.checked = radio.value === s.by;
    for (const box of $("filters").querySelectorAll("input")) box.checked = s.filters.includes(box.value);
    if (document.activeElement !== $("first")) $("first").value = states.monthText(s.first);
    if (document.activeElement !== $("last")) $("last").value = states.monthText(s.last);
    if (document.activeElement !== $("program")) $("program").value = s.programs.join(", ");
    $("galaxy").checked = s.galaxy;
    $("clear").hidden = !states.isConditioned(s);
    $("conditions").textContent = states.isConditioned(s) ? `Shown: ${states.words(s)}.` : "";
  }

  function pickDates() {
    const values = {}, wrong = [];
    for (const id of ["first", "last"]) {
      const text = $(id).value.trim(), month = states.monthOf(text);
      if (text && month === null) wrong.push(`${text} is no month; expected one like 2012-05.`);
      else values[id] = month;
    }
    if (!wrong.length && values.first !== null && values.last !== null && values.first > values.last) wrong.push("The first month is after the last.");
    $("dates-problem").textContent = wrong.join(" ");
    if (!wrong.length && (values.first !== app.state.first || values.last !== app.state.last)) change(values);
  }

  function pickPrograms() {
    const words = $("program").value.split(/[\s,;]+/).filter(Boolean), wrong = words.filter((word) => !/^\d{1,7}$/.test(word));
    const unknown = words.filter((word) => !wrong.includes(word) && !app.index.programs.includes(Math.floor(word / 100)));
    $("program-problem").textContent = wrong.length ? `${wrong[0]} is no program; expected numbers like 11359.` : unknown.length ? `No layer has an exposure of program ${unknown[0]}.` : "";
    const programs = words.map(Number);
    if (!wrong.length && String(programs) !== String(app.state.programs)) change({ programs });
  }

  function find(event) {
    event.preventDefault();
    const found = search.read($("search").value, app.tessellation);
    $("search-problem").textContent = found.problem || "";
    $("search").setAttribute("aria-invalid", String(!!found.problem));
    if (found.cell) goTo(sphere.radec(app.tessellation.centre(...found.cell)), 0.5, { cell: found.cell });
    else if (found.position) goTo(found.position, 0.5);
  }

  // Pointer and keyboard.

  function listen() {
    window.addEventListener("popstate", follow);
    window.addEventListener("hashchange", follow);
    $("search-form").addEventListener("submit", find);
    for (const id of ["first", "last"]) $(id).addEventListener("change", pickDates);
    $("program").addEventListener("change", pickPrograms);
    $("program").addEventListener("keydown", (event) => { if (event.key === "Enter") pickPrograms(); });
    $("galaxy").addEventListener("change", () => change({ galaxy: $("galaxy").checked }));
    $("clear").addEventListener("click", () => { change({ filters: [], first: null, last: null, programs: [] }); $("dates-problem").textContent = $("program-problem").textContent = ""; });
    $("zoom-in").addEventListener("click", () => zoom(2));
    $("zoom-out").addEventListener("click", () => zoom(0.5));
    $("whole").addEventListener("click", () => change({ fov: states.WHOLE }));
    $("table-box").addEventListener("toggle", () => app.map.redraw());
    theme();
    pointers();
    document.addEventListener("keydown", keys);
    $("map").addEventListener("focus", () => app.map.redraw());
    $("map").addEventListener("blur", () => app.map.redraw());
  }

  function keys(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
    if (event.key === "/" && !typing) { event.preventDefault(); $("search").focus(); return; }
    if (event.key === "Escape" && app.state.cell) { app.panel.onClose(); return; }
    if (event.target !== $("map")) return;
    const view = app.map.view(), step = Math.min(30, 0.12 * Math.min(view.width, view.height) * view.degreesPerPixel);
    const moves = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
    if (moves[event.key]) pan(moves[event.key][0] * step, moves[event.key][1] * step);
    else if (event.key === "+" || event.key === "=") zoom(1.5);
    else if (event.key === "-" || event.key === "_") zoom(1 / 1.5);
    else if (event.key === "Home") change({ fov: states.WHOLE });
    else if (event.key === "Enter") pick(view.width / 2, view.height / 2, true);
    else return;
    event.preventDefault();
  }

  function pan(east, north) {
    const s = app.state, dec = Math.max(-90, Math.min(90, s.dec + north));
    change({ ra: (s.ra + east / Math.max(0.05, Math.cos(s.dec * sphere.RAD)) + 720) % 360, dec }, { step: false });
  }

  // Zoom by a factor, about a pixel of the map or its middle.
  function zoom(factor, px = app.map.width / 2, py = app.map.height / 2) {
    const view = app.map.view(), under = view.vectorAt(px, py), s = app.state;
    const fov = app.map.fovOf(Math.max(app.map.smallest, view.scale * factor));
    data.forgetQueue();
    change({ fov }, { step: false });
    if (!under || fov === states.WHOLE) return;
    for (let i = 0; i < 2; i++) { // what was under the pointer stays there
      const now = app.map.view(), [x, y] = now.place(now.turn(under)), d = now.degreesPerPixel;
      pan((px - x) * d, (py - y) * d);
    }
  }

  function pointers() {
    const canvas = $("map"), down = new Map();
    let moved = false, spread = 0, middle = null, picked = 0;
    const at = (event) => { const box = canvas.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      down.set(event.pointerId, at(event));
      if (down.size === 1) moved = false;
      spread = 0;
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      if (!down.has(event.pointerId)) { if (event.pointerType !== "touch") hover(x, y); return; }
      const [x0, y0] = down.get(event.pointerId);
      if (!moved && down.size === 1 && Math.hypot(x - x0, y - y0) < 4) return;
      moved = true;
      down.set(event.pointerId, [x, y]);
      if (down.size === 1) { const d = app.map.view().degreesPerPixel; pan((x - x0) * d, (y - y0) * d); return; }
      const [a, b] = [...down.values()], now = Math.hypot(a[0] - b[0], a[1] - b[1]), between = [(a[0] + b[0]) / 2, (a[1] + b[1]) / 2];
      if (spread) {
        const d = app.map.view().degreesPerPixel;
        pan((between[0] - middle[0]) * d, (between[1] - middle[1]) * d);
        zoom(now / spread, ...between);
      }
      spread = now;
      middle = between;
    });
    const up = (event) => {
      const there = down.delete(event.pointerId);
      spread = 0;
      if (!there || moved || event.type !== "pointerup") return;
      const twice = event.timeStamp - picked < 400; // the second click of two is no click of its own
      if (!twice) picked = pick(...at(event), false) ? event.timeStamp : 0;
    };
    canvas.addEventListener("pointerup", up);
    canvas.addEventListener("pointercancel", up);
    canvas.addEventListener("pointerleave", () => { $("under").textContent = ""; });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      zoom(Math.exp(-Math.max(-240, Math.min(240, event.deltaY * (event.deltaMode ? 30 : 1))) / 320), ...at(event));
    }, { passive: false });
    canvas.addEventListener("dblclick", (event) => { if (!picked) zoom(2.5, ...at(event)); });
  }

  // Open what is at a pixel: a sky cell, or the way to sky cells. Returns whether something is there.
  function pick(x, y, focus) {
    const hit = app.map.hit(x, y);
    if (!hit) return false;
    const [ra, dec] = sphere.radec(hit.vector);
    if (hit.level === "sky" || hit.level === "tiles") {
      if (hit.item) goTo([ra, dec], hit.level === "sky" ? 20 : 3);
      else $("live").textContent = "Nothing is there.";
      return !!hit.item;
    }
    if (!hit.item) { $("live").textContent = "No sky cell that meets the conditions is there."; return false; }
    choose(hit.item.key, { others: hit.cells.slice(1).map((cell) => cell.key), exposures: hit.exposures }, focus);
    return true;
  }

  function hover(x, y) {
    const hit = app.map.hit(x, y);
    $("map").style.cursor = hit && hit.item ? "pointer" : "grab";
    if (!hit) { $("under").textContent = ""; return; }
    const text = search.format(...sphere.radec(hit.vector)), parts = [`${text.sexagesimal}  (${text.degrees})`];
    if (hit.item) {
      const name = Array.isArray(hit.item.key) ? app.tessellation.name(...hit.item.key).replace("skycell-", "") + ": " : "";
      parts.push(name + describe(hit.item.count));
    }
    if (hit.exposures.length) parts.push(`${plural(hit.exposures.length, "footprint")} at this point`);
    $("under").textContent = parts.join("  ·  ");
  }

  function describe(c) {
    return `${plural(c[0], "exposure")}, ${colours.duration(c[1] / 1000)}, ${colours.whole(c[2])} in stale layers, ${colours.whole(c[5])} in layers that mix frames; frames: ${panels.frames(c)}`;
  }

  // After the map was drawn: the legend, what is shown, and the table.

  const LEVELS = {
    sky: "HEALPix pixels of 1.8°: exposures in layers whose footprint's centre is in the pixel",
    tiles: (order) => `HEALPix pixels of ${["55′", "27′", "14′", "6.9′"][order - 6] || "1.8°"}: exposures in layers whose footprint's centre is in the pixel`,
    cells: "sky cells: exposures that are in a layer of the cell",
    prints: "footprints of single exposures, and the outlines of sky cells",
  };

  function drawn({ view, level, found, prints, scale, complete }) {
    const level_ = LEVELS[level];
    const name = typeof level_ === "function" ? level_(app.map.order(view)) : level_;
    const parts = [`Shown are ${name}.`];
    if (level === "prints") {
      const n = prints.found.length;
      parts.push(n < prints.total ? `${colours.whole(n)} of ${colours.whole(prints.total)} footprints are drawn; zoom in or choose conditions for all.` : `${plural(n, "footprint")} in view.`);
    }
    const nothing = !found.length && !(level === "prints" && prints.total);
    $("status").textContent = [...data.failures][0] || (!complete ? "Loading…" : nothing ? emptiness() : "");
    $("shown").textContent = parts.join(" ");
    app.map.canvas.dataset.level = level;
    app.map.canvas.dataset.complete = String(complete && !data.busy);
    legend(scale, level);
    if ($("table-box").open) table(level, found, prints);
    app.ready = complete;
  }

  // Why nothing is in view.
  function emptiness() {
    if (!app.index.exposures) return "No exposure of the archive is in a layer yet.";
    return states.isConditioned(app.state) ? "No exposure in view meets the conditions." : "No exposure is in view.";
  }

  function legend(scale, level) {
    const key = [scale.name, scale.low, scale.high, level === "prints", scale.colours[0]].join();
    if (legend.last === key) return;
    legend.last = key;
    const counted = level !== "prints" || scale.name !== "number";
    $("ramp").hidden = $("ticks").hidden = !counted;
    app.map.redraw(); // the legend may cover other labels than before
    if (!counted) { $("legend-title").textContent = "Number: each footprint is one exposure"; return; }
    const of = level === "sky" || level === "tiles" ? "per pixel" : level === "cells" ? "per sky cell" : "per exposure";
    $("legend-title").textContent = `${scale.measure.label}: ${scale.measure.unit}${scale.measure.share ? "" : `, ${of}`}`;
    const context = $("ramp").getContext("2d"), { width, height } = $("ramp");
    scale.colours.forEach((colour, i) => { context.fillStyle = colour; context.fillRect(Math.floor(i * width / colours.STEPS), 0, Math.ceil(width / colours.STEPS) + 1, height); });
    $("ticks").replaceChildren(...scale.ticks().map((value) => el("span", {}, scale.measure.format(value))));
  }

  function table(level, found, prints) {
    const most = 100, measure = colours.MEASURES[app.state.by];
    const items = level === "prints" ? prints.found : found;
    const rows = [...items].sort((a, b) => measure.of(b.count) - measure.of(a.count)).slice(0, most).map((item) => {
      const position = search.format(...sphere.radec(item.centre)).degrees;
      let what;
      if (item.file) what = el("code", {}, item.file.names[item.i]);
      else if (Array.isArray(item.key)) what = el("button", { class: "link", onclick: () => choose(item.key, {}, true) }, app.tessellation.name(...item.key).replace("skycell-", ""));
      else what = el("button", { class: "link", onclick: () => goTo(sphere.radec(item.centre), level === "sky" ? 20 : 3) }, `pixel ${item.key}`);
      return el("tr", {}, el("td", {}, what), [position, colours.whole(item.count[0]), colours.exactSeconds(item.count[1]), colours.whole(item.count[2]), colours.whole(item.count[5])].map((value) => el("td", {}, value)));
    });
    $("table-note").textContent = items.length > most ? `The first ${most} of ${colours.whole(items.length)} in view, by ${measure.label.toLowerCase()}.` : `${items.length} in view, by ${measure.label.toLowerCase()}.`;
    $("table-body").replaceChildren(...rows);
  }

  // Light and dark: as the system, or as chosen.

  const phone = window.matchMedia("(max-width: 760px)");

  function theme() {
    const dark = window.matchMedia("(prefers-color-scheme: dark)");
    let chosen = null;
    try { chosen = localStorage.getItem("mvmdb-theme"); } catch { /* storage is refused to pages of a folder */ }
    const apply = () => {
      const now = chosen || (dark.matches ? "dark" : "light");
      document.documentElement.dataset.theme = now;
      $("theme").textContent = now === "dark" ? "Light" : "Dark";
      $("theme").setAttribute("aria-label", `Use ${now === "dark" ? "light" : "dark"} colours`);
      app.map.redraw();
    };
    dark.addEventListener("change", apply);
    $("theme").addEventListener("click", () => {
      chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("mvmdb-theme", chosen); } catch { /* as above: it holds until the page is left */ }
      apply();
    });
    const fold = () => { $("controls").open = !phone.matches; };
    phone.addEventListener("change", fold);
    fold();
    apply();
  }

  begin();
  return app;
})();
