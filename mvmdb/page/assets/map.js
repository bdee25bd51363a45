"use strict";
// Draws the sky and says what is where: pixels of the whole sky, finer pixels, sky cells, and footprints, as one zooms.

mvmdbPage.map = (function () {
  const { sphere, data, colours, graticule, state: states } = mvmdbPage;
  const { RAD, View } = sphere;
  const COARSE = 5, FINE = 9, TILE = 3;
  const PIXEL_5 = 58.6 / 32; // degrees, about
  const MOST_PRINTS = 5000;
  const SMALL = 12; // degrees from its middle within which an archive is shown closely at first
  const CLOSEST = 0.004; // degrees across

  class SkyMap {
    constructor(canvas, index, tessellation) {
      this.canvas = canvas;
      this.context = canvas.getContext("2d");
      this.index = index;
      this.tessellation = tessellation;
      this.state = states.fresh();
      this.onDraw = () => {};
      this.outlines = new Map();
      this.memo = new Map();
      this.projectionCells = [];
      let p = 0;
      for (const step of index.projectionCells) this.projectionCells.push(p += step);
      this.tileNames = new Set(index.tiles);
      this.pending = false;
    }

    // Lets the map be drawn, once, when the browser draws next.
    redraw() {
      if (this.pending) return;
      this.pending = true;
      requestAnimationFrame(() => { this.pending = false; this.draw(); });
    }

    resize() {
      const box = this.canvas.getBoundingClientRect(), ratio = Math.min(3, window.devicePixelRatio || 1);
      this.width = Math.max(50, box.width);
      this.height = Math.max(50, box.height);
      this.canvas.width = Math.round(this.width * ratio);
      this.canvas.height = Math.round(this.height * ratio);
      this.ratio = ratio;
    }

    get smallest() { return 0.97 * Math.min(this.width / (4 * Math.SQRT2), this.height / (2 * Math.SQRT2)); }

    view() {
      const s = this.state, side = Math.min(this.width, this.height);
      const scale = Math.max(this.smallest, side / (Math.max(CLOSEST, s.fov) * RAD));
      return new View(s.ra, s.dec, scale, this.width, this.height);
    }

    // Degrees across the shorter side at a scale; the whole sky where it all is seen.
    fovOf(scale) {
      return scale <= this.smallest * 1.001 ? states.WHOLE : Math.max(CLOSEST, Math.min(this.width, this.height) / (scale * RAD));
    }

    level(view) {
      const dpp = view.degreesPerPixel;
      if (PIXEL_5 / dpp < 44) return "sky";
      return dpp > 0.006 ? "tiles" : dpp > 0.0009 ? "cells" : "prints";
    }

    order(view) {
      let order = FINE;
      while (order > COARSE && 58.6 / 2 ** order / view.degreesPerPixel < 7) order--;
      return order;
    }

    remember(key, make) {
      if (!this.memo.has(key)) {
        const made = make();
        if (made === null) return null;
        if (this.memo.size > 300) this.memo.clear();
        this.memo.set(key, made);
      }
      return this.memo.get(key);
    }

    pixelOutline(order, pixel) {
      const key = order * 4194304 + pixel;
      let outline = this.outlines.get(key);
      if (!outline) {
        if (this.outlines.size > 60000) this.outlines.clear();
        outline = { polygon: sphere.pixelOutline(order, pixel, order > 7 ? 1 : 2), centre: sphere.pixelCentre(order, pixel) };
        this.outlines.set(key, outline);
      }
      return outline;
    }

    // The view of a page whose address gives none: the whole sky, or a small archive's part of it.
    firstView() {
      const centres = [], counts = data.countByKey(this.index.sky, this.state, new Map());
      for (const pixel of counts.keys()) centres.push(this.pixelOutline(COARSE, pixel).centre);
      const sum = centres.reduce((s, v) => s.map((x, i) => x + v[i]), [0, 0, 0]), length = Math.hypot(...sum);
      if (length < 1e-9) return undefined;
      const middle = sum.map((x) => x / length), reach = Math.max(...centres.map((v) => sphere.separation(v, middle)));
      if (reach > SMALL) return undefined;
      const [ra, dec] = sphere.radec(middle);
      return { ra, dec, fov: Math.max(4, 2.6 * (reach + PIXEL_5)) };
    }

    // Counts of the whole sky's pixels; null until the files are there.
    skyCounts() {
      const s = this.state;
      const files = this.skyFiles();
      const tallies = files.map((key) => (key === "index" ? this.index.sky : data.get(key)));
      if (tallies.includes(null)) return null;
      return this.remember("sky" + states.conditionsKey(s), () => {
        const counts = new Map();
        // files of filters have no list of filters: they are of the chosen ones
        for (const tally of tallies) data.countByKey(tally, s, counts);
        return counts;
      });
    }

    skyFiles() {
      const s = this.state;
      if (!states.isConditioned(s)) return ["index"];
      if (s.programs.length) {
        const files = new Set(s.programs.map((q) => Math.floor(q / 100)));
        return [...files].filter((n) => this.index.programs.includes(n)).map((n) => `programs/${n}`);
      }
      if (!s.filters.length) return ["sky/all"];
      return this.index.filters.filter(([name]) => s.filters.includes(name)).map(([, stem]) => `sky/f-${stem}`);
    }

    // What is to be drawn, each with a key, a count, a middle and a polygon of vectors.
    items(view) {
      const level = this.level(view), s = this.state, near = Math.cos(Math.min(180, view.reach + 2.6) * RAD);
      const found = [];
      let complete = true;
      if (level === "sky") {
        const counts = this.skyCounts();
        complete = counts !== null;
        for (const [pixel, count] of counts || []) {
          const { polygon, centre } = this.pixelOutline(COARSE, pixel);
          if (sphere.dot(centre, view.centre) >= near) found.push({ key: pixel, count, centre, polygon });
        }
      } else if (level === "tiles") {
        const order = this.order(view), shift = 2 * (FINE - order);
        for (const tile of this.tilesNear(view)) {
          const tally = data.get(`tiles/${tile}`);
          if (!tally) { complete = false; continue; }
          const counts = this.remember(`tile${tile}/${order}${states.conditionsKey(s)}`, () =>
            data.countByKey(tally, s, new Map(), shift, tile * 4 ** (FINE - TILE)));
          for (const [pixel, count] of counts) {
            const { polygon, centre } = this.pixelOutline(order, pixel);
            if (sphere.dot(centre, view.centre) >= near) found.push({ key: pixel, order, count, centre, polygon });
          }
        }
      } else {
        for (const p of this.placesNear(view)) {
          const place = data.get(this.placeKey(p));
          if (!place) { complete = false; continue; }
          const counts = this.cellCounts(place), within = Math.cos((view.reach + 0.2) * RAD);
          for (const [local, count] of counts) {
            const cell = this.cellShape(p, local);
            if (sphere.dot(cell.centre, view.centre) >= within) found.push({ key: [p, local], count, ...cell });
          }
        }
      }
      return { level, found, complete };
    }

    placeKey(p) { return `cells/p${String(p).padStart(4, "0")}`; }

    cellShape(p, local) {
      const key = -1 - p * 441 - local;
      let shape = this.outlines.get(key);
      if (!shape) this.outlines.set(key, shape = { polygon: this.tessellation.corners(p, local), centre: this.tessellation.centre(p, local) });
      return shape;
    }

    cellCounts(place) {
      return this.remember(`cells${place.p}${states.conditionsKey(this.state)}`, () => data.countByKey(place.tally, this.state, new Map()));
    }

    tilesNear(view) {
      const found = [];
      for (const tile of this.tileNames) {
        const middle = this.pixelOutline(TILE, tile).centre;
        if (sphere.separation(middle, view.centre) < view.reach + 6.5) found.push(tile);
      }
      return found;
    }

    placesNear(view) {
      return this.projectionCells.filter((p) => sphere.separation(this.tessellation.frame(p).centre, view.centre) < view.reach + 3.7);
    }

    // Footprints near the view that meet the conditions; `total` counts them, of which at most MOST_PRINTS are given.
    prints(view) {
      const found = [];
      let complete = true, total = 0;
      for (const p of this.placesNear(view)) {
        const place = data.get(this.placeKey(p)), middle = this.tessellation.pixel(p, view.centre);
        if (!place || !middle) { complete = complete && !!place; continue; }
        const reach = 1.1 * view.reach * 3600 / 0.04 + 100;
        place.prints.forEach(([x0, x1, y0, y1], n) => {
          if (middle[0] < x0 - reach || middle[0] > x1 + reach || middle[1] < y0 - reach || middle[1] > y1 + reach) return;
          const file = data.get(`prints/p${String(p).padStart(4, "0")}-${n}`);
          if (!file) { complete = false; return; }
          const shapes = this.remember(`prints${p}-${n}`, () => this.shapesOf(file));
          const meet = data.meets(file, this.state), near = Math.cos((view.reach + 0.1) * RAD);
          shapes.forEach((shape, i) => {
            if (!meet(i) || sphere.dot(shape.centre, view.centre) < near) return;
            total++;
            if (found.length < MOST_PRINTS) found.push({ file, i, ...shape });
          });
        });
      }
      return { found, total, complete };
    }

    shapesOf(file) {
      return file.polygons.map((polygons, i) => {
        const shapes = polygons.map((steps) => {
          const points = [];
          for (let k = 0, x = 0, y = 0; k < steps.length; k += 2) points.push(this.tessellation.vector(file.p, x += steps[k], y += steps[k + 1]));
          return points;
        });
        const frame = file.frame[i];
        return { polygons: shapes, centre: shapes[0][0], count: [1, file.t[i], file.s[i], +(frame === 0), +(frame === 1), file.x[i]] };
      });
    }

    draw() {
      const view = this.view(), style = getComputedStyle(this.canvas), dark = style.colorScheme.includes("dark");
      const look = (name) => style.getPropertyValue(`--${name}`).trim();
      const c = this.context;
      c.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
      c.clearRect(0, 0, this.width, this.height);
      c.save();
      c.beginPath();
      c.ellipse(this.width / 2, this.height / 2, 2 * Math.SQRT2 * view.scale, Math.SQRT2 * view.scale, 0, 0, 2 * Math.PI);
      c.fillStyle = look("sky");
      c.fill();
      c.clip();
      const { level, found, complete } = this.items(view);
      const prints = level === "prints" ? this.prints(view) : { found: [], total: 0, complete: true };
      const shown = level === "prints" ? prints.found : found;
      const scale = new colours.Scale(this.state.by, shown.map((item) => colours.MEASURES[this.state.by].of(item.count)), dark);
      if (level === "prints") this.drawPrints(view, prints.found, scale);
      else this.fillItems(view, found, scale, level === "cells" ? 0.88 : 1);
      if (level === "cells" || level === "prints") this.outlineCells(view, found, level, look);
      graticule.draw(c, view, look, found.length && level !== "prints" ? 0.55 : 1, this.covered());
      if (this.state.galaxy) this.galacticPlane(view, look);
      if (this.state.cell) this.outline(view, this.cellShape(...this.state.cell).polygon, look("chosen"), 3);
      c.restore();
      c.beginPath();
      c.ellipse(this.width / 2, this.height / 2, 2 * Math.SQRT2 * view.scale, Math.SQRT2 * view.scale, 0, 0, 2 * Math.PI);
      c.strokeStyle = look("grid");
      c.lineWidth = 1.2;
      c.stroke();
      if (document.activeElement === this.canvas && this.canvas.matches(":focus-visible")) this.cross(look);
      this.drawn = { view, level, found, prints, scale, complete: complete && prints.complete };
      data.trim();
      this.onDraw(this.drawn);
    }

    // What lies on the map, as [left, top, right, bottom] in its pixels: labels under it would be cut.
    covered() {
      const map = this.canvas.getBoundingClientRect();
      return [...this.canvas.parentElement.children].filter((child) => child !== this.canvas && child.id !== "under").map((child) => {
        const box = child.getBoundingClientRect();
        return [box.left - map.left, box.top - map.top, box.right - map.left, box.bottom - map.top];
      });
    }

    path(points) {
      const c = this.context;
      points.forEach(([x, y], i) => (i ? c.lineTo(x, y) : c.moveTo(x, y)));
      c.closePath();
    }

    fillItems(view, items, scale, alpha) {
      const c = this.context, steps = Array.from({ length: colours.STEPS }, () => []);
      for (const item of items) steps[scale.step(item.count)].push(...view.outline(item.polygon));
      c.globalAlpha = alpha;
      c.lineWidth = 0.7;
      steps.forEach((outlines, step) => {
        if (!outlines.length) return;
        c.beginPath();
        for (const points of outlines) this.path(points);
        c.fillStyle = c.strokeStyle = scale.colours[step];
        c.fill();
        if (alpha === 1) c.stroke(); // else the background shines through between neighbours
      });
      c.globalAlpha = 1;
    }

    drawPrints(view, prints, scale) {
      const c = this.context;
      c.lineWidth = 1.1;
      for (const { polygons, count } of prints) {
        c.beginPath();
        for (const polygon of polygons) this.path(polygon.map((v) => view.place(view.turn(v))));
        c.fillStyle = c.strokeStyle = scale.ofExposure(count);
        c.globalAlpha = 0.16;
        c.fill("nonzero");
        c.globalAlpha = 0.9;
        c.stroke();
      }
      c.globalAlpha = 1;
    }

    outline(view, polygon, colour, width) {
      const c = this.context;
      c.beginPath();
      for (const points of view.outline(polygon)) this.path(points);
      c.strokeStyle = colour;
      c.lineWidth = width;
      c.stroke();
    }

    outlineCells(view, cells, level, look) {
      const c = this.context, size = 0.24 / view.degreesPerPixel;
      for (const { polygon } of cells) this.outline(view, polygon, look("cell"), level === "prints" ? 1.2 : 0.7);
      if (size < 130) return;
      c.font = "12px system-ui, sans-serif";
      c.textAlign = "center";
      c.lineWidth = 3;
      c.strokeStyle = look("sky");
      c.fillStyle = look("label");
      for (const { key, polygon } of cells) {
        const corners = polygon.map((v) => view.place(view.turn(v))), x = (corners[2][0] + corners[3][0]) / 2, y = (corners[2][1] + corners[3][1]) / 2 + 16;
        const name = this.tessellation.name(...key).replace("skycell-", "");
        c.strokeText(name, x, y);
        c.fillText(name, x, y);
      }
    }

    cross(look) {
      const c = this.context, [x, y] = [this.width / 2, this.height / 2];
      c.beginPath();
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) { c.moveTo(x + 5 * dx, y + 5 * dy); c.lineTo(x + 15 * dx, y + 15 * dy); }
      c.strokeStyle = look("chosen");
      c.lineWidth = 2;
      c.stroke();
    }

    // The plane of the Galaxy: its pole is at 192.85948, +27.12825 (ICRS).
    galacticPlane(view, look) {
      const pole = new View(192.85948, 27.12825, 1, 0, 0), c = this.context;
      const points = Array.from({ length: 361 }, (_, i) => pole.back([0, Math.cos(i * RAD), Math.sin(i * RAD)]));
      c.save();
      c.setLineDash([6, 5]);
      c.beginPath();
      graticule.line(c, view, points);
      c.strokeStyle = look("galaxy");
      c.lineWidth = 1.2;
      c.stroke();
      c.restore();
    }

    // What is at a pixel of the map: {vector, level, item, cells, exposures}; null off the sky.
    // `cells` are the sky cells there that meet the conditions, nearest middle first; `exposures` the footprints.
    hit(px, py) {
      const view = this.view(), v = view.vectorAt(px, py);
      if (!v) return null;
      const level = this.level(view), result = { vector: v, level, item: null, cells: [], exposures: [] };
      if (level === "sky" || level === "tiles") {
        const order = level === "sky" ? COARSE : this.order(view), pixel = sphere.pixelOf(order, v);
        let count = null;
        if (level === "sky") count = (this.skyCounts() || new Map()).get(pixel);
        else {
          const tile = pixel >> (2 * (order - TILE));
          const counts = this.memo.get(`tile${tile}/${order}${states.conditionsKey(this.state)}`);
          count = counts && counts.get(pixel);
        }
        if (count) result.item = { key: pixel, order, count };
        return result;
      }
      result.cells = this.cellsAt(v);
      if (result.cells.length) result.item = result.cells[0];
      if (level === "prints") {
        result.exposures = this.prints(view).found.filter(({ polygons }) =>
          polygons.some((polygon) => sphere.inside(px, py, polygon.map((w) => view.place(view.turn(w))))));
      }
      return result;
    }

    // The sky cells that hold a vector, of those whose files are there and that meet the conditions.
    cellsAt(v) {
      const found = [];
      for (const p of this.projectionCells) {
        if (sphere.dot(this.tessellation.frame(p).centre, v) < 0.99) continue;
        const place = data.get(this.placeKey(p)), pixel = this.tessellation.pixel(p, v);
        if (!place || !pixel) continue;
        const counts = this.cellCounts(place);
        for (const [distance, local] of this.tessellation.holding(p, pixel)) {
          if (counts.has(local)) found.push({ key: [p, local], count: counts.get(local), distance });
        }
      }
      return found.sort((a, b) => a.distance - b.distance);
    }
  }

  return { SkyMap, COARSE };
})();
