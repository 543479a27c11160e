// A farm's page: its language, the way back to the map in the same one, and printing.
function setPageLanguage(lang) {
  const root = document.documentElement;
  root.lang = lang === "zh" ? "zh-CN" : "en";
  root.dataset.lang = lang;
  for (const button of document.querySelectorAll("[data-set-lang]")) button.setAttribute("aria-pressed", String(button.dataset.setLang === lang));
  for (const link of document.querySelectorAll("a.back")) link.search = "?lang=" + lang;
}

function askedLanguage() {
  const asked = new URLSearchParams(location.search).get("lang");
  if (asked === "zh" || asked === "en") return asked;
  return (navigator.language || "en").toLowerCase().startsWith("zh") ? "zh" : "en";
}

for (const button of document.querySelectorAll("[data-set-lang]")) {
  button.addEventListener("click", () => setPageLanguage(button.dataset.setLang));
}
document.querySelector("button.print").addEventListener("click", () => window.print());
setPageLanguage(askedLanguage());
