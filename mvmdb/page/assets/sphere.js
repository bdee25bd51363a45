"use strict";
// Geometry of the sphere: the projection of the map, HEALPix pixels, and sky cells. Nothing here draws or loads.
// Positions are degrees (ICRS) at the edges of this file and unit vectors [x, y, z] within it.

const mvmdbPage = {};

mvmdbPage.sphere = (function () {
  const RAD = Math.PI / 180;
  const ROOT2 = Math.SQRT2;

  function vector(ra, dec) {
    const c = Math.cos(dec * RAD);
    return [c * Math.cos(ra * RAD), c * Math.sin(ra * RAD), Math.sin(dec * RAD)];
  }

  function radec(v) {
    const ra = Math.atan2(v[1], v[0]) / RAD;
    return [ra < 0 ? ra + 360 : ra, Math.atan2(v[2], Math.hypot(v[0], v[1])) / RAD];
  }

  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

  function separation(a, b) {
    const d = Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
    return 2 * Math.asin(Math.min(1, d / 2)) / RAD;
  }

  // A view: the sky turned so that a position is in the middle, with north up, in Hammer's projection (equal areas).
  // Near the middle the projection has no distortion, so one projection serves the whole sky and single exposures.
  class View {
    constructor(ra, dec, scale, width, height) {
      this.ra = ((ra % 360) + 360) % 360;
      this.dec = Math.max(-90, Math.min(90, dec));
      this.scale = scale; // pixels per radian in the middle
      this.width = width;
      this.height = height;
      this.centre = vector(this.ra, this.dec);
      const [sa, ca] = [Math.sin(this.ra * RAD), Math.cos(this.ra * RAD)];
      this.east = [-sa, ca, 0];
      const [sd, cd] = [Math.sin(this.dec * RAD), Math.cos(this.dec * RAD)];
      this.north = [-sd * ca, -sd * sa, cd];
    }

    get degreesPerPixel() { return 1 / (this.scale * RAD); }

    // How far, in degrees from the middle, anything can be seen.
    get reach() {
      const half = Math.hypot(this.width, this.height) / 2 / this.scale;
      return half > 1.2 ? 180 : 1.05 * half / RAD + 0.001;
    }

    // A vector in the view's own axes: towards the middle, east and north.
    turn(v) { return [dot(v, this.centre), dot(v, this.east), dot(v, this.north)]; }

    back(w) {
      const { centre: c, east: e, north: n } = this;
      return [0, 1, 2].map((i) => w[0] * c[i] + w[1] * e[i] + w[2] * n[i]);
    }

    // Pixels of a turned vector. East is to the left.
    place(w) {
      const r = Math.hypot(w[0], w[1]);
      if (r < 1e-15) return this.at(0, Math.sign(w[2]) * ROOT2);
      const c = Math.sqrt(Math.max(0, (1 + w[0] / r) / 2));
      if (c < 1e-9) return this.at((w[1] < 0 ? -1 : 1) * 2 * ROOT2 * r, ROOT2 * w[2]);
      const d = Math.sqrt(1 + r * c);
      return this.at(ROOT2 * w[1] / (c * d), ROOT2 * w[2] / d);
    }

    // Pixels at a longitude (radians, which may be beyond the seam at +-pi) and a z of the turned sphere.
    placeBeyond(lon, z) {
      const r = Math.sqrt(Math.max(0, 1 - z * z));
      const d = Math.sqrt(Math.max(1e-12, 1 + r * Math.cos(lon / 2)));
      return this.at(2 * ROOT2 * r * Math.sin(lon / 2) / d, ROOT2 * z / d);
    }

    at(x, y) { return [this.width / 2 - x * this.scale, this.height / 2 - y * this.scale]; }

    project(ra, dec) { return this.place(this.turn(vector(ra, dec))); }

    // The vector at a pixel, or null off the sky.
    vectorAt(px, py) {
      const x = (this.width / 2 - px) / this.scale, y = (this.height / 2 - py) / this.scale;
      if (x * x / 8 + y * y / 2 > 1) return null;
      const w = Math.sqrt(1 - x * x / 16 - y * y / 4);
      const lon = 2 * Math.atan2(w * x, 2 * (2 * w * w - 1)), z = Math.max(-1, Math.min(1, w * y));
      const r = Math.sqrt(1 - z * z);
      return this.back([r * Math.cos(lon), r * Math.sin(lon), z]);
    }

    // Outlines in pixels of a polygon of vectors: none, one, or two where it crosses the seam opposite the middle.
    outline(polygon) {
      const turned = polygon.map((v) => this.turn(v));
      let crosses = false;
      for (let i = 0; i < turned.length; i++) {
        const a = turned[i], b = turned[(i + 1) % turned.length];
        if ((a[1] < 0) !== (b[1] < 0) && a[0] * Math.abs(b[1]) + b[0] * Math.abs(a[1]) < 0) crosses = true;
      }
      return crosses ? this.seam(turned) : [turned.map((w) => this.place(w))];
    }

    seam(turned) {
      const lons = [Math.atan2(turned[0][1], turned[0][0])];
      for (let i = 1; i <= turned.length; i++) {
        const w = turned[i % turned.length];
        let lon = Math.atan2(w[1], w[0]);
        while (lon - lons[i - 1] > Math.PI) lon -= 2 * Math.PI;
        while (lon - lons[i - 1] < -Math.PI) lon += 2 * Math.PI;
        lons.push(lon);
      }
      const points = turned.map((w, i) => [lons[i], w[2]]);
      const around = lons[turned.length] - lons[0];
      if (Math.abs(around) > 1) { // a pole of the turned sphere is inside, which is one point of the map
        const pole = turned.reduce((sum, w) => sum + w[2], 0) > 0 ? 1 : -1;
        points.push([lons[turned.length], turned[0][2]], [lons[turned.length], pole], [lons[0], pole]);
      }
      return [-2 * Math.PI, 0, 2 * Math.PI]
        .map((shift) => points.map(([lon, z]) => [lon + shift, z]))
        .filter((moved) => moved.some(([lon]) => Math.abs(lon) <= Math.PI))
        .map((moved) => moved.map(([lon, z]) => this.placeBeyond(Math.max(-5, Math.min(5, lon)), z)));
    }
  }

  // HEALPix, nested (Gorski et al. 2005, ApJ 622, 759).
  const ROW = [2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4];
  const COLUMN = [1, 3, 5, 7, 0, 2, 4, 6, 1, 3, 5, 7];

  // The vector at x, y (0 to 1) of one of the twelve faces.
  function faceVector(face, x, y) {
    const row = ROW[face] - x - y;
    const n = row < 1 ? row : row > 3 ? 4 - row : 1;
    const z = row < 1 ? 1 - n * n / 3 : row > 3 ? n * n / 3 - 1 : (2 - row) * 2 / 3;
    const s = row < 1 || row > 3 ? n * Math.sqrt(Math.max(0, (2 - n * n / 3) / 3)) : Math.sqrt(1 - z * z);
    const phi = n < 1e-12 ? 0 : Math.PI / 4 * (COLUMN[face] * n + x - y) / n;
    return [s * Math.cos(phi), s * Math.sin(phi), z];
  }

  // Bits of even places, gathered: the x of a nested pixel within its face; of pixel >> 1, the y.
  function gather(n) {
    let result = 0;
    for (let bit = 0; bit < 16; bit++) if (n & (1 << (2 * bit))) result |= 1 << bit;
    return result;
  }

  function spread(n) {
    let result = 0;
    for (let bit = 0; bit < 16; bit++) if (n & (1 << bit)) result |= 1 << (2 * bit);
    return result;
  }

  // The outline of a pixel, counter-clockwise, `steps` points per side.
  function pixelOutline(order, pixel, steps) {
    const side = 1 << order, face = pixel >> (2 * order), inside = pixel & (side * side - 1);
    const ix = gather(inside), iy = gather(inside >> 1), points = [];
    const add = (x, y) => points.push(faceVector(face, (ix + x) / side, (iy + y) / side));
    for (let i = 0; i < steps; i++) add(i / steps, 0);
    for (let i = 0; i < steps; i++) add(1, i / steps);
    for (let i = 0; i < steps; i++) add(1 - i / steps, 1);
    for (let i = 0; i < steps; i++) add(0, 1 - i / steps);
    return points;
  }

  function pixelCentre(order, pixel) {
    const side = 1 << order, inside = pixel & (side * side - 1);
    return faceVector(pixel >> (2 * order), (gather(inside) + 0.5) / side, (gather(inside >> 1) + 0.5) / side);
  }

  // The pixel that holds a vector.
  function pixelOf(order, v) {
    const side = 1 << order, z = v[2], turn = (Math.atan2(v[1], v[0]) / (Math.PI / 2) + 4) % 4;
    let face, ix, iy;
    if (Math.abs(z) <= 2 / 3) {
      const along = side * (0.5 + turn), up = side * z * 0.75;
      const jp = Math.floor(along - up), jm = Math.floor(along + up);
      const p = jp >> order, m = jm >> order;
      face = p === m ? (p & 3) + 4 : p < m ? p & 3 : (m & 3) + 8;
      ix = jm & (side - 1);
      iy = side - (jp & (side - 1)) - 1;
    } else {
      const quarter = Math.min(3, Math.floor(turn)), t = turn - quarter;
      // sqrt(3 (1 - |z|)), from the distance to the axis, which is exact near the poles
      const radius = side * Math.hypot(v[0], v[1]) * Math.sqrt(3 / (1 + Math.abs(z)));
      const jp = Math.min(side - 1, Math.floor(t * radius)), jm = Math.min(side - 1, Math.floor((1 - t) * radius));
      face = z >= 0 ? quarter : quarter + 8;
      [ix, iy] = z >= 0 ? [side - jm - 1, side - jp - 1] : [jp, jm];
    }
    return face * side * side + spread(ix) + 2 * spread(iy);
  }

  // The tessellation: 21 by 21 sky cells in each projection cell, in fine pixels of its tangent plane.
  const CRPIX = 225144, STEP = 21442, SIZE = 21954, PER_RADIAN = 3600 / 0.04 / RAD;
  const CELL = /^(?:skycell-)?p(\d{4})x(\d{2})y(\d{2})$/i;

  class Tessellation {
    constructor(rings) { this.rings = rings; this.frames = new Map(); }

    get size() { const last = this.rings[this.rings.length - 1]; return last[0] + last[1]; }

    frame(p) {
      if (!this.frames.has(p)) {
        let ring = this.rings.length - 1;
        while (this.rings[ring][0] > p) ring--;
        const [first, n, dec] = this.rings[ring];
        this.frames.set(p, new View((p - first) * 360 / n, dec, 1, 0, 0));
      }
      return this.frames.get(p);
    }

    // The vector of a fine pixel of a projection cell.
    vector(p, x, y) {
      const f = this.frame(p), xi = (CRPIX - x) / PER_RADIAN, eta = (y - CRPIX) / PER_RADIAN;
      const n = Math.sqrt(1 + xi * xi + eta * eta);
      return f.back([1 / n, xi / n, eta / n]);
    }

    // The fine pixel of a vector; null on the other half of the sky.
    pixel(p, v) {
      const [depth, xi, eta] = this.frame(p).turn(v);
      return depth <= 0 ? null : [CRPIX - xi / depth * PER_RADIAN, CRPIX + eta / depth * PER_RADIAN];
    }

    // Corners of a sky cell (its number within the projection cell, 0 to 440), at its pixels' edges.
    corners(p, local) {
      const x = (local % 21) * STEP + 0.5, y = Math.floor(local / 21) * STEP + 0.5;
      return [[x, y], [x + SIZE, y], [x + SIZE, y + SIZE], [x, y + SIZE]].map(([a, b]) => this.vector(p, a, b));
    }

    centre(p, local) {
      const middle = (SIZE + 1) / 2;
      return this.vector(p, (local % 21) * STEP + middle, Math.floor(local / 21) * STEP + middle);
    }

    // The numbers of the sky cells of a projection cell that hold a fine pixel, that with the nearest middle first.
    holding(p, pixel) {
      const found = [];
      const along = (value) => {
        const last = Math.floor((value - 0.5) / STEP);
        return [last, last - 1].filter((i) => i >= 0 && i < 21 && value >= i * STEP + 0.5 && value <= i * STEP + SIZE + 0.5);
      };
      for (const x of along(pixel[0])) for (const y of along(pixel[1])) {
        const middle = (SIZE + 1) / 2;
        found.push([Math.hypot(pixel[0] - x * STEP - middle, pixel[1] - y * STEP - middle), y * 21 + x]);
      }
      return found.sort((a, b) => a[0] - b[0]);
    }

    // [projection cell, number] of a name, or a text that says what is wrong with it; null for what is no name at all.
    parse(text) {
      const found = CELL.exec(text.trim());
      if (!found) return null;
      const [p, x, y] = found.slice(1).map(Number);
      if (p >= this.size) return `there is no projection cell ${p}; expected p0000 to p${this.size - 1}`;
      if (x < 1 || x > 21 || y < 1 || y > 21) return `found x=${x}, y=${y}; expected x and y from 01 to 21`;
      return [p, (y - 1) * 21 + x - 1];
    }

    name(p, local) {
      const two = (n) => String(n).padStart(2, "0");
      return `skycell-p${String(p).padStart(4, "0")}x${two(local % 21 + 1)}y${two(Math.floor(local / 21) + 1)}`;
    }
  }

  // Whether a pixel lies within an outline.
  function inside(px, py, outline) {
    let result = false;
    for (let i = 0, j = outline.length - 1; i < outline.length; j = i++) {
      const [ax, ay] = outline[i], [bx, by] = outline[j];
      if ((ay > py) !== (by > py) && px < (bx - ax) * (py - ay) / (by - ay) + ax) result = !result;
    }
    return result;
  }

  return { RAD, vector, radec, separation, dot, View, pixelOutline, pixelCentre, pixelOf, Tessellation, inside, SIZE, STEP };
})();
