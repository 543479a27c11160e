// The table of farms: sortable, searchable, one row a farm.
const MAX_ROWS = 400;
const COLUMNS = [
  { key: "id", head: () => ui("farm"), value: (farm) => farm.id },
  { key: "parcels", head: () => ui("parcels"), value: (farm) => farm.parcels.length, number: true },
  { key: "mu", head: () => ui("mu"), value: (farm) => farm.mu, number: true },
  { key: "ha", head: () => ui("ha"), value: (farm) => farm.ha, number: true },
  { key: "crop", head: () => ui("crop"), value: (farm) => className("crop", farm.crop) },
  { key: "health", head: () => ui("health"), value: (farm) => className("health", farm.health) },
  { key: "limit", head: () => ui("limit") + (onlyCurrency() ? ", " + onlyCurrency() : ""), value: (farm) => (farm.limit === null ? -1 : Number(farm.limit)), number: true },
  { key: "outcome", head: () => ui("outcome"), value: (farm) => OUTCOMES.indexOf(farm.outcome) },
  { key: "reason", head: () => ui("reason"), value: (farm) => firstReason(farm) },
];

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

function cellsOf(farm) {
  return [farm.id, farm.parcels.length, number(farm.mu, 1), number(farm.ha, 2), cropCell(farm), healthCell(farm),
    farm.limit === null ? "–" : money(farm.limit, onlyCurrency() ? "" : farm.limit_currency), badge("outcome", farm.outcome), firstReason(farm)];
}

function matching() {
  const query = state.query.trim().toLowerCase();
  const column = COLUMNS.find((each) => each.key === state.sort);
  const rows = data.farms.map((farm, index) => ({ farm, index, key: column.value(farm) }))
    .filter(({ farm }) => (!state.outcome || farm.outcome === state.outcome) && (!query || (farm.id + " " + className("crop", farm.crop) + " " + firstReason(farm)).toLowerCase().includes(query)));
  const order = (a, b) => (typeof a === "string" ? a.localeCompare(b, "en", { numeric: true }) : a - b);
  rows.sort((a, b) => (state.down ? -1 : 1) * order(a.key, b.key) || a.index - b.index);
  return rows;
}

function drawHead() {
  const heads = COLUMNS.map((column) => {
    const sorted = state.sort === column.key ? (state.down ? "descending" : "ascending") : "none";
    const sort = () => {
      state.down = state.sort === column.key ? !state.down : Boolean(column.number);
      state.sort = column.key;
      drawTable();
    };
    return el("th", { scope: "col", class: "c-" + column.key + (column.number ? " number" : ""), "aria-sort": sorted },
      el("button", { type: "button", on: { click: sort } }, column.head()));
  });
  document.querySelector("#farms thead").replaceChildren(el("tr", {}, heads));
}

function drawTable() {
  drawHead();
  const rows = matching();
  const body = rows.slice(0, MAX_ROWS).map(({ farm, index }) =>
    el("tr", { "data-farm": index, tabindex: 0, class: index === state.farm ? "chosen" : null, "aria-selected": index === state.farm },
      cellsOf(farm).map((cell, i) => el("td", { class: "c-" + COLUMNS[i].key + (COLUMNS[i].number ? " number" : ""), title: COLUMNS[i].key === "reason" ? cell : null }, cell))));
  if (!rows.length) body.push(el("tr", { class: "note" }, el("td", { colspan: COLUMNS.length }, ui("no_match"))));
  if (rows.length > MAX_ROWS) body.push(el("tr", { class: "note" }, el("td", { colspan: COLUMNS.length }, rows.length - MAX_ROWS + " " + ui("more_rows"))));
  document.querySelector("#farms tbody").replaceChildren(...body);
  document.getElementById("shown").textContent = rows.length === data.farms.length ? String(rows.length) : rows.length + " / " + data.farms.length;
}
