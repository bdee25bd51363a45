"use strict";
// Reads what people write into the search box: the name of a sky cell, or a position.

mvmdbPage.search = (function () {
  const SIGN = "([+\\-\u2212]?)";
  const HMS = new RegExp(`^(\\d{1,2})[h:\\s]\\s*(\\d{1,2})[m:\\s]\\s*(\\d{1,2}(?:\\.\\d*)?)\\s*s?[\\s,]+${SIGN}(\\d{1,2})[d°:\\s]\\s*(\\d{1,2})[m'′:\\s]\\s*(\\d{1,2}(?:\\.\\d*)?)\\s*[s"″]?$`, "i");
  const DEGREES = new RegExp(`^(\\d{1,3}(?:\\.\\d*)?|\\.\\d+)\\s*[d°]?[\\s,;]+${SIGN}(\\d{1,2}(?:\\.\\d*)?|\\.\\d+)\\s*[d°]?$`, "i");

  // {cell} or {position: [ra, dec]} in degrees, or {problem: a text}.
  function read(text, tessellation) {
    const words = text.trim();
    if (!words) return { problem: "Nothing was given. Expected a sky cell, or a position." };
    const cell = tessellation.parse(words);
    if (Array.isArray(cell)) return { cell };
    if (cell) return { problem: `${words}: ${cell}.` };
    let found = HMS.exec(words), ra, dec;
    if (found) {
      const [h, m, s, , d, dm, ds] = found.slice(1).map(Number);
      if (h > 23 || m > 59 || s >= 60 || dm > 59 || ds >= 60) return { problem: `${words}: a number is out of range. Expected hours to 23, minutes and seconds below 60.` };
      ra = 15 * (h + m / 60 + s / 3600);
      dec = (/[-\u2212]/.test(found[4]) ? -1 : 1) * (d + dm / 60 + ds / 3600);
    } else if ((found = DEGREES.exec(words))) {
      ra = Number(found[1]);
      dec = (/[-\u2212]/.test(found[2]) ? -1 : 1) * Number(found[3]);
    } else {
      return { problem: `${words} is not understood. Expected a sky cell like p0647x10y11, degrees like 53.16 -27.79, or 03:32:39 -27:47:24.` };
    }
    if (ra > 360 || Math.abs(dec) > 90) return { problem: `${words} is not on the sky. Expected RA from 0 to 360 and Dec from -90 to 90 degrees.` };
    return { position: [ra % 360, dec] };
  }

  function two(n, digits = 0) { return n.toFixed(digits).padStart(digits ? 3 + digits : 2, "0"); }

  // A position in degrees and in hours, for people.
  function format(ra, dec) {
    const tenths = Math.round(ra / 15 * 36000) % 864000, h = Math.floor(tenths / 36000);
    const seconds = Math.round(Math.abs(dec) * 3600), sign = dec < 0 ? "−" : "+";
    return {
      degrees: `${ra.toFixed(5)} ${dec < 0 ? "−" : "+"}${Math.abs(dec).toFixed(5)}`,
      sexagesimal: `${two(h)}:${two(Math.floor(tenths / 600) % 60)}:${two(tenths % 600 / 10, 1)} `
        + `${sign}${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`,
    };
  }

  return { read, format };
})();
