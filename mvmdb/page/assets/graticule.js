"use strict";
// Lines of equal RA and Dec with their labels, and how lines of the sky are drawn on the map.

mvmdbPage.graticule = (function () {
  const { sphere } = mvmdbPage;
  const { RAD } = sphere;
  const STEPS = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];
  const FINE = 60; // straight pieces per line
  const LEFT = 6, FOOT = 24; // pixels from the map's edges to the labels there

  // A line through vectors, broken where it leaves the map over the seam.
  function line(context, view, vectors) {
    let last = null;
    for (const v of vectors) {
      const w = view.turn(v), point = view.place(w);
      if (last && !broken(last, w)) context.lineTo(...point);
      else context.moveTo(...point);
      last = w;
    }
  }

  const broken = (a, b) => a[0] < 0 && b[0] < 0 && a[1] * b[1] < 0;

  // Which lines to draw: their distances and values in degrees, and the ranges of each.
  function choose(view) {
    const { ra, dec } = view, reach = Math.min(180, view.reach), across = Math.max(view.width, view.height) * view.degreesPerPixel;
    const holdsPole = Math.abs(dec) + reach >= 88;
    const step = [...STEPS].reverse().find((n) => across / n >= 4) || STEPS[0];
    const wanted = step / Math.max(0.02, Math.cos(dec * RAD));
    const meridians = holdsPole ? Math.max(step, 15) : STEPS.find((n) => n >= wanted) || 30;
    const cosine = Math.cos(Math.min(89.9, Math.abs(dec) + Math.min(reach, 60)) * RAD);
    const half = holdsPole ? 180 : Math.min(180, reach / Math.max(0.01, cosine));
    const low = Math.max(-90, dec - reach), high = Math.min(90, dec + reach), ras = [], decs = [];
    for (let i = Math.ceil((ra - half) / meridians); i * meridians <= ra + half + 1e-9 && ras.length < 200; i++) ras.push(i * meridians);
    for (let i = Math.ceil(low / step); i * step <= high + 1e-9 && decs.length < 200; i++) if (Math.abs(i * step) < 90) decs.push(i * step);
    return { step, meridians, holdsPole, half, low, high, ras, decs };
  }

  // Draw the lines and their labels, but no label on one of the boxes `covered` [left, top, right, bottom].
  function draw(context, view, look, alpha, covered) {
    const lines = choose(view), { ra, reach } = view;
    const along = (a, b) => Array.from({ length: FINE + 1 }, (_, i) => a + (b - a) * i / FINE);
    const meridian = (value) => along(lines.low, lines.high).map((dec) => sphere.vector(value, dec));
    const parallel = (value) => along(ra - lines.half, ra + lines.half).map((at) => sphere.vector(at, value));
    context.strokeStyle = look("grid");
    context.lineWidth = 0.6;
    context.globalAlpha = alpha;
    context.beginPath();
    for (const value of lines.ras) line(context, view, meridian(value));
    for (const value of lines.decs) line(context, view, parallel(value));
    context.stroke();
    context.globalAlpha = 1;
    const write = writer(context, view, look, covered), whole = reach >= 180, pole = !whole && lines.holdsPole;
    for (const value of lines.decs) {
      if (whole && Math.abs(value) < 1) continue; // RA is written there
      const text = `${value > 0 ? "+" : value < 0 ? "−" : ""}${Math.abs(value).toFixed(places(lines.step))}°`;
      const at = whole || pole ? view.project(ra, value) : crossing(view, parallel(value), 0, LEFT);
      if (at) write(text, at[0] + (whole || pole ? 3 : 0), at[1] - 3);
    }
    for (const value of lines.ras) {
      const text = `${(((value % 360) + 360) % 360).toFixed(places(lines.meridians))}°`;
      const at = whole ? view.project(value, 0) : pole ? view.project(value, Math.sign(view.dec) * (90 - 0.4 * reach)) : crossing(view, meridian(value), 1, view.height - FOOT);
      if (at) write(text, at[0] + 3, at[1] - (whole || pole ? 4 : 0));
    }
  }

  const places = (n) => Math.max(0, Math.ceil(-Math.log10(n) - 1e-9));

  // Where a line on the map has x (axis 0) or y (axis 1) equal to a value, in pixels; null where it nowhere does.
  function crossing(view, vectors, axis, value) {
    let last = null;
    for (const v of vectors) {
      const w = view.turn(v), point = view.place(w);
      if (last && !broken(last.w, w) && (last.point[axis] - value) * (point[axis] - value) <= 0 && last.point[axis] !== point[axis]) {
        const t = (value - last.point[axis]) / (point[axis] - last.point[axis]), at = [0, 1].map((i) => last.point[i] + t * (point[i] - last.point[i]));
        if (at[1 - axis] > 0 && at[1 - axis] < [view.height, view.width][axis]) return at;
      }
      last = { w, point };
    }
    return null;
  }

  // A function that writes a text with its left lower corner at x, y, unless it would be cut or lie on another label.
  function writer(context, view, look, covered) {
    const taken = [...covered], seen = new Set();
    context.font = "11px system-ui, sans-serif";
    context.fillStyle = look("label");
    context.strokeStyle = look("sky");
    context.lineWidth = 2.5;
    context.lineJoin = "round";
    context.textAlign = "left";
    return (text, x, y) => {
      const box = [x - 2, y - 11, x + context.measureText(text).width + 2, y + 3];
      if (seen.has(text) || box[0] < 2 || box[1] < 2 || box[2] > view.width - 2 || box[3] > view.height - 2) return;
      if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1])) return;
      seen.add(text);
      taken.push(box);
      context.strokeText(text, x, y);
      context.fillText(text, x, y);
    };
  }

  return { draw, line };
})();
