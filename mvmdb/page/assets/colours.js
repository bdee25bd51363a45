"use strict";
// What is shown by colour: measures of counts, their ranges, and ramps that people see alike whatever colours they see.

mvmdbPage.colours = (function () {
  // Values of the ramps viridis and cividis of matplotlib, at equal steps.
  const RAMPS = {
    viridis: ["#440154", "#482878", "#3e4989", "#31688e", "#26828e", "#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"],
    cividis: ["#00224e", "#123570", "#3b496c", "#575d6d", "#707173", "#8a8678", "#a59c74", "#c3b369", "#e1cc55", "#fee838"],
  };
  const STEPS = 48;

  const MEASURES = {
    depth: { label: "Depth", unit: "exposure time", ramp: "viridis", log: true, of: (c) => c[1] / 1000, format: duration },
    number: { label: "Number", unit: "exposures", ramp: "viridis", log: true, of: (c) => c[0], format: whole },
    stale: { label: "Staleness", unit: "share of exposures in a stale layer", share: true, ramp: "cividis", of: (c) => c[2] / c[0], format: percent },
    frame: { label: "Astrometric mix", unit: "share of exposures in a layer that mixes frames", share: true, ramp: "cividis", of: (c) => c[5] / c[0], format: percent },
  };

  function whole(n) { return Math.round(n).toLocaleString("en-US"); }
  function percent(x) { return `${(100 * x).toFixed(x > 0 && x < 0.1 || x > 0.9 && x < 1 ? 1 : 0)}%`; }
  function duration(s) {
    if (s >= 36000) return `${(s / 3600).toLocaleString("en-US", { maximumFractionDigits: s >= 360000 ? 0 : 1 })} h`;
    return `${s.toLocaleString("en-US", { maximumFractionDigits: s >= 100 ? 0 : 1 })} s`;
  }
  function exactSeconds(ms) { return `${(ms / 1000).toLocaleString("en-US", { maximumFractionDigits: 1 })} s`; }

  function mix(a, b, t) {
    const part = (hex, i) => parseInt(hex.slice(1 + 2 * i, 3 + 2 * i), 16);
    return "#" + [0, 1, 2].map((i) => Math.round(part(a, i) * (1 - t) + part(b, i) * t).toString(16).padStart(2, "0")).join("");
  }

  const tables = {};
  // The colours of a ramp in STEPS steps. On a dark page the dark end is lifted, so that it is seen.
  function table(ramp, dark) {
    const key = ramp + dark;
    if (!tables[key]) {
      const stops = RAMPS[ramp], from = dark ? 0.22 : 0, to = dark ? 1 : 0.94;
      tables[key] = Array.from({ length: STEPS }, (_, i) => {
        const at = (from + (to - from) * i / (STEPS - 1)) * (stops.length - 1), low = Math.min(stops.length - 2, Math.floor(at));
        return mix(stops[low], stops[low + 1], at - low);
      });
    }
    return tables[key];
  }

  const NICE = [1, 2, 5, 10];
  function niceDown(x) { const p = 10 ** Math.floor(Math.log10(x)); return p * NICE.filter((n) => n * p <= x * 1.0000001).pop(); }
  function niceUp(x) { const p = 10 ** Math.floor(Math.log10(x)); return p * NICE.find((n) => n * p >= x * 0.9999999); }

  // From the values that are shown to a function from a count to a step of the ramp.
  class Scale {
    constructor(name, values, dark) {
      this.name = name;
      this.measure = MEASURES[name];
      this.colours = table(this.measure.ramp, dark);
      this.low = 0;
      this.high = 1;
      if (this.measure.log) {
        let low = Infinity, high = 0;
        for (const v of values) if (v > 0) { low = Math.min(low, v); high = Math.max(high, v); }
        const unit = (value) => (name === "depth" && value >= 36000 ? 3600 : 1); // as `duration` writes it
        this.low = high ? niceDown(low / unit(low)) * unit(low) : 1;
        this.high = high ? Math.max(niceUp(high / unit(high)) * unit(high), this.low * 2) : 10;
      }
    }

    fraction(value) {
      if (!this.measure.log) return Math.max(0, Math.min(1, value));
      return value <= this.low ? 0 : Math.min(1, Math.log(value / this.low) / Math.log(this.high / this.low));
    }

    step(count) { return Math.round(this.fraction(this.measure.of(count)) * (STEPS - 1)); }

    // The colour of one exposure's footprint. Their number is seen by how many lie upon each other: all have one colour.
    ofExposure(count) { return this.colours[this.name === "number" ? STEPS >> 1 : this.step(count)]; }

    ticks() {
      if (!this.measure.log) return [0, 0.5, 1];
      const middle = Math.sqrt(this.low * this.high);
      return [this.low, middle >= 10 ? Number(middle.toPrecision(1)) : Math.max(1, Math.round(middle)), this.high];
    }
  }

  return { MEASURES, Scale, STEPS, whole, percent, duration, exactSeconds };
})();
