"use strict";
// Shows one sky cell: its layers, their members, why each is stale, pictures, products, its history, and the SQL for it.
// Everything that came from headers or files is set as text; nothing is ever read as HTML.

mvmdbPage.panel = (function () {
  const { colours, data, search, sphere, state: states } = mvmdbPage;

  // The order of values of a layer in the files (cells.py has the same).
  const LAYER = ["kind", "n", "waiting", "exptime", "first", "last", "area", "mean", "stale", "failure", "frames", "mixed", "reasons", "product", "members"];

  function unpack(name, cell, kinds) {
    const layers = cell.layers.map((values) => {
      const layer = Object.fromEntries(LAYER.map((key, i) => [key, values[i]]));
      layer.label = label(kinds[layer.kind]);
      layer.name = `hst_${name}_${kinds[layer.kind]}`;
      layer.reasons = layer.reasons.map(([code, exposures]) => [code, exposures || []]);
      return layer;
    });
    return { layers, orphans: cell.orphans.map(([layer, product]) => ({ name: layer, product })), events: cell.events };
  }

  // "WFC3/IR F125W, coarse" of wfc3_ir_f125w_coarse-all; an older or foreign name as it is.
  function label(kind) {
    const found = /^([^_]+)_([^_]+)_([^_]+)_(coarse-)?all$/.exec(kind);
    return found ? `${found[1]}/${found[2]} ${found[3]}`.toUpperCase() + (found[4] ? ", coarse" : "") : kind.replaceAll("_", " ");
  }

  // Two dates, or one if they are the same.
  const range = (first, last) => (first === last ? first : `${first} to ${last}`);

  const REASONS = {
    "product-missing": "there is no mosaic yet, or it is gone",
    "product-damaged": "the mosaic's file is damaged",
    "pixels-unproven": "the mosaic was adopted and does not say which pixels it holds",
    "last-run-failed": "the last attempt to make it failed",
    "member-added": "exposures that the mosaic does not hold",
    "member-removed": "exposures that the mosaic holds, and should hold no more",
    "member-recalibrated": "exposures whose pixels have changed",
    "member-realigned": "exposures with a new astrometric solution",
    "sky-moved": "exposures whose sky is another than the mosaic subtracted",
    "canvas-changed": "the sky cell's canvas has changed",
    "recipe-changed": "the drizzle parameters have changed",
    "orphaned": "a mosaic that is expected no more",
  };

  function el(tag, options = {}, ...children) {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(options)) {
      if (key === "class") node.className = value;
      else if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
      else if (value === true) node.setAttribute(key, "");
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(key, value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return node;
  }

  function date(mjd, time = false) {
    if (mjd === null || mjd === undefined) return "unknown date";
    const iso = new Date(Math.round((mjd - 40587) * 86400) * 1000).toISOString();
    return time ? `${iso.slice(0, 10)} ${iso.slice(11, 16)}` : iso.slice(0, 10);
  }

  const quoted = (text) => "'" + String(text).replaceAll("'", "''") + "'";
  const mjdOf = (month) => Date.UTC(1990 + Math.floor(month / 12), month % 12, 1) / 86400000 + 40587;

  function conditionsSql(s) {
    const parts = [];
    if (s.filters.length) parts.push(`AND e.filter IN (${s.filters.map(quoted).join(", ")})`);
    if (s.programs.length) parts.push(`AND e.proposal_id IN (${s.programs.join(", ")})`);
    if (s.first !== null) parts.push(`AND e.expstart >= ${mjdOf(s.first)}`);
    if (s.last !== null) parts.push(`AND e.expstart < ${mjdOf(s.last + 1)}`);
    return parts.map((part) => `\n  ${part}`).join("");
  }

  const SQL = {
    count: (cell, s) => `SELECT count(*) AS exposures, sum(e.exptime) AS seconds\nFROM exposure e\nWHERE EXISTS (SELECT 1 FROM layer_member m JOIN layer l ON l.id = m.layer_id JOIN skycell c ON c.id = l.skycell_id\n    WHERE m.exposure_id = e.id AND c.name = ${quoted(cell)})${conditionsSql(s)}`,
    frames: (cell) => `SELECT * FROM astrometry WHERE layer IN (SELECT layer FROM coverage WHERE skycell = ${quoted(cell)}) ORDER BY layer, frame`,
    layers: (cell) => `SELECT * FROM coverage WHERE skycell = ${quoted(cell)} ORDER BY layer`,
    reasons: (cell) => `SELECT layer, reason, exposure FROM stale_reason WHERE skycell = ${quoted(cell)} ORDER BY layer, reason, exposure`,
    history: (cell) => `SELECT at_utc, kind, layer, detail, reasons, run FROM history WHERE layer LIKE ${quoted(`hst_${cell}_%`)} ORDER BY id DESC`,
    members: (layer) => `SELECT e.ipppssoo, e.proposal_id, e.target, e.filter, e.exptime, e.expstart, e.wcsname, e.path\nFROM layer l JOIN layer_member m ON m.layer_id = l.id JOIN exposure e ON e.id = m.exposure_id\nWHERE l.name = ${quoted(layer)} ORDER BY e.ipppssoo`,
  };

  class Panel {
    constructor(element, index, tessellation, say) {
      this.element = element;
      this.index = index;
      this.tessellation = tessellation;
      this.say = say;
      this.onClose = this.onChoose = this.onZoom = () => {};
      this.shown = null;
    }

    hide() {
      this.shown = null;
      this.element.hidden = true;
      this.element.replaceChildren();
    }

    // Show a sky cell [p, local]. `others` are the cells that overlap it where it was clicked, `exposures` those there.
    async show(cell, s, { others = [], exposures = [], focus = false } = {}) {
      const [p, local] = cell, name = this.tessellation.name(p, local), token = this.shown = {};
      this.element.hidden = false;
      this.frame(cell, name, [el("p", { class: "note" }, "Loading…")], focus);
      let place = null, details = null;
      try {
        if (this.knows(p)) place = await data.load(`cells/p${String(p).padStart(4, "0")}`);
        const at = place ? place.cells.indexOf(local) : -1;
        if (at >= 0) details = (await data.load(`layers/p${String(p).padStart(4, "0")}-${place.files[at]}`));
      } catch (error) {
        if (this.shown === token) this.frame(cell, name, [el("p", { class: "problem", role: "alert" }, error.message)], focus);
        return;
      }
      if (this.shown !== token) return; // another cell was chosen meanwhile
      if (details && !details.cells[local]) { // files of two states of the page, which was written anew meanwhile
        this.frame(cell, name, [el("p", { class: "problem", role: "alert" }, "The page has been updated since it was loaded; reload it.")], focus);
        return;
      }
      if (!details) {
        this.frame(cell, name, [el("p", { class: "note" }, "No layer of the archive is in this sky cell.")], focus);
        this.say(`${name}: no layer of the archive is there.`);
        return;
      }
      const found = unpack(name, details.cells[local], details.kinds), count = data.countByKey(place.tally, s, new Map()).get(local) || data.emptyCount();
      this.frame(cell, name, this.content(name, found, details.exposures, count, s, others, exposures), focus);
      const stale = found.layers.filter((layer) => layer.stale).length;
      this.say(`${name}: ${found.layers.length} layers, ${stale} stale.`);
    }

    knows(p) {
      if (!this.places) {
        let sum = 0;
        this.places = new Set(this.index.projectionCells.map((step) => sum += step));
      }
      return this.places.has(p);
    }

    frame(cell, name, content, focus) {
      const [ra, dec] = sphere.radec(this.tessellation.centre(...cell)), text = search.format(ra, dec);
      const heading = el("h2", { tabindex: "-1", id: "cell-name" }, name);
      this.element.replaceChildren(
        el("div", { class: "panel-head" }, heading, el("button", { class: "close", "aria-label": "Close the sky cell (Esc)", title: "Close (Esc)", onclick: () => this.onClose() }, "×")),
        el("p", { class: "position" }, text.sexagesimal, el("br"), el("span", { class: "faint" }, `${text.degrees} (ICRS, centre)`), " ",
          el("button", { class: "link", onclick: () => this.onZoom(cell) }, "show on the map")),
        ...content.filter((child) => child !== null));
      this.element.scrollTop = 0;
      if (focus) heading.focus();
    }

    content(name, found, exposures, count, s, others, here) {
      const conditions = states.words(s), stale = found.layers.filter((layer) => layer.stale).length;
      return [
        el("dl", { class: "facts" },
          fact("Exposures", colours.whole(count[0]), "exposures"), fact("Exposure time", colours.exactSeconds(count[1]), "seconds"),
          fact("In stale layers", `${colours.whole(count[2])} of ${colours.whole(count[0])}`, "in-stale"),
          fact("Frames", frames(count), "frames"), fact("In layers that mix frames", `${colours.whole(count[5])} of ${colours.whole(count[0])}`, "in-mixed")),
        el("p", { class: "note" }, conditions ? `Exposures that meet the conditions: ${conditions}. Layers below are all of the cell.` : "Exposures that are in a layer of this sky cell."),
        this.query(SQL.count(name, s), "SQL of these numbers"),
        others.length ? el("p", {}, "Also here: ", others.map((cell) => el("button", { class: "chip", onclick: () => this.onChoose(cell) }, this.tessellation.name(...cell).replace("skycell-", "")))) : null,
        here.length ? this.exposuresHere(here) : null,
        el("h3", {}, `Layers (${found.layers.length}, ${stale} stale)`),
        ...found.layers.map((layer, i) => this.layer(name, layer, found.layers, exposures)),
        ...found.orphans.map((orphan) => this.orphan(name, orphan)),
        this.query(SQL.layers(name), "SQL of the layers"), this.query(SQL.frames(name), "SQL of the frames"), stale ? this.query(SQL.reasons(name), "SQL of the reasons") : null,
        el("h3", {}, "History"),
        ...this.history(name, found.events),
        this.query(SQL.history(name), "SQL of the history"),
      ];
    }

    layer(cell, layer, all, exposures) {
      const members = this.membersOf(layer, all), waits = layer.waiting ? `, ${layer.waiting} without a file` : "";
      const box = el("details", { class: "layer", "data-layer": layer.name },
        el("summary", {}, el("span", { class: "layer-name" }, layer.label), " ",
          el("span", { class: layer.stale ? "badge stale" : "badge fresh" }, layer.stale ? (layer.waiting ? "waits for files" : "stale") : "fresh"),
          el("span", { class: "layer-facts" }, `${plural(layer.n, "exposure")}${waits}, ${colours.duration(layer.exptime)}, ${range(date(layer.first), date(layer.last))}`)));
      let filled = false;
      box.addEventListener("toggle", () => {
        if (filled || !box.open) return;
        filled = true;
        box.append(
          el("p", { class: "layer-file" }, layer.name),
          el("p", {}, `${layer.area.toLocaleString("en-US", { maximumFractionDigits: 2 })} arcmin² covered, ${layer.mean} exposures deep on average.`),
          el("p", { class: "layer-frames" }, `Frames: ${layer.frames || "not known yet"}.`, layer.mixed > 0 ? el("span", { class: "problem" }, ` Different frames overlap in ${layer.mixed.toLocaleString("en-US", { maximumFractionDigits: 4 })} arcmin²: sources may be smeared there.`) : ""),
          ...this.why(layer), ...this.product(cell, layer.product), this.members(members, exposures),
          this.query(SQL.members(layer.name), "SQL of the members"));
      });
      return box;
    }

    membersOf(layer, all) {
      const steps = Array.isArray(layer.members) ? layer.members : all[layer.members].members;
      let at = 0;
      return steps.map((step) => at += step);
    }

    why(layer) {
      if (!layer.stale) return [];
      const list = el("ul", { class: "reasons" }, layer.reasons.map(([code, names]) => el("li", {}, el("code", {}, code), `: ${REASONS[code] || "a reason of a newer version"}`,
        names.length ? `: ${names.slice(0, 200).join(", ")}${names.length > 200 ? ` and ${names.length - 200} more` : ""}` : "")));
      return [el("h4", {}, "Why it is stale"), list, layer.failure ? el("p", { class: "problem" }, layer.failure) : null].filter(Boolean);
    }

    product(cell, product) {
      if (!product) return [el("p", { class: "note" }, "There is no product yet.")];
      const url = this.index.productsUrl, address = url === null ? null : `${url}/${encodeURIComponent(cell)}/${encodeURIComponent(product.file)}`;
      const parts = [el("p", {}, "Product: ", address && product.state !== "missing" ? el("a", { href: address }, product.file) : el("span", {}, product.file),
        el("span", { class: "faint" }, ` (${product.state}, recorded ${String(product.made).replace("T", " ").replace("Z", " UTC")})`))];
      if (product.picture) {
        const image = el("img", { src: product.picture, alt: `Picture of ${product.file}, north up`, loading: "lazy" });
        image.addEventListener("error", () => image.replaceWith(el("span", { class: "note" }, `The picture is not there: ${product.picture}`)));
        parts.push(el("a", { href: product.picture, class: "picture" }, image));
      }
      return parts;
    }

    members(members, exposures) {
      const most = 300, rows = members.slice(0, most).map((i) => el("tr", {}, [
        exposures.names[i], String(exposures.programs[i]), text(exposures.targets, i), date(exposures.starts[i], true), colours.duration(exposures.seconds[i]),
        text(exposures.catalogs, i) || "none"].map((value) => el("td", {}, value))));
      const table = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Members" }, el("table", { class: "members" },
        el("thead", {}, el("tr", {}, ["Exposure", "Program", "Target", "Start (UTC)", "Time", "Aligned to"].map((title) => el("th", { scope: "col" }, title)))), el("tbody", {}, rows)));
      const more = members.length > most ? el("p", { class: "note" }, `The first ${most} of ${members.length}; the SQL gives all.`) : null;
      return el("div", {}, el("h4", {}, `Members (${members.length})`), table, more);
    }

    orphan(cell, orphan) {
      return el("details", { class: "layer", "data-layer": orphan.name },
        el("summary", {}, el("span", { class: "layer-name" }, label(orphan.name.replace(`hst_${cell}_`, ""))), " ", el("span", { class: "badge stale" }, "orphaned")),
        el("p", {}, REASONS.orphaned), ...this.product(cell, orphan.product));
    }

    exposuresHere(here) {
      const most = 60;
      return el("details", { class: "here", open: true }, el("summary", {}, `${plural(here.length, "exposure")} at the point`),
        el("ul", {}, here.slice(0, most).map(({ file, i }) => el("li", {}, el("code", {}, file.names[i]),
          ` ${file.cameras[i]} ${file.filters[file.f[i]].toUpperCase()}, program ${file.programs[file.q[i]]}, ${colours.exactSeconds(file.t[i])}, ${date(file.starts[i])}, ${file.targets[i]}`))),
        here.length > most ? el("p", { class: "note" }, `and ${here.length - most} more`) : null);
    }

    history(cell, events) {
      if (!events.length) return [el("p", { class: "note" }, "Nothing is recorded about its layers.")];
      const sorted = [...events].sort((a, b) => (a.at < b.at ? 1 : a.at > b.at ? -1 : 0)).slice(0, 60);
      return [el("ol", { class: "history" }, sorted.map((event) => el("li", {},
        el("time", { datetime: event.at }, String(event.at).replace("T", " ").replace("Z", "").slice(0, 16)), " ", el("strong", {}, event.kind), " ",
        label(String(event.layer).replace(`hst_${cell}_`, "")),
        event.reasons.length ? `: ${event.reasons.join(", ")}` : "", event.detail ? `: ${event.detail}` : "",
        event.run ? el("span", { class: "faint" }, ` (run ${event.run})`) : null))), el("p", { class: "note" }, "The latest events of each layer, times in UTC.")];
    }

    // The SQL of what is shown: a link to where it can be run, or the text with a button that copies it.
    query(sql, title) {
      if (this.index.sqlUrl !== null) {
        const url = this.index.sqlUrl, address = `${url}${url.includes("?") ? "&" : "?"}sql=${encodeURIComponent(sql)}`;
        return el("p", { class: "sql-link" }, el("a", { href: address }, title));
      }
      const copied = el("span", { class: "note", role: "status" });
      const copy = async () => {
        try { await navigator.clipboard.writeText(sql); copied.textContent = "copied"; } catch {
          const range = document.createRange(); // no clipboard, as from a folder: select it for Ctrl-C
          range.selectNodeContents(code);
          getSelection().removeAllRanges();
          getSelection().addRange(range);
          copied.textContent = "selected; press Ctrl-C to copy";
        }
      };
      const code = el("code", {}, sql);
      return el("details", { class: "sql" }, el("summary", {}, title), el("pre", { tabindex: "0" }, code), el("button", { onclick: copy }, "Copy"), " ", copied);
    }
  }

  function fact(label, value, name) { return el("div", {}, el("dt", {}, label), el("dd", { "data-fact": name }, value)); }
  function text(column, i) { return column.values[column.of[i]]; }
  function plural(n, word) { return `${colours.whole(n)} ${word}${n === 1 ? "" : "s"}`; }
  function frames(count) {
    const none = count[0] - count[3] - count[4], parts = [[count[3], "Gaia"], [count[4], "another"], [none, "none"]].filter(([n]) => n);
    return parts.map(([n, name]) => `${name} ${colours.whole(n)}`).join(", ") || "nothing";
  }

  return { Panel, el, date, frames, plural, range };
})();
