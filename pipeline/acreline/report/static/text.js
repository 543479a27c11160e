// Words, numbers and elements. Text enters the page as text nodes only, never as markup.
const data = JSON.parse(document.getElementById("data").textContent);
const state = { lang: "en", mode: "crop", farm: -1, parcel: -1, sort: "id", down: false, query: "", queue: "all", unit: "mu", fade: 0.3,
  filters: { outcome: "", reason: "", crop: "", status: "", size: "", health: "", event: "", acts: "" } };
const OUTCOMES = ["approve", "refer", "decline", "none"];
const STATUSES = ["ok", "degraded", "insufficient", "failed", "rejected"];
// What people did since the run was published; null where the page cannot know. What the machine decided stays as it is.
const acts = data.acts || null;
const anyActs = Boolean(acts && acts.farms);
const GREY = "#9aa5ad";
const OUTCOME_COLOURS = { approve: "#2475b0", refer: "#e39a1b", decline: "#6a5a7d", none: GREY };

function pick(pair) {
  return pair[state.lang === "zh" ? 1 : 0];
}

function ui(key) {
  return pick(data.words.ui[key]);
}

// A word of the portfolio.
function say(key) {
  return pick(data.words.portfolio[key]);
}

function word(group, code) {
  if (!code) return "–";
  const pair = (data.words[group] || {})[code];
  return pair ? pick(pair) : code.replace(/_/g, " ");
}

function classOf(layer, slug) {
  return data.classes[layer].find((row) => row.slug === slug) || null;
}

function className(layer, slug) {
  const found = slug && classOf(layer, slug);
  if (found) return found[state.lang];
  return layer === "health" ? word("health", slug || "unknown") : slug && slug !== "unknown" ? slug.replace(/_/g, " ") : ui("unknown");
}

function classColour(layer, slug) {
  const found = slug && classOf(layer, slug);
  return found ? found.colour : GREY;
}

function number(value, digits) {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

// Land in the unit that was chosen, with the other one on request.
function landNumber(mu, ha) {
  return state.unit === "ha" ? number(ha, 2) : number(mu, 1);
}

function land(mu, ha) {
  return landNumber(mu, ha) + " " + ui(state.unit);
}

function otherLand(mu, ha) {
  return state.unit === "ha" ? number(mu, 1) + " " + ui("mu") : number(ha, 2) + " " + ui("ha");
}

function percent(share) {
  return share === null || share === undefined ? "–" : Math.round(100 * share) + " %";
}

function signed(value) {
  return value === null ? "–" : (value > 0 ? "+" : value < 0 ? "−" : "") + number(Math.abs(value), 1);
}

// Money stays text, so no cent is lost to binary fractions.
function money(text, currency) {
  if (text === null || text === undefined) return "–";
  const [whole, cents] = String(text).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+(?!\d))/g, ",");
  const unit = currency ? (data.words.currency[currency] ? pick(data.words.currency[currency]) : " " + currency) : "";
  return grouped + (cents && /[1-9]/.test(cents) ? "." + cents : "") + unit;
}

// A text in which names with a digit behind a hyphen, and days, stay on one line.
function unbroken(text) {
  return String(text).split(/(\b[0-9A-Za-z]+(?:-[0-9A-Za-z]*[0-9][0-9A-Za-z]*)+\b)/).map((part, i) => (i % 2 ? el("span", { class: "unbroken" }, part) : part));
}

function currencyName(currency) {
  return money("", currency).trim();
}

function rounded(value, currency) {
  return money(String(Math.round(value)), currency);
}

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name === "on") for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    else if (name === "style") Object.assign(node.style, value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== "") node.append(child);
  }
  return node;
}

function el(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

// [name, count] in the house's own order, what never occurs left out.
function counted(names, counts, keep) {
  return names.filter((name) => counts[name] || (keep && name in counts)).map((name) => [name, counts[name]]);
}

function badge(group, code) {
  return el("span", { class: "badge " + group + "-" + code }, word(group, code));
}

// What stands for a farm: what people made of it, else what the machine decided.
function stands(farm) {
  return farm.now || farm;
}

function standsText(farm) {
  const { outcome, limit } = stands(farm);
  return outcome === "approve" && limit !== null ? money(limit, farm.limit_currency) : word("outcome", outcome);
}

// The short state of a farm on which people acted: the amount that stands, or what became of it.
function nowText(farm) {
  return farm.now.state === "changed" ? standsText(farm) : say("acts_" + farm.now.state);
}

function nowBy(farm) {
  return [pick(farm.now.by), farm.now.day].filter(Boolean).join(", ");
}

function swatch(colour) {
  return el("i", { class: "swatch", style: { background: colour } });
}

// One name where the crop is decided, all that cannot be told apart where it is not.
function cropNames(set, crop) {
  return set.length > 1 ? set.map((slug) => className("crop", slug)).join(ui("or")) : className("crop", crop);
}
