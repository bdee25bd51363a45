"use strict";
// What is looked at: the view, the colour, the conditions and the chosen sky cell, as the address in the bar has them.

mvmdbPage.state = (function () {
  const WHOLE = 360;

  // `first`: where the view is at first, {ra, dec, fov}.
  const fresh = (first = { ra: 180, dec: 0, fov: WHOLE }) => ({
    ...first, by: "depth", filters: [], first: null, last: null, programs: [], cell: null, galaxy: true,
  });

  // Months are counted from January 1990.
  function monthText(month) {
    return month === null ? "" : `${1990 + Math.floor(month / 12)}-${String(((month % 12) + 12) % 12 + 1).padStart(2, "0")}`;
  }

  function monthOf(text) {
    const found = /^(\d{4})-(\d{2})$/.exec((text || "").trim());
    if (!found || found[2] < 1 || found[2] > 12) return null;
    return (found[1] - 1990) * 12 + Number(found[2]) - 1;
  }

  const digits = (fov) => Math.max(2, Math.min(6, 3 - Math.floor(Math.log10(fov))));

  function toHash(s, tessellation) {
    const parts = [`c=${s.ra.toFixed(digits(s.fov))},${s.dec.toFixed(digits(s.fov))}`, `fov=${Number(s.fov.toPrecision(4))}`, `by=${s.by}`];
    if (s.filters.length) parts.push("f=" + s.filters.map(encodeURIComponent).join(","));
    if (s.first !== null || s.last !== null) parts.push(`d=${monthText(s.first)}..${monthText(s.last)}`);
    if (s.programs.length) parts.push("q=" + s.programs.join(","));
    if (s.cell) parts.push("cell=" + tessellation.name(...s.cell).replace("skycell-", ""));
    if (!s.galaxy) parts.push("galaxy=0");
    return "#" + parts.join("&");
  }

  function decoded(text) {
    try { return decodeURIComponent(text); } catch { return text; }
  }

  // The state of an address; what it does not say, or says wrongly, is as at first.
  function fromHash(hash, tessellation, measures, first) {
    const s = fresh(/(^#?|&)(c|fov)=/.test(hash) ? undefined : first);
    for (const part of hash.replace(/^#/, "").split("&")) {
      const at = part.indexOf("="), key = part.slice(0, at), value = part.slice(at + 1);
      if (key === "c") {
        const [ra, dec] = value.split(",").map(Number);
        if (Number.isFinite(ra) && Number.isFinite(dec) && Math.abs(dec) <= 90) { s.ra = ((ra % 360) + 360) % 360; s.dec = dec; }
      } else if (key === "fov" && Number(value) > 0) s.fov = Math.min(WHOLE, Number(value));
      else if (key === "by" && Object.hasOwn(measures, value)) s.by = value;
      else if (key === "f") s.filters = value.split(",").filter(Boolean).map(decoded);
      else if (key === "d") [s.first, s.last] = [0, 1].map((i) => monthOf(value.split("..")[i]));
      else if (key === "q") s.programs = value.split(",").filter((q) => /^\d{1,7}$/.test(q)).map(Number);
      else if (key === "galaxy") s.galaxy = value !== "0";
      else if (key === "cell") {
        const cell = tessellation.parse(decoded(value));
        if (Array.isArray(cell)) s.cell = cell;
      }
    }
    return s;
  }

  const conditionsKey = (s) => JSON.stringify([s.filters, s.first, s.last, s.programs]);
  const isConditioned = (s) => s.filters.length > 0 || s.programs.length > 0 || s.first !== null || s.last !== null;

  // The conditions in words.
  function words(s) {
    const parts = [];
    if (s.filters.length) parts.push(`filter ${s.filters.map((f) => f.toUpperCase()).join(" or ")}`);
    if (s.programs.length) parts.push(`program ${s.programs.join(" or ")}`);
    if (s.first !== null && s.last !== null) parts.push(`begun ${monthText(s.first)} to ${monthText(s.last)}`);
    else if (s.first !== null) parts.push(`begun in ${monthText(s.first)} or later`);
    else if (s.last !== null) parts.push(`begun in ${monthText(s.last)} or earlier`);
    return parts.join(", ");
  }

  return { WHOLE, fresh, monthText, monthOf, toHash, fromHash, conditionsKey, isConditioned, words };
})();
