// Which farms are chosen: filters, a search and a queue. Each is a bit, so one walk over the farms counts for all of them.
const SIZES_MU = [5, 10, 50, 200];
const MU_PER_HA = 15;
const WAITS = { by_appeal: "wait_appeal", by_overtaken: "wait_overtaken", by_person: "wait_person" };
const STATES = ["changed", "appealed", "overtaken", "left", "asked", "answered"];
const FILTERS = [
  { key: "outcome", of: (farm) => farm.outcome, label: (code) => word("outcome", code), order: OUTCOMES },
  { key: "reason", of: (farm) => [...farm.reasons.map(([code]) => code), ...(waitReason(farm) ? [waitReason(farm)] : [])], label: reasonName },
  { key: "crop", of: (farm) => farm.crop || "unknown", label: (slug) => className("crop", slug) },
  { key: "status", of: (farm) => farm.status, label: (code) => word("status", code), order: STATUSES },
  { key: "size", of: (farm) => sizeOf(farm.mu), label: sizeLabel, order: ["0", "1", "2", "3", "4", "none"] },
  { key: "health", of: (farm) => farm.health || "unknown", label: (slug) => className("health", slug) },
  { key: "event", of: (farm) => (farm.events.length ? farm.events : ["none"]), label: (code) => (code === "none" ? say("no_event") : word("event", code)) },
];
if (anyActs) FILTERS.push({ key: "acts", of: (farm) => (farm.now ? farm.now.state : "none"), label: (code) => say("acts_" + code), order: [...STATES, "none"] });
FILTERS.forEach((filter, at) => { filter.bit = 1 << at; });
const QUEUE_BIT = 1 << FILTERS.length;
const QUERY_BIT = QUEUE_BIT << 1;
const values = data.farms.map((farm) => FILTERS.map((filter) => filter.of(farm)));
const inQueue = { watch: new Set((data.queues.watch || []).map((row) => row.place)), appeal: new Set((data.queues.cases || []).map((row) => row.place)), ask: new Set((data.queues.asks || []).map((row) => row.place)) };
const texts = { lang: "", of: [] };
const found = { rows: [], masks: [], facets: [] };

function sizeOf(mu) {
  if (mu === null) return "none";
  const above = SIZES_MU.findIndex((edge) => mu < edge);
  return String(above < 0 ? SIZES_MU.length : above);
}

function sizeLabel(code) {
  if (code === "none") return say("size_unknown");
  const at = Number(code);
  const edge = (mu) => (state.unit === "ha" ? String(Number((mu / MU_PER_HA).toFixed(2))) : String(mu));
  if (at === 0) return say("below") + " " + edge(SIZES_MU[0]) + " " + ui(state.unit);
  if (at === SIZES_MU.length) return edge(SIZES_MU[at - 1]) + " " + ui(state.unit) + " " + say("from_on");
  return edge(SIZES_MU[at - 1]) + " – " + edge(SIZES_MU[at]) + " " + ui(state.unit);
}

// A reason by its short name; the sentence of a decision, with that farm's own figures, stands with the farm.
function reasonName(code) {
  if (WAITS[code]) return say(WAITS[code]);
  return data.words.flag[code] ? word("flag", code) : word("rule", code);
}

// Why a farm waits for a person because of what people did, where the machine's reasons do not tell it.
function waitReason(farm) {
  if (!farm.now || farm.now.outcome !== "refer" || farm.outcome === "refer") return "";
  return { appealed: "by_appeal", overtaken: "by_overtaken" }[farm.now.state] || "by_person";
}

function searchTexts() {
  if (texts.lang !== state.lang) {
    texts.lang = state.lang;
    texts.of = data.farms.map((farm) => (farm.id + " " + className("crop", farm.crop) + " " + firstReason(farm)).toLowerCase());
  }
  return texts.of;
}

function queueHas(farm, at) {
  if (state.queue === "all") return true;
  return state.queue === "refer" ? stands(farm).outcome === "refer" : state.queue === "acts" ? Boolean(farm.now) : inQueue[state.queue].has(at);
}

// One walk: which conditions each farm misses, and how many farms each option of each filter would leave.
function findFarms() {
  const query = state.query.trim().toLowerCase();
  const named = query ? searchTexts() : null;
  const facets = FILTERS.map(() => new Map());
  const rows = [];
  const masks = new Int32Array(data.farms.length);
  data.farms.forEach((farm, at) => {
    let mask = queueHas(farm, at) ? 0 : QUEUE_BIT;
    if (named && !named[at].includes(query)) mask |= QUERY_BIT;
    FILTERS.forEach((filter, i) => {
      const wanted = state.filters[filter.key];
      const value = values[at][i];
      if (wanted && !(Array.isArray(value) ? value.includes(wanted) : value === wanted)) mask |= filter.bit;
    });
    masks[at] = mask;
    if (!mask) rows.push(at);
    FILTERS.forEach((filter, i) => {
      if (mask & ~filter.bit) return;
      const value = values[at][i];
      for (const one of Array.isArray(value) ? new Set(value) : [value]) facets[i].set(one, (facets[i].get(one) || 0) + 1);
    });
  });
  Object.assign(found, { rows, masks, facets });
}

function filterOptions(filter, at) {
  const counts = found.facets[at];
  const wanted = state.filters[filter.key];
  const known = new Set([...counts.keys(), ...(wanted ? [wanted] : [])]);
  const order = filter.order ? filter.order.filter((code) => known.has(code)) : [...known].sort((a, b) => (counts.get(b) || 0) - (counts.get(a) || 0) || (a < b ? -1 : 1));
  return [["", say("any")], ...order.map((code) => [code, filter.label(code) + " (" + number(counts.get(code) || 0, 0) + ")"])];
}

function drawFilters() {
  FILTERS.forEach((filter, at) => {
    const select = document.getElementById("f-" + filter.key);
    select.replaceChildren(...filterOptions(filter, at).map(([code, label]) => el("option", { value: code }, label)));
    select.value = state.filters[filter.key];
    select.classList.toggle("set", Boolean(state.filters[filter.key]));
  });
  const count = FILTERS.filter((filter) => state.filters[filter.key]).length;
  document.getElementById("clear").hidden = !count && !state.query;
  document.getElementById("set-filters").textContent = count ? String(count) : "";
}

function buildFilters() {
  const boxes = FILTERS.map((filter) => el("label", { class: "filter" }, el("span", { "data-say": "f_" + filter.key }),
    el("select", { id: "f-" + filter.key, on: { change: (event) => setFilter(filter.key, event.target.value) } })));
  document.getElementById("filters").replaceChildren(...boxes);
}

function setFilter(key, value) {
  state.filters[key] = value;
  drawChoice();
}

function clearFilters() {
  for (const filter of FILTERS) state.filters[filter.key] = "";
  state.query = "";
  document.getElementById("search").value = "";
  drawChoice();
}
