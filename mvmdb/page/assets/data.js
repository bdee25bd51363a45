"use strict";
// Loads the page's files as scripts, which works from a folder too, and counts what meets the conditions.

mvmdbPage.data = (function () {
  const waiting = new Map(); // key: what resolves its promise
  const loaded = new Map(); // key: a promise
  const values = new Map(); // key: its value, once there
  const MOST = 400; // files kept; those used longest ago go first
  const VERSION = document.documentElement.dataset.version;
  let running = 0;
  const queue = [];
  const AT_ONCE = 8;
  let onChange = () => {};

  mvmdbPage.put = function (key, value) {
    values.set(key, value);
    const done = waiting.get(key);
    waiting.delete(key);
    if (done) done.resolve(value);
  };

  function start() {
    while (running < AT_ONCE && queue.length) {
      const { key, resolve, reject } = queue.shift();
      running++;
      waiting.set(key, { resolve });
      const script = document.createElement("script");
      script.src = `data/${key}.js?v=${VERSION}`; // so that no cache mixes two nights
      const end = (works) => {
        running--;
        script.remove();
        if (!works || !values.has(key)) { // gone since the page was loaded, or cut off
          waiting.delete(key);
          loaded.delete(key);
          reject(new Error(`${key} could not be loaded; reload the page`));
        }
        start();
        onChange();
      };
      script.onload = () => end(true);
      script.onerror = () => end(false);
      document.head.append(script);
    }
  }

  // The value of a file, as a promise.
  function load(key) {
    if (!loaded.has(key)) {
      loaded.set(key, new Promise((resolve, reject) => queue.push({ key, resolve, reject })));
      loaded.get(key).catch((error) => { failures.add(error.message); });
      start();
    }
    return loaded.get(key);
  }

  const failures = new Set();

  // The value if it is there; else it is asked for, and `onChange` is called when it has come.
  function get(key) {
    if (values.has(key)) {
      const value = values.get(key);
      values.delete(key);
      values.set(key, value);
      return value;
    }
    if (!failures.has(`${key} could not be loaded; reload the page`)) load(key);
    return null;
  }

  // Forget what was not used lately, and what is no longer waited for.
  function trim() {
    for (const key of values.keys()) {
      if (values.size <= MOST) break;
      if (key === "index") continue;
      values.delete(key);
      loaded.delete(key);
    }
  }

  // Drop files that are not being loaded yet: the view has moved on.
  function forgetQueue() {
    for (const { key } of queue.splice(0)) loaded.delete(key);
  }

  // A count: exposures, milliseconds, stale ones, of the frame of Gaia, of another one, in layers that mix frames.
  const emptyCount = () => [0, 0, 0, 0, 0, 0];

  function addCount(count, tally, i) {
    count[0] += tally.n[i]; count[1] += tally.t[i]; count[2] += tally.s[i]; count[3] += tally.g[i]; count[4] += tally.o[i]; count[5] += tally.x[i];
  }

  // Which rows of a tally, or of footprints, meet the conditions, as a function of the row's number.
  function meets(columns, c) {
    const filters = c.filters.length && columns.filters ? new Set(columns.filters.map((f, i) => c.filters.includes(f) ? i : -1)) : null;
    const programs = c.programs.length && columns.programs ? new Set(columns.programs.map((q, i) => c.programs.includes(q) ? i : -1)) : null;
    const dated = c.first !== null || c.last !== null;
    const first = c.first === null ? 0 : c.first, last = c.last === null ? 1e9 : c.last;
    return (i) => (!filters || filters.has(columns.f[i])) && (!programs || programs.has(columns.q[i]))
      && (!dated || (columns.m[i] >= first && columns.m[i] <= last));
  }

  // Counts by key of the rows of a tally that meet the conditions; keys are shifted right by `shift` bits, plus `base`.
  function countByKey(tally, conditions, counts, shift = 0, base = 0) {
    const meet = meets(tally, conditions);
    let key = base;
    for (let i = 0; i < tally.k.length; i++) {
      key += tally.k[i];
      if (!meet(i)) continue;
      const k = key >> shift;
      let count = counts.get(k);
      if (!count) counts.set(k, count = emptyCount());
      addCount(count, tally, i);
    }
    return counts;
  }

  return {
    load, get, trim, forgetQueue, meets, countByKey, addCount, emptyCount, failures,
    get busy() { return running + queue.length; },
    set onChange(call) { onChange = call; },
  };
})();
