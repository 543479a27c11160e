// What the right side shows before a farm is chosen: the region in figures.
function outcomeCards() {
  const sums = data.totals.limits.map(([currency, total]) => money(total, currency)).join(" + ");
  const cards = counted(OUTCOMES, data.totals.outcomes, true).map(([code, count]) =>
    el("button", { type: "button", class: "count outcome-" + code, "aria-pressed": String(state.outcome === code), on: { click: () => { state.outcome = state.outcome === code ? "" : code; drawTable(); drawPanel(); } } },
      el("b", {}, String(count)), el("span", {}, word("outcome", code)),
      el("small", {}, code === "approve" ? ui("sum_limits") + " " + (sums || "–") : code === "refer" ? ui("needs_person") : "")));
  return el("div", { class: "counts" }, cards);
}

function bar(label, value, most, colour, text) {
  return el("div", { class: "bar" }, el("span", { class: "bar-label" }, label),
    el("span", { class: "bar-track" }, el("i", { style: { width: (100 * value) / Math.max(most, 1e-9) + "%", background: colour } })),
    el("span", { class: "bar-value" }, text));
}

function drawOverview() {
  const planted = data.totals.planted.filter(([, mu]) => mu > 0);
  const most = Math.max(0, ...planted.map(([, mu]) => mu));
  const statuses = counted(STATUSES, data.totals.statuses);
  return [
    el("h2", {}, ui("farms_by_outcome")), outcomeCards(), el("p", { class: "quiet" }, ui("pick")),
    el("div", { class: "two" },
      el("div", {}, el("h3", {}, ui("planted_by_crop")), planted.map(([crop, mu]) => bar(className("crop", crop), mu, most, classColour("crop", crop), number(mu, 0)))),
      el("div", {}, el("h3", {}, ui("parcels_by_status")), statuses.map(([status, count]) => bar(word("status", status), count, data.totals.parcels, "#5d7482", number(count, 0))))),
  ];
}
