// The table of farms: one row a farm; only the rows in sight are in the page, so ten thousand farms scroll as a hundred do.
const SPARE_ROWS = 12;
const COLUMNS = [
  { key: "id", head: () => ui("farm"), value: (farm) => farm.id },
  { key: "parcels", head: () => ui("parcels"), value: (farm) => farm.parcels.length, number: true },
  { key: "mu", head: () => say("land") + ", " + ui(state.unit), value: (farm) => farm.mu, number: true },
  { key: "planted", head: () => say("planted"), value: (farm) => farm.planted[1], number: true },
  { key: "crop", head: () => ui("crop"), value: (farm) => className("crop", farm.crop) },
  { key: "health", head: () => ui("health"), value: (farm) => className("health", farm.health) },
  { key: "limit", head: () => (anyActs ? say("machine_limit") : ui("limit")) + (onlyCurrency() ? ", " + currencyName(onlyCurrency()) : ""), value: (farm) => (farm.limit === null ? -1 : Number(farm.limit)), number: true },
  { key: "outcome", head: () => (anyActs ? say("f_outcome") : ui("outcome")), value: (farm) => OUTCOMES.indexOf(farm.outcome) },
  { key: "reason", head: () => ui("reason"), value: (farm) => firstReason(farm) },
];
// Where people acted, what an officer looks for comes first: the machine's word, and beside it what stands.
if (anyActs) {
  const machine = COLUMNS.splice(COLUMNS.findIndex((column) => column.key === "limit"), 2);
  COLUMNS.splice(1, 0, ...machine, { key: "now", head: () => say("stands_now"), value: (farm) => (farm.now ? farm.now.day : "") });
}
const collator = new Intl.Collator("en", { numeric: true });
const view = { order: [], place: new Map(), first: -1, last: -1, at: 0 };

// The currency of all limits where there is just one: it stands in the head once, not in every row.
function onlyCurrency() {
  return data.totals.limits.length === 1 ? data.totals.limits[0][0] : "";
}

function reasonText(reason) {
  const [code, en, zh] = reason;
  return (state.lang === "zh" ? zh : en) || word("flag", code);
}

function firstReason(farm) {
  if (farm.reasons.length) return reasonText(farm.reasons[0]);
  return farm.reason ? word("flag", farm.reason) : "";
}

function cropCell(farm) {
  return [swatch(classColour("crop", farm.crop)), className("crop", farm.crop), farm.confidence ? el("small", {}, percent(farm.confidence)) : null];
}

function healthCell(farm) {
  return [swatch(classColour("health", farm.health)), className("health", farm.health)];
}

// The mark, what stands, and by whose role and when; empty where the machine's decision stands untouched.
function nowCell(farm) {
  if (!farm.now) return "";
  return [el("i", { class: "mark-now", "aria-hidden": "true" }, "✎"), el("b", {}, nowText(farm)), el("small", {}, nowBy(farm))];
}

function cellsOf(farm) {
  const limit = farm.limit === null ? "–" : money(farm.limit, onlyCurrency() ? "" : farm.limit_currency);
  const own = anyActs && farm.limit !== null ? el("small", { class: "own-limit" }, money(farm.limit, farm.limit_currency)) : null; // on a phone, for want of a column
  const cells = { id: farm.id, parcels: farm.parcels.length, mu: landNumber(farm.mu, farm.ha), planted: landNumber(farm.planted[1], farm.planted_ha), crop: cropCell(farm), health: healthCell(farm),
    limit, outcome: [badge("outcome", farm.outcome), own], now: nowCell(farm), reason: firstReason(farm) };
  return COLUMNS.map((column) => cells[column.key]);
}

// The chosen farms in the table's order; equal ones, and those without a value, keep the order of their names.
function sortFarms() {
  const column = COLUMNS.find((each) => each.key === state.sort);
  const keys = new Map(found.rows.map((at) => [at, column.value(data.farms[at])]));
  const sign = state.down ? -1 : 1;
  const order = (a, b) => {
    if (a === null || b === null) return a === b ? 0 : a === null ? sign : -sign;
    return typeof a === "string" ? collator.compare(a, b) : a - b;
  };
  view.order = [...found.rows].sort((a, b) => sign * order(keys.get(a), keys.get(b)) || a - b);
  view.place = new Map(view.order.map((at, place) => [at, place]));
}

function sortBy(column) {
  state.down = state.sort === column.key ? !state.down : Boolean(column.number);
  state.sort = column.key;
  drawTable();
  document.querySelector("#farms th.c-" + column.key + " button").focus();
}

function drawHead() {
  const heads = COLUMNS.map((column) => {
    const sorted = state.sort === column.key ? (state.down ? "descending" : "ascending") : "none";
    return el("th", { scope: "col", class: "c-" + column.key + (column.number ? " number" : ""), "aria-sort": sorted },
      el("button", { type: "button", on: { click: () => sortBy(column) } }, column.head()));
  });
  document.querySelector("#farms thead").replaceChildren(el("tr", { "aria-rowindex": 1 }, heads));
}

function rowHeight() {
  return matchMedia("(max-width: 640px)").matches ? 44 : 29;
}

function tableBox() {
  return document.getElementById("farm-rows");
}

function gap(rows) {
  return rows > 0 ? el("tr", { class: "gap", "aria-hidden": "true", style: { height: rows * rowHeight() + "px" } }) : null;
}

function farmRow(place) {
  const at = view.order[place];
  const cells = cellsOf(data.farms[at]);
  return el("tr", { "data-farm": at, tabindex: place === view.at ? 0 : -1, class: at === state.farm ? "chosen" : null, "aria-selected": at === state.farm, "aria-rowindex": place + 2, style: { height: rowHeight() + "px" } },
    cells.map((cell, i) => el("td", { class: "c-" + COLUMNS[i].key + (COLUMNS[i].number ? " number" : ""), title: COLUMNS[i].key === "reason" ? cell : COLUMNS[i].key === "now" && data.farms[at].now ? data.farms[at].now.said.map(pick).join(" ") : null }, cell)));
}

// Put the rows into the page that are in sight, with some to spare, between two gaps as high as the rest.
function drawRows(anew) {
  const box = tableBox();
  const count = view.order.length;
  const top = Math.floor(box.scrollTop / rowHeight());
  const first = Math.max(0, top - SPARE_ROWS);
  const last = Math.min(count, top + Math.ceil(box.clientHeight / rowHeight()) + SPARE_ROWS);
  if (!anew && first === view.first && last === view.last) return;
  Object.assign(view, { first, last });
  const body = document.querySelector("#farms tbody");
  const held = body.contains(document.activeElement);
  const rows = [];
  for (let place = first; place < last; place += 1) rows.push(farmRow(place));
  if (!count) rows.push(el("tr", { class: "note" }, el("td", { colspan: COLUMNS.length }, ui("no_match"))));
  body.replaceChildren(...[gap(first), ...rows, gap(count - last)].filter(Boolean));
  if (held) (rowAt(view.at) || box).focus({ preventScroll: true });
}

function rowAt(place) {
  return document.querySelector("#farms tr[aria-rowindex='" + (place + 2) + "'][data-farm]");
}

function drawTable() {
  drawHead();
  sortFarms();
  view.at = Math.max(0, view.place.get(state.farm) ?? 0);
  tableBox().scrollTop = 0;
  document.getElementById("farms").setAttribute("aria-rowcount", view.order.length + 1);
  drawRows(true);
  document.getElementById("shown").textContent = view.order.length === data.farms.length ? number(data.farms.length, 0) : number(view.order.length, 0) + " / " + number(data.farms.length, 0);
}

// Bring a place of the table into sight without moving more than needed.
function reveal(place) {
  const box = tableBox();
  const head = document.querySelector("#farms thead").offsetHeight;
  const top = place * rowHeight();
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top + rowHeight() > box.scrollTop + box.clientHeight - head) box.scrollTop = top + rowHeight() - box.clientHeight + head;
  drawRows(false);
}

function markChosen(farm) {
  const place = view.place.get(farm);
  if (place !== undefined) {
    view.at = place;
    reveal(place);
  }
  for (const row of document.querySelectorAll("#farms tr[data-farm]")) {
    const mine = Number(row.dataset.farm) === farm;
    row.classList.toggle("chosen", mine);
    row.setAttribute("aria-selected", String(mine));
    row.tabIndex = Number(row.getAttribute("aria-rowindex")) - 2 === view.at ? 0 : -1;
  }
}

function moveTo(place) {
  view.at = Math.max(0, Math.min(view.order.length - 1, place));
  reveal(view.at);
  for (const row of document.querySelectorAll("#farms tr[data-farm]")) row.tabIndex = -1;
  const row = rowAt(view.at);
  if (row) { row.tabIndex = 0; row.focus({ preventScroll: true }); }
}

function onTableKey(event) {
  const page = Math.max(1, Math.floor(tableBox().clientHeight / rowHeight()) - 2);
  const row = event.target.closest("tr[data-farm]");
  const here = row ? Number(row.getAttribute("aria-rowindex")) - 2 : Math.floor(tableBox().scrollTop / rowHeight()) - 1;
  const step = { ArrowDown: here + 1, ArrowUp: here - 1, PageDown: here + page, PageUp: here - page, Home: 0, End: view.order.length - 1 }[event.key];
  if (step === undefined || event.target.closest("thead") || !view.order.length) return;
  event.preventDefault();
  moveTo(step);
}
