// The sum at the head of the page: farms in = approve + refer + decline, each with its money. It always adds up.
function toCents(text) {
  const [whole, cents] = String(text).split(".");
  return BigInt(whole) * 100n + BigInt(((cents || "") + "00").slice(0, 2));
}

function centsText(cents) {
  return String(cents / 100n) + "." + String(cents % 100n).padStart(2, "0");
}

function addMoney(sums, text, currency) {
  if (text !== null) sums.set(currency || "", (sums.get(currency || "") || 0n) + toCents(text));
}

function sumText(sums) {
  return [...sums].sort().map(([currency, cents]) => money(centsText(cents), currency)).join(" + ");
}

// Counts and sums of the farms that fit all but the decision and the queue, by decision and together.
function countChosen() {
  const free = FILTERS[0].bit | QUEUE_BIT;
  const fresh = () => ({ count: 0, asked: new Map(), granted: new Map(), without: 0, mu: 0, ha: 0 });
  const sums = { in: fresh(), now: {}, states: {} };
  for (const code of OUTCOMES) {
    sums[code] = fresh();
    sums.now[code] = fresh();
  }
  data.farms.forEach((farm, at) => {
    if (found.masks[at] & ~free) return;
    const now = sums.now[stands(farm).outcome];
    now.count += 1;
    addMoney(now.granted, stands(farm).limit, farm.limit_currency);
    if (farm.now) sums.states[farm.now.state] = (sums.states[farm.now.state] || 0) + 1;
    for (const sum of [sums.in, sums[farm.outcome]]) {
      sum.count += 1;
      sum.mu += farm.mu || 0;
      sum.ha += farm.ha || 0;
      if (farm.requested === null) sum.without += 1;
      addMoney(sum.asked, farm.requested, farm.limit_currency || farm.currency);
      addMoney(sum.granted, farm.limit, farm.limit_currency);
    }
  });
  return sums;
}

function countCard(code, sum, label) {
  const pressed = code !== "in" && state.filters.outcome === code;
  const asked = sumText(sum.asked);
  const lines = [
    code === "in" || code === "approve" ? [(code === "in" ? say("machine_limits") : say("granted")) + " ", el("b", { class: "money" }, sumText(sum.granted) || "–")] : null,
    asked ? [say("asked") + " ", el("b", { class: "money" }, asked)] : null,
    code === "in" ? el("span", { class: "money" }, land(sum.mu, sum.ha)) : null,
    sum.without && asked ? number(sum.without, 0) + " " + say("not_asked") : null,
  ].filter(Boolean);
  const inside = [el("b", { class: "figure" }, number(sum.count, 0)), el("span", { class: "name" }, label, code === "in" ? null : el("small", {}, " " + say("by_machine"))), el("small", {}, lines.map((line) => el("span", {}, line)))];
  if (code === "in") return el("div", { class: "count in" }, inside);
  return el("button", { type: "button", class: "count outcome-" + code, "data-outcome": code, "aria-pressed": String(pressed), on: { click: () => setFilter("outcome", pressed ? "" : code) } }, inside);
}

// What stands below what the machine decided: the same farms, after what people did. Or how to get a page that knows it.
function drawStands(sums, codes) {
  if (!acts) return [say("acts_unknown") + " ", el("code", {}, "acreline report RUN --out FILE")];
  if (!anyActs) return [say("acts_nobody")];
  const terms = codes.flatMap((code, i) => {
    const { count, granted } = sums.now[code];
    return [i ? " + " : " = ", el("b", { "data-stands": code }, number(count, 0)), " " + word("outcome", code) + (granted.size && code === "approve" ? " (" + sumText(granted) + ")" : "")];
  });
  const wanted = state.filters.acts;
  const buttons = STATES.filter((code) => code === "changed" || code === wanted || sums.states[code]).map((code) =>
    el("button", { type: "button", class: "plain-button", "data-state": code, "aria-pressed": String(code === wanted), on: { click: () => setFilter("acts", code === wanted ? "" : code) } },
      code === "changed" ? say("changed_by") : say("acts_" + code) + ":", " ", el("b", {}, number(sums.states[code] || 0, 0))));
  return [el("b", {}, say("stands_now")), " (" + say("last_act") + " " + acts.last + "): ", number(sums.in.count, 0), terms, " ", buttons];
}

function drawCounts() {
  const sums = countChosen();
  const codes = OUTCOMES.filter((code) => code !== "none" || sums.none.count || sums.now.none.count);
  const whole = sums.in.count === data.farms.length;
  const terms = codes.flatMap((code, i) => [el("span", { class: "sign", "aria-hidden": "true" }, i ? "+" : "="), countCard(code, sums[code], word("outcome", code))]);
  document.getElementById("counts").replaceChildren(countCard("in", sums.in, whole ? say("in") : say("chosen") + " (" + say("of") + " " + number(data.farms.length, 0) + ")"), ...terms);
  document.getElementById("stands").replaceChildren(...drawStands(sums, codes).flat(Infinity));
}
