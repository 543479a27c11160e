// What the right side shows before a farm is opened: the queue, or the chosen farms in figures.
function bar(label, value, most, colour, text) {
  return el("div", { class: "bar" }, el("span", { class: "bar-label" }, label),
    el("span", { class: "bar-track" }, el("i", { style: { width: (100 * value) / Math.max(most, 1e-9) + "%", background: colour } })),
    el("span", { class: "bar-value" }, text));
}

// Planted land of the chosen farms by main crop, the most first: [crop, mu, ha].
function plantedByCrop() {
  const sums = new Map();
  for (const at of found.rows) {
    const farm = data.farms[at];
    const known = sums.get(farm.crop || "unknown") || [0, 0];
    sums.set(farm.crop || "unknown", [known[0] + (farm.planted[1] || 0), known[1] + (farm.planted_ha || 0)]);
  }
  return [...sums].map(([crop, [mu, ha]]) => [crop, mu, ha]).filter(([, mu]) => mu > 0).sort((a, b) => b[1] - a[1]);
}

function parcelStatuses() {
  const counts = {};
  for (const at of found.rows) for (const index of data.farms[at].parcels) counts[data.parcels[index].status] = (counts[data.parcels[index].status] || 0) + 1;
  return counted(STATUSES, counts);
}

function drawFigures() {
  if (!found.rows.length) return [el("p", { class: "quiet" }, ui("no_match"))];
  const planted = plantedByCrop();
  const most = Math.max(0, ...planted.map(([, mu]) => mu));
  const statuses = parcelStatuses();
  const parcels = statuses.reduce((sum, [, count]) => sum + count, 0);
  return [
    el("p", { class: "quiet" }, ui("pick")),
    el("div", { class: "two" },
      el("div", {}, el("h3", {}, ui("planted_by_crop") + ui(state.unit)), planted.map(([crop, mu, ha]) => bar(className("crop", crop), mu, most, classColour("crop", crop), number(state.unit === "ha" ? ha : mu, state.unit === "ha" ? 1 : 0)))),
      el("div", {}, el("h3", {}, ui("parcels_by_status")), statuses.map(([status, count]) => bar(word("status", status), count, parcels, "#5d7482", number(count, 0))))),
  ];
}

function drawOverview() {
  return { all: drawFigures, refer: drawRefer, acts: drawActs, watch: drawWatch, appeal: drawAppeals, ask: drawAsks }[state.queue]();
}
